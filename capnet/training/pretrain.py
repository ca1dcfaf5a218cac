"""Pretraining on virtual people."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self, cast

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from capnet.data.datamodule import BeatDataModule
from capnet.data.splits import hold_out
from capnet.errors import ConfigError, ProtocolError
from capnet.metrics import rmse, waveform_rmse
from capnet.models.bilstm import BiLSTM
from capnet.models.central import BeatTensors, CentralPressureModel
from capnet.models.estimator import answerable, seen_by
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.training.fit import fit
from capnet.training.losses import beat_loss
from capnet.training.task import Task

__all__ = ["DeepEstimator", "Pretraining", "mask_age", "pretrain"]


@dataclass(frozen=True, kw_only=True)
class Pretraining:
    """How to train a network from nothing.

    Attributes:
        hidden: Units of each direction of the LSTM.
        head: Units of the perceptron.
        epochs: Times through the beats.
        batch: Beats a step.
        learning_rate: At the top of the cycle.
        weight_decay: Of AdamW.
        age_masked: Share of the beats whose age is hidden, so that the network can
            do without.
        held_out: Share of the subjects that only measure progress.

    Raises:
        ConfigError: If a size, a count or a rate is not positive, or a share is not
            between 0 and 1.
    """

    hidden: int = 56
    head: int = 48
    epochs: int = 30
    batch: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 1e-4
    age_masked: float = 0.2
    held_out: float = 0.1

    def __post_init__(self) -> None:
        for name in ("hidden", "head", "epochs", "batch", "learning_rate"):
            if not getattr(self, name) > 0:
                msg = f"pretraining {name} is {getattr(self, name)}; wanted above 0."
                raise ConfigError(msg)
        if not (0 <= self.age_masked <= 1 and 0 < self.held_out < 1):
            msg = (
                f"pretraining age_masked is {self.age_masked}, held_out "
                f"{self.held_out}; wanted shares, held_out strictly between 0 and 1."
            )
            raise ConfigError(msg)
        if self.weight_decay < 0:
            msg = f"pretraining weight_decay is {self.weight_decay}; wanted >= 0."
            raise ConfigError(msg)


def mask_age(beats: Beats, *, share: float, seed: int) -> Beats:
    """Hide the age of a share of the beats, drawn at random."""
    hidden = np.random.default_rng(seed).random(len(beats)) < share
    return beats.replace(age=np.where(hidden, np.nan, beats.age))


def pretrain(
    beats: Beats,
    settings: Pretraining,
    *,
    seed: int,
    name: str = "Bi-LSTM",
    progress: bool | None = None,
) -> CentralPressureModel:
    """Train a Bi-LSTM on beats with a reference.

    Args:
        beats: Accepted beats of many (virtual) people; several draws of sensor and
            cuff may stand below one another.
        settings: Size and schedule.
        seed: Of weights, order, hold-out and masks.
        name: Of the method.
        progress: Whether to show a bar; by default only on a terminal.

    Returns:
        The model; ``model.info["history"]`` holds its losses by epoch.

    Raises:
        ProtocolError: If there is nothing to learn from.
    """
    beats = beats.take(answerable(beats))
    if beats.reference is None or len(beats) == 0:
        msg = (
            f"{beats!r} has no accepted beat with a reference; pretraining needs true "
            "aortic pressure, for example from experiments/observe.py."
        )
        raise ProtocolError(msg)
    pl.seed_everything(seed, workers=True, verbose=False)
    masked = mask_age(beats, share=settings.age_masked, seed=seed)
    training, validation = hold_out(masked, share=settings.held_out, seed=seed)
    data = BeatDataModule(
        _columns(BeatTensors.of(training)),
        _columns(BeatTensors.of(validation)),
        batch=settings.batch,
        seed=seed,
    )
    net = BiLSTM(hidden=settings.hidden, head=settings.head)

    def objective(batch: Sequence[Tensor]) -> dict[str, Tensor]:
        *inputs, target = batch
        return {"beat": beat_loss(net(*inputs), target).mean()}

    task = Task(
        net,
        objective,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        steps=settings.epochs * max(1, len(training) // settings.batch),
        warmup=0.15,
    )
    fit(task, data, epochs=settings.epochs, progress=progress)
    info: dict[str, Any] = {
        "trained_on": f"{len(training.subjects)} subjects, {len(training)} beats",
        "learnt_from": seen_by(beats.subjects),
        "reference_type": beats.reference_type,
        "calibration": beats.calibration,
        "seed": seed,
        "settings": asdict(settings),
        "torch": torch.__version__.split("+")[0],
        "history": task.history,
    }
    model = CentralPressureModel(net, name=name, info=info).eval()
    model.info["held_out"] = _held_out(model, validation)
    return model


def _held_out(model: CentralPressureModel, beats: Beats) -> dict[str, Any]:
    """Measure the finished model on the subjects that it never learned from."""
    waves, true = model.waves(beats), cast(np.ndarray, beats.reference)
    return {
        "subjects": len(beats.subjects),
        "wave_rmse_mmhg": waveform_rmse(waves, true),
        "sbp_rmse_mmhg": rmse(waves.max(axis=1), true.max(axis=1)),
    }


def _columns(tensors: BeatTensors) -> tuple[Tensor, ...]:
    return *tensors.inputs, tensors.target


class DeepEstimator:
    """The Bi-LSTM behind the same two words as every floor: fit and predict.

    Args:
        settings: Size and schedule.
        seed: Of everything random.
        name: Of the method.
    """

    def __init__(
        self, settings: Pretraining | None = None, *, seed: int, name: str = "Bi-LSTM"
    ) -> None:
        self.settings = settings or Pretraining()
        self.seed, self.name = seed, name
        self.model: CentralPressureModel | None = None

    def fit(self, beats: Beats) -> Self:
        """Train from nothing on beats with a reference.

        Raises:
            ProtocolError: If there is nothing to learn from.
        """
        self.model = pretrain(beats, self.settings, seed=self.seed, name=self.name)
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Estimate central pressure of every accepted beat.

        Raises:
            ProtocolError: If nothing was fitted yet.
        """
        if self.model is None:
            msg = f"{self.name!r} predicts after fit(beats); nothing was fitted yet."
            raise ProtocolError(msg)
        return self.model.predict(beats)
