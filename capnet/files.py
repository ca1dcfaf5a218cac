"""Files that are written whole or not at all, that stay in their folder, and hashes."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Final

from capnet.errors import RecordError, StorageError

__all__ = [
    "confined",
    "explained",
    "replacing",
    "settle",
    "sha256_of",
    "write_atomic",
]

_BLOCK: Final = 1 << 20
"""Bytes that are hashed at once."""


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file's content in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def confined(folder: Path, name: str, *, where: str) -> Path:
    """Return the path of an existing file that lies inside a folder.

    Args:
        folder: The file may not lie outside, nor be reached through a link that leads
            outside.
        name: Relative path as a file or a table gives it, with ``/``.
        where: What names the file, for messages.

    Raises:
        RecordError: If the name is absolute, has ``..``, leads out, or there is no such
            plain file.
    """
    parts = PurePosixPath(name).parts
    plain = "\\" not in name and "\0" not in name and not PureWindowsPath(name).drive
    if not (parts and plain) or ".." in parts or PurePosixPath(name).is_absolute():
        msg = (
            f"{where}: the file {name[:80]!r} lies outside the folder; wanted a plain "
            "name inside it. Put the file there."
        )
        raise RecordError(msg)
    path = folder / name
    try:
        found = path.is_file()
        inside = path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError) as error:  # a name too long, links in a circle
        why = getattr(error, "strerror", None) or "links in a circle"
        msg = f"{where}: the file {name[:80]!r} cannot be reached ({why})."
        raise RecordError(msg) from error
    if not inside:
        msg = (
            f"{where}: {name[:80]!r} is a link out of the folder. Copy the file there."
        )
        raise RecordError(msg)
    if not found:
        msg = f"{where}: there is no file {name[:80]!r} in the folder. Put it there."
        raise RecordError(msg)
    return path


def _umask() -> int:
    """Return the permissions that new files do not get."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _why(path: Path, error: OSError) -> str:
    """Say what was not written, and the way out."""
    try:
        free = f"{shutil.disk_usage(path.parent).free / 1e6:.0f} MB"
    except OSError:
        free = "an unknown number of bytes"
    return (
        f"{path} could not be written: {error.strerror or error}. {free} are free "
        "there; what was there before is as it was. Make room, see to the "
        "permissions, or choose another folder."
    )


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn what the disk refuses while a file is written into an error that helps.

    Args:
        path: What is written.

    Raises:
        StorageError: For any `OSError`: names the file, the cause, the room that is
            left, the ways out.
    """
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise StorageError(_why(path, error)) from error


def settle(path: Path) -> None:
    """See a written file to the disk, with the permissions of any new file.

    Raises:
        OSError: If the disk refuses.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    path.chmod(0o666 & ~_umask())


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a place to write to, which becomes the file when all went well.

    Args:
        path: Its folder is made when missing.

    Yields:
        Path of an empty file in the same folder. If writing it fails, nothing is left
        of it and the old file stays.

    Raises:
        StorageError: If the system refuses to write: no room, no permission, a disk
            that fails.
    """
    temporary: Path | None = None
    with explained(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
            temporary = Path(name)
            os.close(handle)
            yield temporary
            settle(temporary)
            temporary.replace(path)
        except BaseException:
            if temporary is not None:
                with suppress(OSError):  # nothing half written on a disk that fails
                    temporary.unlink(missing_ok=True)
            raise


def write_atomic(path: Path, content: bytes) -> Path:
    """Write a file so that a reader sees the old one or the new one, never half.

    Args:
        path: Its folder is made when missing.
        content: All of the file.

    Returns:
        The path.

    Raises:
        StorageError: See `replacing`.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)
    return path
