"""Columns of numbers from Parquet, whose footer is believed only within limits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from capnet.data.readers.columns import check_growth, columns_by_place
from capnet.errors import RecordError
from capnet.types import Samples

__all__ = ["parquet_columns"]

_BATCH: Final = 1 << 16
"""Rows that are read at once."""
_LIMIT: Final = 1 << 20
"""Longest text and list of the footer."""
_BROKEN: Final = (
    pa.ArrowException,
    OSError,
    ValueError,
    MemoryError,
    KeyError,
    IndexError,
    TypeError,
    OverflowError,
)


def parquet_columns(
    path: Path, declared: Sequence[str], wanted: Sequence[str]
) -> dict[str, Samples]:
    """Read columns of a table; checksums of its pages are verified.

    Args:
        path: The file.
        declared: All columns that it must have, in any order.
        wanted: Those to return.

    Returns:
        One array each, NaN where there is no value. Shape (row,).

    Raises:
        RecordError: If the file is damaged, declares far more than it can hold, a
            column is missing or not declared, or holds anything but numbers.
    """
    where = path.name
    try:
        with parquet.ParquetFile(
            path,
            page_checksum_verification=True,
            pre_buffer=False,
            thrift_string_size_limit=_LIMIT,
            thrift_container_size_limit=_LIMIT,
        ) as file:
            return _read(file, path.stat().st_size, declared, wanted, where=where)
    except _BROKEN as error:
        msg = f"{where} is damaged ({type(error).__name__}). Fetch it again."
        raise RecordError(msg) from None


def _read(
    file: parquet.ParquetFile,
    size: int,
    declared: Sequence[str],
    wanted: Sequence[str],
    *,
    where: str,
) -> dict[str, Samples]:
    schema, facts = file.schema_arrow, file.metadata
    rows, groups = facts.num_rows, facts.num_row_groups
    check_growth(8 * rows * max(len(wanted), 1), size, where=where)
    if rows < 1 or facts.num_columns != len(schema) or groups > 100_000:
        msg = f"{where} has no rows, or columns within columns; wanted plain columns."
        raise RecordError(msg)
    if sum(facts.row_group(i).num_rows for i in range(groups)) != rows:
        msg = f"{where}: its parts do not add up to its {rows} rows. Fetch it again."
        raise RecordError(msg)
    places = columns_by_place(schema.names, declared, where=where)
    if "" in (name.strip() for name in schema.names):
        msg = f"{where} has a column without a name. Name or remove it."
        raise RecordError(msg)
    for name, place in places.items():
        kind = schema.field(place).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            msg = f"{where}: column {name!r} does not hold numbers; wanted floats."
            raise RecordError(msg)
    columns = {name: np.empty(rows) for name in wanted}
    done = 0
    names = [schema.names[places[name]] for name in wanted]
    for batch in file.iter_batches(_BATCH, columns=names, use_threads=False):
        stop = done + batch.num_rows
        if stop > rows or sorted(batch.schema.names) != sorted(names):
            msg = f"{where}: more rows or other columns than declared. Fetch it again."
            raise RecordError(msg)
        for name, stored in zip(wanted, names, strict=True):
            # Integers that no float holds are an error of the cast.
            numbers = batch.column(stored).cast(pa.float64())
            columns[name][done:stop] = numbers.to_numpy(zero_copy_only=False)
        done = stop
    if done != rows:
        msg = f"{where} declares {rows} rows and has {done}. Fetch it again."
        raise RecordError(msg)
    return columns
