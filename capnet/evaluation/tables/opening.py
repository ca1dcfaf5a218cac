"""Open a file of CSV or Parquet; what is no such table is refused."""

import csv
import io
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pyarrow as pa
from pyarrow import csv as arrow_csv
from pyarrow import parquet

from capnet.errors import RecordError, UnitError
from capnet.evaluation.tables.sheet import Sheet
from capnet.units import is_pressure

__all__ = ["open_sheet"]

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


def open_sheet(
    path: str | Path, known: Collection[str], prefixes: tuple[str, ...] = ()
) -> Sheet:
    """Open a table; columns that nobody here understands are left out.

    Names of columns are taken in any case, without blanks around them and without the
    unit that is wanted (``CSBP (mmHg)`` is ``csbp``). CSV is UTF-8 (a byte order mark
    is fine) with commas, decimal points, and any line ends.

    Args:
        path: A file ``.csv`` or ``.parquet``.
        known: Names of the columns that are understood.
        prefixes: Further columns are understood if they begin so.

    Raises:
        RecordError: If it is missing, empty, damaged, has two columns of one name, a
            row with more or fewer cells, or is no such table.
        UnitError: If the name of a column carries another unit (``csbp_kpa``).
    """
    path = Path(path)
    if not path.is_file():
        found = f"there is no file {path.name!r} at {path}"
        if path.is_dir():
            found = f"{path} is a folder"
        msg = f"{found}; wanted a table on this disk, .csv or .parquet. Correct it."
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
        UnitError: If a name carries another unit than mmHg.
    """
    plain = [_plain(name, known) for name in names]
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


def _plain(name: str, known: Collection[str]) -> str:
    """Return a name in small letters, without the unit that is wanted anyway."""
    bare = name.strip().casefold()
    stem, unit = _with_unit(bare)
    return stem if unit == "mmhg" and stem in known else bare


def _with_unit(bare: str) -> tuple[str, str]:
    """Split a name such as ``csbp_kpa`` or ``csbp (kPa)``."""
    parts = [part for part in re.split(r"[\s_()\[\].:/-]+", bare) if part]
    if len(parts) > 1 and is_pressure(parts[-1]):
        return "_".join(parts[:-1]), parts[-1]
    return bare, ""


def _names(path: Path) -> list[str]:
    """Return the names in the first line of a CSV file."""
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD)
    except OSError as error:
        msg = f"{path.name} cannot be opened ({error.strerror}). Allow it to be read."
        raise RecordError(msg) from error
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
