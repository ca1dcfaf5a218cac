"""How WFDB stores samples, and that a file holds as many as its header declares.

Storage formats as the manual page signal(5) of the WFDB Applications Guide has them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from capnet.data.readers.wfdb_header import SignalLine
from capnet.errors import RecordError

__all__ = ["STORAGE", "Storage", "bytes_of", "check_size"]


class Storage(NamedTuple):
    """How samples lie in a file.

    Attributes:
        bits: Of a sample.
        samples: In a group of bytes that is decoded together.
        size: Of that group, bytes.
        missing: What stands for a missing sample; None where nothing does.
    """

    bits: int
    samples: int
    size: int
    missing: int | None


def _plain(bits: int) -> Storage:
    return Storage(bits, 1, bits // 8, -(1 << (bits - 1)))


STORAGE: Final = {
    "8": Storage(32, 1, 1, None),  # differences: their sums have any size
    "16": _plain(16),
    "24": _plain(24),
    "32": _plain(32),
    "80": _plain(8),
    "160": _plain(16),
    "212": Storage(12, 2, 3, -(1 << 11)),
    "310": Storage(10, 3, 4, -(1 << 9)),
    "311": Storage(10, 3, 4, -(1 << 9)),
    "508": _plain(8),
    "516": _plain(16),
    "524": _plain(24),
}
"""Storage formats by their number. Of those of signal(5), 61 is missing: the wfdb
package cannot decode its big-endian samples."""

_FLAC: Final = ("508", "516", "524")
"""Formats that are compressed."""

_FREE: Final = 1 << 23
"""Samples that a compressed file may hold however small it is ..."""
_PACKED: Final = 64
"""... and those for each of its bytes: recorded noise is not packed as tightly."""


def bytes_of(samples: int, form: str) -> tuple[int, int]:
    """Return the least and the largest number of bytes that hold samples.

    A last group that is not full may be cut where its last sample ends, or filled up.
    """
    storage = STORAGE[form]
    groups, rest = divmod(samples, storage.samples)
    whole = groups * storage.size
    if not rest:
        return whole, whole
    # signal(5): bytes that hold the first one or two samples of a group.
    least = {"212": (2,), "310": (2, 4), "311": (2, 3)}[form][rest - 1]
    return whole + least, whole + storage.size


def _flac_length(path: Path, form: str, *, n_signals: int, where: str) -> int:
    """Return the samples a signal that a FLAC stream declares in its first block."""
    with path.open("rb") as stream:
        block = stream.read(42)
    if len(block) < 42 or block[:4] != b"fLaC" or block[4] & 0x7F != 0:
        msg = f"{where}: {path.name} is no FLAC stream, as format {form} wants."
        raise RecordError(msg)
    packed = int.from_bytes(block[18:26], "big")
    channels, bits = (packed >> 41 & 0x7) + 1, (packed >> 36 & 0x1F) + 1
    wanted = STORAGE[form].bits
    if channels != n_signals or bits != wanted:
        msg = (
            f"{where}: {path.name} holds {channels} channels of {bits} bits; "
            f"{n_signals} of {wanted} are declared."
        )
        raise RecordError(msg)
    return packed & ((1 << 36) - 1)


def check_size(
    path: Path, lines: Sequence[SignalLine], *, length: int, where: str
) -> None:
    """Compare what a header declares with one file's size.

    Args:
        path: The file.
        lines: Its signals.
        length: Frames.
        where: Names the header, for messages.

    Raises:
        RecordError: If its format is unknown, or it is longer or shorter.
    """
    first = lines[0]
    for line in lines:
        if line.format not in STORAGE:
            known = ", ".join(STORAGE)
            msg = f"{where}: storage format {line.format!r}; wanted one of {known}."
            raise RecordError(msg)
        if line.format == "8" and line.first is None:
            msg = (
                f"{where}, channel {line.name!r}: format 8 stores differences, and "
                "the header has no first sample. Add it."
            )
            raise RecordError(msg)
    if len({(line.format, line.offset) for line in lines}) > 1:
        msg = f"{where}: signals of {path.name} differ in format or offset."
        raise RecordError(msg)
    size = path.stat().st_size
    if first.format in _FLAC:
        if len({line.per_frame for line in lines}) > 1:
            msg = f"{where}: signals of {path.name} differ in samples a frame."
            raise RecordError(msg)
        # signal(5): of compressed files the offset counts samples.
        found = _flac_length(path, first.format, n_signals=len(lines), where=where)
        found -= first.offset
        least = largest = length * first.per_frame
        what = "samples a signal"
        if least * len(lines) > _FREE + _PACKED * size:
            msg = (
                f"{where}: {path.name} declares {least} samples a signal in {size} "
                "bytes, more than can be packed so. The file or header is damaged."
            )
            raise RecordError(msg)
    else:
        samples = length * sum(line.per_frame for line in lines)
        least, largest = bytes_of(samples, first.format)
        found, what = size - first.offset, "bytes"
    if not least <= found <= largest:
        msg = (
            f"{where}: {path.name} holds {found} {what}; the header declares {least}. "
            "The file is cut or does not belong to this header."
        )
        raise RecordError(msg)
