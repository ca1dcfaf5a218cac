"""Anybody's tables through the door, and reports that are made again."""

import json

import numpy as np
import pandas as pd
import pytest

from capnet.evaluation.audits.trail import load_run
from capnet.evaluation.verification import verify_run
from experiments.evaluate import _quoted, _together
from tests.evaluation.audits.test_tables import tables
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


def test_numbers_are_made_again_and_changes_are_named(brought, tmp_path, capsys):
    home, _, paths = brought
    again = open_door("evaluate", *paths, FEW, folder=tmp_path / "run").check()
    inputs = {"predictions": home / "p.csv", "reference": home / "r.csv"}
    found = verify_run(again.folder, inputs)
    assert found.holds
    assert found.numbers > 500
    assert {"predictions", "reference", "truth.parquet"} <= {*found.same}
    json.dumps(found.to_dict(), allow_nan=False)

    path = again.folder / "metrics.json"
    stored = json.loads(path.read_text())
    values = stored["evaluations"]["cuff SBP/DBP"]["methods"][0]["values"]
    values["sbp_rmse"] += 0.01
    path.write_text(json.dumps(stored))
    found = verify_run(again.folder, {"reference": home / "p.csv"})
    assert [d.where for d in found.differences] == [
        "metrics.json cuff SBP/DBP methods[0].values.sbp_rmse"
    ]
    assert found.changed == ("reference",)
    assert "predictions" in found.missing

    page = again.folder / "report.html"
    whole = page.read_text(encoding="utf-8")
    assert "report.html" in verify_run(again.folder).same
    page.write_text(whole.replace("mmHg", "kPa", 1), encoding="utf-8")
    assert "report.html" in verify_run(again.folder).changed
    page.write_text(whole, encoding="utf-8")

    twin = again.folder / "report.json"
    told = json.loads(twin.read_text())
    told["numbers"]["evaluations"] = {}
    twin.write_text(json.dumps(told))
    found = verify_run(again.folder)
    assert "report.json cuff SBP/DBP" in [d.where for d in found.differences]
    twin.unlink()
    found = verify_run(again.folder)
    assert "report.json" in found.missing
    assert any("report.html" in what for what in found.untested)

    truth = again.folder / "truth.parquet"
    frame = pd.read_parquet(truth)
    frame.loc[0, "csbp"] += 1.0
    frame.to_parquet(truth)
    found = verify_run(again.folder)
    assert "truth.parquet" in found.changed
    assert len(found.differences) > 10
    assert "does NOT hold" in str(found)


def test_the_flag_verifies_and_says_so_by_its_status(brought, monkeypatch, capsys):
    from experiments.evaluate import main

    _, run, _ = brought

    def status(*arguments):
        monkeypatch.setattr("sys.argv", ["evaluate.py", *arguments])
        with pytest.raises(SystemExit) as stop:
            main()
        return stop.value.code, capsys.readouterr().out

    code, said = status("--verify", str(run.folder))
    assert code == 0
    assert "The report holds" in said
    code, said = status("--verify", str(run.folder / "nowhere"))
    assert code == 2
    assert "there is no folder" in said
    code, said = status("--verify")
    assert code == 2
    assert "was given 0 folders" in said


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
