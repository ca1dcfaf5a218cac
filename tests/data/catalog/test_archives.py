"""Archives are unpacked whole, or refused; nothing gets out of the folder."""

import os
import tarfile
from pathlib import Path

import numpy as np
import pytest

from capnet.data.catalog.archives import unpack
from capnet.errors import RecordError, StorageError
from tests.fakes import make_archive
from tests.fakes.make_archive import ALONE, CLIMBS, GOOD, KINDS, honest

FORMS = ("zip", "tar", "tar.gz")


@pytest.fixture
def home(tmp_path):
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    return inner


def seen(folder):
    return sorted(str(path) for path in folder.rglob("*"))


@pytest.mark.parametrize("form", FORMS)
def test_an_honest_archive_is_unpacked_whole(home, form):
    (home / "archive").write_bytes(honest(form))
    folder = unpack(home / "archive", home / "new" / "target")
    files = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*.*")}
    assert {n: p.read_bytes() for n, p in files.items()} | {"README": b"all"} == GOOD
    assert (folder / "README").read_bytes() == b"all"
    assert seen(home / "new") == sorted([str(folder), *seen(folder)])


@pytest.mark.parametrize("form", ["zip", "tar"])
@pytest.mark.parametrize("name", [*ALONE, *(f"{climb}/escaped" for climb in CLIMBS)])
def test_no_name_leads_out(home, form, name):
    if form == "zip":
        content = make_archive.zipped([*GOOD.items(), (name, b"x")])
    else:
        content = make_archive.tape([make_archive.plain(name)])
    (home / "archive").write_bytes(content)
    before = seen(home.parent.parent)
    with pytest.raises(RecordError, match="was not unpacked"):
        unpack(home / "archive", home / "target")
    assert seen(home.parent.parent) == before


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [k for k in KINDS if k not in ("many", "flipped")])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_what_is_hostile_is_refused(home, form, kind):
    rng = np.random.default_rng(1)
    bad = make_archive.bad_zip if form == "zip" else make_archive.bad_tar
    (home / "archive").write_bytes(bad(kind, rng, form))
    before = seen(home.parent.parent)
    with pytest.raises(RecordError, match="was not unpacked"):
        unpack(home / "archive", home / "target")
    assert seen(home.parent.parent) == before


@pytest.mark.parametrize("form", FORMS)
def test_what_is_there_is_never_overwritten(home, form):
    (home / "archive").write_bytes(honest(form))
    (home / "target").symlink_to(home / "elsewhere")
    with pytest.raises(RecordError, match="exists; wanted a new folder"):
        unpack(home / "archive", home / "target")
    assert not (home / "elsewhere").exists()


def test_what_is_no_archive_is_refused(home):
    with pytest.raises(RecordError, match="is no file"):
        unpack(home / "nothing", home / "target")
    (home / "archive").write_bytes(b"PK is no zip")
    with pytest.raises(RecordError, match="damaged"):
        unpack(home / "archive", home / "target")


def test_a_tar_damaged_in_the_middle_is_no_shorter_tar(home):
    content = bytearray(
        make_archive.tape([make_archive.plain(*i) for i in GOOD.items()])
    )
    content[1024] ^= 1  # of the second header, which tarfile then takes for the end
    (home / "archive").write_bytes(bytes(content))
    with tarfile.open(home / "archive") as archive:
        assert len(archive.getmembers()) == 1
    with pytest.raises(RecordError, match="cut, or something follows"):
        unpack(home / "archive", home / "target")


def test_a_full_disk_leaves_nothing(home, monkeypatch):
    (home / "archive").write_bytes(honest("zip"))

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match=r"No space left.*Make room"):
        unpack(home / "archive", home / "target")
    assert [path.name for path in Path(home).iterdir()] == ["archive"]
