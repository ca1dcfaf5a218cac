"""What every function of this room asks of a channel, and how it says no."""

from typing import Final

import numpy as np

from capnet.errors import ShapeError, UnitError
from capnet.types import RawSamples, Samples

__all__ = ["checked_rate", "checked_samples"]

_HIGHEST_RATE: Final = 1e6
"""Hz; a higher rate is a mistake of units."""


def checked_samples(values: RawSamples, *, where: str) -> Samples:
    """Return a channel as contiguous float64; what is infinite counts as missing.

    Args:
        values: Real numbers of any type, NaN where missing. Shape (time,).
        where: What it is, for the error message, e.g. ``"the PPG"``.

    Returns:
        Samples, NaN where missing or infinite. Shape (time,).

    Raises:
        ShapeError: If the values are no real numbers, not one-dimensional or empty.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0:
        msg = f"{where} has shape {array.shape}; wanted (time,), time >= 1."
        raise ShapeError(msg)
    if array.dtype.kind not in "iuf":
        msg = (
            f"{where} holds values of type {array.dtype}; wanted real numbers, NaN "
            "where a sample is missing."
        )
        raise ShapeError(msg)
    samples: Samples = np.ascontiguousarray(array, dtype=np.float64)
    infinite = np.isinf(samples)
    return np.where(infinite, np.nan, samples) if infinite.any() else samples


def checked_rate(sampling_rate: float, *, least: float, where: str) -> float:
    """Return a sampling rate that is possible and high enough.

    Args:
        sampling_rate: Hz.
        least: Lowest rate that serves, Hz.
        where: What is sampled, for the error message.

    Raises:
        UnitError: If it is no number, lower than that, or above 1 MHz.
    """
    try:
        rate = float(sampling_rate)
    except (TypeError, ValueError):
        rate = np.nan
    if not (np.isfinite(rate) and max(least, 1e-6) <= rate <= _HIGHEST_RATE):
        msg = (
            f"{where} is sampled at {sampling_rate!r} Hz; wanted at least {least:g} Hz "
            f"and at most {_HIGHEST_RATE:g}. Give the rate of the recording: capnet "
            "never assumes one."
        )
        raise UnitError(msg)
    return rate
