"""Anybody's tables through the door, and reports that are made again."""

import io
import json
import shutil
from contextlib import redirect_stdout
from importlib import metadata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from capnet.evaluation.audits.seal import read_seal, seal_run
from capnet.evaluation.audits.trail import load_run, save_run
from capnet.evaluation.budget import error_budget
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.verification import compare_runs, verify_run
from capnet.files import sha256_of
from experiments import verifying
from experiments.evaluate import _quoted, _together
from experiments.results import save_json
from tests.evaluation.tables.test_reading import tables
from tests.evaluation.test_budget import planted
from tests.experiments.conftest import assert_refused, open_door

FEW = "resamples=100"


@pytest.fixture(scope="module")
def brought(tmp_path_factory):
    """Two tables, and what the door made of them."""
    home = tmp_path_factory.mktemp("brought")
    predictions, reference = tables(n=30)
    noise = np.random.default_rng(3).normal(0, 4, len(predictions))
    predictions[["csbp", "cmap"]] += noise[:, None] * [1.0, 0.4]
    predictions["cpp"] = predictions["csbp"] - predictions["cdbp"]
    predictions.to_csv(home / "p.csv", index=False)
    reference.to_csv(home / "r.csv", index=False)
    paths = (f"predictions={home / 'p.csv'}", f"reference={home / 'r.csv'}")
    run = open_door("evaluate", *paths, FEW, folder=home / "run").check()
    return home, run, paths


def test_a_table_gets_its_floors_and_its_report(brought):
    _, run, _ = brought
    assert run.last_line == str(run.folder / "report.html")
    assert {"report.html", "report.json", "metrics.json"} <= run.files
    ((rows, truth),) = load_run(run.folder).values()
    families = {p.family for p in rows}
    assert {"mean", "last cuff", "cuff posterior", "shuffled labels"} <= families
    assert {p.method for p in rows} >= {"net", "ridge"}
    assert all("cross-fitted" in p.method for p in rows if p.family == "OLS")
    assert len(truth) == 90


def test_the_report_tells_what_it_was_made_of_and_nobodys_folders(brought):
    home, run, _ = brought
    made = json.loads((run.folder / "metrics.json").read_text())["provenance"]
    assert {*made["inputs"]} == {"predictions", "reference"}
    assert {*made["git"]} == {"commit", "dirty"}
    assert made["files"].keys() >= {"predictions.parquet", "truth.parquet"}
    assert made["config"]["predictions"] == "p.csv"
    for name in ("metrics.json", "report.json", "report.html"):
        assert str(home) not in (run.folder / name).read_text()


@pytest.fixture
def copy(brought, tmp_path):
    """The run in another folder, under a path with a blank and an umlaut."""
    _, run, _ = brought
    return Path(shutil.copytree(run.folder, tmp_path / "ein Übertrag" / "run"))


def status(*arguments):
    """Open the door, and return its status with what it said."""
    from experiments.evaluate import main

    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr("sys.argv", ["evaluate.py", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            main()
    return stop.value.code, out.getvalue()


def test_a_copy_verifies_from_anywhere_and_nothing_is_written(
    brought, copy, monkeypatch
):
    home, _, _ = brought
    monkeypatch.chdir(copy.parent)
    before = {path: path.stat().st_mtime_ns for path in copy.rglob("*")}
    code, said = status("--verify", "run")
    assert code == 0, said
    assert "The report holds" in said
    assert {path: path.stat().st_mtime_ns for path in copy.rglob("*")} == before

    inputs = {"predictions": home / "p.csv", "reference": home / "r.csv"}
    found = verify_run(copy, inputs)
    assert found.holds
    assert found.numbers > 500
    assert {"predictions", "reference", *read_seal(copy)} <= {*found.same}
    json.dumps(found.to_dict(), allow_nan=False)


def test_inputs_that_are_away_are_told_and_others_are_a_fault(brought, copy):
    home, _, _ = brought
    found = verify_run(copy, {"reference": home / "r.csv"})
    assert found.holds
    assert found.missing == ("predictions",)
    assert "predictions is not where it was" in str(found)
    found = verify_run(copy, {"reference": home / "p.csv"})
    assert not found.holds
    assert found.changed == ("reference",)


def _other(path):
    path.write_bytes(path.read_bytes() + b" ")


def _half(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


@pytest.mark.parametrize(
    ("name", "kind", "change"),
    [
        ("report.html", "changed", _other),
        ("report.html", "missing", Path.unlink),
        ("report.json", "changed", _half),
        ("report.json", "changed", lambda p: p.write_text("[]")),
        ("metrics.json", "changed", lambda p: p.write_text('{"evaluations": 1}')),
        ("metrics.json", "missing", Path.unlink),
        ("predictions.parquet", "changed", _half),
        ("truth.parquet", "missing", Path.unlink),
        (".hydra/config.yaml", "changed", lambda p: p.write_text("{{:")),
        (".hydra/hydra.yaml", "changed", lambda p: p.write_text("hydra: 1")),
        ("table.md", "changed", _other),
        ("note.txt", "added", Path.touch),
        ("SHA256SUMS", "missing", Path.unlink),
        ("SHA256SUMS", "changed", lambda p: p.write_bytes(b"\xff")),
    ],
)
def test_any_file_that_was_touched_is_told_with_a_way_out(copy, name, kind, change):
    change(copy / name)
    code, said = status("--verify", copy)
    assert code == 1
    assert "does NOT hold" in said
    assert f"- {name} ({kind}): found " in said
    assert "wanted" in said
    assert "Way out: " in said


def test_numbers_that_were_changed_are_named(copy):
    path = copy / "metrics.json"
    whole = path.read_text()
    stored = json.loads(whole)
    stored["evaluations"]["cuff SBP/DBP"]["methods"][0]["values"]["sbp_rmse"] += 0.01
    path.write_text(json.dumps(stored))
    found = verify_run(copy)
    assert [d.where for d in found.differences] == [
        "metrics.json cuff SBP/DBP methods[0].values.sbp_rmse"
    ]
    stored["provenance"]["versions"] |= {"capnet": "0.0.1", "nothing-such": "1"}
    path.write_text(json.dumps(stored))
    found = verify_run(copy)
    now = metadata.version("capnet")
    assert found.versions == (("capnet", "0.0.1", now), ("nothing-such", "1", None))
    assert f"capnet was 0.0.1 in that run and is {now} here" in str(found)
    path.write_text(whole)

    twin = copy / "report.json"
    told = json.loads(twin.read_text())
    told["numbers"]["evaluations"] = {}
    twin.write_text(json.dumps(told))
    found = verify_run(copy)
    assert "report.json cuff SBP/DBP" in [d.where for d in found.differences]


def test_a_pressure_that_was_changed_is_found_though_hashes_were_made_to_fit(copy):
    truth = copy / "truth.parquet"
    frame = pd.read_parquet(truth)
    frame.loc[0, "csbp"] += 1.0
    frame.to_parquet(truth)
    entry = {"file": truth.name, "sha256": sha256_of(truth)}
    for name in ("metrics.json", "report.json"):
        stored = json.loads((copy / name).read_text())
        stored["provenance"]["files"][truth.name] = entry
        (copy / name).write_text(json.dumps(stored))
    seal_run(copy)
    found = verify_run(copy)
    assert found.faults == ()
    assert len(found.differences) > 10
    assert not found.holds


@pytest.mark.parametrize("other", [{}, {"a": None}, None, "x"])
def test_numbers_that_were_taken_away_are_named(copy, other):
    path = copy / "metrics.json"
    stored = json.loads(path.read_text())
    stored["evaluations"]["cuff SBP/DBP"]["methods"][0]["values"] = other or []
    stored["evaluations"]["cuff SBP/DBP"]["methods"][1] = other
    path.write_text(json.dumps(stored))
    seal_run(copy)
    places = [d.where for d in verify_run(copy).differences]
    assert "metrics.json cuff SBP/DBP methods[0].values" in " ".join(places)
    assert "metrics.json cuff SBP/DBP methods[1]" in " ".join(places)


def test_sealed_nonsense_is_refused_in_a_line(copy):
    path = copy / "metrics.json"
    path.write_text('{"evaluations": {"cuff SBP/DBP": {}}, "provenance": {}}')
    seal_run(copy)
    code, said = status("--verify", copy)
    assert code == 2
    assert "cannot be made again (KeyError" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", "hydra: {callbacks: {one: {_target_: os.getcwd}}}"),
        ("config.yaml", "hydra@x: 1"),
        ("config.yaml", "defaults: [{override hydra/launcher: other}]"),
        ("config.yaml", "# @package hydra\ncallbacks: {one: {_target_: os.getcwd}}"),
        ("hydra/config.yaml", "callbacks: {one: {_target_: os.getcwd}}"),
    ],
)
def test_a_run_that_gives_orders_is_not_made_again(copy, monkeypatch, name, text):
    monkeypatch.setattr(verifying, "_run", lambda *_: pytest.fail("was started"))
    path = copy / ".hydra" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    made = json.loads((copy / "metrics.json").read_text())
    made["provenance"]["files"].pop(".hydra/config.yaml")
    (copy / "metrics.json").write_text(json.dumps(made))
    twin = json.loads((copy / "report.json").read_text())
    twin["provenance"] = made["provenance"]
    (copy / "report.json").write_text(json.dumps(twin))
    seal_run(copy)
    code, said = status("--verify", copy, "--again")
    assert code == 2
    assert "which no run leaves" in said


def test_a_run_is_made_again_from_its_configuration(copy, monkeypatch):
    def in_this_process(words, begun_in):
        script, *words = words
        place = Path(words.pop().partition("=")[2].strip("'"))
        monkeypatch.chdir(begun_in)
        return open_door(Path(script).stem, *words, folder=place).status

    monkeypatch.setattr(verifying, "_run", in_this_process)
    code, said = status("--verify", copy, "--again")
    assert code == 0, said
    assert said.count("The report holds") == 2
    other = copy.parent / "other"
    shutil.copytree(copy, other)
    twin = other / "report.json"
    stored = json.loads(twin.read_text())
    judged = stored["numbers"]["evaluations"]["cuff SBP/DBP"]
    judged["leakage"] = {"clean": True}
    twin.write_text(json.dumps(stored))
    (found,) = compare_runs(copy, other).differences
    assert found.where == "report.json evaluations.cuff SBP/DBP.leakage"


def test_what_is_no_run_is_refused(brought):
    _, run, _ = brought
    for words, why in (
        ((run.folder / "nowhere",), "there is no folder"),
        ((), "was given 0 folders"),
        ((run.folder / ".hydra",), "there is no metrics.json"),
    ):
        code, said = status("--verify", *words)
        assert code == 2
        assert why in said


def test_a_budget_is_split_again(tmp_path):
    made = [found[0] for found in planted(12, 2, seeds=1)]
    judged = {e.calibration: e for e in made}
    budget = error_budget(*made, "net", limit=4.0)
    given = {
        name: judge_evaluation(e, budget=budget if name != "exact" else None)
        for name, e in judged.items()
    }
    save_run({n: (e.predictions, e.reference) for n, e in judged.items()}, tmp_path)
    numbers = {name: e.to_dict() for name, e in judged.items()}
    save_json({"evaluations": numbers, "provenance": {}}, tmp_path / "metrics.json")
    numbers = {"evaluations": {name: e.to_dict() for name, e in given.items()}}
    save_json({"numbers": numbers, "provenance": {}}, tmp_path / "report.json")
    seal_run(tmp_path)
    found = verify_run(tmp_path)
    assert found.holds
    assert found.untested == ("cuff SBP/DBP: budget.limit",)
    twin = tmp_path / "report.json"
    told = json.loads(twin.read_text())
    told["numbers"]["evaluations"]["cuff SBP/DBP"]["budget"]["cuff"] += 1.0
    twin.write_text(json.dumps(told))
    (where,) = [d.where for d in verify_run(tmp_path).differences]
    assert where == "report.json cuff SBP/DBP budget cuff"


def test_training_people_may_be_brought(brought, door):
    home, _, paths = brought
    _, other = tables(n=20, seed=9)
    other["subject"] = "t" + other["subject"]
    other.to_parquet(home / "t.parquet")
    run = door("evaluate", *paths, f"train={home / 't.parquet'}", FEW).check()
    ((rows, _),) = load_run(run.folder).values()
    assert not [p.method for p in rows if "cross-fitted" in p.method]


@pytest.mark.parametrize(
    ("change", "words", "error"),
    [
        (["models=[x]"], ["both models= and predictions="], "ConfigError"),
        (["reference=nowhere.csv"], ["there is no file 'nowhere.csv'"], "RecordError"),
        (["calibration=exact"], ["says calibration 'cuff SBP/DBP'"], "ProtocolError"),
        (
            ["reference_type=device"],
            ["says reference_type 'catheter'"],
            "ProtocolError",
        ),
    ],
)
def test_what_cannot_be_judged_is_one_line(brought, door, change, words, error):
    _, _, paths = brought
    keys = {c.partition("=")[0] for c in change}
    kept = [p for p in paths if p.partition("=")[0] not in keys]
    assert_refused(door("evaluate", *kept, *change), *words, error=error)


def test_paths_of_tables_may_have_any_sign():
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create()
    for path in ("my table (1).csv", "o'clock, [x].csv", "a=b {c}.csv", "plain.csv"):
        (found,) = parser.parse_overrides([_quoted(f"predictions={path}")])
        assert found.value() == path
    for word in ("predictions='a b.csv'", "seed=1", "models=[a,b]", "reference=null"):
        assert _quoted(word) == word


def test_floors_of_a_report_are_not_made_twice(brought):
    _, run, _ = brought
    ((rows, _),) = load_run(run.folder).values()
    made = [p for p in rows if p.family == "mean"]
    assert _together(rows, made) == rows
    other = [p.replace(csbp=p.csbp + 1.0) for p in made]
    assert _together(rows, other)[0].method.endswith("made here")
