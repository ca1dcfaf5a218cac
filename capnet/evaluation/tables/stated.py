"""What a table says once: of all its rows, or of one method."""

from typing import Any

import numpy as np

from capnet.errors import ProtocolError, RecordError
from capnet.evaluation.tables.columns import Chosen
from capnet.evaluation.tables.sheet import Sheet
from capnet.types import Calibration

__all__ = ["one", "stated", "under"]


def under(sheet: Sheet, calibration: Calibration | None) -> Sheet:
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


def stated(sheet: Sheet, column: str, given: Any, allowed: tuple[str, ...]) -> Any:
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


def one(
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
