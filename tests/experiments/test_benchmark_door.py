"""The frozen benchmark: made whole on a handful of people, hashed, opened once."""

import json
import shutil
from dataclasses import fields
from itertools import combinations, pairwise

import numpy as np
import pandas as pd
import pytest
import yaml

import capnet
from capnet.data.openings import openings
from capnet.data.stores.table import load_beats
from capnet.hemodynamics import Cohort
from capnet.hemodynamics.cohort import stream
from capnet.models.checkpoint import save_model
from experiments import build
from experiments.benchmark import compared
from experiments.domains import differences
from tests.experiments.conftest import ROOT, assert_refused, open_door
from tests.fakes.people import tiny_model

CLINICS = ("dev", "test", "locked")
TINY = (
    "source.n=100",
    *(f"{name}.n=50" for name in CLINICS),
    *(f"{name}.solver.kind=linear" for name in CLINICS),
    *("split.pool=15", "split.unlabelled=15", "shots=[3,5]", "draws=2"),
    *("resamples=100", "frozen=null"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    home = tmp_path_factory.mktemp("benchmark")
    model = save_model(tiny_model(name="net"), home / "net")
    asked = (*TINY, f"models=[{model}]")
    return open_door("benchmark", *asked, folder=home / "run").check()


@pytest.fixture
def frozen(run, tmp_path):
    """What a release that may open the locked clinic is started with."""
    path = shutil.copy(run.folder / "manifest.json", tmp_path / "frozen.json")
    return (*TINY, f"frozen={path}")


def read(run, name):
    return json.loads((run.folder / name).read_text())


def test_it_leaves_numbers_tables_pictures_and_beats(run):
    pairs = [(t, c) for t in ("dev", "test") for c in ("exact", "cuff")]
    assert {
        *("manifest.json", "benchmark.json", "splits.json", "floors.csv", "table.md"),
        *("report.html", "report.json", "benchmark.log"),
        *("shift_dev.png", "shift_test.png"),
        *(f"beats/{t}/beats_{c}.npz" for t, c in pairs),
        *(
            f"beats/source/{h}beats_{c}.npz"
            for h in ("", "held_out_")
            for _, c in pairs
        ),
    } == {name for name in run.files if not name.startswith(".hydra")}
    assert run.last_line == str(run.folder / "report.html")


def test_every_floor_is_judged_at_home_and_under_shift(run):
    table = pd.read_csv(run.folder / "floors.csv")
    assert {*table["clinic"]} == {"dev", "test"}
    names = {"cuff SBP - constant", "OLS on scalars", "ridge", "SVR", "random forest"}
    names |= {"fitted GTF (ppg)", "published GTF (ppg as brachial)", "cuff posterior"}
    names |= {f"{m} ({s})" for m in ("ridge", "SVR") for s in ("scalars", "ppg alone")}
    for calibration in ("exact", "cuff SBP/DBP"):
        rows = table[
            (table["clinic"] == "test") & (table["calibration"] == calibration)
        ]
        source_fitted = rows[rows["k"] == 0]
        assert names <= {*source_fitted["method"]}
        assert np.isfinite(source_fitted["in_domain_sbp_rmse"]).all()
        assert np.isfinite(source_fitted[["sbp_rmse", "sbp_rmse_low"]]).all(axis=None)
        line = {"ridge (radial)", "fitted GTF (radial)"}
        assert (line <= {*rows["method"]}) == (calibration == "exact")
        # A reference level that knows labels is never a floor without labels.
        known = rows[rows["k"] > 0]
        assert {"ridge", "ridge (scalars)", "cuff posterior"} <= {*known["method"]}
        assert {*known["k"]} == {30}


def test_a_model_meets_the_best_floor_without_labels(run):
    """And never the reference level, which knows thirty."""
    for result in read(run, "benchmark.json")["results"]:
        roles = {row["method"]: row["role"] for row in result["under_shift"]["methods"]}
        assert roles["net"] == "deep"
        met = [
            c["method_b"]
            for c in result["under_shift"]["comparisons"]
            if c["method_a"] == ["net", 0]
        ]
        assert met
        assert {k for _, k in met} == {0}


def test_few_labels_are_averaged_over_the_draws(run):
    for result in read(run, "benchmark.json")["results"]:
        rows = result["by_labels"]
        assert {row["k"] for row in rows} == {3, 5}
        assert {row["draws"] for row in rows} == {2}
        assert "ridge + affine" in {row["method"] for row in rows}


def test_the_report_puts_home_beside_away(run):
    results = {
        r["calibration"]: r
        for r in read(run, "benchmark.json")["results"]
        if r["clinic"] == "test"
    }
    told = read(run, "report.json")["numbers"]["evaluations"]
    assert told.keys() == results.keys()
    for calibration, result in results.items():
        shift = told[calibration]["shift"]
        home, away = (
            {
                (m["method"], m["k"]): m["values"]["sbp_rmse"]
                for m in result[n]["methods"]
            }
            for n in ("in_domain", "under_shift")
        )
        assert len(shift["rows"]) == len(home) > 10
        for row in shift["rows"]:
            key = tuple(row["method"])
            assert row["home"] == pytest.approx(home[key])
            assert row["away"] == pytest.approx(away[key])
            assert row["difference"] == pytest.approx(away[key] - home[key])


def test_the_report_averages_over_the_draws_of_labels(run):
    results = read(run, "benchmark.json")["results"]
    told = read(run, "report.json")["numbers"]["evaluations"]
    for result in (r for r in results if r["clinic"] == "test"):
        found = told[result["calibration"]]["repeats"]
        assert found["count"] == 2
        rows = {tuple(row["method"]): row for row in found["rows"]}
        assert {k for _, k in rows} == {3, 5}
        for few in result["by_labels"]:
            row = rows[few["method"], few["k"]]
            assert row["mean"] == pytest.approx(few["sbp_rmse"])
            assert row["spread"] == pytest.approx(few["sbp_rmse_sd"])


def test_the_limit_of_the_cuff_stands_beside_every_result(run):
    for result in read(run, "benchmark.json")["results"]:
        found = result["limit_of_the_cuff"]
        assert found["together"] == pytest.approx(
            np.hypot(found["cuff"], found["shape"])
        )
        noisy = result["calibration"] != "exact"
        assert (found["arm"] > 1) == (found["cuff"] > 1) == noisy
    assert run.out.count("Information limit of") == 2
    assert "limit of linear methods" in run.out
    assert (run.folder / "table.md").read_text().count("Information limit") == 4


def test_what_the_ppg_adds_is_a_paired_difference(run):
    for result in read(run, "benchmark.json")["results"]:
        pairs = {
            (c["method_a"][0], c["method_a"][1], c["method_b"][0], c["metric"])
            for c in result["under_shift"]["comparisons"]
        }
        for k in (0, 30):
            assert ("ridge", k, "ridge (scalars)", "sbp_rmse") in pairs
        assert ("SVR", 0, "SVR (scalars)", "sbp_rmse") in pairs
    bars = read(run, "benchmark.json")["bars"]
    assert [isinstance(bar["passed"], bool) for bar in bars] == [True] * 4
    assert run.out.count("pass") + run.out.count("FAIL") >= 4


def test_a_terminal_sees_the_bars_then_one_clinic_then_where_the_rest_is(run):
    places = [
        run.out.index(words)
        for words in ("Bars", "Clinic test: SBP RMSE", "PPG in ridge", "manifest ")
    ]
    assert places == sorted(places)
    assert "Clinic dev" not in run.out
    assert "table.md" in run.out[places[-1] :]


@pytest.mark.usefixtures("unpainted")
def test_a_model_that_was_given_labels_meets_floors_that_were(tmp_path):
    model = save_model(tiny_model(name="net", k=3), tmp_path / "net")
    asked = (*TINY, f"models=[{model}]", "calibrations=[exact]", "save_beats=false")
    run = open_door("benchmark", *asked, folder=tmp_path / "run").check()
    for result in read(run, "benchmark.json")["results"]:
        known = {(m["method"], m["k"]) for m in result["under_shift"]["methods"]}
        assert any(m.startswith("ridge + affine, labels ") for m, k in known if k == 3)
        assert not any(k == 5 for _, k in known)  # more than it was given


def test_the_manifest_hashes_everything_but_the_locked_people(run):
    said = read(run, "manifest.json")
    assert {*said["clinics"]} == {"source", "dev", "test"}
    assert [*said["locked"]] == ["settings"]
    for name in ("dev", "test"):
        parts = said["clinics"][name]
        assert {*parts} >= {"settings", "people", "beats", "split", "draws"}
        assert parts["subjects"]["pool"] == 15
        assert len({*parts["draws"].values()}) == 4
    splits = read(run, "splits.json")
    assert "virtual-locked" not in json.dumps(splits)


def test_splits_name_whom_the_beats_hold(run):
    splits = read(run, "splits.json")
    for name in ("dev", "test"):
        beats = load_beats(run.folder / "beats" / name / "beats_cuff.npz")
        groups = [{*splits[name][g]} for g in ("pool", "unlabelled", "test")]
        assert set.union(*groups) == {*beats.subjects}
        assert sum(map(len, groups)) == len(beats.subjects)
        for drawn in splits[name]["labelled"].values():
            assert {*drawn} <= groups[0]


def test_a_run_says_whether_it_is_the_frozen_one(run):
    said = read(run, "manifest.json")
    assert "no frozen one" in compared(said, None)[0]
    assert "identical to the frozen one" in compared(said, said)[0]
    other = json.loads(json.dumps(said))
    other["clinics"]["dev"]["beats"]["exact"] = "0"
    other["checks"] = {}  # not hashed
    head, *where = compared(said, other)
    assert "DIFFERS from the frozen" in head
    assert [line.strip() for line in where] == ["clinics/dev/beats/exact"]


# The locked clinic -----------------------------------------------------------


@pytest.mark.usefixtures("unpainted")
def test_a_release_opens_the_locked_clinic_once(run, frozen, tmp_path):
    """With two threads: it opens only if they make the frozen benchmark of one."""
    asked = (*frozen, "open=locked", "save_beats=false", "threads=2")
    first = open_door("benchmark", *asked, folder=tmp_path / "first").check()
    assert "identical to the frozen one" in first.out
    assert read(first, "manifest.json") == read(run, "manifest.json")
    (entry,) = openings(tmp_path / "frozen.opened.jsonl")
    said = read(run, "manifest.json")
    assert entry["version"] == capnet.__version__
    assert entry["manifest"] == said["hash"]
    assert entry["clinic"] == said["locked"]["settings"]
    # What was shown is what was written down.
    table = pd.read_csv(first.folder / "floors.csv")
    rows = table[(table["clinic"] == "locked") & (table["calibration"] == "exact")]
    shown = {(m, k): sbp for m, k, _, sbp in entry["shown"]["exact"]}
    for _, row in rows.iterrows():
        assert row["sbp_rmse"] == pytest.approx(shown[row["method"], row["k"]])
    again = open_door("benchmark", *asked, folder=tmp_path / "again")
    assert_refused(again, "opened the locked clinic on", error="ProtocolError")
    assert len(openings(tmp_path / "frozen.opened.jsonl")) == 1


def test_nothing_is_seen_when_the_benchmark_is_not_the_frozen_one(
    run, frozen, tmp_path
):
    changed = ("split.seed=7", "test.sensor.noise=[0.03,0.03]")
    asked = (*frozen, "open=locked", *changed)
    other = open_door("benchmark", *asked, folder=tmp_path / "run")
    assert other.status == 2
    assert "stays closed" in other.out
    assert "clinic locked" not in other.out.replace("the locked clinic", "")
    assert not (tmp_path / "frozen.opened.jsonl").exists()
    left = {name for name in other.files if not name.startswith(".hydra")}
    assert left == {"manifest.json", "benchmark.log"}
    # What was changed, and only that, is told.
    apart = [*differences(read(other, "manifest.json"), read(run, "manifest.json"))]
    assert {"clinics/test/settings", "clinics/dev/split/pool"} <= {*apart}
    assert not {"clinics/dev/beats/exact", "clinics/test/people", "locked"} & {*apart}


@pytest.mark.parametrize(
    ("asked", "words", "error"),
    [
        (
            ["open=locked", "frozen=null"],
            ["there is no frozen manifest"],
            "ProtocolError",
        ),
        (["open=locked", "locked.seed=5"], ["the locked clinic is"], "ProtocolError"),
        (["open=all"], ["open is 'all'"], "ConfigError"),
    ],
)
def test_the_locked_clinic_is_opened_for_the_frozen_benchmark_alone(
    frozen, door, asked, words, error
):
    assert_refused(door("benchmark", *frozen, *asked), *words, error=error)


def test_a_frozen_manifest_that_was_edited_is_refused(run, frozen, door, tmp_path):
    said = read(run, "manifest.json")
    said["locked"]["settings"] = "0123456789abcdef"
    (tmp_path / "frozen.json").write_text(json.dumps(said))
    answer = door("benchmark", *frozen, "open=locked", "locked.seed=5")
    assert_refused(answer, "its content has", "Restore the file", error="RecordError")


# Bad input -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "words", "error"),
    [
        (["calibrations=[cuff SBP/DBP]"], ["exact among them"], "ConfigError"),
        (["dev.seed=2026"], ["dev, test share the seed 2026"], "ConfigError"),
        (["dev.name=test"], ["share the name 'test'"], "ConfigError"),
        (["resamples=20"], ["resamples is 20"], "ConfigError"),
        (["models=[nowhere]"], ["no model 'nowhere'"], "RecordError"),
        (["models=nowhere"], ["wanted a list of words"], "ConfigError"),
        (["calibrations=[exact,none]"], ["wanted some of exact"], "ConfigError"),
        (["shots=[99]"], ["shots is [99]", "15 people"], "ConfigError"),
        (["shots=5"], ["wanted a list of numbers"], "ConfigError"),
        (["shots=[0]"], ["shots = 0"], "ConfigError"),
        (["split.unlabelled=0.3"], ["split.unlabelled is 0.3"], "ConfigError"),
        (["draws=0"], ["draws = 0"], "ConfigError"),
        (["split.pool=90"], ["leave an empty group"], "ConfigError"),
        (["held_out=1.5"], ["held_out is 1.5"], "ConfigError"),
        (["frozen=pyproject.toml"], ["is no manifest"], "RecordError"),
    ],
)
def test_bad_input_is_one_clear_line(door, asked, words, error):
    assert_refused(door("benchmark", *TINY, *asked), *words, error=error)


# Independence ----------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    home = ROOT / "configs" / "clinic"
    return {
        name: build.clinic(
            yaml.safe_load((home / f"{name}.yaml").read_text()), opening=True
        )
        for name in ("source", *CLINICS)
    }


def test_clinics_share_no_recipe_but_that_of_the_body(shipped):
    for one, other in combinations(shipped.values(), 2):
        assert one.seed != other.seed
        assert one.name != other.name
        assert one.sensor != other.sensor
        assert one.cuff != other.cuff


def test_no_person_sensor_or_cuff_is_shared(shipped):
    people = {
        name: Cohort.sample(200, seed=c.seed, population=c.population)
        for name, c in shipped.items()
    }

    def reading(c):
        again, once = stream(c.seed, "draw 0", "cuff"), stream(c.seed, "person", "cuff")
        return c.cuff.draw(200, again, person=once)

    def sensor(c):
        return c.sensor.draw(200, stream(c.seed, "draw 0", "sensor"))

    for (a, one), (b, other) in combinations(shipped.items(), 2):
        for what in ("hr", "sv", "pwv", "arm_stiffness"):
            assert not np.isin(people[a][what], people[b][what]).any()
        for draw in (sensor, reading):
            assert not shared(draw(one), draw(other))


def shared(first, second):
    """Names of drawn arrays that hold a number both have; settings are not drawn."""
    found = []
    for f in fields(first):
        one, other = getattr(first, f.name), getattr(second, f.name)
        if not isinstance(one, np.ndarray) or one.dtype.kind != "f":
            continue
        if any(len(np.unique(v)) < len(np.ravel(v)) for v in (one, other)):
            continue
        found += [f.name] if np.isin(one, other).any() else []
    return found


def test_no_label_draw_is_shared(run):
    """Neither by name nor by number: the same index is another person elsewhere."""
    splits = read(run, "splits.json")
    numbers = [
        {
            name: sorted(int(who.rsplit("-", 1)[1]) for who in drawn)
            for name, drawn in splits[clinic]["labelled"].items()
        }
        for clinic in ("dev", "test")
    ]
    for one, other in pairwise(numbers):
        assert one.keys() == other.keys()
        assert all(one[name] != other[name] for name in one)
    assert not {*splits["dev"]["pool"]} & {*splits["test"]["pool"]}
