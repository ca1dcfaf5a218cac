import numpy as np
import pytest

from capnet.signal.feet import pulse_feet
from capnet.signal.frontend import RATE, smooth
from tests.signal import pulses


def shifted(shift, rate):
    """The same pulse at every shift (samples), foot near 0.45 s."""
    time = np.arange(round(2.4 * rate)) / rate
    shape = {"rise": 0.08, "second": 0.45, "when": 0.47, "spread": 0.12}
    phase = (time[None] - 0.45 - np.asarray(shift)[:, None] / rate) / 0.9
    return pulses.pulse(phase, **shape)


@pytest.mark.parametrize("rate", [125.0, 250.0])
def test_moves_with_the_pulse(rate):
    shift = np.linspace(0.0, 4.0, 41)
    after = 0.3 * rate + shift
    foot = pulse_feet(shifted(shift, rate), after, sampling_rate=rate)
    assert np.ptp(foot - shift) / rate < 1e-3


def test_gain_and_offset_do_not_matter():
    wave = shifted([0.3, 1.1], RATE)
    after = np.full(2, 0.3 * RATE)
    before = pulse_feet(wave, after, sampling_rate=RATE)
    changed = pulse_feet(17.0 * wave - 300.0, after, sampling_rate=RATE)
    np.testing.assert_allclose(before, changed, atol=1e-6)


def test_tangent_meets_the_base_of_a_ramp():
    # Flat at 0 until sample 50, then rising by 1 a sample: the foot is at 50.
    ramp = np.clip(np.arange(200.0) - 50.0, 0.0, 20.0)
    wave = smooth(np.stack([ramp, ramp])).astype(np.float64)
    foot = pulse_feet(wave, np.full(2, 30.0), sampling_rate=RATE)
    np.testing.assert_allclose(foot, 50.0, atol=1.0)


def test_takes_the_systolic_rise_though_the_dicrotic_one_is_steeper():
    time = np.arange(300) / RATE
    wave = 1.0 / (1.0 + np.exp(-(time - 0.65) / 0.03))
    late = wave + 2.0 / (1.0 + np.exp(-(time - 1.05) / 0.02))
    after = np.array([0.45 * RATE])
    alone = pulse_feet(wave[None], after, sampling_rate=RATE)
    both = pulse_feet(late[None], after, sampling_rate=RATE)
    np.testing.assert_allclose(alone, both, atol=0.05)


def test_no_rise_no_foot():
    time = np.arange(300) / RATE
    rows = np.stack([np.zeros(300), -time, np.full(300, np.nan), np.exp(3.0 * time)])
    foot = pulse_feet(rows, np.full(4, 60.0), sampling_rate=RATE)
    assert np.isnan(foot).all()


def test_missing_samples_and_peaks_give_nan():
    wave = shifted(np.zeros(4), RATE)
    wave[1, 60] = np.nan  # within the search
    wave[2, 250] = np.nan  # far from it
    after = np.array([np.nan, 0.3 * RATE, 0.3 * RATE, 290.0])
    foot = pulse_feet(wave, after, sampling_rate=RATE)
    assert np.isfinite(foot).tolist() == [False, False, True, False]


def test_batch_equals_one_by_one():
    people = pulses.draw(20, np.random.default_rng(0))
    raw = smooth(pulses.windows(people)).astype(np.float64)
    after = np.full(20, pulses.FOOT - 25.0)
    single = [
        pulse_feet(raw[i : i + 1], after[i : i + 1], sampling_rate=RATE)
        for i in range(20)
    ]
    whole = pulse_feet(raw, after, sampling_rate=RATE)
    np.testing.assert_array_equal(whole, np.concatenate(single))
    assert np.isfinite(whole).all()
