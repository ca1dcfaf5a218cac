"""What a table of references knows of people and beats beside the pressures."""

from typing import Any, Final

import numpy as np

from capnet.evaluation.tables.columns import Column, Rows, Words
from capnet.evaluation.tables.sheet import Sheet

__all__ = ["covariates", "further_of", "sex_of"]

_RANGES: Final = {"age": (0.0, 125.0), "hr": (15.0, 300.0), "duration": (0.15, 5.0)}
_SEXES: Final = {"female": "female", "f": "female", "male": "male", "m": "male"}


def covariates(sheet: Sheet) -> dict[str, Column]:
    """Return ``time`` (s), ``duration`` (s), ``age`` (years) and ``hr`` (bpm).

    NaN where nobody says. Shape (row,).

    Raises:
        RecordError: If a number is impossible.
    """
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
    return numbers


def sex_of(sheet: Sheet, person: Rows) -> Words:
    """Return female, male or an empty word. Shape (row,).

    Args:
        sheet: The table.
        person: Number of the subject of each row. Shape (row,).

    Raises:
        RecordError: If a cell says anything else, or a subject is both.
    """
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
    words = np.asarray(known[code])
    women, men = (np.isin(person, person[words == w]) for w in ("female", "male"))
    if (women & men).any():
        row = int((women & men).argmax())
        way_out = "Correct it, or tell two people of one name apart."
        sheet.refuse(row, "sex", "the subject is female and male", way_out)
    return words


def further_of(sheet: Sheet) -> dict[str, Any]:
    """Return further truth, groups and features, by their names without prefixes."""
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
