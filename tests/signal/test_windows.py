from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capnet.data import read_record
from capnet.errors import CapnetError, ConfigError, RecordError, UnitError
from capnet.records import Record, Signal
from capnet.signal.corruptions import (
    CORRUPTIONS,
    SEVERE,
    corrupt,
    draw_corruption,
)
from capnet.signal.windows import REASONS, judge_windows
from tests.signal.adversarial import arrays
from tests.signal.trains import virtual

KINDS = ("ecg", "ppg", "abp")


def record(row=0):
    return virtual()[row].record()


def changed(whole, **signals):
    return replace(whole, channels=dict(whole.channels) | signals)


@pytest.mark.parametrize("row", range(3))
def test_windows_without_a_fault_are_accepted(row):
    strip = virtual()[row]
    verdicts = judge_windows(strip.record())
    assert len(verdicts) == 7
    assert verdicts.channels == KINDS
    odd = strip.beats.r_peak[strip.beats.ectopic][:, None]
    away = ~((odd > verdicts.start - 2.0) & (odd < verdicts.start + 9.0)).any(axis=0)
    assert away.sum() >= 4
    assert verdicts.accepted[:, away].all()


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_each_severe_fault_is_refused_with_a_reason_that_fits(name):
    whole = record(1)
    for severity in (SEVERE, SEVERE + 1):
        for seed in range(3):
            case = corrupt(whole, draw_corruption(name, severity, seed=seed))
            verdicts = judge_windows(case.record)
            hit = (verdicts.start >= case.start) & (
                verdicts.start + verdicts.window <= case.stop
            )
            for channel in case.channels:
                found = verdicts.of(channel)[hit]
                if CORRUPTIONS[name].scope == "record":
                    row = verdicts.channels.index(channel)
                    found = verdicts.record_reason[[row]]
                assert found[0] in case.reasons, (severity, seed, channel)


@settings(max_examples=8, deadline=None)
@given(gain=st.floats(1e-3, 1e3), offset=st.floats(-1e3, 1e3))
def test_gain_and_offset_of_ecg_and_ppg_do_not_matter(gain, offset):
    case = corrupt(record(), draw_corruption("noise", 4, seed=1)).record
    moved = {
        kind: replace(
            case.channels[kind], values=gain * (case.channels[kind].values + offset)
        )
        for kind in ("ecg", "ppg")
    }
    before, after = judge_windows(case), judge_windows(changed(case, **moved))
    assert np.array_equal(before.reason, after.reason)
    assert np.array_equal(before.record_reason, after.record_reason)


@settings(max_examples=6, deadline=None)
@given(start=st.floats(-1e5, 1e5))
def test_when_a_record_starts_does_not_matter(start):
    case = corrupt(record(), draw_corruption("motion", 5, seed=1)).record
    late = {k: replace(s, start=s.start + start) for k, s in case.channels.items()}
    before, after = judge_windows(case), judge_windows(replace(case, channels=late))
    assert np.array_equal(before.reason, after.reason)
    assert after.start == pytest.approx(before.start + start)


@pytest.mark.parametrize("name", ["gap", "motion", "ectopic", "jump"])
def test_a_windows_verdict_is_that_of_its_piece(name):
    case = corrupt(record(2), draw_corruption(name, 5, seed=6)).record
    whole = judge_windows(case)
    for first in range(len(whole)):
        part = {
            k: replace(
                s,
                values=s.values[
                    round(8.0 * first * s.sampling_rate) : round(
                        8.0 * (first + 1) * s.sampling_rate
                    )
                ],
                start=8.0 * first,
            )
            for k, s in case.channels.items()
        }
        alone = judge_windows(replace(case, channels=part))
        assert alone.start.tolist() == [8.0 * first]
        assert np.array_equal(alone.reason[:, 0], whole.reason[:, first])


def test_blocks_of_windows_cannot_be_seen():
    strip = record(0)
    times = 25
    long = {
        k: replace(s, values=np.tile(s.values[: round(56.0 * s.sampling_rate)], times))
        for k, s in strip.channels.items()
    }
    verdicts = judge_windows(replace(strip, channels=long))
    once = judge_windows(strip).reason[:, :7]
    assert len(verdicts) == 7 * times
    assert np.array_equal(verdicts.reason, np.tile(once, times))


def test_windows_may_overlap():
    verdicts = judge_windows(record(), step=2.0)
    every = judge_windows(record())
    assert len(verdicts) == 27
    assert np.array_equal(verdicts.reason[:, ::4], every.reason)


def test_channels_that_are_absent_or_start_late_are_missing_there():
    whole = record()
    ppg = whole.channels["ppg"]
    late = replace(
        ppg, start=20.0, values=ppg.values[round(20.0 * ppg.sampling_rate) :]
    )
    verdicts = judge_windows(changed(whole, ppg=late))
    assert verdicts.of("ppg")[:3].tolist() == ["missing"] * 3
    assert (verdicts.of("ppg")[3:] != "missing").all()
    alone = judge_windows(Record("x", {"Pleth": ppg}))
    assert alone.channels == ("Pleth",)


def test_what_is_shown():
    case = corrupt(record(), draw_corruption("flat", 5, seed=3))
    verdicts = judge_windows(case.record)
    (name,) = case.channels
    assert f"{name:<12}" in repr(verdicts)
    assert "flat 1" in repr(verdicts)
    frame = verdicts.to_frame()
    assert list(frame) == ["start", "stop", *KINDS]
    assert frame[name].tolist() == verdicts.of(name).tolist()
    with pytest.raises(ConfigError, match="no channel 'resp'; judged were ecg"):
        verdicts.of("resp")
    unit = judge_windows(
        corrupt(record(), draw_corruption("wrong unit", 5, seed=3)).record
    )
    assert "the whole channel: implausible pressure" in repr(unit)
    assert not unit.accepted[2].any()


def test_what_cannot_be_judged_is_refused():
    with pytest.raises(RecordError, match="no ECG, PPG or arterial pressure; it"):
        judge_windows(Record("r", {"x": Signal(np.zeros(9999), 125.0, "NU")}))
    with pytest.raises(RecordError, match="lasts 7 s; wanted at least a window of 8"):
        judge_windows(Record("r", {"ppg": Signal(np.zeros(875), 125.0, "NU")}))
    with pytest.raises(UnitError, match="sampled at 5"):
        judge_windows(Record("r", {"ppg": Signal(np.zeros(875), 5.0, "NU")}))
    with pytest.raises(UnitError, match="unit 'mV'; wanted a pressure"):
        judge_windows(Record("r", {"abp": Signal(np.zeros(9999), 125.0, "mV")}))
    for window, step in [(3.0, 8.0), (np.nan, 8.0), (8.0, 0.0), (8.0, np.inf)]:
        with pytest.raises(ConfigError, match="wanted at least 4 s"):
            judge_windows(record(), window=window, step=step)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)
@given(
    values=arrays(),
    kind=st.sampled_from(KINDS),
    repeat=st.integers(1, 12),
)
def test_any_array_gets_a_reason_or_a_clear_error(values, kind, repeat):
    # what is no array of real numbers is stopped at the door of `Signal`
    long = np.tile(np.asarray(values, dtype=np.float64), repeat)
    try:
        signal = Signal(long, 125.0, "mmHg")
        verdicts = judge_windows(Record("r", {kind: signal}))
    except CapnetError:
        return
    assert np.isin(verdicts.reason, ("", *REASONS)).all()
    assert np.isin(verdicts.record_reason, ("", *REASONS)).all()
    # without beats nothing is believed
    known = long[np.isfinite(long)]
    if known.size == 0 or np.ptp(known) == 0:
        assert not verdicts.accepted.any()


@pytest.mark.data
def test_a_real_recording(shared_data):
    verdicts = judge_windows(read_record(shared_data / "wfdb_sample/mixedsignals"))
    assert verdicts.channels == ("II", "Pleth", "ABP")
    assert (verdicts.record_reason == "").all()
    # it begins with a gap; some of its beats are ectopic
    assert verdicts.reason[:, 0].tolist() == ["missing", "flat", "missing"]
    assert (verdicts.accepted.mean(axis=1) > 0.6).all()
