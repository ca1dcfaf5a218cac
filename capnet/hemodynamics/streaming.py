"""Streaming: more virtual people than memory holds, simulated to a folder in parts.

Each part is a file of `Waves` of its own, written whole or not at all. A job that was
interrupted goes on where it stopped; what another job left is never mixed in.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

import numpy as np

from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.files import write_atomic
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.simulation import (
    Progress,
    Solver,
    describe,
    prepare,
    reported,
    simulate,
)
from capnet.hemodynamics.storage import fingerprint, read_identity, write_stored
from capnet.hemodynamics.waves import Waves

__all__ = ["WavesFolder", "simulate_to"]

_INDEX: Final = "waves.json"
_FORMAT: Final = "capnet waves folder 1"


@dataclass(frozen=True)
class WavesFolder:
    """Waves in a folder, read part by part.

    ``len(folder)`` people; ``folder[1000:2000]`` loads some of them as `Waves`;
    iterating gives one `Waves` a part, so that memory holds one part at a time.

    Attributes:
        path: Of the folder.
        identity: Of the job: cohort, solver, sites and sampling rate.
        edges: Rows at which parts begin and end, from 0 to the number of people.
    """

    path: Path
    identity: str
    edges: tuple[int, ...]

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open what `simulate_to` left, complete or not.

        Raises:
            RecordError: If there is no such folder, or its index is damaged.
        """
        path = Path(path)
        try:
            said = json.loads((path / _INDEX).read_text("utf-8"))
            edges = tuple(int(edge) for edge in said["edges"])
            format_, identity = str(said["format"]), str(said["identity"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = (
                f"{path} holds no readable {_INDEX} ({error}); wanted a folder that "
                "simulate_to wrote."
            )
            raise RecordError(msg) from error
        if format_ != _FORMAT:
            msg = f"{path / _INDEX} has format {format_!r}; wanted {_FORMAT!r}."
            raise RecordError(msg)
        if edges[:1] != (0,) or any(a >= b for a, b in pairwise(edges)):
            msg = (
                f"{path / _INDEX} has edges {[*edges]}; wanted rising rows from 0. "
                "Copy the file anew, or simulate to an empty folder."
            )
            raise RecordError(msg)
        return cls(path, identity, edges)

    def part(self, number: int) -> Path:
        """Return the path of a part, whether it is there or not."""
        return self.path / f"part-{number:05d}.nc"

    @property
    def missing(self) -> tuple[int, ...]:
        """Parts that are not there yet."""
        numbers = range(len(self.edges) - 1)
        return tuple(number for number in numbers if not self.part(number).is_file())

    def __len__(self) -> int:
        return self.edges[-1]

    def _load(self, number: int) -> Waves:
        if not self.part(number).is_file():
            msg = (
                f"{self.path} lacks {len(self.missing)} of {len(self.edges) - 1} parts "
                f"({self.part(number).name}). Call simulate_to again with the same "
                "arguments; it goes on where it stopped."
            )
            raise RecordError(msg)
        _check_part(self.part(number), self.identity)
        return Waves.load(self.part(number))

    def __iter__(self) -> Iterator[Waves]:
        return (self._load(number) for number in range(len(self.edges) - 1))

    def __getitem__(self, rows: slice) -> Waves:
        """Load the people at consecutive rows; they keep the index of their cohort.

        Args:
            rows: With step 1.

        Raises:
            ShapeError: If there is a step, or nobody in these rows.
            RecordError: If a part that is needed is missing or damaged.
        """
        start, stop, step = rows.indices(len(self))
        if step != 1 or start >= stop:
            msg = (
                f"rows {rows} of {len(self)} were asked for; wanted some, with step 1."
            )
            raise ShapeError(msg)
        loaded = [
            self._load(number).take(slice(max(start - first, 0), stop - first))
            for number, (first, last) in enumerate(pairwise(self.edges))
            if first < stop and start < last
        ]
        joined = Waves.concatenate(loaded)
        index = np.concatenate([part.cohort.index for part in loaded])
        origin = loaded[0].cohort.provenance
        cohort = replace(joined.cohort, index=index, provenance=origin)
        return replace(joined, cohort=cohort)

    def __repr__(self) -> str:
        parts = len(self.edges) - 1
        lacking = f", {len(self.missing)} still missing" if self.missing else ""
        return f"WavesFolder({len(self)} people in {parts} parts{lacking}; {self.path})"


def _check_part(path: Path, identity: str) -> None:
    if read_identity(path) != identity:
        msg = (
            f"{path} was left by another job (other people, solver, sites or sampling "
            "rate). Choose an empty folder, or delete this one."
        )
        raise RecordError(msg)


def _onward(report: Progress, first: int, total: int) -> Progress:
    """Report the people of one part as some of all."""
    return lambda done, _: report(first + done, total)


def simulate_to(
    folder: str | Path,
    cohort: Cohort,
    solver: Solver | None = None,
    sites: Sequence[str] | None = None,
    *,
    sampling_rate: float,
    part_size: int = 4096,
    progress: Progress | None = None,
) -> WavesFolder:
    """Simulate people to a folder, in parts that fit into memory.

    If the folder holds parts of the same job (cohort, solver, sites, sampling rate and
    part size), they are kept, and only the others are simulated.

    Args:
        folder: Made when missing.
        cohort: The people.
        solver: See `simulate`.
        sites: See `simulate`.
        sampling_rate: Of the sampled beats, Hz.
        part_size: People in a part; memory grows with it, not with their number.
        progress: See `simulate`.

    Returns:
        What was left, to be read part by part.

    Raises:
        ConfigError: If a site is not known, or the part size is not positive.
        RecordError: If the folder holds parts of another job, or damaged ones.
        UnitError: If the sampling rate is not a positive number.
    """
    if part_size < 1:
        msg = f"part_size is {part_size}; wanted at least 1."
        raise ConfigError(msg)
    solver, places = prepare(cohort, solver, sites, sampling_rate)
    edges = (*range(0, len(cohort), part_size), len(cohort))
    identity = fingerprint(cohort, describe(solver), list(places), sampling_rate)
    wanted = WavesFolder(Path(folder), identity, edges)
    if (wanted.path / _INDEX).exists():
        found = WavesFolder.open(wanted.path)
        if found != wanted:
            msg = (
                f"{wanted.path} holds {found!r} of another job (other people, solver, "
                "sites, sampling rate or part size). Choose an empty folder, or delete "
                "this one."
            )
            raise RecordError(msg)
    said = {"format": _FORMAT, "identity": identity, "edges": edges}
    write_atomic(wanted.path / _INDEX, json.dumps(said).encode())
    with reported(f"simulating {len(cohort)} people", progress) as report:
        for number, (first, last) in enumerate(pairwise(edges)):
            path = wanted.part(number)
            if path.is_file():
                _check_part(path, identity)
            else:
                waves = simulate(
                    cohort.take(slice(first, last)),
                    solver,
                    places,
                    sampling_rate=sampling_rate,
                    progress=_onward(report, first, len(cohort)),
                )
                write_stored(path, waves.stored(identity))
            report(last, len(cohort))
    return wanted
