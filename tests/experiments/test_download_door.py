"""The door of downloads: a list, and files from a server on this machine."""

import hashlib
from dataclasses import replace

import pytest

from capnet.data.catalog import downloads, entries
from capnet.data.catalog.entries import CATALOG
from experiments import download as door  # before its catalogue is exchanged
from tests.data.catalog.serving import CONTENT, serving
from tests.experiments.conftest import assert_refused, open_door

SHA = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


@pytest.fixture
def served(monkeypatch):
    """PWDB's small tables come from a server on loopback, one of them unverified."""
    with serving() as server:
        files = [
            replace(file, url=server.url("good"), checksum=SHA if number else None)
            for number, file in enumerate(CATALOG["pwdb"].files[:3])
        ]
        entry = replace(CATALOG["pwdb"], files=tuple(files))
        monkeypatch.setattr(entries, "CATALOG", {"pwdb": entry})
        monkeypatch.setattr(door, "CATALOG", {"pwdb": entry})

        def here(*args, **more):
            return downloads.download(*args, **more, loopback=True)

        monkeypatch.setattr(door, "download", here)
        yield server


def test_without_a_data_set_it_lists_what_there_is(tmp_path):
    run = open_door("download", folder=tmp_path / "run").check()
    for name in CATALOG:
        assert name in run.out


def test_it_fetches_what_is_asked_for(served, tmp_path):
    names = ("pwdb_haemod_params.csv", "pwdb_onset_times.csv")
    given = (
        "dataset=pwdb",
        f"files=[{','.join(names)}]",
        f"folder={tmp_path / 'data'}",
    )
    run = open_door("download", *given, folder=tmp_path / "run").check()
    assert run.last_line == str(tmp_path / "data" / "pwdb" / names[1])
    assert all((tmp_path / "data" / "pwdb" / n).read_bytes() == CONTENT for n in names)
    assert "Charlton" in run.out


def test_what_no_checksum_is_known_of_must_be_wanted(served, tmp_path):
    given = ("dataset=pwdb", f"folder={tmp_path / 'data'}")
    run = open_door("download", *given, folder=tmp_path / "run")
    assert_refused(run, "no checksum of pwdb_model_configs.csv is known")
    assert not served.seen
    more = open_door("download", *given, "unverified=true", folder=tmp_path / "more")
    assert SHA in more.check().out


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("dataset=pulse", "'pulse' is unknown; there are pwdb"),
        ("dataset=pulsedb", "no single file of PulseDB is listed"),
        ("dataset=3", "dataset is 3"),
        ("dataset=pwdb files=[x.csv]", "'pwdb/x.csv' is unknown"),
        ("dataset=pwdb files=geo.zip", "files is 'geo.zip'; wanted a list"),
        ("dataset=pwdb unverified=2", "unverified is 2"),
        ("dataset=pwdb checksum=sha256:00", "one checksum for 4 files"),
    ],
)
def test_a_wrong_setting_is_refused(tmp_path, given, words):
    run = open_door("download", *given.split(), folder=tmp_path / "run")
    assert_refused(run, words)
