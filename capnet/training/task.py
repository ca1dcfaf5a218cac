"""The Lightning task: any module, any objective, one optimizer."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn

__all__ = ["Objective", "Task"]

Objective = Callable[[Any], Mapping[str, Tensor]]
"""A batch in, named terms of the loss out; the loss is their sum."""


class Task(pl.LightningModule):
    """Minimise the sum of the terms of an objective with AdamW and one cycle.

    Args:
        module: What is trained; only parameters that require a gradient move.
        objective: Named terms of the loss of a batch.
        learning_rate: At the top of the cycle.
        weight_decay: Of AdamW.
        steps: Length of the cycle.
        warmup: Share of the steps in which the rate rises.
        after_first_backward: Called once, when gradients exist for the first time:
            the moment to see whether everything that should learn can.
    """

    def __init__(
        self,
        module: nn.Module,
        objective: Objective,
        *,
        learning_rate: float,
        weight_decay: float,
        steps: int,
        warmup: float,
        after_first_backward: Callable[[], None] | None = None,
    ) -> None:
        super().__init__()
        self.module = module
        self.objective = objective
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.steps, self.warmup = steps, warmup
        self.after_first_backward = after_first_backward
        self.history: list[dict[str, float]] = []

    def training_step(self, batch: Any, batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        del batch_idx
        terms = self.objective(batch)
        loss = torch.stack([*terms.values()]).sum()
        self.log(  # Every step counts the same in the mean of an epoch.
            "loss",
            loss.detach(),
            prog_bar=True,
            on_step=False,
            on_epoch=True,
            batch_size=1,
        )
        return loss

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        """Log the loss of a batch of other subjects."""
        del batch_idx
        loss = torch.stack([*self.objective(batch).values()]).sum()
        self.log("validation", loss, prog_bar=True, batch_size=len(batch[0]))

    def on_after_backward(self) -> None:
        """Let the guard look at the first gradients."""
        if self.after_first_backward is not None:
            check, self.after_first_backward = self.after_first_backward, None
            check()

    def on_train_epoch_end(self) -> None:
        """Write down the losses of the epoch."""
        metrics = self.trainer.callback_metrics
        self.history.append({name: float(v) for name, v in metrics.items()})

    def configure_optimizers(self) -> OptimizerLRScheduler:
        """AdamW on what may move, one cycle of the learning rate."""
        free: Iterable[nn.Parameter] = [
            p for p in self.module.parameters() if p.requires_grad
        ]
        optimizer = torch.optim.AdamW(
            free, lr=self.learning_rate, weight_decay=self.weight_decay
        )
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, self.learning_rate, self.steps, pct_start=self.warmup
        )
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
