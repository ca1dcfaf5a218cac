"""A file is written whole or not at all."""

import hashlib
import os
import stat
from pathlib import Path

import pytest

from capnet.errors import RecordError, StorageError
from capnet.files import confined, replacing, sha256_of, write_atomic


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("content", [b"", b"x", bytes(range(256)) * 1000])
def test_what_is_read_is_what_was_written(tmp_path, content):
    path = write_atomic(tmp_path / "a.bin", content)
    assert path == tmp_path / "a.bin"
    assert path.read_bytes() == content
    assert names(tmp_path) == ["a.bin"]


def test_missing_folders_are_made(tmp_path):
    path = write_atomic(tmp_path / "one" / "two" / "a.bin", b"x")
    assert path.read_bytes() == b"x"


def test_an_old_file_is_replaced_whole(tmp_path):
    path = tmp_path / "a.bin"
    write_atomic(path, b"long" * 100)
    write_atomic(path, b"short")
    assert path.read_bytes() == b"short"


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, step):
    path = write_atomic(tmp_path / "a.bin", b"old")

    def fail(*_args, **_kwargs):
        raise OSError("no space left")

    owner = os if step == "fsync" else Path
    monkeypatch.setattr(owner, step, fail)
    with pytest.raises(StorageError, match=r"no space left.* Make room"):
        write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert names(tmp_path) == ["a.bin"]


def test_an_interrupt_leaves_no_litter_either(tmp_path, monkeypatch):
    def stop(_handle):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", stop)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.bin", b"new")
    assert names(tmp_path) == []


def test_what_is_written_in_pieces_appears_at_the_end(tmp_path):
    path = write_atomic(tmp_path / "a.bin", b"old")
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(b"new, ")
        assert path.read_bytes() == b"old"
        file.write(b"in pieces")
    assert path.read_bytes() == b"new, in pieces"
    with pytest.raises(StorageError, match="written"), replacing(path) as temporary:
        (temporary / "part").write_bytes(b"half")  # a file is no folder
    assert path.read_bytes() == b"new, in pieces"
    assert names(tmp_path) == ["a.bin"]


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX systems")
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        path = write_atomic(tmp_path / "a.bin", b"x")
        plain = tmp_path / "plain"
        plain.write_bytes(b"x")
        assert os.umask(mask) == mask  # left as it was
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_hash_is_that_of_the_content(tmp_path):
    path = write_atomic(tmp_path / "a.bin", b"abc" * 1_000_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 1_000_000).hexdigest()


def test_a_file_inside_is_found(tmp_path):
    path = write_atomic(tmp_path / "part" / "a.bin", b"x")
    assert confined(tmp_path, "part/a.bin", where="w") == path
    (tmp_path / "link").symlink_to(path)  # leads to the inside
    assert confined(tmp_path, "link", where="w").read_bytes() == b"x"


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "/etc/passwd", "", ".", "..", "part/../../a", "C:\\a", "..\\a"),
        *("a\0b", "C:a", "part\\a", "x" * 5000, "//host/a", "missing", "part"),
    ],
)
def test_a_file_outside_is_refused(tmp_path, name):
    (tmp_path / "in" / "part").mkdir(parents=True)
    write_atomic(tmp_path / "a", b"secret")
    with pytest.raises(RecordError, match=r"^manifest, row 3: ") as caught:
        confined(tmp_path / "in", name, where="manifest, row 3")
    assert len(str(caught.value)) < 300


def test_a_link_out_of_the_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    secret = write_atomic(tmp_path / "a", b"secret")
    (tmp_path / "in" / "a").symlink_to(secret)
    (tmp_path / "in" / "part").symlink_to(tmp_path)
    (tmp_path / "in" / "round").symlink_to(tmp_path / "in" / "round")
    for name in ("a", "part/a", "round"):
        with pytest.raises(RecordError):
            confined(tmp_path / "in", name, where="w")
