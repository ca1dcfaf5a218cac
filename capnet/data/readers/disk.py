"""What a disk may do to any reader: refuse, or hand over a file padded with nothing."""

import gzip
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from capnet.errors import CapnetError, RecordError

__all__ = ["open_gzip", "reading"]

_PADDING: Final = 1 << 16
"""Zeros after the end that a gzip file may have; no true end has nearly as many."""


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Turn what a disk says into an error that names the record.

    Args:
        where: Names the record, for messages.

    Raises:
        RecordError: For any `OSError`.
    """
    try:
        yield
    except CapnetError:
        raise
    except OSError as error:
        msg = f"{where} cannot be read ({error.strerror}). See to its permissions."
        raise RecordError(msg) from error


def open_gzip(path: Path) -> gzip.GzipFile:
    """Open a gzip file to read what it holds.

    Python reads zeros after the end one by one, so that a file of many would take
    minutes.

    Raises:
        gzip.BadGzipFile: If the file is padded with zeros.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _PADDING))
        tail = file.read(_PADDING)
    if len(tail) == _PADDING and not any(tail):
        msg = "zeros follow the end"
        raise gzip.BadGzipFile(msg)
    return gzip.open(path, "rb")
