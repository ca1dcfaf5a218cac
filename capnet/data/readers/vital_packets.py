"""The packets of a .vital file, read strictly.

A .vital file (VitalRecorder; https://vitaldb.net/docs, "Vital File Format") is one gzip
stream: a header, and packets of a kind, a length and a content. Packets of kind 0
declare a track, of kind 1 hold its samples at a time. Nothing says how many there are.

The vitaldb package (1.7.2) does not take its place: of a file that is cut it returns
what it had (496 of 750 samples of one that was tried) as if that were all, it prints
where a checksum is wrong, and it loses every wave of 32-bit integers, which it takes
for 64.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

from capnet.data.readers.disk import open_gzip
from capnet.errors import RecordError

__all__ = ["Packet", "Track", "read_packets"]

WAVE, NUMBER, TEXT = 1, 2, 5
"""Kinds of a track."""

_FORMS: Final[Mapping[int, str]] = {
    1: "<f4",
    2: "<f8",
    3: "<i1",
    4: "<u1",
    5: "<i2",
    6: "<u2",
    7: "<i4",
    8: "<u4",
}
"""How a track stores its samples."""

_TRACK, _RECORD, _COMMAND, _DEVICE, _RAW = 0, 1, 6, 9, 10
_LONGEST_PACKET: Final = 1_000_000
"""Bytes, but for files that were packed afterwards: those hold a track in one."""
_LEAST_ROOM: Final = 1 << 25
_ROOM: Final = 20
"""Bytes that a file may unfold to: so many, and as many times its own."""
_LEAST_PACKETS: Final = 100_000
_PACKET: Final = 8
"""Packets that a file may have: so many, and one for so many of its own bytes. A packet
of a monitor has 16 or more, those of demonstrations too, which repeat themselves."""
_MOST_TRACKS: Final = 4096
_LONGEST_NAME: Final = 64
_LATEST: Final = 1e11
"""s since 1970; a later time is none."""


@dataclass(frozen=True)
class Packet:
    """Samples of a track, as stored, and when the first was taken (s since 1970)."""

    time: float
    values: np.ndarray


@dataclass
class Track:
    """One track.

    Attributes:
        name: Its own.
        device: Name of its device; empty when it has none.
        kind: `WAVE`, `NUMBER` or `TEXT`.
        form: A key of the storage formats.
        unit: Empty when none is declared.
        rate: Hz; NaN when not declared, as the next two.
        gain: Units in one step, for whole numbers.
        offset: Value of 0.
        packets: In the order of the file.
    """

    name: str
    device: str
    kind: int
    form: int
    unit: str
    rate: float
    gain: float
    offset: float
    packets: list[Packet] = field(default_factory=list)

    def same(self, other: "Track") -> bool:
        """Say whether another declaration says the same."""
        words = ("name", "kind", "form", "unit", "rate", "gain", "offset")
        return all(repr(getattr(self, w)) == repr(getattr(other, w)) for w in words)


class _Short(Exception):  # noqa: N818 - becomes a RecordError
    """A packet ends before what it should hold."""


class _Content:
    """Bytes that are taken from the front."""

    def __init__(self, content: bytes) -> None:
        self._content, self._at = content, 0

    def take(self, form: str) -> tuple[float, ...]:
        size = struct.calcsize(form)
        if self.left() < size:
            raise _Short
        self._at += size
        return struct.unpack_from(form, self._content, self._at - size)

    def number(self, form: str) -> float:
        return self.take("<" + form)[0]

    def whole(self, form: str) -> int:
        return int(self.take("<" + form)[0])

    def optional(self, form: str) -> float:
        return self.number(form) if self.left() else float("nan")

    def text(self) -> str:
        length = self.whole("L")
        if length > self.left():
            raise _Short
        self._at += length
        return self._content[self._at - length : self._at].decode("utf-8")

    def skip_to(self, at: int) -> None:
        if not self._at <= at <= len(self._content):
            raise _Short
        self._at = at

    def rest(self) -> bytes:
        return self._content[self._at :]

    def left(self) -> int:
        return len(self._content) - self._at


class _Stream:
    """A gzip stream that is read in order, up to a limit."""

    def __init__(self, file: gzip.GzipFile, most: int, where: str) -> None:
        self._file, self._left, self._where = file, most, where

    def read(self, count: int) -> bytes:
        """Return so many bytes; none at the end of the stream."""
        if count > self._left:
            msg = (
                f"{self._where} unfolds to far more than its size, or declares it. "
                "The file is damaged; fetch it again."
            )
            raise RecordError(msg)
        content = self._file.read(count)
        self._left -= len(content)
        if content and len(content) < count:
            raise EOFError
        return content


def read_packets(path: Path, *, where: str) -> list[Track]:
    """Read all tracks of a file with their packets.

    Nothing is held of texts, of devices but their names, and of packets whose kind
    carries no samples.

    Args:
        path: The file.
        where: Its name, for messages.

    Raises:
        RecordError: If the file cannot be read, its checksum or a length is wrong, or a
            packet does not mean anything.
    """
    number = 0
    tracks: dict[int, Track] = {}
    devices: dict[int, str] = {}
    try:
        size = path.stat().st_size
        with open_gzip(path) as file:
            stream = _Stream(file, _LEAST_ROOM + _ROOM * size, where)
            packed = _header(stream, where=where)
            for number, kind, content in _packets(stream, packed=packed, where=where):
                if number > _LEAST_PACKETS + size // _PACKET:
                    msg = f"{where} has far more packets than its size allows."
                    raise RecordError(msg)
                if kind == _TRACK:
                    _declare(_Content(content), tracks, devices, number, where=where)
                elif kind == _RECORD:
                    _record(_Content(content), tracks, number, packed, where=where)
                elif kind == _DEVICE:
                    _device(_Content(content), devices)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        msg = (
            f"{where} is no whole gzip file ({type(error).__name__} after packet "
            f"{number}): it is cut, or its checksum is wrong. Fetch it again."
        )
        raise RecordError(msg) from error
    except (_Short, UnicodeDecodeError) as error:
        msg = f"{where}: packet {number} is too short or no text. The file is damaged."
        raise RecordError(msg) from error
    except OSError as error:
        msg = f"{where} cannot be read ({error.strerror}). Look whether it is there."
        raise RecordError(msg) from error
    return list(tracks.values())


def _header(stream: _Stream, *, where: str) -> bool:
    """Read the header; say whether the file was packed afterwards."""
    start = stream.read(10)
    if start[:4] != b"VITA" or len(start) < 10:
        msg = f"{where} is no .vital file; wanted 'VITA' at its start."
        raise RecordError(msg)
    version, length = struct.unpack("<LH", start[4:])
    if version != 3 or not 10 <= length <= 4096:
        msg = (
            f"{where} has version {version} and a header of {length} bytes; wanted "
            "version 3 and at least 10 bytes."
        )
        raise RecordError(msg)
    head = stream.read(length)
    if len(head) < length:
        raise EOFError
    return length >= 27 and head[26] == 1


def _packets(
    stream: _Stream, *, packed: bool, where: str
) -> Iterator[tuple[int, int, bytes]]:
    """Yield number, kind and content of each packet."""
    number = 0
    while head := stream.read(5):
        number += 1
        kind, length = struct.unpack("<BL", head)
        known = kind in (_TRACK, _RECORD, _COMMAND, _DEVICE, _RAW)
        if not known or (length > _LONGEST_PACKET and not packed):
            msg = (
                f"{where}: packet {number} is of kind {kind} and has {length} bytes; "
                f"wanted kind 0, 1, 6, 9 or 10 and at most {_LONGEST_PACKET} bytes. "
                "The file is damaged."
            )
            raise RecordError(msg)
        content = stream.read(length)
        if len(content) < length:
            raise EOFError
        yield number, kind, content


def _device(content: _Content, devices: dict[int, str]) -> None:
    number, kind = content.whole("L"), content.text()
    devices[number] = content.text() or kind


def _declare(
    content: _Content,
    tracks: dict[int, Track],
    devices: Mapping[int, str],
    number: int,
    *,
    where: str,
) -> None:
    """Read the declaration of a track; from the unit on it may end anywhere."""
    at, kind, form = (int(v) for v in content.take("<HBB"))
    name = content.text()
    unit = content.text() if content.left() else ""
    for width in ("f", "f", "L"):  # displayed range and colour
        content.optional(width)
    rate, gain, offset = (content.optional(width) for width in ("f", "d", "d"))
    content.optional("B")
    device = content.whole("L") if content.left() else 0
    track = Track(name, devices.get(device, ""), kind, form, unit, rate, gain, offset)
    plain = name.isprintable() and unit.isprintable()
    if not (plain and 0 < len(name) <= _LONGEST_NAME and len(unit) <= _LONGEST_NAME):
        msg = f"{where}: packet {number} names a track or its unit by no plain word."
        raise RecordError(msg)
    stored = form in _FORMS or kind == TEXT
    known = kind in (WAVE, NUMBER, TEXT)
    again = at in tracks and not tracks[at].same(track)
    if again or not (known and stored) or len(tracks) >= _MOST_TRACKS:
        reason = "is declared twice" if again else f"is of kind {kind}, format {form}"
        msg = (
            f"{where}: track {name!r} {reason}; wanted each track once, kind 1, 2 or "
            "5, format 1 to 8. The file is damaged."
        )
        raise RecordError(msg)
    tracks.setdefault(at, track)


def _record(
    content: _Content,
    tracks: Mapping[int, Track],
    number: int,
    packed: bool,
    *,
    where: str,
) -> None:
    """Read samples or a number; texts are passed over."""
    length = content.whole("H")
    time, at = content.number("d"), content.whole("H")
    content.skip_to(2 + length)
    track = tracks.get(at)
    if track is None:
        msg = f"{where}: packet {number} is of track {at}, which nothing declares."
        raise RecordError(msg)
    if not (isfinite(time) and 0.0 < time < _LATEST):
        msg = f"{where}: packet {number} (track {track.name!r}) has no possible time."
        raise RecordError(msg)
    if track.kind == TEXT:
        return
    form = np.dtype(_FORMS[track.form])
    count = content.whole("L") if track.kind == WAVE else 1
    if count * form.itemsize != content.left():
        msg = (
            f"{where}: packet {number} (track {track.name!r}) declares {count} samples "
            f"in {content.left()} bytes; wanted {form.itemsize} bytes for each. The "
            "file is damaged."
        )
        raise RecordError(msg)
    if not count:
        return
    values = np.frombuffer(content.rest(), form)
    if packed and form.kind in "iu":
        # Files packed afterwards fill gaps with the end of the range.
        info = np.iinfo(form)
        missing = values == (info.min if form.kind == "i" else info.max)
        if missing.any():
            values = np.where(missing, np.nan, values)
    track.packets.append(Packet(time, values))
