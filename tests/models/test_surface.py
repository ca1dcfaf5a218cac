"""A quadratic surface finds what is quadratic, and says nothing far away."""

import json

import numpy as np
import pytest

from capnet.models.surface import Standard, Surface


@pytest.fixture(scope="module")
def numbers():
    return np.random.default_rng(0).normal([100, 5, 0], [10, 1, 0], (4000, 3))


def quadratic(numbers):
    x, y = (numbers[:, 0] - 100) / 10, numbers[:, 1] - 5
    return np.stack([1 + x - 2 * y + 0.5 * x * y + y**2, 3 - x], axis=1)


@pytest.fixture(scope="module")
def surface(numbers):
    return Surface.fit(numbers, quadratic(numbers), np.ones(4000), bent=2)


def test_a_quadratic_function_is_found(surface):
    new = np.random.default_rng(1).normal([100, 5, 0], [10, 1, 0], (500, 3))
    np.testing.assert_allclose(surface.of(new), quadratic(new), atol=0.1)


def test_beyond_four_standard_deviations_it_is_held(surface):
    near, far = np.array([[150.0, 5.0, 0.0]]), np.array([[1e6, 5.0, 0.0]])
    np.testing.assert_array_equal(surface.of(near), surface.of(far))


def test_an_unknown_number_is_the_mean(surface):
    mean = surface.standard.mean[None]
    unknown = np.where([False, True, True], np.nan, mean)
    np.testing.assert_allclose(surface.of(unknown), surface.of(mean))


def test_beats_of_a_subject_weigh_as_one():
    """A subject's beat told twice at half the weight changes nothing."""
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(40, 2)), rng.normal(size=(40, 1))
    once = Surface.fit(x, y, np.ones(40), bent=1)
    rows = np.r_[np.arange(40), 3]
    weight = np.ones(41)
    weight[[3, 40]] = 0.5
    twice = Surface.fit(x[rows], y[rows], weight, bent=1)
    np.testing.assert_allclose(twice.coefficients, once.coefficients, atol=1e-9)


def test_a_constant_number_survives_json(surface, numbers):
    assert np.isinf(surface.standard.scale[2])
    back = Surface.from_dict(json.loads(json.dumps(surface.to_dict(), allow_nan=False)))
    np.testing.assert_array_equal(back.of(numbers), surface.of(numbers))


def test_unknown_numbers_are_left_out_of_mean_and_scale(numbers):
    holes = numbers.copy()
    holes[::3, 0] = np.nan
    found = Standard.learn(holes, np.ones(len(holes)))
    kept = holes[~np.isnan(holes[:, 0]), 0]
    assert found.mean[0] == pytest.approx(kept.mean())
