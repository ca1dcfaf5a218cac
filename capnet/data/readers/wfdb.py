"""The door of WFDB: PhysioNet records in, or one clear error.

The wfdb package decodes the samples; everything it believes is verified here first
(header, sizes, paths) or after (checksum, first sample). Of 24,561 damaged records
46 % were accepted by it with silently different content.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np
import wfdb

from capnet.data.readers.wfdb_header import (
    Header,
    SignalLine,
    parse_header,
)
from capnet.errors import RecordError, UnitError
from capnet.records import Record, Signal
from capnet.types import Samples
from capnet.units import pressure_factor

__all__ = ["read_wfdb"]

_BYTES: Final = {
    "8": 1.0,
    "16": 2.0,
    "24": 3.0,
    "32": 4.0,
    "61": 2.0,
    "80": 1.0,
    "160": 2.0,
    "212": 1.5,
    "310": 4.0 / 3.0,
    "311": 4.0 / 3.0,
}
"""Bytes a sample takes, by storage format."""

_FLAC_BITS: Final = {"508": 8, "516": 16, "524": 24}
"""Bits a sample takes in the compressed formats."""

_INVALID: Final = {
    "16": -(1 << 15),
    "24": -(1 << 23),
    "32": -(1 << 31),
    "61": -(1 << 15),
    "80": -(1 << 7),
    "160": -(1 << 15),
    "212": -(1 << 11),
    "310": -(1 << 9),
    "311": -(1 << 9),
    "508": -(1 << 7),
    "516": -(1 << 15),
    "524": -(1 << 23),
}
"""Digital value that stands for a missing sample; format 8 has none."""

_LARGEST_HEADER: Final = 1 << 20
"""Bytes; a longer header is no header."""

_LONGEST_GAP: Final = 1 << 26
"""Frames without samples in one record (6 days at 125 Hz). Gaps have no file whose
size would bound them."""


@dataclass(frozen=True)
class _Piece:
    """Samples of one channel within one plain record, in its unit.

    ``start`` is in seconds since the beginning of that record.
    """

    values: Samples
    rate: float
    unit: str
    start: float


def _header(folder: Path, name: str) -> Header:
    path = _inside(folder, f"{name}.hea", where=f"{name}.hea")
    if path.stat().st_size > _LARGEST_HEADER:
        msg = f"{path.name} has {path.stat().st_size} bytes; wanted a header in text."
        raise RecordError(msg)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path.name} is no text (byte {error.start}); wanted a WFDB header."
        raise RecordError(msg) from error
    return parse_header(text, where=path.name)


def _inside(folder: Path, name: str, *, where: str) -> Path:
    path = folder / name
    if not path.is_file():
        msg = (
            f"{where}: there is no file {name!r} in the record's folder. Put it there."
        )
        raise RecordError(msg)
    if not path.resolve().is_relative_to(folder.resolve()):
        msg = f"{where}: {name!r} is a link out of the record's folder. Copy the file."
        raise RecordError(msg)
    return path


def _flac_length(path: Path, line: SignalLine, *, n_signals: int, where: str) -> int:
    """Samples a channel that the stream declares in its first block (STREAMINFO)."""
    with path.open("rb") as stream:
        stream.seek(line.offset)
        block = stream.read(42)
    if len(block) < 42 or block[:4] != b"fLaC" or block[4] & 0x7F != 0:
        msg = f"{where}: {path.name} is no FLAC stream, as format {line.format} wants."
        raise RecordError(msg)
    packed = int.from_bytes(block[18:26], "big")
    channels, bits = (packed >> 41 & 0x7) + 1, (packed >> 36 & 0x1F) + 1
    if channels != n_signals or bits != _FLAC_BITS[line.format]:
        msg = (
            f"{where}: {path.name} holds {channels} channels of {bits} bits; "
            f"{n_signals} of {_FLAC_BITS[line.format]} are declared."
        )
        raise RecordError(msg)
    return packed & ((1 << 36) - 1)


def _check_size(
    folder: Path, lines: Sequence[SignalLine], *, length: int, where: str
) -> None:
    """Compare what a header declares with one file's size, before any allocation."""
    first = lines[0]
    path = _inside(folder, first.file, where=where)
    for line in lines:
        if line.format not in _BYTES and line.format not in _FLAC_BITS:
            known = ", ".join([*_BYTES, *_FLAC_BITS])
            msg = f"{where}: storage format {line.format!r}; wanted one of {known}."
            raise RecordError(msg)
    if len({(line.format, line.offset) for line in lines}) > 1:
        msg = f"{where}: signals of {path.name} differ in format or offset."
        raise RecordError(msg)
    per_frame = sum(line.per_frame for line in lines)
    if first.format in _FLAC_BITS:
        if len({line.per_frame for line in lines}) > 1:
            msg = f"{where}: signals of {path.name} differ in samples a frame."
            raise RecordError(msg)
        found = _flac_length(path, first, n_signals=len(lines), where=where)
        wanted, what = length * first.per_frame, "samples a signal"
    else:
        found = path.stat().st_size - first.offset
        wanted, what = (
            ceil(round(length * per_frame * _BYTES[first.format], 3)),
            "bytes",
        )
        # Packed formats may end in a filled-up block of up to 4 bytes.
        if first.format in {"212", "310", "311"} and wanted <= found < wanted + 4:
            return
    if found != wanted:
        msg = (
            f"{where}: {path.name} holds {found} {what}; the header declares {wanted}. "
            "The file is cut or does not belong to this header."
        )
        raise RecordError(msg)


def _digital(
    folder: Path, name: str, header: Header, *, where: str
) -> list[np.ndarray]:
    """Let wfdb decode the samples, and see that it has read the same header."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            record = wfdb.rdrecord(
                str(folder / name),
                physical=False,
                smooth_frames=False,
                ignore_skew=True,
                return_res=64,
            )
            signals = [np.asarray(x) for x in record.e_d_signal]
        except MemoryError:
            raise
        # wfdb and libsndfile raise whatever they stumble over, bare Exception too.
        except Exception as error:
            msg = f"{where}: the samples cannot be decoded ({error}). Fetch it again."
            raise RecordError(" ".join(msg.split())) from error
    wanted = [header.length * line.per_frame for line in header.signals]
    same = (
        record.fs == header.rate
        and [len(x) for x in signals] == wanted
        and list(record.samps_per_frame) == [s.per_frame for s in header.signals]
        and list(record.fmt) == [s.format for s in header.signals]
        and list(record.file_name) == [s.file for s in header.signals]
    )
    if not same:
        msg = f"{where}: the header can be read in two ways; write it in plain fields."
        raise RecordError(msg)
    return signals


def _verify(digital: np.ndarray, line: SignalLine, *, where: str) -> None:
    where = f"{where}, channel {line.name!r}"
    total = int(digital.sum(dtype=np.int64)) % 65536
    if line.checksum is not None and total != line.checksum % 65536:
        msg = (
            f"{where}: the samples sum to {total}, the header's checksum is "
            f"{line.checksum % 65536}. The file is damaged; fetch it again."
        )
        raise RecordError(msg)
    first = int(digital[0])
    # A first sample that is missing has no value that a header could declare.
    missing = first == _INVALID.get(line.format)
    if line.first is not None and first != line.first and not missing:
        msg = (
            f"{where}: sample 0 is {first}, the header says {line.first}. Fetch again."
        )
        raise RecordError(msg)


def _physical(digital: np.ndarray, line: SignalLine, *, rate: float) -> _Piece:
    values = (digital.astype(np.float64) - line.baseline) / line.gain
    if line.format in _INVALID:
        values[digital == _INVALID[line.format]] = np.nan
    unit = line.unit
    try:
        values *= pressure_factor(unit, where=line.name)
        unit = "mmHg"
    except UnitError:
        pass  # no pressure: kept as it is
    # header(5): a skewed signal was stored that many frames late.
    return _Piece(values, rate * line.per_frame, unit, -line.skew / rate)


def _plain(folder: Path, name: str, header: Header) -> dict[str, _Piece]:
    """Read a record in one piece; channels without a unit have an empty one."""
    where = f"{name}.hea"
    lines = [line for line in header.signals if line.file != "~"]
    if len(lines) < len(header.signals):
        msg = f"{where}: a signal has no file ('~'); wanted samples."
        raise RecordError(msg)
    for file in dict.fromkeys(line.file for line in lines):
        group = [line for line in lines if line.file == file]
        _check_size(folder, group, length=header.length, where=where)
    pieces: dict[str, _Piece] = {}
    digital = _digital(folder, name, header, where=where)
    for samples, line in zip(digital, lines, strict=True):
        _verify(samples, line, where=where)
        pieces[line.name] = _physical(samples, line, rate=header.rate)
    return pieces


def _join(parts: Sequence[tuple[float, float, _Piece]], *, total: float) -> _Piece:
    """Lay pieces of one channel (begin, length, piece; s) out over a record."""
    model = parts[0][2]
    values = np.full(round(total * model.rate), np.nan)
    for begin, _, piece in parts:
        at = round(begin * model.rate)
        values[at : at + len(piece.values)] = piece.values
    return _Piece(values, model.rate, model.unit, model.start)


def _segmented(folder: Path, name: str, header: Header) -> dict[str, _Piece]:
    """Read a record in segments; a channel is missing where a segment lacks it."""
    where = f"{name}.hea"
    gaps = sum(s.length for s in header.segments if s.name == "~")
    if gaps > _LONGEST_GAP:
        msg = f"{where}: gaps of {gaps} samples are declared. Read its segments apart."
        raise RecordError(msg)
    found: dict[str, list[tuple[float, float, _Piece]]] = {}
    begin = 0
    for segment in header.segments:
        if segment.name != "~" and segment.length > 0:
            inner = _header(folder, segment.name)
            if inner.segments or (inner.rate, inner.length) != (
                header.rate,
                segment.length,
            ):
                msg = (
                    f"{where}: segment {segment.name} has {inner.length} samples at "
                    f"{inner.rate:g} Hz; {segment.length} at {header.rate:g} Hz are "
                    "declared, in one piece."
                )
                raise RecordError(msg)
            for channel, piece in _plain(folder, segment.name, inner).items():
                place = (begin / header.rate, segment.length / header.rate, piece)
                found.setdefault(channel, []).append(place)
        begin += segment.length
    for channel, parts in found.items():
        kinds = {(piece.rate, piece.unit, piece.start) for _, _, piece in parts}
        if len(kinds) > 1:
            msg = f"{where}: channel {channel!r} changes rate, unit or skew midway."
            raise RecordError(msg)
    total = header.length / header.rate
    return {channel: _join(parts, total=total) for channel, parts in found.items()}


def _chosen(
    pieces: dict[str, _Piece], channels: Sequence[str], *, where: str
) -> dict[str, _Piece]:
    """Return the channels asked for, each usable, or say what is wrong with it."""
    by_lower = {name.lower(): name for name in pieces}
    chosen: dict[str, _Piece] = {}
    for wanted in channels:
        name = wanted if wanted in pieces else by_lower.get(wanted.lower())
        if name is None:
            msg = (
                f"{where} has no channel {wanted!r}; it has "
                f"{', '.join(map(repr, pieces))}. Ask for one of these."
            )
            raise RecordError(msg)
        if not pieces[name].unit:
            msg = (
                f"{where}: channel {name!r} names no unit. Add it to the header's gain."
            )
            raise UnitError(msg)
        if not np.isfinite(pieces[name].values).any():
            msg = f"{where}: channel {name!r} holds no valid sample. Leave it out."
            raise RecordError(msg)
        chosen[name] = pieces[name]
    return chosen


def read_wfdb(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read a WFDB record, every channel at its own sampling rate.

    Verified: sampling rate, gains, declared lengths against the files (before
    anything is allocated), file names inside the folder, checksums and first samples.
    Samples marked invalid become NaN; pressures become mmHg; skew becomes the
    channel's start. Segments are joined, gaps between them are NaN.

    Only a unit that the header names is believed: a channel without one is an error
    when it is asked for, and otherwise left out and named in ``record.source``. A
    checksum that the header omits cannot be verified.

    Args:
        path: The header, with or without ``.hea``.
        channels: Names of the channels wanted; None for all that can be used.
        subject: Identifier; the record's name by default.
        age: Years.

    Raises:
        RecordError: If the record is missing, damaged or empty, or lacks a channel.
        UnitError: If a sampling rate, a gain or a wanted unit is missing.
    """
    path = Path(path)
    name = path.stem if path.suffix == ".hea" else path.name
    folder, where = path.parent, f"{name}.hea"
    header = _header(folder, name)
    read = _segmented if header.segments else _plain
    pieces = read(folder, name, header)
    source = f"WFDB {where}"
    if channels is None:
        left_out = [channel for channel, piece in pieces.items() if not piece.unit]
        chosen = {c: piece for c, piece in pieces.items() if piece.unit}
        if left_out:
            source += f"; left out, as they name no unit: {', '.join(left_out)}"
    else:
        chosen = _chosen(pieces, channels, where=where)
    if not any(np.isfinite(piece.values).any() for piece in chosen.values()):
        msg = f"{where} is empty: no channel holds a valid sample with a unit."
        raise RecordError(msg)
    signals = {
        channel: Signal(piece.values, piece.rate, piece.unit, start=piece.start)
        for channel, piece in chosen.items()
    }
    return Record(subject=subject or name, channels=signals, age=age, source=source)
