"""The door of tables: CSV, Parquet and NumPy files with a sidecar beside them.

A table holds numbers; everything else that a recording must say of itself stands in
the sidecar, see `capnet.data.readers.sidecar`.
"""

from collections.abc import Mapping, Sequence
from glob import escape
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.data.readers.arrays import record_of_arrays
from capnet.data.readers.choice import chosen
from capnet.data.readers.disk import reading
from capnet.data.readers.plausibility import HIGHEST_RATE, LOWEST_RATE
from capnet.data.readers.sidecar import Table, read_sidecar, sidecar_path
from capnet.errors import RecordError, UnitError
from capnet.files import confined, sha256_of
from capnet.lazy import loaded
from capnet.records import Record
from capnet.types import Samples

__all__ = ["read_table"]


class _Form(NamedTuple):
    """One kind of table: its name, and ``(path, declared, wanted) -> columns``."""

    name: str
    module: str
    function: str


_FORMS: Final[Mapping[str, _Form]] = {
    ".csv": _Form("CSV", "csv_table", "csv_columns"),
    ".gz": _Form("CSV", "csv_table", "csv_columns"),
    ".parquet": _Form("Parquet", "parquet_table", "parquet_columns"),
    ".npz": _Form("NumPy", "npz_table", "npz_columns"),
}
_UNEVEN: Final = 0.5
"""Steps by which a row's time may differ from where the rate puts it."""
_ROUNDED: Final = 1e-3
"""s; times are often rounded to milliseconds."""


def read_table(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read a table, or several that one sidecar declares.

    Verified: the hash and the number of rows where the sidecar gives them, that every
    column is declared and every declared one is there, that every cell is a number or
    blank, the times of the rows against the rate, and that every value is possible.

    Args:
        path: The table of ``.csv``, ``.csv.gz``, ``.parquet`` or ``.npz``; its sidecar
            has the same name with ``.json``.
        channels: Names of the channels wanted; None for all that hold a sample.
        subject: Identifier; the table's name by default.
        age: Years; as the sidecar has it by default.

    Returns:
        The record, pressures in mmHg, voltages in mV.

    Raises:
        RecordError: If table or sidecar are missing or damaged, do not belong to each
            other, lack a channel, or hold an impossible value.
        UnitError: If the sidecar declares no rate or not all units.
    """
    path = Path(path)
    beside = sidecar_path(path)
    if not path.is_file():
        msg = f"{path} does not exist; wanted a table. Correct the path."
        raise RecordError(msg)
    where = beside.name
    with reading(where):
        sidecar = read_sidecar(path)
        files = {where: sha256_of(beside)}
    units = {
        channel: column.unit
        for table in (sidecar, *sidecar.also)
        for channel, column in table.channels.items()
    }
    wanted = [*chosen(units, channels, where=where)[0]]
    arrays: dict[str, Samples] = {}
    rates: dict[str, float] = {}
    starts: dict[str, float] = {}
    clocks: list[tuple[str, float]] = []
    tables: list[tuple[Path, str, Table]] = [(path, path.name, sidecar)]
    for other in sidecar.also:
        file = confined(path.parent, other.file, where=where)
        tables.append((file, other.file, other))
    for place, name, table in tables:
        if name in files:
            msg = f"{where}: a file is declared twice. Declare each table once."
            raise RecordError(msg)
        with reading(name):
            file, files[name] = _declared(place, table)
        mine = [c for c in table.channels if c in wanted]
        columns, clock = _columns(file, table, mine)
        if clock is not None:
            clocks.append((name, clock))
        arrays |= columns
        rates |= {c: table.sampling_rate / table.channels[c].every for c in mine}
        starts |= dict.fromkeys(mine, table.start)
    _check_clocks(clocks)
    source = f"{_form(path).name} {path.name}"
    if channels is None:
        empty = [c for c, values in arrays.items() if np.isnan(values).all()]
        arrays = {c: values for c, values in arrays.items() if c not in empty}
        if empty:
            source += f"; left out, as they hold no sample: {', '.join(empty)}"
    return record_of_arrays(
        {c: arrays[c] for c in wanted if c in arrays},
        sampling_rate={c: rates[c] for c in arrays},
        units={c: units[c] for c in arrays},
        subject=subject or beside.stem,
        age=sidecar.age if age is None else age,
        start={c: starts[c] for c in arrays},
        cuffs=sidecar.readings(where=where),
        calibration=sidecar.calibration,
        covariates=sidecar.covariates.model_dump(exclude_none=True),
        annotations=sidecar.notes(where=where),
        reference_type=sidecar.reference_type,
        sync=sidecar.sync,
        source=source,
        files=files,
    )


def _form(path: Path) -> _Form:
    sidecar_path(path)  # says what a table is called
    return _FORMS[path.suffix.lower()]


def _declared(path: Path, table: Table) -> tuple[Path, str]:
    """Return the file that the sidecar was written for, and its hash.

    A writer that was killed between the two leaves the new table hidden beside the old
    one, see `capnet.data.writers.together`.
    """
    found = sha256_of(path)
    if table.sha256 in (None, found):
        return path, found
    for hidden in path.parent.glob(f".*.{escape(path.name)}"):
        plain = hidden.is_file() and not hidden.is_symlink()
        if plain and sha256_of(hidden) == table.sha256:
            return hidden, table.sha256
    msg = (
        f"{path.name} is not the file that its sidecar was written for (sha256 "
        f"{found[:12]}..., declared {table.sha256[:12]}...). Fetch both again; if "
        "the table was changed on purpose, remove sha256 from the sidecar."
    )
    raise RecordError(msg)


def _columns(
    path: Path, table: Table, wanted: Sequence[str]
) -> tuple[dict[str, Samples], float | None]:
    """Return channels of one table, and its first time less its start, s."""
    form, where = _form(path), path.name
    _check_rate(table, where=where)
    clock = table.time_column
    extra = [] if clock is None else [clock]
    read = loaded(
        f"capnet.data.readers.{form.module}",
        form.function,
        what=f"reading {form.name}",
    )
    # One column at least, or nobody knows how many rows there are.
    asked = [*wanted, *extra] or [*table.channels][:1]
    columns: dict[str, Samples] = read(path, [*table.channels, *extra], asked)
    rows = len(columns[asked[0]])
    if table.samples is not None and table.samples != rows:
        msg = (
            f"{where} has {rows} rows, its sidecar declares {table.samples}. Fetch it "
            "again, or correct samples in the sidecar."
        )
        raise RecordError(msg)
    first = None
    if clock is not None:
        first = _check_times(columns.pop(clock), table.sampling_rate, where=where)
        first -= table.start
    found = {name: _thinned(columns[name], table, name, where=where) for name in wanted}
    return found, first


def _check_rate(table: Table, *, where: str) -> None:
    """See that the rate is possible, before times are held against it."""
    if not LOWEST_RATE <= table.sampling_rate <= HIGHEST_RATE:
        msg = (
            f"{where}: the sidecar declares {table.sampling_rate:g} Hz; wanted "
            f"{LOWEST_RATE:g} to {HIGHEST_RATE:g} Hz. Correct sampling_rate there."
        )
        raise UnitError(msg)


def _thinned(
    values: Float[np.ndarray, " row"], table: Table, name: str, *, where: str
) -> Float[np.ndarray, " sample"]:
    """Return the samples of a column: without missing codes and rows between."""
    if table.missing is not None:
        values[values == table.missing] = np.nan
    every = table.channels[name].every
    if every == 1:
        return values
    between = ~np.isnan(values)
    between[::every] = False
    if between.any():
        row = int(np.flatnonzero(between)[0])
        msg = (
            f"{where}: channel {name!r} has a value in row {row + 1}; the sidecar says "
            f"that it has one in every {every}th row, from the first on. Correct every."
        )
        raise RecordError(msg)
    return values[::every].copy()


def _check_times(times: Samples, rate: float, *, where: str) -> float:
    """Hold the times of the rows against the rate; return the first, s."""
    wanted = times[0] + np.arange(len(times)) / rate
    with np.errstate(over="ignore", invalid="ignore"):
        away = np.abs(times - wanted)
    wrong = ~(away <= _UNEVEN / rate + _ROUNDED)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        far = f"{away[row]:g} s off" if np.isfinite(away[row]) else "missing"
        msg = (
            f"{where}: the time of row {row + 1} is {far}; wanted rows {1 / rate:g} s "
            f"apart for {rate:g} Hz. Correct the rate, or put a row of blanks for each "
            "sample that is missing."
        )
        raise RecordError(msg)
    return float(times[0])


def _check_clocks(clocks: Sequence[tuple[str, float]]) -> None:
    """See that the tables' times and their declared starts say the same."""
    for name, clock in clocks[1:]:
        apart = clock - clocks[0][1]
        if not abs(apart) <= 2.0 * _ROUNDED:
            msg = (
                f"{name}: its times say that it starts {apart:g} s later, beside "
                f"{clocks[0][0]}, than start in the sidecar does. Correct start."
            )
            raise RecordError(msg)
