"""Spectra: what a solver answers. Periodic waves as Fourier coefficients, in SI."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Self, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Shaped

from capnet.compiled import compiled
from capnet.errors import ConfigError, ShapeError
from capnet.hemodynamics.blocks import in_blocks

__all__ = ["Spectra", "evaluate", "grid", "turn"]

PerSubject = Float[np.ndarray, " subject"]
Coefficients = Complex[np.ndarray, "subject harmonic"]

_ROWS: Final = 64
"""Rows of a block of work."""
_CHUNK: Final = 64
"""Times evaluated side by side, so that they stay in the processor's cache."""
_SINE: Final = tuple(1.0 / math.factorial(2 * n + 1) for n in range(9))
_COSINE: Final = tuple(1.0 / math.factorial(2 * n) for n in range(9))
"""Series of sin(r)/r and cos(r) in -r^2, for r up to pi/4."""


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
        area: Lumen, m2. Shape (subject, site, harmonic).
        residual: What the solver's last iteration still changed, Pa: in the linear
            solver the mean pressure, in the nonlinear one the pressure between the end
            and the beginning of a beat. NaN where the solver failed. Shape (subject,).

    Raises:
        ShapeError: If the arrays do not fit together.
    """

    sites: tuple[str, ...]
    period: PerSubject
    pressure: Complex[np.ndarray, "subject site harmonic"]
    flow: Complex[np.ndarray, "subject site harmonic"]
    area: Complex[np.ndarray, "subject site harmonic"]
    residual: PerSubject

    def __post_init__(self) -> None:
        harmonics = self.pressure.shape[2:]
        wanted = (len(self.period), len(self.sites), *harmonics)
        for name in ("pressure", "flow", "area"):
            if getattr(self, name).shape != wanted:
                msg = f"{name} has shape {getattr(self, name).shape}; wanted {wanted}."
                raise ShapeError(msg)
        if self.residual.shape != self.period.shape:
            msg = f"residual has shape {self.residual.shape}; wanted {wanted[:1]}."
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
        return self.sites.index(site)

    def take(self, rows: Shaped[np.ndarray, " row"] | slice) -> Self:
        """Return the subjects at these rows (indices, a mask or a slice)."""
        return replace(self, **{name: getattr(self, name)[rows] for name in _ARRAYS})

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
        arrays = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in _ARRAYS
        }
        return cls(sites=parts[0].sites, **arrays)


_ARRAYS: Final = ("period", "pressure", "flow", "area", "residual")


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

    def work(rows: slice) -> None:
        waves = np.array(coefficients[rows], dtype=np.complex128)
        _evaluate(waves, 1.0 / period[rows], times[rows], answer[rows])

    for _ in in_blocks(work, len(times), size=_ROWS):
        pass
    return answer


@compiled(fastmath={"contract"})
@no_type_check
def turn(x: float) -> tuple[float, float]:
    """Return cosine and sine of 2 pi x.

    Series of a quarter of the angle, doubled twice: within 1e-15, and without a
    branch, so that many are computed side by side.
    """
    r = (0.5 * math.pi) * (x - np.floor(x + 0.5))
    q = -r * r
    sine = _SINE[-1]
    cosine = _COSINE[-1]
    for n in range(len(_SINE) - 2, -1, -1):
        sine = sine * q + _SINE[n]
        cosine = cosine * q + _COSINE[n]
    sine *= r
    for _ in range(2):
        sine, cosine = 2.0 * sine * cosine, 1.0 - 2.0 * sine * sine
    return cosine, sine


@compiled(fastmath={"contract"})
@no_type_check
def _evaluate(
    waves: np.ndarray, rate: np.ndarray, times: np.ndarray, answer: np.ndarray
) -> None:
    """Horner's scheme in exp(2 pi i t / T), a chunk of times after the other."""
    rows, count = times.shape
    re, im = np.empty(_CHUNK), np.empty(_CHUNK)
    cosine, sine = np.empty(_CHUNK), np.empty(_CHUNK)
    for i in range(rows):
        for start in range(0, count, _CHUNK):
            stop = min(start + _CHUNK, count)
            for t in range(_CHUNK):
                cosine[t] = rate[i] * times[i, min(start + t, count - 1)]
            for t in range(_CHUNK):
                cosine[t], sine[t] = turn(cosine[t])
                re[t] = 0.0
                im[t] = 0.0
            for k in range(waves.shape[1] - 1, 0, -1):
                c, d = waves[i, k].real, waves[i, k].imag
                for t in range(_CHUNK):
                    a, b = re[t] + c, im[t] + d
                    re[t] = a * cosine[t] - b * sine[t]
                    im[t] = a * sine[t] + b * cosine[t]
            for t in range(stop - start):
                answer[i, start + t] = waves[i, 0].real + 2.0 * re[t]


def grid(coefficients: Coefficients, count: int) -> Float[np.ndarray, "subject time"]:
    """Read periodic waves at ``count`` even times of one period, from time 0.

    Args:
        coefficients: Mean first, see `Spectra`. Shape (subject, harmonic).
        count: More than twice the highest harmonic.

    Raises:
        ShapeError: If there are too few times for the harmonics.
    """
    highest = coefficients.shape[1] - 1
    if count <= 2 * highest:
        msg = (
            f"{count} even times cannot hold harmonic {highest}; wanted at least "
            f"{2 * highest + 1}. Ask for more, or leave out the highest harmonics."
        )
        raise ShapeError(msg)
    answer: np.ndarray = np.fft.irfft(coefficients, n=count, axis=1) * count
    return answer
