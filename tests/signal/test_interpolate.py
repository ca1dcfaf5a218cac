import numpy as np

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
