"""Files that belong together: all new, or all as they were."""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from capnet.errors import StorageError

__all__ = ["explained", "rename_together", "replacing_together"]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the disk refuses while a record is written into an error that helps.

    Args:
        path: What is written.

    Raises:
        StorageError: For any `OSError`.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        msg = (
            f"{path} could not be written: {error.strerror or type(error).__name__}. "
            "What stood there before is as it was. Make room, or choose another folder."
        )
        raise StorageError(msg) from error


def rename_together(
    parts: Sequence[Path], paths: Sequence[Path], *, without: Sequence[Path] = ()
) -> None:
    """Give finished files their names, so that all are new or all as they were.

    Everything is on the disk before the first gets its name. They get their names in
    the order given: the last should be the one that the others are found by. If a name
    is refused, the old files come back. If the process is killed just then, new files
    may stand beside old ones; hashes or checksums in the last must tell.

    Args:
        parts: Files that were written.
        paths: Their names, in the same folder.
        without: Files of the same folder that are no more, where they are.

    Raises:
        OSError: If the disk is full or refuses; the parts are left to the caller.
    """
    for part in parts:
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.chmod(0o666 & ~_mask())
    everything = [*paths, *without]
    old = {path: _free_name(path) for path in everything if path.exists()}
    try:
        for path, kept in old.items():
            os.link(path, kept)
        for part, path in zip(parts, paths, strict=True):
            part.replace(path)
        for path in without:
            path.unlink(missing_ok=True)
    except BaseException:
        for path in everything:
            with suppress(OSError):
                if path not in old:
                    path.unlink(missing_ok=True)
                elif old[path].exists():
                    old[path].replace(path)
        raise
    finally:
        for kept in old.values():
            with suppress(OSError):
                kept.unlink(missing_ok=True)


@contextmanager
def replacing_together(paths: Sequence[Path]) -> Iterator[list[Path]]:
    """Give places to write to, which become the files when all went well.

    Args:
        paths: Files of one folder, which is made when missing. See `rename_together`.

    Yields:
        Paths of empty files in the same folder, one each. If writing one fails,
        nothing is left of them and the old files stay.

    Raises:
        StorageError: If the disk is full or refuses.
    """
    parts: list[Path] = []
    with explained(paths[-1]):
        try:
            paths[-1].parent.mkdir(parents=True, exist_ok=True)
            for path in paths:
                handle, name = tempfile.mkstemp(
                    dir=path.parent, prefix=f".{path.name}."
                )
                os.close(handle)
                parts.append(Path(name))
            yield parts
            rename_together(parts, paths)
        finally:
            for part in parts:
                with suppress(OSError):
                    part.unlink(missing_ok=True)


def _free_name(path: Path) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.old.")
    os.close(handle)
    Path(name).unlink()
    return Path(name)


def _mask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
