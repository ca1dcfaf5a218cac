"""Records on disk as tables with a sidecar: CSV, Parquet and NumPy's npz.

See `capnet.data.readers.sidecar`. Every sample is read again as exactly the number that
it was. Channels of another rate, start or length stand in tables of their own
(``a.2.csv`` beside ``a.csv``, or the next number that no file has), which the one
sidecar declares by name and hash. A process that is killed while it writes leaves the
old record or the new one: the new sidecar gets its name before the new table does, and
`capnet.read_record` finds a table that is still hidden by its hash.
"""

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np

from capnet.data.readers.plausibility import check_plausible
from capnet.data.readers.sidecar import SUFFIXES, parse_sidecar, sidecar_path
from capnet.data.writers.together import free_names, replacing_together
from capnet.errors import CapnetError, RecordError
from capnet.files import sha256_of
from capnet.records import Record, Signal

__all__ = ["write_table"]

_ROWS: Final = 1 << 18
"""Rows of CSV that are put into text at once."""


def write_table(record: Record, path: Path) -> Path:
    """Write a record as a table with its sidecar.

    The sidecar holds rates, units, starts, age, covariates, cuff readings, calibration,
    reference type, sync and annotations, and the hash of each table: a table and a
    sidecar that do not belong to each other are refused. The subject and the source are
    not written: whoever reads the record takes the name of the file for the subject.

    Args:
        record: Any whose values are possible ones.
        path: Ends in ``.csv``, ``.csv.gz``, ``.parquet`` or ``.npz``; its folder is
            made.

    Returns:
        The path.

    Raises:
        RecordError: If a value or a name is impossible.
        UnitError: If a rate or unit is impossible.
        StorageError: If the disk is full or refuses; the old files are as they were.
    """
    where = path.name
    beside = sidecar_path(path)
    check_plausible(record.channels, where=where)
    for name in record.channels:
        if not name or name != name.strip() or not name.isprintable():
            msg = f"{where}: channel {name!r}; wanted a printable name. Rename it."
            raise RecordError(msg)
    suffix = path.name[len(beside.stem) :]
    write = _WRITERS[suffix.lower()]
    tables = _tables(record.channels)
    before = _further(beside, suffix)
    begin = path.with_name(f"{beside.stem}.")
    others = free_names(begin, suffix, len(tables) - 1)
    with replacing_together([*others, beside, path]) as [*parts, last, first]:
        said = []
        parts, paths = [first, *parts], [path, *others]
        for part, place, table in zip(parts, paths, tables, strict=True):
            with part.open("wb") as file:
                write(file, {n: _floats(s.values) for n, s in table.items()})
            said.append({"file": place.name} | _declared(table, sha256_of(part)))
        content = _sidecar(record, said)
        parse_sidecar(content, where=beside.name)  # as it will be read
        last.write_bytes(content)
    for gone in before:
        with suppress(OSError):
            gone.unlink(missing_ok=True)
    return path


def _further(beside: Path, suffix: str) -> list[Path]:
    """Return the further tables that were written for the old sidecar."""
    try:
        old = parse_sidecar(beside.read_bytes(), where=beside.name)
    except (OSError, CapnetError):
        return []
    named = re.compile(re.escape(beside.stem) + r"\.\d+" + re.escape(suffix))
    return [
        beside.with_name(table.file)
        for table in old.also
        if named.fullmatch(table.file) and table.sha256
    ]


def _tables(channels: Mapping[str, Signal]) -> list[dict[str, Signal]]:
    """Group the channels whose samples share their instants."""
    groups: dict[tuple[float, float, int], dict[str, Signal]] = {}
    for name, signal in channels.items():
        key = (float(signal.sampling_rate), float(signal.start), len(signal.values))
        groups.setdefault(key, {})[name] = signal
    return [*groups.values()]


def _floats(values: np.ndarray) -> np.ndarray:
    kind = values.dtype if values.dtype in (np.float32, np.float64) else np.float64
    return np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<"))


def _declared(table: Mapping[str, Signal], digest: str) -> dict[str, Any]:
    first = next(iter(table.values()))
    return {
        "sampling_rate": float(first.sampling_rate),
        "start": float(first.start),
        "samples": len(first.values),
        "sha256": digest,
        "channels": {name: {"unit": signal.unit} for name, signal in table.items()},
    }


def _sidecar(record: Record, tables: list[dict[str, Any]]) -> bytes:
    main = {key: value for key, value in tables[0].items() if key != "file"}
    said: dict[str, Any] = {"format": 1} | main
    optional: dict[str, Any] = {
        "age": record.age,
        "covariates": {name: float(v) for name, v in record.covariates.items()},
        "sync": record.sync,
        "reference_type": record.reference_type,
        "calibration": record.calibration,
        "cuffs": [
            {
                "time": float(cuff.time),
                "sbp": float(cuff.sbp),
                "dbp": float(cuff.dbp),
                "site": cuff.site,
                "map": None if cuff.map is None else float(cuff.map),
            }
            for cuff in record.cuffs
        ],
        "annotations": {
            origin: {"times": notes.times.tolist(), "labels": notes.labels.tolist()}
            for origin, notes in record.annotations.items()
        },
        "also": tables[1:],
    }
    said |= {key: v for key, v in optional.items() if v not in (None, [], {})}
    # A line for each of a hundred thousand times would make it too long.
    indent = None if record.annotations else 1
    return json.dumps(said, indent=indent).encode("utf-8") + b"\n"


def _lines(columns: Mapping[str, np.ndarray]) -> Iterator[bytes]:
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(columns)
    yield text.getvalue().encode("utf-8")
    options = arrow_csv.WriteOptions(include_header=False)
    # As single numbers have fewer figures than a float64, they would come back changed.
    table = pa.table({name: v.astype(np.float64) for name, v in columns.items()})
    for first in range(0, table.num_rows, _ROWS):
        rows = io.BytesIO()
        arrow_csv.write_csv(table.slice(first, _ROWS), rows, options)
        yield rows.getvalue()


def _write_csv(file: BinaryIO, columns: Mapping[str, np.ndarray]) -> None:
    file.writelines(_lines(columns))


def _write_gz(file: BinaryIO, columns: Mapping[str, np.ndarray]) -> None:
    with gzip.GzipFile("", "wb", 6, file, mtime=0) as packed:  # neither name nor date
        packed.writelines(_lines(columns))


def _write_parquet(file: BinaryIO, columns: Mapping[str, np.ndarray]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(
        pa.table(dict(columns)),
        file,
        compression="zstd",
        store_schema=False,
        write_page_checksum=True,
    )


def _write_npz(file: BinaryIO, columns: Mapping[str, np.ndarray]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, values in columns.items():
            entry = zipfile.ZipInfo(f"{name}.npy")  # its date is 1980
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w", force_zip64=True) as part:
                np.lib.format.write_array(part, values, allow_pickle=False)


_WRITERS: Final[Mapping[str, Callable[[BinaryIO, Mapping[str, np.ndarray]], None]]] = (
    dict(
        zip(SUFFIXES, (_write_csv, _write_gz, _write_parquet, _write_npz), strict=True)
    )
)
