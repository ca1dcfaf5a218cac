"""One second-order system for everybody: a resonance with two numbers.

A sharp resonance rings for longer than a filter of one beat, and its peak may lie where
the harmonics of a few training subjects do not sample it. As a catheter that rings, or
an all-pole filter, it has a frequency and a damping only.
"""

from itertools import product
from typing import Final

import numpy as np
from jaxtyping import Complex, Float, Int
from scipy.optimize import Bounds, minimize

from capnet.evaluation.audits.beat_spectra import BAND
from capnet.evaluation.audits.free_timing import as_complex, laid_over

__all__ = ["second_order"]

_FREQUENCIES: Final = np.geomspace(1.5, 15.0, 24)
"""Of the resonance, cycles of a typical beat."""
_DAMPINGS: Final = np.geomspace(0.05, 0.7, 10)
"""Of the critical damping: with more there is no resonance, and short filters do."""


def second_order(
    x: Float[np.ndarray, "beat number"],
    y: Float[np.ndarray, "beat number"],
    subject: Int[np.ndarray, " beat"],
    *,
    rate: Float[np.ndarray, " beat"] | None,
) -> Float[np.ndarray, "beat number"]:
    """Return what the best common resonance leaves, with gain and delay of a beat free.

    Args:
        x: Inputs, harmonics.
        y: Targets, harmonics.
        subject: Position of the subject of each beat.
        rate: Of each beat over that of a usual one; 1 where None.
    """
    first, second = as_complex(x), as_complex(y)
    pace = np.ones(len(x)) if rate is None else rate
    people = int(subject.max()) + 1
    mean_x, mean_y, mean_pace = (
        np.stack([v[subject == s].mean(axis=0) for s in range(people)])
        for v in (first, second, pace)
    )
    together = np.zeros(people, dtype=np.int64)

    def left(system: Float[np.ndarray, "2"]) -> float:
        answer = mean_x * _response(system, mean_pace, mean_x.shape[1])
        rest = laid_over(answer[:, None], mean_y, together).left
        return float(np.sum(np.abs(rest[:, :BAND]) ** 2))

    starts = np.log([*product(_FREQUENCIES, _DAMPINGS)])
    low, high = (np.log([_FREQUENCIES[i], _DAMPINGS[i]]) for i in (0, -1))
    start = min(starts, key=left)
    bounds = Bounds(low, high)
    system = minimize(left, start, method="Nelder-Mead", bounds=bounds).x
    answer = first * _response(system, pace, first.shape[1])
    rest = laid_over(answer[:, None], second, subject).left
    return np.concatenate([rest.real, rest.imag], axis=1)


def _response(
    system: Float[np.ndarray, "2"], pace: Float[np.ndarray, " beat"], count: int
) -> Complex[np.ndarray, "beat harmonic"]:
    """Response of log frequency and log damping at the harmonics of each beat."""
    resonance, damping = np.exp(system)
    at = pace[:, None] * np.arange(1, count + 1) / resonance
    return np.asarray(1.0 / (1.0 - at**2 + 2j * damping * at))
