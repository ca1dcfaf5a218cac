"""Predictions that fit the truth in another unit or column."""

from typing import Final

import numpy as np

from capnet.errors import RecordError, UnitError
from capnet.evaluation.tables.columns import Column, Columns
from capnet.units import MMHG

__all__ = ["check_against", "check_own"]

_CONFUSED: Final = (98.0665 / MMHG, 1e2 / MMHG)
"""Units in which a pressure could still be taken for one in mmHg."""
_WITHIN: Final = 0.045
"""By how much, relatively, the ratio of two tables may differ from that of units."""
_TOO_MANY: Final = 10
"""Answers that cannot all be right to the last digit by chance."""
_PAIRS: Final = (
    ("csbp", "cdbp"),
    ("csbp", "cmap"),
    ("csbp", "cpp"),
    ("cdbp", "cmap"),
    ("cdbp", "cpp"),
    ("cmap", "cpp"),
)


def check_own(where: str, said: Column, true: Column) -> None:
    """Refuse answers that are the truth to the last digit: no method is that good.

    Args:
        where: Whose, for messages.
        said: Predicted SBP on the accepted beats, mmHg.
        true: The truth of the same beats.

    Raises:
        RecordError: If there are at least ten, and every one is the truth itself.
    """
    if len(said) >= _TOO_MANY and (said == true).all():
        msg = (
            f"{where}: all {len(said)} values of csbp are those of the reference to "
            "the last digit, so the truth stands where the answers should. Bring what "
            "the method said, or call the row a control."
        )
        raise RecordError(msg)


def check_against(where: str, said: Columns, true: Columns) -> None:
    """Refuse predictions that fit the truth in another unit or column.

    Args:
        where: Whose, for messages.
        said: Predicted ``csbp`` and others on the accepted beats, mmHg.
        true: The truth of the same beats.

    Raises:
        UnitError: If the ratio of both is that of two units.
        RecordError: If two exchanged columns fit at least twice as well.
    """
    both = [k for k in said if np.isfinite(true[k]).any() and len(said[k])]
    apart = {
        (a, b): float(np.nanmean(np.abs(said[a] - true[b]))) for a in both for b in both
    }
    for a, b in _PAIRS:
        if a not in both or b not in both:
            continue
        straight, crossed = apart[a, a] + apart[b, b], apart[a, b] + apart[b, a]
        if crossed < 0.5 * straight:
            msg = (
                f"{where}: {a} and {b} look exchanged, in the predictions or in the "
                f"reference: mean errors are {apart[a, a]:.1f} and {apart[b, b]:.1f} "
                f"mmHg as they stand, {apart[a, b]:.1f} and {apart[b, a]:.1f} the "
                "other way. Put every pressure into its column."
            )
            raise RecordError(msg)
    for a, b in _PAIRS:
        if a in both and b in both and apart[a, b] < 0.25 * apart[a, a]:
            if apart[a, a] < 10.0:
                continue
            msg = (
                f"{where}: {a} fits the true {b} (mean error {apart[a, b]:.1f} mmHg) "
                f"and not the true {a} ({apart[a, a]:.1f} mmHg). Put every pressure "
                "into its column."
            )
            raise RecordError(msg)
    ratios = [
        float(np.nanmedian(said[k] / true[k])) for k in both if k in ("csbp", "cdbp")
    ]
    for factor in (*_CONFUSED, *(1.0 / f for f in _CONFUSED)):
        if ratios and all(abs(r / factor - 1.0) < _WITHIN for r in ratios):
            told = " and ".join(f"{r:.3f}" for r in ratios)
            msg = (
                f"{where}: predictions are {told} times the truth (medians), as cmH2O "
                "or hPa are of mmHg. Convert all pressures of both tables to mmHg."
            )
            raise UnitError(msg)
