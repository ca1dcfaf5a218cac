"""The parts of a store, gathered into one table and one zarr array a wave."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import zarr
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from capnet.data.stores.part import CHUNK, part_file, types_of
from capnet.errors import RecordError

__all__ = ["gather"]

_PLAIN: Final = 64
"""Points of a wave up to which it is not compressed: read at random, again and again.
"""
_LEVEL: Final = 1
"""Of zstd: windows of raw samples overlap, which it finds as well as higher ones."""

_FIRST: Final = (
    *("subject", "domain", "reference_type", "calibration", "accepted", "reason"),
    *("beat", "time", "duration", "age", "cuff_sbp", "cuff_dbp", "cuff_site"),
)
"""Columns that a manifest begins with."""


def gather(
    parts: Path, keys: Iterable[str], kind: str, table: Path, waves: Path
) -> dict[str, str]:
    """Write the rows of all parts, in the order of their keys.

    Args:
        parts: Folder of the parts, which are whole.
        keys: Of the parts.
        kind: ``beats`` or ``windows``.
        table: The parquet file to write: all columns but waves, null where a part has
            none.
        waves: The folder to write: one zarr array a wave, NaN where a part has none.
            What is nowhere written reads as infinite.

    Returns:
        Type of each column and wave as sources had it, the widest; empty if there is no
        row, when nothing is written.

    Raises:
        RecordError: If the columns of two parts do not fit together.
        OSError: If the disk is full or fails.
    """
    files = [part_file(parts, key, kind) for key in keys]
    rows = sum(pq.read_metadata(file).num_rows for file in files)
    if not rows:
        return {}
    schema = _schema(files)
    widths = {
        field.name: field.type.list_size
        for field in schema
        if pa.types.is_fixed_size_list(field.type)
    }
    names = [name for name in schema.names if name not in widths]
    names.sort(key=lambda n: _FIRST.index(n) if n in _FIRST else len(_FIRST))
    memory: dict[str, Any] = {}
    group = zarr.create_group(MemoryStore(memory), zarr_format=3)
    arrays: dict[str, zarr.Array[Any]] = {
        name: group.create_array(
            name,
            shape=(rows, width),
            chunks=(CHUNK, width),
            dtype=np.float32,
            compressors=None if width <= _PLAIN else ZstdCodec(level=_LEVEL),
            fill_value=np.inf,
        )
        for name, width in widths.items()
    }
    first = 0
    columns = pa.schema([schema.field(name) for name in names])
    with table.open("wb") as sink, pq.ParquetWriter(sink, columns) as writer:
        for block in _blocks(files, schema):
            writer.write_table(block.select(names))
            for name, array in arrays.items():
                array[first : first + len(block)] = _wave(block, name, widths[name])
            _drain(memory, waves)
            first += len(block)
    return _types(files)


def _drain(memory: dict[str, Any], folder: Path) -> None:
    """Move what zarr has encoded to the disk; its own threads leave failures behind."""
    for name in [*memory]:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(memory.pop(name).to_bytes())


def _schema(files: Sequence[Path]) -> pa.Schema:
    found = [pq.read_schema(file).remove_metadata() for file in files]
    try:
        schema = pa.unify_schemas(found, promote_options="permissive")
    except (pa.ArrowException, TypeError, ValueError) as error:
        msg = (
            f"sources do not fit together: {error}. Give columns of different types "
            "different names, or make a store of each."
        )
        raise RecordError(msg) from error
    odd = [field.name for field in schema if pa.types.is_list(field.type)]
    if odd:
        msg = (
            f"{odd[0]!r} has other numbers of samples in other sources; wanted one "
            "length. Make a store of each."
        )
        raise RecordError(msg)
    return schema


def _types(files: Sequence[Path]) -> dict[str, str]:
    types: dict[str, str] = {}
    for file in files:
        for name, kind in types_of(file).items():
            types[name] = np.promote_types(types.get(name, kind), kind).str
    return types


def _blocks(files: Sequence[Path], schema: pa.Schema) -> Iterator[pa.Table]:
    """Give the rows of all files, as many as a chunk has at once."""
    waiting = schema.empty_table()
    for file in files:
        with pq.ParquetFile(file) as source:
            for number in range(source.num_row_groups):
                group = source.read_row_group(number, use_threads=False)
                tables = [waiting, group.replace_schema_metadata()]
                waiting = pa.concat_tables(tables, promote_options="permissive")
                while len(waiting) >= CHUNK:
                    yield waiting.slice(0, CHUNK)
                    waiting = waiting.slice(CHUNK)
    if len(waiting):
        yield waiting


def _wave(block: pa.Table, name: str, width: int) -> np.ndarray:
    column = block.column(name).combine_chunks()
    answer = np.full((len(block), width), np.nan, dtype=np.float32)
    known = column.flatten().to_numpy()  # leaves out rows without any
    answer[column.is_valid().to_numpy(zero_copy_only=False)] = known.reshape(-1, width)
    return answer
