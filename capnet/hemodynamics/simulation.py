"""Simulate: from virtual people to their waves, with any solver."""

from collections.abc import Callable, Sequence
from typing import Final, Protocol, runtime_checkable

from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.network import SITES, parse_sites
from capnet.hemodynamics.spectra import Spectra
from capnet.hemodynamics.waves import Waves
from capnet.types import Site

__all__ = ["Solver", "simulate"]

_ALL: Final = tuple(SITES)


@runtime_checkable
class Solver(Protocol):
    """Whatever turns people into periodic waves."""

    def solve(
        self,
        cohort: Cohort,
        sites: tuple[Site, ...],
        *,
        progress: Callable[[int, int], None] | None = None,
    ) -> Spectra:
        """Return the waves of everyone at these sites, in SI."""
        ...


def simulate(
    cohort: Cohort,
    *,
    solver: Solver,
    sampling_rate: float,
    sites: Sequence[str] = _ALL,
    progress: Callable[[int, int], None] | None = None,
) -> Waves:
    """Simulate one steady beat of every virtual person.

    Args:
        cohort: The people.
        solver: For example `capnet.hemodynamics.LinearSolver`.
        sampling_rate: Of the sampled beats, Hz.
        sites: Where waves are wanted, see `capnet.types.Site`.
        progress: Called with the number of people done and of all.

    Raises:
        ConfigError: If a site is not known.
        UnitError: If the sampling rate is not a positive number.
    """
    spectra = solver.solve(cohort, parse_sites(sites), progress=progress)
    return Waves(cohort, spectra, sampling_rate)
