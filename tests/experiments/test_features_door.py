"""The door of features: a table of beats, what the gate said, and pictures."""

import json

import pandas as pd
import pytest

from capnet.data.privacy.pseudonyms import pseudonym_key, unnamed
from capnet.data.privacy.search import scan
from capnet.data.readers import read_record
from capnet.features import FEATURES, feature_table
from capnet.files import sha256_of
from tests.experiments.conftest import assert_refused, open_door
from tests.fakes.make_record import make_record

HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_record(tmp_path_factory.mktemp("record"), seconds=60.0)


@pytest.fixture(scope="module")
def run(path, tmp_path_factory):
    home = tmp_path_factory.mktemp("features")
    more = ("near=ABP", "far=PLETH", "distance=0.2", "height=1.8")
    return open_door("features", f"record={path}", *more, folder=home / "run").check()


def test_it_leaves_tables_and_pictures(run):
    tables = {"features.parquet", "features.json", "windows.csv", "features.log"}
    pictures = {"record.png", "tachogram.png", "transit.png"}
    assert run.files == HYDRA | tables | pictures
    assert run.last_line == str(run.folder / "features.parquet")


def test_the_table_is_that_of_the_library(run, path):
    table = pd.read_parquet(run.folder / "features.parquet")
    record = unnamed(read_record(path), key=pseudonym_key())
    expected = feature_table(record, near="ABP", far="PLETH", distance=0.2, height=1.8)
    pd.testing.assert_frame_equal(table, expected, check_dtype=False)
    assert table["accepted"].mean() > 0.9
    assert table["pwv"].notna().mean() > 0.9


def test_every_group_is_accounted_for(run):
    groups = json.loads((run.folder / "features.json").read_text())["groups"]
    assert list(groups) == FEATURES.groups
    for group in groups.values():
        assert group["known"] + sum(group["reasons"].values()) == pytest.approx(1.0)
    assert groups["pat"]["known"] > 0.9
    assert groups["spo2"]["known"] == 0.0


def test_windows_and_reasons(run):
    windows = pd.read_csv(run.folder / "windows.csv")
    assert list(windows) == ["start", "stop", "II", "PLETH", "ABP"]
    assert len(windows) == 7
    assert windows["PLETH"].isna().mean() > 0.7  # no reason, no word
    told = json.loads((run.folder / "features.json").read_text())["channels"]
    assert told == {"II": "", "PLETH": "", "ABP": ""}


def test_nothing_names_the_record(tmp_path):
    path = make_record(tmp_path / "in", seconds=30.0, name="Lovelace")
    run = open_door("features", f"record={path}", folder=tmp_path / "run").check()
    hits = scan([run.folder], words=["Lovelace"], patterns=[])
    assert {hit.file.split("/")[0] for hit in hits} == {".hydra"}  # as it was typed
    notes = json.loads((run.folder / "features.json").read_text())["provenance"]
    assert sha256_of(path) in notes["notes"]["files"].values()
    assert scan([run.folder]) == []  # nor does anything look like somebody


def test_the_log_holds_no_name_from_inside_a_file(tmp_path):
    path = make_record(tmp_path / "in", seconds=30.0)
    path.write_text(path.read_text().replace("PLETH", "Lovelace"))
    run = open_door("features", f"record={path}", "ppg=PLETH", folder=tmp_path / "run")
    assert run.status == 2
    assert "'Lovelace'" in run.out  # the screen helps, the log is shared
    log = (run.folder / "features.log").read_text()
    assert "'PLETH'" in log
    assert "Lovelace" not in log


def test_without_a_record_it_says_so(tmp_path):
    done = open_door("features", folder=tmp_path / "run")
    assert_refused(done, "record")


def test_one_site_alone_is_refused_and_nothing_is_left(path, tmp_path):
    done = open_door("features", f"record={path}", "near=ABP", folder=tmp_path / "run")
    assert_refused(done, "wanted two pulse channels")
