"""Read evenly sampled rows at fractional positions."""

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.signal.checks import checked_rows
from capnet.types import RawSamples

__all__ = ["Positions", "Rows", "catmull_rom"]

Rows = Float[np.ndarray, "row time"]
"""Evenly sampled rows: one a beat, or a single one for all."""

Positions = Float[np.ndarray, "beat point"]
"""Places within each row, samples, fractional."""


def catmull_rom(rows: RawSamples, position: RawSamples) -> Positions:
    """Read rows by the cubic of Catmull and Rom (1974); ends are held.

    The cubic goes through the samples; its slope at a sample is half the difference
    of the neighbours.

    Args:
        rows: Samples, one row a beat or a single row for all. Shape (row, time).
        position: Where to read, samples; NaN gives NaN. Shape (beat, point).

    Returns:
        Values; NaN where a sample that is met is missing. Shape (beat, point).

    Raises:
        ShapeError: If one of them is no table of real numbers, rows are empty, or
            neither one nor as many as there are places.
    """
    rows, position = _checked(rows, position)
    last = rows.shape[1] - 1
    floor = np.floor(np.nan_to_num(position))
    t = position - floor
    # Beyond the ends all is held, however far.
    index = np.clip(floor, -4.0, last + 4.0).astype(np.int64)
    row = np.zeros((1, 1), dtype=np.int64)
    if len(rows) > 1:
        row = np.arange(len(rows))[:, None]
    a, b, c, d = (rows[row, np.clip(index + k, 0, last)] for k in (-1, 0, 1, 2))
    with np.errstate(invalid="ignore", over="ignore"):
        cubic = 1.5 * (b - c) + 0.5 * (d - a)
        square = a - 2.5 * b + 2.0 * c - 0.5 * d
        values: Positions = b + t * (0.5 * (c - a) + t * (square + t * cubic))
    infinite = np.isinf(values)
    return np.where(infinite, np.nan, values) if infinite.any() else values


def _checked(rows: RawSamples, position: RawSamples) -> tuple[Rows, Positions]:
    """Return both as floating-point numbers.

    Samples are not looked at: what is read may be a few places of a day.
    """
    samples = np.asarray(rows)
    none = samples[:0] if samples.ndim else samples
    kind = checked_rows(none, where="the rows", least=1).dtype
    place = checked_rows(position, where="the places")
    if len(samples) not in (1, len(place)):
        msg = (
            f"{len(samples)} rows are read at the places of {len(place)} beats; wanted "
            "one row, or one a beat."
        )
        raise ShapeError(msg)
    return samples.astype(kind, copy=False), place
