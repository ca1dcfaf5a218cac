"""Batches of two domains, every person as likely as any other."""

from collections.abc import Iterator
from typing import Final

import numpy as np
from jaxtyping import Int, Shaped
from torch.utils.data import Sampler

from capnet.errors import ShapeError

__all__ = ["TwoDomainSampler"]

Subjects = Shaped[np.ndarray, " _"]
_DOMAINS: Final = ("source", "target")


class _Domain:
    """The rows of each person of one domain."""

    def __init__(self, name: str, subject: Subjects, wanted: int) -> None:
        people, code = np.unique(np.asarray(subject), return_inverse=True)
        if not len(people) or wanted < 1:
            msg = (
                f"{len(people)} {name} subjects and {wanted} of them a batch; wanted "
                "at least 1 of each."
            )
            raise ShapeError(msg)
        self.people, self.wanted = len(people), wanted
        self._rows = np.argsort(code, kind="stable")
        self._first = np.searchsorted(code[self._rows], np.arange(len(people)))
        self._count = np.bincount(code)

    def draw(
        self, steps: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "step batch"]:
        """Draw rows of all batches of an epoch."""
        turns = self._turns(steps, rng)
        place = rng.random(turns.shape)
        within = (place * self._count[turns]).astype(np.int64)
        drawn: np.ndarray = self._rows[self._first[turns] + within]
        return drawn

    def _turns(
        self, steps: int, rng: np.random.Generator
    ) -> Int[np.ndarray, "step batch"]:
        """Let people take turns: one permutation of all after the other.

        Where a batch needs the next permutation, those whom it holds come last in it.
        """
        queue: list[int] = []
        batches = []
        for _ in range(steps):
            while len(queue) < self.wanted:
                held = set(queue)
                order = rng.permutation(self.people).tolist()
                queue += [p for p in order if p not in held]
                queue += [p for p in order if p in held]
            batches.append(queue[: self.wanted])
            queue = queue[self.wanted :]
        return np.array(batches)


class TwoDomainSampler(Sampler[tuple[list[int], list[int]]]):
    """Batches of source and target rows, balanced by subject within each domain.

    Subjects take turns in an order drawn for each epoch, and each turn is one of the
    subject's beats, all as likely. So within an epoch nobody has more than one turn
    more than anybody else of the domain, however many beats he has, and nobody is
    twice in a batch unless the domain has fewer subjects than the batch wants.

    Its only state is ``epoch``: the batches follow from (seed, epoch) alone and not
    from those before, so that a run that is resumed at an epoch sees what the
    uninterrupted one saw. Random states of numpy and torch are neither read nor moved.

    Args:
        source: Whose row it is, in the source. Shape (row,).
        target: The same in the target, which may be much smaller or larger.
        batch: Source and target rows a batch.
        seed: Not negative.
        steps: Batches an epoch; by default as many as let every source subject have a
            turn.

    Raises:
        ShapeError: If a domain is empty, or a number is too small.
    """

    def __init__(
        self,
        source: Subjects,
        target: Subjects,
        *,
        batch: tuple[int, int],
        seed: int,
        steps: int | None = None,
    ) -> None:
        self._domains = [
            _Domain(name, subject, wanted)
            for name, subject, wanted in zip(
                _DOMAINS, (source, target), batch, strict=True
            )
        ]
        first = self._domains[0]
        self.steps = -(-first.people // first.wanted) if steps is None else steps
        if self.steps < 1 or seed < 0:
            msg = f"{steps} steps, seed {seed}; wanted steps >= 1 and seed >= 0."
            raise ShapeError(msg)
        self.seed, self.epoch = seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the batches; Lightning calls this before every epoch."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[tuple[list[int], list[int]]]:
        # A generator: Lightning asks a resumed run's loader for its iterator before it
        # says which epoch it is, and for the first batch after.
        drawn = [
            domain.draw(
                self.steps, np.random.default_rng([self.seed, self.epoch, number])
            ).tolist()
            for number, domain in enumerate(self._domains)
        ]
        yield from zip(*drawn, strict=True)

    def __len__(self) -> int:
        return self.steps
