"""What the gate of windows says stands beside each beat that is cut from a record."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.records import Record, Signal
from capnet.signal.beats import beats_of
from capnet.signal.windows import judge_windows
from tests.fakes.make_record import RATE, channels

SECONDS = 64.0


@pytest.fixture(scope="module")
def record():
    made = channels(SECONDS, 70.0, np.random.default_rng(0))
    unit = {"II": "mV", "PLETH": "NU"}
    signals = {name: Signal(made[name], RATE, unit[name]) for name in unit}
    return Record(subject="made-up", channels=signals, age=50.0)


def noisy(record, name, start, stop):
    """The same record with noise in one channel for a while."""
    signal = record.channels[name]
    values = np.array(signal.values, dtype=float)
    rows = (signal.times >= start) & (signal.times < stop)
    height = np.ptp(values)
    rng = np.random.default_rng(1)
    values[rows] += 0.5 * height * rng.normal(size=rows.sum())
    changed = replace(signal, values=values)
    return replace(record, channels={**record.channels, name: changed})


def test_sound_windows_are_believed(record):
    assert judge_windows(record).accepted.all()
    assert (beats_of(record).features["window"] == 1.0).all()


@pytest.mark.parametrize("name", ["PLETH", "II"])
def test_beats_in_a_window_that_is_not_believed_are_told(record, name):
    spoilt = noisy(record, name, 16.0, 24.0)
    verdicts = judge_windows(spoilt)
    row = verdicts.channels.index(name)
    assert not verdicts.accepted[row, 2]
    beats = beats_of(spoilt)
    inside = (beats.time > 16.0) & (beats.time < 24.0)
    away = (beats.time < 14.0) | (beats.time > 26.0)
    assert (beats.features["window"][inside] == 0.0).all()
    assert (beats.features["window"][away] == 1.0).all()


def test_a_beat_that_reaches_into_such_a_window_is_told(record):
    beats = beats_of(noisy(record, "PLETH", 16.0, 24.0))
    across = (beats.time < 16.0) & (beats.time + beats.features["rr"] >= 16.0)
    assert across.any()
    assert (beats.features["window"][across] == 0.0).all()


def test_what_is_shorter_than_a_window_is_unknown(record):
    short = {
        name: replace(signal, values=signal.values[: round(6.0 * RATE)])
        for name, signal in record.channels.items()
    }
    beats = beats_of(replace(record, channels=short))
    assert len(beats) > 2
    assert np.isnan(beats.features["window"]).all()
