"""The room that knows Lightning: losses, the task, one run, pretraining."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.training.losses import beat_loss
    from capnet.training.pretrain import DeepEstimator, Pretraining
    from capnet.training.task import Task

__all__ = [
    "DeepEstimator",
    "Pretraining",
    "Task",
    "beat_loss",
]

_HOMES = {
    "DeepEstimator": "pretrain",
    "Pretraining": "pretrain",
    "Task": "task",
    "beat_loss": "losses",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
