"""Beats for Lightning, in an order that a resumed run repeats."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, TensorDataset

from capnet.errors import ShapeError

__all__ = ["BeatDataModule", "EpochSampler"]


class EpochSampler(Sampler[list[int]]):
    """Batches of a permutation that depends on (seed, epoch) alone.

    Lightning stores no random state, so a shuffling loader would not resume to the
    same run; this one does. The incomplete last batch is left out.

    Args:
        rows: Number of rows.
        batch: Rows a batch; fewer when there are not as many rows.
        seed: Of all permutations.

    Raises:
        ShapeError: If there is no row, or the batch is empty.
    """

    def __init__(self, rows: int, *, batch: int, seed: int) -> None:
        if rows < 1 or batch < 1:
            msg = f"{rows} rows in batches of {batch}; wanted at least 1 of each."
            raise ShapeError(msg)
        self.rows, self.batch, self.seed = rows, min(batch, rows), seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the permutation; Lightning calls this before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        mixed = hash((self.seed, self.epoch)) % (2**63)
        order = torch.randperm(
            self.rows, generator=torch.Generator().manual_seed(mixed)
        ).tolist()
        last = self.rows - self.rows % self.batch
        for first in range(0, last, self.batch):
            yield order[first : first + self.batch]

    def __len__(self) -> int:
        return self.rows // self.batch


class _Rows(TensorDataset):
    """Tensors that are read a whole batch at a time: a tenth of the time."""

    def __getitem__(self, rows: list[int]) -> tuple[Tensor, ...]:
        return tuple(tensor[rows] for tensor in self.tensors)


class BeatDataModule(pl.LightningDataModule):
    """Training and validation beats as tensors with one row a beat.

    Args:
        training: Tensors of equal length.
        validation: The same of other subjects; None to train without.
        batch: Beats a step.
        seed: Of the order.
    """

    def __init__(
        self,
        training: Sequence[Tensor],
        validation: Sequence[Tensor] | None,
        *,
        batch: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.training = _Rows(*training)
        self.validation = None if validation is None else _Rows(*validation)
        self.batch, self.seed = batch, seed

    def train_dataloader(self) -> DataLoader[Any]:
        """Return batches in an order fixed by (seed, epoch)."""
        sampler = EpochSampler(len(self.training), batch=self.batch, seed=self.seed)
        return DataLoader(self.training, sampler=sampler, batch_size=None)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Return the validation beats in order; nothing when there are none."""
        if self.validation is None:
            return []
        rows = range(len(self.validation))
        batches = [list(rows[i : i + 512]) for i in range(0, len(rows), 512)]
        return DataLoader(self.validation, sampler=batches, batch_size=None)
