"""Frames: the shortest time in which every channel has a whole number of samples."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Final

from capnet.errors import RecordError

__all__ = ["exact_rate", "frame_rate"]

_LONGEST_FRAME: Final = 10
"""s; a frame holds a whole number of samples of every channel."""
_FINEST: Final = 10_000
"""Largest denominator of a sampling rate in Hz."""


def exact_rate(rate: float) -> Fraction:
    """Return the fraction that a sampling rate in Hz stands for."""
    return Fraction(rate).limit_denominator(_FINEST)


def frame_rate(rates: Mapping[str, float], *, where: str) -> Fraction:
    """Return the largest rate of which all rates are multiples, Hz.

    Args:
        rates: Hz, by channel.
        where: Names the file, for messages.

    Raises:
        RecordError: If there is none, or only one below 0.1 Hz.
    """
    exact = [exact_rate(rate) for rate in rates.values()]
    bottom = math.lcm(*(rate.denominator for rate in exact))
    top = math.gcd(*(int(rate * bottom) for rate in exact))
    frame = Fraction(top, bottom)
    close = all(
        math.isclose(float(fraction), rate, rel_tol=1e-12)
        for fraction, rate in zip(exact, rates.values(), strict=True)
    )
    if not close or frame * _LONGEST_FRAME < 1:
        said = ", ".join(f"{name} {rate!r}" for name, rate in rates.items())
        msg = (
            f"{where}: sampling rates are {said} Hz; wanted whole multiples of one "
            f"rate of {1 / _LONGEST_FRAME:g} Hz or more. Write a table (.parquet, "
            ".csv), which takes any."
        )
        raise RecordError(msg)
    return frame
