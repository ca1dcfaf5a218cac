"""Run a task: the only place that makes a Lightning trainer."""

import logging
import math
import sys
import warnings
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import RichProgressBar
from torch.utils.data import DataLoader

from capnet.errors import ShapeError
from capnet.training.task import Task

__all__ = ["fit"]


def fit(
    task: Task,
    data: pl.LightningDataModule | DataLoader[Any],
    *,
    epochs: int,
    progress: bool | None = None,
) -> Task:
    """Train a task on the CPU, deterministically.

    Args:
        task: What to train; it keeps its history.
        data: Batches.
        epochs: Times through the data.
        progress: Whether to show a bar; by default only on a terminal.

    Returns:
        The task.

    Raises:
        ShapeError: If the loss was not finite at the end of an epoch.
    """
    show = sys.stderr.isatty() if progress is None else progress
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Batches are sliced from memory: workers would only cost time.
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # Adaptation has no validation subjects to spare.
        warnings.filterwarnings("ignore", ".*no `val_dataloader`.*")
        warnings.filterwarnings("ignore", ".*Total length of `list` across ranks.*")
        warnings.filterwarnings("ignore", ".*`isinstance.treespec, LeafSpec.*")
        trainer = pl.Trainer(
            accelerator="cpu",
            devices=1,
            max_epochs=epochs,
            deterministic=True,
            gradient_clip_val=1.0,
            logger=False,
            enable_checkpointing=False,
            enable_model_summary=False,
            enable_progress_bar=show,
            callbacks=[RichProgressBar(leave=False)] if show else [],
            num_sanity_val_steps=0,
        )
        task.module.train()
        trainer.fit(task, data)
    lost = [row for row in task.history if not all(map(math.isfinite, row.values()))]
    if lost:
        msg = (
            f"the loss was not finite in epoch {task.history.index(lost[0])}; lower "
            "the learning rate or look for extreme values in the beats."
        )
        raise ShapeError(msg)
    return task
