import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.signal.synchrony import judge_synchrony
from tests.signal import trains

DURATION = 300.0


def pair(seed=0, *, sd=0.03, noise=0.005, missed=0.05):
    """R peaks and the feet that follow them by 0.2 s, some missed, some invented."""
    rng = np.random.default_rng(seed)
    peaks = trains.beating(DURATION - 2.0, seed=seed, sd=sd)
    feet = peaks + 0.2 + noise * rng.standard_normal(len(peaks))
    kept = feet[rng.random(len(feet)) > missed]
    return peaks, np.sort(np.concatenate([kept, rng.uniform(0.0, 290.0, 5)]))


def test_a_steady_delay_is_fine():
    for seed in range(10):
        found = judge_synchrony(*pair(seed), duration=DURATION)
        assert found.verdict == ""
        assert abs(found.offset - 0.2) < 0.003
        assert 0.003 < found.spread < 0.008
        assert abs(found.drift) < 0.1
        assert len(found.jumps) == len(found.sizes) == 0


@pytest.mark.parametrize("size", [-0.1, 0.1, 0.2, 0.35])
def test_tells_when_and_by_how_much_the_delay_jumps(size):
    for seed in range(5):
        peaks, feet = pair(seed)
        feet = np.sort(np.where(feet > 130.0, feet + size, feet))
        found = judge_synchrony(peaks, feet, duration=DURATION)
        assert "jumps" in found.verdict
        np.testing.assert_allclose(found.jumps, [130.0], atol=3.0)
        np.testing.assert_allclose(found.sizes, [size], atol=0.01)


@pytest.mark.parametrize("rate", [-6.0, 2.0, 4.0])
def test_tells_how_fast_it_drifts(rate):
    peaks, feet = pair()
    drifted = feet + rate * (feet - 150.0) / 3600.0
    found = judge_synchrony(peaks, drifted, duration=DURATION)
    assert "drifts" in found.verdict
    assert found.drift == pytest.approx(rate, abs=0.2)


@pytest.mark.parametrize("rate", [-0.01, -0.005, 0.005, 0.015])
def test_a_drift_within_a_minute_is_told(rate):
    for seed in range(5):
        peaks, feet = (times[times < 62.0] for times in pair(seed))
        drifted = np.sort(feet + rate * feet)
        found = judge_synchrony(peaks, drifted[drifted > 0.0], duration=64.0)
        assert "drifts" in found.verdict
        assert found.drift == pytest.approx(3600.0 * rate, abs=4.0)
        still = judge_synchrony(peaks, feet, duration=64.0)
        assert still.verdict == ""


def test_arrival_times_of_virtual_people_are_no_fault():
    for strip in trains.virtual():
        beats = strip.beats
        feet = beats.foot[beats.row("ppg")]
        assert judge_synchrony(beats.r_peak, feet, duration=60.0).verdict == ""


def test_an_impossible_delay_is_told_unless_the_heart_beats_too_evenly():
    peaks, feet = pair(missed=0.0)
    late = judge_synchrony(peaks, feet + 0.45, duration=DURATION)
    assert "+650 ms" in late.verdict
    assert "-50 ms" in judge_synchrony(peaks, feet - 0.25, duration=DURATION).verdict
    even, follow = pair(sd=0.0, missed=0.0)
    assert judge_synchrony(even, follow + 0.85, duration=DURATION).verdict == ""


def test_events_that_have_nothing_to_do_with_each_other():
    peaks, _ = pair(1)
    feet = trains.beating(DURATION, seed=2, period=0.7)
    found = judge_synchrony(peaks, feet, duration=DURATION)
    assert found.verdict == "pulses do not follow the R peaks"
    assert np.isnan(found.offset)


def test_a_burst_of_wrong_pulses_is_no_jump():
    peaks, feet = pair()
    burst = (feet > 100.0) & (feet < 112.0)
    feet = np.sort(np.where(burst, feet + 0.25, feet))
    assert judge_synchrony(peaks, feet, duration=DURATION).verdict == ""


def test_too_few():
    found = judge_synchrony(np.arange(9.0), np.arange(9.0) + 0.2, duration=9.0)
    assert found.verdict == "fewer than 10 R peaks or pulses"
    assert (
        judge_synchrony(np.zeros(0), np.zeros(0), duration=9.0).verdict == found.verdict
    )


def test_gaps_between_stretches_of_beats():
    peaks, feet = pair()
    later = 7200.0 + np.concatenate([[0.0], peaks])[1:]
    both = np.concatenate([peaks, later]), np.concatenate([feet, feet + 7200.0])
    assert judge_synchrony(*both, duration=7600.0).verdict == ""


def test_refuses_times_that_are_none():
    peaks, feet = pair()
    with pytest.raises(ShapeError, match="ascending"):
        judge_synchrony(peaks[::-1], feet, duration=DURATION)
    with pytest.raises(ShapeError, match="within the record"):
        judge_synchrony(peaks, feet + 3600.0, duration=DURATION)
    with pytest.raises(ShapeError, match="positive"):
        judge_synchrony(peaks, feet, duration=np.nan)


TIMES = st.lists(st.floats(0.0, 100.0), max_size=60).map(lambda x: np.sort(np.array(x)))


@settings(max_examples=30, deadline=None)
@given(peaks=TIMES, feet=TIMES)
def test_any_times_give_a_verdict(peaks, feet):
    found = judge_synchrony(peaks, feet, duration=100.0)
    assert isinstance(found.verdict, str)
    assert len(found.jumps) == len(found.sizes)
    assert found.verdict or np.isfinite(found.offset)
