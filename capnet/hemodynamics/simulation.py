"""Simulate: from virtual people to their waves, with any solver."""

import importlib.util
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np

from capnet.errors import ConfigError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.network import Network, parse_sites
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.waves import Waves, check_sampling_rate

__all__ = [
    "Progress",
    "Solver",
    "default_sites",
    "describe",
    "prepare",
    "reported",
    "simulate",
]

Progress = Callable[[int, int], None]
"""Called with the number of people done and of all."""

_PATIENCE: Final = 2.0
"""s before a bar appears: what is done sooner needs none."""

_log = logging.getLogger(__name__)


@runtime_checkable
class Solver(Protocol):
    """Whatever turns people into periodic waves; a frozen dataclass of its settings.

    A solver that stops at a given time, converged or not, says so with an attribute
    ``settles`` that is false.
    """

    @property
    def tolerance(self) -> float:
        """Residual up to which a subject converged, Pa."""
        ...

    def solve(
        self,
        cohort: Cohort,
        sites: tuple[str, ...],
        *,
        progress: Progress | None = None,
    ) -> Spectra:
        """Return the waves of everyone at these sites, in SI."""
        ...


def describe(solver: Solver) -> str:
    """Return class and settings of a solver as JSON.

    Settings that do not change the answer (metadata ``content`` is false) are left out.
    """
    said = {"class": type(solver).__name__}
    if is_dataclass(solver):
        said |= {
            f.name: getattr(solver, f.name)
            for f in fields(solver)
            if f.metadata.get("content", True)
        }
    return json.dumps(said, default=repr)


def default_sites(network: Network) -> tuple[str, ...]:
    """Return where waves are taken if nobody says where.

    The network's named sites; without any, the inlet of the root and the middle of
    every artery.
    """
    if network.sites:
        return tuple(network.sites)
    root = network.inlet.tolist().index(network.root)
    return (f"{network.name[root]}@0", *(f"{name}@0.5" for name in network.name))


def simulate(
    cohort: Cohort,
    solver: Solver | None = None,
    sites: Sequence[str] | None = None,
    *,
    sampling_rate: float,
    progress: Progress | None = None,
) -> Waves:
    """Simulate one steady beat of every virtual person.

    Who did not converge is logged, one warning a cause, and told by `Waves.converged`
    and `Waves.reason`.

    Args:
        cohort: The people.
        solver: ``LinearSolver()`` by default.
        sites: Where waves are wanted: named sites of the network or places such as
            ``"L_radial@0.3"``; those of `default_sites` by default.
        sampling_rate: Of the sampled beats, Hz. Waves are exact at any time, so that
            this loses nothing.
        progress: Called with the number of people done and of all. By default a bar
            on an interactive terminal, from the third second on.

    Raises:
        ConfigError: If a site is not known, or the solver is none.
        UnitError: If the sampling rate is not a positive number.
    """
    solver, places = prepare(cohort, solver, sites, sampling_rate)
    with reported(f"simulating {len(cohort)} people", progress) as report:
        spectra = solver.solve(cohort, places, progress=report)
    waves = Waves(
        cohort,
        spectra,
        sampling_rate,
        solver=describe(solver),
        tolerance=solver.tolerance,
        settles=getattr(solver, "settles", True),
    )
    _tell(waves)
    return waves


def prepare(
    cohort: Cohort,
    solver: Solver | None,
    sites: Sequence[str] | None,
    sampling_rate: float,
) -> tuple[Solver, tuple[str, ...]]:
    """Check what `simulate` was given before anything is computed."""
    check_sampling_rate(sampling_rate)
    cohort.check()
    if isinstance(solver, type):
        name = solver.__name__
        msg = f"solver is the class {name}; wanted an instance, such as {name}()."
        raise ConfigError(msg)
    if solver is not None and not isinstance(solver, Solver):
        msg = (
            f"solver is {solver!r}; wanted one with solve and tolerance, such as "
            "LinearSolver()."
        )
        raise ConfigError(msg)
    network = cohort.network
    named = default_sites(network) if sites is None else sites
    places = parse_sites(named, network)
    if solver is not None:
        return solver, places
    from capnet.hemodynamics.linear import LinearSolver

    return LinearSolver(), places


def _silent(done: int, total: int) -> None:
    del done, total


def _tell(waves: Waves) -> None:
    reason = waves.reason
    for cause in np.unique(reason[reason != ""]):
        lost = np.flatnonzero(reason == cause)
        _log.warning(
            "%d of %d subjects did not converge, first among them subject %d: %s. "
            "See waves.converged and waves.reason.",
            len(lost),
            len(waves),
            waves.cohort.index[lost[0]],
            cause,
        )


@contextmanager
def reported(title: str, progress: Progress | None) -> Iterator[Progress]:
    """Give a callback: the caller's own, or a bar on an interactive terminal.

    Args:
        title: What the bar says.
        progress: The caller's own; None for a bar, which appears after two seconds.
    """
    quiet = importlib.util.find_spec("rich") is None or not sys.stderr.isatty()
    if progress is not None or quiet:
        yield progress or _silent
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    begun = time.monotonic()
    with ExitStack() as stack:
        bars = Bars(
            title,
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        task = bars.add_task(title)

        def advance(done: int, total: int) -> None:
            if not bars.live.is_started and time.monotonic() - begun > _PATIENCE:
                stack.enter_context(bars)
            bars.update(task, completed=done, total=total)

        yield advance
