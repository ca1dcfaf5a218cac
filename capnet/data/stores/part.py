"""One part of a store in the making: all rows of one source in two parquet files.

``<key>.beats.parquet`` and ``<key>.windows.parquet`` are written table by table, each
whole or not at all; ``.sha256`` beside each says that it is. Waves are lists of float32
in them, everything else keeps its type.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from capnet.data.stores.sources import Source
from capnet.errors import CapnetError, RecordError
from capnet.files import replacing, sha256_of, write_atomic
from capnet.records import Beats

if TYPE_CHECKING:
    from capnet.data.stores.window_rows import WindowRows

__all__ = ["CHUNK", "is_whole", "part_file", "types_of", "write_part"]

CHUNK: Final = 2048
"""Rows that are read and written at once: 512 KB of a wave of 64 points."""

_GROUPS: Final = ("features", "truth")
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_RESERVED: Final = frozenset({"ppg", "reference", "raw"})
_Table: TypeAlias = tuple[Mapping[str, np.ndarray], Mapping[str, np.ndarray]]
"""Columns, and waves of shape (row, time)."""


def part_file(folder: Path, key: str, kind: str) -> Path:
    """Return the file that holds a source's ``beats`` or ``windows``."""
    return folder / f"{key}.{kind}.parquet"


def _seal(file: Path) -> Path:
    return file.with_suffix(".sha256")


def is_whole(file: Path) -> bool:
    """Say whether a file of a part is there, with every byte as it was written."""
    try:
        return _seal(file).read_bytes() == sha256_of(file).encode()
    except OSError:
        return False


def types_of(file: Path) -> dict[str, str]:
    """Return numpy's type of each column and wave of a part, as the source had it."""
    types: dict[str, str] = json.loads(pq.read_metadata(file).metadata[b"types"])
    return types


def write_part(folder: Path, source: Source, *, key: str) -> None:
    """Write what a source holds and what is not there yet.

    Args:
        folder: Of the parts.
        source: Its tables are taken one by one, in constant memory.
        key: Name of the part.

    Raises:
        StorageError: If the disk is full or fails.
        RecordError: If the recording cannot be read, or its tables do not fit together
            or hold what cannot be stored.
    """
    where = f"source {source.name!r}"
    made: dict[str, Callable[[], Iterator[_Table]]] = {
        "beats": lambda: map(_of_beats, source.beats()),
        "windows": lambda: map(_of_windows, source.windows() if source.windows else ()),
    }
    known = {"domain": source.domain, "source": key}
    for kind, tables in made.items():
        file = part_file(folder, key, kind)
        if not is_whole(file):
            _write(file, _read(tables, where=where), known, where=where)
            write_atomic(_seal(file), sha256_of(file).encode())


def _read(tables: Callable[[], Iterator[_Table]], *, where: str) -> Iterator[_Table]:
    """Tell a recording that cannot be read from a store that cannot be written."""
    try:
        yield from tables()
    except CapnetError:
        raise
    except OSError as error:
        msg = (
            f"{where} cannot be read: {error.strerror or error}. See to the recording, "
            "and build the store again: what was read of others is kept."
        )
        raise RecordError(msg) from error


def _of_beats(beats: Beats) -> _Table:
    words = ("calibration", "reference_type")
    columns = {name: np.full(len(beats), getattr(beats, name)) for name in words}
    for f in fields(beats):
        value = getattr(beats, f.name)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            columns[f.name] = value
        elif f.name in _GROUPS:
            columns |= {f"{f.name}/{name}": v for name, v in value.items()}
    columns |= {"cuff_sbp": beats.cuff[:, 0], "cuff_dbp": beats.cuff[:, 1]}
    odd = [n for n in beats.waves if not _NAME.fullmatch(n) or n in _RESERVED]
    if odd:
        msg = (
            f"a wave is called {odd[0]!r}; wanted letters, digits, - and _, and none "
            f"of {', '.join(sorted(_RESERVED))}."
        )
        raise RecordError(msg)
    own = {"ppg": beats.ppg, "reference": beats.reference, "raw": beats.raw}
    waves = {name: w for name, w in (own | dict(beats.waves)).items() if w is not None}
    columns |= {f"has/{n}": np.isfinite(w).any(axis=1) for n, w in waves.items()}
    return columns, waves


def _of_windows(rows: "WindowRows") -> _Table:
    columns = {"subject": rows.subject, "start": rows.start}
    return columns | {f"reason/{k}": v for k, v in rows.reason.items()}, rows.waves


def _write(
    file: Path, tables: Iterator[_Table], known: Mapping[str, str], *, where: str
) -> None:
    types: dict[str, str] = {}
    with replacing(file) as temporary, temporary.open("wb") as sink:
        writer: pq.ParquetWriter | None = None
        try:
            for columns, waves in tables:
                rows = len(columns["subject"])
                if not rows:  # of whatever types
                    continue
                full = {name: np.full(rows, word) for name, word in known.items()}
                table = _arrow({**full, **columns}, waves, where=where)
                if writer is None:
                    writer = _writer(sink, table.schema)
                elif table.schema != writer.schema:
                    raise RecordError(_differ(writer.schema, table.schema, where))
                for name, values in {**full, **columns, **waves}.items():
                    kind = np.promote_types(types.get(name, values.dtype), values.dtype)
                    types[name] = kind.str
                writer.write_table(table, row_group_size=CHUNK)
            writer = writer or _writer(sink, pa.schema([]))
            writer.add_key_value_metadata({"types": json.dumps(types)})
        finally:
            if writer is not None:
                writer.close()


def _writer(sink: object, schema: pa.Schema) -> pq.ParquetWriter:
    words = [field.name for field in schema if pa.types.is_string(field.type)]
    return pq.ParquetWriter(sink, schema, compression="lz4", use_dictionary=words)


def _differ(have: pa.Schema, new: pa.Schema, where: str) -> str:
    fields_of = {True: set(have), False: set(new)}
    odd = sorted({f.name for f in fields_of[True] ^ fields_of[False]}) or have.names
    return (
        f"{where}: tables differ in {', '.join(odd)}; wanted the same columns of the "
        "same types, in the same order, in every table of a source."
    )


def _arrow(
    columns: Mapping[str, np.ndarray], waves: Mapping[str, np.ndarray], *, where: str
) -> pa.Table:
    arrays = {}
    for name, values in {**columns, **waves}.items():
        if values.dtype.kind not in "biufU":
            msg = (
                f"{where}: {name!r} is of type {values.dtype}; wanted numbers or numpy "
                "strings (dtype 'U')."
            )
            raise RecordError(msg)
        try:
            arrays[name] = (
                _lists(values, where=f"{where}: {name!r}")
                if name in waves
                else pa.array(values.astype(values.dtype.newbyteorder("=")))
            )
        except (pa.ArrowException, ValueError) as error:
            msg = f"{where}: {name!r} cannot be stored: {error}."
            raise RecordError(msg) from error
    return pa.table(arrays)


def _lists(wave: np.ndarray, *, where: str) -> pa.FixedSizeListArray:
    """Narrow a wave to single precision."""
    with np.errstate(over="ignore"):
        narrow = np.ascontiguousarray(wave, dtype=np.float32)
    large = np.isinf(narrow)
    if large.any():
        row, point = np.argwhere(large)[0]
        msg = (
            f"{where} is {wave[row, point]} at point {point} of row {row}; wanted "
            "numbers of single precision, or NaN."
        )
        raise RecordError(msg)
    return pa.FixedSizeListArray.from_arrays(pa.array(narrow.ravel()), wave.shape[1])
