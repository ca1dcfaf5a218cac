"""Whose beat each row is: subjects and beats of a table, joined to those wanted."""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Shaped

from capnet.errors import ProtocolError
from capnet.evaluation.tables.columns import Chosen, Column, Mask, Rows, Words
from capnet.evaluation.tables.sheet import Sheet

__all__ = ["Beats", "beats_of", "joined", "one_row_a_beat"]

_DATE: Final = re.compile(
    r"(?:(?P<before>\d+)[- ])?(?P<month>[a-z]{3})[- ]?(?P<after>\d+)?"
)
"""What a spreadsheet may have taken for a day of a year: MAR1, 1-Mar."""


class Beats(NamedTuple):
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
        """Name of whose each row is. Shape (row,)."""
        return np.asarray(self.names[self.code])

    def key(self) -> Rows:
        """Return one number a beat."""
        return np.asarray(self.code * (int(self.beat.max(initial=0)) + 1) + self.beat)


def beats_of(sheet: Sheet) -> Beats:
    """Read whose beat each row is; messages of the sheet name it from then on.

    Raises:
        RecordError: If a column is not there, or a cell is wrong.
    """
    sheet.need("subject", "rows are joined by subject and beat")
    sheet.need("beat", "0, 1, ... within each subject; 0 where everybody has one")
    names, code = sheet.codes("subject")
    sheet.who["subject"] = lambda row: repr(str(names[code[row]]))
    beat = sheet.whole("beat")
    sheet.who["beat"] = lambda row: int(beat[row])
    return Beats(names, code, beat)


def one_row_a_beat(
    sheet: Sheet,
    beats: Beats,
    same: Mapping[str, Column],
    accepted: Mask,
) -> tuple[Chosen, Mask]:
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


def joined(
    sheet: Sheet, mine: Beats, wanted: Beats, group: Chosen, *, who: str, given: bool
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
