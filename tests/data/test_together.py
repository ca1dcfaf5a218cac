"""Several files at once: all new, or all as they were."""

import errno
import os
from pathlib import Path

import pytest

from capnet.data import together
from capnet.data.together import replacing_together
from capnet.errors import StorageError


def write(folder, content):
    paths = [folder / name for name in ("a.dat", "b.dat", "a.hea")]
    with replacing_together(paths) as parts:
        for part in parts:
            part.write_text(content)


def seen(folder):
    return {p.name: p.read_text() for p in folder.iterdir()}


NEW = dict.fromkeys(("a.dat", "b.dat", "a.hea"), "new")
OLD = dict.fromkeys(NEW, "old")


def test_all_are_new(tmp_path):
    write(tmp_path / "x", "new")
    assert seen(tmp_path / "x") == NEW
    write(tmp_path / "x", "newer")
    assert seen(tmp_path / "x") == dict.fromkeys(NEW, "newer")


@pytest.mark.parametrize(
    "before", [{}, {"a.hea": "old"}, OLD], ids=["none", "one", "all"]
)
@pytest.mark.parametrize("call", range(12))
def test_a_call_that_fails_leaves_all_as_they_were(tmp_path, monkeypatch, before, call):
    """Whichever of the calls that may find the disk full is the one that fails."""
    for name, content in before.items():
        (tmp_path / name).write_text(content)
    count = 0

    def failing(function):
        def called(*arguments, **options):
            nonlocal count
            count += 1
            if count == call + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return function(*arguments, **options)

        return called

    with monkeypatch.context() as patch:
        patch.setattr(together.os, "fsync", failing(os.fsync))
        patch.setattr(together.os, "link", failing(os.link))
        patch.setattr(together.tempfile, "mkstemp", failing(together.tempfile.mkstemp))
        patch.setattr(Path, "replace", failing(Path.replace))
        patch.setattr(Path, "chmod", failing(Path.chmod))
        try:
            write(tmp_path, "new")
        except StorageError as error:
            assert "No space left on device" in str(error)  # noqa: PT017
            assert "as it was" in str(error)  # noqa: PT017
            failed = True
        else:
            failed = False
    assert failed == (count > call)
    assert seen(tmp_path) == (before if failed else NEW)


def test_what_is_not_finished_leaves_nothing(tmp_path):
    def broken():
        with replacing_together([tmp_path / "a", tmp_path / "b"]) as [a, _]:
            a.write_text("half")
            msg = "the power went"
            raise KeyError(msg)

    with pytest.raises(KeyError, match="the power went"):
        broken()
    assert [*tmp_path.iterdir()] == []


def test_files_have_the_permissions_of_any_new_file(tmp_path):
    write(tmp_path, "new")
    (tmp_path / "other").touch()
    assert (tmp_path / "a.hea").stat().st_mode == (tmp_path / "other").stat().st_mode
