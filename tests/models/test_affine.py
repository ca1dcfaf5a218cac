"""The two-number correction: exact where it must be, shrunk as it says."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from capnet.errors import ProtocolError, ShapeError
from capnet.models.affine import apply_affine, fit_affine, mean_by_subject
from capnet.types import N_POINTS


@pytest.fixture
def waves():
    rng = np.random.default_rng(0)
    return 90 + 12 * rng.standard_normal((6, N_POINTS))


def test_a_right_prediction_needs_no_correction(waves):
    assert fit_affine(waves, waves) == (0.0, pytest.approx(1.0, abs=1e-12))


@pytest.mark.parametrize("n", [1, 2, 6])
def test_an_offset_is_shrunk_by_one_subject(waves, n):
    offset, gain = fit_affine(waves[:n], waves[:n] + 10)
    assert offset == pytest.approx(10 * n / (n + 1))
    assert gain == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1, 2, 6])
def test_a_gain_is_shrunk_by_one_subject(waves, n):
    offset, gain = fit_affine(waves[:n], apply_affine(waves[:n], 0.0, 1.6))
    assert offset == pytest.approx(0.0, abs=1e-12)
    assert gain == pytest.approx(1 + 0.6 * n / (n + 1))


def test_shrinkage_is_one_more_subject_that_was_right(waves):
    """Against least squares on the rows and a subject of their mean power."""
    rng = np.random.default_rng(1)
    true = waves + rng.standard_normal(waves.shape) * 5 + 4
    about = waves - waves.mean(axis=1, keepdims=True)
    power = np.sqrt((about**2).sum() / len(waves))
    extra = np.zeros(N_POINTS)
    extra[:2] = power / np.sqrt(2) * np.array([1, -1])
    x = np.concatenate([about, extra[None]]).ravel()
    y = np.concatenate([true - true.mean(axis=1, keepdims=True), extra[None]]).ravel()
    (slope,), *_ = np.linalg.lstsq(x[:, None], y, rcond=None)
    offset, gain = fit_affine(waves, true)
    assert gain == pytest.approx(slope)
    means = [*(true - waves).mean(axis=1), 0.0]
    assert offset == pytest.approx(np.mean(means))


def test_many_subjects_end_the_shrinkage(waves):
    many = np.tile(waves, (200, 1))
    offset, gain = fit_affine(many, apply_affine(many, 7.0, 1.3))
    assert offset == pytest.approx(7.0, rel=1e-3)
    assert gain == pytest.approx(1.3, rel=1e-3)


def test_order_of_the_subjects_does_not_matter(waves):
    true = waves[::-1] + 3
    assert fit_affine(waves, true) == pytest.approx(fit_affine(waves[::-1], waves + 3))


def test_flat_predictions_have_nothing_to_stretch():
    flat = np.full((3, N_POINTS), 90.0)
    wavy = flat + np.sin(np.arange(N_POINTS) / 10)
    assert fit_affine(flat, wavy)[1] == 1.0


def test_applying_is_inverted_by_applying(waves):
    there = apply_affine(waves, 5.0, 1.25)
    np.testing.assert_allclose(apply_affine(there, -5.0, 0.8), waves)
    np.testing.assert_allclose(apply_affine(waves, 0.0, 1.0), waves)


def test_subjects_are_averaged_in_sorted_order(waves):
    subject = np.array(["b", "a", "b", "c", "b", "a"])
    answer = mean_by_subject(waves, subject)
    for row, name in enumerate("abc"):
        np.testing.assert_allclose(answer[row], waves[subject == name].mean(axis=0))


def test_one_beat_each_is_unchanged(waves):
    subject = np.array([f"s{i}" for i in range(6)])
    np.testing.assert_array_equal(mean_by_subject(waves, subject), waves)


def test_nobody():
    with pytest.raises(ProtocolError, match="asked of 0 subjects"):
        fit_affine(np.zeros((0, N_POINTS)), np.zeros((0, N_POINTS)))


@pytest.mark.parametrize("which", [0, 1])
def test_missing_values(waves, which):
    pair = [waves.copy(), waves.copy()]
    pair[which][2, 3] = np.nan
    with pytest.raises(ShapeError, match="the waves hold NaN"):
        fit_affine(*pair)


def test_rows_that_do_not_agree(waves):
    # The run-time type check of the tests may be quicker than the function's own.
    with pytest.raises((ShapeError, TypeCheckError), match=r"wanted equal|beat="):
        fit_affine(waves, waves[:3])
