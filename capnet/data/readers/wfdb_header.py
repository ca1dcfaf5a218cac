"""The text of a WFDB header, read strictly: nothing is assumed, nothing is guessed.

The wfdb package fills what is missing (250 Hz, a gain of 200, millivolts) and so turns
a damaged header into wrong numbers. Here a missing number is an error with a line.

Grammar: the manual page header(5) of the WFDB Applications Guide (G. B. Moody).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from capnet.errors import RecordError, UnitError

__all__ = ["Header", "SegmentLine", "SignalLine", "parse_header"]

_RECORD: Final = re.compile(
    r"(?P<name>[^\s/]+)(?:/(?P<segments>\d{1,9}))?\s+(?P<signals>\d{1,9})"
    r"(?:\s+(?P<rate>[^\s/]+)(?:/\S+)?)?(?:\s+(?P<length>\S+))?(?:\s+.*)?"
)
_FORMAT: Final = re.compile(
    r"(?P<format>\d{1,4})(?:x(?P<per_frame>\d{1,6}))?(?::(?P<skew>\d{1,9}))?"
    r"(?:\+(?P<offset>\d{1,12}))?"
)
_GAIN: Final = re.compile(
    r"(?P<gain>[^\s(/]+)(?:\((?P<baseline>[-+]?\d{1,12})\))?(?:/(?P<unit>\S+))?"
)
_WHOLE: Final = re.compile(r"[-+]?\d{1,15}")
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")

_HIGHEST_RATE: Final = 1e5
"""Hz; a header that declares more is damaged."""


@dataclass(frozen=True)
class SignalLine:
    """One signal as its header line describes it.

    Attributes:
        name: Description of the signal, unique within the header.
        file: File of the samples, a plain name beside the header; ``~`` for none.
        format: WFDB storage format, e.g. ``212``.
        per_frame: Samples in one frame.
        skew: Frames by which the samples lead the record.
        offset: Bytes before the first sample.
        gain: Digital units in one physical unit.
        baseline: Digital value of physical zero.
        unit: Physical unit; empty when the header names none.
        first: Declared first sample, None when not declared.
        checksum: Declared sum of all samples modulo 65536, None when not declared.
    """

    name: str
    file: str
    format: str
    per_frame: int
    skew: int
    offset: int
    gain: float
    baseline: int
    unit: str
    first: int | None
    checksum: int | None


@dataclass(frozen=True)
class SegmentLine:
    """One segment of a record in pieces: its name (``~`` for a gap), its frames."""

    name: str
    length: int


@dataclass(frozen=True)
class Header:
    """A header: either signals or segments.

    Attributes:
        rate: Frames a second, Hz.
        length: Frames.
        signals: Lines of the signals; empty for a record in segments.
        segments: Lines of the segments; empty for a plain record.
    """

    rate: float
    length: int
    signals: tuple[SignalLine, ...]
    segments: tuple[SegmentLine, ...]


def _number(text: str | None, *, what: str, where: str) -> float:
    if text is None or not _NUMBER.fullmatch(text):
        found = "missing" if text is None else repr(text)
        msg = f"{where}: the {what} is {found}; wanted a positive number. Add it."
        raise UnitError(msg)
    value = float(text)
    if not (isfinite(value) and value > 0.0):
        msg = f"{where}: the {what} is {text}; wanted a positive number. Correct it."
        raise UnitError(msg)
    return value


def _plain_name(name: str, *, where: str) -> str:
    if name in {".", ".."} or re.search(r"[/\\:\0]", name) or name.startswith("~/"):
        msg = (
            f"{where}: the file {name!r} lies outside the record's folder; wanted a "
            "plain name beside the header. Put the file there."
        )
        raise RecordError(msg)
    return name


def _optional_whole(words: Sequence[str], place: int, *, where: str) -> int | None:
    if len(words) <= place:
        return None
    if not _WHOLE.fullmatch(words[place]):
        msg = f"{where}: field {place + 1} is {words[place]!r}; wanted a whole number."
        raise RecordError(msg)
    return int(words[place])


def _signal_line(line: str, *, number: int, where: str) -> SignalLine:
    words = line.split(maxsplit=8)
    where = f"{where}, signal {number}"
    name = words[8].strip() if len(words) > 8 else f"signal {number}"
    where = f"{where} ({name})"
    file = _plain_name(words[0], where=where)
    form = _FORMAT.fullmatch(words[1]) if len(words) > 1 else None
    if form is None:
        found = words[1] if len(words) > 1 else "missing"
        msg = f"{where}: the storage format is {found!r}; wanted e.g. '16' or '212x4'."
        raise RecordError(msg)
    per_frame = int(form["per_frame"] or 1)
    if per_frame < 1:
        msg = f"{where}: {per_frame} samples a frame; wanted at least 1."
        raise RecordError(msg)
    scale = _GAIN.fullmatch(words[2]) if len(words) > 2 else None
    fields = scale.groupdict() if scale else {}
    gain = _number(fields.get("gain"), what="gain", where=where)
    middle = _optional_whole(words, 4, where=where) or 0
    return SignalLine(
        name=name,
        file=file,
        format=form["format"],
        per_frame=per_frame,
        skew=int(form["skew"] or 0),
        offset=int(form["offset"] or 0),
        gain=gain,
        # header(5): without a baseline, physical zero lies at the ADC's zero.
        baseline=int(fields["baseline"] or middle),
        unit=fields["unit"] or "",
        first=_optional_whole(words, 5, where=where),
        checksum=_optional_whole(words, 6, where=where),
    )


def _distinct(lines: list[SignalLine], *, where: str) -> tuple[SignalLine, ...]:
    names = [line.name for line in lines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = (
            f"{where}: more than one signal is called {', '.join(map(repr, twice))}; "
            "wanted distinct names. Rename them in the header."
        )
        raise RecordError(msg)
    return tuple(lines)


def _segment_line(line: str, *, number: int, where: str) -> SegmentLine:
    words = line.split()
    if len(words) != 2 or not re.fullmatch(r"\d{1,15}", words[1]):
        msg = f"{where}, segment {number}: found {line!r}; wanted a name and a length."
        raise RecordError(msg)
    return SegmentLine(_plain_name(words[0], where=where), int(words[1]))


def parse_header(text: str, *, where: str) -> Header:
    """Read the text of a header.

    Args:
        text: Content of the ``.hea`` file.
        where: Name of the file, for messages.

    Raises:
        UnitError: If the sampling rate or a gain is missing or not positive.
        RecordError: If a line is damaged, a length is missing, a file name points
            outside the folder, or two signals share a name.
    """
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    first = _RECORD.fullmatch(lines[0]) if lines else None
    if first is None:
        found = repr(lines[0][:60]) if lines else "nothing"
        msg = f"{where}: found {found}; wanted 'name signals rate samples'."
        raise RecordError(msg)
    rate = _number(first["rate"], what="sampling rate", where=where)
    if rate > _HIGHEST_RATE:
        msg = f"{where}: the sampling rate is {rate:g} Hz; wanted at most 1e5 Hz."
        raise UnitError(msg)
    declared = first["length"]
    if declared is None or not re.fullmatch(r"\d{1,15}", declared):
        msg = (
            f"{where}: the number of samples is {declared or 'missing'}; wanted it "
            "declared, as a cut file could not be told otherwise. Add it."
        )
        raise RecordError(msg)
    length, body = int(declared), lines[1:]
    n_signals, n_segments = int(first["signals"]), first["segments"]
    wanted = n_signals if n_segments is None else int(n_segments)
    if length == 0 or wanted == 0 or n_signals == 0:
        msg = f"{where}: the record is empty ({n_signals} signals, {length} samples)."
        raise RecordError(msg)
    if len(body) != wanted:
        kind = "signal" if n_segments is None else "segment"
        msg = f"{where}: {len(body)} {kind} lines; {wanted} are declared. Correct it."
        raise RecordError(msg)
    if n_segments is not None:
        segments = tuple(
            _segment_line(line, number=i, where=where) for i, line in enumerate(body)
        )
        if sum(segment.length for segment in segments) != length:
            total = sum(segment.length for segment in segments)
            msg = f"{where}: segments hold {total} samples; {length} are declared."
            raise RecordError(msg)
        return Header(rate, length, (), segments)
    signals = [_signal_line(line, number=i, where=where) for i, line in enumerate(body)]
    return Header(rate, length, _distinct(signals, where=where), ())
