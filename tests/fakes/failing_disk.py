"""A disk that fails at the n-th call, and one that only counts."""

import builtins
import errno
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

_CALLS = ("mkdir", "open", "close", "fsync", "chmod", "replace", "link")


class _File:
    """A file whose writing and closing count as calls."""

    def __init__(self, file: Any, disk: "Disk") -> None:
        self._file, self._disk = file, disk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._file)

    def write(self, data: Any) -> int:
        self._disk.call("write")
        return int(self._file.write(data))

    def read(self, *size: int) -> bytes:
        self._disk.call("read")
        return bytes(self._file.read(*size))

    def close(self) -> None:
        if not self._file.closed:
            self._file.close()  # a close that fails has closed
            self._disk.call("close file")


class Disk:
    """Counts calls and fails at one of them.

    Attributes:
        calls: Names of the calls so far.
        fails: Which call fails: its number, or its name for the first of that name;
            None to count alone.
        error: Number of the error it fails with.
        again: Whether every later call that writes fails, too, as on a full disk.
    """

    def __init__(self, fails: int | str | None, error: int, *, again: bool) -> None:
        self.calls: list[str] = []
        self.fails, self.error, self.again = fails, error, again

    def call(self, name: str) -> None:
        """Count a call, or fail."""
        self.calls.append(name)
        n = len(self.calls) - 1
        if self.fails == name:
            self.fails = n
        fails = self.fails
        if not isinstance(fails, int):
            return
        if n == fails or (n > fails and self.again and name == "write"):
            raise OSError(self.error, os.strerror(self.error))


@contextmanager
def failing_disk(
    fails: int | str | None = None, *, error: int = errno.ENOSPC, again: bool = False
) -> Iterator[Disk]:
    """Make one call of open, read, write, fsync, replace, close ... fail.

    Modules that are imported meanwhile are read through the same calls: where a count
    is taken to choose a later call by its number, everything is done once before.
    """
    disk = Disk(fails, error, again=again)
    plain_open = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **more: Any) -> Any:
        if isinstance(file, int) or "b" not in mode:
            return plain_open(file, mode, *args, **more)
        disk.call(f"open {mode}")
        return _File(plain_open(file, mode, *args, **more), disk)

    def counted(name: str) -> Any:
        plain = getattr(os, name)

        def call(*args: Any, **more: Any) -> Any:
            if name == "close":
                plain(*args, **more)
            disk.call(name)
            return None if name == "close" else plain(*args, **more)

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in _CALLS:
            patch.setattr(os, name, counted(name))
        patch.setattr(io, "open", opened)
        yield disk
