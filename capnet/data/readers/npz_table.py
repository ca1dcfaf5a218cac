"""Columns of numbers from NumPy's ``.npz``, read without NumPy's loader.

An archive holds one array a column. Sizes are compared before anything is allocated,
the checksum of each array is verified, and nothing that Python could execute is read.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final

import numpy as np

from capnet.data.readers.columns import check_growth, columns_by_place
from capnet.errors import RecordError
from capnet.types import Samples

__all__ = ["npz_columns"]

_BLOCK: Final = 1 << 20
"""Bytes that are read at once; a multiple of every number's size."""
_DIRECTORY: Final = 1 << 20
"""Bytes of the archive's table of contents."""
_END: Final = struct.Struct("<4s4H2LH")
"""End of the table of contents (APPNOTE.TXT of PKWARE, section 4.3.16)."""
_HEADER: Final = re.compile(
    rb"\{'descr': '([<>|=]?(?:f[248]|[iu][1248]))', 'fortran_order': (?:True|False), "
    rb"'shape': \((\d{1,15}),\), \} *\n"
)
"""Header of an array with one axis (`numpy.lib.format`)."""
_LONGEST_HEADER: Final = 1 << 12
_EXACT: Final = 2**53
"""Largest integer up to which a float holds all."""
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    RuntimeError,  # packed with a password, or by a method that is not known
    OverflowError,
    IndexError,
)


def npz_columns(
    path: Path, declared: Sequence[str], wanted: Sequence[str]
) -> dict[str, Samples]:
    """Read columns of a table.

    Args:
        path: The file.
        declared: All arrays that it must have, in any order; all of one length.
        wanted: Those to return.

    Returns:
        One array each. Shape (row,).

    Raises:
        RecordError: If the file is damaged, declares far more than it can hold, an
            array is missing or not declared, has another length, or holds anything
            but numbers along one axis.
    """
    where, size = path.name, path.stat().st_size
    try:
        with path.open("rb") as file:
            _check_directory(file, size, where=where)
            with zipfile.ZipFile(file) as archive:
                return _read(archive, size, declared, wanted, where=where)
    except _BROKEN as error:
        msg = f"{where} is damaged ({type(error).__name__}). Fetch it again."
        raise RecordError(msg) from None


def _check_directory(file: BufferedReader, size: int, *, where: str) -> None:
    """See that the table of contents is short, before it is read."""
    file.seek(max(0, size - _END.size - (1 << 16)))
    tail = file.read()
    at = tail.rfind(b"PK\5\6")
    if at < 0 or len(tail) < at + _END.size:
        msg = f"{where} is no .npz archive, or it is cut short. Fetch it again."
        raise RecordError(msg)
    length = _END.unpack_from(tail, at)[5]
    if length > _DIRECTORY:
        msg = f"{where} has too many entries or 4 GB; wanted one array a channel."
        raise RecordError(msg)


def _read(
    archive: zipfile.ZipFile,
    size: int,
    declared: Sequence[str],
    wanted: Sequence[str],
    *,
    where: str,
) -> dict[str, Samples]:
    entries = archive.infolist()
    names = [entry.filename.removesuffix(".npy") for entry in entries]
    plain = all(
        entry.filename.endswith(".npy")
        and name.strip()
        and entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        for entry, name in zip(entries, names, strict=True)
    )
    if not plain:
        msg = f"{where} holds what is no array; wanted a file of numpy.savez."
        raise RecordError(msg)
    places = columns_by_place(names, declared, where=where)
    check_growth(sum(entry.file_size for entry in entries), size, where=where)
    columns: dict[str, Samples] = {}
    lengths: set[int] = set()
    for name, place in places.items():
        with archive.open(entries[place]) as file:
            rows, kind = _shape(file.read, entries[place].file_size, name, where=where)
            check_growth(8 * rows * max(len(wanted), 1), size, where=where)
            values = _array(file.read, rows if name in wanted else 0, kind)
        lengths.add(rows)
        columns[name] = values
        if np.dtype(kind).kind in "iu" and not (np.abs(values) < _EXACT).all():
            msg = f"{where}: array {name!r} has integers beyond 2^53; wanted samples."
            raise RecordError(msg)
    if len(lengths) != 1 or not min(lengths):
        msg = (
            f"{where}: its arrays have {', '.join(map(str, sorted(lengths)))} samples; "
            "wanted as many in each. Put other rates into a file of their own."
        )
        raise RecordError(msg)
    return {name: columns[name] for name in wanted}


def _shape(
    read: Callable[[int], bytes], size: int, name: str, *, where: str
) -> tuple[int, str]:
    """Return length and type of an array, by its header."""
    start = read(10)
    form = {b"\1\0": "<H", b"\2\0": "<I"}.get(start[6:8])
    header, begin = b"", 0
    if start[:6] == b"\x93NUMPY" and form:
        start += read(struct.calcsize(form) - 2)
        [length] = struct.unpack(form, start[8:])
        if length <= _LONGEST_HEADER:
            header, begin = read(length), len(start) + length
    found = _HEADER.fullmatch(header)
    if found is None:
        msg = f"{where}: array {name!r} is none of numbers along one axis; wanted one."
        raise RecordError(msg)
    kind, rows = found[1].decode("ascii"), int(found[2])
    if begin + rows * np.dtype(kind).itemsize != size:
        msg = (
            f"{where}: array {name!r} declares {rows} samples and has {size - begin} "
            "bytes. Fetch it again."
        )
        raise RecordError(msg)
    return rows, kind


def _array(read: Callable[[int], bytes], rows: int, kind: str) -> Samples:
    """Read so many numbers, and to the end, where the checksum is compared."""
    values = np.empty(rows)
    step, done = _BLOCK // np.dtype(kind).itemsize, 0
    while block := read(_BLOCK):
        if done < rows:
            stop = min(done + step, rows)
            values[done:stop] = np.frombuffer(block, dtype=kind)
            done = stop
    if done < rows:
        msg = "an array ends early"
        raise EOFError(msg)
    return values
