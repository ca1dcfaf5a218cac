"""Samples of a WFDB signal file, decoded block by block.

Storage formats as the manual page signal(5) of the WFDB Applications Guide has them.
FLAC streams are decoded by libsndfile. Whoever calls has compared sizes first.
"""

from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int, UInt8

from capnet.data.readers.wfdb_header import SignalLine
from capnet.errors import MissingExtraError, RecordError

__all__ = ["FLAC", "STORAGE", "Digital", "Storage", "blocks", "bytes_of", "flac_length"]

Digital = Int[np.ndarray, "time"]
"""Samples of one signal as the converter gave them."""

Bytes = UInt8[np.ndarray, "byte"]


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
    "61": _plain(16),
    "80": _plain(8),
    "160": _plain(16),
    "212": Storage(12, 2, 3, -(1 << 11)),
    "310": Storage(10, 3, 4, -(1 << 9)),
    "311": Storage(10, 3, 4, -(1 << 9)),
    "508": _plain(8),
    "516": _plain(16),
    "524": _plain(24),
}
"""Storage formats by their number."""

FLAC: Final = ("508", "516", "524")
"""Formats that are compressed."""

_ALIGNED: Final = 6
"""Frames: blocks of their multiples begin with a whole group in every format."""


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


def flac_length(path: Path, form: str, *, n_signals: int, where: str) -> int:
    """Return the samples a signal that a FLAC stream declares in its first block.

    Raises:
        RecordError: If it is no FLAC stream, or has other channels or bits.
    """
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


def _signed(values: np.ndarray, bits: int) -> np.ndarray:
    """Read the low bits of whole numbers as two's complement."""
    half = 1 << (bits - 1)
    return ((values & (2 * half - 1)) ^ half) - half


def _offset_80(raw: Bytes) -> Digital:
    return raw.astype(np.int16) - np.int16(128)


def _offset_160(raw: Bytes) -> Digital:
    return raw.view("<u2").astype(np.int32) - np.int32(32768)


def _three_bytes(raw: Bytes) -> Digital:
    group = raw.reshape(-1, 3).astype(np.int32)
    return _signed(group[:, 0] | group[:, 1] << 8 | group[:, 2] << 16, 24)


def _packed_212(raw: Bytes) -> Digital:
    group = raw.reshape(-1, 3)
    low, middle, high = (group[:, i].astype(np.int16) for i in range(3))
    samples = np.empty((len(group), 2), dtype=np.int16)
    samples[:, 0] = low | (middle & 0x0F) << 8
    samples[:, 1] = high | (middle & 0xF0) << 4
    return _signed(samples.reshape(-1), 12)


def _packed_310(raw: Bytes) -> Digital:
    pairs = raw.view("<u2").astype(np.int16).reshape(-1, 2)
    samples = np.empty((len(pairs), 3), dtype=np.int16)
    samples[:, :2] = pairs >> 1
    samples[:, 2] = pairs[:, 0] >> 11 & 0x1F | (pairs[:, 1] >> 11 & 0x1F) << 5
    return _signed(samples.reshape(-1), 10)


def _packed_311(raw: Bytes) -> Digital:
    words = raw.view("<u4").astype(np.int64)
    samples = np.stack([words, words >> 10, words >> 20], axis=1)
    return _signed(samples.reshape(-1), 10).astype(np.int16)


_DECODE: Final[dict[str, Callable[[Bytes], Digital]]] = {
    "8": lambda raw: raw.view("i1"),
    "16": lambda raw: raw.view("<i2"),
    "24": _three_bytes,
    "32": lambda raw: raw.view("<i4"),
    "61": lambda raw: raw.view(">i2"),
    "80": _offset_80,
    "160": _offset_160,
    "212": _packed_212,
    "310": _packed_310,
    "311": _packed_311,
}


def _raw_blocks(
    path: Path, lines: Sequence[SignalLine], *, length: int, step: int
) -> Iterator[np.ndarray]:
    """Yield samples of uncompressed files, shape (frame, sample of the frame)."""
    form, width = lines[0].format, sum(line.per_frame for line in lines)
    with path.open("rb", buffering=0) as file:
        file.seek(lines[0].offset)
        for begin in range(0, length, step):
            wanted = min(step, length - begin) * width
            least, largest = bytes_of(wanted, form)
            raw = np.zeros(largest, dtype=np.uint8)
            n_read = file.readinto(raw.data)
            if n_read is None or n_read < least:
                msg = f"{path.name} ends while it is read. Fetch it again."
                raise RecordError(msg)
            yield _DECODE[form](raw)[:wanted].reshape(-1, width)


def _flac_blocks(
    path: Path, lines: Sequence[SignalLine], *, length: int, step: int, where: str
) -> Iterator[list[np.ndarray]]:
    """Yield the samples of each signal of a compressed file."""
    try:
        soundfile = import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: without its C library
        what = f"reading WFDB format {lines[0].format}"
        raise MissingExtraError(what, "soundfile") from error
    per_frame, bits = lines[0].per_frame, STORAGE[lines[0].format].bits
    # libsndfile puts fewer bits at the top of wider words.
    dtype, shift = ("int16", 16 - bits) if bits <= 16 else ("int32", 32 - bits)
    try:
        with soundfile.SoundFile(path) as file:
            # signal(5): of compressed files the offset counts samples.
            file.seek(lines[0].offset)
            for begin in range(0, length, step):
                wanted = min(step, length - begin) * per_frame
                found = file.read(wanted, dtype=dtype, always_2d=True)
                if found.shape != (wanted, len(lines)):
                    msg = (
                        f"{where}: {path.name} holds {len(found)} samples where "
                        f"{wanted} are declared. It is cut; fetch it again."
                    )
                    raise RecordError(msg)
                yield [found[:, i] >> shift for i in range(len(lines))]
    except (soundfile.SoundFileError, RuntimeError, TypeError, ValueError) as error:
        msg = (
            f"{where}: {path.name} cannot be decoded ({type(error).__name__} of "
            "libsndfile). It is damaged; fetch it again."
        )
        raise RecordError(msg) from error


def blocks(
    path: Path, lines: Sequence[SignalLine], *, length: int, step: int, where: str
) -> Iterator[list[Digital]]:
    """Decode a signal file.

    Args:
        path: The file.
        lines: Its signals, of one format and offset.
        length: Frames.
        step: Frames of a block, a multiple of 6.
        where: Names the header, for messages.

    Yields:
        The samples of each signal in the next frames; fewer in the last block.

    Raises:
        RecordError: If the file ends early or cannot be decoded.
        MissingExtraError: If FLAC cannot be decoded here.
    """
    if step % _ALIGNED:
        msg = f"blocks of {step} frames; wanted a multiple of {_ALIGNED}."
        raise ValueError(msg)
    if lines[0].format in FLAC:
        yield from _flac_blocks(path, lines, length=length, step=step, where=where)
        return
    edges = np.cumsum([0, *(line.per_frame for line in lines)]).tolist()
    spans = list(pairwise(edges))
    # Differences (format 8) go on from the header's first sample.
    sums = [line.first or 0 for line in lines]
    for frames in _raw_blocks(path, lines, length=length, step=step):
        signals = [frames[:, low:high].reshape(-1) for low, high in spans]
        if lines[0].format == "8":
            signals = [
                np.cumsum(x, dtype=np.int64) + before
                for x, before in zip(signals, sums, strict=True)
            ]
            sums = [int(x[-1]) for x in signals]
        yield signals
