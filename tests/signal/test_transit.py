import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.signal.pulses import find_pulses
from capnet.signal.transit import checked_times, pulse_arrival, pulse_transit
from tests.signal import trains


def test_one_row_an_r_peak():
    peaks = np.array([0.0, 1.0, 2.0, np.nan, 4.0, 5.0])
    feet = np.array([0.2, np.nan, 2.15, 2.4, 4.6, 5.25])
    found = pulse_arrival(peaks, feet)
    np.testing.assert_allclose(found.seconds, [0.2, *[np.nan] * 4, 0.25])
    expected = ["", "no pulse", "ambiguous", "no R peak", "no pulse", ""]
    assert found.reason.tolist() == expected


def test_a_foot_belongs_to_one_beat_only():
    peaks = 0.3 * np.arange(20)
    found = pulse_arrival(peaks, peaks + 0.25)
    np.testing.assert_allclose(found.seconds, 0.25)


def test_transit_of_each_near_foot():
    near = np.array([0.0, 1.0, np.nan, 3.0])
    far = np.array([0.05, 0.99, 3.5])
    found = pulse_transit(near, far)
    np.testing.assert_allclose(found.seconds, [0.05, -0.01, np.nan, np.nan])
    assert found.reason.tolist() == ["", "", "no near pulse", "no pulse"]


def test_arrival_is_what_lies_between_true_events():
    for strip in trains.virtual():
        beats = strip.beats
        true = beats.foot[beats.row("ppg")] - beats.r_peak
        pulses = find_pulses(strip.channels["ppg"].values, sampling_rate=125.0)
        found = pulse_arrival(beats.r_peak, pulses.foot)
        known = np.isfinite(found.seconds) & np.isfinite(true)
        assert known.mean() > 0.9
        assert np.median(np.abs(found.seconds - true)[known]) < 2e-3


def test_shifting_both_changes_nothing():
    peaks = trains.beating(60.0)
    feet = peaks[::2] + 0.21
    found, other = pulse_arrival(peaks, feet), pulse_arrival(peaks + 1e4, feet + 1e4)
    np.testing.assert_allclose(found.seconds, other.seconds, atol=1e-9)
    np.testing.assert_array_equal(found.reason, other.reason)


@pytest.mark.parametrize(
    ("times", "found"),
    [
        (np.array([1.0, np.inf]), "inf at row 1"),
        (np.array([2.0, np.nan, 1.0]), "row 2 is 1 s"),
        (np.zeros((2, 2)), "shape"),
        (np.array(["a"]), "type"),
    ],
)
def test_refuses_what_is_no_time(times, found):
    with pytest.raises(ShapeError, match=found):
        pulse_arrival(times, np.zeros(0))


def test_nan_is_no_time_unless_it_may_be_missing():
    with pytest.raises(ShapeError, match="nan at row 0"):
        checked_times(np.array([np.nan]), where="the events")
    assert checked_times(np.array([3, 4]), where="the events").dtype == np.float64


TIMES = st.lists(st.one_of(st.floats(-10.0, 100.0), st.just(np.nan)), max_size=60).map(
    lambda x: np.array(sorted(x, key=lambda t: (np.isnan(t), t)), dtype=np.float64)
)


@settings(max_examples=30, deadline=None)
@given(first=TIMES, second=TIMES)
def test_every_row_has_a_time_or_a_reason(first, second):
    for found in (pulse_arrival(first, second), pulse_transit(first, second)):
        assert len(found.seconds) == len(found.reason) == len(first)
        np.testing.assert_array_equal(found.reason == "", np.isfinite(found.seconds))
        assert (np.nan_to_num(found.seconds) <= 0.5 + 1e-9).all()
