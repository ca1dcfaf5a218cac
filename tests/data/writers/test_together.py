"""Several files at once: all new, or all as they were."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from capnet import read_record
from capnet.data.writers import together
from capnet.data.writers.records import write_record
from capnet.data.writers.together import replacing_together
from capnet.errors import RecordError, StorageError
from capnet.records import Annotations, Record, Signal

ROOT = Path(__file__).resolve().parents[3]


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


def record(value):
    """A record of several rates, so that each format has several files."""
    ecg = Signal(np.full(500, value), 250.0, "mV")
    ppg = Signal(np.full(250, value), 125.0, "NU")
    note = Annotations(np.array([value]), np.array(["N"]))
    return Record("x", {"ecg": ecg, "ppg": ppg}, annotations={"atr": note})


KILLED = """
import os, signal, sys
from pathlib import Path
import pyarrow.csv  # once, and not in every child
from capnet.data.writers.records import write_record
from tests.data.writers.test_together import record

calls, (name, *folders) = 0, sys.argv[1:]

def deadly(function, limit):
    def called(*arguments, **options):
        global calls
        calls += 1
        if calls > limit:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return called

for limit, folder in enumerate(folders):
    child = os.fork()
    if not child:
        Path.replace = deadly(Path.replace, limit)
        Path.unlink = deadly(Path.unlink, limit)
        os.link = deadly(os.link, limit)
        write_record(record(1.0), Path(folder) / name)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    print(status)
    if status == 0:
        break
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a process that it forks")
@pytest.mark.parametrize("suffix", [".csv", ".npz", ".hea"])
def test_a_writer_that_is_killed_leaves_the_old_record_or_the_new(tmp_path, suffix):
    """Killed before each renaming, linking and removal of a file in turn."""
    name = f"x{suffix}"
    folders = [tmp_path / str(limit) for limit in range(30)]
    for folder in folders:
        write_record(record(0.5), folder / name)
    command = [sys.executable, "-c", KILLED, name, *map(str, folders)]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    killed = [int(status) == 9 for status in done.stdout.split()]
    seen = []
    for folder in folders[: len(killed)]:
        found = read_record(folder / name)
        [value] = {float(v) for s in found.channels.values() for v in s.values}
        times = [t for a in found.annotations.values() for t in a.times]
        assert times in ([value], [])  # WFDB: no annotations rather than another's
        assert times or suffix == ".hea"
        seen.append(value)
    assert {True, False} == set(killed)
    assert seen == sorted(seen)
    assert {0.5, 1.0} == set(seen)
    assert all(k or value == 1.0 for k, value in zip(killed, seen, strict=True))
    # Whatever was left there is no hindrance.
    write_record(record(1.5), folders[5] / name)
    assert read_record(folders[5] / name).channels["ecg"].values[0] == 1.5


@pytest.mark.parametrize(("suffix", "other"), [(".csv", "x.2.csv"), ("", "x_ecg.dat")])
def test_files_of_others_stay(tmp_path, suffix, other):
    (tmp_path / other).write_text("somebody's")
    for value in (0.5, 1.0, 1.5):
        path = write_record(record(value), tmp_path / f"x{suffix}")
        assert read_record(path).channels["ppg"].values[0] == value
        count = len([*tmp_path.iterdir()])
        assert count == (4 if suffix else 5)
    assert (tmp_path / other).read_text() == "somebody's"


def test_a_hidden_table_is_no_way_out_of_the_folder(tmp_path):
    """Only a plain file with the hash of the sidecar is taken for the table."""
    path = write_record(record(0.5), tmp_path / "a" / "x.csv")
    right = shutil.copy(path, tmp_path / "right.csv")
    path.write_text(path.read_text().replace("0.5", "1.5"))
    (tmp_path / "a" / ".1.x.csv").symlink_to(right)
    (tmp_path / "a" / ".2.x.csv").write_text("ecg\n1\n")
    with pytest.raises(RecordError, match="is not the file that its sidecar"):
        read_record(path)
