"""Tables on disk: a table and its sidecar belong together, and tell nobody's name."""

import json
import os

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.data.writers.records import write_record
from capnet.errors import RecordError, UnitError
from capnet.records import Annotations, Cuff, Record, Signal

SUFFIXES = [".csv", ".csv.gz", ".parquet", ".npz"]
PERSON = "Erika Mustermann"


def record(seed=0, **changes):
    rng = np.random.default_rng(seed)
    ppg = Signal(rng.normal(size=300), 125.0, "NU")
    abp = Signal(rng.uniform(60.0, 140.0, 300), 125.0, "mmHg")
    return Record(PERSON, {"ppg": ppg, "abp": abp}, source=PERSON, **changes)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_one_table_and_one_sidecar_with_its_hash(tmp_path, suffix):
    path = write_record(record(), tmp_path / "new" / f"x{suffix}")
    assert path == tmp_path / "new" / f"x{suffix}"
    assert sorted(p.name for p in path.parent.iterdir()) == sorted(
        [f"x{suffix}", "x.json"]
    )
    said = json.loads((path.parent / "x.json").read_text())
    again = read_record(path)
    assert said["sha256"] == again.files[path.name]
    assert said["samples"] == 300
    for file in path.parent.iterdir():
        assert PERSON.encode() not in file.read_bytes()
    assert again.subject == "x"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_same_record_gives_the_same_bytes(tmp_path, suffix):
    first, second = (
        write_record(record(), tmp_path / folder / f"x{suffix}") for folder in "ab"
    )
    for name in (first.name, "x.json"):
        same = first.with_name(name).read_bytes() == second.with_name(name).read_bytes()
        assert same


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_mixed_pair_is_refused(tmp_path, suffix):
    first = write_record(record(0), tmp_path / "a" / f"x{suffix}")
    second = write_record(record(1), tmp_path / "b" / f"x{suffix}")
    os.replace(second, first)  # noqa: PTH105 (a crash between two names)
    with pytest.raises(RecordError, match="is not the file that its sidecar"):
        read_record(first)


def test_channels_that_share_no_rows_stand_in_tables_of_their_own(tmp_path):
    channels = {
        "a": Signal(np.arange(4.0), 125.0, "NU"),
        "b": Signal(np.arange(4.0), 250.0, "NU"),
        "c": Signal(np.arange(4.0), 125.0, "NU"),
        "d": Signal(np.arange(5.0), 125.0, "NU"),
        "e": Signal(np.arange(4.0), 125.0, "NU", 0.5),
    }
    path = write_record(Record("x", channels), tmp_path / "x.csv")
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["x.2.csv", "x.3.csv", "x.4.csv", "x.csv", "x.json"]
    assert path.read_text().splitlines()[0] == "a,c"
    again = read_record(path)
    for name, signal in channels.items():
        read = again.channels[name]
        assert read.values.tolist() == signal.values.tolist()
        assert (read.sampling_rate, read.start) == (signal.sampling_rate, signal.start)


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("name", ["dz/dt", 'a, "b"', "SpO2 %", "file", "\u00b5", "x.y"])
def test_any_printable_name_comes_back(tmp_path, suffix, name):
    channels = {name: Signal(np.arange(3.0), 1.0, "NU")}
    path = write_record(Record("x", channels), tmp_path / f"x{suffix}")
    assert [*read_record(path).channels] == [name]


REFUSED = {
    "blank name": ({"channels": {" a": None}}, RecordError, "printable name"),
    "no name": ({"channels": {"": None}}, RecordError, "printable name"),
    "two lines": ({"channels": {"a\nb": None}}, RecordError, "printable name"),
    "no channel": ({"channels": {}}, RecordError, "no channel"),
    "endless": ({"cuffs": (Cuff(np.inf, 120.0, 80.0),)}, RecordError, "x.json"),
    "label": (
        {"annotations": {"atr": Annotations(np.zeros(1), np.array([PERSON]))}},
        RecordError,
        r"x.json: annotations\['atr'\].labels\[0\]",
    ),
    "pressure in mV": (
        {"channels": {"abp": Signal(np.zeros(3), 1.0, "mV")}},
        UnitError,
        "'abp' is in mV",
    ),
}


@pytest.mark.parametrize(("changes", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_what_could_not_be_read_is_not_written(tmp_path, changes, kind, words):
    usual = Signal(np.zeros(3), 1.0, "NU")
    if "channels" in changes:
        channels = {n: s or usual for n, s in changes["channels"].items()}
        changes = {"channels": channels}
    given = {"subject": PERSON, "channels": {"a": usual}} | changes
    with pytest.raises(kind, match=words) as caught:
        write_record(Record(**given), tmp_path / "x.csv")
    assert PERSON not in str(caught.value)
    assert [*tmp_path.iterdir()] == []
