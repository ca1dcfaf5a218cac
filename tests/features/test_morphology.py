"""Shape of pulses against sums of Gaussians whose derivatives are known."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

from capnet.errors import ShapeError, UnitError
from capnet.features import pulse_morphology

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=30)
RATE = 250.0
PERIOD = 1.0
WAVES = ((1.0, 0.15, 0.05), (0.4, 0.26, 0.05), (0.5, 0.46, 0.05))
"""Height, time after the foot (s) and width (s) of each wave."""


def gaussians(time, derivative=0, waves=WAVES):
    """The sum, one beat alone, or its second derivative."""
    total = np.zeros_like(np.asarray(time, dtype=float))
    for height, at, width in waves:
        z = (np.asarray(time) - at) / width
        bell = height * np.exp(-0.5 * z**2)
        total = total + (bell if derivative == 0 else bell * (z**2 - 1.0) / width**2)
    return total


def train(n=4, *, waves=WAVES, rate=RATE):
    """Beats one after another, and their feet."""
    time = np.arange(0.0, (n + 1) * PERIOD, 1.0 / rate)
    feet = 0.5 + PERIOD * np.arange(n)
    wave = sum(gaussians(time - foot, waves=waves) for foot in feet)
    return wave, feet[:-1], feet[1:]


def measured(wave, start, stop, rate=RATE):
    return pulse_morphology(wave, start, stop, sampling_rate=rate)


def top(low, high, sign=1.0, derivative=0):
    """Time of the extremum of the analytic sum between two times."""
    found = minimize_scalar(
        lambda t: -sign * float(gaussians(t, derivative)),
        bounds=(low, high),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return float(found.x)


def test_peaks_notch_and_areas_are_those_of_the_sum():
    found = measured(*train())
    peak, late = top(0.1, 0.2), top(0.4, 0.55)
    foot = gaussians(0.0)  # what heights are above
    ratio = (gaussians(late) - foot) / (gaussians(peak) - foot)
    np.testing.assert_allclose(found.reflection_index, ratio, rtol=0.01)
    np.testing.assert_allclose(found.peak_to_peak, late - peak, atol=0.01)
    # The sharpest bend, but for the 10 Hz low-pass in front of it.
    bend = top(0.32, 0.42, derivative=2)
    np.testing.assert_allclose(found.notch_time, bend, atol=0.012)
    for name, low, high in [("systolic", 0.0, None), ("diastolic", None, PERIOD)]:
        ends = [found.notch_time[0] if x is None else x for x in (low, high)]
        area = quad(lambda t: float(gaussians(t) - foot), *ends)[0]
        area /= gaussians(peak) - foot
        np.testing.assert_allclose(getattr(found, f"area_{name}"), area, rtol=0.03)
    np.testing.assert_allclose(
        found.area_ratio, found.area_diastolic / found.area_systolic
    )


def test_waves_of_the_second_derivative_are_those_of_the_filtered_sum():
    """A Gaussian behind a Gaussian low-pass is a wider Gaussian."""
    found = measured(*train())
    # -3 dB in power at 10 Hz: exp(-(2 pi f s)^2 / 2) = sqrt(1/2).
    spread = np.sqrt(np.log(2.0)) / (2.0 * np.pi * 10.0)
    wider = tuple(
        (height * width / np.hypot(width, spread), at, np.hypot(width, spread))
        for height, at, width in WAVES
    )
    time = np.linspace(-0.1, 0.6, 70001)
    second = gaussians(time, 2, waves=wider)
    turns = np.flatnonzero(np.diff(np.sign(np.diff(second)))) + 1
    first = np.flatnonzero(second[turns] > 0.3 * second.max())[0]
    a, b, c, d, e = second[turns[first : first + 5]]
    np.testing.assert_allclose(found.b_a, b / a, rtol=0.02)
    np.testing.assert_allclose(found.c_a, c / a, atol=0.02)
    np.testing.assert_allclose(found.d_a, d / a, atol=0.02)
    np.testing.assert_allclose(found.e_a, e / a, rtol=0.02)
    np.testing.assert_allclose(found.agi, (b - c - d - e) / a, atol=0.04)


def test_the_ageing_index_is_the_sum_of_its_parts():
    found = measured(*train())
    np.testing.assert_allclose(
        found.agi, found.b_a - found.c_a - found.d_a - found.e_a, rtol=1e-9
    )


@CALM
@given(st.floats(1e-3, 1e3), st.floats(-100.0, 100.0))
def test_gain_and_offset_change_nothing(gain, offset):
    wave, start, stop = train()
    one = measured(wave, start, stop)
    other = measured(gain * wave + offset, start, stop)
    for name in one._fields:
        left, right = getattr(one, name), getattr(other, name)
        if name.endswith("reason"):
            np.testing.assert_array_equal(left, right)
        else:
            np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-9)


def test_a_drift_of_the_baseline_changes_nothing():
    wave, start, stop = train()
    drift = 0.3 * np.arange(len(wave)) / RATE
    one, other = measured(wave, start, stop), measured(wave + drift, start, stop)
    np.testing.assert_allclose(one.agi, other.agi, rtol=1e-6)
    np.testing.assert_allclose(one.area_ratio, other.area_ratio, rtol=1e-6)


@pytest.mark.parametrize("rate", [125.0, 500.0, 1000.0])
def test_the_sampling_rate_hardly_matters(rate):
    fine = measured(*train())
    other = measured(*train(rate=rate), rate=rate)
    np.testing.assert_allclose(other.agi, fine.agi, atol=0.03)
    np.testing.assert_allclose(other.notch_time, fine.notch_time, atol=0.002)
    np.testing.assert_allclose(other.area_ratio, fine.area_ratio, rtol=0.01)


def test_a_longer_beat_has_longer_times_and_larger_areas():
    wave, start, stop = train()
    one = measured(wave, start, stop)
    slow = pulse_morphology(wave, 1.05 * start, 1.05 * stop, sampling_rate=RATE / 1.05)
    for name in ("area_systolic", "area_diastolic", "peak_to_peak"):
        ratio = getattr(slow, name) / getattr(one, name)
        np.testing.assert_allclose(ratio, 1.05, rtol=0.03)


def test_batch_is_one_by_one_and_what_is_lacking_says_why():
    wave, start, stop = train(6)
    start = start.copy()
    start[1] = np.nan
    wave[round((start[3] + 0.4) * RATE)] = np.nan
    whole = measured(wave, start, stop)
    for row in range(len(start)):
        one = measured(wave, start[row : row + 1], stop[row : row + 1])
        np.testing.assert_allclose(one.agi[0], whole.agi[row], rtol=1e-9)
        assert one.notch_reason[0] == whole.notch_reason[row]
    assert [*whole.notch_reason[:4]] == ["", "no foot", "", "samples missing"]


def test_a_smooth_pulse_has_no_shoulder_and_no_invented_number():
    wave, start, stop = train(waves=((1.0, 0.2, 0.07),))
    found = measured(wave, start, stop)
    for value, reason in [
        (found.augmentation, found.augmentation_reason),
        (found.reflection_index, found.reflection_reason),
        (found.agi, found.ageing_reason),
    ]:
        assert (np.isnan(value) == (reason != "")).all()


@pytest.mark.usefixtures("unchecked")
def test_what_is_no_channel_is_refused():
    wave, start, stop = train()
    with pytest.raises(UnitError, match="at least 50 Hz"):
        pulse_morphology(wave, start, stop, sampling_rate=20.0)
    with pytest.raises(ShapeError, match="both"):
        pulse_morphology(wave, start, stop[:1], sampling_rate=RATE)


@CALM
@given(
    st.lists(st.floats(-1e3, 1e3) | st.just(np.nan), min_size=1, max_size=300),
    st.lists(st.floats(-1.0, 6.0) | st.just(np.nan), min_size=2, max_size=5),
)
def test_any_channel_gives_numbers_or_reasons(values, feet):
    feet = np.array(feet)
    found = pulse_morphology(np.array(values), feet[:-1], feet[1:], sampling_rate=60.0)
    pending: list[np.ndarray] = []
    for name in found._fields:
        if name.endswith("reason"):
            known = np.isfinite(pending).all(axis=0)
            assert (known == (getattr(found, name) == "")).all()
            pending = []
        else:
            pending.append(getattr(found, name))
