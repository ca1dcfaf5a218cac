"""Readers: one strict door per file format.

A file is either read exactly, or refused with one error that says what to correct.
"""

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

from capnet.errors import MissingExtraError, RecordError
from capnet.records import Record

__all__ = ["read_record"]


def read_record(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read one recording; the format follows from the file.

    WFDB: the ``.hea`` header, or the path of the record without a suffix.

    Args:
        path: The file.
        channels: Names of the channels wanted; None for all that can be used.
        subject: Identifier of the person; the record's name by default.
        age: Years.

    Returns:
        The record, every channel at its own sampling rate.

    Raises:
        RecordError: If the file is missing, damaged, empty, of an unknown format, or
            lacks a channel, or the age is not a possible one.
        UnitError: If a sampling rate, a gain or a wanted unit is missing.
        MissingExtraError: If the package that reads the format is not installed.
    """
    if not isinstance(path, str | PathLike):
        msg = (
            f"the path is {path!r}; wanted text or a Path that names a WFDB header "
            "(.hea), or its path without suffix."
        )
        raise RecordError(msg)
    path = Path(path)
    header = path if path.suffix == ".hea" else path.parent / f"{path.name}.hea"
    if not header.is_file():
        found = "is of no known format" if path.is_file() else "does not exist"
        found = "is a folder" if path.is_dir() else found
        msg = (
            f"{path} {found}; wanted a WFDB header (.hea), or its path without suffix."
        )
        raise RecordError(msg)
    # wfdb is loaded when a WFDB record is read, not when this room is imported.
    try:
        from capnet.data.readers.wfdb import read_wfdb
    except ModuleNotFoundError as error:
        if error.name != "wfdb":
            raise
        what = "reading a WFDB record"
        raise MissingExtraError(what, "wfdb") from error

    return read_wfdb(header, channels=channels, subject=subject, age=age)
