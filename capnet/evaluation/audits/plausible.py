"""What pressures of a table cannot be: another unit, another column, impossible.

Nothing is converted or exchanged here: what looks wrong is refused with what it looks
like. Bounds are wide, since they must never refuse a person.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int

from capnet.errors import RecordError, UnitError
from capnet.evaluation.audits.cells import Sheet
from capnet.units import MMHG

__all__ = [
    "check_against",
    "check_interval",
    "check_pressures",
    "check_readings",
    "check_unit",
]

Column = Float[np.ndarray, " row"]
Columns = Mapping[str, Column]

LIMITS: Final = {
    "csbp": (35.0, 350.0),
    "cdbp": (5.0, 250.0),
    "cmap": (15.0, 300.0),
    "cpp": (1.0, 250.0),
}
"""mmHg between which a central pressure lies, whatever happened to its owner."""
_ARM: Final = {"sbp": (40.0, 350.0), "dbp": (5.0, 250.0)}

_LOWEST: Final = {"csbp": 60.0, "cdbp": 30.0, "cmap": 40.0}
"""mmHg below which no median of people lies."""
_HIGHEST: Final = {"csbp": 175.0, "cdbp": 112.0, "cmap": 130.0}
"""mmHg above which none lies."""
_USUAL: Final = {"csbp": (75.0, 150.0), "cdbp": (45.0, 110.0), "cmap": (60.0, 125.0)}
"""mmHg between which a guess of the unit puts a median."""
_HIGH: Final = {"csbp": 140.0, "cdbp": 90.0}
"""mmHg above which SBP and DBP do not lie together: 120/78 mmHg is 163/106 cmH2O."""
_ALONE: Final = 148.0
"""The same of SBP where there is no DBP."""
_FEW: Final = 5
"""People of whom a median says nothing; one may have any pressure."""
_UNITS: Final = {
    "kPa": 1e3 / MMHG,
    "Pa": 1.0 / MMHG,
    "cmH2O": 98.0665 / MMHG,
    "cmHg": 10.0,
}
"""mmHg in one of each."""
_CONFUSED: Final = (98.0665 / MMHG, 1e2 / MMHG)
"""Units in which a pressure could still be taken for one in mmHg."""
_WITHIN: Final = 0.045
"""By how much, relatively, the ratio of two tables may differ from that of units."""
_FORM: Final = (0.2, 0.62)
"""Median of (MAP - DBP) / PP. In single people it is 0.42 +- 0.06 (0.23 to 0.58)."""
_PULSE: Final = 1.4
"""Largest median of PP over DBP."""
_SUM: Final = 2.0
"""mmHg by which PP may differ from SBP - DBP; integers do by 1.5."""
_RATIO: Final = (0.80, 1.29)
"""Median of a reading of the arm's SBP over the central one."""
_AMPLIFIED: Final = -2.0
"""mmHg; lowest median of brachial - central SBP. The pulse grows towards the arm."""
_HELD: Final = 0.1
"""Share of answers that lie in their own intervals at least."""
_PAIRS: Final = (
    ("csbp", "cdbp"),
    ("csbp", "cmap"),
    ("csbp", "cpp"),
    ("cdbp", "cmap"),
    ("cdbp", "cpp"),
    ("cmap", "cpp"),
)


def _people(
    values: Column, person: Int[np.ndarray, " row"]
) -> Float[np.ndarray, " person"]:
    """Return the means of people, NaN left out. Shape (person,)."""
    there = np.isfinite(values)
    count = np.bincount(person[there])
    total = np.bincount(person[there], values[there])
    return np.asarray(total[count > 0] / count[count > 0])


def _in_mmhg(median: float, key: str) -> str:
    """Say in which unit a median would be a usual pressure."""
    low, high = _USUAL[key]
    for unit, factor in _UNITS.items():
        if low <= median * factor <= high:
            return f"read as {unit} it is {median * factor:.0f} mmHg"
    return "no unit makes a usual pressure of it"


def check_unit(sheet: Sheet, what: str) -> bool:
    """Read the column ``unit``, if there is one.

    Args:
        sheet: The table.
        what: Holds the numbers, for messages.

    Returns:
        Whether the table declares its pressures to be in mmHg.

    Raises:
        UnitError: If it says anything but mmHg.
    """
    said = [name for name in ("unit", "units") if name in sheet]
    for name in said:
        words, code = sheet.codes(name, blank=True)
        wrong = np.array([w.casefold() != "mmhg" for w in words], dtype=bool)
        if wrong[code].any():
            row = int(wrong[code].argmax())
            found = str(words[code[row]]) or "blank"
            msg = (
                f"{sheet.at(row, name)}: the unit is {found!r}; wanted mmHg in every "
                f"row. Convert the {what} and write mmHg: nothing is converted here."
            )
            raise UnitError(msg)
    return bool(said)


def check_pressures(
    sheet: Sheet,
    values: Columns,
    rows: Bool[np.ndarray, " row"],
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
    rows: Bool[np.ndarray, " row"],
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
        if not _LOWEST[key] <= median <= highest:
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
        f"{median:.4g}{whose}, which is not usual in mmHg; {_in_mmhg(median, key)}. "
        "Convert "
        "every pressure to mmHg. If they are in mmHg, say so with a column unit that "
        "has mmHg in every row."
    )
    raise UnitError(msg)


def _check_order(
    sheet: Sheet,
    values: Columns,
    rows: Bool[np.ndarray, " row"],
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
    rows: Bool[np.ndarray, " row"],
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
    rows: Bool[np.ndarray, " row"],
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


def check_readings(
    sheet: Sheet,
    sbp: str,
    dbp: str | None,
    arm: Columns,
    csbp: Column,
    rows: Bool[np.ndarray, " row"],
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
        if median < _LOWEST["cdbp"]:
            msg = (
                f"{sheet.name}, column {dbp!r}: the median is {median:.4g}, which is "
                f"no DBP in mmHg; {_in_mmhg(median, 'cdbp')}. Convert it to mmHg."
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


def _said(key: str) -> str:
    return key[1:].upper()
