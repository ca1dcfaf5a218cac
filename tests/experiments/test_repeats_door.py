"""The door that puts several runs of a study together."""

import json
import shutil
from pathlib import Path

import pytest

from capnet.evaluation.audits.trail import save_run
from capnet.evaluation.truth import truth_of
from capnet.files import sha256_of
from capnet.prediction import DISCLAIMER
from tests.evaluation.conftest import make_beats, waves, with_controls
from tests.experiments.conftest import assert_refused, open_door


def leave(folder, *, spread, seed, people=30):
    beats = make_beats([2] * people, seed=3)
    net = waves(beats, "net", spread=spread, seed=seed)
    predictions = with_controls([net], beats)
    folder.mkdir()
    save_run({beats.calibration: (predictions, truth_of(beats))}, folder)
    return str(folder)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    home = tmp_path_factory.mktemp("repeats")
    return [leave(home / f"run{i}", spread=3.0, seed=i) for i in range(3)]


@pytest.fixture(scope="module")
def run(runs, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "run"
    asked = f"runs=[{','.join(runs)}]"
    return open_door("repeats", asked, "resamples=200", folder=out).check()


def test_it_leaves_a_page_and_its_twin(run):
    assert {"repeats.html", "repeats.report.json"} <= run.files
    assert run.last_line == str(run.folder / "repeats.html")


def test_the_numbers_are_means_over_runs(run):
    twin = json.loads((run.folder / "repeats.report.json").read_text())
    found = {r["metric"]: r for r in twin["numbers"]["repeats"]}
    assert set(found) == {"sbp_rmse", "wave_rmse"}
    rows = found["sbp_rmse"]["rows"]
    net = next(r for r in rows if r["method"] == ["net", 0] and r["against"] is None)
    assert len(net["values"]) == 3
    assert net["mean"] == pytest.approx(sum(net["values"]) / 3)
    low, high = net["interval"]
    assert low < 3.0 < high  # what was put in: an error of SD 3 mmHg
    assert net["spread"] > 0


def test_every_file_is_named_with_its_hash(run, runs):
    notes = json.loads((run.folder / "repeats.report.json").read_text())["provenance"]
    hashes = notes["notes"]
    for i, folder in enumerate(runs):
        for name in ("predictions.parquet", "truth.parquet"):
            there = hashes[f"runs[{i}]: run{i}/{name}"]
            assert there == sha256_of(Path(folder) / name)


def test_the_page_says_each_p_value_once_and_what_it_is_not(run):
    page = (run.folder / "repeats.html").read_text()
    assert "(Holm)" in page
    assert "p = p" not in page
    assert DISCLAIMER in page


def test_runs_of_the_same_name_keep_their_hashes(tmp_path):
    """As two sweeps leave them: first/0 and second/0."""
    homes = [tmp_path / "first", tmp_path / "second"]
    for home in homes:
        home.mkdir()
    runs = [leave(h / "0", spread=3.0, seed=i) for i, h in enumerate(homes)]
    asked = (f"runs=[{','.join(runs)}]", "resamples=100", "metrics=[sbp_rmse]")
    run = open_door("repeats", *asked, folder=tmp_path / "run").check()
    twin = json.loads((run.folder / "repeats.report.json").read_text())
    assert len(twin["provenance"]["notes"]) == 4


def test_a_copy_of_a_run_is_no_repeat(runs, tmp_path):
    copy = shutil.copytree(runs[0], tmp_path / "copy")
    done = open_door("repeats", f"runs=[{runs[0]},{copy}]", folder=tmp_path / "run")
    assert_refused(done, "a copy is no repeat")


def test_a_folder_that_is_no_run_is_refused(runs, tmp_path):
    asked = f"runs=[{runs[0]},{tmp_path}]"
    done = open_door("repeats", asked, folder=tmp_path / "run")
    assert_refused(done, "holds no predictions.parquet", error="RecordError")


def test_one_run_is_refused(runs, tmp_path):
    done = open_door("repeats", f"runs=[{runs[0]},{runs[0]}]", folder=tmp_path / "run")
    assert_refused(done, "wanted two or more different ones")


def test_runs_of_other_people_are_refused(runs, tmp_path):
    other = leave(tmp_path / "other", spread=3.0, seed=9, people=20)
    asked = f"runs=[{runs[0]},{other}]"
    done = open_door("repeats", asked, folder=tmp_path / "run")
    assert_refused(done, "wanted the same test set", error="ProtocolError")
