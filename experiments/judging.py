"""Judge models beside floors and controls on people whose truth is known."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from omegaconf import DictConfig

from capnet.data.splits import FewShotSplit
from capnet.evaluation import Evaluation, evaluate
from capnet.models.central import CentralPressureModel
from capnet.records import Beats
from capnet.types import Calibration
from experiments.door import plain
from experiments.stages import adapted, floors, shots_of, shuffled

__all__ = ["Judged", "Source", "judge", "pairs", "said"]

_log = logging.getLogger(__name__)


class Source(Protocol):
    """The virtual source, as judges need it."""

    def beats(self, calibration: Calibration) -> Beats:
        """Observe the source under a calibration."""
        ...

    def model(self, beats: Beats) -> CentralPressureModel:
        """Pretrain on what was observed."""
        ...


@dataclass(frozen=True)
class Judged:
    """What one calibration gave.

    Attributes:
        evaluation: Of every row on the held-out people.
        models: By the name of the strategy; the largest k.
    """

    evaluation: Evaluation
    models: Mapping[str, CentralPressureModel]


def judge(
    cfg: DictConfig,
    source: Beats,
    model: CentralPressureModel,
    clinic: Beats,
    split: FewShotSplit,
    *,
    k: int,
) -> Judged:
    """Adapt with k = 0 and k, and evaluate beside floors and controls.

    Args:
        cfg: ``strategies``, ``seed`` and ``resamples``.
        source: Virtual people, calibrated as the clinic is.
        model: Pretrained on them.
        clinic: The target.
        split: Who of the target is used for what.
        k: Labelled subjects.
    """
    test = clinic.of(split.test)
    model.name = "Bi-LSTM, source only"
    strategies = plain(cfg.strategies)
    models: dict[str, CentralPressureModel] = {"source": model}
    rows = [model.predict(test), *shuffled([model], test, seed=cfg.seed)]
    for count in sorted({0, k}):
        shots = shots_of(source, clinic, split, k=count, seed=cfg.seed)
        if count == k:
            rows = [*floors(source, test, shots), *rows]
        found = adapted(model, shots, strategies, seed=cfg.seed)
        rows += [m.predict(test) for m in found.values()]
        models |= found  # the largest k stays
        _log.info("calibration %s, k = %d: adapted", clinic.calibration, shots.k)
    evaluation = evaluate(
        rows, test, resamples=cfg.resamples, seed=cfg.seed, compare=pairs(models)
    )
    return Judged(evaluation, models)


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
    return {k: v for k, v in model.info["adaptation"].items() if k != "seen"}
