"""Judge models beside floors and controls on people whose truth is known."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from omegaconf import DictConfig

from capnet.data.splits import FewShotSplit
from capnet.evaluation import Evaluation, evaluate
from capnet.evaluation.budget import (
    ErrorBudget,
    NoiseLevel,
    error_budget,
    under_cuff_noise,
)
from capnet.hemodynamics import Clinic
from capnet.models.central import CentralPressureModel
from capnet.models.estimator import Estimator
from capnet.models.limit import cuff_limit
from capnet.models.posterior import cuff_error
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration
from experiments.door import plain
from experiments.stages import adapted, fitted_floors, shots_of, shuffled

__all__ = [
    "Finish",
    "Judged",
    "Source",
    "budget",
    "judge",
    "pairs",
    "said",
    "worse_cuff",
]

_log = logging.getLogger(__name__)

Finish = Callable[[CentralPressureModel], CentralPressureModel]
"""Gives a model that was trained or adapted what it says beside its answers."""


class Source(Protocol):
    """The virtual source, as judges need it."""

    def beats(self, calibration: Calibration) -> Beats:
        """Observe the source under a calibration."""
        ...

    def model(self, beats: Beats) -> CentralPressureModel:
        """Pretrain on what was observed."""
        ...

    def apart(self, calibration: Calibration) -> tuple[Beats, Beats]:
        """Observe people to learn intervals from, and others to measure them on."""
        ...


@dataclass(frozen=True)
class Judged:
    """What one calibration gave.

    Attributes:
        evaluation: Of every row on the held-out people.
        models: By the name of the strategy; the largest k.
        floors: Fitted, those with labels of that k among them.
    """

    evaluation: Evaluation
    models: Mapping[str, CentralPressureModel]
    floors: Sequence[Estimator] = ()


def judge(
    cfg: DictConfig,
    source: Beats,
    model: CentralPressureModel,
    clinic: Beats,
    split: FewShotSplit,
    *,
    k: int,
    finished: Finish,
) -> Judged:
    """Adapt with k = 0 and k, and evaluate beside floors and controls.

    Args:
        cfg: ``strategies``, ``seed`` and ``resamples``.
        source: Virtual people, calibrated as the clinic is.
        model: Pretrained on them.
        clinic: The target.
        split: Who of the target is used for what.
        k: Labelled subjects.
        finished: Applied to every model before it is asked.
    """
    test = clinic.of(split.test)
    model.name = "Bi-LSTM, source only"
    model = finished(model)
    strategies = plain(cfg.strategies)
    models: dict[str, CentralPressureModel] = {"source": model}
    known: list[Estimator] = []
    rows = [model.predict(test), *shuffled([model], test, seed=cfg.seed)]
    for count in sorted({0, k}):
        shots = shots_of(source, clinic, split, k=count, seed=cfg.seed)
        if count == k:
            known = fitted_floors(source, test, shots)
            rows = [*(floor.predict(test) for floor in known), *rows]
        fresh = adapted(model, shots, strategies, seed=cfg.seed)
        found = {name: finished(m) for name, m in fresh.items()}
        rows += [m.predict(test) for m in found.values()]
        models |= found  # the largest k stays
        _log.info("calibration %s, k = %d: adapted", clinic.calibration, shots.k)
    evaluation = evaluate(
        rows, test, resamples=cfg.resamples, seed=cfg.seed, compare=pairs(models)
    )
    return Judged(evaluation, models, known)


def worse_cuff(cfg: DictConfig, judged: Judged, test: Beats) -> tuple[NoiseLevel, ...]:
    """Ask everybody again with readings that err more and more; nothing is relearnt.

    Args:
        cfg: ``seed`` and ``resamples``.
        judged: Of these beats.
        test: Held-out beats.
    """

    def ask(beats: Beats) -> list[Prediction]:
        floors = [floor.predict(beats) for floor in judged.floors]
        return [*floors, *(m.predict(beats) for m in judged.models.values())]

    return under_cuff_noise(ask, test, resamples=cfg.resamples, seed=cfg.seed)


def budget(
    judged: Mapping[Calibration, Judged],
    clinics: Mapping[Calibration, Beats],
    target: Clinic,
    split: FewShotSplit,
    method: tuple[str, int],
) -> ErrorBudget | None:
    """Split the error of a method into its parts, the limit of the cuff beside them.

    Args:
        judged: By calibration.
        clinics: The same virtual people, by calibration.
        target: Whose cuff it is.
        split: Who was held out; the limit is learnt on all others.
        method: Name and k.

    Returns:
        None where not both calibrations, exact and of the cuff, have such a row.
    """
    exact, read = judged.get("exact"), judged.get("cuff SBP/DBP")
    if exact is None or read is None:
        return None
    if any(method not in {s.key for s in j.evaluation.scores} for j in (exact, read)):
        return None
    beats = clinics["exact"]
    others = beats.of(np.setdiff1d(beats.subjects, split.test))
    _, error = cuff_error(target.cuff)
    limit = cuff_limit(others, beats.of(split.test), error)
    return error_budget(exact.evaluation, read.evaluation, method, limit=limit.together)


def pairs(
    models: Mapping[str, CentralPressureModel],
) -> list[tuple[tuple[str, int], tuple[str, int]]]:
    """Return which rows are compared beside those against floors.

    A row's k is how many of the people drawn have a beat that the gate let through;
    MMD has a control without a label, too.
    """
    found = []
    for a, b in (("mmd_lora", "mmd_lora_control"), ("mmd_lora", "affine")):
        if {a, b} <= set(models):
            known = {models[a].k} | ({0} if b == "mmd_lora_control" else set())
            found += [((models[a].name, k), (models[b].name, k)) for k in sorted(known)]
    return found


def said(model: CentralPressureModel) -> dict[str, Any]:
    """Return what an adaptation said of itself, without whom it has met."""
    people = ("seen", "labelled", "labels")
    return {k: v for k, v in model.info["adaptation"].items() if k not in people}
