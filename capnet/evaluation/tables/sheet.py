"""Tables that somebody brings: columns as arrays, and errors that name the cell.

A cell is never guessed: text where a number should be, a decimal comma, an infinite
value or a column of another type is refused with the file, the row and the column.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Float, Shaped

from capnet.errors import RecordError
from capnet.evaluation.tables.columns import Column, Mask, Rows, Words

__all__ = ["Sheet"]

_MISSING: Final = pa.array(["", "nan", "na", "n/a", "null", "none"])
"""What stands for a missing value, whatever its case."""
_YES: Final = pa.array(["true", "1", "1.0", "yes"])
_NO: Final = pa.array(["false", "0", "0.0", "no"])
_WORDS: Final = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
)
"""Kinds of columns that hold text."""
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?\d+,\d+\s*")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One table, its columns by their names.

    Attributes:
        name: Of the file, for messages.
        rows: How many.
        columns: As they were read: text of CSV, types of Parquet.
        typed: Whether columns have types (Parquet).
        who: Says whose a row is, for messages; filled in once that is known.
        places: Where the rows stand in the file, for messages; None where all are
            there. Shape (row,).
    """

    name: str
    rows: int
    columns: Mapping[str, pa.ChunkedArray]
    typed: bool
    who: dict[str, Callable[[int], object]] = field(default_factory=dict)
    places: np.ndarray | None = None

    def taking(self, mask: np.ndarray) -> "Sheet":
        """Return the rows of a mask; messages name them as the file counts them."""
        kept = {name: c.filter(pa.array(mask)) for name, c in self.columns.items()}
        places = np.flatnonzero(mask)
        return Sheet(self.name, len(places), kept, self.typed, places=places)

    def __contains__(self, name: object) -> bool:
        return name in self.columns

    def at(self, row: int, column: str = "") -> str:
        """Say where a cell is: file, row below the line of names, whose, column."""
        place = row if self.places is None else int(self.places[row])
        where = f"{self.name}, row {place + 1}"
        known = [f"{key} {value(row)}" for key, value in self.who.items()]
        if known:
            where += f" ({', '.join(known)})"
        return f"{where}, column {column!r}" if column else where

    def refuse(self, row: int, column: str, found: str, way_out: str) -> NoReturn:
        """Raise the error of one cell.

        Raises:
            RecordError: Always.
        """
        msg = f"{self.at(row, column)}: {found}. {way_out}"
        raise RecordError(msg)

    def need(self, column: str, why: str) -> None:
        """Refuse a table without a column.

        Raises:
            RecordError: If it is not there; names what is.
        """
        if column not in self.columns:
            there = ", ".join(map(repr, self.columns)) or "none that is known"
            msg = (
                f"{self.name} has no column {column!r} ({why}); the columns that are "
                f"understood here are {there}. Add or rename it."
            )
            raise RecordError(msg)

    def numbers(self, column: str) -> Column:
        """Return a column of numbers, NaN where a cell is blank. Shape (row,).

        Raises:
            RecordError: If a cell is text or infinite, or the column has another type.
        """
        values = self._typed(column) if self.typed else self._parsed(column)
        infinite = np.isinf(values)
        if infinite.any():
            row = int(infinite.argmax())
            way_out = "Leave the cell blank or refuse the beat (accepted = false)."
            self.refuse(row, column, "the value is infinite; wanted a number", way_out)
        return values

    def whole(self, column: str, *, least: int = 0) -> Rows:
        """Return a column of whole numbers without blanks. Shape (row,).

        Raises:
            RecordError: If a cell is blank, no whole number, or too small.
        """
        values = self.numbers(column)
        with np.errstate(invalid="ignore"):
            wrong = ~((values == np.floor(values)) & (values >= least))
            wrong |= ~(np.abs(values) < 2**53)
        if wrong.any():
            row = int(wrong.argmax())
            said = "blank" if np.isnan(values[row]) else f"{values[row]:g}"
            found = f"the cell is {said}; wanted a whole number >= {least}"
            self.refuse(row, column, found, "Correct it.")
        return values.astype(np.int64)

    def words(self, column: str, *, blank: bool = False) -> Words:
        """Return a column of words. Shape (row,).

        Raises:
            RecordError: See `codes`.
        """
        names, code = self.codes(column, blank=blank)
        return np.asarray(names[code])

    def codes(
        self, column: str, *, blank: bool = False
    ) -> tuple[Shaped[np.ndarray, " name"], Rows]:
        """Return the distinct words of a column, and which of them each row has.

        Args:
            column: Its name.
            blank: Whether cells may be empty.

        Raises:
            RecordError: If a cell is blank (unless allowed) or has blanks around its
                word, or the column holds numbers with decimals.
        """
        values = self.columns[column]
        kind = values.type
        if pa.types.is_dictionary(kind):
            values = values.cast(kind.value_type)
            kind = values.type
        if pa.types.is_integer(kind) or pa.types.is_null(kind):
            values = values.cast(pa.string())
        elif not any(is_kind(kind) for is_kind in _WORDS):
            msg = (
                f"{self.name}, column {column!r} has type {kind}; wanted words (or "
                "whole numbers). Write it as text: a program has made numbers of names."
            )
            raise RecordError(msg)
        values = pc.fill_null(values.cast(pa.large_string()), "")
        coded = values.combine_chunks().dictionary_encode()
        if isinstance(coded, pa.ChunkedArray):
            coded = coded.combine_chunks()
        names = np.array(coded.dictionary.to_pylist(), dtype=np.str_)
        code = np.asarray(coded.indices, dtype=np.int64)
        odd = np.array([w != w.strip() or not w.isprintable() for w in names], bool)
        missing = np.array([not w.strip() for w in names], dtype=bool)
        if odd[code].any():
            row = int(odd[code].argmax())
            found = (
                f"the word {str(names[code[row]])!r} has blanks around it, or odd signs"
            )
            self.refuse(row, column, found, "Take them away.")
        if not blank and missing[code].any():
            row = int(missing[code].argmax())
            found = "the cell is blank; wanted a word"
            self.refuse(row, column, found, "Fill it in, or take the row out.")
        return names, code

    def flags(self, column: str) -> Mask:
        """Return a column of true and false. Shape (row,).

        Raises:
            RecordError: If a cell is anything else.
        """
        values = self.columns[column]
        kind = values.type
        if any(
            is_kind(kind)
            for is_kind in (
                pa.types.is_boolean,
                pa.types.is_integer,
                pa.types.is_floating,
            )
        ):
            text = values.cast(pa.string())
        else:
            text = pc.utf8_lower(pc.utf8_trim_whitespace(values.cast(pa.string())))
        yes = np.asarray(pc.fill_null(pc.is_in(text, _YES), False))
        no = np.asarray(pc.fill_null(pc.is_in(text, _NO), False))
        if not (yes | no).all():
            row = int((~(yes | no)).argmax())
            found = f"the cell is {values[row].as_py()!r}; wanted true or false"
            self.refuse(row, column, found, "Correct it.")
        return yes

    def vectors(self, column: str, length: int) -> Float[np.ndarray, "row length"]:
        """Return a column of lists of numbers, NaN rows where null.

        Raises:
            RecordError: If they are no lists of numbers of this length.
        """
        values = self.columns[column].combine_chunks()
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        answer = np.full((self.rows, length), np.nan)
        try:
            there = np.asarray(values.is_valid())
            flat = values.drop_null().flatten().cast(pa.float64())
            answer[there] = flat.to_numpy(zero_copy_only=False).reshape(-1, length)
        except (pa.ArrowException, ValueError, AttributeError) as error:
            msg = (
                f"{self.name}, column {column!r} has type {self.columns[column].type}; "
                f"wanted lists of {length} numbers."
            )
            raise RecordError(msg) from error
        return answer

    def _typed(self, column: str) -> Column:
        values = self.columns[column]
        kind = values.type
        if pa.types.is_dictionary(kind):
            kind = kind.value_type
        number = (
            pa.types.is_floating(kind)
            or pa.types.is_integer(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_null(kind)
        )
        if not number:
            msg = (
                f"{self.name}, column {column!r} has type {kind}; wanted numbers. "
                "Convert the column before the table is written (text is not read as "
                "numbers here, so that nothing is misread)."
            )
            raise RecordError(msg)
        cast = values.cast(pa.float64())
        return np.asarray(cast.to_numpy(), dtype=np.float64)

    def _parsed(self, column: str) -> Column:
        text = pc.utf8_trim_whitespace(self.columns[column])
        blank = pc.is_in(pc.utf8_lower(text), _MISSING)
        text = pc.if_else(blank, pa.scalar(None, text.type), text)
        try:
            return np.asarray(text.cast(pa.float64()).to_numpy(), dtype=np.float64)
        except pa.ArrowInvalid:
            self._locate(text, column)

    def _locate(self, text: pa.ChunkedArray, column: str) -> NoReturn:
        """Raise the error of the first cell that is no number."""
        for row, cell in enumerate(text.to_pylist()):
            if cell is None or _NUMBER.fullmatch(cell) or _infinite(cell):
                continue
            way_out = "Write a plain number such as 118.5, or leave the cell blank."
            if _DECIMAL_COMMA.fullmatch(cell):
                way_out = "Write decimals with a point: a comma separates cells."
            elif cell.startswith("#"):
                way_out = "It is an error of a spreadsheet. Correct its formula."
            self.refuse(row, column, f"{cell[:40]!r} is not a number", way_out)
        msg = f"{self.name}, column {column!r} holds what is not a number. Correct it."
        raise RecordError(msg)


def _infinite(cell: str) -> bool:
    return cell.strip().lstrip("+-").lower() in ("inf", "infinity")
