"""Anybody's predictions and references, from CSV or Parquet, read strictly.

One row a beat (and method); pressures in mmHg; decimals with a point. Rows may stand in
any order: they are joined by subject and beat. Columns that are not listed here are
left alone, and a column without a single number is as if it were not there.

Predictions: ``subject``, ``beat`` (0, 1, ...), ``method``, ``csbp``; and, if wanted,
``cdbp``, ``cmap``, ``cpp``, ``role`` (``deep`` by default: a claim), ``k`` (0),
``calibration``, ``accepted`` (true), ``reason``, ``family``, ``inputs`` (joined by
``+``), ``seen``, ``doubt``, intervals ``csbp_low``, ``csbp_high`` (likewise of the
others) with ``coverage``.

Reference: ``subject``, ``beat``, ``csbp`` (or ``csbp_ref``), ``reference_type``,
``calibration``; and, if wanted, ``cdbp``, ``cmap``, ``cpp`` (or with ``_ref``),
``cuff_sbp``, ``cuff_dbp``, ``brachial_sbp``, ``time`` (s), ``duration`` (s), ``age``
(years), ``sex``, ``hr`` (bpm), ``site``, ``group``, ``accepted``, ``reason``, and any
``truth.<name>``, ``groups.<name>``, ``features.<name>``.

Where nobody has taken a reading, ``calibration`` is ``none`` (or ``exact``, if the
predictions were scaled by the true pressures), and there are no columns of a cuff.
Beats that are not accepted may be blank.

What two columns of plausible numbers cannot tell: whether a single method's ``csbp``
and ``csbp_ref`` are exchanged, or the true ``csbp`` and ``cuff_sbp``.

A column ``unit`` may say that pressures are in mmHg; then unusual medians are believed.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.errors import ProtocolError, RecordError
from capnet.evaluation.audits.cells import Sheet, open_sheet
from capnet.evaluation.audits.plausible import (
    check_against,
    check_interval,
    check_pressures,
    check_readings,
    check_unit,
)
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.types import Calibration, Input, ReferenceType, Role

__all__ = ["PREDICTION_COLUMNS", "TRUTH_COLUMNS", "read_predictions", "read_truth"]

Column = Float[np.ndarray, " row"]
Rows = Int[np.ndarray, " row"]
Words = Shaped[np.ndarray, " row"]
Chosen = Int[np.ndarray, " _"]

_CENTRAL: Final = tuple(f"c{name}" for name in PRESSURES)
_ENDS: Final = tuple(f"{name}_{end}" for name in _CENTRAL for end in ("low", "high"))

PREDICTION_COLUMNS: Final = (
    *("subject", "beat", "method", "role", "k", "calibration", "accepted", "reason"),
    *("time", "duration", "family", "inputs", "seen", "unit", "units"),
    *(*_CENTRAL, *_ENDS, "coverage", "doubt"),
)
"""Columns of a table of predictions that are understood."""

TRUTH_COLUMNS: Final = (
    *("subject", "beat", "method", "k", "reference_type", "calibration", "time"),
    *("duration", "accepted", "reason", "unit", "units", "age", "hr", "sex"),
    *("cuff_sbp", "cuff_dbp", "brachial_sbp", "site", "group"),
    *(*_CENTRAL, *(f"{name}_ref" for name in _CENTRAL)),
)
"""Columns of a table of references that are understood."""

_PREFIXES: Final = ("truth.", "groups.", "features.")
_RANGES: Final = {"age": (0.0, 125.0), "hr": (15.0, 300.0), "duration": (0.15, 5.0)}
_SEXES: Final = {"female": "female", "f": "female", "male": "male", "m": "male"}

_ASTRAY: Final = 0.05
"""Share of the rows of a floor or control whose DBP may lie above SBP: regressions on
shuffled labels answer so, and are not to be left out for it."""

_DATE: Final = re.compile(
    r"(?:(?P<before>\d+)[- ])?(?P<month>[a-z]{3})[- ]?(?P<after>\d+)?"
)
"""What a spreadsheet may have taken for a day of a year: MAR1, 1-Mar."""


class _Beats(NamedTuple):
    """Whose beat each row is.

    Attributes:
        names: Distinct subjects.
        code: Which of them. Shape (row,).
        beat: Position within the subject. Shape (row,).
    """

    names: Shaped[np.ndarray, " name"]
    code: Rows
    beat: Rows

    @property
    def subject(self) -> Words:
        return np.asarray(self.names[self.code])

    def key(self) -> Rows:
        """Return one number a beat."""
        return np.asarray(self.code * (int(self.beat.max(initial=0)) + 1) + self.beat)


def read_truth(
    path: str | Path,
    *,
    reference_type: ReferenceType | None = None,
    calibration: Calibration | None = None,
) -> Truth:
    """Read a table of references. See the module for its columns.

    Args:
        path: ``.csv`` or ``.parquet``. A ``predictions.parquet`` of a report is
            understood, too: its columns that end in ``_ref`` are the truth.
        reference_type: What kind of truth it is, where the table has no such column.
        calibration: Where the mmHg of the predictions come from, likewise; of a table
            of several (as a run leaves) its rows are taken.

    Returns:
        The truth, rows in the order of the table. What it does not say is NaN or empty.

    Raises:
        RecordError: If a cell, a row, a column or the file is wrong; names them.
        UnitError: If pressures are not in mmHg.
        ProtocolError: If nobody says what kind of truth or calibration it is.
    """
    sheet = _under(open_sheet(path, TRUTH_COLUMNS, _PREFIXES), calibration)
    names = _truth_names(sheet)
    beats = _beats_of(sheet)
    declared = check_unit(sheet, "references")
    values = {c: sheet.numbers(n) for c, n in names.items()}
    values = {c: v for c, v in values.items() if c == "csbp" or not _blank(v)}
    accepted, reason = _gate(sheet)
    numbers, arm = _covariates(sheet, accepted)
    same = {names[c]: v for c, v in values.items()} | arm
    same |= {name: numbers[name] for name in ("age", "hr")}
    rows, accepted = _one_row_a_beat(sheet, beats, same, accepted)
    kind = _stated(sheet, "reference_type", reference_type, get_args(ReferenceType))
    if kind == "none":
        msg = (
            f"{sheet.name} says reference_type 'none': nobody measured the central "
            "pressure, so nothing can be judged against it."
        )
        raise ProtocolError(msg)
    how = _stated(sheet, "calibration", calibration, get_args(Calibration))
    if not accepted.any():
        msg = f"{sheet.name} refuses every beat (accepted); wanted some that count."
        raise RecordError(msg)
    _complete(sheet, values, names, accepted)
    check_pressures(
        sheet,
        values,
        accepted,
        beats.code,
        names=names,
        declared=declared,
        whose="",
        adds_up=True,
    )
    for sbp, dbp in (("cuff_sbp", "cuff_dbp"), ("brachial_sbp", None)):
        if sbp in arm:
            check_readings(sheet, sbp, dbp, arm, values["csbp"], accepted)
    if "cuff_dbp" in arm and "cdbp" in values:
        near = arm["cuff_dbp"][accepted]
        pulse = values.get("cpp", values["cdbp"])
        _check_cuff(sheet, near, values["cdbp"][accepted], pulse[accepted])
    blank = np.full(sheet.rows, np.nan)
    pulse = values["csbp"] - values["cdbp"] if "cdbp" in values else blank
    table = np.stack(
        [
            values["csbp"],
            *(values.get(c, blank) for c in ("cdbp", "cmap")),
            values.get("cpp", pulse),
        ],
        axis=1,
    )
    cuff = [arm.get(name, blank) for name in ("cuff_sbp", "cuff_dbp")]
    further = _further(sheet)
    if "brachial_sbp" in arm:
        further["truth"]["brachial_sbp"] = arm["brachial_sbp"]
    return Truth(
        subject=beats.subject,
        beat=beats.beat,
        time=numbers["time"],
        duration=numbers["duration"],
        pressures=table,
        reference=None,
        reference_type=kind,
        calibration=how,
        cuff=np.stack(cuff, axis=1),
        age=numbers["age"],
        hr=numbers["hr"],
        sex=_sex(sheet),
        accepted=accepted,
        reason=reason,
        **further,
    ).take(rows)


def read_predictions(
    path: str | Path,
    *,
    truth: Truth | None = None,
    calibration: Calibration | None = None,
) -> list[Prediction]:
    """Read a table of predictions. See the module for its columns.

    Args:
        path: ``.csv`` or ``.parquet``.
        truth: Its beats are demanded, no more and no less, and the answers come in
            its order, under its calibration; what fits it in another unit or column is
            refused. By default the beats of the first method are demanded.
        calibration: Where the mmHg come from, if neither table nor truth says so; of
            a table of several (as a run leaves) its rows are taken.

    Returns:
        One a method and k, in the order of their first rows.

    Raises:
        RecordError: If a cell, a row, a column or the file is wrong; names them.
        UnitError: If pressures are not in mmHg.
        ProtocolError: If beats are missing or more than asked, or the calibration is
            not said or another than that of the truth.
    """
    asked = calibration if truth is None else truth.calibration
    sheet = _under(open_sheet(path, PREDICTION_COLUMNS), asked)
    sheet.need(
        "method",
        "who answers, one row a beat and method; or is this the table of references?",
    )
    sheet.need("csbp", "predicted central SBP, mmHg")
    beats = _beats_of(sheet)
    declared = check_unit(sheet, "predictions")
    how = _calibration(sheet, truth, calibration)
    values = {c: sheet.numbers(c) for c in _CENTRAL if c in sheet}
    accepted, reason = _gate(sheet)
    ends = _ends(sheet, accepted)
    numbers = {
        name: sheet.numbers(name)
        for name in ("time", "duration", "doubt")
        if name in sheet
    }
    answers: list[Prediction] = []
    wanted: _Beats | None = None
    if truth is not None:
        subjects, code = np.unique(truth.subject, return_inverse=True)
        wanted = _Beats(subjects, code.astype(np.int64), truth.beat.astype(np.int64))
    for method, k, group in _methods(sheet):
        who = f"{sheet.name}, method {method!r} (k = {k})"
        mask = np.zeros(sheet.rows, dtype=bool)
        mask[group] = True
        said = mask & accepted
        told = {c: v for c, v in values.items() if c == "csbp" or not _blank(v[said])}
        role = _one(sheet, "role", group, get_args(Role), "deep", who=who)
        _complete(sheet, told, {c: c for c in told}, said)
        check_pressures(
            sheet,
            told,
            said,
            beats.code,
            names={c: c for c in told},
            declared=declared,
            whose=f" for method {method!r}",
            adds_up=False,
            astray=0.0 if role == "deep" else _ASTRAY,
        )
        mine = _Beats(beats.names, beats.code[group], beats.beat[group])
        if wanted is None:
            wanted = mine
        rows = group[_joined(sheet, mine, wanted, group, who=who, given=truth is None)]
        there = accepted[rows]
        shown = {c: np.where(there, v[rows], np.nan) for c, v in told.items()}
        if truth is not None:
            scored = there & np.isfinite(truth.pressures[:, 0])
            true = {c: truth.pressures[scored, i] for i, c in enumerate(_CENTRAL)}
            check_against(who, {c: v[scored] for c, v in shown.items()}, true)
        blank = np.full(len(rows), np.nan)
        clock = {name: v[rows] for name, v in numbers.items()}
        low, high, coverage = _interval(ends, rows, sheet, who=who)
        if low is not None and high is not None:
            for c, v in shown.items():
                i = _CENTRAL.index(c)
                check_interval(who, c, v[there], low[there, i], high[there, i])
        doubt = clock.pop("doubt", None)
        if truth is not None:
            clock = {"time": truth.time, "duration": truth.duration}
        answers.append(
            Prediction(
                method=method,
                role=role,
                k=k,
                calibration=how,
                subject=wanted.subject if truth is None else truth.subject,
                beat=wanted.beat,
                time=clock.get("time", blank),
                duration=clock.get("duration", blank),
                waveform=None,
                **{c: shown.get(c, blank) for c in _CENTRAL},
                accepted=there,
                reason=reason[rows],
                family=_one(sheet, "family", group, None, "", who=who),
                inputs=_inputs(sheet, group, who=who),
                seen=_one(sheet, "seen", group, None, "", who=who),
                low=low,
                high=high,
                coverage=coverage,
                doubt=doubt,
            )
        )
    return answers


def _under(sheet: Sheet, calibration: Calibration | None) -> Sheet:
    """Return the rows of one calibration, where a table has several."""
    if "calibration" not in sheet:
        return sheet
    names, code = sheet.codes("calibration")
    used = np.unique(code)
    if len(used) < 2:
        return sheet
    found = [str(names[i]) for i in used]
    if calibration not in found:
        msg = (
            f"{sheet.name}, column 'calibration' has "
            f"{' and '.join(map(repr, found))}; they are never pooled. Say which is "
            f"meant, e.g. calibration={found[0]!r}."
        )
        raise ProtocolError(msg)
    return sheet.taking(code == used[found.index(calibration)])


def _beats_of(sheet: Sheet) -> _Beats:
    sheet.need("subject", "rows are joined by subject and beat")
    sheet.need("beat", "0, 1, ... within each subject; 0 where everybody has one")
    names, code = sheet.codes("subject")
    sheet.who["subject"] = lambda row: repr(str(names[code[row]]))
    beat = sheet.whole("beat")
    sheet.who["beat"] = lambda row: int(beat[row])
    return _Beats(names, code, beat)


def _truth_names(sheet: Sheet) -> dict[str, str]:
    """Return which column holds which true pressure."""
    marked = "csbp_ref" in sheet
    if "method" in sheet and not marked:
        msg = (
            f"{sheet.name} has a column 'method' and no 'csbp_ref': it looks like a "
            "table of predictions, and is read as the reference. Give the truth as "
            "reference=<table> (exchange both, if they are exchanged), or in columns "
            "csbp_ref ... beside the predictions."
        )
        raise RecordError(msg)
    if marked and "csbp" in sheet and "method" not in sheet:
        msg = (
            f"{sheet.name} has both 'csbp' and 'csbp_ref': which is the truth? Take "
            "one out (or name the method of 'csbp' in a column 'method')."
        )
        raise RecordError(msg)
    if not marked:
        sheet.need("csbp", "true central SBP, mmHg")
    end = "_ref" if marked else ""
    return {c: f"{c}{end}" for c in _CENTRAL if f"{c}{end}" in sheet}


def _one_row_a_beat(
    sheet: Sheet,
    beats: _Beats,
    same: Mapping[str, Column],
    accepted: Bool[np.ndarray, " row"],
) -> tuple[Chosen, Bool[np.ndarray, " row"]]:
    """Return the first row of each beat, and whether any row of it is accepted.

    Rows of several methods must agree in what is known of their beat.
    """
    key = beats.key()
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    rows = np.sort(first)
    if len(rows) == len(key):
        return rows, accepted
    before = first[inverse]
    if "method" not in sheet:
        row = int((before != np.arange(len(key))).argmax())
        _refuse_again(sheet, row, int(before[row]))
    for column, found in same.items():
        theirs = found[before]
        other = (found != theirs) & ~(np.isnan(found) & np.isnan(theirs))
        if other.any():
            row = int(other.argmax())
            sheet.refuse(
                row,
                column,
                f"the cell is {found[row]:g}, and {theirs[row]:g} in row "
                f"{before[row] + 1} of the same beat",
                "One beat has one truth; are predicted and true columns exchanged?",
            )
    return rows, np.bincount(inverse, accepted)[inverse] > 0


def _refuse_again(sheet: Sheet, row: int, before: int) -> None:
    found = f"the same subject and beat as in row {before + 1}"
    way_out = (
        "Take one out. If they are different people or beats, a program may have "
        "changed their names (007 and 7, 1E5 and 100000)."
    )
    sheet.refuse(row, "subject", found, way_out)


def _stated(sheet: Sheet, column: str, given: Any, allowed: tuple[str, ...]) -> Any:
    """Return the one word of a column, or what was given beside."""
    if given is not None and given not in allowed:
        msg = f"{column} is {given!r}; wanted one of {', '.join(map(repr, allowed))}."
        raise ProtocolError(msg)
    if column not in sheet:
        if given is None:
            msg = (
                f"{sheet.name} has no column {column!r} and nobody gave {column}=; "
                f"wanted one of {', '.join(map(repr, allowed))}. It is never guessed: "
                "a number without it means nothing."
            )
            raise ProtocolError(msg)
        return given
    names, code = sheet.codes(column)
    used = np.unique(code)
    for i in used:
        if names[i] not in allowed:
            found = f"{str(names[i])!r} is not known"
            way_out = f"Wanted one of {', '.join(map(repr, allowed))}."
            sheet.refuse(int((code == i).argmax()), column, found, way_out)
    if len(used) > 1:
        msg = (
            f"{sheet.name}, column {column!r} has "
            f"{' and '.join(repr(str(n)) for n in names[used])}; "
            "they are never pooled. Write one table for each."
        )
        raise ProtocolError(msg)
    word = str(names[used[0]])
    if given is not None and word != given:
        msg = (
            f"{sheet.name} says {column} {word!r}, but {given!r} was given or is that "
            "of the reference. Correct one of them."
        )
        raise ProtocolError(msg)
    return word


def _calibration(
    sheet: Sheet, truth: Truth | None, given: Calibration | None
) -> Calibration:
    if given is None and truth is not None:
        given = truth.calibration
    answer: Calibration = _stated(sheet, "calibration", given, get_args(Calibration))
    return answer


def _gate(sheet: Sheet) -> tuple[Bool[np.ndarray, " row"], Words]:
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


def _blank(values: Column) -> bool:
    return bool(np.isnan(values).all())


def _complete(
    sheet: Sheet,
    values: Mapping[str, Column],
    names: Mapping[str, str],
    rows: Bool[np.ndarray, " row"],
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


def _covariates(
    sheet: Sheet, accepted: Bool[np.ndarray, " row"]
) -> tuple[dict[str, Column], dict[str, Column]]:
    """Return what is known of people and beats, and readings of the arm."""
    blank = np.full(sheet.rows, np.nan)
    numbers = {
        name: sheet.numbers(name) if name in sheet else blank
        for name in ("time", "duration", "age", "hr")
    }
    for name, (low, high) in _RANGES.items():
        wrong = (numbers[name] < low) | (numbers[name] > high)
        if wrong.any():
            row = int(wrong.argmax())
            found = f"{numbers[name][row]:g} is no {name} ({low:g} to {high:g})"
            sheet.refuse(row, name, found, "Correct it, or leave the cell blank.")
    arm = {
        name: sheet.numbers(name)
        for name in ("cuff_sbp", "cuff_dbp", "brachial_sbp")
        if name in sheet
    }
    if ("cuff_sbp" in arm) != ("cuff_dbp" in arm):
        sheet.need("cuff_sbp", "cuff_dbp has no meaning alone")
        sheet.need("cuff_dbp", "cuff_sbp has no meaning alone")
    both = [arm[name] for name in ("cuff_sbp", "cuff_dbp") if name in arm]
    if both and all(map(_blank, both)):
        arm = {name: v for name, v in arm.items() if name == "brachial_sbp"}
    arm = {n: v for n, v in arm.items() if n != "brachial_sbp" or not _blank(v)}
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
    return numbers, arm


def _check_cuff(sheet: Sheet, cuff: Column, dbp: Column, pulse: Column) -> None:
    straight = float(np.mean(np.abs(cuff - dbp)))
    crossed = float(np.mean(np.abs(cuff - pulse)))
    if crossed < 0.5 * straight and straight > 8.0:
        msg = (
            f"{sheet.name}: cuff_dbp fits the true PP (mean difference {crossed:.1f} "
            f"mmHg) and not the true DBP ({straight:.1f} mmHg). DBP and PP look "
            "exchanged: put every pressure into its column."
        )
        raise RecordError(msg)


def _sex(sheet: Sheet) -> Words:
    if "sex" not in sheet:
        return np.full(sheet.rows, "", dtype="U6")
    names, code = sheet.codes("sex", blank=True)
    known = np.array([_SEXES.get(w.casefold(), "") for w in names], dtype="U6")
    blank = ("", "unknown", "nan", "na", "none")
    odd = np.array(
        [not k and w.casefold() not in blank for w, k in zip(names, known, strict=True)]
    )
    if odd[code].any():
        row = int(odd[code].argmax())
        found = (
            f"{str(names[code[row]])!r} is not known; wanted female, male or a blank"
        )
        sheet.refuse(row, "sex", found, "Correct it.")
    return np.asarray(known[code])


def _further(sheet: Sheet) -> dict[str, Any]:
    found: dict[str, Any] = {"truth": {}, "groups": {}, "features": {}}
    for name in sheet.columns:
        kind, _, key = name.partition(".")
        if key and kind in ("truth", "features"):
            found[kind][key] = sheet.numbers(name)
        elif key and kind == "groups":
            found[kind][key] = sheet.words(name, blank=True)
        elif name in ("site", "group"):
            found["groups"][name] = sheet.words(name, blank=True)
    return found


def _methods(sheet: Sheet) -> list[tuple[str, int, Chosen]]:
    """Return the rows of each method and k, in the order of their first rows."""
    names, code = sheet.codes("method")
    k = sheet.whole("k") if "k" in sheet else np.zeros(sheet.rows, dtype=np.int64)
    _, group = np.unique(k, return_inverse=True)
    group = code * (int(group.max()) + 1) + group
    _, inverse = np.unique(group, return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    parts = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    parts.sort(key=lambda rows: int(rows[0]))
    return [(str(names[code[r[0]]]), int(k[r[0]]), r) for r in parts]


def _joined(
    sheet: Sheet, mine: _Beats, wanted: _Beats, group: Chosen, *, who: str, given: bool
) -> Rows:
    """Return where each wanted beat stands among the rows of a method.

    Raises:
        RecordError: If a beat stands there twice.
        ProtocolError: If one is missing, or one too many.
    """
    place = {str(name): i for i, name in enumerate(wanted.names)}
    theirs = np.array([place.get(str(name), -1) for name in mine.names], np.int64)
    step = max(int(mine.beat.max(initial=0)), int(wanted.beat.max(initial=0))) + 1
    key = np.where(theirs[mine.code] < 0, -1, theirs[mine.code] * step + mine.beat)
    goal = wanted.code * step + wanted.beat
    order = np.argsort(key, kind="stable")
    known = order[key[order] >= 0]
    again = np.flatnonzero(np.diff(key[known]) == 0)
    if len(again):
        i = int(again[0])
        _refuse_again(sheet, int(group[known[i + 1]]), int(group[known[i]]))
    where = "first method" if given else "reference"
    if not len(known):
        some = [str(n) for n in mine.names[np.unique(mine.code)]]
        msg = (
            f"{who}: none of its subjects ({', '.join(map(repr, some[:3]))} ...) is in "
            f"the {where} ({', '.join(map(repr, map(str, wanted.names[:3])))} ...). "
            f"{_hint(some, place)}"
        )
        raise ProtocolError(msg)
    found = np.minimum(np.searchsorted(key[known], goal), len(known) - 1)
    missing = key[known][found] != goal
    extra = ~np.isin(key, goal)
    if missing.any():
        row = int(missing.argmax())
        lost = str(wanted.names[wanted.code[row]])
        some = [str(n) for n in mine.names[np.unique(mine.code)]]
        whole = lost not in some
        people = len(np.unique(wanted.code[missing]))
        msg = (
            f"{who} does not answer {int(missing.sum())} beats of {people} subjects of "
            f"the {where}, beat {wanted.beat[row]} of subject {lost!r} among them"
            f"{' (that subject is missing as a whole)' if whole else ''}. Add the rows "
            "(accepted = false where there is no answer), or take them out of the "
            f"reference. {_hint(some, place)}"
        )
        raise ProtocolError(msg)
    if extra.any():
        row = int(group[extra.argmax()])
        names = [str(n) for n in mine.names[np.unique(mine.code[extra])]]
        msg = (
            f"{sheet.at(row)}: this and {int(extra.sum()) - 1} other answers of "
            f"{who.partition(', ')[2]} are not in the {where}. Take them out, or add "
            f"their truth. {_hint(names, place)}"
        )
        raise ProtocolError(msg)
    return np.asarray(known[found])


def _hint(found: list[str], wanted: Mapping[str, int]) -> str:
    """Say which names a spreadsheet may have changed."""
    bare = {_bare(name): name for name in wanted}
    for name in found:
        other = bare.get(_bare(name))
        if name not in wanted and other is not None:
            return (
                f"{name!r} may be {other!r}: spreadsheets change such names. Write "
                "them as text."
            )
    return "Subjects are joined by their exact names."


def _bare(name: str) -> str:
    """Return what a spreadsheet leaves of a name."""
    plain = name.strip().casefold()
    found = _DATE.fullmatch(plain)
    number = (found["before"] or found["after"]) if found else None
    if found and number:
        return f"{found['month']}{int(number)}"
    try:
        return f"{float(plain):g}"
    except ValueError:
        return plain.replace(" ", "").replace("_", "-")


def _one(
    sheet: Sheet,
    column: str,
    rows: Chosen,
    allowed: tuple[str, ...] | None,
    otherwise: str,
    *,
    who: str,
) -> Any:
    """Return the one word that all rows of a method have in a column."""
    if column not in sheet:
        return otherwise
    names, code = sheet.codes(column, blank=allowed is None)
    used = np.unique(code[rows])
    if len(used) > 1:
        told = ", ".join(repr(str(n)) for n in names[used])
        msg = f"{who}, column {column!r} has {told}; wanted one word for the method."
        raise RecordError(msg)
    word = str(names[used[0]])
    if allowed is not None and word not in allowed:
        found = f"{word!r} is not known; wanted one of {', '.join(allowed)}"
        sheet.refuse(int(rows[0]), column, found, "Correct it.")
    return word


def _inputs(sheet: Sheet, rows: Rows, *, who: str) -> tuple[Any, ...]:
    said = _one(sheet, "inputs", rows, None, "", who=who)
    words = tuple(part.strip() for part in said.split("+") if part.strip())
    for word in words:
        if word not in get_args(Input):
            found = f"{word!r} is not known; wanted {', '.join(get_args(Input))}"
            sheet.refuse(int(rows[0]), "inputs", found, "Join several by '+'.")
    return words


def _ends(
    sheet: Sheet, accepted: Bool[np.ndarray, " row"]
) -> tuple[dict[str, Column], Column] | None:
    """Return the ends of intervals and their coverage."""
    there = [name for name in _ENDS if name in sheet]
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


def _interval(
    ends: tuple[dict[str, Column], Column] | None,
    rows: Chosen,
    sheet: Sheet,
    *,
    who: str,
) -> tuple[Any, Any, float | None]:
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
        names = [f"{name}_{end}" for name in _CENTRAL]
        both.append([ends[0][n][rows] if n in ends[0] else blank for n in names])
    return np.stack(both[0], axis=1), np.stack(both[1], axis=1), float(said[0])
