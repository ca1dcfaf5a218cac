"""How fine a channel is written where a format has 16 bits for a sample."""

from dataclasses import dataclass
from decimal import Decimal
from math import floor, log10
from typing import Final

import numpy as np
from jaxtyping import Int16

from capnet.errors import RecordError
from capnet.types import Samples

__all__ = ["STEPS", "Scale", "plain", "scale_of"]

STEPS: Final = 32_000
"""Steps to either side of the centre; a round number, so that ends of ranges are."""
_ROUND: Final = 1000
"""The centre is a multiple of so many steps."""


@dataclass(frozen=True)
class Scale:
    """Where the steps of a channel lie: at ``centre + n quantum``.

    Attributes:
        quantum: One step in the unit of the channel: 1, 2 or 5 times a power of ten.
        centre: In the unit of the channel, a multiple of 1000 steps.
    """

    quantum: Decimal
    centre: Decimal = Decimal(0)

    @property
    def low(self) -> Decimal:
        """Value of step -32,000."""
        return self.centre - STEPS * self.quantum

    @property
    def high(self) -> Decimal:
        """Value of step 32,000."""
        return self.centre + STEPS * self.quantum

    def steps(self, values: Samples) -> Int16[np.ndarray, " time"]:
        """Return the nearest step of each value.

        Args:
            values: Within the range, none missing. Shape (time,).
        """
        exact = (values.astype(np.float64) - float(self.centre)) / float(self.quantum)
        return np.round(exact).astype(np.int16)


def scale_of(values: Samples, *, characters: int, where: str) -> Scale:
    """Choose the finest scale on which all values lie.

    Args:
        values: Finite or NaN, one of them finite. Shape (time,).
        characters: That either end of the range may have when it is written.
        where: Names file and channel, for messages.

    Raises:
        RecordError: If the values have too many figures for the format.
    """
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = high - low or abs(high) or 1.0
    first = floor(log10(span / (2.0 * STEPS)))
    for power in range(first, first + 12):
        for figure in (1, 2, 5):
            quantum = Decimal(figure).scaleb(power)
            scale = Scale(quantum, _centre(low, high, quantum))
            # Half a step is left for the rounding of the floats.
            inside = float(scale.low) <= low and high <= float(scale.high)
            longest = max(len(plain(end)) for end in (scale.low, scale.high))
            if inside and longest <= characters:
                return scale
    msg = (
        f"{where} spans {low:g} to {high:g}; wanted values that {characters} "
        "characters can say. Use a larger or smaller unit."
    )
    raise RecordError(msg)


def _centre(low: float, high: float, quantum: Decimal) -> Decimal:
    """Return 0 where it will do, or a round number near the middle."""
    if max(-low, high) <= STEPS * float(quantum):
        return Decimal(0)
    coarse = _ROUND * quantum
    return round((low + high) / 2.0 / float(coarse)) * coarse


def plain(number: Decimal) -> str:
    """Return a decimal without an exponent and without idle zeros."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
