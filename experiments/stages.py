"""The stages that doors share: each takes what the one before it left."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from capnet.adaptation.strategies import Shots
from capnet.data.splits import FewShotSplit, few_shot_split
from capnet.errors import ConfigError, ProtocolError
from capnet.hemodynamics import Clinic, Visit
from capnet.models.acquaintance import met_by
from capnet.models.central import CentralPressureModel
from capnet.models.classical import (
    OLS,
    FittedGTF,
    MovingAverage,
    PeripheralMinusConstant,
    Ridge,
    RidgeAffine,
    RidgeRefit,
    RidgeShrunk,
)
from capnet.models.controls import shuffled_ppg
from capnet.models.estimator import Adaptable, Estimator
from capnet.models.last_cuff import LastCuff
from capnet.models.mean import Mean
from capnet.models.posterior import cuff_posterior
from capnet.models.shuffled_labels import ShuffledLabels
from capnet.models.svr import SVR
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration, CuffSite
from experiments import build
from experiments.door import advance

__all__ = [
    "adapted",
    "beats_file",
    "check_unseen",
    "controls",
    "cuff_sites",
    "fitted_floors",
    "floors",
    "observe",
    "people",
    "shots_of",
    "shuffled",
    "split_of",
    "with_labels",
]

_log = logging.getLogger(__name__)


def people(clinic: Clinic, *, show: bool | None) -> Visit:
    """Draw and simulate the people of a clinic."""
    with advance(f"simulating {clinic.n} people of {clinic.name}", show=show) as bar:
        visit = clinic.simulate(progress=bar)
    _log.info("clinic %s %s: %d virtual people", clinic.name, clinic.hash(), len(visit))
    return visit


def observe(
    clinic: Clinic,
    visit: Visit,
    calibration: Calibration,
    *,
    draws: int,
    radial_every: int,
) -> Beats:
    """Observe the same people several times, with sensor and cuff drawn anew.

    Raises:
        ConfigError: If there is no draw.
    """
    return Beats.concatenate(
        [
            clinic.observe(visit, calibration=calibration, cuff_site=site, draw=draw)
            for draw, site in enumerate(cuff_sites(draws, radial_every))
        ]
    )


def cuff_sites(draws: int, radial_every: int) -> list[CuffSite]:
    """Return where the cuff of each draw is: every so many times at the wrist.

    Raises:
        ConfigError: If there is no draw, or ``radial_every`` is negative.
    """
    for name, value in (("draws", draws), ("radial_every", radial_every)):
        build.check_number(value, int, where=name)
    if draws < 1 or radial_every < 0:
        msg = f"draws is {draws}, radial_every {radial_every}; wanted >= 1 and >= 0."
        raise ConfigError(msg)
    return [
        "radial"
        if radial_every and draw % radial_every == radial_every - 1
        else "brachial"
        for draw in range(draws)
    ]


def beats_file(calibration: str) -> str:
    """Return the name of the file that holds the beats of a calibration."""
    return f"beats_{calibration.split()[0].lower()}.npz"


def split_of(target: Beats, settings: Mapping[str, Any]) -> FewShotSplit:
    """Split a target clinic by subject; the split does not depend on the run's seed."""
    return few_shot_split(target, **build.split(settings))


def shots_of(
    source: Beats, target: Beats, split: FewShotSplit, *, k: int, seed: int
) -> Shots:
    """Return what an adaptation may see: k labels, and inputs of the unlabelled.

    Raises:
        ConfigError: If source and target are calibrated otherwise, or k is impossible.
    """
    if source.calibration != target.calibration:
        msg = (
            f"the source is calibrated by {source.calibration!r}, the target by "
            f"{target.calibration!r}; wanted the same, or floors and models learn one "
            "thing and are judged on another. Take both from the same beats_*.npz."
        )
        raise ConfigError(msg)
    drawn = split.draw(k, seed=seed)
    shots = Shots(
        source=source,
        labelled=target.of(drawn) if k else None,
        unlabelled=target.of(split.unlabelled),
    )
    if shots.k < k:
        _log.warning(
            "of %d labelled people %d have a beat that the gate let through: k = %d",
            *(k, shots.k, shots.k),
        )
    return shots


def floors(source: Beats, test: Beats, shots: Shots) -> list[Prediction]:
    """Fit every floor and control, see `fitted_floors`, and ask them all."""
    return [floor.predict(test) for floor in fitted_floors(source, test, shots)]


def fitted_floors(source: Beats, test: Beats, shots: Shots) -> list[Estimator]:
    """Fit every floor and control on the source, and floors on the k subjects too.

    That is all that `capnet.evaluation.floors` demands of a model of PPG and cuff.
    Floors do not know where a pressure was taken, so they learn only from beats that
    were calibrated where those of the test were.
    """
    source = source.take(np.isin(source.cuff_site, np.unique(test.cuff_site)))
    ridge = Ridge().fit(source)
    found: list[Estimator] = [
        PeripheralMinusConstant().fit(source),
        cuff_posterior(source),
        OLS().fit(source),
        FittedGTF().fit(source),
        MovingAverage(site="brachial").fit(source),
        ridge,
        SVR().fit(source),
        *controls(source),
    ]
    if shots.labelled is not None and shots.k:
        found += with_labels(ridge, shots.labelled, k=shots.k, seen=shots.seen)
    return found


def controls(source: Beats) -> list[Estimator]:
    """Fit what needs no skill, and what cannot have any."""
    kinds = [Mean(), LastCuff(), ShuffledLabels(Ridge())]
    return [kind.fit(source) for kind in kinds]


def with_labels(ridge: Ridge, labels: Beats, *, k: int, seen: str) -> list[Estimator]:
    """Correct or refit floors with the labels that a model was given.

    Args:
        ridge: Fitted on the source.
        labels: Beats of the labelled subjects.
        k: How many subjects they are.
        seen: Their fingerprint.
    """
    adaptable: list[Adaptable] = [RidgeAffine(ridge)]
    if k > 1:  # a penalty cannot be chosen on one person
        adaptable += [RidgeShrunk(ridge), RidgeRefit(ridge)]
    local = PeripheralMinusConstant().fit(labels)
    local.name += ", refitted"
    found: list[Estimator] = [*(floor.adapt(labels) for floor in adaptable), local]
    for floor in found:
        floor.k, floor.seen = k, seen
    return found


def adapted(
    model: CentralPressureModel,
    shots: Shots,
    strategies: Mapping[str, Mapping[str, Any]],
    *,
    seed: int,
) -> dict[str, CentralPressureModel]:
    """Run every strategy that its shots allow; MMD never without its control."""
    found = {}
    for name, settings in strategies.items():
        runs = {name: build.strategy(settings)}
        if settings["kind"] == "mmd_lora" and settings["settings"]["weight"] > 0:
            control = build.strategy(settings, weight=0.0, name=_CONTROL)
            runs[f"{name}_control"] = control
        elif shots.labelled is None and settings["kind"] != "mmd_lora":
            continue
        for key, strategy in runs.items():
            found[key] = strategy.adapt(model, shots, seed=seed)
            if key.endswith("_control"):
                found[key].role = "control"
            _log.info("%s, k = %d: done", strategy.name, shots.k)
    return found


_CONTROL = "MMD + LoRA + replay, lambda = 0"


def check_unseen(model: CentralPressureModel, test: Beats) -> None:
    """Refuse to test a model on people whom it is known to have met.

    Raises:
        ProtocolError: If it has met one of them, with or without a label.
    """
    known = met_by(model, test)
    if known:
        msg = (
            f"{model.name!r} (k = {model.k}) has met {len(known)} of the "
            f"{len(test.subjects)} subjects it would be tested on, {known[0]!r} among "
            "them. Evaluate with the split that adapt.py used (split.*)."
        )
        raise ProtocolError(msg)


def shuffled(
    models: Sequence[CentralPressureModel], test: Beats, *, seed: int
) -> list[Prediction]:
    """Ask models again with the PPG exchanged among people: what is left without it."""
    spoilt = shuffled_ppg(test, seed=seed)
    return [
        model.predict(spoilt).replace(
            method=f"{model.name}, PPG shuffled", role="control"
        )
        for model in models
    ]
