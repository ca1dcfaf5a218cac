"""The road of somebody's own clinic, on virtual ones in the same format."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from capnet.data.clinic.examples import write_example_clinic
from capnet.data.clinic.folder import clinic_beats, read_clinic
from capnet.errors import ConfigError
from capnet.evaluation.frame import FRAME_COLUMNS
from capnet.evaluation.statistics.bootstrap import MIN_SUBJECTS
from capnet.models.zoo import load_model
from capnet.prediction import DISCLAIMER
from experiments.clinic_road import LEAST, LEAST_POOL, clinic_split
from tests.experiments.conftest import (
    NET,
    STEPS,
    assert_refused,
    assert_sealed,
    open_door,
)
from tests.fakes.clinics import KEY, change_row, change_settings, copied
from tests.fakes.people import make_people, refuse

SMALL = ("source.n=60", "pretraining.draws=3", "resamples=100", *NET, *STEPS)
SMALL += ("intervals.people=30",)
LEFT = {
    *("report.html", "report.json", "metrics.json", "predictions.parquet"),
    *("pipeline.log", "model.onnx", "certificate.json", "runtime.py", "card.json"),
    *("model/model.json", "model/model.safetensors", "model/uncertainty.json"),
    *("check.json", "check.csv"),
    *(".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"),
}


def opened(root, folder, *more):
    given = ("data=clinic", f"data.root={root}", *SMALL, *more)
    return open_door("pipeline", *given, folder=folder)


def text_of(run):
    page = (run.folder / "report.html").read_text()
    return re.sub(r"data:[a-z/+]*;base64,[A-Za-z0-9+/=]*", "", page)


def frame_of(run):
    return pd.read_parquet(run.folder / "predictions.parquet")


# With a reference, minutes apart


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    root = tmp_path_factory.mktemp("clinic") / "lab"
    return write_example_clinic("catheter_lab", root, people=10, seed=0)


@pytest.fixture(scope="module")
def judged(lab, tmp_path_factory):
    return opened(lab, tmp_path_factory.mktemp("lab") / "run").check()


def test_everything_is_left_in_the_folder_of_the_run(judged):
    assert judged.files == LEFT | {
        *("ranking_cuff.png", "table.md", "truth.parquet", "SHA256SUMS")
    }
    assert_sealed(judged)
    assert judged.last_line == str(judged.folder / "report.html")


def test_ten_people_are_enough_and_floors_stand_beside(judged):
    frame = frame_of(judged)
    assert [*frame.columns][: len(FRAME_COLUMNS)] == [*FRAME_COLUMNS]
    assert frame["subject"].nunique() == MIN_SUBJECTS
    assert {*frame["k"]} == {0, LEAST_POOL}
    assert {*frame["role"]} == {"deep", "floor", "control"}
    assert {*frame["reference_type"]} == {"simulated"}
    for k in (0, LEAST_POOL):
        assert {"deep", "floor"} <= {*frame.loc[frame["k"] == k, "role"]}


def test_the_report_says_that_the_reference_was_not_simultaneous(judged):
    text = text_of(judged)
    assert DISCLAIMER in text
    assert "The reference is not simultaneous." in text
    assert "heart rate by" in text
    assert "virtual" in text
    assert "Error of central SBP by held-out subject" in text
    assert "They were 8 minutes apart" in text
    assert f"{LEAST_POOL} may give labels (k = {LEAST_POOL} of them do)" in text
    assert "Asked for was k = 20" in text
    assert "so few people are too narrow" in text
    assert "fluid-filled catheter that rings" in text
    shown = [row[0] for row in errors_by_subject(judged)["rows"]]
    assert shown == sorted(frame_of(judged)["subject"].unique())
    assert (
        json.loads((judged.folder / "metrics.json").read_text())["provenance"]["notes"][
            "reference"
        ]
        == "simulated, not simultaneous"
    )
    card = (judged.folder / "card.json").read_text()
    assert "not simultaneous" in card


def test_errors_by_subject_are_those_of_the_table(judged):
    """The first number of a cell is the mean of a method's errors on a subject."""
    frame = frame_of(judged)
    rows = frame[(frame["method"] == "Bi-LSTM, source only") & frame["accepted"]]
    error = (rows["csbp"] - rows["csbp_ref"]).groupby(rows["subject"]).mean()
    table = errors_by_subject(judged)
    heads = table["columns"]
    column = next(i for i, h in enumerate(heads) if h.startswith("Bi-LSTM, source"))
    rows = {row[0]: row for row in table["rows"]}
    for subject, value in error.items():
        assert float(rows[subject][column].split()[0]) == pytest.approx(
            value, abs=0.051
        )


def errors_by_subject(run):
    """The table of the report's twin."""
    twin = json.loads((run.folder / "report.json").read_text())
    tables = (t for section in twin["sections"] for t in section["tables"])
    begins = "Error of central SBP by held-out subject"
    return next(t for t in tables if t["caption"].startswith(begins))


def test_the_model_is_the_adapted_one(judged):
    model = load_model(judged.folder / "model")
    assert (model.name, model.k) == ("MMD + LoRA + replay", LEAST_POOL)


def test_the_place_of_the_folder_is_in_no_result(judged, lab):
    for name in LEFT - {"pipeline.log", ".hydra/overrides.yaml"}:
        if not name.startswith(".hydra"):
            assert str(lab).encode() not in (judged.folder / name).read_bytes()


def test_a_clinic_that_is_too_small_is_refused(lab, tmp_path):
    root = copied(lab, tmp_path / "small")
    lines = (root / "manifest.csv").read_text().splitlines()
    (root / "manifest.csv").write_text("\n".join(lines[:-2]) + "\n")
    run = opened(root, tmp_path / "run")
    assert_refused(run, "9 of 9 people", f"at least {LEAST}", "reference_type 'none'")


def test_errors_of_the_folder_stop_with_the_whole_list(lab, tmp_path):
    root = copied(lab, tmp_path / "spoilt")
    change_row(root, 3, age="200")
    change_row(root, 5, cuff_dbp="250")
    (root / "records" / "virtual-03-pulse.hea").unlink()
    run = opened(root, tmp_path / "run")
    words = ("3 errors", "row 3", "row 5", "row 7", "check_data.py")
    assert_refused(run, *words, error="RecordError")
    assert "virtual subjects" not in run.out  # before any work


def test_without_labels_the_same_folder_gives_estimates(lab, tmp_path):
    root = copied(lab, tmp_path / "none")
    change_settings(root, reference_type="none", simultaneous=None, names={})
    lines = (root / "manifest.csv").read_text().splitlines()
    kept = [line for line in lines if ",reference," not in line][:4]
    (root / "manifest.csv").write_text("\n".join(kept) + "\n")
    run = opened(root, tmp_path / "run").check()
    assert_no_error_is_claimed(run)
    frame = frame_of(run)
    assert {*frame["site"]} == {"brachial"}
    # a radial line is no place for a transfer function of the arm
    assert not frame["method"].str.contains("abp as brachial").any()


# Without a reference


@pytest.fixture(scope="module")
def estimated(tmp_path_factory):
    home = tmp_path_factory.mktemp("artfem")
    root = write_example_clinic("vitaldb_art_fem", home / "clinic", people=3, seed=0)
    return opened(root, home / "run").check()


def assert_no_error_is_claimed(run):
    text = text_of(run)
    for word in ("MAE", "RMSE", "rmse_"):
        assert word not in text
    assert DISCLAIMER in text
    frame = frame_of(run)
    assert [*frame.columns] == [*FRAME_COLUMNS, "site"]
    assert {*frame["reference_type"]} == {"none"}
    for name in ("csbp", "cdbp", "cmap", "cpp"):
        assert frame[f"{name}_ref"].isna().all()
    assert {*frame["role"]} == {"deep", "floor", "control"}


def test_a_femoral_line_is_shown_and_never_scored(estimated):
    kept = {f"{what}_radial.parquet" for what in ("answers", "asked")}
    assert estimated.files == LEFT | kept
    assert_no_error_is_claimed(estimated)
    frame = frame_of(estimated)
    assert frame["subject"].nunique() == 3
    assert {*frame["site"]} == {"radial"}  # clinic.json says where the line is
    text = text_of(estimated)
    assert "femoral, not aortic" in text
    assert "A femoral line is not aortic" in text
    assert not frame["method"].str.contains("femoral").any()
    metrics = json.loads((estimated.folder / "metrics.json").read_text())
    assert metrics["clinic"]["reference_type"] == "none"
    assert metrics["clinic"]["people"] == 3


# The split


def target_of(n):
    return make_people(n, beats=2, seed=1)


@pytest.mark.parametrize("n", [10, 12, 40])
def test_a_split_has_nobody_twice(n):
    split = clinic_split(target_of(n), pool=0.25, unlabelled=0.25, seed=3)
    groups = [set(split.pool), set(split.unlabelled), set(split.test)]
    assert sum(map(len, groups)) == len(set.union(*groups)) == n
    assert len(split.pool) >= LEAST_POOL
    assert len(split.test) >= MIN_SUBJECTS


def test_who_has_no_reference_serves_without_a_label():
    beats = target_of(12)
    reference = beats.reference.copy()
    lost = beats.subjects[:2]
    reference[np.isin(beats.subject, lost)] = np.nan
    beats = beats.replace(reference=reference)
    split = clinic_split(beats, pool=0.25, unlabelled=0.25, seed=3)
    assert set(lost) <= set(split.unlabelled)
    assert not set(lost) & {*split.pool, *split.test}


def test_shares_that_leave_too_few_are_refused():
    with pytest.raises(ConfigError, match=r"10 of 10 people.*split\.pool"):
        clinic_split(target_of(10), pool=0.5, unlabelled=0.3, seed=0)


def test_who_was_refused_by_the_gate_is_nowhere():
    beats = target_of(11)
    out = beats.subjects[0]
    spoilt = refuse(beats, [*np.flatnonzero(beats.subject == out)])
    split = clinic_split(spoilt, pool=0.25, unlabelled=0.25, seed=0)
    assert out not in {*split.pool, *split.unlabelled, *split.test}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("data.root=[]", ["data.root is []"]),
        ("resamples=20", ["resamples is 20"]),
        ("strategies.lora.kind=magic", ["strategy 'magic'"]),
    ],
)
def test_bad_settings_are_refused_at_once(lab, tmp_path, override, words):
    assert_refused(opened(lab, tmp_path / "run", override), *words)


def test_a_site_that_no_virtual_person_has_is_refused(lab, tmp_path):
    root = copied(lab, tmp_path / "wrist")
    for row in range(3, 22, 2):
        change_row(root, row, cuff_site="radial")
    run = opened(root, tmp_path / "run", "pretraining.draws=1")
    assert_refused(run, "radial artery", "pretraining.draws")


def test_beats_of_the_clinic_are_what_is_predicted(judged, lab):
    beats = clinic_beats(read_clinic(lab, key=KEY))
    frame = frame_of(judged)
    rows = frame[frame["method"] == "ridge"]
    mine = beats.of(rows["subject"].unique())
    assert len(rows) == len(mine)
    np.testing.assert_array_equal(rows["accepted"], mine.accepted)
