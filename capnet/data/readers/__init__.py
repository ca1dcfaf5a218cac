"""Readers: one strict door per file format.

A file is either read exactly, or refused with one error that says what to correct.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, Final, NamedTuple

from capnet.data.readers.disk import reading
from capnet.errors import ConfigError, RecordError
from capnet.lazy import loaded
from capnet.records import Record

__all__ = ["FORMATS", "Format", "format_of", "read_record", "stream_record"]


class Format(NamedTuple):
    """One file format.

    Attributes:
        name: What it is called.
        suffixes: How its files end, in lower case.
        module: In this room; loaded when such a file is read.
        function: ``(path, *, channels, subject, age) -> Record`` in it.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str
    function: str


FORMATS: Final = (
    Format("WFDB", (".hea",), "wfdb", "read_wfdb"),
    Format("EDF", (".edf",), "edf", "read_edf"),
    Format("VitalDB", (".vital",), "vital", "read_vital"),
    Format("CSV", (".csv", ".csv.gz"), "tables", "read_table"),
    Format("Parquet", (".parquet",), "tables", "read_table"),
    Format("NumPy", (".npz",), "tables", "read_table"),
    Format("PulseDB", (".mat",), "pulsedb", "read_pulsedb"),
)
"""Every format that `read_record` reads. A folder is read as the release of PWDB."""

_PWDB: Final = Format("PWDB", (), "pwdb", "read_pwdb_person")


def format_of(path: str | Path) -> tuple[Format, Path]:
    """Say which door a path belongs to, and which file is meant.

    Raises:
        RecordError: If there is no such file, or it is of no known format.
    """
    if not isinstance(path, str | PathLike):
        msg = f"the path is {path!r}; wanted text or a Path that names a recording."
        raise RecordError(msg)
    path = Path(path)
    with reading(str(path)):
        return _format_of(path)


def _format_of(path: Path) -> tuple[Format, Path]:
    header = path.parent / f"{path.name}.hea"
    name = path.name.lower()
    for form in FORMATS:
        if path.is_file() and name.endswith(form.suffixes):
            return form, path
    if header.is_file():  # the path of a WFDB record without its suffix
        return FORMATS[0], header
    if path.is_dir():
        return _PWDB, path
    found = "is of no known format" if path.is_file() else "does not exist"
    known = ", ".join(s for form in FORMATS for s in form.suffixes)
    msg = (
        f"{path} {found}; wanted a recording that ends in {known}, the path of a WFDB "
        "record without its suffix, or the folder of the PWDB release."
    )
    raise RecordError(msg)


def _check_names(channels: Any) -> None:
    if channels is None:
        return
    names = isinstance(channels, Sequence) and not isinstance(channels, str)
    if not (names and channels and all(isinstance(name, str) for name in channels)):
        msg = f"channels is {channels!r}; wanted a list of names: ['II', 'PLETH']."
        raise ConfigError(msg)


def _door(form: Format) -> Callable[..., Record]:
    door: Callable[..., Record] = loaded(
        f"capnet.data.readers.{form.module}",
        form.function,
        what=f"reading {form.name}",
    )
    return door


def read_record(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read one recording; the format follows from the name of the file.

    WFDB (``.hea``, or the path without a suffix), EDF, VitalDB (``.vital``), CSV,
    Parquet and NumPy tables with a sidecar that declares rate and units, PulseDB
    (``.mat``), and the folder of the PWDB release. What identifies a person in a file
    (name, birthday, dates, remarks) is never kept.

    Args:
        path: The file.
        channels: Names in the file of the channels wanted; None for all that can be
            used.
        names: New names for channels by those in the file, e.g. ``{"SPO2W": "ppg"}``.
        subject: Identifier of the person; the record's name by default. Of PWDB and
            PulseDB it says which person of the file is read.
        age: Years; as the file has it by default.

    Returns:
        The record, every channel at its own sampling rate, pressures in mmHg.

    Raises:
        RecordError: If the file is missing, damaged, empty, of an unknown format, or
            lacks a channel, a value is impossible, or the age is.
        UnitError: If a sampling rate, a gain or a wanted unit is missing.
        MissingExtraError: If the package that reads the format is not installed.
        ConfigError: If ``channels`` is no list of names.
    """
    form, file = format_of(path)
    _check_names(channels)
    record = _door(form)(file, channels=channels, subject=subject, age=age)
    return record if names is None else record.renamed(names)


def stream_record(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    names: Mapping[str, str] | None = None,
    subject: str | None = None,
    age: float | None = None,
    length: float = 600.0,
) -> Iterator[Record]:
    """Read a recording in parts that follow each other.

    WFDB is read in constant memory, after one pass that verifies it; files of other
    formats are read whole and come as one part.

    Args:
        path: See `read_record`.
        channels: See `read_record`.
        names: See `read_record`.
        subject: See `read_record`.
        age: See `read_record`.
        length: Of a part, s.

    Yields:
        Parts, each with all channels, as `capnet.signal.pieces_of` wants them.

    Raises:
        RecordError: See `read_record`; before the first part.
        UnitError: See `read_record`.
        ConfigError: See `read_record`; or if a part has no length.
    """
    form, file = format_of(path)
    _check_names(channels)
    if form.module == "wfdb":
        _door(form)  # names the package that is missing
        from capnet.data.readers.wfdb import stream_wfdb

        parts = stream_wfdb(
            file, channels=channels, subject=subject, age=age, length=length
        )
    else:
        parts = iter([read_record(file, channels=channels, subject=subject, age=age)])
    for part in parts:
        yield part if names is None else part.renamed(names)
