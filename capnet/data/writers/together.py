"""Files that belong together: the old ones or the new ones are whole.

One file of a record, its index, names the others: the header of WFDB, the sidecar of
tables. The others get names that nobody has, so that a process that is killed at any
moment leaves an index with all that it names.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count, islice
from pathlib import Path

from capnet.files import explained, settle

__all__ = ["free_names", "rename_together", "replacing_together"]


def free_names(begin: Path, suffix: str, many: int) -> list[Path]:
    """Return names that no file has, with the lowest numbers from 2 on.

    Args:
        begin: What they begin with.
        suffix: What they end with, after the number.
        many: How many.
    """
    names = (begin.with_name(f"{begin.name}{n}{suffix}") for n in count(2))
    return [*islice((name for name in names if not name.exists()), many)]


def rename_together(steps: Sequence[tuple[Path | None, Path]]) -> None:
    """Give finished files their names, one after another.

    Everything is on the disk before the first gets its name. If one is refused, the old
    files come back.

    Args:
        steps: A file that was written and its name in the same folder; None for a file
            that is to be no more. In this order: files with new names, the index that
            names them, what is found by its own name.

    Raises:
        OSError: If the disk is full or refuses; the files written are left to the
            caller.
    """
    for part, _ in steps:
        if part is not None:
            settle(part)
    paths = {path for _, path in steps}
    old: dict[Path, Path] = {}
    try:
        for path in paths:
            if path.exists():
                kept = _place(path)
                kept.unlink()
                os.link(path, kept)
                old[path] = kept
        try:
            for part, path in steps:
                if part is None:
                    path.unlink(missing_ok=True)
                else:
                    part.replace(path)
        except BaseException:
            for path in paths:
                with suppress(OSError):
                    if path in old:
                        old[path].replace(path)
                    else:
                        path.unlink(missing_ok=True)
            raise
    finally:
        for kept in old.values():
            with suppress(OSError):
                kept.unlink(missing_ok=True)


@contextmanager
def replacing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give places to write to, which become the files when all went well.

    Args:
        paths: Files of one folder, which is made when missing, in the order of
            `rename_together`.

    Yields:
        Paths of empty files in the same folder, one each: hidden, and with the name of
        the file at their end. If writing one fails, nothing is left of them and the old
        files stay.

    Raises:
        StorageError: If the disk is full or refuses.
    """
    parts: list[Path] = []
    with explained(paths[-1]):
        try:
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            parts.extend(_place(path) for path in paths)
            yield parts
            rename_together([*zip(parts, paths, strict=True)])
        finally:
            for part in parts:
                with suppress(OSError):
                    part.unlink(missing_ok=True)


def _place(path: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=f".{path.name}")
    os.close(handle)
    return Path(name)
