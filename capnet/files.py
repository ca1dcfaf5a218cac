"""Files that are written whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["replacing", "write_atomic"]


def _umask() -> int:
    """Return the permissions that new files do not get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes the file when all went well.

    Args:
        path: Its folder is made when missing.

    Yields:
        Path of an empty file in the same folder. If writing it fails, nothing is left
        of it and the old file stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_atomic(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old one or the new one, never half.

    Args:
        path: Its folder is made when missing.
        content: All of the file.

    Returns:
        The path.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path
