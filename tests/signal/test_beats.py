from dataclasses import replace

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.errors import RecordError, UnitError
from capnet.records import Beats, Cuff, Record, Signal
from capnet.signal.beats import beats_in, beats_of
from capnet.signal.frontend import RATE, beats_of_windows
from capnet.signal.line import abp_verdict, cuffs_from_abp
from capnet.signal.rpeaks import r_peaks
from tests.fakes.make_record import make_record


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return read_record(make_record(tmp_path_factory.mktemp("record"), seconds=40.0))


@pytest.fixture(scope="module")
def beats(record):
    return beats_of(record)


def changed(record, name, **values):
    channels = dict(record.channels)
    channels[name] = replace(channels[name], **values)
    return replace(record, channels=channels)


def test_every_pair_of_heart_beats_is_a_row(record, beats):
    lead = record.signal("ecg")
    found = r_peaks(lead.values, sampling_rate=lead.sampling_rate)
    assert len(beats) == len(found) - 1
    assert beats.beat.tolist() == list(range(len(beats)))
    np.testing.assert_allclose(beats.features["r_peak"], found[:-1], atol=1e-6)
    np.testing.assert_allclose(beats.features["rr"], np.diff(found), atol=1e-6)
    assert beats.accepted.mean() >= 0.95


def test_numbers_are_those_of_the_made_person(beats):
    good = beats.usable()
    assert np.median(good.hr) == pytest.approx(70.0, abs=2.0)
    assert 0.19 < good.features["pat"].mean() < 0.25
    assert good.features["pat"].std() < 0.005
    np.testing.assert_allclose(
        good.time, good.features["r_peak"] + good.features["pat"], atol=1e-6
    )
    pressure = good.waves["abp"]
    assert np.median(pressure.max(axis=1)) == pytest.approx(120.0, abs=3.0)
    assert np.median(pressure.min(axis=1)) == pytest.approx(75.0, abs=3.0)


def test_raw_windows_give_the_same_beats_again(beats):
    good = beats.usable()
    assert np.isfinite(good.raw).all()
    again = beats_of_windows(good.raw, good.start, good.stop)
    np.testing.assert_allclose(again, good.ppg, atol=1e-4)
    np.testing.assert_allclose((good.stop - good.start) / RATE, good.duration)


def test_the_clock_of_the_record_does_not_matter(record, beats):
    late = {
        name: replace(signal, start=signal.start + 7.3)
        for name, signal in record.channels.items()
    }
    moved = beats_of(replace(record, channels=late))
    np.testing.assert_allclose(moved.time, beats.time + 7.3, atol=1e-6)
    np.testing.assert_allclose(moved.ppg, beats.ppg, atol=1e-4)
    np.testing.assert_allclose(moved.features["pat"], beats.features["pat"], atol=1e-6)


def test_a_late_channel_is_aligned(record, beats):
    delayed = beats_of(changed(record, "PLETH", start=0.05))
    shift = delayed.features["pat"][1:-1] - beats.features["pat"][1:-1]
    np.testing.assert_allclose(shift, 0.05, atol=1e-3)


def test_a_gap_changes_nothing_beyond_its_neighbours(record, beats):
    values = record.signal("ppg").values.copy()
    values[5000:5060] = np.nan
    torn = beats_of(changed(record, "PLETH", values=values))
    far = np.abs(beats.time - 20.1) > 2.0
    assert len(torn) == len(beats)
    assert (torn.reason[~far] == "samples missing").sum() in (1, 2, 3)
    assert (torn.accepted[far] == beats.accepted[far]).all()
    np.testing.assert_allclose(torn.ppg[far], beats.ppg[far], atol=1e-6)


def test_without_an_ecg_the_pulse_finds_itself(record, beats):
    alone = replace(record, channels={"PLETH": record.signal("ppg")})
    found = beats_of(alone)
    assert found.accepted.mean() > 0.9
    assert np.isnan(found.features["pat"]).all()
    assert np.isnan(found.features["r_peak"]).all()
    inner = found.time[found.accepted]
    nearest = np.abs(inner[:, None] - beats.time).min(axis=1)
    assert nearest.max() < 2e-3


def test_latest_cuff_at_or_before_the_beat(record):
    cuffs = [Cuff(20.0, 130.0, 80.0, "radial"), Cuff(10.0, 120.0, 70.0, None)]
    found = beats_of(record.with_cuffs(cuffs, "cuff SBP/DBP"))
    before, middle = found.time < 10.0, (found.time >= 10.0) & (found.time < 20.0)
    assert np.isnan(found.cuff[before]).all()
    assert (found.cuff[middle] == [120.0, 70.0]).all()
    assert (found.cuff[found.time >= 20.0] == [130.0, 80.0]).all()
    assert set(found.cuff_site[middle]) == {"brachial"}
    assert set(found.cuff_site[found.time >= 20.0]) == {"radial"}
    assert found.calibration == "cuff SBP/DBP"


def test_unknown_age_is_nan_and_a_known_one_is_kept(record, beats):
    assert np.isnan(beats.age).all()
    assert (beats_of(replace(record, age=61.0)).age == 61.0).all()


def test_an_unusable_pressure_is_left_out_and_says_why(record):
    values = record.signal("abp").values
    low = changed(record, "ABP", values=values - 70.0)
    assert "abp" not in beats_of(low).waves
    assert "mean pressure" in abp_verdict(low)
    volts = changed(record, "ABP", unit="mV")
    assert "no unit of pressure" in abp_verdict(volts)
    assert "abp" not in beats_of(volts).waves
    assert abp_verdict(record) == ""
    alone = Record("x", {"PLETH": record.signal("ppg")})
    assert abp_verdict(alone) == "no arterial pressure channel"


def test_pressure_units_are_converted(record, beats):
    signal = record.signal("abp")
    kilo = changed(record, "ABP", values=signal.values * 0.133322387, unit="kPa")
    np.testing.assert_allclose(
        beats_of(kilo).waves["abp"], beats.waves["abp"], atol=1e-3
    )


def test_the_arterial_line_as_a_cuff(record, beats):
    cuffs = cuffs_from_abp(record, every=10.0)
    np.testing.assert_allclose(np.diff([cuff.time for cuff in cuffs]), 10.0)
    assert len(cuffs) in (3, 4)
    first = beats.usable()
    within = (first.time >= cuffs[0].time - 10.2) & (first.time < cuffs[0].time - 0.2)
    expected = np.nanmedian(first.waves["abp"][within].max(axis=1))
    assert cuffs[0].sbp == pytest.approx(expected, abs=1.5)
    assert all(cuff.site is None for cuff in cuffs)


def test_a_refused_line_is_no_cuff(record):
    values = record.signal("abp").values
    with pytest.raises(RecordError, match="mean pressure is"):
        cuffs_from_abp(changed(record, "ABP", values=values - 70.0), every=60.0)
    with pytest.raises(RecordError, match="wanted at least 10 s"):
        cuffs_from_abp(record, every=1.0)


def test_what_is_missing_is_named(record):
    with pytest.raises(RecordError, match="no channel 'ppg'"):
        beats_of(Record("x", {"II": record.signal("ecg")}))
    with pytest.raises(RecordError, match="no channel 'V9'"):
        beats_of(record, ecg="V9")
    nothing = Signal(np.full(5000, np.nan), RATE, "NU")
    with pytest.raises(RecordError, match="holds no valid sample"):
        beats_of(Record("x", {"PLETH": nothing}))
    flat = Signal(np.ones(5000), RATE, "NU")
    with pytest.raises(RecordError, match="0 heart beats found in the pulse wave"):
        beats_of(Record("x", {"PLETH": flat}))


def slower(record, name, rate):
    """Keep every so manieth sample of a channel."""
    signal = record.signal(name)
    step = round(signal.sampling_rate / rate)
    return changed(record, name, values=signal.values[::step], sampling_rate=rate)


@pytest.mark.parametrize("with_ecg", [True, False])
@pytest.mark.parametrize("rate", [5.0, 10.0, 250.0 / 11])
def test_a_pulse_wave_of_too_few_samples_is_refused(record, rate, with_ecg):
    slow = slower(record, "PLETH", rate)
    if not with_ecg:
        slow = replace(slow, channels={"PLETH": slow.channels["PLETH"]})
    words = rf"PPG 'PLETH' is sampled at {rate:g} Hz; wanted at least 25 Hz"
    with pytest.raises(UnitError, match=words):
        beats_of(slow)
    with pytest.raises(UnitError, match=words):
        beats_of(slow, ppg="PLETH")


def test_a_pulse_wave_of_just_enough_samples_is_read(record, beats):
    found = beats_of(slower(record, "PLETH", 25.0))
    assert len(found) == len(beats)
    assert found.accepted.mean() > 0.9


@pytest.mark.parametrize("rate", [0.1, 5.0])
def test_a_pressure_of_too_few_samples_is_left_out_and_says_why(record, rate):
    slow = slower(record, "ABP", rate)
    words = f"the pressure is sampled at {rate:g} Hz, wanted at least 25 Hz"
    assert abp_verdict(slow) == words
    assert "abp" not in beats_of(slow).waves
    with pytest.raises(RecordError, match=words):
        cuffs_from_abp(slow, every=10.0)
    assert abp_verdict(slower(record, "ABP", 25.0)) == ""


def parts_of(record, seconds):
    """Hand a record over as a monitor does: a little at a time."""
    longest = max(signal.duration for signal in record.channels.values())
    for low in np.arange(0.0, longest, seconds):
        channels = {}
        for name, signal in record.channels.items():
            rate = signal.sampling_rate
            cut = slice(round(low * rate), round((low + seconds) * rate))
            start = signal.start + cut.start / rate
            channels[name] = replace(signal, values=signal.values[cut], start=start)
        yield replace(record, channels=channels)


@pytest.fixture
def short_pieces(monkeypatch):
    """Pieces of 10 s: a short record is handled as a long one."""
    monkeypatch.setattr("capnet.signal.pieces.LENGTH", 10.0)
    monkeypatch.setattr("capnet.signal.pieces.MARGIN", 4.0)


@pytest.mark.parametrize("seconds", [0.5, 7.0, 33.0, 100.0])
def test_streamed_beats_are_those_of_the_whole(record, short_pieces, seconds):
    whole = beats_of(record)
    tables = list(beats_in(parts_of(record, seconds)))
    assert len(tables) == 4
    streamed = Beats.concatenate(tables)
    assert streamed.beat.tolist() == whole.beat.tolist()
    for name in ("time", "duration", "ppg", "raw", "accepted", "reason"):
        np.testing.assert_array_equal(getattr(streamed, name), getattr(whole, name))
    for name, values in whole.features.items():
        np.testing.assert_array_equal(streamed.features[name], values)
    np.testing.assert_array_equal(streamed.waves["abp"], whole.waves["abp"])


def test_pieces_have_no_seams(record, beats, short_pieces):
    pieced = beats_of(record)
    assert len(pieced) == len(beats)
    np.testing.assert_allclose(pieced.time, beats.time, atol=1e-6)
    np.testing.assert_allclose(pieced.ppg, beats.ppg, atol=1e-5)
    np.testing.assert_allclose(pieced.features["rr"], beats.features["rr"], atol=1e-6)


def test_a_lead_that_falls_off_leaves_the_pulses(record, beats, short_pieces):
    values = record.signal("ecg").values.copy()
    values[:] = np.where(np.arange(len(values)) < 20 * 250, values, np.nan)
    found = beats_of(changed(record, "II", values=values))
    early = found.time < 19.0
    assert np.isfinite(found.features["pat"][early]).all()
    late = found.time > 30.0
    assert late.sum() >= (beats.time > 30.0).sum() - 1
    assert np.isnan(found.features["pat"][late]).all()
    assert found.accepted[late].mean() > 0.8


def test_an_ecg_that_is_never_readable_is_an_error(record):
    flat = np.zeros(len(record.signal("ecg").values))
    with pytest.raises(RecordError, match=f"{record.subject}.*the ECG is flat"):
        beats_of(changed(record, "II", values=flat))


@pytest.mark.data
def test_a_real_person(shared_data):
    record = read_record(shared_data / "wfdb_sample" / "mixedsignals")
    beats = beats_of(record)
    assert beats.accepted.mean() >= 0.80
    good = beats.usable()
    assert 0.3 < good.features["pat"].mean() < 0.4
    assert good.features["pat"].std() < 0.02
    wave = good.waves["abp"]
    wave = wave[np.isfinite(wave).all(axis=1)]
    assert len(wave) > 0.9 * len(good)
    assert 70.0 < wave.min() < wave.max() < 175.0


@pytest.mark.data
def test_a_pulse_wave_that_wraps_around_is_refused(shared_data):
    beats = beats_of(read_record(shared_data / "wfdb_sample" / "v102s"))
    assert beats.accepted.mean() < 0.05


def test_channels_that_are_not_what_they_say_give_no_beat(record):
    """Beats of a line called PPG look as good as any; so do those of a wrong clock."""
    swapped = dict(record.channels)
    ppg, line = swapped["PLETH"], swapped["ABP"]
    swapped["PLETH"] = replace(line, unit=ppg.unit)
    swapped["ABP"] = replace(ppg, unit=line.unit)
    found = beats_of(replace(record, channels=swapped))
    assert not found.accepted.any()
    assert "swapped" in found.reason
    fast = {
        name: replace(signal, sampling_rate=2.0 * signal.sampling_rate)
        for name, signal in record.channels.items()
    }
    found = beats_of(replace(record, channels=fast))
    assert not found.accepted.any()


def test_a_record_shorter_than_a_window_of_the_gate_has_beats(record, beats):
    short = {
        name: replace(signal, values=signal.values[: round(6 * signal.sampling_rate)])
        for name, signal in record.channels.items()
    }
    found = beats_of(replace(record, channels=short))
    inner = found.time < 4.0
    assert found.accepted[inner].sum() >= 2
    np.testing.assert_allclose(found.time[inner], beats.time[: inner.sum()], atol=2e-3)
