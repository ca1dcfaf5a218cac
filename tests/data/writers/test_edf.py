"""EDF on disk: to the quantum, with nobody's name, as other tools read it."""

import numpy as np
import pyedflib
import pytest

from capnet.data.readers import read_record
from capnet.data.writers.records import write_record
from capnet.errors import RecordError, UnitError
from capnet.records import Record, Signal

QUANTA = {"II": 1e-4, "PLETH": 5e-4, "ABP": 2e-3, "counts": 5e-4, "tiny": 1e-8}


def channels(seconds=10.0, seed=0):
    rng = np.random.default_rng(seed)

    def noise(rate):
        return rng.uniform(-1.0, 1.0, round(seconds * rate))

    return {
        "II": Signal(3.1 * noise(250.0), 250.0, "mV"),
        "PLETH": Signal(15.0 * noise(128.0), 128.0, "NU"),
        "ABP": Signal(100.0 + 60.0 * noise(62.5), 62.5, "mmHg"),
        "counts": Signal(50_000.0 + 15.0 * noise(125.0), 125.0, "NU"),
        "tiny": Signal(3e-4 * noise(500.0), 500.0, "NU"),
    }


def test_values_come_back_to_the_quantum(tmp_path):
    written = channels()
    path = write_record(Record("x", written), tmp_path / "new" / "x.edf")
    again = read_record(path)
    assert [*again.channels] == [*written]
    for name, signal in again.channels.items():
        wanted = written[name]
        assert (signal.sampling_rate, signal.unit, signal.start) == (
            wanted.sampling_rate,
            wanted.unit,
            0.0,
        )
        off = np.abs(signal.values - wanted.values).max()
        assert 0.4 * QUANTA[name] < off <= 0.501 * QUANTA[name]


def test_pyedflib_reads_the_same(tmp_path):
    written = channels()
    path = write_record(
        Record("Erika Mustermann", written, age=61.0), tmp_path / "x.edf"
    )
    with pyedflib.EdfReader(str(path)) as other:
        assert other.getSignalLabels() == [*written]
        assert other.getFileDuration() == 10
        for number, (name, signal) in enumerate(written.items()):
            assert other.getSampleFrequency(number) == signal.sampling_rate
            assert other.getPhysicalDimension(number) == signal.unit
            read = other.readSignal(number)
            np.testing.assert_allclose(read, signal.values, 0, 0.51 * QUANTA[name])
        assert other.getPatientName() == ""
    assert b"Mustermann" not in path.read_bytes()


@pytest.mark.parametrize("seconds", [0.4, 1.0, 7.0, 61.0, 600.4])
def test_any_length_of_whole_frames(tmp_path, seconds):
    rates = {"a": 250.0, "b": 125.0}
    rng = np.random.default_rng(0)
    written = {
        name: Signal(rng.normal(size=round(seconds * rate)), rate, "NU")
        for name, rate in rates.items()
    }
    again = read_record(write_record(Record("x", written), tmp_path / "x.edf"))
    for name, signal in again.channels.items():
        assert signal.sampling_rate == rates[name]
        np.testing.assert_allclose(signal.values, written[name].values, 0, 1e-3)


def test_a_flat_channel_is_exact(tmp_path):
    written = {name: Signal(np.full(125, v), 125.0, "NU") for name, v in _FLAT.items()}
    again = read_record(write_record(Record("x", written), tmp_path / "x.edf"))
    for name, value in _FLAT.items():
        np.testing.assert_allclose(again.channels[name].values, value, 4e-5, 0)


_FLAT = {"zero": 0.0, "one": 1.0, "minus": -0.123, "large": 4e6}

REFUSED = {
    "missing": (
        {"a": Signal(np.array([0.0, np.nan]), 1.0, "NU")},
        RecordError,
        "'a': sample 1 is missing. EDF has no room",
    ),
    "start": (
        {"a": Signal(np.zeros(2), 1.0, "NU", 0.5)},
        RecordError,
        "starts at 0.5 s; wanted 0 s",
    ),
    "lengths": (
        {"a": Signal(np.zeros(2), 1.0, "NU"), "b": Signal(np.zeros(3), 1.0, "NU")},
        RecordError,
        "a 2 s, b 3 s; wanted equal lengths",
    ),
    "part of a frame": (
        {"a": Signal(np.zeros(3), 2.0, "NU"), "b": Signal(np.zeros(2), 1.0, "NU")},
        RecordError,
        "wanted equal lengths of whole frames of 1 s",
    ),
    "odd rate": (
        {"a": Signal(np.zeros(127), 128.0, "NU")},
        RecordError,
        "seconds 8 characters can say",
    ),
    "no frame": (
        {
            "a": Signal(np.zeros(127), 62.4725, "NU"),
            "b": Signal(np.zeros(9), 1.0, "NU"),
        },
        RecordError,
        "wanted whole multiples",
    ),
    "long name": (
        {"a" * 17: Signal(np.zeros(2), 1.0, "NU")},
        RecordError,
        "at most 16 letters",
    ),
    "name of EDF": (
        {"EDF Annotations": Signal(np.zeros(2), 1.0, "NU")},
        RecordError,
        "Rename it",
    ),
    "twice": (
        {"a": Signal(np.zeros(2), 1.0, "NU"), "A": Signal(np.zeros(2), 1.0, "NU")},
        RecordError,
        "wanted distinct names",
    ),
    "long unit": (
        {"a": Signal(np.zeros(2), 1.0, "ohm cm/s^2")},
        UnitError,
        "at most 8 letters",
    ),
    "too large": (
        {"a": Signal(np.array([0.0, 4e9]), 1.0, "NU")},
        RecordError,
        "8 characters can say",
    ),
}


@pytest.mark.parametrize(("signals", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_what_edf_cannot_hold_is_refused(tmp_path, signals, kind, words):
    with pytest.raises(kind, match=words):
        write_record(Record("x", signals), tmp_path / "x.edf")
    assert [*tmp_path.iterdir()] == []
