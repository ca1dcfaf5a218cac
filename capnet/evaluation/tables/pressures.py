"""What central pressures cannot be: another unit, another column, impossible.

Nothing is converted or exchanged here: what looks wrong is refused with what it looks
like. Bounds are wide, since they must never refuse a person.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import RecordError, UnitError
from capnet.evaluation.tables.columns import Column, Columns, Mask
from capnet.evaluation.tables.sheet import Sheet
from capnet.evaluation.tables.unit import LOWEST, in_mmhg

__all__ = ["LIMITS", "check_pressures"]

LIMITS: Final = {
    "csbp": (35.0, 350.0),
    "cdbp": (5.0, 250.0),
    "cmap": (15.0, 300.0),
    "cpp": (1.0, 250.0),
}
"""mmHg between which a central pressure lies, whatever happened to its owner."""
_HIGHEST: Final = {"csbp": 175.0, "cdbp": 112.0, "cmap": 130.0}
"""mmHg above which none lies."""
_HIGH: Final = {"csbp": 140.0, "cdbp": 90.0}
"""mmHg above which SBP and DBP do not lie together: 120/78 mmHg is 163/106 cmH2O."""
_ALONE: Final = 148.0
"""The same of SBP where there is no DBP."""
_FEW: Final = 5
"""People of whom a median says nothing; one may have any pressure."""
_FORM: Final = (0.2, 0.62)
"""Median of (MAP - DBP) / PP. In single people it is 0.42 +- 0.06 (0.23 to 0.58)."""
_PULSE: Final = 1.4
"""Largest median of PP over DBP."""
_SUM: Final = 2.0
"""mmHg by which PP may differ from SBP - DBP; integers do by 1.5."""


def check_pressures(
    sheet: Sheet,
    values: Columns,
    rows: Mask,
    person: Int[np.ndarray, " row"],
    *,
    names: Mapping[str, str],
    declared: bool,
    whose: str,
    adds_up: bool,
    astray: float = 0.0,
) -> None:
    """Refuse central pressures that cannot be, or not in mmHg, or not in their column.

    Args:
        sheet: The table, for messages.
        values: ``csbp`` and perhaps ``cdbp``, ``cmap``, ``cpp``.
        rows: Which rows count.
        person: Who each row is, numbered from 0.
        names: What the columns are called in the table.
        declared: Whether the table says that it is in mmHg; then high medians are
            believed.
        whose: Whose numbers these are, for messages.
        adds_up: Whether PP must be SBP - DBP.
        astray: Share of the rows whose SBP and DBP may be in the wrong order: those of
            a bad control are now and then, exchanged columns nearly always.

    Raises:
        UnitError: If the medians over people are not usual in mmHg.
        RecordError: If a value is impossible, or columns look exchanged.
    """
    if not rows.any():
        return
    _check_order(sheet, values, rows, names, astray=astray)
    _check_medians(sheet, values, rows, person, names, declared=declared, whose=whose)
    for key, column in values.items():
        low, high = LIMITS[key]
        wrong = rows & ((column < low) | (column > high))
        if key == "cpp":  # below zero where DBP and SBP stand in the wrong order
            odd = wrong & (column > -high) & (column < low)
            wrong = wrong & ~odd if odd.sum() <= astray * rows.sum() else wrong
        if wrong.any():
            row = int(wrong.argmax())
            found = f"{column[row]:g} mmHg is no {_said(key)} ({low:g} to {high:g})"
            way_out = "Correct it (unit? column?), or refuse the beat."
            sheet.refuse(row, names[key], found, way_out)
    if adds_up:
        _check_sum(sheet, values, rows, names)
    _check_shape(sheet, values, rows, person, names, whose=whose)


def _check_medians(
    sheet: Sheet,
    values: Columns,
    rows: Mask,
    person: Int[np.ndarray, " row"],
    names: Mapping[str, str],
    *,
    declared: bool,
    whose: str,
) -> None:
    """Refuse what can only be another unit, and what is most likely one."""
    people = {k: _people(values[k][rows], person[rows]) for k in values if k != "cpp"}
    medians = {k: float(np.median(each)) for k, each in people.items() if len(each)}
    for key, median in medians.items():
        highest = np.inf if declared else _HIGHEST[key]
        if not LOWEST[key] <= median <= highest:
            _refuse_unit(sheet, names, key, median, len(people[key]), whose)
    high = _HIGH if "cdbp" in medians else {"csbp": _ALONE}
    enough = len(people["csbp"]) >= _FEW and not declared
    if enough and all(medians[key] > limit for key, limit in high.items()):
        _refuse_unit(sheet, names, "csbp", medians["csbp"], len(people["csbp"]), whose)


def _refuse_unit(
    sheet: Sheet,
    names: Mapping[str, str],
    key: str,
    median: float,
    people: int,
    whose: str,
) -> None:
    msg = (
        f"{sheet.name}, column {names[key]!r}: the median of {people} people is "
        f"{median:.4g}{whose}, which is not usual in mmHg; {in_mmhg(median, key)}. "
        "Convert "
        "every pressure to mmHg. If they are in mmHg, say so with a column unit that "
        "has mmHg in every row."
    )
    raise UnitError(msg)


def _check_order(
    sheet: Sheet,
    values: Columns,
    rows: Mask,
    names: Mapping[str, str],
    *,
    astray: float,
) -> None:
    for less, more in (
        ("cdbp", "csbp"),
        ("cmap", "csbp"),
        ("cdbp", "cmap"),
        ("cpp", "csbp"),
    ):
        if less not in values or more not in values:
            continue
        wrong = rows & (values[less] >= values[more])
        if wrong.sum() > astray * rows.sum():
            row = int(wrong.argmax())
            found = (
                f"{_said(less)} {values[less][row]:g} is not below {_said(more)} "
                f"{values[more][row]:g}"
            )
            if wrong.sum() > 0.5 * rows.sum():
                found += f" in {int(wrong.sum())} rows: the two columns look exchanged"
            way_out = f"Put {names[less]} and {names[more]} right, or refuse the beat."
            sheet.refuse(row, names[less], found, way_out)


def _check_sum(
    sheet: Sheet,
    values: Columns,
    rows: Mask,
    names: Mapping[str, str],
) -> None:
    if {"csbp", "cdbp", "cpp"} <= values.keys():
        apart = np.abs(values["csbp"] - values["cdbp"] - values["cpp"])
        wrong = rows & (apart > _SUM)
        if wrong.any():
            row = int(wrong.argmax())
            found = f"PP is {values['cpp'][row]:g}, but SBP - DBP differs by "
            found += f"{apart[row]:.3g} mmHg"
            way_out = "One of the three is wrong, or stands in another's column."
            sheet.refuse(row, names["cpp"], found, way_out)


def _check_shape(
    sheet: Sheet,
    values: Columns,
    rows: Mask,
    person: Int[np.ndarray, " row"],
    names: Mapping[str, str],
    *,
    whose: str,
) -> None:
    if "cdbp" not in values:
        return
    pulse = values["csbp"] - values["cdbp"]
    answers = rows & np.isfinite(pulse)
    if not answers.any():
        return
    if "cmap" in values:
        form = (values["cmap"] - values["cdbp"])[answers] / pulse[answers]
        median = float(np.median(_people(form, person[answers])))
        if not _FORM[0] <= median <= _FORM[1]:
            msg = (
                f"{sheet.name}, column {names['cmap']!r}: MAP lies {100 * median:.0f} "
                f"% of the pulse pressure above DBP{whose} (median of people); "
                f"{100 * _FORM[0]:.0f} to {100 * _FORM[1]:.0f} % is usual. DBP, MAP "
                "and PP look exchanged: put every pressure into its column."
            )
            raise RecordError(msg)
    over = pulse[answers] / values["cdbp"][answers]
    median = float(np.median(_people(over, person[answers])))
    if median > _PULSE:
        msg = (
            f"{sheet.name}, column {names['cdbp']!r}: PP is {median:.2f} times DBP"
            f"{whose} (median of people). DBP and PP look exchanged: put every "
            "pressure into its column."
        )
        raise RecordError(msg)


def _people(
    values: Column, person: Int[np.ndarray, " row"]
) -> Float[np.ndarray, " person"]:
    """Return the means of people, NaN left out. Shape (person,)."""
    there = np.isfinite(values)
    count = np.bincount(person[there])
    total = np.bincount(person[there], values[there])
    return np.asarray(total[count > 0] / count[count > 0])


def _said(key: str) -> str:
    return key[1:].upper()
