import numpy as np
import pytest

from capnet.errors import UnitError
from capnet.signal.wavelets import shrink_wavelets
from tests.signal.pulses import pulse


def clean(seconds, rate):
    time = np.arange(round(seconds * rate)) / rate
    return pulse(1.1 * time, rise=0.07, second=0.5, when=0.45, spread=0.1)


def ratio(wave, noisy):
    """Signal over noise, dB."""
    return 10.0 * np.log10(wave.var() / np.mean((noisy - wave) ** 2))


@pytest.mark.parametrize("rate", [62.5, 125.0, 250.0, 500.0])
def test_white_noise_falls_and_its_size_is_found(rate):
    wave = clean(100.0, rate)
    size = wave.std() * 10.0**-0.5
    noise = size * np.random.default_rng(0).standard_normal(len(wave))
    found = shrink_wavelets(wave + noise, sampling_rate=rate)
    # Of white noise only what lies below 3 to 6 Hz can stay; pulses lie there too.
    assert ratio(wave, found.values) - 10.0 > 3.0 * np.log2(rate / 62.5) + 5.0
    assert found.noise[0] == pytest.approx(size, rel=0.05)
    assert found.reason.tolist() == [""]


def test_a_clean_pulse_stays():
    wave = clean(20.0, 125.0)
    assert ratio(wave, shrink_wavelets(wave, sampling_rate=125.0).values) > 60.0


def test_gain_and_offset_pass_through():
    rng = np.random.default_rng(1)
    noisy = clean(20.0, 125.0) + 0.1 * rng.standard_normal(2500)
    once = shrink_wavelets(noisy, sampling_rate=125.0)
    other = shrink_wavelets(1000.0 - 50.0 * noisy, sampling_rate=125.0)
    np.testing.assert_allclose(other.values, 1000.0 - 50.0 * once.values, atol=1e-8)
    np.testing.assert_allclose(other.noise, 50.0 * once.noise)


def test_a_shift_in_time_only_shifts():
    rng = np.random.default_rng(2)
    noisy = clean(40.0, 125.0) + 0.1 * rng.standard_normal(5000)
    whole = shrink_wavelets(noisy, sampling_rate=125.0).values
    later = shrink_wavelets(noisy[7:], sampling_rate=125.0).values
    apart = np.abs(later[300:-300] - whole[307:-300])
    # The noise estimate moves a little with the samples that are missing.
    assert np.median(apart) < 1e-3
    assert apart.max() < 0.03


def test_stretches_are_apart_and_short_ones_stay_as_they_are():
    rng = np.random.default_rng(3)
    x = clean(40.0, 125.0) + 0.1 * rng.standard_normal(5000)
    x[2000:2100] = np.nan
    x[2300:2400] = np.nan
    found = shrink_wavelets(x, sampling_rate=125.0)
    assert found.stretches.tolist() == [[0, 2000], [2100, 2300], [2400, 5000]]
    assert found.reason.tolist() == ["", "shorter than 2 s", ""]
    assert np.isnan(found.noise).tolist() == [False, True, False]
    np.testing.assert_array_equal(np.isnan(found.values), np.isnan(x))
    np.testing.assert_array_equal(found.values[2100:2300], x[2100:2300])
    alone = shrink_wavelets(x[:2000], sampling_rate=125.0)
    np.testing.assert_array_equal(found.values[:2000], alone.values)


def test_blocks_join_without_a_step():
    rng = np.random.default_rng(4)
    wave = clean(121.0, 125.0)
    noise = 0.1 * rng.standard_normal(len(wave))
    error = shrink_wavelets(wave + noise, sampling_rate=125.0).values - wave
    joints = [len(wave) // 3, 2 * len(wave) // 3]
    step = np.abs(np.diff(error))
    for joint in joints:
        assert step[joint - 3 : joint + 3].max() < 5.0 * np.median(step) + 0.02


def test_a_low_rate_is_refused():
    with pytest.raises(UnitError, match="at least 12 Hz"):
        shrink_wavelets(np.ones(100), sampling_rate=10.0)
