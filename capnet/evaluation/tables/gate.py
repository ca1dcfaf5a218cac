"""Which beats count, and which of their cells may be blank."""

from collections.abc import Mapping

import numpy as np

from capnet.evaluation.tables.columns import Column, Mask, Words
from capnet.evaluation.tables.sheet import Sheet

__all__ = ["complete", "gate", "is_blank"]


def gate(sheet: Sheet) -> tuple[Mask, Words]:
    """Return which beats are accepted, and why the others are not."""
    accepted = np.ones(sheet.rows, dtype=bool)
    reason = np.full(sheet.rows, "", dtype="U1")
    if "accepted" in sheet:
        accepted = sheet.flags("accepted")
    if accepted.all():  # words of any length would take as much room in every row
        return accepted, reason
    if "reason" in sheet:
        reason = sheet.words("reason", blank=True)
        reason = np.where(accepted, "", reason)
    return accepted, np.where(~accepted & (reason == ""), "not said", reason)


def is_blank(values: Column) -> bool:
    """Say whether a column has no number."""
    return bool(np.isnan(values).all())


def complete(
    sheet: Sheet,
    values: Mapping[str, Column],
    names: Mapping[str, str],
    rows: Mask,
) -> None:
    """Refuse blanks: SBP is demanded, the others all or none."""
    for key, column in values.items():
        blank = rows & np.isnan(column)
        if key != "csbp" and (not blank.any() or blank.sum() == rows.sum()):
            continue
        if blank.any():
            row = int(blank.argmax())
            found = f"the cell is blank or NaN ({int(blank.sum())} such rows)"
            way_out = (
                "Refuse the beat (accepted = false), or take it out of both tables."
            )
            if key != "csbp":
                way_out = "Fill in the column everywhere, or leave it out everywhere."
            sheet.refuse(row, names[key], found, way_out)
