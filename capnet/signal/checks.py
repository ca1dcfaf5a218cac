"""What every function of this room asks of a channel, and how it says no."""

from typing import Final

import numpy as np

from capnet.errors import ShapeError, UnitError
from capnet.types import PerBeat, RawSamples, Samples, Windows

__all__ = ["checked_numbers", "checked_rate", "checked_rows", "checked_samples"]

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
    return _without_infinite(np.ascontiguousarray(array, dtype=np.float64))


def checked_rows(values: RawSamples, *, where: str, least: int = 0) -> Windows:
    """Return beats as rows of numbers; what is infinite counts as missing.

    Single precision stays as it is: rows are many.

    Args:
        values: Real numbers of any type, NaN where missing. Shape (beat, time).
        where: What they are, for the error message, e.g. ``"the windows"``.
        least: Samples that a row must have.

    Returns:
        float32 if they are, else float64. Shape (beat, time), no beat included.

    Raises:
        ShapeError: If the values are no real numbers, no rows, or those too short.
    """
    array = np.asarray(values)
    if array.ndim != 2 or array.dtype.kind not in "iuf" or array.shape[1] < least:
        msg = (
            f"{where} have shape {array.shape} and type {array.dtype}; wanted real "
            f"numbers of shape (beat, time), one beat a row, time >= {least}."
        )
        raise ShapeError(msg)
    single = array.dtype.kind == "f" and array.dtype.itemsize == 4
    rows = array.astype(np.float32 if single else np.float64, copy=False)
    return _without_infinite(rows)


def checked_numbers(values: RawSamples, *, where: str) -> PerBeat:
    """Return one number a beat as float64; what is infinite counts as missing.

    Args:
        values: Real numbers of any type, NaN where missing. Shape (beat,).
        where: What they are, for the error message, e.g. ``"the durations"``.

    Returns:
        float64. Shape (beat,), no beat included.

    Raises:
        ShapeError: If the values are no real numbers or not one-dimensional.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        msg = (
            f"{where} have shape {array.shape} and type {array.dtype}; wanted real "
            "numbers of shape (beat,)."
        )
        raise ShapeError(msg)
    return _without_infinite(array.astype(np.float64, copy=False))


def _without_infinite(values: np.ndarray) -> np.ndarray:
    infinite = np.isinf(values)
    return np.where(infinite, np.nan, values) if infinite.any() else values


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
