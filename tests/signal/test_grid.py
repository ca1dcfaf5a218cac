import numpy as np
import pytest

from capnet.errors import ShapeError, UnitError
from capnet.records import Signal
from capnet.signal.grid import on_grid


def tone(frequency, rate, seconds, start=0.0):
    time = start + np.arange(round(seconds * rate)) / rate
    return Signal(np.sin(2 * np.pi * frequency * time), rate, "NU", start=start)


@pytest.mark.parametrize("rate", [124.945, 125.0, 250.0, 249.89, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("start", [0.0, 0.0137])
def test_exact_on_band_limited_tones(rate, start):
    signal = tone(11.0, rate, 12.0, start)
    grid = on_grid(signal, sampling_rate=125.0, start=1.0, stop=11.0)
    time = 1.0 + np.arange(1250) / 125.0
    np.testing.assert_allclose(grid, np.sin(2 * np.pi * 11.0 * time), atol=2e-4)


def test_nothing_folds_back():
    grid = on_grid(tone(80.0, 500.0, 8.0), sampling_rate=125.0, start=1.0, stop=7.0)
    assert np.abs(grid).max() < 1e-3


def test_same_grid_is_the_identity():
    values = np.random.default_rng(0).standard_normal(500)
    values[100:120] = np.nan
    signal = Signal(values, 125.0, "mV", start=0.4)
    grid = on_grid(signal, sampling_rate=125.0, start=0.4, stop=4.4)
    np.testing.assert_allclose(grid, values, atol=1e-9)


@pytest.mark.parametrize("rate", [124.945, 250.0])
def test_a_gap_stays_a_gap_and_does_not_leak(rate):
    signal = tone(3.0, rate, 12.0)
    whole = on_grid(signal, sampling_rate=125.0, start=0.0, stop=12.0)
    values = signal.values.copy()
    values[round(5 * rate) : round(6 * rate)] = np.nan
    torn = on_grid(
        Signal(values, rate, "NU"), sampling_rate=125.0, start=0.0, stop=12.0
    )
    time = np.arange(1500) / 125.0
    assert np.isnan(torn[(time > 5.0) & (time < 5.99)]).all()
    far = (time < 4.75) | (time > 6.25)
    np.testing.assert_array_equal(torn[far], whole[far])


def test_each_side_of_a_gap_is_treated_apart():
    values = np.concatenate([np.zeros(500), [np.nan], np.full(500, 1e6)])
    grid = on_grid(
        Signal(values, 250.0, "NU"), sampling_rate=125.0, start=0.0, stop=4.0
    )
    assert set(np.unique(grid[np.isfinite(grid)]).round(3)) == {0.0, 1e6}


def test_outside_the_channel_is_missing():
    signal = Signal(np.ones(100), 100.0, "mV", start=2.0)
    grid = on_grid(signal, sampling_rate=50.0, start=1.0, stop=4.0)
    time = 1.0 + np.arange(150) / 50.0
    assert np.array_equal(np.isfinite(grid), (time > 1.999) & (time < 2.991))


def test_impossible_grids_are_refused():
    signal = Signal(np.ones(100), 100.0, "mV")
    with pytest.raises(UnitError, match="wanted it positive"):
        on_grid(signal, sampling_rate=0.0, start=0.0, stop=1.0)
    with pytest.raises(ShapeError, match="stop > start"):
        on_grid(signal, sampling_rate=125.0, start=1.0, stop=1.0)


def sinc_sum(values, rate, time, new):
    """The windowed sinc of the module's words, one time after another."""
    band = min(1.0, 2.0 * 0.448 * new / rate) if new < rate else 1.0
    reach = int(np.ceil(24 / band))
    found = []
    for place in time * rate:
        distance = place - np.arange(len(values))
        near = np.abs(distance) <= reach
        window = np.i0(8.0 * np.sqrt(np.clip(1.0 - (distance / reach) ** 2, 0.0, None)))
        weight = np.where(near, np.sinc(band * distance) * window, 0.0)
        found.append((weight * values).sum() / weight.sum())
    return np.array(found)


@pytest.mark.parametrize("rate", [124.945, 125.0, 250.0, 125.0 * np.pi / 3.0])
@pytest.mark.parametrize("new", [125.0, 100.0])
def test_is_the_windowed_sinc(rate, new):
    values = 90.0 + np.random.default_rng(0).standard_normal(round(6 * rate))
    # Not on a sample: there the far end of an even window is left out.
    start = 1.0 + 0.2371 / rate
    found = on_grid(
        Signal(values, rate, "NU"), sampling_rate=new, start=start, stop=start + 4.0
    )
    time = start + np.arange(len(found)) / new
    expected = sinc_sum(values, rate, time, new)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    exact = np.abs(time * rate - np.rint(time * rate)) > 1e-3
    np.testing.assert_allclose(found[exact], expected[exact], rtol=1e-12)


def test_samples_on_the_grid_are_copied():
    values = np.random.default_rng(0).standard_normal(500) * 1e6
    same = on_grid(Signal(values, 125.0, "NU"), sampling_rate=125.0, start=0.0, stop=4)
    np.testing.assert_array_equal(same, values)
    twice = on_grid(Signal(values, 125.0, "NU"), sampling_rate=250.0, start=0.0, stop=4)
    np.testing.assert_array_equal(twice[::2], values)


def test_thinning_out_too_far_and_endless_grids_are_refused():
    signal = Signal(np.ones(100), 1000.0, "mV")
    with pytest.raises(UnitError, match="two steps"):
        on_grid(signal, sampling_rate=0.5, start=0.0, stop=10.0)
    with pytest.raises(ShapeError, match="start offsets"):
        on_grid(signal, sampling_rate=125.0, start=0.0, stop=1e12)
    for stop in (np.inf, np.nan):
        with pytest.raises(ShapeError, match="stop > start"):
            on_grid(signal, sampling_rate=125.0, start=0.0, stop=stop)
