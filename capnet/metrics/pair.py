"""What every metric asks of its two arguments."""

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError

__all__ = ["alike", "check_pair", "check_rows", "difference"]

Array = Float[np.ndarray, "..."]


def _check_numbers(array: object, name: str) -> None:
    """Refuse what is no array of numbers that can be subtracted and squared.

    Small and unsigned integers are refused, too: their differences and squares wrap
    around without a word.
    """
    if not isinstance(array, np.ndarray):
        msg = f"{name} is a {type(array).__name__}; wanted a numpy array of numbers."
        raise ShapeError(msg)
    if isinstance(array, np.ma.MaskedArray):
        msg = (
            f"{name} is a masked array, whose hidden values would count; wanted a "
            "plain one. Take the rows that count: .compressed() of both."
        )
        raise ShapeError(msg)
    kind, size = array.dtype.kind, array.dtype.itemsize
    if not ((kind == "f" and size >= 4) or (kind == "i" and size >= 8)):
        msg = (
            f"{name} holds {array.dtype}; wanted float64 (or float32, int64). Convert "
            "it with .astype(float)."
        )
        raise ShapeError(msg)


def check_pair(predicted: Array, reference: Array) -> None:
    """Refuse a pair of arrays that no metric should turn into a number.

    Args:
        predicted: What a method says. Shape (n,) or (beat, 64).
        reference: What is true, the same shape.

    Raises:
        ShapeError: If they are no arrays of such numbers, the shapes differ, there is
            nothing to compare, or a value is NaN or infinite.
    """
    _check_numbers(predicted, "predicted")
    _check_numbers(reference, "reference")
    if predicted.shape != reference.shape:
        msg = (
            f"predicted has shape {predicted.shape}, reference {reference.shape}; "
            "wanted the same. Compare the same beats in the same order."
        )
        raise ShapeError(msg)
    if predicted.size == 0:
        msg = (
            f"predicted and reference are empty, shape {predicted.shape}; wanted at "
            "least one value. A method that answered nothing has no score."
        )
        raise ShapeError(msg)
    for name, array in (("predicted", predicted), ("reference", reference)):
        bad = ~np.isfinite(array)
        if bad.any():
            row = int(np.argwhere(bad)[0, 0])
            msg = (
                f"{name} holds {int(bad.sum())} NaN or infinite values, the first in "
                f"row {row}; wanted finite numbers. Drop refused beats before scoring."
            )
            raise ShapeError(msg)


def difference(left: Array, right: Array) -> np.ndarray:
    """Return left - right in double precision, whatever precision they came in.

    Args:
        left: E.g. what a method says. Shape (n,) or (beat, 64).
        right: E.g. what is true, the same shape.

    Raises:
        ShapeError: As `check_pair`.
    """
    check_pair(left, right)
    return np.asarray(np.subtract(left, right, dtype=np.float64))


def alike(values: Array) -> bool:
    """Say whether values differ by no more than rounding.

    A constant that was computed, such as 130.1 - 120.1, is one only to rounding; what
    is divided by its spread would be a huge number instead of a refusal.

    Args:
        values: Numbers, at least one.
    """
    return float(np.ptp(values)) <= 1e-12 * float(np.abs(values).max())


def check_rows(values: Array, rows: np.ndarray, *, name: str) -> None:
    """Refuse a companion array that does not have one row for each value.

    Args:
        values: What is scored. Shape (n, ...).
        rows: What belongs to each row, e.g. its subject. Shape (n,).
        name: What ``rows`` is called in the message.

    Raises:
        ShapeError: If it is no array of one axis, or the lengths differ.
    """
    if not (isinstance(rows, np.ndarray) and rows.ndim == 1):
        found = f"shape {rows.shape}" if isinstance(rows, np.ndarray) else "no array"
        msg = f"{name} has {found}; wanted a numpy array of shape ({len(values)},)."
        raise ShapeError(msg)
    if len(rows) != len(values):
        msg = f"{name} has {len(rows)} rows for {len(values)} values; wanted as many."
        raise ShapeError(msg)
