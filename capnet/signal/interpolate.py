"""Read evenly sampled rows at fractional positions."""

import numpy as np
from jaxtyping import Float

__all__ = ["Positions", "Rows", "catmull_rom"]

Rows = Float[np.ndarray, "row time"]
"""Evenly sampled rows: one a beat, or a single one for all."""

Positions = Float[np.ndarray, "beat point"]
"""Places within each row, samples, fractional."""


def catmull_rom(rows: Rows, position: Positions) -> Positions:
    """Read rows by the cubic of Catmull and Rom (1974); ends are held.

    The cubic goes through the samples; its slope at a sample is half the difference
    of the neighbours.

    Args:
        rows: Samples, one row a beat or a single row for all. Shape (row, time).
        position: Where to read, samples; NaN gives NaN. Shape (beat, point).

    Returns:
        Values. Shape (beat, point).
    """
    floor = np.floor(np.nan_to_num(position))
    index, t = floor.astype(np.int64), position - floor
    last = rows.shape[1] - 1
    row = np.zeros((1, 1), dtype=np.int64)
    if len(rows) > 1:
        row = np.arange(len(rows))[:, None]
    a, b, c, d = (rows[row, np.clip(index + k, 0, last)] for k in (-1, 0, 1, 2))
    cubic = 1.5 * (b - c) + 0.5 * (d - a)
    square = a - 2.5 * b + 2.0 * c - 0.5 * d
    values: Positions = b + t * (0.5 * (c - a) + t * (square + t * cubic))
    return values
