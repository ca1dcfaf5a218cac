"""Pseudonyms and records without what names somebody."""

import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capnet.data.privacy.pseudonyms import (
    deidentified,
    masked,
    pseudonym,
    pseudonym_key,
    unnamed,
)
from capnet.data.privacy.search import scan
from capnet.errors import RecordError
from capnet.records import Annotations, Record, Signal

ROOT = Path(__file__).resolve().parents[3]
KEY = bytes(range(32))


def test_a_pseudonym_is_a_keyed_hash():
    digest = hmac.new(KEY, b"Ada Lovelace", hashlib.sha256).hexdigest()
    assert pseudonym("Ada Lovelace", key=KEY) == f"p-{digest[:12]}"
    assert pseudonym("Ada Lovelace", key=bytes(32)) != pseudonym(
        "Ada Lovelace", key=KEY
    )


def test_an_accent_in_two_ways_is_one_person():
    assert pseudonym("Zo\u00eb", key=KEY) == pseudonym("Zoe\u0308", key=KEY)
    assert pseudonym("Zoe", key=KEY) != pseudonym("Zo\u00eb", key=KEY)


def test_different_people_differ():
    assert len({pseudonym(str(n), key=KEY) for n in range(5000)}) == 5000


@pytest.mark.parametrize(("subject", "key"), [("", KEY), (" ", KEY), ("x", b"short")])
def test_what_is_no_person_or_key_is_refused(subject, key):
    with pytest.raises(RecordError, match="wanted"):
        pseudonym(subject, key=key)


def test_a_key_is_made_once_for_its_owner_alone(tmp_path, monkeypatch):
    path = tmp_path / "new" / "a.key"
    key = pseudonym_key(path)
    assert len(key) == 32
    assert key != pseudonym_key(tmp_path / "b.key")
    assert pseudonym_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    monkeypatch.setenv("CAPNET_PSEUDONYM_KEY", str(path))
    assert pseudonym_key() == key


def test_many_processes_make_one_key(tmp_path):
    path = tmp_path / "new" / "a.key"
    code = (
        "from pathlib import Path\n"
        "from capnet.data.privacy.pseudonyms import pseudonym_key\n"
        f"print(pseudonym_key(Path({str(path)!r})).hex())"
    )
    command = [sys.executable, "-c", code]
    children = [
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        for _ in range(4)
    ]
    told = {child.communicate()[0].strip() for child in children}
    assert told == {pseudonym_key(path).hex()}


@pytest.mark.parametrize("content", [b"", b"zz" * 32, b"00" * 31, b"00" * 33, b"\xff"])
def test_a_damaged_key_is_refused_and_stays(tmp_path, content):
    path = tmp_path / "a.key"
    path.write_bytes(content)
    with pytest.raises(RecordError, match="damaged; wanted 64 hexadecimal digits"):
        pseudonym_key(path)
    assert path.read_bytes() == content


def test_a_key_that_cannot_be_made_is_told(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RecordError, match="CAPNET_PSEUDONYM_KEY=<file>"):
        pseudonym_key(tmp_path / "file" / "a.key")


@pytest.fixture
def named():
    wave = np.linspace(0.0, 1.0, 50)
    return Record(
        "Ada Lovelace",
        {
            "PLETH,": Signal(wave, 125.0, "NU"),
            "ABP": Signal(wave + 80.0, 125.0, "mmHg", start=0.5),
            "Ada's sensor": Signal(wave, 50.0, "Lovelaces"),
            "pleth": Signal(wave, 25.0, "NU"),
        },
        age=93.0,
        source="WFDB Lovelace.hea; left out, as they name no unit: Ada",
        covariates={"height": 1.7},
        annotations={
            "atr": Annotations(np.array([0.1, 0.2]), np.array(["N", "Ada L."])),
            "ada": Annotations(np.array([0.3]), np.array(["V"])),
        },
        files={"Lovelace.hea": "ab" * 32, "Ada.1815": "cd" * 32},
    )


def test_nothing_names_the_person_any_more(named, tmp_path):
    record = deidentified(named, key=KEY)
    assert record.subject == pseudonym("Ada Lovelace", key=KEY)
    assert [*record.channels] == ["PLETH", "ABP", "channel 3", "channel 4"]
    assert record.channels["channel 3"].unit == "NU"
    assert record.source == "WFDB"
    assert record.files == {"1.hea": "ab" * 32, "2": "cd" * 32}
    assert record.annotations["atr"].labels.tolist() == ["N", '"']
    assert record.annotations["annotations 2"].labels.tolist() == ["V"]
    path = tmp_path / "all.txt"
    path.write_text(f"{record!r} {record.source} {record.files} {record.annotations}")
    assert not scan([path], words=["Lovelace", "Ada's", "Ada L", "1815"])


def test_what_was_measured_stays(named):
    record = deidentified(named, key=KEY)
    for new, old in zip(record.channels.values(), named.channels.values(), strict=True):
        assert new.values is old.values
        assert (new.sampling_rate, new.start) == (old.sampling_rate, old.start)
    assert record.covariates == named.covariates
    assert record.find("ppg") == "PLETH"


@pytest.mark.parametrize(
    ("age", "told"), [(None, None), (89.0, 89.0), (89.1, 90.0), (103.0, 90.0)]
)
def test_ages_over_89_are_one(age, told):
    wave = Signal(np.array([80.0, 90.0]), 125.0, "mmHg")
    record = Record("x", {"ABP": wave}, age=age)
    assert deidentified(record, key=KEY).age == told


def test_twice_is_two_pseudonyms_but_the_same_record(named):
    once = deidentified(named, key=KEY)
    twice = deidentified(once, key=KEY)
    assert twice.subject != once.subject
    assert [*twice.channels] == [*once.channels]


def test_a_record_without_names_keeps_what_is_asked_for(named):
    record = unnamed(named, key=KEY)
    assert [*record.channels] == [*named.channels]
    assert record.subject == pseudonym("Ada Lovelace", key=KEY)
    assert (record.source, record.age) == ("WFDB", 90.0)
    assert [*record.files] == ["1.hea", "2"]
    assert record.annotations is named.annotations


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("channel 'Ada' is in 'Lovelaces'", "channel '***' is in '***'"),
        ("channel 'ABP' is in 'kPa'", "channel 'ABP' is in 'kPa'"),
        ("the clinic's file 'Ada' and its record's 'II'", None),
        ("it has \"Ada's\", 'PLETH'", "it has '***', 'PLETH'"),
        ("record 'typed' is none", "record 'typed' is none"),
    ],
)
def test_a_message_tells_only_usual_names_and_what_was_typed(message, told):
    wanted = message.replace("'Ada'", "'***'") if told is None else told
    assert masked(message, typed="record=typed") == wanted


def test_a_key_that_others_can_read_is_told(tmp_path, caplog):
    path = tmp_path / "a.key"
    key = pseudonym_key(path)
    assert not caplog.records
    path.chmod(0o644)
    assert pseudonym_key(path) == key
    assert "others may read the key" in caplog.text
