"""Oscillations: sums of sinusoids of drawn frequency, one set for each person."""

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np
from jaxtyping import Float, Shaped

from capnet.compiled import compiled
from capnet.hemodynamics.sensors import Range
from capnet.hemodynamics.spectra import turn

__all__ = ["Lines", "draw_lines", "oscillation"]

_LINES: Final = 16
"""In a band: enough that no single one stands out."""


class Lines(NamedTuple):
    """Oscillations of each subject.

    Attributes:
        frequency: Hz. Shape (subject, line).
        phase: Cycles at time 0.
        amplitude: In the unit of what oscillates.
    """

    frequency: Float[np.ndarray, "subject line"]
    phase: Float[np.ndarray, "subject line"]
    amplitude: Float[np.ndarray, "subject line"]

    def take(self, rows: Shaped[np.ndarray, " row"]) -> "Lines":
        """Return the subjects at these rows (indices or a mask)."""
        return Lines(*(values[rows] for values in self))


def draw_lines(
    n: int,
    rng: np.random.Generator,
    *,
    band: Range,
    rms: Float[np.ndarray, " subject"],
    count: int = _LINES,
) -> Lines:
    """Draw lines of equal power, one in each slice of a band.

    Slices are even in the logarithm of frequency; a line lies in the middle half of its
    slice, so that an hour tells it from its neighbours. The first subjects do not
    depend on ``n``.

    Args:
        n: Subjects.
        rng: Where chance comes from.
        band: Hz.
        rms: Of all lines together. Shape (subject,).
        count: Lines.
    """
    where, phase = rng.spawn(2)
    low, high = np.log(band)
    place = (np.arange(count) + 0.25 + 0.5 * where.random((n, count))) / count
    each = rms * math.sqrt(2.0 / count)
    return Lines(
        frequency=np.exp(low + (high - low) * place),
        phase=phase.random((n, count)),
        amplitude=np.repeat(each[:, None], count, axis=1),
    )


@compiled(fastmath={"contract"})
@no_type_check
def oscillation(
    frequency: np.ndarray, phase: np.ndarray, amplitude: np.ndarray, time: float
) -> float:
    """Return the sum of one subject's lines at a time, s."""
    total = 0.0
    for k in range(len(frequency)):
        total += amplitude[k] * turn(frequency[k] * time + phase[k])[1]
    return total
