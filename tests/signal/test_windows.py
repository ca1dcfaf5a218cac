from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capnet.data import read_record
from capnet.errors import CapnetError, ConfigError, RecordError, UnitError
from capnet.records import Record, Signal
from capnet.signal import windows
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


def test_a_constant_delay_is_told_of_the_channel_and_spoils_no_window():
    whole = record(1)
    ppg = whole.channels["ppg"]
    late = replace(ppg, start=ppg.start + 0.45)
    before, after = judge_windows(whole), judge_windows(changed(whole, ppg=late))
    assert before.record_reason.tolist() == ["", "", ""]
    assert np.array_equal(before.timed, before.accepted)
    assert after.record_reason.tolist() == ["", "delayed", ""]
    assert after.accepted[1].sum() >= 5
    assert not after.timed[1].any()
    assert after.timed[2].any()
    assert (after.of("ppg") == "").sum() == after.accepted[1].sum()
    assert "the whole channel: delayed" in repr(after)


@pytest.mark.parametrize(("share", "word"), [(0.15, ""), (0.6, "clipped")])
def test_a_cut_r_peak_is_one_while_its_time_is_known(share, word):
    whole = record()
    ecg = whole.channels["ecg"]
    values = ecg.values.astype(np.float64)
    low, high = np.percentile(values, [50.0, 99.9])
    cut = replace(ecg, values=np.minimum(values, high - share * (high - low)))
    before = judge_windows(whole).of("ecg")
    after = judge_windows(changed(whole, ecg=cut)).of("ecg")
    assert (before == "").sum() >= 4
    assert set(after[before == ""]) == {word}


def test_ectopic_beats_of_another_shape_are_told_though_they_come_in_time():
    whole = record()
    ecg = whole.channels["ecg"]
    strip = virtual()[0]
    peaks = strip.beats.r_peak
    middle = peaks[(peaks > 27.0) & (peaks < 29.0)][0]
    near = np.abs(ecg.times - middle) < 0.3
    values = ecg.values.copy()
    wide = np.exp(-0.5 * ((ecg.times - middle) / 0.05) ** 2)
    values[near] = (-1.2 * np.ptp(values) * wide)[near].astype(values.dtype)
    verdicts = judge_windows(changed(whole, ecg=replace(ecg, values=values)))
    assert judge_windows(whole).of("ecg")[3] == ""
    assert verdicts.of("ecg")[3] == "ectopic"


BOUNDS = {
    # s: a few beats, and what a reader looks at
    "WINDOW": (4.0, 30.0),
    # s of 8: a beat at most; s still: a slow QRS and T leave 1 s between them
    "MISSING": (0.1, 1.0),
    "STILL": (0.3, 1.5),
    # classes of 64; a converter of 4 bits has 16
    "COARSE": (8, 32),
    # s: two samples at 125 Hz, and what a QRS complex lasts; a pulse's top
    "RAIL": (0.016, 0.15),
    # heights: 20 dB below a sine of a height, and 10 dB
    "HISS": (0.035, 0.12),
    "WANDER": (1.0, 3.0),
    # correlations
    "LIKENESS": (0.7, 0.95),
    "ODD": (0.5, 0.9),
    # a sine is 1, and as steep up as down
    "PURE": (0.9, 1.0),
    "STEEPNESS": (0.7, 1.0),
    # heights a second: a rise in a quarter of a second, and in a tenth
    "SHARP": (4.0, 10.0),
    # heights: the upstroke, and a second one as high
    "CLIMB": (1.0, 2.0),
    "QUICKEST": (0.3, 1.0),
    # of an interval: respiratory arrhythmia, and a premature beat
    "IRREGULAR": (0.15, 0.35),
    "FOLLOWED": (0.5, 1.0),
    # s: ten times a foot's error, and half an arrival time
    "SPREAD": (0.03, 0.12),
    # s a second: 9 s an hour
    "DRIFT": (1e-3, 5e-3),
    "LEAST_BEATS": (5, 30),
    "LEAST_WINDOWS": (2, 10),
    # Hz
    "LEAST_RATES": (20.0, 125.0),
}


def test_thresholds_lie_where_they_make_sense():
    named = {n for n in vars(windows) if n.isupper() and not n.startswith("_")}
    assert named - {"REASONS", "TYPE_CHECKING", "MEAN_RANGE"} == set(BOUNDS)
    for name, (low, high) in BOUNDS.items():
        value = getattr(windows, name)
        for number in value.values() if isinstance(value, Mapping) else [value]:
            assert low <= number <= high, name


def test_a_channel_is_one_thing():
    whole = record()
    with pytest.raises(ConfigError, match="channel 'abp' is named as two of"):
        judge_windows(whole, ppg="abp", abp="abp")
    with pytest.raises(RecordError, match="nirs"):
        judge_windows(whole, ppg="nirs")
    # what is named as one thing is not found as another
    assert judge_windows(whole, ppg="abp").channels == ("ecg", "abp")


@pytest.mark.data
def test_a_real_recording(shared_data):
    verdicts = judge_windows(read_record(shared_data / "wfdb_sample/mixedsignals"))
    assert verdicts.channels == ("II", "Pleth", "ABP")
    assert (verdicts.record_reason == "").all()
    # it begins with a gap
    assert verdicts.reason[:, 0].tolist() == ["missing", "flat", "missing"]
    # told by eye: windows with ventricular beats, and without
    odd = np.array([1, 3, 4, 8, 10, 15, 17, 18, 19, 21, 22, 23])
    sound = np.array([5, 6, 7, 9, 12, 13, 14, 16, 20, 24, 25, 26, 27])
    assert set(verdicts.of("II")[odd]) == {"ectopic"}
    assert verdicts.accepted[:, sound].all()


@pytest.mark.data
def test_cut_r_peaks_and_a_late_monitor(shared_data):
    table = np.genfromtxt(
        shared_data / "bidmc_sample/bidmc_01_Signals.csv",
        delimiter=",",
        skip_header=1,
    )
    channels = {
        "PLETH": Signal(table[:, 2], 125.0, "NU"),
        "II": Signal(table[:, 5], 125.0, "mV"),
    }
    verdicts = judge_windows(Record("bidmc_01", channels))
    assert verdicts.record_reason.tolist() == ["", "delayed"]
    assert (verdicts.accepted.mean(axis=1) >= 0.9).all()
    assert verdicts.of("II")[5] == verdicts.of("PLETH")[5] == "ectopic"
