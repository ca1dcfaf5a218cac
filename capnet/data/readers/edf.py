"""The door of EDF and EDF+: European Data Format recordings in, or one clear error.

The samples are plain 16-bit numbers at places that the header fixes, so numpy reads
them once `parse_edf_header` has found the header true to the file's size. pyEDFlib
0.1.42 does not take its place: it refuses every recording with gaps (EDF+D), and reads
files that are longer than they declare and samples outside the range they declare.
"""

import re
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Int16

from capnet.data.readers.choice import Piece, check_room, chosen, laid_out
from capnet.data.readers.edf_header import (
    ANNOTATIONS,
    EdfHeader,
    EdfSignal,
    parse_edf_header,
)
from capnet.data.readers.plausibility import check_plausible, physical
from capnet.errors import RecordError
from capnet.files import sha256_of
from capnet.records import Annotations, Record, Signal

__all__ = ["CODES", "read_edf"]

CODES: Final = frozenset("NLRBAaJSVrFejnE/fQ?[!]x()ptu`'^|~+sT*D=\"@")
"""What an annotation may say: the one-letter codes of PhysioNet. Any other text could
hold anything, names too, and is left out."""

_LARGEST_HEADER: Final = 256 * 1025
_ONSET: Final = re.compile(
    rb"([-+]\d{1,9}(?:\.\d{1,9})?)(?:\x15\d{1,9}(?:\.\d{1,9})?)?"
)
_SLACK: Final = 1e-3
"""s by which the time of a data record may differ from that of its number."""

Frames = Int16[np.ndarray, "record sample"]


class _Notes(NamedTuple):
    """What the annotation signals say.

    Attributes:
        onsets: When each data record begins, s; empty for plain EDF.
        times: Of annotations, s.
        labels: Their codes.
    """

    onsets: list[float]
    times: list[float]
    labels: list[str]


def read_edf(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read an EDF or EDF+ file, every channel at its own sampling rate.

    Verified: every field of the header that is used, the size it declares, that no
    sample leaves the digital range, and in EDF+ that the time of each data record is
    there. In EDF+D records are laid out by these times, with NaN between. Patient,
    recording, dates, transducers and filters are not read. Of annotations the time and
    a one-letter code are kept, as ``annotations["edf"]``; other texts are left out.

    Args:
        path: Ends in ``.edf``.
        channels: Labels of the channels wanted; None for all with a unit.
        subject: Identifier; the name of the file by default.
        age: Years.

    Returns:
        The record; pressures in mmHg, voltages in mV.

    Raises:
        RecordError: If the file is missing, damaged or empty, or lacks a channel.
        UnitError: If a rate, a gain or a wanted unit is missing or impossible.
    """
    path = Path(path)
    where = path.name
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            content = file.read(_LARGEST_HEADER)
            header = parse_edf_header(content, size=size, where=where)
            file.seek(256 * (len(header.signals) + 1))
            flat = np.fromfile(file, "<i2", count=header.records * header.frame)
        digest = sha256_of(path)
    except OSError as error:
        msg = f"{where} cannot be read ({error.strerror}). Look whether it is there."
        raise RecordError(msg) from error
    frames = flat.astype(np.int16, copy=False).reshape(header.records, header.frame)
    units = {s.label: s.unit for s in header.signals if s.label != ANNOTATIONS}
    names, left_out = chosen(units, channels, where=where)
    notes = _notes(frames, header, where=where)
    if header.kind == "EDF+D":
        span = notes.onsets[-1] - notes.onsets[0] + header.duration
        present = sum(s.count for s in header.signals if s.label in names)
        with_gaps = ceil(present * span / header.duration)
        check_room(with_gaps, present * header.records, where=where)
    signals = {}
    first = 0
    for signal in header.signals:
        last = first + signal.count
        if signal.label in names and signal.label != ANNOTATIONS:
            part = frames[:, first:last]
            signals[signal.label] = _channel(part, signal, header, notes, where=where)
        first = last
    check_plausible(signals, where=where)
    order = np.argsort(notes.times, kind="stable")
    events = Annotations(
        np.asarray(notes.times, dtype=np.float64)[order],
        np.asarray(notes.labels, dtype=np.str_)[order],
    )
    return Record(
        subject=subject or path.stem,
        channels={name: signals[name] for name in names},
        age=age,
        source=f"EDF {where}{left_out}",
        annotations={"edf": events} if notes.times else {},
        files={where: digest},
    )


def _channel(
    part: Frames, signal: EdfSignal, header: EdfHeader, notes: _Notes, *, where: str
) -> Signal:
    """Scale the samples of a channel, and put them where their records begin."""
    where = f"{where}, channel {signal.label!r}"
    outside = np.flatnonzero((part < signal.least) | (part > signal.most))
    if len(outside):
        msg = (
            f"{where}: sample {outside[0]} is {part.flat[outside[0]]}; the header "
            f"declares {signal.least} to {signal.most}. The file is damaged."
        )
        raise RecordError(msg)
    gain = (signal.high - signal.low) / (signal.most - signal.least)
    values = (part - np.float64(signal.least)) * gain + signal.low
    values, unit = physical(values.reshape(-1), signal.unit, where=where)
    rate = signal.count / header.duration
    if header.kind == "EDF+D":
        values = _spread(values, signal.count, rate, notes.onsets, where=where)
    return Signal(values, rate, unit)


def _spread(
    values: Piece, count: int, rate: float, onsets: Sequence[float], *, where: str
) -> Piece:
    """Put data records where they begin, NaN between them."""
    places: list[int] = []
    end = 0
    for onset in onsets:
        place = round((onset - onsets[0]) * rate)
        if place < end - 1 - _SLACK * rate:
            msg = f"{where}: data records overlap in time. The file is damaged."
            raise RecordError(msg)
        places.append(max(place, end))  # onsets are rounded
        end = places[-1] + count
    return laid_out(places, np.split(values, len(onsets)))


def _notes(frames: Frames, header: EdfHeader, *, where: str) -> _Notes:
    """Read the annotation signals; see that data records lie where they should."""
    notes = _Notes([], [], [])
    if header.kind == "EDF":
        return notes
    first, timed = 0, False
    for signal in header.signals:
        last = first + signal.count
        if signal.label == ANNOTATIONS:
            lines = np.ascontiguousarray(frames[:, first:last], dtype="<i2")
            for number, line in enumerate(lines):
                onset = _record_notes(line.tobytes(), notes, number, where=where)
                if not timed:  # the first annotation signal keeps the time
                    notes.onsets.append(onset)
            timed = True
        first = last
    onsets = np.asarray(notes.onsets)
    if not timed:
        msg = f"{where} is {header.kind} without {ANNOTATIONS!r}; it is damaged."
        raise RecordError(msg)
    steps = np.diff(onsets) - header.duration
    uneven = np.abs(steps) > _SLACK if header.kind == "EDF+C" else steps < -_SLACK
    if uneven.any() or np.isnan(onsets).any():
        at = int(np.flatnonzero(uneven)[0]) + 1 if uneven.any() else 0
        msg = (
            f"{where}: data record {at} does not begin where the one before it ends; "
            f"wanted records of {header.duration:g} s in the order of time. The file "
            "is damaged; recordings with gaps are EDF+D."
        )
        raise RecordError(msg)
    times = [time - notes.onsets[0] for time in notes.times]
    return notes._replace(times=times)


def _record_notes(content: bytes, notes: _Notes, number: int, *, where: str) -> float:
    r"""Read the annotation lists of one data record; return when it begins, or NaN.

    Each list is ``+onset[\x15duration]\x14text\x14text\x14`` and a zero byte; the
    first of a data record has an empty text and says when the record begins.
    """
    begin = float("nan")
    for place, line in enumerate(content.rstrip(b"\0").split(b"\0")):
        onset, *texts = line.split(b"\x14")
        found = _ONSET.fullmatch(onset)
        if not line and place > 0:
            continue
        if found is None or not texts or texts[-1]:
            if not line and place == 0:
                return begin  # a further annotation signal may be empty
            msg = f"{where}: annotation {place} of data record {number} is damaged."
            raise RecordError(msg)
        time = float(found[1])
        if place == 0 and not texts[0]:
            begin = time
        for text in texts[:-1]:
            code = text.decode("latin-1")
            if code in CODES:
                notes.times.append(time)
                notes.labels.append(code)
    return begin
