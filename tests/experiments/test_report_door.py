"""The door to one person's page, on runs with and without a truth."""

import json

import numpy as np
import pandas as pd
import pytest

from capnet.evaluation.audits.trail import save_run
from capnet.evaluation.truth import truth_of
from capnet.prediction import DISCLAIMER
from experiments.answers import leave_answers, load_answers
from tests.evaluation.conftest import make_beats, numbers, waves
from tests.experiments.conftest import assert_refused


@pytest.fixture(scope="module")
def people():
    beats = make_beats([24] * 8)
    return beats.replace(features={"male": np.ones(len(beats))})


@pytest.fixture(scope="module")
def judged(people, tmp_path_factory):
    """A folder with two calibrations and three rows each."""
    folder = tmp_path_factory.mktemp("judged")
    run = {}
    for calibration in ("exact", "cuff SBP/DBP"):
        beats = people.replace(calibration=calibration)
        rows = [
            waves(beats, "net", error=3.0, k=0),
            waves(beats, "net", error=1.0, spread=1.0, k=10),
            numbers(beats, "arm minus 8"),
        ]
        run[calibration] = (rows, truth_of(beats))
    save_run(run, folder)
    return folder


@pytest.fixture(scope="module")
def estimated(tmp_path_factory):
    """A folder of a record whose central pressure nobody measured."""
    folder = tmp_path_factory.mktemp("estimated")
    beats = make_beats([40], reference=False)
    rows = [numbers(beats, "aligned", role="deep"), numbers(beats, "arm minus 8")]
    sites = ("brachial", "radial")
    leave_answers(dict.fromkeys(sites, rows), dict.fromkeys(sites, beats), folder)
    return folder


def case_in(run):
    twin = json.loads((run.folder / "case.report.json").read_text())
    return twin["numbers"]["case"]


def test_a_case_is_one_page_and_its_twin(door, judged):
    run = door("report", f"run={judged}", "case=v003").check()
    left = {name for name in run.files if not name.startswith(".hydra")}
    assert left == {"case.html", "case.report.json", "report.log"}
    assert run.last_line == str(run.folder / "case.html")
    page = (run.folder / "case.html").read_text()
    assert DISCLAIMER in page
    assert "Case: v003" in page
    found = case_in(run)
    assert found["subject"] == "v003"
    assert found["calibration"] == "cuff SBP/DBP"  # not the ideal one
    assert (found["method"], found["k"]) == ("net", 10)  # the best deep row
    assert len(found["waves"]) == 3


def test_the_numbers_are_those_of_the_run(door, judged, people):
    found = case_in(door("report", f"run={judged}", "case=v003").check())
    (sbp, *_) = found["numbers"]
    mine = people.subject == "v003"
    assert sbp["truth"] == pytest.approx(people.reference[mine].max(axis=1).mean())
    assert sbp["error"] == pytest.approx(sbp["estimate"] - sbp["truth"])


def test_method_k_and_calibration_are_chosen(door, judged):
    where = (f"run={judged}", "case=v001")
    first = case_in(door("report", *where, "method=net", "k=0").check())
    assert (first["method"], first["k"]) == ("net", 0)
    other = case_in(door("report", *where, "method=arm minus 8").check())
    assert other["role"] == "floor"
    exact = case_in(door("report", *where, "calibration=exact").check())
    assert exact["calibration"] == "exact"


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        (["case=v099"], "ProtocolError", ["no subject 'v099'", "'v000', 'v001'"]),
        (["case=v001", "method=ridge"], "ProtocolError", ["'ridge'", "'net' (k = 10)"]),
        (["case=v001", "method=net"], "ProtocolError", ["2 answer", "method and k"]),
        (
            ["case=v001", "calibration=none"],
            "ConfigError",
            ["'none'", "'cuff SBP/DBP'"],
        ),
        (["case=v001", "k=-1"], "ConfigError", ["k"]),
        ([], "ConfigError", ["case"]),
    ],
)
def test_what_is_not_there_is_told(door, judged, overrides, error, words):
    run = door("report", f"run={judged}", *overrides)
    assert_refused(run, *words, error=error)


def test_a_folder_that_is_no_run_is_refused(door, tmp_path):
    nothing = tmp_path / "nothing"
    assert_refused(
        door("report", f"run={nothing}", "case=a"),
        "no such folder",
        error="RecordError",
    )
    nothing.mkdir()
    assert_refused(
        door("report", f"run={nothing}", "case=a"),
        "neither truth.parquet nor answers_",
        error="RecordError",
    )


def test_a_record_without_a_truth_has_a_page_without_an_error(door, estimated):
    where = (f"run={estimated}", "case=v000")
    found = case_in(door("report", *where, "method=aligned").check())
    assert found["reference_type"] == "none"
    assert all(n["truth"] is None and n["error"] is None for n in found["numbers"])
    changes = found["changes"]
    assert changes
    assert all(c["beyond_measurement_error"] is None for c in changes)
    blind = door("report", *where)
    assert_refused(blind, "nobody measured", "'aligned'", error="ProtocolError")
    away = door("report", *where, "method=aligned", "site=femoral")
    assert_refused(away, "'femoral'", "brachial, radial")


def test_what_there_is_no_choice_of_is_told(door, judged, estimated):
    site = door("report", f"run={judged}", "case=v003", "site=radial")
    assert_refused(site, "site is 'radial'", "Leave it out")
    asked = (f"run={estimated}", "case=v000", "method=aligned")
    scale = door("report", *asked, "calibration=exact")
    assert_refused(scale, "calibration is 'exact'", "without a truth")


def test_a_name_that_looks_like_a_number_is_a_name(door, tmp_path):
    beats = make_beats([2] * 6)
    name = "3000003_0012"
    beats = beats.replace(
        subject=np.where(beats.subject == "v003", name, beats.subject)
    )
    save_run({"exact": ([waves(beats, "net")], truth_of(beats))}, tmp_path)
    found = case_in(door("report", f"run={tmp_path}", f"case={name}").check())
    assert found["subject"] == name


def test_answers_come_back_as_they_were(estimated):
    beats = make_beats([40], reference=False)
    rows, asked = load_answers(estimated, "radial")
    assert [p.method for p in rows] == ["aligned", "arm minus 8"]
    np.testing.assert_array_equal(rows[0].csbp, numbers(beats, "aligned").csbp)
    pd.testing.assert_frame_equal(asked.to_frame(), beats.to_frame(), check_dtype=False)
