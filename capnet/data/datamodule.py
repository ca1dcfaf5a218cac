"""Beats for Lightning, in an order that a resumed run repeats."""

from collections.abc import Iterator, Sequence
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler, TensorDataset

from capnet.data.samplers import Subjects, TwoDomainSampler
from capnet.errors import ShapeError

__all__ = ["BeatDataModule", "EpochSampler", "TwoDomainDataModule"]


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
        return _in_order(self.validation)


class TwoDomainDataModule(pl.LightningDataModule):
    """Source and target beats side by side, drawn by subject.

    A training batch is ``(source, target)``, each the tensors of its domain; see
    `capnet.data.samplers.TwoDomainSampler` for who is drawn.

    Args:
        source: Tensors of equal length, one row a beat.
        target: The same of the target; its labels need not be among them.
        source_subject: Whose beat it is. Shape (row,).
        target_subject: The same of the target. Shape (row,).
        validation: Tensors of other subjects; None to train without.
        batch: Source and target beats a step.
        seed: Of the order.
        steps: Batches an epoch; by default every source subject has a turn.

    Raises:
        ShapeError: If there is not one subject a row.

    Example:
        >>> import numpy as np
        >>> who = np.array(["a", "a", "b"]), np.array(["x", "y", "y", "y"])
        >>> data = TwoDomainDataModule(
        ...     (torch.arange(3.0),),
        ...     (torch.arange(4.0),),
        ...     source_subject=who[0],
        ...     target_subject=who[1],
        ...     batch=(2, 1),
        ...     seed=0,
        ... )
        >>> [(len(source), len(target)) for (source,), (target,) in
        ...  data.train_dataloader()]
        [(2, 1)]
    """

    def __init__(
        self,
        source: Sequence[Tensor],
        target: Sequence[Tensor],
        *,
        source_subject: Subjects,
        target_subject: Subjects,
        validation: Sequence[Tensor] | None = None,
        batch: tuple[int, int],
        seed: int,
        steps: int | None = None,
    ) -> None:
        super().__init__()
        self.training = _Pairs(_Rows(*source), _Rows(*target))
        self.validation = None if validation is None else _Rows(*validation)
        sizes = (len(source_subject), len(target_subject))
        if sizes != self.training.sizes:
            msg = (
                f"{sizes} subjects for {self.training.sizes} rows of source and "
                "target; wanted one a row."
            )
            raise ShapeError(msg)
        self.sampler = TwoDomainSampler(
            source_subject, target_subject, batch=batch, seed=seed, steps=steps
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return pairs of batches in an order fixed by (seed, epoch)."""
        return DataLoader(self.training, sampler=self.sampler, batch_size=None)

    def val_dataloader(self) -> DataLoader[Any] | list[Any]:
        """Return the validation beats in order; nothing when there are none."""
        return _in_order(self.validation)


class _Pairs(Dataset[tuple[tuple[Tensor, ...], tuple[Tensor, ...]]]):
    """Rows of two domains."""

    def __init__(self, source: _Rows, target: _Rows) -> None:
        self.source, self.target = source, target

    @property
    def sizes(self) -> tuple[int, int]:
        return len(self.source), len(self.target)

    def __getitem__(
        self, rows: tuple[list[int], list[int]]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return self.source[rows[0]], self.target[rows[1]]


def _in_order(validation: _Rows | None) -> DataLoader[Any] | list[Any]:
    if validation is None:
        return []
    rows = range(len(validation))
    batches = [list(rows[i : i + 512]) for i in range(0, len(rows), 512)]
    return DataLoader(validation, sampler=batches, batch_size=None)
