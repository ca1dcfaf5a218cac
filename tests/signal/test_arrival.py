from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.features.table import feature_table
from capnet.signal.arrival import GATE, pulse_of_each, usual_arrival
from capnet.signal.beats import beats_of
from capnet.signal.pulses import find_pulses
from tests.signal import trains

RATE = 125.0


def late_record(late, *, row=0, drop=()):
    """A virtual person's record whose monitor shows the PPG so much later, s."""
    record = trains.virtual()[row].record()
    name = record.find("ppg")
    light = record.signal(name)
    channels = dict(record.channels) | {name: replace(light, start=light.start + late)}
    kept = {k: v for k, v in channels.items() if k not in drop}
    return replace(record, channels=kept)


def arrival_of(peaks, delay, *, rise=0.06):
    return usual_arrival(peaks, peaks + delay, peaks + delay + rise, gate=GATE)


def test_a_possible_delay_leaves_the_gate_where_it_is():
    for delay in (0.1, 0.2, 0.3):
        assert arrival_of(trains.beating(60.0), delay) == (0.0, "")


@pytest.mark.parametrize("delay", [0.52, 0.7, 1.1])
def test_the_gate_follows_the_delay_of_a_monitor(delay):
    shift, verdict = arrival_of(trains.beating(60.0, sd=0.05), delay)
    assert shift == pytest.approx(delay + 0.06 - 0.25, abs=0.01)
    assert f"{1e3 * delay:+.0f} ms" in verdict


def test_a_late_but_possible_delay_moves_the_gate_and_stays_an_arrival_time():
    shift, verdict = arrival_of(trains.beating(60.0), 0.42)
    assert shift == pytest.approx(0.23, abs=0.01)
    assert verdict == ""


def test_a_delay_beyond_the_next_beat_is_no_arrival_time():
    peaks = trains.beating(60.0, period=0.47, sd=0.005)
    shift, verdict = arrival_of(peaks, 0.495)
    assert shift > 0.0
    assert "after the R peaks" in verdict


def test_no_usual_delay():
    peaks = trains.beating(120.0)
    other = trains.beating(120.0, seed=2, period=0.7)
    assert np.isnan(usual_arrival(peaks, other, other + 0.06, gate=GATE).shift)
    feet = np.where(peaks > 60.0, peaks + 0.5, peaks + 0.2)
    jump = usual_arrival(peaks, feet, feet + 0.06, gate=GATE)
    assert np.isnan(jump.shift)
    assert "jumps" in jump.verdict
    feet = peaks + 0.2 + 0.005 * peaks
    drift = usual_arrival(peaks, feet, feet + 0.06, gate=GATE)
    assert np.isnan(drift.shift)
    assert "drifts" in drift.verdict
    few = peaks[:9]
    assert usual_arrival(few, few + 0.7, few + 0.8, gate=GATE) == (0.0, "")


def test_the_only_pulse_before_the_next_beat_is_its_own():
    peaks = np.array([0.0, 1.0, 2.0, 3.0])
    rises = np.array([0.04, 0.5, 1.2, np.nan, 1.9, 4.9, 5.2])
    assert pulse_of_each(peaks, rises, after=0.05).tolist() == [1, -1, -1, 5]


def test_every_r_peak_gets_its_own_pulse_however_late():
    strip = trains.virtual()[0]
    wave, peaks = strip.channels["ppg"].values, strip.beats.r_peak
    usual = find_pulses(wave, sampling_rate=RATE, r_peaks=peaks).foot
    for late in (0.35, 0.6, 1.2):
        early = peaks - late
        found = find_pulses(wave, sampling_rate=RATE, r_peaks=early[early > 0.0])
        both = np.stack([usual[early > 0.0], found.foot])
        both = both[:, np.isfinite(both).all(axis=0)]
        assert both.shape[1] > 0.95 * (early > 0.0).sum()
        np.testing.assert_allclose(both[0], both[1], atol=1e-6)


@pytest.mark.parametrize("late", [0.35, 0.7, 1.2])
def test_a_monitor_that_shows_the_pulse_late_costs_no_beat(late):
    usual, found = beats_of(late_record(0.0)), beats_of(late_record(late))
    assert found.accepted.sum() >= usual.accepted.sum() - 3
    assert np.isfinite(usual.features["pat"][usual.accepted]).all()
    assert np.isnan(found.features["pat"]).all()
    assert np.isfinite(found.features["r_peak"]).all()
    foot = found.time[found.accepted] - late
    near = np.abs(foot[:, None] - usual.time).min(axis=1)
    assert np.quantile(near, 0.95) < 0.002


def test_no_beat_has_an_arrival_time_that_is_impossible():
    known = 0
    for late in (0.0, 0.1, 0.15, 0.2, 0.25, 0.3):
        found = beats_of(late_record(late, row=1))
        pat = found.features["pat"][found.accepted]
        known += int(np.isfinite(pat).sum())
        pat = pat[np.isfinite(pat)]
        assert ((pat >= 0.08) & (pat <= 0.5)).all()
        assert len(pat) == 0 or len(pat) > 0.9 * found.accepted.sum()
    assert known > 100


def test_the_table_says_why_there_is_no_arrival_time():
    table = feature_table(late_record(0.7))
    accepted = table[table["accepted"]]
    assert len(accepted) > 30
    assert accepted["pat"].isna().all()
    assert accepted["pat_reason"].str.contains("ms after the R peaks").all()


def test_a_clock_that_runs_off_leaves_the_pulses():
    record = late_record(0.0)
    name = record.find("ppg")
    light = record.signal(name)
    time = np.arange(len(light.values)) / RATE
    drifted = np.interp(time, 1.01 * time, light.values)
    channels = dict(record.channels) | {name: replace(light, values=drifted)}
    usual, found = beats_of(record), beats_of(replace(record, channels=channels))
    assert found.accepted.mean() > usual.accepted.mean() - 0.1
    assert np.isnan(found.features["pat"]).all()


def test_without_an_ecg_the_pressure_has_its_waves_too():
    ecg = late_record(0.0).find("ecg")
    found = beats_of(late_record(0.0, drop=(ecg,)))
    whole = np.isfinite(found.waves["abp"]).all(axis=1)
    assert whole[found.accepted].mean() > 0.95


TIMES = st.lists(st.floats(0.0, 90.0), max_size=60).map(
    lambda x: np.array(sorted(x), dtype=np.float64)
)


@settings(max_examples=30, deadline=None)
@given(events=TIMES, rises=TIMES)
def test_any_times_give_a_shift_or_a_reason(events, rises):
    shift, verdict = usual_arrival(events, rises - 0.05, rises, gate=GATE)
    assert np.isfinite(shift) or verdict
    row = pulse_of_each(events, rises, after=0.05)
    assert row.shape == events.shape
    own = row[row >= 0]
    assert len(np.unique(own)) == len(own)
