"""Tables of predictions."""

from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from capnet.evaluation.tables.against import check_against, check_own
from capnet.evaluation.tables.beats import Beats, beats_of, joined
from capnet.evaluation.tables.columns import CENTRAL, PREDICTION_COLUMNS, Chosen, Rows
from capnet.evaluation.tables.gate import complete, gate, is_blank
from capnet.evaluation.tables.intervals import check_interval, ends_of, interval_of
from capnet.evaluation.tables.opening import open_sheet
from capnet.evaluation.tables.pressures import check_pressures
from capnet.evaluation.tables.sheet import Sheet
from capnet.evaluation.tables.stated import one, stated, under
from capnet.evaluation.tables.unit import check_unit
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.types import Calibration, Input, Role

__all__ = ["read_predictions"]

_ASTRAY: Final = 0.05
"""Share of the rows of a floor or control whose DBP may lie above SBP: regressions on
shuffled labels answer so, and are not to be left out for it."""


def read_predictions(
    path: str | Path,
    *,
    truth: Truth | None = None,
    calibration: Calibration | None = None,
) -> list[Prediction]:
    """Read a table of predictions; `capnet.evaluation.tables` lists its columns.

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
    sheet = under(open_sheet(path, PREDICTION_COLUMNS), asked)
    sheet.need(
        "method",
        "who answers, one row a beat and method; or is this the table of references?",
    )
    sheet.need("csbp", "predicted central SBP, mmHg")
    beats = beats_of(sheet)
    declared = check_unit(sheet, "predictions")
    how = _calibration(sheet, truth, calibration)
    values = {c: sheet.numbers(c) for c in CENTRAL if c in sheet}
    accepted, reason = gate(sheet)
    ends = ends_of(sheet, accepted)
    numbers = {
        name: sheet.numbers(name)
        for name in ("time", "duration", "doubt")
        if name in sheet
    }
    answers: list[Prediction] = []
    wanted: Beats | None = None
    if truth is not None:
        subjects, code = np.unique(truth.subject, return_inverse=True)
        wanted = Beats(subjects, code.astype(np.int64), truth.beat.astype(np.int64))
    for method, k, group in _methods(sheet):
        who = f"{sheet.name}, method {method!r} (k = {k})"
        mask = np.zeros(sheet.rows, dtype=bool)
        mask[group] = True
        said = mask & accepted
        told = {c: v for c, v in values.items() if c == "csbp" or not is_blank(v[said])}
        role = one(sheet, "role", group, get_args(Role), "deep", who=who)
        complete(sheet, told, {c: c for c in told}, said)
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
        mine = Beats(beats.names, beats.code[group], beats.beat[group])
        if wanted is None:
            wanted = mine
        rows = group[joined(sheet, mine, wanted, group, who=who, given=truth is None)]
        there = accepted[rows]
        shown = {c: np.where(there, v[rows], np.nan) for c, v in told.items()}
        if truth is not None:
            scored = there & np.isfinite(truth.pressures[:, 0])
            true = {c: truth.pressures[scored, i] for i, c in enumerate(CENTRAL)}
            if role == "deep":
                check_own(who, shown["csbp"][scored], true["csbp"])
            check_against(who, {c: v[scored] for c, v in shown.items()}, true)
        if "cpp" not in shown and "cdbp" in shown:
            shown["cpp"] = shown["csbp"] - shown["cdbp"]
        blank = np.full(len(rows), np.nan)
        clock = {name: v[rows] for name, v in numbers.items()}
        low, high, coverage = interval_of(ends, rows, sheet, who=who)
        if low is not None and high is not None:
            for c, v in shown.items():
                i = CENTRAL.index(c)
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
                **{c: shown.get(c, blank) for c in CENTRAL},
                accepted=there,
                reason=reason[rows],
                family=one(sheet, "family", group, None, "", who=who),
                inputs=_inputs(sheet, group, who=who),
                seen=one(sheet, "seen", group, None, "", who=who),
                low=low,
                high=high,
                coverage=coverage,
                doubt=doubt,
            )
        )
    return answers


def _calibration(
    sheet: Sheet, truth: Truth | None, given: Calibration | None
) -> Calibration:
    if given is None and truth is not None:
        given = truth.calibration
    answer: Calibration = stated(sheet, "calibration", given, get_args(Calibration))
    return answer


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


def _inputs(sheet: Sheet, rows: Rows, *, who: str) -> tuple[Any, ...]:
    said = one(sheet, "inputs", rows, None, "", who=who)
    words = tuple(part.strip() for part in said.split("+") if part.strip())
    for word in words:
        if word not in get_args(Input):
            found = f"{word!r} is not known; wanted {', '.join(get_args(Input))}"
            sheet.refuse(int(rows[0]), "inputs", found, "Join several by '+'.")
    return words
