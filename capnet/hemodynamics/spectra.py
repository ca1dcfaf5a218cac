"""Spectra: what a solver answers. Periodic waves as Fourier coefficients, in SI."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from jaxtyping import Complex, Float, Shaped

from capnet.errors import ConfigError, ShapeError
from capnet.types import Site

__all__ = ["Spectra", "evaluate", "grid"]

PerSubject = Float[np.ndarray, " subject"]
Coefficients = Complex[np.ndarray, "subject harmonic"]

_CHUNK: Final = 64
"""Rows evaluated at once, so that they stay in the processor's cache."""


@dataclass(frozen=True, eq=False)
class Spectra:
    """One periodic beat of each subject at some sites.

    A wave is ``c[0] + 2 Re sum c[k] exp(2 pi i k t / period)`` (the factor 2 is not
    in the coefficients); time 0 is the start of aortic inflow.

    Attributes:
        sites: Where.
        period: Duration of a beat, s. Shape (subject,).
        pressure: Pa. Shape (subject, site, harmonic), mean first.
        flow: m3/s, away from the heart. Shape (subject, site, harmonic).

    Raises:
        ShapeError: If the arrays do not fit together.
    """

    sites: tuple[Site, ...]
    period: PerSubject
    pressure: Complex[np.ndarray, "subject site harmonic"]
    flow: Complex[np.ndarray, "subject site harmonic"]

    def __post_init__(self) -> None:
        wanted = (len(self.period), len(self.sites))
        for name in ("pressure", "flow"):
            if getattr(self, name).shape[:2] != wanted:
                msg = f"{name} has shape {getattr(self, name).shape}; wanted {wanted}."
                raise ShapeError(msg)

    def __len__(self) -> int:
        return len(self.period)

    def row(self, site: str) -> int:
        """Return the position of a site.

        Raises:
            ConfigError: If it was not simulated; the message lists those that were.
        """
        if site not in self.sites:
            msg = (
                f"site {site!r} was not simulated; there are {', '.join(self.sites)}. "
                "Name it in simulate(..., sites=...)."
            )
            raise ConfigError(msg)
        return [str(known) for known in self.sites].index(site)

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the subjects at these rows (indices, a mask or a slice)."""
        return replace(
            self,
            period=self.period[rows],
            pressure=self.pressure[rows],
            flow=self.flow[rows],
        )

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join subjects simulated at the same sites with as many harmonics.

        Raises:
            ShapeError: If there is nothing to join, or sites or harmonics differ.
        """
        kinds = {(part.sites, part.pressure.shape[2]) for part in parts}
        if len(kinds) != 1:
            msg = (
                f"the parts have sites and harmonics {sorted(kinds)}; wanted one kind."
            )
            raise ShapeError(msg)
        return cls(
            sites=parts[0].sites,
            period=np.concatenate([part.period for part in parts]),
            pressure=np.concatenate([part.pressure for part in parts]),
            flow=np.concatenate([part.flow for part in parts]),
        )


def evaluate(
    coefficients: Coefficients,
    *,
    period: PerSubject,
    times: Float[np.ndarray, "subject time"],
) -> Float[np.ndarray, "subject time"]:
    """Read periodic waves at any times, exactly (Horner's scheme in exp(i w t)).

    Args:
        coefficients: Mean first, see `Spectra`. Shape (subject, harmonic).
        period: s. Shape (subject,).
        times: s; need not lie within the first period. Shape (subject, time).
    """
    if not len(coefficients) == len(period) == len(times):
        msg = (
            f"{len(coefficients)} waves, {len(period)} periods, {len(times)} rows of "
            "times; wanted one each per subject."
        )
        raise ShapeError(msg)
    answer = np.empty(times.shape)
    for i in range(0, len(times), _CHUNK):
        rows = slice(i, i + _CHUNK)
        turn = np.exp(2j * np.pi * times[rows] / period[rows, None])
        part = coefficients[rows]
        total = np.zeros_like(turn)
        for k in range(part.shape[1] - 1, 0, -1):
            total += part[:, k, None]
            total *= turn
        answer[rows] = part[:, :1].real + 2.0 * total.real
    return answer


def grid(coefficients: Coefficients, count: int) -> Float[np.ndarray, "subject time"]:
    """Read periodic waves at ``count`` even times of one period, from time 0.

    Args:
        coefficients: Mean first, see `Spectra`. Shape (subject, harmonic).
        count: More than twice the highest harmonic.
    """
    answer: np.ndarray = np.fft.irfft(coefficients, n=count, axis=1) * count
    return answer
