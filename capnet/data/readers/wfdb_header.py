"""The text of a WFDB header, read strictly: nothing is assumed, nothing is guessed.

The wfdb package fills what is missing (250 Hz, a gain of 200, millivolts) and so turns
a damaged header into wrong numbers. Here a missing number is an error with a line.

Dates, times and comments may say who was recorded. They are held against their form,
and neither kept nor quoted; of the comments, age and sex are taken.

Grammar: the manual page header(5) of the WFDB Applications Guide (G. B. Moody).
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Final

from capnet.data.readers.plausibility import HIGHEST_RATE, LOWEST_RATE
from capnet.errors import RecordError, UnitError

__all__ = ["Header", "SegmentLine", "SignalLine", "parse_header"]

_BLANK: Final = " \t"

_RECORD: Final = re.compile(
    r"(?P<name>[A-Za-z0-9_-]+)(?:/(?P<segments>\d{1,9}))?[ \t]+(?P<signals>\d{1,9})"
    r"(?:[ \t]+(?P<rate>[^\s/]+)(?:/(?P<counter>\S+))?)?(?:[ \t]+(?P<length>\S+))?"
    r"(?:[ \t]+(?P<time>\S+))?(?:[ \t]+(?P<date>\S+))?",
    re.ASCII,
)
_COUNTER: Final = re.compile(
    r"(?P<counter>[^\s(]+)(?:\((?P<base>[^\s)]+)\))?", re.ASCII
)
_TIME: Final = re.compile(
    r"(?:(?:(?:[01]?\d|2[0-3]):)?[0-5]?\d:)?[0-5]?\d(?:\.\d{1,6})?", re.ASCII
)
_DATE: Final = re.compile(
    r"(?:0?[1-9]|[12]\d|3[01])/(?:0?[1-9]|1[0-2])/\d{4}", re.ASCII
)
_FILE: Final = re.compile(r"~|[-\w]+(?:\.\w+)?", re.ASCII)
"""Names that wfdb reads, too."""
_FORMAT: Final = re.compile(
    r"(?P<format>\d{1,4})(?:x(?P<per_frame>\d{1,6}))?(?::(?P<skew>\d{1,9}))?"
    r"(?:\+(?P<offset>\d{1,12}))?",
    re.ASCII,
)
_GAIN: Final = re.compile(
    r"(?P<gain>[^\s(/]+)(?:\((?P<baseline>[-+]?\d{1,12})\))?(?:/(?P<unit>[^\s(),\d][^\s()]*))?",
    re.ASCII,
)
_WHOLE: Final = re.compile(r"[-+]?\d{1,12}", re.ASCII)
_NUMBER: Final = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_SHIFTED: Final = re.compile(r"[-+]?\d+[ \t]", re.ASCII)

_TECHNICAL: Final = re.compile(r"[-+.\deE]{1,24}|[-+]?(?:nan|inf)", re.ASCII)
"""What a message repeats of a field: anything else may be text that strayed there."""

_LONGEST_NAME: Final = 64
"""Letters; what is longer is a remark, not the name of a signal."""

_AGE: Final = re.compile(
    r"(?<![A-Za-z])<?age>?[ \t]*(?:[:=][ \t]*)?(?P<age>\d{1,3}(?:\.\d{1,6})?)"
    r"(?![\d+/-]|\.\d|[ \t]*(?:mo|w|d))",  # neither a range, nor months or days
    re.ASCII | re.IGNORECASE,
)
_SEX: Final = re.compile(
    r"(?<![A-Za-z])<?(?:sex|gender)>?[ \t]*(?:[:=][ \t]*)?(?P<sex>female|male|f|m)"
    r"(?![A-Za-z])",
    re.ASCII | re.IGNORECASE,
)
_BOTH: Final = re.compile(
    r"(?P<age>-?\d{1,3})[ \t]+(?P<sex>[MF])(?:[ \t]+\d+){0,2}(?:[ \t]+x\d+)?[ \t]*",
    re.ASCII,
)
"""As the MIT-BIH databases have it: ``69 M 1085 1629 x1``."""

_OLDEST: Final = 89.0
"""Years; above, an age identifies a person (45 CFR 164.514): data sets replace it."""

_MOST_SIGNALS: Final = 512
"""No monitor has as many."""

_LARGEST_WHOLE: Final = 1 << 31
"""Baselines and first samples have 32 bits."""

_LONGEST_SKEW: Final = 10.0
"""s; heads of tape recorders are milliseconds apart, telemetry is late by seconds."""

_LARGEST_CHECKSUM: Final = 65535
_MOST_BITS: Final = 32


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
        name: Of the record.
        rate: Frames a second, Hz.
        length: Frames.
        n_signals: Signals that the first line declares.
        signals: Lines of the signals; empty for a record in segments.
        segments: Lines of the segments; empty for a plain record.
        age: Years, where the comments give one up to 89.
        male: 1, or 0 for female, where the comments say so.
    """

    name: str
    rate: float
    length: int
    n_signals: int
    signals: tuple[SignalLine, ...]
    segments: tuple[SegmentLine, ...]
    age: float | None = None
    male: float | None = None


def _told(word: str | None) -> str:
    if word is None:
        return "missing"
    return repr(word) if _TECHNICAL.fullmatch(word) else "no number"


def _number(text: str | None, *, what: str, where: str) -> float:
    if text is None or not _NUMBER.fullmatch(text):
        msg = f"{where}: the {what} is {_told(text)}; wanted a positive number. Add it."
        raise UnitError(msg)
    value = float(text)
    if not (isfinite(value) and value > 0.0):
        msg = f"{where}: the {what} is {text}; wanted a positive number. Correct it."
        raise UnitError(msg)
    return value


def _plain_name(name: str, *, where: str) -> str:
    if not _FILE.fullmatch(name):
        msg = (
            f"{where}: the name of its file has other than letters, digits, '-', '_' "
            "and one dot, so that it may lie outside the record's folder; wanted a "
            "plain name beside the header. Rename the file."
        )
        raise RecordError(msg)
    return name


def _optional_whole(
    words: Sequence[str], place: int, *, what: str, low: int, high: int, where: str
) -> int | None:
    if len(words) <= place:
        return None
    if not _WHOLE.fullmatch(words[place]):
        msg = (
            f"{where}: field {place + 1} ({what}) is {_told(words[place])}; wanted a "
            "whole number. Correct it."
        )
        raise RecordError(msg)
    value = int(words[place])
    if not low <= value <= high:
        msg = (
            f"{where}: field {place + 1} ({what}) is {value}; wanted {low} to {high}. "
            "Correct it."
        )
        raise RecordError(msg)
    return value


def _signal_line(line: str, *, number: int, rate: float, where: str) -> SignalLine:
    words = re.split(r"[ \t]+", line, maxsplit=8)
    where = f"{where}, signal {number}"
    name = words[8].strip() if len(words) > 8 else f"signal {number}"
    if len(name) > _LONGEST_NAME:
        msg = f"{where}: the name has {len(name)} letters; wanted {_LONGEST_NAME}."
        raise RecordError(msg)
    where = f"{where} ({name})"
    if _SHIFTED.match(name):
        msg = f"{where}: the name begins with a number; there is a field too many."
        raise RecordError(msg)
    file = _plain_name(words[0], where=where)
    form = _FORMAT.fullmatch(words[1]) if len(words) > 1 else None
    if form is None:
        msg = f"{where}: wanted a storage format, e.g. '16' or '212x4'. Correct it."
        raise RecordError(msg)
    per_frame = int(form["per_frame"] or 1)
    if per_frame < 1:
        msg = f"{where}: {per_frame} samples a frame; wanted at least 1."
        raise RecordError(msg)
    skew = int(form["skew"] or 0)
    if skew > _LONGEST_SKEW * rate:
        msg = (
            f"{where}: the skew is {skew} frames; wanted at most "
            f"{_LONGEST_SKEW:g} s. Correct it."
        )
        raise RecordError(msg)
    scale = _GAIN.fullmatch(words[2]) if len(words) > 2 else None
    fields = scale.groupdict() if scale else {}
    if len(words) > 2 and scale is None:
        msg = f"{where}: gain and unit cannot be read; wanted e.g. '200(0)/mV'."
        raise UnitError(msg)
    gain = _number(fields.get("gain"), what="gain", where=where)
    large = _LARGEST_WHOLE

    def whole(place: int, what: str, low: int, high: int) -> int | None:
        return _optional_whole(words, place, what=what, low=low, high=high, where=where)

    whole(3, "resolution", 0, _MOST_BITS)
    middle = whole(4, "zero", -large, large) or 0
    first = whole(5, "first sample", -large, large)
    checksum = whole(6, "checksum", -_LARGEST_CHECKSUM, _LARGEST_CHECKSUM)
    whole(7, "block size", 0, large)
    baseline = int(fields["baseline"] or middle)
    if abs(baseline) > large:
        msg = f"{where}: the baseline is {baseline}; wanted 32 bits. Correct it."
        raise RecordError(msg)
    return SignalLine(
        name=name,
        file=file,
        format=form["format"],
        per_frame=per_frame,
        skew=skew,
        offset=int(form["offset"] or 0),
        gain=gain,
        # header(5): without a baseline, physical zero lies at the ADC's zero.
        baseline=baseline,
        unit=fields["unit"] or "",
        first=first,
        checksum=checksum,
    )


def _distinct(lines: list[SignalLine], *, where: str) -> tuple[SignalLine, ...]:
    counts = Counter(line.name for line in lines)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        msg = (
            f"{where}: more than one signal is called {', '.join(map(repr, twice))}; "
            "wanted distinct names. Rename them in the header."
        )
        raise RecordError(msg)
    for what in ("first", "checksum"):
        lacking = [line.name for line in lines if getattr(line, what) is None]
        if lacking and len(lacking) < len(lines):
            field = "first sample" if what == "first" else what
            msg = (
                f"{where}: signal {lacking[0]!r} has no {field}, others have; wanted "
                "it for all or for none. The line is damaged; fetch the header again."
            )
            raise RecordError(msg)
    return tuple(lines)


def _segment_line(line: str, *, number: int, where: str) -> SegmentLine:
    words = line.split()
    if len(words) != 2 or not re.fullmatch(r"[0-9]{1,15}", words[1]):
        msg = f"{where}, segment {number}: wanted a name and a length. Correct it."
        raise RecordError(msg)
    name = _plain_name(words[0], where=where)
    length = int(words[1])
    # header(5): a first segment without samples lays out the signals of the others.
    if length == 0 and (number > 0 or name == "~"):
        msg = f"{where}, segment {number} has no samples; wanted some. Leave it out."
        raise RecordError(msg)
    return SegmentLine(name, length)


def _segments(
    body: Sequence[str], *, length: int, where: str
) -> tuple[SegmentLine, ...]:
    segments = tuple(
        _segment_line(line, number=i, where=where) for i, line in enumerate(body)
    )
    total = sum(segment.length for segment in segments)
    if total != length:
        msg = f"{where}: segments hold {total} samples; {length} are declared."
        raise RecordError(msg)
    counts = Counter(segment.name for segment in segments if segment.name != "~")
    name, count = counts.most_common(1)[0] if counts else ("", 0)
    if count > 1:
        msg = f"{where}: segment {name!r} is named {count} times; wanted once each."
        raise RecordError(msg)
    return segments


def _person(comments: Sequence[str]) -> tuple[float | None, float | None]:
    """Return age and sex from comments, None where they say nothing or two things."""
    ages: set[float] = set()
    sexes: set[float] = set()
    both = _BOTH.fullmatch(comments[0].strip()) if comments else None
    if both is not None:
        ages.add(float(both["age"]))
        sexes.add(float(both["sex"] == "M"))
    for comment in comments:
        ages |= {float(found["age"]) for found in _AGE.finditer(comment)}
        sexes |= {
            float(found["sex"].lower().startswith("m"))
            for found in _SEX.finditer(comment)
        }
    age = ages.pop() if len(ages) == 1 else None
    if age is not None and not 0.0 < age <= _OLDEST:
        age = None
    return age, sexes.pop() if len(sexes) == 1 else None


def _lines(text: str, *, where: str) -> tuple[list[str], list[str]]:
    """Divide a header into its lines and its comments."""
    lines: list[str] = []
    comments: list[str] = []
    for number, raw in enumerate(text.replace("\r\n", "\n").split("\n"), start=1):
        line = raw.strip(_BLANK)
        comment = line.startswith("#")
        plain = line.replace("\t", " ").isprintable()
        # A return within a comment may be the end of a line to others.
        if not (plain or comment) or len(line.splitlines()) > 1:
            msg = (
                f"{where}: line {number} holds a control character; wanted plain text, "
                "lines that end in a line feed. Fetch the header again."
            )
            raise RecordError(msg)
        if comment:
            comments.append(line[1:])
        elif line:
            lines.append(line)
    return lines, comments


def parse_header(text: str, *, where: str, layout: bool = False) -> Header:
    """Read the text of a header.

    Args:
        text: Content of the ``.hea`` file.
        where: Name of the file, for messages.
        layout: Whether it lays out the signals of segments, and so has no samples.

    Raises:
        UnitError: If the sampling rate or a gain is missing or not positive.
        RecordError: If a line is damaged, a length is missing, a file name points
            outside the folder, two signals share a name, or a number is impossible.
    """
    lines, comments = _lines(text, where=where)
    first = _RECORD.fullmatch(lines[0]) if lines else None
    if first is None:
        # The line may hold a date: it is not quoted.
        found = "the first line is damaged" if lines else "there is no line"
        msg = f"{where}: {found}; wanted 'name signals rate samples'."
        raise RecordError(msg)
    rate = _number(first["rate"], what="sampling rate", where=where)
    if not LOWEST_RATE <= rate <= HIGHEST_RATE:
        msg = (
            f"{where}: the sampling rate is {rate:g} Hz; wanted {LOWEST_RATE:g} to "
            "at most 1e5 Hz."
        )
        raise UnitError(msg)
    declared = first["length"]
    if declared is None or not re.fullmatch(r"[0-9]{1,15}", declared):
        found = "missing" if declared is None else "no whole number"
        msg = (
            f"{where}: the number of samples is {found}; wanted it declared, as a cut "
            "file could not be told otherwise. Add it."
        )
        raise RecordError(msg)
    _check_clock(first, where=where)
    length, body = int(declared), lines[1:]
    n_signals, n_segments = int(first["signals"]), first["segments"]
    wanted = n_signals if n_segments is None else int(n_segments)
    if wanted == 0 or n_signals == 0 or (length == 0) is not layout:
        msg = f"{where}: the record is empty ({n_signals} signals, {length} samples)."
        raise RecordError(msg)
    if n_signals > _MOST_SIGNALS:
        msg = f"{where}: {n_signals} signals; wanted at most {_MOST_SIGNALS}."
        raise RecordError(msg)
    if len(body) != wanted:
        kind = "signal" if n_segments is None else "segment"
        msg = f"{where}: {len(body)} {kind} lines; {wanted} are declared. Correct it."
        raise RecordError(msg)
    segments: tuple[SegmentLine, ...] = ()
    signals: tuple[SignalLine, ...] = ()
    if n_segments is not None:
        segments = _segments(body, length=length, where=where)
    else:
        found_signals = [
            _signal_line(line, number=i, rate=rate, where=where)
            for i, line in enumerate(body)
        ]
        signals = _distinct(found_signals, where=where)
    person = _person(comments)
    return Header(first["name"], rate, length, n_signals, signals, segments, *person)


def _check_clock(first: re.Match[str], *, where: str) -> None:
    """See that counter, time and date are such. They may tell of a person: not kept."""
    if first["counter"] is not None:
        counter = _COUNTER.fullmatch(first["counter"])
        values = [counter["counter"], counter["base"] or "0"] if counter else [""]
        if not all(_NUMBER.fullmatch(value) for value in values):
            msg = f"{where}: the counter frequency is no number. Correct it."
            raise RecordError(msg)
    for what, form in (("time", _TIME), ("date", _DATE)):
        if first[what] is not None and not form.fullmatch(first[what]):
            msg = (
                f"{where}: the {what} in the first line has another form than that of "
                "header(5). Correct it or leave it out."
            )
            raise RecordError(msg)
