import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ConfigError
from capnet.signal.tachogram import heart_rate
from tests.signal import trains


def rates(events, **changes):
    asked = {"window": 10.0, "step": 10.0, "duration": 60.0} | changes
    return heart_rate(events, **asked)


@pytest.mark.parametrize("bpm", [40.0, 75.0, 180.0])
def test_of_a_regular_heart(bpm):
    found = rates(np.arange(0.0, 60.0, 60.0 / bpm))
    np.testing.assert_allclose(found.rate, bpm)
    assert found.start.tolist() == [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    assert (found.reason == "").all()


def test_is_the_mean_of_the_intervals_within():
    beats = trains.beating(60.0)
    found = rates(beats, window=13.0, step=1.7)
    for start, rate, n in zip(found.start, found.rate, found.n, strict=True):
        gaps = np.diff(beats[(beats >= start) & (beats < start + 13.0)])
        assert rate == pytest.approx(60.0 / np.mean(gaps))
        assert n == len(gaps)


def test_forgives_a_beat_but_not_half_of_them():
    beats = np.arange(0.3, 60.0, 0.8)
    lost = np.delete(beats, [5, 30, 50])
    np.testing.assert_allclose(rates(lost).rate, 75.0)
    rng = np.random.default_rng(0)
    few = beats[rng.random(len(beats)) > 0.5]
    assert np.isnan(rates(few).rate).sum() >= 3
    assert rates(np.array([1.0, 2.0])).reason.tolist() == ["too few beats"] * 6
    gone = np.where((beats > 20.0) & (beats < 30.0), np.nan, beats)
    assert rates(gone).reason.tolist() == ["", "", "too few beats", "", "", ""]


def test_errors_of_the_events_between_cancel():
    beats = np.arange(0.3, 600.0, 0.8)
    rng = np.random.default_rng(1)
    moved = np.sort(beats + 0.02 * rng.standard_normal(len(beats)))
    off = rates(moved, duration=600.0).rate - 75.0
    # only the first and the last of 12 or 13 beats count: sqrt(2) * 20 ms in 9.2 s
    assert np.sqrt(np.mean(off**2)) < 1.3 * 75.0 * np.sqrt(2.0) * 0.02 / 9.2
    # one wrong interval in the window is left out, however long
    late = rates(np.delete(moved, np.arange(7, 740, 25)), duration=600.0)
    assert np.nanmax(np.abs(late.rate - 75.0)) < 1.5


def test_feet_and_r_peaks_give_the_same():
    beats = trains.beating(60.0)
    late = rates(beats + 0.2)
    np.testing.assert_allclose(late.rate, rates(beats).rate, atol=1.0)


def test_windows_lie_within_the_record():
    assert len(rates(np.zeros(0), duration=9.9).start) == 0
    assert rates(np.zeros(0), duration=10.0).reason.tolist() == ["too few beats"]
    assert len(rates(np.zeros(0), duration=60.0, step=0.1).start) == 501


@pytest.mark.parametrize("name", ["window", "step", "duration"])
def test_refuses_lengths_that_are_none(name):
    for value in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ConfigError, match=name):
            rates(np.zeros(0), **{name: value})


TIMES = st.lists(st.floats(-5.0, 90.0), max_size=80).map(lambda x: np.array(sorted(x)))


@settings(max_examples=30, deadline=None)
@given(events=TIMES, step=st.floats(0.5, 30.0))
def test_every_window_has_a_rate_or_a_reason(events, step):
    found = rates(events.astype(np.float64), step=step)
    np.testing.assert_array_equal(found.reason == "", np.isfinite(found.rate))
    known = found.rate[found.reason == ""]
    assert ((known >= 30.0 - 1e-9) & (known <= 200.0 + 1e-9)).all()
