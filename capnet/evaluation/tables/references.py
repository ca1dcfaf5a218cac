"""Tables of references."""

from pathlib import Path
from typing import get_args

import numpy as np

from capnet.errors import ProtocolError, RecordError
from capnet.evaluation.tables.arm import check_cuff, check_readings, readings_of
from capnet.evaluation.tables.beats import beats_of, one_row_a_beat
from capnet.evaluation.tables.columns import CENTRAL, PREFIXES, TRUTH_COLUMNS
from capnet.evaluation.tables.covariates import covariates, further_of, sex_of
from capnet.evaluation.tables.gate import complete, gate, is_blank
from capnet.evaluation.tables.opening import open_sheet
from capnet.evaluation.tables.pressures import check_pressures
from capnet.evaluation.tables.sheet import Sheet
from capnet.evaluation.tables.stated import stated, under
from capnet.evaluation.tables.unit import check_unit
from capnet.evaluation.truth import Truth
from capnet.types import Calibration, ReferenceType

__all__ = ["read_truth"]


def read_truth(
    path: str | Path,
    *,
    reference_type: ReferenceType | None = None,
    calibration: Calibration | None = None,
) -> Truth:
    """Read a table of references; `capnet.evaluation.tables` lists its columns.

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
    sheet = under(open_sheet(path, TRUTH_COLUMNS, PREFIXES), calibration)
    names = _truth_names(sheet)
    beats = beats_of(sheet)
    declared = check_unit(sheet, "references")
    values = {c: sheet.numbers(n) for c, n in names.items()}
    values = {c: v for c, v in values.items() if c == "csbp" or not is_blank(v)}
    accepted, reason = gate(sheet)
    numbers = covariates(sheet)
    arm = readings_of(sheet, accepted)
    same = {names[c]: v for c, v in values.items()} | arm
    same |= {name: numbers[name] for name in ("age", "hr")}
    rows, accepted = one_row_a_beat(sheet, beats, same, accepted)
    kind = stated(sheet, "reference_type", reference_type, get_args(ReferenceType))
    if kind == "none":
        msg = (
            f"{sheet.name} says reference_type 'none': nobody measured the central "
            "pressure, so nothing can be judged against it."
        )
        raise ProtocolError(msg)
    how = stated(sheet, "calibration", calibration, get_args(Calibration))
    if not accepted.any():
        msg = f"{sheet.name} refuses every beat (accepted); wanted some that count."
        raise RecordError(msg)
    complete(sheet, values, names, accepted)
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
        check_cuff(sheet, near, values["cdbp"][accepted], pulse[accepted])
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
    further = further_of(sheet)
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
        sex=sex_of(sheet, beats.code),
        accepted=accepted,
        reason=reason,
        **further,
    ).take(rows)


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
    return {c: f"{c}{end}" for c in CENTRAL if f"{c}{end}" in sheet}
