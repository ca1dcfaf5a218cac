"""Ways to carry a pretrained model to a target clinic, each with the same face.

``strategy.adapt(model, shots, seed=...)`` returns a new model and leaves the old one as
it was. What a strategy may see is in `Shots`; held-out subjects are never among it.
"""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from capnet.adaptation.divergences import mmd
from capnet.adaptation.lora import LoRA, attach, check_effect, check_gradients, merge
from capnet.adaptation.prior import prior_weights
from capnet.data.splits import fingerprints
from capnet.errors import ConfigError, ProtocolError
from capnet.models.affine import fit_affine, mean_by_subject
from capnet.models.bilstm import BiLSTM
from capnet.models.central import BeatTensors, CentralPressureModel
from capnet.models.estimator import answerable, seen_by
from capnet.records import Beats
from capnet.training.fit import fit
from capnet.training.losses import beat_loss
from capnet.training.task import Task

__all__ = ["LoRAReplay", "MMDLoRAReplay", "Shots", "ShrunkAffine", "Strategy"]


@dataclass(frozen=True, eq=False)
class Shots:
    """All that a strategy may see.

    Attributes:
        source: Virtual people with labels, for replay.
        labelled: The k target subjects with labels; None when k = 0.
        unlabelled: Further target subjects, inputs only; None when there are none.
        unit: What is independent of each other in ``unlabelled``: subjects, or, where
            one subject is all there is, its beats (then MMD is only a heuristic).
    """

    source: Beats
    labelled: Beats | None = None
    unlabelled: Beats | None = None
    unit: Literal["subject", "beat"] = "subject"

    @property
    def k(self) -> int:
        """Labelled target subjects."""
        return 0 if self.labelled is None else len(_seen(self.labelled).subjects)

    @property
    def seen(self) -> str:
        """Fingerprint of those who give a label (`seen_by`), empty without."""
        return "" if self.labelled is None else seen_by(_seen(self.labelled).subjects)


_MEASURED = 512
"""Beats of each domain between which the MMD is measured before and after."""


class Strategy(Protocol):
    """A way to adapt a model."""

    @property
    def name(self) -> str:
        """Name of the method, as tables print it."""
        ...

    def adapt(
        self, model: CentralPressureModel, shots: Shots, *, seed: int
    ) -> CentralPressureModel:
        """Return an adapted copy of a model."""
        ...


@dataclass(frozen=True, kw_only=True)
class ShrunkAffine:
    """Correct offset and gain of the answers, shrunk towards none.

    Two numbers from k people, as if one more person needed no correction: the first
    stage of every other strategy, and often most of the gain.
    """

    name: str = "net + affine"

    def adapt(
        self, model: CentralPressureModel, shots: Shots, *, seed: int
    ) -> CentralPressureModel:
        """Fit offset and gain on the labelled subjects.

        Raises:
            ProtocolError: If there is no labelled subject.
        """
        del seed
        if shots.labelled is None:
            msg = f"{self.name!r} needs labelled target subjects; k is 0."
            raise ProtocolError(msg)
        labelled = _seen(shots.labelled)
        offset, gain = fit_affine(
            mean_by_subject(model.waves(labelled), labelled.subject),
            mean_by_subject(_reference(labelled), labelled.subject),
        )
        adapted = deepcopy(model)
        # On top of what an earlier adaptation corrected: the fit has seen its answers.
        adapted.offset.add_(offset)
        adapted.gain.mul_(gain)
        return _signed(adapted, model, self, shots, {"offset": offset, "gain": gain})


@dataclass(frozen=True, kw_only=True)
class LoRAReplay:
    """Affine first, then few gentle steps of low-rank adapters with source replay.

    Unregularised few-shot tuning is negative transfer: it learns the cuff errors of
    the k people. Few steps and replay of the source prevent it; a small rank does not.

    Attributes:
        lora: Which weights get adapters.
        steps: Optimizer steps.
        learning_rate: At the top of the cycle.
        batch: Source (and unlabelled target) beats a step.
        replay: Weight of the loss on the source.
        name: Of the method.
    """

    lora: LoRA = field(default_factory=LoRA)
    steps: int = 60
    learning_rate: float = 1e-3
    batch: int = 96
    replay: float = 0.5
    name: str = "LoRA + replay"

    def __post_init__(self) -> None:
        _check_schedule(self)

    def adapt(
        self, model: CentralPressureModel, shots: Shots, *, seed: int
    ) -> CentralPressureModel:
        """Tune adapters on the labelled subjects and the replayed source.

        Raises:
            ProtocolError: If there is no labelled subject.
            AdapterError: If an adapter is not live.
        """
        if shots.labelled is None:
            msg = f"{self.name!r} needs labelled target subjects; k is 0."
            raise ProtocolError(msg)
        started = ShrunkAffine().adapt(model, shots, seed=seed)
        source = _seen(shots.source)
        rng = np.random.default_rng(seed)
        plan = _Plan(
            source=_draw(source.subject, self.steps, self.batch, rng),
            target=np.zeros((self.steps, 0), dtype=np.int64),
            measured=_measured(source, shots, rng),
        )
        return _tune(self, started, shots, plan, seed, weight=0.0, notes={})


@dataclass(frozen=True, kw_only=True)
class MMDLoRAReplay:
    """LoRA with replay, prior weights, and alignment of unlabelled target features.

    The source is replayed with the odds of resembling the clinic
    (`capnet.adaptation.prior`), and the MMD between its features and those of
    unlabelled target subjects is added. With ``weight=0`` it is its own control: the
    same draws, replay and prior weights without the MMD term.

    Attributes:
        lora: Which weights get adapters.
        steps: Optimizer steps.
        learning_rate: At the top of the cycle.
        batch: Source (and unlabelled target) beats a step.
        replay: Weight of the loss on the source.
        weight: Lambda, the weight of the MMD term.
        name: Of the method.
    """

    lora: LoRA = field(default_factory=LoRA)
    steps: int = 60
    learning_rate: float = 1e-3
    batch: int = 96
    replay: float = 0.5
    weight: float = 1.0
    name: str = "MMD + LoRA + replay"

    def __post_init__(self) -> None:
        _check_schedule(self)
        if not 0 <= self.weight < np.inf:
            msg = f"{self.name!r} has an MMD weight of {self.weight}; wanted >= 0."
            raise ConfigError(msg)

    def adapt(
        self, model: CentralPressureModel, shots: Shots, *, seed: int
    ) -> CentralPressureModel:
        """Tune adapters on whatever labels there are, aligned to the unlabelled.

        Raises:
            ProtocolError: If there is no unlabelled target beat.
            AdapterError: If an adapter is not live.
        """
        if shots.unlabelled is None or not answerable(shots.unlabelled).any():
            msg = f"{self.name!r} needs unlabelled target beats; there are none."
            raise ProtocolError(msg)
        started = model
        if shots.labelled is not None:
            started = ShrunkAffine().adapt(model, shots, seed=seed)
        source, target = _seen(shots.source), _seen(shots.unlabelled)
        prior = prior_weights(source, target)
        rng = np.random.default_rng(seed)
        plan = _Plan(
            source=_draw(source.subject, self.steps, self.batch, rng, prior.values),
            target=_draw(_units(target, shots.unit), self.steps, self.batch, rng),
            measured=_measured(source, shots, rng, prior.values),
        )
        notes = {
            "lambda": self.weight,
            "unlabelled_subjects": len(target.subjects),
            "unlabelled_beats": len(target),
            "effective_source_beats": prior.effective,
        }
        return _tune(self, started, shots, plan, seed, weight=self.weight, notes=notes)


def _check_schedule(strategy: "LoRAReplay | MMDLoRAReplay") -> None:
    """Refuse a schedule that could not run.

    Raises:
        ConfigError: If a count or a rate is out of its range.
    """
    least = {"steps": 1, "batch": 2, "learning_rate": 1e-12, "replay": 0}
    for name, low in least.items():
        if not low <= getattr(strategy, name) < np.inf:
            msg = (
                f"{strategy.name!r} has {name} {getattr(strategy, name)}; wanted at "
                f"least {low:g}."
            )
            raise ConfigError(msg)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Every row that every step will see, drawn before the first."""

    source: np.ndarray  # shape: (step, batch)
    target: np.ndarray  # shape: (step, batch), or (step, 0) without alignment
    # Distinct people between whom the MMD is measured before and after; None without
    # unlabelled ones. Shape: (row,) each.
    measured: tuple[np.ndarray, np.ndarray] | None


def _draw(
    units: np.ndarray,
    steps: int,
    batch: int,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Draw rows for every step: distinct units, one row of each, by weight.

    Rows come in the order of a weighted draw without replacement (the largest of log
    weight + Gumbel noise first); of each unit the first row counts. Fewer rows are
    drawn where there are fewer units.

    Args:
        units: What each row belongs to. Shape (row,).
        steps: How many draws.
        batch: Rows a step.
        rng: For the noise.
        weights: Importance of the rows. Shape (row,).

    Returns:
        Shape (step, min(batch, units)).
    """
    _, code = np.unique(units, return_inverse=True)
    level = 0.0 if weights is None else np.log(weights + np.finfo(float).tiny)
    drawn = []
    for _ in range(steps):
        order = np.argsort(-(level + rng.gumbel(size=len(code))))
        _, first = np.unique(code[order], return_index=True)
        drawn.append(order[np.sort(first)[:batch]])
    return np.stack(drawn)


def _units(beats: Beats, unit: str) -> np.ndarray:
    return np.arange(len(beats)) if unit == "beat" else beats.subject


def _measured(
    source: Beats,
    shots: Shots,
    rng: np.random.Generator,
    weights: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray] | None:
    """Draw between whom the MMD is measured: rows must be independent."""
    if shots.unlabelled is None:
        return None
    units = _units(_seen(shots.unlabelled), shots.unit)
    (replayed,) = _draw(source.subject, 1, _MEASURED, rng, weights)
    (met,) = _draw(units, 1, _MEASURED, rng)
    return (replayed, met) if min(len(replayed), len(met)) > 1 else None


def _tune(
    strategy: LoRAReplay | MMDLoRAReplay,
    model: CentralPressureModel,
    shots: Shots,
    plan: _Plan,
    seed: int,
    *,
    weight: float,
    notes: Mapping[str, Any],
) -> CentralPressureModel:
    source = BeatTensors.of(_seen(shots.source))
    labelled, target = _eaten(shots.labelled), _eaten(shots.unlabelled)
    torch.manual_seed(seed)
    adapted: PeftModel = attach(model.net, strategy.lora)
    # peft says `Module`; it is the estimator's own BiLSTM.
    net = cast(BiLSTM, adapted.get_base_model())

    def objective(rows: Sequence[Tensor]) -> dict[str, Tensor]:
        replayed = source.take(rows[0])
        points, pooled = net.features(replayed.ppg, replayed.covariates)
        replay = beat_loss(net.read(points, replayed.cuff), replayed.target).mean()
        terms = {"replay": strategy.replay * replay}
        if labelled is not None:
            seen = model.correct(net(*labelled.inputs))
            terms["labelled"] = beat_loss(seen, labelled.target).mean()
        if weight > 0 and target is not None:
            met = target.take(rows[1])
            _, aligned = net.features(met.ppg, met.covariates)
            terms["mmd"] = weight * mmd(pooled, aligned)
        return terms

    task = Task(
        adapted,
        objective,
        learning_rate=strategy.learning_rate,
        weight_decay=1e-3,
        steps=strategy.steps,
        warmup=0.2,
        after_first_backward=lambda: check_gradients(adapted),
    )
    rows = TensorDataset(torch.from_numpy(plan.source), torch.from_numpy(plan.target))
    apart = {"mmd_before": _apart(net, plan, source, target)}
    fit(task, DataLoader(rows, batch_size=None), epochs=1, progress=False)
    apart["mmd_after"] = _apart(net, plan, source, target)
    inputs = source.take(torch.arange(min(64, len(source)))).inputs
    check_effect(adapted, model.net, inputs)
    finished = deepcopy(model)
    finished.net = cast(BiLSTM, merge(adapted, inputs)).eval()
    return _signed(finished, model, strategy, shots, {**notes, **apart})


@torch.no_grad()
def _apart(
    net: BiLSTM, plan: _Plan, source: BeatTensors, target: BeatTensors | None
) -> float | None:
    """Measure the MMD between the replayed source and the target, if there is one."""
    if plan.measured is None or target is None:
        return None
    rows = [torch.from_numpy(r) for r in plan.measured]
    both = (source.take(rows[0]), target.take(rows[1]))
    return float(mmd(*(net.features(t.ppg, t.covariates)[1] for t in both)))


def _signed(
    adapted: CentralPressureModel,
    model: CentralPressureModel,
    strategy: ShrunkAffine | LoRAReplay | MMDLoRAReplay,
    shots: Shots,
    notes: Mapping[str, Any],
) -> CentralPressureModel:
    adapted.name, adapted.k = strategy.name, shots.k
    adapted.info = {
        **model.info,
        "adaptation": {
            "k": shots.k,
            **asdict(strategy),
            **notes,
            "seen": _fingerprints(shots),
            **_labels(shots),
        },
    }
    return adapted.eval()


def _fingerprints(shots: Shots) -> list[str]:
    """Say whom the model has met, without their names."""
    met = [beats for beats in (shots.labelled, shots.unlabelled) if beats is not None]
    return sorted({f for beats in met for f in fingerprints(beats.subjects)})


def _labels(shots: Shots) -> dict[str, Any]:
    """Say who gave labels: each person, and all of them together."""
    who = () if shots.labelled is None else _seen(shots.labelled).subjects
    each = sorted(fingerprints(np.asarray(who)))
    return {"labelled": each, "labels": shots.seen}


def _seen(beats: Beats) -> Beats:
    """Keep the beats that a network can eat: accepted, and calibrated."""
    return beats.take(answerable(beats))


def _eaten(beats: Beats | None) -> BeatTensors | None:
    return None if beats is None else BeatTensors.of(_seen(beats))


def _reference(beats: Beats) -> np.ndarray:
    if beats.reference is None:
        msg = "the labelled subjects have no reference; a label is a true aortic wave."
        raise ProtocolError(msg)
    return beats.reference
