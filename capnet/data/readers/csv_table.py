"""Columns of numbers from CSV, whose every cell is one or is blank.

pyarrow turns the text into numbers, one block after another, and every number is the
nearest to what the text says. It is told to take nothing for a number that is none; a
block that it refuses is searched here for the cell at fault.
"""

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final, NoReturn

import numpy as np
import pyarrow as pa
from pyarrow import csv as arrow_csv

from capnet.data.readers.columns import check_growth, columns_by_place
from capnet.data.readers.disk import open_gzip
from capnet.errors import RecordError
from capnet.types import Samples

__all__ = ["csv_columns"]

_BLOCK: Final = 1 << 20
"""Bytes that are read at once."""
_LONGEST_LINE: Final = 1 << 18
"""Bytes of a line; a thousand columns of numbers have less."""
_WORDS: Final = ("", "nan", "NaN", "NAN", "NA")
"""What may stand for a missing value."""
_BLANK: Final = frozenset(" " * n + word for word in _WORDS for n in range(17))
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_EMPTY_LINE: Final = re.compile(rb"\n\r?\n|^\r?\n")
_BROKEN: Final = (OSError, EOFError, zlib.error)


def csv_columns(
    path: Path, declared: Sequence[str], wanted: Sequence[str]
) -> dict[str, Samples]:
    """Read columns of a table.

    The first line names the columns; cells are separated by commas, lines end with LF
    or CR LF, decimals with a point. A file that ends in ``.gz`` is unpacked.

    Args:
        path: The file.
        declared: All columns that it must have, in any order. A column without a name
            must be blank.
        wanted: Those to return.

    Returns:
        One array each, NaN where a cell is blank, ``nan`` or ``NA``. Shape (row,).

    Raises:
        RecordError: If a column is missing or not declared, a line has more or fewer
            cells than the header, or a cell is no number. The message names line and
            column.
    """
    where, size = path.name, path.stat().st_size
    packed = path.name.lower().endswith(".gz")

    def opened() -> gzip.GzipFile | BufferedReader:
        return open_gzip(path) if packed else path.open("rb")

    try:
        rows = _count(opened, size=size, packed=packed, where=where)
        with opened() as file:
            header = _header(file, where=where)
            places = columns_by_place(header, declared, where=where)
            return _read(file, header, {n: places[n] for n in wanted}, rows, where)
    except _BROKEN as error:
        msg = f"{where} cannot be read: it is damaged or cut short. Fetch it again."
        raise RecordError(msg) from error


def _count(
    opened: Callable[[], gzip.GzipFile | BufferedReader],
    *,
    size: int,
    packed: bool,
    where: str,
) -> int:
    """Return the number of rows below the header, before anything is kept."""
    lines, total, end = 0, 0, b"\n"
    with opened() as file:
        while block := file.read(_BLOCK):
            total += len(block)
            lines += block.count(b"\n")
            end = block[-1:]
            if packed:
                check_growth(total, size, where=where)
    return lines + (end != b"\n") - 1


def _header(file: gzip.GzipFile | BufferedReader, *, where: str) -> list[str]:
    line = file.readline(_LONGEST_LINE)
    if line.count(b"\r") > line.endswith(b"\r\n") or len(line) == _LONGEST_LINE:
        msg = f"{where}: line 1 is no header; wanted lines that end with LF or CR LF."
        raise RecordError(msg)
    try:
        text = line.decode("utf-8-sig").rstrip("\r\n")
        # A quoted name may follow a blank.
        [names] = csv.reader([text], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        msg = f"{where}: line 1 is no header in UTF-8; wanted names between commas."
        raise RecordError(msg) from (None if isinstance(error, ValueError) else error)
    return names


def _blocks(file: gzip.GzipFile | BufferedReader, *, where: str) -> Iterator[bytes]:
    """Read whole lines, a few million bytes at once."""
    rest = b""
    while block := file.read(_BLOCK):
        cut = block.rfind(b"\n") + 1
        if cut:
            yield rest + block[:cut]
            rest = block[cut:]
        else:
            rest += block
        if len(rest) > _LONGEST_LINE:
            msg = f"{where}: a line has more than {_LONGEST_LINE} bytes; wanted cells."
            raise RecordError(msg)
    if rest:
        yield rest + b"\n"


def _read(
    file: gzip.GzipFile | BufferedReader,
    header: list[str],
    places: dict[str, int],
    rows: int,
    where: str,
) -> dict[str, Samples]:
    keys = [str(place) for place in range(len(header))]
    convert = arrow_csv.ConvertOptions(
        column_types=dict.fromkeys(keys, pa.float64()),
        null_values=[*_BLANK],
        strings_can_be_null=True,
    )
    parse = arrow_csv.ParseOptions(ignore_empty_lines=False)
    unnamed = [place for place, name in enumerate(header) if not name.strip()]
    columns = {name: np.empty(rows) for name in places}
    done = 0
    for block in _blocks(file, where=where):
        count = block.count(b"\n")
        if (len(header) > 1 and _EMPTY_LINE.search(block)) or b"(" in block:
            _locate(block, header, line=done + 2, where=where)
        options = arrow_csv.ReadOptions(
            column_names=keys, use_threads=False, block_size=len(block) + 1
        )
        try:
            table = arrow_csv.read_csv(
                pa.BufferReader(block),
                read_options=options,
                parse_options=parse,
                convert_options=convert,
            )
        except (pa.ArrowException, ValueError):
            _locate(block, header, line=done + 2, where=where)
        filled = any(table.column(p).null_count < table.num_rows for p in unnamed)
        if table.num_rows != count or done + count > rows or filled:
            _locate(block, header, line=done + 2, where=where)
        for name, place in places.items():
            columns[name][done : done + count] = table.column(place).to_numpy()
        done += count
    if done != rows or not rows:
        msg = f"{where} has no row below its header, or changed while it was read."
        raise RecordError(msg)
    return columns


def _locate(block: bytes, header: list[str], *, line: int, where: str) -> NoReturn:
    """Say which cell of a block of lines is at fault, and not what stands in it."""
    for at, content in enumerate(block.split(b"\n")[:-1], start=line):
        text = content.removesuffix(b"\r").decode("utf-8", errors="replace")
        try:
            [cells] = csv.reader([text], strict=True) if text else [[""]]
        except (csv.Error, ValueError):
            break
        if len(cells) != len(header):
            msg = (
                f"{where}: line {at} has {len(cells)} cells, the header "
                f"{len(header)}; wanted as many, separated by commas."
            )
            raise RecordError(msg) from None
        for place, cell in enumerate(cells):
            blank = cell in _BLANK
            name = header[place].strip()
            if not (blank or (name and _NUMBER.fullmatch(cell.strip(" \t")))):
                called = f" ({name!r})" if name else ""
                wanted = "a number with a decimal point, or nothing"
                msg = (
                    f"{where}: line {at}, column {place + 1}{called} is no number; "
                    f"wanted {wanted if name else 'nothing, as it has no name'}."
                )
                raise RecordError(msg) from None
    else:
        at = line
    msg = f"{where}: the lines from {at} on cannot be read; wanted numbers and commas."
    raise RecordError(msg) from None
