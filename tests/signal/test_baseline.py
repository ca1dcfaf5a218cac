import numpy as np
import pytest

from capnet.errors import ConfigError, UnitError
from capnet.signal.baseline import remove_baseline

RATE = 125.0
TIME = np.arange(3000) / RATE
INNER = slice(500, -500)


@pytest.mark.parametrize("frequency", [0.8, 1.2, 5.0, 20.0])
def test_a_pulse_passes_without_delay(frequency):
    x = np.sin(2.0 * np.pi * frequency * TIME)
    found = remove_baseline(x, sampling_rate=RATE)
    np.testing.assert_allclose(found[INNER], x[INNER], atol=0.005)


@pytest.mark.parametrize("frequency", [0.0, 0.1, 0.2])
def test_wandering_is_removed(frequency):
    x = 1e3 + 10.0 * np.cos(2.0 * np.pi * frequency * TIME)
    assert np.abs(remove_baseline(x, sampling_rate=RATE)[INNER]).max() < 0.05


def test_a_straight_drift_is_removed():
    assert np.abs(remove_baseline(5.0 * TIME, sampling_rate=RATE)[INNER]).max() < 1e-9


def test_a_gap_reaches_as_far_as_is_said():
    x = np.random.default_rng(0).standard_normal(3000)
    torn = x.copy()
    torn[1500] = np.nan
    found = remove_baseline(torn, sampling_rate=RATE, cutoff=1.0)
    reach = (np.flatnonzero(np.isnan(found)) - 1500) / RATE
    assert reach.min() == -reach.max()
    assert reach.max() == pytest.approx(1.65, abs=1.0 / RATE)
    whole = remove_baseline(x, sampling_rate=RATE, cutoff=1.0)
    known = np.isfinite(found)
    np.testing.assert_array_equal(found[known], whole[known])


def test_impossible_cut_offs_are_refused():
    for cutoff in (0.0, np.nan, 1e-6, 62.5):
        with pytest.raises(ConfigError, match="wanted"):
            remove_baseline(TIME, sampling_rate=RATE, cutoff=cutoff)
    with pytest.raises(UnitError, match="never assumes"):
        remove_baseline(TIME, sampling_rate=-1.0)


def test_a_filter_without_end_is_refused():
    with pytest.raises(ConfigError, match="Resample the channel first"):
        remove_baseline(np.zeros(9), sampling_rate=1e6, cutoff=0.5)


def test_gain_at_the_edges_is_as_documented():
    pulse = np.zeros(3001)
    pulse[1500] = 1.0
    taps = remove_baseline(pulse, sampling_rate=RATE)
    turns = 2.0 * np.pi * np.arange(-1500, 1501) / RATE
    gain = [20.0 * np.log10(abs(np.cos(f * turns) @ taps)) for f in (0.25, 0.6, 0.75)]
    assert gain[0] < -52.0
    assert gain[1] == pytest.approx(-1.75, abs=0.05)  # 36 bpm
    assert gain[2] == pytest.approx(0.0, abs=0.025)  # 45 bpm
