"""The doors one after another, by path: observe, pretrain, adapt, evaluate, export."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from capnet.data.stores.table import load_beats
from capnet.evaluation.frame import FRAME_COLUMNS
from capnet.models.zoo import load_model
from tests.experiments.conftest import (
    NET,
    PEOPLE,
    assert_refused,
    assert_sealed,
    open_door,
)

FEW = ("clinic.n=60", "draws=2")
LORA = ("strategy=lora", "strategy.settings.steps=2", "k=3", "resamples=100")
HYDRA = {f".hydra/{name}.yaml" for name in ("config", "hydra", "overrides")}
MODEL = {"model/model.json", "model/model.safetensors"}


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    """Every door once, each eating what the one before it left."""
    home = tmp_path_factory.mktemp("chain")
    runs = {}

    def go(step, door, *overrides):
        runs[step] = open_door(door, *overrides, folder=home / step).check()
        return runs[step].folder

    source = go("source", "observe", *FEW)
    target = go("target", "observe", "clinic=test", *FEW[:1], "draws=1")
    model = go("model", "pretrain", f"beats={source / 'beats_exact.npz'}", *NET)
    beats = (
        f"source_beats={source / 'beats_exact.npz'}",
        f"target_beats={target / 'beats_exact.npz'}",
    )
    adapted = go("adapted", "adapt", f"model={model / 'model'}", *beats, *LORA)
    models = f"models=[{model / 'model'},{adapted / 'model'}]"
    judged = go("judged", "evaluate", models, *beats, "k=3", "resamples=100")
    metrics = f"metrics={judged / 'metrics.json'}"
    go("exported", "export", f"model={adapted / 'model'}", metrics)
    return runs


def frame_of(run):
    return pd.read_parquet(run.folder / "predictions.parquet")


def test_observe_leaves_people_and_their_beats(chain):
    run = chain["source"]
    assert run.files == HYDRA | {
        *("cohort.npz", "waves.png", "observe.log"),
        *("beats_exact.npz", "beats_cuff.npz"),
    }
    exact = load_beats(run.folder / "beats_exact.npz")
    cuff = load_beats(run.folder / "beats_cuff.npz")
    assert (exact.calibration, cuff.calibration) == ("exact", "cuff SBP/DBP")
    assert len(exact) == 2 * len(exact.subjects)
    # The same people, seen with another reading of the cuff.
    np.testing.assert_array_equal(exact.subject, cuff.subject)
    np.testing.assert_array_equal(exact.reference, cuff.reference)
    assert not np.array_equal(exact.cuff, cuff.cuff)


def test_pretrain_leaves_a_model(chain):
    run = chain["model"]
    assert HYDRA | MODEL | {"pretrain.log"} <= run.files
    model = load_model(run.last_line)
    assert model.k == 0
    assert model.info["settings"]["hidden"] == 6


def test_adapt_leaves_a_model_and_who_it_has_seen(chain):
    run = chain["adapted"]
    assert run.files == HYDRA | MODEL | {
        *("report.html", "report.json", "metrics.json", "table.md", "adapt.log"),
        *("predictions.parquet", "truth.parquet", "ranking_exact.png", "split.json"),
        "SHA256SUMS",
    }
    assert_sealed(run)
    model = load_model(run.last_line)
    assert (model.name, model.k) == ("LoRA + replay", 3)
    split = json.loads((run.folder / "split.json").read_text())
    assert len(split["labelled"]) == 3
    assert {*split["labelled"]} <= {*split["pool"]}
    groups = [{*split[name]} for name in ("pool", "unlabelled", "test")]
    assert sum(map(len, groups)) == len(set.union(*groups))
    assert {*frame_of(run)["subject"]} == {*split["test"]}


def test_evaluate_judges_the_people_that_adapt_never_saw(chain):
    run = chain["judged"]
    assert run.files == HYDRA | {
        *("report.html", "report.json", "metrics.json", "evaluate.log", "table.md"),
        *("predictions.parquet", "truth.parquet", "ranking_exact.png", "SHA256SUMS"),
    }
    assert_sealed(run)
    assert Path(run.last_line) == run.folder / "report.html"
    frame = frame_of(run)
    assert [*frame.columns][: len(FRAME_COLUMNS)] == [*FRAME_COLUMNS]
    split = json.loads((chain["adapted"].folder / "split.json").read_text())
    assert {*frame["subject"]} == {*split["test"]}


def test_evaluate_finds_the_same_answers_as_adapt(chain):
    def answers(run):
        rows = frame_of(run).query("method == 'LoRA + replay'")
        return rows[["csbp", "cdbp", "cmap"]].to_numpy()

    there, here = answers(chain["adapted"]), answers(chain["judged"])
    np.testing.assert_allclose(here, there, rtol=0, atol=1e-9)


def test_export_leaves_one_file_with_certificate_runtime_and_card(chain):
    run = chain["exported"]
    assert run.files == HYDRA | {
        *("model.onnx", "certificate.json", "runtime.py", "card.json", "export.log"),
    }
    assert Path(run.last_line) == run.folder / "model.onnx"
    certificate = json.loads((run.folder / "certificate.json").read_text())
    assert certificate["worst_mmhg"] < 1e-2
    card = json.loads((run.folder / "card.json").read_text())
    assert "evaluations" in json.dumps(card)


# Several runs at once


@pytest.mark.usefixtures("unpainted")
def test_a_sweep_makes_what_it_needs_once(tmp_path):
    cache = tmp_path / "cache"
    few = (*PEOPLE[:2], "pretraining.draws=1", *NET, f"cache={cache}")
    affine = ("strategy=affine", "resamples=100", "k=2,3")
    run = open_door("adapt", "-m", *affine, *few, folder=tmp_path / "sweep").check()
    for part, k in (("0", 2), ("1", 3)):
        frame = pd.read_parquet(run.folder / part / "predictions.parquet")
        assert {*frame["k"]} == {0, k}
    (home,) = cache.iterdir()
    assert {p.name for p in home.iterdir()} == {"model", "source.npz", "target.npz"}


@pytest.mark.usefixtures("unpainted")
def test_a_sweep_over_seeds_draws_other_people(chain, tmp_path):
    paths = (
        f"model={chain['model'].folder / 'model'}",
        f"source_beats={chain['source'].folder / 'beats_exact.npz'}",
        f"target_beats={chain['target'].folder / 'beats_exact.npz'}",
    )
    affine = ("strategy=affine", "resamples=100", "k=3", "seed=0,1")
    run = open_door("adapt", "-m", *affine, *paths, folder=tmp_path / "sweep").check()
    first, second = (
        json.loads((run.folder / part / "split.json").read_text()) for part in "01"
    )
    assert first["labelled"] != second["labelled"]
    assert first["test"] == second["test"]


# Bad input


@pytest.mark.parametrize(
    ("door_name", "overrides", "error", "words"),
    [
        ("export", ["model=nowhere"], "RecordError", ["no model 'nowhere'"]),
        ("pretrain", ["beats=nowhere.npz"], "RecordError", ["no beats at nowhere.npz"]),
        ("pretrain", [], "ConfigError", ["beats"]),
        ("evaluate", [], "ConfigError", ["models"]),
        (
            "evaluate",
            ["models=[]", "source_beats=a", "target_beats=b"],
            "ConfigError",
            ["models is []"],
        ),
        (
            "evaluate",
            ["models=nowhere", "source_beats=a", "target_beats=b"],
            "ConfigError",
            ["models is 'nowhere'", "a list"],
        ),
        (
            "evaluate",
            ["models=[nowhere]", "source_beats=a", "target_beats=b"],
            "RecordError",
            ["no model 'nowhere'"],
        ),
        ("adapt", ["model=nowhere"], "ConfigError", ["give all three"]),
        (
            "adapt",
            ["model=nowhere", "source_beats=a", "target_beats=b"],
            "RecordError",
            ["no model 'nowhere'"],
        ),
        ("adapt", ["strategy.kind=magic"], "ConfigError", ["strategy 'magic'"]),
        ("observe", ["clinic.n=0"], "ConfigError", ["n 0"]),
        ("observe", ["draws=0", "clinic.n=4"], "ConfigError", ["draws is 0"]),
        (
            "observe",
            ["calibrations=[none]", "clinic.n=4"],
            "ProtocolError",
            ["'none'", "'exact'"],
        ),
    ],
)
def test_bad_input_is_one_clear_line(door, door_name, overrides, error, words):
    assert_refused(door(door_name, *overrides), *words, error=error)


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (["strategy=magic"], ["strategy/magic", "mmd_lora"]),
        (["kk=3"], ["Key 'kk' is not in struct"]),
    ],
)
def test_what_hydra_refuses_leaves_nothing(door, overrides, words):
    run = door("adapt", *overrides)
    assert run.status != 0
    for word in words:
        assert word in run.err
    assert "Traceback" not in run.err
    assert not run.folder.exists()


def test_labels_that_a_strategy_needs_are_asked_for(chain, door):
    paths = (
        f"model={chain['model'].folder / 'model'}",
        f"source_beats={chain['source'].folder / 'beats_exact.npz'}",
        f"target_beats={chain['target'].folder / 'beats_exact.npz'}",
    )
    run = door("adapt", *paths, "strategy=affine", "k=0", "resamples=100")
    assert_refused(run, "'affine' needs labels", "k is 0")
    run = door("adapt", *paths, "strategy=affine", "k=99", "resamples=100")
    assert_refused(run, "k = 99", "the pool has")


def test_beats_of_two_calibrations_do_not_meet(chain, door):
    run = door(
        "evaluate",
        f"models=[{chain['model'].folder / 'model'}]",
        f"source_beats={chain['source'].folder / 'beats_cuff.npz'}",
        f"target_beats={chain['target'].folder / 'beats_exact.npz'}",
        *("k=3", "resamples=100"),
    )
    assert_refused(run, "source is calibrated by 'cuff SBP/DBP'", "target by 'exact'")


def test_nobody_is_tested_on_who_was_adapted_to(chain, door):
    """Another split than adapt.py's would put people it met into the test."""
    run = door(
        "evaluate",
        f"models=[{chain['adapted'].folder / 'model'}]",
        f"source_beats={chain['source'].folder / 'beats_exact.npz'}",
        f"target_beats={chain['target'].folder / 'beats_exact.npz'}",
        *("k=3", "resamples=100", "split.seed=7"),
    )
    assert_refused(run, "has met", "Evaluate with the split", error="ProtocolError")


@pytest.mark.usefixtures("unpainted")
def test_one_labelled_person_is_enough_for_what_needs_one(chain, door):
    run = door(
        "evaluate",
        f"models=[{chain['model'].folder / 'model'}]",
        f"source_beats={chain['source'].folder / 'beats_exact.npz'}",
        f"target_beats={chain['target'].folder / 'beats_exact.npz'}",
        *("k=1", "resamples=100"),
    )
    run.check()
    methods = {*frame_of(run)["method"]}
    assert "ridge + affine" in methods
    assert "ridge refitted" not in methods


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("split.pool=abc", "split.pool is 'abc'; wanted a number"),
        ("+split.foo=1", "see 'foo'"),
        ("split.seed=-1", "split.seed = -1"),
        ("resamples=abc", "resamples is 'abc'; wanted a whole number"),
    ],
)
def test_a_split_is_checked_before_anything_is_read(door, override, words):
    run = door("evaluate", "models=[x]", "source_beats=x", "target_beats=x", override)
    assert_refused(run, words)
