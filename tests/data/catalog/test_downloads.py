"""Downloads from a real server that cuts, lies, moves and closes its door."""

import hashlib
import os
import signal
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from capnet.data.catalog.downloads import data_folder, download
from capnet.data.catalog.entries import DataFile
from capnet.errors import ConfigError, RecordError, StorageError
from tests.data.catalog.serving import CONTENT, CUT, serving

SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def served():
    with serving() as server:
        yield server


@pytest.fixture
def server(served):
    served.seen.clear()
    served.halted.clear()
    served.go_on.clear()
    return served


def fetch(server, how, folder, *, checksum=SHA, **more):
    settings = {"retries": 3, "timeout": 5.0, "pause": 0.001, "loopback": True}
    file = DataFile("a.bin", server.url(how), checksum, "")
    return download(file, folder, **(settings | more))


def left(folder):
    """Return what lies in a folder but the lock."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


@pytest.mark.parametrize("checksum", [SHA, MD5, SHA.upper().replace("SHA", "sha")])
def test_a_file_comes_whole_and_once(server, tmp_path, checksum):
    path = fetch(server, "good", tmp_path / "new" / "folder", checksum=checksum)
    assert path.read_bytes() == CONTENT
    assert fetch(server, "good", path.parent, checksum=checksum) == path
    assert server.ranges("good") == [None]
    assert left(path.parent) == ["a.bin"]


@pytest.mark.parametrize(
    "how",
    [
        *("unsized", "chunked", "moved", "busy", "cutplain", "liar", "packed"),
        *("strange", "later"),
    ],
)
def test_what_servers_do_is_got_over(server, tmp_path, how):
    assert fetch(server, how, tmp_path).read_bytes() == CONTENT
    assert left(tmp_path) == ["a.bin"]


def test_a_cut_connection_goes_on_where_it_stopped(server, tmp_path):
    assert fetch(server, "cut", tmp_path, retries=5).read_bytes() == CONTENT
    wanted = [None, *(f"bytes={CUT * k}-" for k in (1, 2, 3))]
    assert server.ranges("cut") == wanted
    assert server.seen[1][1]["If-Range"] == '"one"'


def test_what_was_kept_is_used_by_the_next_call(server, tmp_path):
    with pytest.raises(RecordError, match=r"a.bin: .*600000 bytes are kept"):
        fetch(server, "cut", tmp_path, retries=1)
    assert left(tmp_path) == [".a.bin.parts"]
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.ranges("good") == [f"bytes={2 * CUT}-"]


def test_a_part_of_another_version_is_thrown_away(server, tmp_path):
    assert fetch(server, "changed", tmp_path).read_bytes() == CONTENT
    assert server.ranges("changed") == [None, f"bytes={CUT}-"]


def test_a_part_that_is_longer_than_the_file_is_thrown_away(server, tmp_path):
    part = tmp_path / ".a.bin.parts" / "part"
    part.parent.mkdir()
    part.write_bytes(CONTENT + b"more")
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.ranges("good") == [f"bytes={len(CONTENT) + 4}-", None]


def test_a_part_that_is_whole_needs_nothing_more(server, tmp_path):
    part = tmp_path / ".a.bin.parts" / "part"
    part.parent.mkdir()
    part.write_bytes(CONTENT)
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT


def test_a_damaged_part_is_noticed_and_fetched_anew(server, tmp_path):
    part = tmp_path / ".a.bin.parts" / "part"
    part.parent.mkdir()
    part.write_bytes(b"damaged")
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.ranges("good") == ["bytes=7-", None]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("missing", "answers 404; wanted the file"),
        ("locked", "answers 403: it wants an account"),
        ("broken", r"answers 500 \(4 attempts"),
        ("page", "sends a page instead of the file"),
        ("circle", "redirects without an end"),
        ("away", "http://example.org; wanted https"),
        ("empty", "no answer from 127.0.0.1"),
        ("local", "file://None; wanted https"),
        ("bomb", "unpacks to more than 200 times its size"),
        ("brotli", "packs its answer as 'br', unasked"),
        ("tail", r"\d+ of 1024000 bytes came|another part"),
        ("short", f"is {hashlib.sha256(CONTENT[:CUT]).hexdigest()}; wanted {SHA}"),
    ],
)
def test_what_cannot_be_got_over_is_one_error(server, tmp_path, how, words):
    with pytest.raises(RecordError, match=words):
        fetch(server, how, tmp_path)
    assert "a.bin" not in left(tmp_path)


def test_a_silent_server_is_left(server, tmp_path):
    with pytest.raises(RecordError, match="no answer from"):
        fetch(server, "silent", tmp_path, timeout=0.05, retries=1)


@pytest.mark.parametrize("how", ["drip", "driphead"])
def test_a_server_that_sends_a_byte_at_a_time_is_left(server, tmp_path, how):
    begun = time.monotonic()
    with pytest.raises(RecordError, match=r"kB a second come|no answer within"):
        fetch(server, how, tmp_path, timeout=0.2, retries=1)
    assert time.monotonic() - begun < 60.0


def test_more_than_the_disk_holds_is_not_begun(server, tmp_path):
    with pytest.raises(StorageError, match="Make room"):
        fetch(server, "huge", tmp_path)


def test_no_password_of_the_user_is_sent(server, tmp_path, monkeypatch):
    secrets = tmp_path / "netrc"
    secrets.write_text("default login ada password lovelace\n")
    monkeypatch.setenv("NETRC", str(secrets))
    fetch(server, "good", tmp_path / "new")
    assert all("Authorization" not in headers for _, headers in server.seen)


def test_a_part_of_another_address_is_not_trusted(server, tmp_path):
    with pytest.raises(RecordError, match="bytes are kept"):
        fetch(server, "cut", tmp_path, retries=0)
    path = fetch(server, "good", tmp_path, checksum=None, unverified=True)
    assert path.read_bytes() == CONTENT
    assert server.ranges("good") == [None]


def test_an_archive_is_unpacked_beside_itself(server, tmp_path):
    with zipfile.ZipFile(tmp_path / "made.zip", "w") as made:
        made.writestr("set/a.hea", "a 1 125 0\n")
    content = (tmp_path / "made.zip").read_bytes()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    file = DataFile("a.zip", server.url("own"), digest, "", packed=True)
    server.content = content
    folder = download(file, tmp_path, loopback=True)
    assert folder == tmp_path / "a"
    assert (folder / "set" / "a.hea").read_text() == "a 1 125 0\n"
    assert download(file, tmp_path, loopback=True) == folder
    assert server.ranges("own") == [None]


def test_the_wrong_file_never_replaces_the_right_one(server, tmp_path):
    path = fetch(server, "good", tmp_path)
    other = f"sha256:{'0' * 64}"
    with pytest.raises(RecordError, match=f"wanted {other}"):
        fetch(server, "good", tmp_path, checksum=other)
    assert path.read_bytes() == CONTENT


def test_a_changed_file_is_fetched_again(server, tmp_path):
    path = fetch(server, "good", tmp_path)
    path.write_bytes(b"bitten")
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT


def test_without_a_checksum_it_wants_to_be_told(server, tmp_path, caplog):
    with pytest.raises(ConfigError, match=r"no checksum of a\.bin is known"):
        fetch(server, "good", tmp_path, checksum=None)
    assert not server.seen
    path = fetch(server, "good", tmp_path, checksum=None, unverified=True)
    assert path.read_bytes() == CONTENT
    assert f"checksum='{SHA}'" in caplog.text


def test_without_checksum_and_tag_a_part_is_not_trusted(server, tmp_path):
    part = tmp_path / ".a.bin.parts" / "part"
    part.parent.mkdir()
    part.write_bytes(b"whose?")
    path = fetch(server, "good", tmp_path, checksum=None, unverified=True)
    assert path.read_bytes() == CONTENT
    assert server.ranges("good") == [None]


@pytest.mark.parametrize(
    ("url", "loopback"),
    [
        ("http://127.0.0.1:1/x", False),
        ("http://example.org/x", True),
        ("ftp://x/y", True),
    ],
)
def test_only_https(tmp_path, url, loopback):
    with pytest.raises(RecordError, match="wanted https"):
        download(DataFile("x", url, SHA, ""), tmp_path, loopback=loopback)


@pytest.mark.parametrize("name", ["../x", "/x", "a/b", "", ".."])
def test_a_file_stays_in_its_folder(tmp_path, name):
    with pytest.raises(ConfigError, match="wanted a plain name"):
        download(DataFile(name, "https://example.org/x", SHA, ""), tmp_path)


def test_names_and_checksums_are_checked(tmp_path):
    with pytest.raises(ConfigError, match="'nothing' is unknown; there are pwdb"):
        download("nothing", tmp_path)
    with pytest.raises(ConfigError, match=r"pwdb/PWs_csv\.zip"):
        download("pwdb", tmp_path)
    with pytest.raises(ConfigError, match="no single file of PulseDB"):
        download("pulsedb/x", tmp_path)
    with pytest.raises(ConfigError, match="checksum 'abc'"):
        download("pwdb/PWs_csv.zip", tmp_path, checksum="abc")


def test_progress_is_told(server, tmp_path):
    told = []
    fetch(server, "cut", tmp_path, retries=5, progress=lambda *a: told.append(a))
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)


def test_one_fetches_and_the_others_wait(server, tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: fetch(server, "good", tmp_path), range(8)))
    assert len(set(paths)) == 1
    assert len(server.seen) == 1


def test_a_full_disk_is_told_and_the_old_file_stays(server, tmp_path, monkeypatch):
    path = fetch(server, "good", tmp_path)
    path.write_bytes(b"old")

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(StorageError, match=r"No space left.*Make room"):
            fetch(server, "good", tmp_path)
    assert path.read_bytes() == b"old"
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT


def test_too_little_room_is_seen_before(server, tmp_path, monkeypatch):
    usage = type("usage", (), {"free": 1000})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match=r"needs 0\.00 GB more"):
        fetch(server, "good", tmp_path)


def test_killed_in_the_middle_it_goes_on(server, tmp_path):
    code = (
        "from capnet.data.catalog.entries import DataFile\n"
        "from capnet.data.catalog.downloads import download\n"
        f"download(DataFile('a.bin', {server.url('slow')!r}, {SHA!r}, ''), "
        f"{str(tmp_path)!r}, loopback=True)"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT)
    try:
        assert server.halted.wait(120)
        part = tmp_path / ".a.bin.parts" / "part"
        while not (part.exists() and part.stat().st_size):
            server.go_on.wait(0.02)
            assert child.poll() is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    kept = part.stat().st_size
    assert 0 < kept <= CUT
    assert left(tmp_path) == [".a.bin.parts"]
    assert fetch(server, "good", tmp_path).read_bytes() == CONTENT
    assert server.ranges("good") == [f"bytes={kept}-"]
    assert left(tmp_path) == ["a.bin"]


def test_the_folder_can_be_named(monkeypatch, tmp_path):
    monkeypatch.setenv("CAPNET_DATA", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("CAPNET_DATA")
    assert data_folder().parts[-2:] == ("capnet", "data")
