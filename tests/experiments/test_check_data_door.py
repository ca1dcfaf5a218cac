"""The doors of clinics: an example is written, and looked at."""

import csv
import json
import re

import pytest

from tests.experiments.conftest import assert_refused, open_door
from tests.fakes.clinics import KEY, change_row, write_simultaneous

HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}


@pytest.fixture(autouse=True)
def own_key(tmp_path, monkeypatch):
    """Nobody's key is made or used by a test."""
    path = tmp_path / "pseudonym.key"
    path.write_text(f"{KEY.hex()}\n")
    path.chmod(0o600)
    monkeypatch.setenv("CAPNET_PSEUDONYM_KEY", str(path))


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    home = tmp_path_factory.mktemp("example")
    given = ("kind=vitaldb_art_fem", f"root={home / 'clinic'}", "people=2")
    run = open_door("example_clinics", *given, folder=home / "run").check()
    return run, home / "clinic"


def test_an_example_is_written(example):
    run, root = example
    assert run.last_line == str(root)
    names = {path.name for path in root.iterdir()}
    assert names == {"clinic.json", "manifest.csv", "records"}


def test_an_example_has_no_errors(example, door):
    _, root = example
    run = door("check_data", f"data.root={root}").check()
    pictures = {f"pictures/row00{n}_virtual-0{n - 1}_monitor.png" for n in (2, 3)}
    tables = {"check.json", "check.csv", "check.html", "check_data.log"}
    tables |= {"check.report.json"}  # the twin of the page
    assert run.files == HYDRA | tables | pictures
    assert run.last_line == str(run.folder / "check.html")
    assert "2 recordings of 2 virtual people" in run.out
    page = (run.folder / "check.html").read_text()
    assert "femoral line, not aortic" in page
    text = re.sub(r"data:image/png;base64,[A-Za-z0-9+/=]*", "", page)
    assert 'src="http' not in text
    assert "<link" not in text
    content = json.loads((run.folder / "check.json").read_text())
    assert content["problems"] == []


def test_errors_are_told_and_end_with_status_2(tmp_path, door):
    root = write_simultaneous(tmp_path / "clinic", people=2)
    (root / "records" / "case1.hea").unlink()
    change_row(root, 2, age="190", subject="Canary")
    run = door("check_data", f"data.root={root}", "pictures=false")
    assert run.status == 2
    assert "Traceback" not in run.out + run.err
    with (run.folder / "check.csv").open(newline="") as file:
        rows = [*csv.DictReader(file)]
    errors = {(r["file"], r["row"], r["column"]) for r in rows if r["level"] == "error"}
    assert errors >= {("manifest.csv", "2", "age"), ("manifest.csv", "3", "record")}
    assert all(r["way_out"] for r in rows)
    for path in run.folder.rglob("*"):
        if path.is_file() and ".hydra" not in path.parts:
            assert b"Canary" not in path.read_bytes()
    assert "Canary" not in run.out + run.err
    assert not (run.folder / "pictures").exists()


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("shown=0", "shown = 0"),
        ("shown=long", "shown is 'long'"),
        ("pictures=2", "pictures is 2"),
        ("data.root=[]", "data.root is []"),
    ],
)
def test_bad_settings_are_one_clear_line(example, door, override, words):
    _, root = example
    assert_refused(door("check_data", f"data.root={root}", override), words)


def test_a_folder_is_asked_for(door):
    assert_refused(door("check_data"), "data.root")
    assert_refused(door("example_clinics"), "root")
    assert_refused(door("example_clinics", "root=x", "people=0"), "people = 0")
    assert_refused(door("example_clinics", "root=x", "kind=ward"), "'ward'")
