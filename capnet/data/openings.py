"""The log of a locked clinic: each release may look once, and what it saw is written.

It keeps an honest user from looking twice without noticing: from whatever folder, with
two runs at once, with one killed in the middle. Under version control it lets a reader
see how often it was done. It cannot prevent what is done on purpose: a clinic's
settings are public, so that it can be simulated by other means or under another name;
a log can be deleted, edited, or begun anew beside a copy of the manifest; a version can
be renamed.
"""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from capnet.errors import ProtocolError, RecordError

__all__ = ["check_unopened", "log_opening", "openings"]


def openings(path: Path) -> list[dict[str, Any]]:
    """Read the log, one entry an opening; empty where there is no file.

    Raises:
        RecordError: If a line cannot be read, or does not say which release it was.
    """
    if not path.is_file():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            known = isinstance(entry["version"], str) and isinstance(entry["date"], str)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            msg = (
                f"line {number} of {path} is no opening of a locked clinic; wanted "
                "JSON with 'version' and 'date'. Restore the file: a log that cannot "
                "be read cannot say that nobody has looked."
            )
            raise RecordError(msg)
        found.append(entry)
    return found


def check_unopened(path: Path, version: str) -> None:
    """Refuse a second look of the same release.

    Args:
        path: Of the log.
        version: Of this release.

    Raises:
        ProtocolError: If this release has opened the locked clinic already.
        RecordError: If the log cannot be read.
    """
    for entry in openings(path):
        if entry["version"] == version:
            msg = (
                f"release {version} opened the locked clinic on {entry['date']} "
                f"({path}); a release looks once. Its numbers are in that log; choose "
                "settings on 'dev', report on 'test', and open again with the next "
                "release."
            )
            raise ProtocolError(msg)


def log_opening(path: Path, entry: Mapping[str, Any]) -> None:
    """Append an opening; it is on the disk before this returns.

    Log first, show after: then no number is seen that is not written down.

    Args:
        path: Of the log; made where it is missing.
        entry: ``version``, ``date``, and whatever else says what was seen.

    Raises:
        ProtocolError: If this release has opened the locked clinic already.
        RecordError: If the log cannot be read.
    """
    line = json.dumps(dict(entry), sort_keys=True, allow_nan=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Of two runs that end together one must see what the other wrote.
    with path.open("a", encoding="utf-8") as file, _alone(file.fileno()):
        check_unopened(path, entry["version"])
        file.write(line + "\n")
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _alone(handle: int) -> Iterator[None]:
    """Hold a file for oneself; a process that dies lets go."""
    if sys.platform == "win32":  # pragma: no cover
        yield  # no such lock there: two runs at once could both write
    else:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX)
        yield  # closing the file lets go
