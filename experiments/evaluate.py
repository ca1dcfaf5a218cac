"""Judge models or anybody's predictions beside the floors, or verify a report.

- ``python experiments/evaluate.py models=[<folder>] source_beats=<npz>
  target_beats=<npz>``: models on held-out people of a clinic.
- ``python experiments/evaluate.py predictions=<table> reference=<table>``: predictions
  that somebody brings, CSV or Parquet, see `capnet.evaluation.tables` for the
  columns. What the reference does not say itself is given by ``reference_type=`` and
  ``calibration='cuff SBP/DBP'``. Floors and controls that need no wave are made from
  the reference, cross-fitted by subject, or learn from ``train=<table>``; for rows with
  labels from ``labelled=<table>``.
- ``python experiments/evaluate.py --verify <folder>``: makes the numbers of a report
  again and says which differ, and which files have changed; with ``--again`` the whole
  run, from its configuration and seed.

The first two leave report.html with report.json, metrics.json, predictions.parquet,
truth.parquet, and print where the report is.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import hydra
import numpy as np
from omegaconf import DictConfig

from capnet.data.stores.table import load_beats
from capnet.errors import ConfigError
from capnet.evaluation import evaluate, print_evaluation
from capnet.evaluation.judgement import Judgement, judge_evaluation
from capnet.evaluation.tables.floors import table_floors
from capnet.evaluation.tables.predictions import read_predictions
from capnet.evaluation.tables.references import read_truth
from capnet.evaluation.truth import Truth
from capnet.models.zoo import load_model
from capnet.prediction import Prediction
from experiments.beside import audited, reproduced
from experiments.door import console, door, folder, plain
from experiments.results import leave_benchmark
from experiments.stages import check_unseen, floors, shots_of, shuffled, split_of
from experiments.verifying import FLAG, verify

_TABLES: Final = ("predictions", "reference", "train", "labelled")


def main() -> None:
    """Judge, or verify what was judged."""
    if FLAG in sys.argv[1:]:
        sys.exit(verify(sys.argv[1:]))
    sys.argv[1:] = [_quoted(word) for word in sys.argv[1:]]
    judge()


def _quoted(word: str) -> str:
    """Put the path of a table in quotes: the grammar of hydra knows no brackets."""
    key, _, path = word.partition("=")
    if key not in _TABLES or re.fullmatch(r"null|'.*'|\".*\"|[\w./:~-]*", path):
        return word
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", path)
    return f"{key}='{escaped}'"


@hydra.main(version_base="1.3", config_path="../configs", config_name="evaluate")
@door
def judge(cfg: DictConfig) -> None:
    """Predict or read predictions, make floors, evaluate, report."""
    settings = plain(cfg)
    if settings["predictions"] is None:
        judgement, inputs = _models(cfg, settings)
    else:
        judgement, inputs = _tables(settings)
    report = leave_benchmark(
        {judgement.evaluation.calibration: judgement},
        folder(),
        config=settings,
        notes={},
        inputs={name: Path(path) for name, path in inputs.items()},
    )
    print_evaluation(judgement.evaluation, console)
    print(report)


def _models(
    cfg: DictConfig, settings: Mapping[str, Any]
) -> tuple[Judgement, dict[str, str]]:
    """Ask models and floors about held-out people."""
    chosen = settings["models"]
    if not isinstance(chosen, list) or not chosen:
        msg = (
            f"models is {chosen!r}; wanted a list of one or more: models=[path], or "
            "predictions=<table> with reference=<table>."
        )
        raise ConfigError(msg)
    models = [load_model(name_or_path) for name_or_path in chosen]
    for name in ("source_beats", "target_beats"):
        if settings[name] is None:
            msg = f"a value is missing: {name}. Give it as {name}=<npz>."
            raise ConfigError(msg)
    source = load_beats(Path(cfg.source_beats))
    target = load_beats(Path(cfg.target_beats))
    split = split_of(target, settings["split"])
    test = target.of(split.test)
    shots = shots_of(source, target, split, k=cfg.k, seed=cfg.seed)
    for model in models:
        check_unseen(model, test)
    rows = [
        *floors(source, test, shots),
        *(model.predict(test) for model in models),
        *shuffled(models[:1], test, seed=cfg.seed),
    ]
    evaluation = evaluate(rows, test, resamples=cfg.resamples, seed=cfg.seed)
    judgement = judge_evaluation(
        evaluation,
        leakage=audited(source, target, split),
        circularity=reproduced(test),
    )
    inputs = {name: settings[name] for name in ("source_beats", "target_beats")}
    return judgement, inputs | {f"models[{i}]": str(m) for i, m in enumerate(chosen)}


def _tables(settings: Mapping[str, Any]) -> tuple[Judgement, dict[str, str]]:
    """Read predictions, reference, and whom floors may learn from."""
    paths = {
        name: str(settings[name]) for name in _TABLES if settings[name] is not None
    }
    if settings["models"]:
        msg = "both models= and predictions= were given; give one of them."
        raise ConfigError(msg)
    # A table that a report has left holds its reference in columns of its own.
    truth = _truth(paths.get("reference", paths["predictions"]), settings)
    rows = read_predictions(paths["predictions"], truth=truth)
    others = {
        name: _truth(paths[name], settings)
        for name in ("train", "labelled")
        if name in paths
    }
    made = table_floors(
        truth,
        others.get("train"),
        shots=[p.k for p in rows if p.role == "deep"],
        labelled=others.get("labelled"),
        seed=settings["seed"],
    )
    evaluation = evaluate(
        _together(rows, made),
        truth,
        resamples=settings["resamples"],
        seed=settings["seed"],
    )
    return judge_evaluation(evaluation), paths


def _truth(path: str, settings: Mapping[str, Any]) -> Truth:
    return read_truth(
        path,
        reference_type=settings["reference_type"],
        calibration=settings["calibration"],
    )


def _together(rows: list[Prediction], made: list[Prediction]) -> list[Prediction]:
    """Put floors made here before the rows that were brought; none, no name twice."""
    taken = {(p.method, p.k) for p in rows}
    own = [
        p.replace(method=f"{p.method}, made here") if (p.method, p.k) in taken else p
        for p in made
        if not any(_same(p, row) for row in rows)
    ]
    return [*own, *rows]


def _same(made: Prediction, row: Prediction) -> bool:
    """Say whether a row that was brought is the floor that was made."""
    keys = [(p.family, p.k, p.role, p.inputs) for p in (made, row)]
    own, brought = (np.stack([p.csbp, p.cdbp, p.cmap]) for p in (made, row))
    return keys[0] == keys[1] and np.allclose(own, brought, atol=1e-6, equal_nan=True)


if __name__ == "__main__":
    main()
