"""Readings of the arm: what they cannot be beside the central pressure."""

from typing import Final

import numpy as np

from capnet.errors import RecordError, UnitError
from capnet.evaluation.tables.columns import Column, Columns, Mask
from capnet.evaluation.tables.gate import is_blank
from capnet.evaluation.tables.sheet import Sheet
from capnet.evaluation.tables.unit import LOWEST, in_mmhg

__all__ = ["check_cuff", "check_readings", "readings_of"]

_ARM: Final = {"sbp": (40.0, 350.0), "dbp": (5.0, 250.0)}
_RATIO: Final = (0.80, 1.29)
"""Median of a reading of the arm's SBP over the central one."""
_AMPLIFIED: Final = -2.0
"""mmHg; lowest median of brachial - central SBP. The pulse grows towards the arm."""


def readings_of(sheet: Sheet, accepted: Mask) -> dict[str, Column]:
    """Return those of ``cuff_sbp``, ``cuff_dbp`` and ``brachial_sbp`` that are there.

    Args:
        sheet: The table.
        accepted: Which rows must have a reading, if any has. Shape (row,).

    Returns:
        Readings by column, mmHg. Shape (row,).

    Raises:
        RecordError: If one is missing.
    """
    arm = {
        name: sheet.numbers(name)
        for name in ("cuff_sbp", "cuff_dbp", "brachial_sbp")
        if name in sheet
    }
    if ("cuff_sbp" in arm) != ("cuff_dbp" in arm):
        sheet.need("cuff_sbp", "cuff_dbp has no meaning alone")
        sheet.need("cuff_dbp", "cuff_sbp has no meaning alone")
    both = [arm[name] for name in ("cuff_sbp", "cuff_dbp") if name in arm]
    if both and all(map(is_blank, both)):
        arm = {name: v for name, v in arm.items() if name == "brachial_sbp"}
    arm = {n: v for n, v in arm.items() if n != "brachial_sbp" or not is_blank(v)}
    for name, column in arm.items():
        lost = accepted & np.isnan(column)
        if lost.any():
            row = int(lost.argmax())
            found = f"the cell is blank or NaN ({int(lost.sum())} such rows)"
            way_out = (
                "Fill it in for every accepted beat, refuse the beat (accepted = "
                "false), or take the column out."
            )
            sheet.refuse(row, name, found, way_out)
    return arm


def check_readings(
    sheet: Sheet,
    sbp: str,
    dbp: str | None,
    arm: Columns,
    csbp: Column,
    rows: Mask,
) -> None:
    """Refuse readings of the arm that cannot be, or are not in the unit of the truth.

    Args:
        sheet: The table.
        sbp: Name of the arm's systolic column.
        dbp: Name of its diastolic column; None without one.
        arm: Both, by name, mmHg.
        csbp: True central SBP, mmHg.
        rows: Which rows count; none of them is blank.

    Raises:
        UnitError: If they are in another unit than the truth.
        RecordError: If a value is impossible, or columns look exchanged.
    """
    ratio = float(np.median(arm[sbp][rows] / csbp[rows]))
    if not _RATIO[0] <= ratio <= _RATIO[1]:
        msg = (
            f"{sheet.name}, column {sbp!r}: the median is {ratio:.3g} times the "
            "central SBP. Either is in another unit than mmHg, or in another's column."
        )
        raise UnitError(msg)
    if dbp is not None:
        median = float(np.median(arm[dbp][rows]))
        if median < LOWEST["cdbp"]:
            msg = (
                f"{sheet.name}, column {dbp!r}: the median is {median:.4g}, which is "
                f"no DBP in mmHg; {in_mmhg(median, 'cdbp')}. Convert it to mmHg."
            )
            raise UnitError(msg)
    for name, what in ((sbp, "sbp"), (dbp, "dbp")):
        if name is None:
            continue
        low, high = _ARM[what]
        wrong = rows & ((arm[name] < low) | (arm[name] > high))
        if wrong.any():
            row = int(wrong.argmax())
            found = f"{arm[name][row]:g} mmHg is no {what.upper()} of an arm"
            sheet.refuse(row, name, f"{found} ({low:g} to {high:g})", "Correct it.")
    if dbp is not None and (wrong := rows & (arm[dbp] >= arm[sbp])).any():
        row = int(wrong.argmax())
        found = f"DBP {arm[dbp][row]:g} is not below SBP {arm[sbp][row]:g}"
        sheet.refuse(row, dbp, found, f"Put {sbp} and {dbp} right.")
    if sbp == "brachial_sbp":
        lift = float(np.median((arm[sbp] - csbp)[rows]))
        if lift < _AMPLIFIED:
            msg = (
                f"{sheet.name}, column {sbp!r}: the arm's true SBP is {lift:.1f} mmHg "
                "above the central one (median); it is at least as high, since the "
                "pulse grows on its way. The two columns look exchanged; a cuff's "
                "reading belongs into cuff_sbp."
            )
            raise RecordError(msg)


def check_cuff(sheet: Sheet, cuff: Column, dbp: Column, pulse: Column) -> None:
    """Refuse a cuff's DBP that fits the true PP.

    Args:
        sheet: The table.
        cuff: The cuff's DBP, mmHg. Shape (row,).
        dbp: True central DBP, mmHg. Shape (row,).
        pulse: True central PP, mmHg. Shape (row,).

    Raises:
        RecordError: If it fits PP at least twice as well as DBP.
    """
    straight = float(np.mean(np.abs(cuff - dbp)))
    crossed = float(np.mean(np.abs(cuff - pulse)))
    if crossed < 0.5 * straight and straight > 8.0:
        msg = (
            f"{sheet.name}: cuff_dbp fits the true PP (mean difference {crossed:.1f} "
            f"mmHg) and not the true DBP ({straight:.1f} mmHg). DBP and PP look "
            "exchanged: put every pressure into its column."
        )
        raise RecordError(msg)
