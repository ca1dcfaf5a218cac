"""MATLAB 5 files, read as a stream: only what is asked for is ever held.

The format is that of "MAT-File Format" (The MathWorks, R2019b), level 5: elements with
a tag of type and size, arrays within them nested, and at the top compressed or not. A
file of gigabytes is one array, so a reader of whole variables needs all of it in
memory; this one skips.
"""

import struct
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final, NoReturn

import numpy as np
from jaxtyping import Float

from capnet.errors import RecordError

__all__ = ["Numbers", "read_mat"]

Numbers = Float[np.ndarray, " _"]
"""All numbers of an array, column by column."""

_MATRIX, _COMPRESSED = 14, 15
_CELL, _STRUCT, _NUMERIC = 1, 2, range(6, 16)
_COMPLEX: Final = 0x0800
_TYPES: Final = {
    1: "i1",
    2: "u1",
    3: "i2",
    4: "u2",
    5: "i4",
    6: "u4",
    7: "f4",
    9: "f8",
    12: "i8",
    13: "u8",
}
_CHUNK: Final = 1 << 16
_LARGEST_FILE: Final = 1 << 33
"""Bytes, after decompression: what is larger is no such file."""
_MOST_NUMBERS: Final = 1_000_000
_MOST_CELLS: Final = 100_000
_MOST_FIELDS: Final = 10_000


def read_mat(
    path: Path,
    wanted: Collection[str],
    receive: Callable[[str, list[Numbers]], None],
) -> None:
    """Read some arrays of a MATLAB 5 file and check the sum of all of it.

    Args:
        path: The file.
        wanted: Where they are, such as ``data.waves.P_Radial``: fields of structures
            that have one element each.
        receive: Called with each place and its numbers: one entry for an array of
            numbers, one entry a cell for a cell array of them.

    Raises:
        RecordError: If the file is missing, damaged, of another format or too large,
            or what was asked for is neither numbers nor cells of them.
    """
    try:
        with path.open("rb") as file:
            _read_file(_Source(file, path), frozenset(wanted), receive)
    except (OSError, zlib.error, struct.error, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read ({error}). Fetch it again."
        raise RecordError(msg) from error


@dataclass
class _Source:
    """Bytes of a file one after the other, decompressed where they have to be.

    Attributes:
        file, path: Where they come from.
        position: How many were taken, for messages and lengths.
        buffer, used: Bytes at hand, and how many of them were taken.
        coded: Compressed bytes that have not been read yet.
        inflate: Decompresses; None where nothing is compressed.
    """

    file: BinaryIO
    path: Path
    position: int = 0
    buffer: bytes = b""
    used: int = 0
    coded: int = 0
    inflate: "zlib._Decompress | None" = field(default=None)

    def refuse(self, what: str) -> NoReturn:
        """Raise an error that says where."""
        msg = f"{self.path}, byte {self.position}: {what}. Fetch the file again."
        raise RecordError(msg)

    @property
    def rest(self) -> bytes:
        """Bytes at hand that were not taken."""
        return self.buffer[self.used :]

    def take(self, count: int) -> bytes:
        """Return the next bytes, exactly as many."""
        self.position += count
        if self.position > _LARGEST_FILE:
            self.refuse(f"more than {_LARGEST_FILE} bytes")
        end = self.used + count
        if end <= len(self.buffer):
            part, self.used = self.buffer[self.used : end], end
            return part
        parts = [self.rest]
        left = count - len(parts[0])
        while left:
            self._fill()
            self.used = min(left, len(self.buffer))
            parts.append(self.buffer[: self.used])
            left -= self.used
        return b"".join(parts)

    def skip(self, count: int) -> None:
        """Leave out the next bytes."""
        while count > 0:
            part = min(count, _CHUNK)
            self.take(part)
            count -= part

    def _fill(self) -> None:
        """Have some bytes at hand in place of those taken."""
        inflate = self.inflate
        if inflate is None:
            self.buffer = self.file.read(_CHUNK)
        else:
            self.buffer = b""
            while not self.buffer and not inflate.eof:
                raw = self.compressed()
                if not raw:
                    break
                self.buffer = inflate.decompress(raw, _CHUNK)
        if not self.buffer:
            self.refuse("the file ends here, in the middle of something")

    def compressed(self) -> bytes:
        """Return compressed bytes that come next; none at the end."""
        if self.inflate is not None and self.inflate.unconsumed_tail:
            return self.inflate.unconsumed_tail
        raw = self.file.read(min(_CHUNK, self.coded))
        self.coded -= len(raw)
        return raw


def _read_file(
    source: _Source,
    wanted: frozenset[str],
    receive: Callable[[str, list[Numbers]], None],
) -> None:
    header = source.take(128)
    if not header.startswith(b"MATLAB 5.0 MAT-file") or header[124:] != b"\x00\x01IM":
        found = (
            "HDF5, MATLAB 7.3" if b"MATLAB 7.3" in header[:24] else repr(header[:24])
        )
        msg = f"{source.path} begins with {found}; wanted a MATLAB 5 file."
        raise RecordError(msg)
    while tag := source.take(8) if source.rest else source.file.read(8):
        kind, size = struct.unpack("<II", tag)
        if kind == _COMPRESSED:
            _inflated(source, size, wanted, receive)
        elif kind == _MATRIX:
            _array(source, size, "", wanted, receive)
        else:
            source.refuse(f"an element of type {kind}; wanted an array")


def _inflated(
    source: _Source,
    size: int,
    wanted: frozenset[str],
    receive: Callable[[str, list[Numbers]], None],
) -> None:
    """Read one compressed array to its end, so that its check sum is checked."""
    hand = source.rest
    inside = _Source(source.file, source.path, source.position)
    inside.inflate = inflate = zlib.decompressobj()
    inside.coded = size - len(hand[:size])
    inside.buffer = inflate.decompress(hand[:size], _CHUNK)
    source.buffer, source.used = hand[size:], 0
    kind, length = struct.unpack("<II", inside.take(8))
    if kind != _MATRIX:
        inside.refuse(f"an element of type {kind}; wanted an array")
    _array(inside, length, "", wanted, receive)
    if inside.rest:
        inside.refuse("more bytes than the array has")
    while not inflate.eof:
        raw = inside.compressed()
        if not raw or inflate.decompress(raw, _CHUNK):
            inside.refuse("the check sum is missing, or more bytes than the array has")
    if inside.coded or inflate.unused_data:
        inside.refuse("more bytes than the compressed array has")


def _element(source: _Source) -> tuple[int, bytes]:
    """Return type and bytes of a small element."""
    word, size = struct.unpack("<II", source.take(8))
    if word >> 16:  # type, size and data in eight bytes
        kind, count = word & 0xFFFF, word >> 16
        if count > 4:
            source.refuse(f"a short element of {count} bytes")
        return kind, struct.pack("<I", size)[:count]
    if size > 8 * _MOST_NUMBERS:
        source.refuse(f"an element of {size} bytes")
    data = source.take(size)
    source.skip(-size % 8)
    return word, data


def _values(source: _Source) -> np.ndarray:
    kind, data = _element(source)
    if kind not in _TYPES or len(data) % np.dtype(_TYPES[kind]).itemsize:
        source.refuse(f"{len(data)} bytes of type {kind}; wanted numbers")
    return np.frombuffer(data, dtype="<" + _TYPES[kind])


def _word(source: _Source) -> str:
    kind, data = _element(source)
    if kind not in (1, 2, 16):
        source.refuse(f"a name of type {kind}")
    return data.decode("ascii")


def _array(
    source: _Source,
    size: int,
    place: str,
    wanted: frozenset[str],
    receive: Callable[[str, list[Numbers]], None],
) -> None:
    """Read an array, its name included; ``place`` is where it is in its parents."""
    end = source.position + size
    inside = place == "" or any(w == place or w.startswith(place + ".") for w in wanted)
    if size and inside:
        kind, cells, name = _head(source)
        place = place or name
        if place in wanted:
            receive(place, _contents(source, kind, cells, place))
        elif kind == _STRUCT and any(w.startswith(place + ".") for w in wanted):
            for part in _fields(source, cells, place):
                _array(source, _size(source), f"{place}.{part}", wanted, receive)
    if source.position > end:
        source.refuse(f"{place or 'an array'} is longer than it says")
    source.skip(end - source.position)


def _head(source: _Source) -> tuple[int, int, str]:
    """Return class, number of elements and name of an array."""
    flags, shape = _values(source), _values(source)
    if (
        len(flags) != 2
        or not 2 <= len(shape) <= 32
        or (shape.astype(np.int64) < 0).any()
    ):
        source.refuse("an array without class or shape")
    kind = int(flags[0]) & 0xFF
    if kind in _NUMERIC and int(flags[0]) & _COMPLEX:
        source.refuse("complex numbers")
    cells = 1
    for length in shape.tolist():
        cells *= int(length)
    return kind, cells, _word(source)


def _size(source: _Source) -> int:
    kind, size = struct.unpack("<II", source.take(8))
    if kind != _MATRIX:
        source.refuse(f"an element of type {kind}; wanted an array")
    return int(size)


def _fields(source: _Source, cells: int, place: str) -> list[str]:
    """Return the names of the fields of a structure."""
    length, names = _values(source), _element(source)[1]
    width = int(length[0]) if len(length) == 1 else 0
    if cells != 1 or width < 1 or len(names) % width:
        source.refuse(f"{place} has {cells} elements; wanted one structure")
    if len(names) // width > _MOST_FIELDS:
        source.refuse(f"{place} has {len(names) // width} fields")
    words = [names[i : i + width] for i in range(0, len(names), width)]
    return [word.split(b"\0")[0].decode("ascii") for word in words]


def _contents(source: _Source, kind: int, cells: int, place: str) -> list[Numbers]:
    if kind in _NUMERIC:
        return [_numbers(source, cells, place)]
    if kind != _CELL:
        source.refuse(f"{place} is of class {kind}; wanted numbers or cells")
    if cells > _MOST_CELLS:
        source.refuse(f"{place} has {cells} cells; wanted up to {_MOST_CELLS}")
    answer = []
    for i in range(cells):
        size, where = _size(source), f"{place}{{{i + 1}}}"
        end = source.position + size
        if not size:
            answer.append(np.zeros(0))
            continue
        inner, count, _ = _head(source)
        if inner not in _NUMERIC:
            source.refuse(f"{where} is of class {inner}; wanted numbers")
        answer.append(_numbers(source, count, where))
        if source.position != end:
            source.refuse(f"{where} is not as long as it says")
    return answer


def _numbers(source: _Source, count: int, place: str) -> Numbers:
    values = _values(source)
    if count > _MOST_NUMBERS or len(values) != count:
        source.refuse(f"{place} has {len(values)} numbers; wanted {count}")
    return values.astype(np.float64)
