"""Tables that somebody brings: columns as arrays, and errors that name the cell.

A cell is never guessed: text where a number should be, a decimal comma, an infinite
value or a column of another type is refused with the file, the row and the column.
"""

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Float, Int, Shaped
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from capnet.errors import RecordError, UnitError
from capnet.units import is_pressure

__all__ = ["Sheet", "open_sheet"]

Numbers = Float[np.ndarray, " row"]
Whole = Int[np.ndarray, " row"]
Words = Shaped[np.ndarray, " row"]
Truths = Bool[np.ndarray, " row"]

_MISSING: Final = pa.array(["", "nan", "na", "n/a", "null", "none"])
"""What stands for a missing value, whatever its case."""
_YES: Final = pa.array(["true", "1", "1.0", "yes"])
_NO: Final = pa.array(["false", "0", "0.0", "no"])
_DECIMAL_COMMA: Final = re.compile(r"\s*[+-]?\d+,\d+\s*")
_NUMBER: Final = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_HEAD: Final = 1 << 20
"""Bytes in which the line of names must end."""
_DAMAGED: Final = (
    pa.ArrowException,
    OSError,
    ValueError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
    MemoryError,
)


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

    def numbers(self, column: str) -> Numbers:
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

    def whole(self, column: str, *, least: int = 0) -> Whole:
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
    ) -> tuple[Shaped[np.ndarray, " name"], Whole]:
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
        elif not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
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

    def flags(self, column: str) -> Truths:
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

    def _typed(self, column: str) -> Numbers:
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

    def _parsed(self, column: str) -> Numbers:
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


def open_sheet(
    path: str | Path, known: Collection[str], prefixes: tuple[str, ...] = ()
) -> Sheet:
    """Open a table; columns that nobody here understands are left out.

    Names of columns are taken without blanks around them and in any case. CSV is
    UTF-8 (a byte order mark is fine) with commas, decimal points, and any line ends.

    Args:
        path: A file ``.csv`` or ``.parquet``.
        known: Names of the columns that are understood.
        prefixes: Further columns are understood if they begin so.

    Raises:
        RecordError: If it is missing, empty, damaged, has two columns of one name, a
            row with more or fewer cells, or is no such table.
        UnitError: If the name of a column carries a unit (``csbp_kpa``).
    """
    path = Path(path)
    if not path.is_file():
        msg = f"there is no file {path.name!r} at {path}; wanted a table. Correct it."
        raise RecordError(msg)
    kind = path.suffix.lower()
    if kind not in (".csv", ".parquet"):
        msg = (
            f"{path.name} ends in {path.suffix!r}; wanted a table in .csv or .parquet. "
            "Save it as one of them."
        )
        raise RecordError(msg)
    if path.stat().st_size == 0:
        msg = f"{path.name} is empty; wanted a line of names and rows below. Fill it."
        raise RecordError(msg)
    if kind == ".csv":
        names = _names(path)
        wanted = _understood(names, known, prefixes, where=path.name)
        table = _read_csv(path, names, wanted)
    else:
        table, wanted = _read_parquet(path, known, prefixes)
    if table.num_rows == 0:
        msg = f"{path.name} has names of columns and no row; wanted one row a beat."
        raise RecordError(msg)
    columns = {wanted[name]: table.column(name) for name in table.column_names}
    return Sheet(path.name, table.num_rows, columns, typed=kind == ".parquet")


def _understood(
    names: list[str], known: Collection[str], prefixes: tuple[str, ...], *, where: str
) -> dict[str, str]:
    """Return what the columns are called here, by their name in the file.

    Raises:
        RecordError: If there is none, or two have one name.
        UnitError: If a name carries a unit.
    """
    plain = [name.strip().casefold() for name in names]
    found: dict[str, str] = {}
    for name, bare in zip(names, plain, strict=True):
        if bare not in known and not bare.startswith(prefixes or ("\0",)):
            continue
        if bare in found.values():
            msg = f"{where} has two columns {bare!r}. Keep the right one."
            raise RecordError(msg)
        found[name] = bare
    for name, bare in zip(names, plain, strict=True):
        stem, unit = _with_unit(bare)
        if stem in known and stem not in found.values() and unit:
            msg = (
                f"{where}, column {name!r} carries the unit {unit!r}; wanted {stem!r} "
                "in mmHg. Convert the numbers and rename the column: nothing is "
                "converted here."
            )
            raise UnitError(msg)
    if not found:
        told = ", ".join(repr(name[:20]) for name in names[:5])
        msg = (
            f"{where}: the first line names no column that is understood ({told} ...); "
            "wanted names such as subject, beat, csbp. Put a line of names on top."
        )
        raise RecordError(msg)
    return found


def _with_unit(bare: str) -> tuple[str, str]:
    """Split a name such as ``csbp_kpa`` or ``csbp (kPa)``."""
    parts = [part for part in re.split(r"[\s_()\[\].:/-]+", bare) if part]
    if len(parts) > 1 and is_pressure(parts[-1]):
        return "_".join(parts[:-1]), parts[-1]
    return bare, ""


def _names(path: Path) -> list[str]:
    """Return the names in the first line of a CSV file."""
    with path.open("rb") as file:
        start = file.read(_HEAD)
    if b"\0" in start:
        msg = (
            f"{path.name} is not plain text (it has zero bytes); wanted CSV in UTF-8. "
            "Save it again as CSV UTF-8."
        )
        raise RecordError(msg)
    line = re.split(rb"\r\n|\n|\r", start.removeprefix(b"\xef\xbb\xbf"), maxsplit=1)[0]
    try:
        rows = [*csv.reader(io.StringIO(line.decode("utf-8")), strict=True)]
    except (UnicodeDecodeError, csv.Error) as error:
        msg = f"{path.name}: the first line cannot be read ({error}). Save as UTF-8."
        raise RecordError(msg) from error
    names = rows[0] if rows else []
    if len(names) < 2:
        other = next((s for s in (";", "\t", "|") if s in "".join(names)), None)
        why = f"columns separated by {other!r}" if other else "fewer than two columns"
        msg = (
            f"{path.name} has {why}; wanted names separated by commas in the first "
            "line. Save it with commas, and decimals with a point."
        )
        raise RecordError(msg)
    return names


def _read_csv(path: Path, names: list[str], wanted: Mapping[str, str]) -> pa.Table:
    bad: list[tuple[int | None, int]] = []

    def keep(row: arrow_csv.InvalidRow) -> str:
        bad.append((row.number, row.actual_columns))
        return "skip"

    inner = [str(i) for i in range(len(names))]  # names may be there twice
    places = {name: inner[i] for i, name in enumerate(names) if name in wanted}
    try:
        table = arrow_csv.read_csv(
            path,
            read_options=arrow_csv.ReadOptions(
                use_threads=False, column_names=inner, skip_rows=1
            ),
            parse_options=arrow_csv.ParseOptions(invalid_row_handler=keep),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=[*places.values()],
                column_types=dict.fromkeys(inner, pa.string()),
                strings_can_be_null=False,
            ),
        )
    except _DAMAGED as error:
        if "Empty CSV" in str(error):
            msg = f"{path.name} has names of columns and no row; wanted one a beat."
        else:
            why = str(error).splitlines()[0][:120]
            msg = f"{path.name} cannot be read as CSV in UTF-8 ({why}). Save it again."
        raise RecordError(msg) from error
    if bad:
        line, cells = bad[0]
        place = "a row" if line is None else f"row {line - 1}"
        msg = (
            f"{path.name}, {place} has {cells} cells; wanted {len(names)}, one for "
            "each column. Decimal commas or a cut line would do that: write decimals "
            "with a point, and put text that has commas in quotes."
        )
        raise RecordError(msg)
    return table.rename_columns([*places])


def _read_parquet(
    path: Path, known: Collection[str], prefixes: tuple[str, ...]
) -> tuple[pa.Table, dict[str, str]]:
    try:
        with parquet.ParquetFile(path, page_checksum_verification=True) as file:
            names = [str(name) for name in file.schema_arrow.names]
            wanted = _understood(names, known, prefixes, where=path.name)
            table = file.read(columns=[*wanted], use_threads=False)
    except _DAMAGED as error:
        why = type(error).__name__
        msg = f"{path.name} is no Parquet table, or damaged ({why}). Write it again."
        raise RecordError(msg) from error
    return table, wanted
