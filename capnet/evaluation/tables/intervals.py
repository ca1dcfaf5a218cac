"""Intervals of predictions: their ends, their coverage, what they hold."""

from typing import Any, Final

import numpy as np

from capnet.errors import RecordError
from capnet.evaluation.tables.columns import CENTRAL, ENDS, Chosen, Column, Mask
from capnet.evaluation.tables.sheet import Sheet

__all__ = ["check_interval", "ends_of", "interval_of"]

_HELD: Final = 0.1
"""Share of answers that lie in their own intervals at least."""


def ends_of(sheet: Sheet, accepted: Mask) -> tuple[dict[str, Column], Column] | None:
    """Return the ends of intervals and their coverage."""
    there = [name for name in ENDS if name in sheet]
    if not there:
        return None
    for name in there:
        stem, end = name.rsplit("_", 1)
        other = f"{stem}_{'high' if end == 'low' else 'low'}"
        sheet.need(other, f"{name} is one end of an interval")
    sheet.need("coverage", "share of people whose truth the intervals shall hold")
    ends = {name: sheet.numbers(name) for name in there}
    for name in there:
        if not name.endswith("_low"):
            continue
        high = f"{name.removesuffix('_low')}_high"
        wrong = accepted & (ends[name] > ends[high])
        if wrong.any():
            row = int(wrong.argmax())
            found = f"the interval ends ({ends[high][row]:g}) below its start"
            sheet.refuse(row, high, f"{found} ({ends[name][row]:g})", "Correct it.")
        half = np.isnan(ends[name]) != np.isnan(ends[high])
        if half.any():
            row = int(half.argmax())
            sheet.refuse(row, high, "one end of the interval is blank", "Correct it.")
    return ends, sheet.numbers("coverage")


def interval_of(
    ends: tuple[dict[str, Column], Column] | None,
    rows: Chosen,
    sheet: Sheet,
    *,
    who: str,
) -> tuple[Any, Any, float | None]:
    """Return the intervals of one method, if it has any.

    Args:
        ends: Of the whole table.
        rows: Of the method, in the order wanted.
        sheet: The table.
        who: The method, for messages.

    Returns:
        Where they begin and end, mmHg, NaN where there is none, shape (_, 4); and
        their coverage.

    Raises:
        RecordError: If the coverage is no share, or not one.
    """
    if ends is None or all(np.isnan(v[rows]).all() for v in ends[0].values()):
        return None, None, None
    share = ends[1][rows]
    said = np.unique(share[np.isfinite(share)])
    if len(said) != 1 or not 0.0 < said[0] < 1.0:
        found = f"{who} states {said.tolist()[:3]}; wanted one share such as 0.9"
        sheet.refuse(int(rows[0]), "coverage", found, "Correct it.")
    blank = np.full(len(rows), np.nan)
    both = []
    for end in ("low", "high"):
        names = [f"{name}_{end}" for name in CENTRAL]
        both.append([ends[0][n][rows] if n in ends[0] else blank for n in names])
    return np.stack(both[0], axis=1), np.stack(both[1], axis=1), float(said[0])


def check_interval(
    where: str, column: str, said: Column, low: Column, high: Column
) -> None:
    """Refuse intervals that hold almost none of the answers they belong to.

    Args:
        where: Whose, for messages.
        column: What they are intervals of.
        said: Answers. Shape (row,).
        low: Where the intervals begin, NaN without one. Shape (row,).
        high: Where they end. Shape (row,).

    Raises:
        RecordError: If fewer than a tenth of the answers lie in theirs.
    """
    there = np.isfinite(low)
    held = (low <= said) & (said <= high)
    if there.any() and held.sum() < _HELD * there.sum():
        msg = (
            f"{where}: {int(held.sum())} of {int(there.sum())} values of {column!r} "
            f"lie between {column}_low and {column}_high, whose medians are "
            f"{np.median(low[there]):.4g} and {np.median(high[there]):.4g}. The ends "
            "are of another quantity or in another unit: wanted mmHg, not distances "
            "from the value."
        )
        raise RecordError(msg)
