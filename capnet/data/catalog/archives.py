"""Unpack an archive that somebody else made: whole or not at all, and nowhere else.

Every name, kind and size is looked at before a byte is written. Only plain files and
folders are taken: a link, a device, a name that leads out, two names that a disk may
take for one, or more than is plausible, and the whole archive is refused.
"""

import errno
import gzip
import io
import lzma
import os
import re
import shutil
import stat
import struct
import tarfile
import tempfile
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

from capnet.errors import CapnetError, RecordError, StorageError

__all__ = ["unpack"]

_BLOCK: Final = 1 << 20
_MOST: Final = 100_000
_RATIO: Final = 200
"""An archive may hold as many times its own size, and `_FREE` bytes more: numbers as
text pack to a fifth, while zeros pack to a thousandth."""
_FREE: Final = 1 << 24
_LONGEST: Final = 255
"""Bytes of one part of a name (POSIX NAME_MAX of the usual file systems)."""
_DEEPEST: Final = 32

_UNSAFE: Final = re.compile(r'[/\x00-\x1f\x7f<>:"|?*\\]')
_DEVICE: Final = re.compile(
    r"(con|prn|aux|nul|(com|lpt)[0-9¹²³])( *\..*)?", re.IGNORECASE
)
"""What Windows takes for a device, with any suffix."""

_FAULTS: Final = (
    *(OSError, EOFError, ValueError, RuntimeError, LookupError, OverflowError),
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, struct.error),
)


class _Member(NamedTuple):
    """A plain file, or a folder."""

    name: str
    size: int
    is_file: bool
    info: Any


class _Refused(Exception):  # noqa: N818
    """What is in the archive is not taken."""


class _Steps(io.RawIOBase):
    """A stream of which nobody takes more than a block: a header may ask for GB."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _BLOCK:
            msg = f"it asks for a header of {size} bytes"
            raise _Refused(msg)
        return bytes(self._inner.read(size))

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._inner.seek(offset, whence))

    def tell(self) -> int:
        return int(self._inner.tell())


def _zipped(archive: zipfile.ZipFile) -> Iterator[_Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        plain = kind in (0, stat.S_IFDIR if info.is_dir() else stat.S_IFREG)
        usual = info.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        # zipfile itself cuts a name at a zero byte.
        whole = info.orig_filename == info.filename
        if not (plain and usual and whole) or info.flag_bits & 1:
            msg = f"{info.filename[:80]!r} is a link, a device, encrypted or unusual"
            raise _Refused(msg)
        yield _Member(info.filename, info.file_size, not info.is_dir(), info)


def _taped(archive: tarfile.TarFile) -> Iterator[_Member]:
    for info in archive:
        if not (info.isreg() or info.isdir()) or info.issparse():
            msg = f"{info.name[:80]!r} is a link, a device or sparse"
            raise _Refused(msg)
        yield _Member(info.name, info.size, info.isreg(), info)


def _safe(part: str) -> bool:
    """Say whether a part of a name means the same on every system."""
    return (
        part not in ("", "..")
        and not _UNSAFE.search(part)
        and not _DEVICE.fullmatch(part)
        and part[-1] not in ". "
        and len(part.encode("utf-8", "replace")) <= _LONGEST
        and part.isprintable()
    )


def _checked(members: Iterator[_Member], limit: int) -> list[_Member]:
    """Return the members if all of them may be unpacked beside each other."""
    seen: dict[str, tuple[str, bool]] = {}
    taken, total = [], 0
    for number, member in enumerate(members, start=1):
        total += member.size
        if member.size < 0 or total > limit or number > _MOST:
            msg = (
                f"it declares {number} members or more of {total} bytes; wanted at "
                f"most {_MOST} of {limit}"
            )
            raise _Refused(msg)
        parts = PurePosixPath(member.name).parts
        if not parts and not member.is_file:
            continue  # the folder itself: "./"
        if not parts or len(parts) > _DEEPEST or not all(map(_safe, parts)):
            msg = f"{member.name[:80]!r} may lead out of the folder"
            raise _Refused(msg)
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            is_file = member.is_file and depth == len(parts)
            # Names that differ in case or in the form of an accent may be one file.
            alike = unicodedata.normalize("NFC", path).casefold()
            before = seen.get(alike)
            if before is None:
                seen[alike] = (path, is_file)
            elif is_file or before != (path, False):
                msg = f"{member.name[:80]!r} is there twice"
                raise _Refused(msg)
        taken.append(member._replace(name="/".join(parts)))
    return taken


@contextmanager
def _opened(
    archive: Path,
) -> Iterator[tuple[list[_Member], Callable[[Any], Any]]]:
    """Give the checked members of an archive, and what opens one of them."""
    limit = _FREE + _RATIO * archive.stat().st_size
    with archive.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head in (b"PK\3\4", b"PK\5\6"):
            with zipfile.ZipFile(file) as packed:
                yield _checked(_zipped(packed), limit), packed.open
            return
        inner: Any = gzip.GzipFile(fileobj=file) if head[:2] == b"\x1f\x8b" else file
        steps: Any = _Steps(inner)
        with tarfile.open(fileobj=steps, mode="r:") as tape:

            def open_(info: tarfile.TarInfo) -> Any:
                return tape.extractfile(info) or io.BytesIO()

            members = _checked(_taped(tape), limit)
            # tarfile takes a damaged header for the end, which is a block of zeros.
            steps.seek(tape.offset)
            rest = steps.read(_BLOCK)
            if len(rest) < tarfile.BLOCKSIZE or rest.strip(b"\0") or steps.read(1):
                msg = "it is cut, or something follows its end"
                raise _Refused(msg)
            yield members, open_


def _write(stream: Any, path: Path, size: int) -> None:
    """Write exactly what was declared.

    Raises:
        StorageError: If the disk refuses.
    """
    done = 0
    with _storing(path), path.open("xb") as file:
        while done <= size:
            try:
                block = stream.read(_BLOCK)
            except _FAULTS as error:
                raise _Refused(_why(error)) from error
            if not block:
                break
            done += len(block)
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    if done != size:
        msg = f"a member holds other than the {size} bytes that it declares"
        raise _Refused(msg)


def _why(error: BaseException) -> str:
    """Name a fault; its text may quote what is in the archive."""
    return f"it is damaged ({type(error).__name__})"


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        msg = (
            f"{path} cannot be written ({error.strerror or error}); nothing was "
            "unpacked. Make room, or name another folder."
        )
        raise StorageError(msg) from error


def _fill(archive: Path, home: Path) -> None:
    """Unpack into an empty folder.

    Raises:
        RecordError: If the archive is damaged or not taken.
    """
    try:
        with _opened(archive) as (members, open_):
            with _storing(home):
                needed = sum(member.size for member in members)
                if needed > shutil.disk_usage(home).free:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for member in members:
                path = home / member.name
                with _storing(path):
                    folder = path.parent if member.is_file else path
                    folder.mkdir(parents=True, exist_ok=True)
                if member.is_file:
                    with open_(member.info) as stream:
                        _write(stream, path, member.size)
    except CapnetError:
        raise
    except (_Refused, *_FAULTS) as error:
        why = str(error) if isinstance(error, _Refused) else _why(error)
        msg = (
            f"{archive} was not unpacked: {why}. Wanted a zip, tar or tar.gz of plain "
            "files and folders. Fetch it again, or unpack it by hand if you trust it."
        )
        raise RecordError(msg) from error


def unpack(archive: str | Path, folder: str | Path) -> Path:
    """Unpack a zip, tar or tar.gz into a new folder.

    Nothing is written before every member was checked: plain files and folders whose
    names stay inside on every system, none of them twice, at most 100,000, together at
    most 200 times as large as the archive. The folder appears when all is in it.

    Args:
        archive: The file; it stays as it is.
        folder: Must not exist; its parent is made when missing.

    Returns:
        The folder.

    Raises:
        RecordError: If the archive is damaged or holds what is not taken, or if the
            folder exists.
        StorageError: If it cannot be written.
    """
    archive, folder = Path(archive), Path(folder)
    if not archive.is_file():
        msg = f"{archive} is no file; wanted a zip, tar or tar.gz."
        raise RecordError(msg)
    if os.path.lexists(folder):
        msg = f"{folder} exists; wanted a new folder. Remove it, or name another one."
        raise RecordError(msg)
    with _storing(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        # Beside it, so that it can be renamed; mkdtemp lets nobody else in.
        place = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        home = place / "whole"
        home.mkdir()
        _fill(archive, home)
        with _storing(folder):
            home.rename(folder)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    return folder
