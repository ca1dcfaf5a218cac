import numpy as np
import pytest

from capnet.errors import ConfigError, UnitError
from capnet.signal.powerline import powerline_taps, remove_powerline


def response(taps, frequency, rate):
    time = np.arange(len(taps)) / rate
    return abs(np.exp(-2j * np.pi * frequency[:, None] * time) @ taps)


@pytest.mark.parametrize("rate", [125.0, 249.89, 250.0, 360.0, 500.0, 1000.0])
@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_stops_the_harmonics_and_nothing_else(rate, mains):
    taps = powerline_taps(sampling_rate=rate, mains=mains)
    harmonics = np.arange(mains, rate / 2.0 - 1e-9, mains)
    assert response(taps, harmonics, rate).max() < 1e-6
    frequency = np.linspace(0.0, rate / 2.0, 4001)
    far = (np.abs(frequency[:, None] - harmonics) > 2.0).all(axis=1)
    decibel = 20.0 * np.log10(response(taps, frequency[far], rate))
    assert np.abs(decibel).max() < 0.1
    near = harmonics[0] + np.array([-0.1, 0.1])  # as far as a grid strays
    assert response(taps, near, rate).max() < 0.1
    assert np.array_equal(taps, taps[::-1])


def test_hum_goes_and_the_pulse_stays():
    time = np.arange(5000) / 500.0
    pulse = 90.0 + np.sin(2.0 * np.pi * 1.3 * time) + 0.2 * np.sin(40.0 * time)
    hum = np.sin(2 * np.pi * 50 * time + 1.0) + 0.3 * np.sin(2 * np.pi * 150 * time)
    found = remove_powerline(pulse + hum, sampling_rate=500.0, mains=50.0)
    inner = slice(500, -500)
    np.testing.assert_allclose(found[inner], pulse[inner], atol=0.01)


def test_a_gap_reaches_less_than_a_second():
    x = np.random.default_rng(0).standard_normal(1000)
    torn = x.copy()
    torn[500:520] = np.nan
    found = remove_powerline(torn, sampling_rate=250.0, mains=60.0)
    known = np.isfinite(found)
    assert np.flatnonzero(~known).tolist() == list(range(500 - 206, 520 + 206))
    whole = remove_powerline(x, sampling_rate=250.0, mains=60.0)
    np.testing.assert_array_equal(found[known], whole[known])


def test_folded_hum_is_refused():
    with pytest.raises(UnitError, match="another frequency"):
        remove_powerline(np.ones(500), sampling_rate=100.0, mains=50.0)
    with pytest.raises(ConfigError, match="50 or 60 Hz"):
        remove_powerline(np.ones(500), sampling_rate=500.0, mains=5.0)


def test_a_rate_without_end_is_refused():
    with pytest.raises(UnitError, match="at most 20000 Hz"):
        powerline_taps(sampling_rate=1e6, mains=50.0)
