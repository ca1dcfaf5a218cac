"""Every byte that a run has left is sealed, and only that."""

import hashlib

import pytest

from capnet.errors import RecordError
from capnet.evaluation.audits.seal import SEAL, faults_of, read_seal, seal_run


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"1")
    (tmp_path / "a b ü.json").write_bytes(b"2")
    (tmp_path / "run.log").write_bytes(b"3")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_bytes(b"4")
    return tmp_path


def test_what_a_run_leaves_is_sealed_as_sha256sum_would(folder):
    seal_run(folder)
    assert read_seal(folder) == {
        "a b ü.json": hashlib.sha256(b"2").hexdigest(),
        "model/weights": hashlib.sha256(b"1").hexdigest(),
    }
    again = (folder / SEAL).read_bytes()
    assert seal_run(folder).read_bytes() == again


def test_logs_and_other_folders_may_change(folder):
    seal_run(folder)
    (folder / "run.log").write_bytes(b"")
    (folder / "mine" / "more").write_bytes(b"")
    assert faults_of(folder, read_seal(folder)) == (["a b ü.json", "model/weights"], [])


def test_what_changed_is_lost_or_was_added_is_named(folder):
    seal_run(folder)
    (folder / "a b ü.json").write_bytes(b"7")
    (folder / "model" / "weights").unlink()
    (folder / "model" / "other").write_bytes(b"1")
    same, faults = faults_of(folder, read_seal(folder))
    assert same == []
    assert {f.file: f.kind for f in faults} == {
        "a b ü.json": "changed",
        "model/weights": "missing",
        "model/other": "added",
    }
    assert hashlib.sha256(b"7").hexdigest() in faults[0].found
    assert hashlib.sha256(b"2").hexdigest() in str(faults[0])


def test_a_name_that_no_disk_takes_is_a_fault(folder):
    sealed = {"x" * 5000: "0" * 64}
    assert faults_of(folder, sealed)[1][0].kind == "changed"


@pytest.mark.parametrize("content", [b"\xff", b"not a hash  name\n", b"\n"])
def test_what_is_no_seal_is_refused(folder, content):
    with pytest.raises(RecordError, match="cannot be read"):
        read_seal(folder)
    (folder / SEAL).write_bytes(content)
    with pytest.raises(RecordError):
        read_seal(folder)
