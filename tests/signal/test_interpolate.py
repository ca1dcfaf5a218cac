import numpy as np
import pytest

from capnet.errors import ShapeError
from capnet.signal.interpolate import catmull_rom


def test_goes_through_the_samples():
    rows = np.random.default_rng(0).standard_normal((3, 20))
    place = np.tile(np.arange(20.0), (3, 1))
    np.testing.assert_allclose(catmull_rom(rows, place), rows)


def test_exact_on_parabolas():
    x = np.arange(20.0)
    place = np.linspace(1.0, 18.0, 50)[None]
    found = catmull_rom((x**2 - 3.0 * x)[None], place)
    np.testing.assert_allclose(found, place**2 - 3.0 * place, atol=1e-10)


def test_one_row_serves_all_and_ends_are_held():
    row = np.arange(10.0)[None]
    found = catmull_rom(row, np.array([[2.5], [4.5], [99.0], [np.nan]]))
    np.testing.assert_allclose(found[:, 0], [2.5, 4.5, 9.0, np.nan])


def test_far_beyond_the_ends_is_held_and_missing_is_missing():
    row = np.array([[1.0, 2.0, np.inf, 4.0, 8.0, 16.0, 32.0]])
    place = np.array([[-1e300, 1e300, np.inf, 2.5, 5.5]])
    found = catmull_rom(row, place)
    assert found[0, :2].tolist() == [1.0, 32.0]
    assert np.isnan(found[0, 2:4]).all()
    assert np.isfinite(found[0, 4])


def test_whole_numbers_do_not_wrap():
    steps = np.array([[0, 200, 10, 250, 0]], dtype=np.uint8)
    place = np.array([[1.5, 2.25]])
    np.testing.assert_array_equal(
        catmull_rom(steps, place), catmull_rom(steps.astype(np.float64), place)
    )


def test_what_does_not_fit_is_refused():
    for rows, place in (
        (np.zeros((2, 5)), np.zeros((3, 1))),
        (np.zeros((1, 0)), np.zeros((3, 1))),
        (np.zeros(5), np.zeros((3, 1))),
    ):
        with pytest.raises(ShapeError):
            catmull_rom(rows, place)
