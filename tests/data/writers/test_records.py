"""Records on disk: read again as they were, whole or not at all."""

import dataclasses
import errno
import os
from pathlib import Path

import numpy as np
import pytest
import wfdb

from capnet.data.readers import read_record
from capnet.data.readers.wfdb_annotations import LABELS
from capnet.data.writers import together
from capnet.data.writers.records import GAINS, RecordWriter, write_record
from capnet.errors import RecordError, StorageError, UnitError
from capnet.records import Annotations, Record, Signal

RATES = {
    "one rate": {"ecg": 250.0, "ppg": 250.0, "abp": 250.0},
    "multiples": {"ecg": 500.0, "ppg": 125.0, "abp": 250.0},
    "no multiples": {"ecg": 360.0, "ppg": 128.0, "abp": 200.0},
    "a fraction": {"ecg": 250.0, "ppg": 62.5, "abp": 125.0},
    "an odd one": {"ppg": 62.4725},
}
UNITS = {"ecg": "mV", "ppg": "NU", "abp": "mmHg"}


def signals(rates, *, seconds=4.0, seed=0):
    """Noise of the size that a channel usually has, now and then a missing sample."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, rate in rates.items():
        values = (
            1000.0 / GAINS[UNITS[name]] * rng.standard_normal(round(seconds * rate))
        )
        values[3::97] = np.nan
        found[name] = Signal(values, rate, UNITS[name])
    return found


def piece(channels, start, stop):
    return {
        name: Signal(
            s.values[round(start * s.sampling_rate) : round(stop * s.sampling_rate)],
            s.sampling_rate,
            s.unit,
            round(start * s.sampling_rate) / s.sampling_rate,
        )
        for name, s in channels.items()
    }


@pytest.mark.parametrize("rates", RATES.values(), ids=RATES)
def test_what_was_written_is_read(tmp_path, rates):
    channels = signals(rates)
    path = write_record(Record("somebody", channels), tmp_path / "new" / "somebody")
    assert path == tmp_path / "new" / "somebody.hea"
    again = read_record(path)
    assert [*again.channels] == [*channels]
    for name, signal in again.channels.items():
        wanted = channels[name]
        assert signal.unit == wanted.unit
        assert signal.start == 0.0
        assert signal.sampling_rate == pytest.approx(wanted.sampling_rate, rel=1e-12)
        step = 1.0 / GAINS[wanted.unit]
        values = signal.values[: len(wanted.values)]
        np.testing.assert_allclose(values, wanted.values, rtol=0, atol=0.501 * step)
        assert np.isnan(signal.values[len(wanted.values) :]).all()


def test_a_record_in_pieces_is_the_whole_one(tmp_path):
    channels = signals(RATES["multiples"])
    times, labels = np.array([0.5, 1.3, 2.0]), ["N", "V", "N"]
    with RecordWriter(tmp_path / "a" / "x", comments=["virtual"]) as writer:
        writer.add(channels)
        writer.annotate(times, labels)
    with RecordWriter(tmp_path / "b" / "x", comments=["virtual"]) as writer:
        for start, stop in ((0.0, 0.332), (0.332, 1.4), (1.4, 4.0)):
            writer.add(piece(channels, start, stop))
            new = (times >= start) & (times < stop)
            writer.annotate(times[new], np.array(labels)[new])
    made = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert made == ["x.atr", "x.hea", "x_abp.dat", "x_ecg.dat", "x_ppg.dat"]
    for name in made:
        one, other = (tmp_path / home / name for home in "ab")
        assert one.read_bytes() == other.read_bytes()
    assert "# virtual\n" in (tmp_path / "a" / "x.hea").read_text()


def test_where_a_channel_ends_within_a_frame_samples_are_missing(tmp_path):
    ppg = Signal(np.ones(3), 100.0, "NU")
    ecg = Signal(np.ones(13), 400.0, "mV")
    write_record(Record("x", {"ppg": ppg, "ecg": ecg}), tmp_path / "x")
    again = read_record(tmp_path / "x")
    assert again.channels["ppg"].values.tolist()[:3] == [1.0, 1.0, 1.0]
    assert len(again.channels["ecg"].values) == 16
    assert np.isnan(again.channels["ecg"].values[13:]).all()
    assert again.channels["ecg"].duration == again.channels["ppg"].duration


@pytest.mark.parametrize("rate", [250.0, 500.0, 62.5])
def test_annotations_are_read_by_the_format_s_own_tool(tmp_path, rate):
    rng = np.random.default_rng(1)
    gaps = np.concatenate([rng.uniform(0.0, 3.0, 50), [200.0, 400.0, 0.0, 4000.0]])
    times = np.cumsum(gaps)
    labels = rng.choice(["N", "V"], len(times))
    with RecordWriter(tmp_path / "x") as writer:
        writer.add({"ecg": Signal(np.zeros(10), rate, "mV")})
        writer.annotate(times[:20], labels[:20])
        writer.annotate(times[20:], labels[20:])
        writer.annotate(np.zeros(0), [])
    found = wfdb.rdann(str(tmp_path / "x"), "atr")
    assert found.fs == rate
    assert found.symbol == labels.tolist()
    assert found.sample.tolist() == np.round(times * rate).astype(int).tolist()


def test_a_record_written_anew_keeps_nothing_of_the_old_one(tmp_path):
    channels = signals(RATES["one rate"])
    with RecordWriter(tmp_path / "x") as writer:
        writer.add(channels)
        writer.annotate(np.array([1.0]), ["N"])
    write_record(Record("x", {"ppg": channels["ppg"]}), tmp_path / "x.hea")
    assert [*read_record(tmp_path / "x").channels] == ["ppg"]
    assert not (tmp_path / "x.atr").exists()


def test_channels_that_begin_before_the_record_are_skewed(tmp_path):
    ecg = Signal(np.arange(50.0) / 100.0, 250.0, "mV")
    abp = Signal(np.arange(100.0, 150.0), 125.0, "mmHg", start=-0.04)
    path = write_record(Record("x", {"ecg": ecg, "abp": abp}), tmp_path / "x")
    again = read_record(path)
    assert again.channels["ecg"].start == 0.0
    assert again.channels["abp"].start == pytest.approx(-0.04, abs=1e-12)
    assert again.channels["abp"].values.tolist() == abp.values.tolist()
    assert "16:5" in path.read_text()  # frames of 1/125 s


def test_channels_beyond_the_usual_steps_get_their_own(tmp_path):
    rng = np.random.default_rng(0)
    channels = {
        "counts": Signal(50_000.0 + rng.normal(size=500), 125.0, "NU"),
        "tiny": Signal(1e-7 * rng.normal(size=500), 125.0, "NU"),
        "SpO2 (left)": Signal(rng.uniform(90.0, 100.0, 500), 125.0, "%"),
        "abp": Signal(rng.uniform(180.0, 380.0, 500), 125.0, "mmHg"),
    }
    quanta = {"counts": 2e-4, "tiny": 1e-3, "SpO2 (left)": 5e-3, "abp": 0.05}
    path = write_record(Record("x", channels), tmp_path / "x")
    again = read_record(path)
    assert [*again.channels] == [*channels]
    for name, signal in again.channels.items():
        assert signal.unit == channels[name].unit
        off = np.abs(signal.values - channels[name].values).max()
        assert off <= 0.501 * quanta[name]
    # wfdb's own reader agrees, as the steps stand in the header.
    other = wfdb.rdrecord(str(tmp_path / "x"))
    assert other.sig_name == [*channels]
    np.testing.assert_allclose(other.p_signal[:, 0], again.channels["counts"].values)


def test_age_sex_and_beats_come_back(tmp_path):
    notes = Annotations(np.array([0.1, 0.9]), np.array(["N", "V"]))
    record = Record(
        "x",
        signals(RATES["one rate"]),
        age=63.5,
        covariates={"male": 0.0},
        annotations={"atr": notes},
    )
    again = read_record(write_record(record, tmp_path / "x"))
    assert again.age == 63.5
    assert again.covariates == {"male": 0.0}
    assert again.annotations["atr"].labels.tolist() == ["N", "V"]
    np.testing.assert_allclose(again.annotations["atr"].times, notes.times, atol=0.002)


def test_every_code_of_a_beat_comes_back(tmp_path):
    times = np.arange(1, 50) / 10.0
    labels = np.array([LABELS.get(code, str(code)) for code in range(1, 50)])
    with RecordWriter(tmp_path / "x") as writer:
        writer.add({"ecg": Signal(np.zeros(2000), 250.0, "mV")})
        writer.annotate(times, labels)
    again = read_record(tmp_path / "x").annotations["atr"]
    assert again.labels.tolist() == labels.tolist()
    np.testing.assert_allclose(again.times, times, atol=0.002)


@pytest.mark.parametrize("call", range(9))
def test_a_disk_that_is_full_leaves_the_old_record(tmp_path, monkeypatch, call):
    """Whichever of the calls that may find the disk full is the one that fails."""
    old = {"ecg": Signal(np.arange(50.0) / 100.0, 250.0, "mV")}
    new = old | {"ppg": Signal(np.ones(50), 250.0, "NU")}
    with RecordWriter(tmp_path / "x") as writer:
        writer.add(old)
        writer.annotate(np.array([0.1]), ["N"])
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    count = 0

    def failing(function):
        def called(what, *arguments, **options):
            nonlocal count
            if isinstance(what, Path) and not what.is_relative_to(tmp_path):
                return function(what, *arguments, **options)  # of an import
            count += 1
            if count == call + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(what, *arguments, **options)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(together.os, "fsync", failing(os.fsync))
        patch.setattr(Path, "write_bytes", failing(Path.write_bytes))
        patch.setattr(Path, "replace", failing(Path.replace))
        patch.setattr(Path, "open", failing(Path.open))
        with pytest.raises(StorageError, match=r"x\.hea could not .* No space left"):
            write_record(Record("x", new), tmp_path / "x")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["x.txt", "x.mat", "a.b"])
def test_other_formats_are_named(tmp_path, name):
    with pytest.raises(RecordError, match=r"wanted \.hea, \.csv, .*\.edf"):
        write_record(Record("x", signals(RATES["one rate"])), tmp_path / name)


def test_what_no_reader_would_take_is_not_written(tmp_path):
    channels = {"abp": Signal(np.array([0.0, np.inf]), 125.0, "mmHg")}
    for name in ("x", "x.csv", "x.edf"):
        with pytest.raises(RecordError, match="sample 1 is inf"):
            write_record(Record("x", channels), tmp_path / name)
    assert [*tmp_path.iterdir()] == []


def test_what_is_not_finished_leaves_nothing(tmp_path):
    channels = signals(RATES["one rate"])

    def broken():
        with RecordWriter(tmp_path / "x") as writer:
            writer.add(channels)
            msg = "the power went"
            raise KeyError(msg)

    with pytest.raises(KeyError, match="the power went"):
        broken()
    assert [*tmp_path.iterdir()] == []


def test_damage_is_seen(tmp_path):
    path = write_record(Record("x", signals(RATES["one rate"])), tmp_path / "x")
    data = tmp_path / "x_abp.dat"
    content = bytearray(data.read_bytes())
    content[200] ^= 1
    data.write_bytes(bytes(content))
    with pytest.raises(RecordError, match="checksum"):
        read_record(path)


def _signal(**changes):
    usual = Signal(np.zeros(250), 250.0, "mV")
    return {"ecg": dataclasses.replace(usual, **changes)}


REFUSED = {
    "no samples": ([], RecordError, "no samples"),
    "no channel": ([{}], RecordError, "channels none"),
    "unit": ([_signal(unit="kPa")], UnitError, "'kPa'; wanted one of mV, mmHg, NU"),
    "name": ([{"a\nb": _signal()["ecg"]}], RecordError, "printable name"),
    "twice": ([{"A": _signal()["ecg"]} | {"a": _signal()["ecg"]}], RecordError, "dist"),
    "too large": ([_signal(values=np.full(9, 16.5))], RecordError, "sample 0 is 16.5"),
    "infinite": ([_signal(values=np.array([0.0, -np.inf]))], RecordError, "sample 1"),
    "unit of two words": ([_signal(unit="m V")], UnitError, "'m V'; wanted one of"),
    "between frames": ([_signal(start=-0.001)], RecordError, "begins at -0.001 s"),
    "late": ([_signal(start=0.5)], RecordError, "begins at 0.5 s; wanted 0 s"),
    "gap": (
        [_signal(), _signal(start=1.01)],
        RecordError,
        "begins at 1.01 s; wanted 1",
    ),
    "other rate": (
        [_signal(), _signal(start=1.0, sampling_rate=125.0)],
        RecordError,
        "125 Hz in mV; wanted 250",
    ),
    "other channels": (
        [_signal(), {"ii": _signal(start=1.0)["ecg"]}],
        RecordError,
        "has channels ii; wanted ecg",
    ),
    "no frame": (
        [_signal() | {"ppg": Signal(np.zeros(9), 62.4725, "NU")}],
        RecordError,
        "ppg 62.4725 Hz; wanted whole multiples",
    ),
}


@pytest.mark.parametrize(("pieces", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_what_the_format_cannot_hold_is_refused(tmp_path, pieces, kind, words):
    def write():
        with RecordWriter(tmp_path / "x") as writer:
            for channels in pieces:
                writer.add(channels)

    with pytest.raises(kind, match=words):
        write()
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize(
    ("times", "labels", "words"),
    [
        ([-0.1], ["N"], "from 0 s on"),
        ([1.0, 0.9], ["N", "N"], "from 0 s on"),
        ([np.nan], ["N"], "finite times"),
        ([np.inf], ["N"], "finite times"),
        ([0.4], ["Erika"], "1 times, 1 labels; wanted .* codes such as N or V"),
        ([0.4], ["N", "N"], "1 times, 2 labels"),
    ],
)
def test_annotations_that_make_no_sense_are_refused(tmp_path, times, labels, words):
    writer = RecordWriter(tmp_path / "x")
    with pytest.raises(RecordError, match=words):
        writer.annotate(np.array(times), labels)


@pytest.mark.parametrize("name", ["a b", "ä.dat", "a.b"])
def test_a_record_s_name_is_one_that_tools_can_read(tmp_path, name):
    with pytest.raises(RecordError, match="letters, digits"):
        RecordWriter(tmp_path / name)


def test_a_comment_is_one_line(tmp_path):
    with pytest.raises(RecordError, match="one line"):
        RecordWriter(tmp_path / "x", comments=["two\nlines"])
