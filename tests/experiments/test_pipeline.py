"""The main job, on a handful of people."""

import dataclasses
import json
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir

from capnet.data.readers import read_record
from capnet.data.splits import few_shot_split
from capnet.data.writers.records import write_record
from capnet.evaluation import evaluate, verify_run
from capnet.evaluation.frame import FRAME_COLUMNS
from capnet.models.zoo import load_model
from capnet.prediction import DISCLAIMER
from experiments import build
from experiments.door import plain
from experiments.judging import pairs
from experiments.pipeline import Source
from experiments.results import leave_benchmark
from experiments.stages import observe, people, shots_of
from tests.evaluation.conftest import make_beats, waves, with_controls
from tests.experiments.conftest import (
    ROOT,
    TINY,
    Opened,
    assert_refused,
    assert_sealed,
    open_door,
)
from tests.fakes.make_record import make_record
from tests.fakes.people import make_people, refuse

LEFT = {
    *("report.html", "report.json", "metrics.json", "predictions.parquet"),
    *("pipeline.log", "model.onnx", "certificate.json", "runtime.py", "card.json"),
    *("model/model.json", "model/model.safetensors", "model/uncertainty.json"),
    *(".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"),
}


ANSWERS = ("answers", "asked")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """The script itself, in an interpreter of its own."""
    folder = tmp_path_factory.mktemp("pipeline") / "run"
    script = [sys.executable, str(ROOT / "experiments" / "pipeline.py")]
    done = subprocess.run(
        [*script, *TINY, f"hydra.run.dir={folder}"],
        cwd=folder.parent,  # anywhere
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )
    return Opened(done.returncode, done.stdout, done.stderr, folder).check()


def frame_of(run):
    return pd.read_parquet(run.folder / "predictions.parquet")


def test_everything_is_left_in_the_folder_of_the_run(run):
    pictures = {"ranking_exact.png", "ranking_cuff.png"}
    assert run.files == LEFT | pictures | {"table.md", "truth.parquet", "SHA256SUMS"}
    assert_sealed(run)


def test_nothing_is_left_where_it_was_started(run):
    assert [path.name for path in run.folder.parent.iterdir()] == ["run"]


def test_the_last_line_is_the_path_of_the_report(run):
    assert Path(run.last_line) == run.folder / "report.html"


def test_nothing_is_drawn_or_warned_about_when_nobody_looks(run):
    assert run.err == ""
    assert "\x1b" not in run.out


def test_predictions_have_exactly_the_columns_promised(run):
    frame = frame_of(run)
    assert [*frame.columns][: len(FRAME_COLUMNS)] == [*FRAME_COLUMNS]
    assert {*frame["reference_type"]} == {"simulated"}
    assert {*frame["calibration"]} == {"exact", "cuff SBP/DBP"}
    assert {*frame["role"]} == {"deep", "floor", "control"}
    assert {*frame["k"]} == {0, 3}


def test_every_method_answers_the_same_held_out_people(run):
    frame = frame_of(run)
    groups = frame.groupby(["calibration", "method", "k"])["subject"]
    asked = {tuple(subjects) for _, subjects in groups}
    assert len(asked) == 1
    assert not any(name.startswith("virtual-source") for name in asked.pop())


def test_exactly_the_refused_beats_have_a_reason_and_no_number(run):
    frame = frame_of(run)
    np.testing.assert_array_equal(frame["accepted"], frame["reason"] == "")
    assert frame.loc[~frame["accepted"], "csbp"].isna().all()
    assert frame.loc[frame["accepted"], "csbp"].notna().all()


def test_mmd_never_comes_without_its_control(run):
    frame = frame_of(run)
    for k in (0, 3):
        methods = {*frame.loc[frame["k"] == k, "method"]}
        assert {"MMD + LoRA + replay", "MMD + LoRA + replay, lambda = 0"} <= methods
    control = frame[frame["method"] == "MMD + LoRA + replay, lambda = 0"]
    assert {*control["role"]} == {"control"}


def test_floors_see_the_same_k_as_the_deep_rows(run):
    frame = frame_of(run)
    assert (frame.loc[frame["role"] == "floor", "k"] == 3).any()
    assert (frame.loc[frame["role"] == "floor", "k"] == 0).any()


def test_deep_rows_answer_with_intervals(run):
    frame = frame_of(run)
    deep = frame[(frame["role"] == "deep") & frame["accepted"]]
    assert (deep["coverage"] == 0.9).all()
    assert (deep["csbp_low"] < deep["csbp"]).all()
    assert (deep["csbp_high"] > deep["csbp"]).all()
    model = load_model(run.folder / "model")
    assert model.uncertainty


def test_what_stands_beside_the_scores_is_in_the_report(run):
    told = json.loads((run.folder / "report.json").read_text())
    judged = told["numbers"]["evaluations"]
    assert set(judged) == {"exact", "cuff SBP/DBP"}
    for found in judged.values():
        assert found["leakage"]["clean"] is True
        assert found["alignment"]["before"]["name"] == "Bi-LSTM, source only"
        assert found["alignment"]["after"]["name"] == "MMD + LoRA + replay, k = 3"
        assert found["methods"][0]["coverage"]["nominal"] == 0.9
    assert judged["exact"]["budget"] is None  # nothing to hold it against yet
    assert judged["cuff SBP/DBP"]["budget"]["quantity"] == "sbp"
    assert [level["sd"] for level in judged["exact"]["noise"]] == [0, 3, 5, 8]


def test_a_person_of_the_run_has_a_page(run, tmp_path):
    who = frame_of(run)["subject"].iloc[0]
    page = open_door("report", f"run={run.folder}", f"case={who}", folder=tmp_path)
    assert Path(page.check().last_line).name == "case.html"


def test_metrics_are_json_and_say_where_they_come_from(run):
    text = (run.folder / "metrics.json").read_text()
    assert "NaN" not in text
    metrics = json.loads(text)
    assert set(metrics["evaluations"]) == {"exact", "cuff SBP/DBP"}
    made = metrics["provenance"]
    assert made["config"]["k"] == 3
    assert {"python", "torch", "capnet"} <= set(made["versions"])
    assert "virtual subjects" in made["notes"]["source"]


def test_the_report_stands_alone_and_says_what_it_is_not(run):
    report = (run.folder / "report.html").read_text()
    assert DISCLAIMER in report
    assert "virtual" in report
    for outside in ('src="http', "src='http", '<link rel="stylesheet"', "@import"):
        assert outside not in report


def test_the_model_of_the_card_is_the_one_in_the_folder(run):
    model = load_model(run.folder / "model")
    assert model.name == "MMD + LoRA + replay"
    assert model.k == 3
    card = (run.folder / "card.json").read_text()
    assert DISCLAIMER in card
    assert "simulated" in card


@pytest.mark.usefixtures("unpainted")
def test_the_configuration_makes_the_same_run_again(run, tmp_path):
    again = open_door(
        "pipeline",
        "--config-path",
        str(run.folder / ".hydra"),
        "--config-name",
        "config",
        folder=tmp_path / "again",
    ).check()
    pd.testing.assert_frame_equal(frame_of(run), frame_of(again))


# A record at the end of the road

SHORT = (*TINY, "data=wfdb")


@pytest.fixture(scope="module")
def header(tmp_path_factory):
    return make_record(tmp_path_factory.mktemp("record"), seconds=40.0)


def assert_no_error_is_claimed(run):
    """Nobody knows this person's central pressure, so nothing may be called wrong."""
    report = (run.folder / "report.html").read_text()
    text = re.sub(r"data:[a-z/+]*;base64,[A-Za-z0-9+/=]*", "", report)
    assert len(text) < 200_000  # no picture is left in it
    for word in ("MAE", "RMSE", "rmse_"):
        assert word not in text
    assert DISCLAIMER in report
    frame = frame_of(run)
    assert [*frame.columns] == [*FRAME_COLUMNS, "site"]
    assert {*frame["reference_type"]} == {"none"}
    for name in ("csbp", "cdbp", "cmap", "cpp"):
        assert frame[f"{name}_ref"].isna().all()
    assert frame["accepted"].any()
    kinds = {*frame["role"]}
    assert kinds == {"deep", "floor", "control"}


def test_a_record_with_an_arterial_line(header, door):
    run = door("pipeline", *SHORT, f"data.record={header}", "data.age=50").check()
    kept = {f"{what}_{s}.parquet" for what in ANSWERS for s in ("brachial", "radial")}
    assert run.files == LEFT | kept
    assert Path(run.last_line) == run.folder / "report.html"
    assert_no_error_is_claimed(run)
    assert {*frame_of(run)["site"]} == {"brachial", "radial"}
    assert {*frame_of(run)["calibration"]} == {"invasive SBP/DBP"}


@pytest.mark.usefixtures("unpainted")
def test_a_record_with_a_cuff_reading(header, door):
    run = door(
        "pipeline",
        *SHORT,
        f"data.record={header.with_suffix('')}",
        "data.cuff=[120,75]",
    ).check()
    assert_no_error_is_claimed(run)
    assert {*frame_of(run)["site"]} == {"brachial"}
    assert {*frame_of(run)["calibration"]} == {"cuff SBP/DBP"}
    counts = json.loads((run.folder / "metrics.json").read_text())["record"]
    (reading,) = counts["cuff_readings"]
    assert [reading[name] for name in ("time", "sbp", "dbp")] == [0.0, 120.0, 75.0]
    assert (reading["site"], reading["map"]) == ("brachial", None)


@pytest.mark.parametrize(
    ("overrides", "error", "words"),
    [
        (["data.record=nowhere/p"], "RecordError", ["nowhere/p", "does not exist"]),
        (["data.ppg=FINGER"], "RecordError", ["no channel 'FINGER'", "'PLETH'"]),
        (["data.cuff=[120]"], "ConfigError", ["[120]", "[SBP, DBP]"]),
        (["data.cuff=[80,120]"], "ShapeError", ["80/120", "DBP < SBP"]),
        (["pretrained=nowhere"], "RecordError", ["no model 'nowhere'"]),
    ],
)
def test_a_bad_record_is_refused(header, door, overrides, error, words):
    given = [f"data.record={header}", *overrides]
    assert_refused(door("pipeline", *SHORT, *given), *words, error=error)


def test_a_record_is_asked_for(door):
    assert_refused(door("pipeline", *SHORT), "data.record")


# Bad settings


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["k=3000"], ["k = 3000", "the pool has", "clinic.n"]),
        (["k=-1"], ["k = -1"]),
        (["resamples=20"], ["resamples is 20", "100"]),
        (["strategies.lora.kind=magic"], ["strategy 'magic'", "mmd_lora"]),
        (["+strategies.lora.settings.rank=3"], ["no setting 'rank'"]),
        (["source.sensor=eye"], ["sensor 'eye'", "randomised"]),
        (["source.n=0"], ["n 0"]),
        (["split.pool=0.9"], ["pool=0.9", "empty group"]),
        (["export.strategy=none"], ["none", "affine"]),
        (["data.kind=edf"], ["'edf'", "wfdb"]),
        (["+pretraining.settings.depth=3"], ["no setting 'depth'", "hidden"]),
        (["pretraining.draws=0"], ["draws is 0"]),
    ],
    ids=lambda given: given[0] if "=" in given[0] else None,
)
def test_a_bad_setting_is_refused(door, overrides, words):
    assert_refused(door("pipeline", *TINY, *overrides), *words)


def test_an_unknown_key_is_refused(door):
    run = door("pipeline", *TINY, "hidden_units=3")
    assert run.status != 0
    assert "Key 'hidden_units' is not in struct" in run.err
    assert "Traceback" not in run.err
    assert not run.folder.exists()


# Real people


@pytest.mark.data
def test_a_real_record_gets_estimates_and_no_errors(shared_data, door):
    record = shared_data / "wfdb_sample" / "mixedsignals"
    run = door("pipeline", *SHORT, f"data.record={record}").check()
    assert_no_error_is_claimed(run)
    assert {*frame_of(run)["site"]} == {"brachial", "radial"}


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "why"), [("s25047/3234460_0018", "flat"), ("03700181", "33 mmHg")]
)
def test_an_unusable_arterial_line_is_refused(shared_data, door, name, why):
    record = shared_data / "wfdb_sample" / name
    run = door("pipeline", *SHORT, f"data.record={record}")
    assert_refused(run, "arterial pressure", why, "Give cuff", error="RecordError")


def test_a_record_without_a_usable_beat_is_refused_with_the_reasons(tmp_path, door):
    made = read_record(make_record(tmp_path / "good", seconds=30.0))
    light = made.signal("ppg")
    noise = np.random.default_rng(0).standard_normal(len(light.values))
    channels = {**made.channels, "PLETH": dataclasses.replace(light, values=noise)}
    spoilt = dataclasses.replace(made, channels=channels)
    record = write_record(spoilt, tmp_path / "noise")
    run = door("pipeline", *SHORT, f"data.record={record}", "data.cuff=[120,80]")
    assert_refused(run, "none of", "beats was accepted", error="RecordError")
    assert "virtual people" not in run.out  # before any work


def test_a_pretrained_model_is_for_real_records(door):
    run = door("pipeline", *TINY, "pretrained=bilstm-virtual")
    assert_refused(run, "pretrained is 'bilstm-virtual'", "data=wfdb")


def test_rows_are_compared_at_the_k_that_they_have():
    """Of 20 people drawn, two had no beat that the gate let through."""
    known = {"affine": 18, "mmd_lora": 18, "mmd_lora_control": 18, "source": 0}
    models = {name: SimpleNamespace(name=name, k=k) for name, k in known.items()}
    assert pairs(models) == [
        (("mmd_lora", 0), ("mmd_lora_control", 0)),
        (("mmd_lora", 18), ("mmd_lora_control", 18)),
        (("mmd_lora", 18), ("affine", 18)),
    ]
    assert pairs({"source": models["source"]}) == []


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("target.seed=0", "source, test share the seed 0"),
        ("target.seed=500000", "source-apart, test share the seed 500000"),
        ("target.name=source-apart", "share the name 'source-apart'"),
        ("intervals.coverage=1.5", "intervals.coverage is 1.5"),
        ("intervals.coverage=much", "intervals.coverage is 'much'"),
        ("intervals.people=10", "intervals.people = 10; wanted at least 25"),
    ],
)
def test_what_would_fail_or_mix_people_later_is_refused_first(door, override, words):
    assert_refused(door("pipeline", *TINY, override), words)


def test_those_whom_intervals_are_learnt_from_serve_nothing_else():
    """Neither those learnt from nor those judged on, by name and by body."""
    with initialize_config_dir(str(ROOT / "configs"), version_base="1.3"):
        cfg = compose("pipeline", [*TINY])
    clinics = [build.clinic(plain(c)) for c in (cfg.source, cfg.target)]
    learnt, judged = (people(c, show=False) for c in clinics)
    source = Source(clinics[0], learnt, cfg)
    apart, home = source.apart("cuff SBP/DBP")
    tables = [
        apart,
        home,
        source.beats("cuff SBP/DBP"),
        observe(clinics[1], judged, "cuff SBP/DBP", draws=1, radial_every=0),
    ]
    for one, other in combinations(tables, 2):
        assert not {*one.subjects} & {*other.subjects}
        assert not np.isin(one.reference, other.reference).any()
    assert len(apart.subjects) == pytest.approx(4 * len(home.subjects), abs=4)


def test_labelled_people_without_a_beat_are_told(caplog):
    source, target = make_people(8, seed=1), refuse(make_people(12, beats=1), [0, 3, 5])
    split = few_shot_split(target, pool=0.5, unlabelled=0.25, seed=0)
    shots = shots_of(source, target, split, k=6, seed=0)
    lost = len(set(split.pool) & set(target.subject[[0, 3, 5]]))
    assert lost  # or nothing is tested here
    assert shots.k == 6 - lost
    assert f"of 6 labelled people {6 - lost} have a beat" in caplog.text


def test_weights_belong_to_what_a_report_is_traced_to(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "weights").write_bytes(b"1")
    (tmp_path / "model.onnx").write_bytes(b"2")
    beats = make_beats([2] * 8)
    evaluation = evaluate(with_controls([waves(beats, "net", error=2.0)], beats), beats)
    given = {evaluation.calibration: evaluation}
    leave_benchmark(given, tmp_path, config={}, notes={})
    found = verify_run(tmp_path)
    assert {"model/weights", "model.onnx"} <= {*found.same}
    (tmp_path / "model" / "weights").write_bytes(b"3")
    assert verify_run(tmp_path).changed == ("model/weights",)
