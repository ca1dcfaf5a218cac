"""The door of WFDB: PhysioNet records in, or one clear error.

Verified before anything is allocated: header, sizes, paths, the time that is declared;
while it is read: checksum and first sample of every signal; after: what the channels
hold. A record is gone through in blocks of its frames, so that reading it whole and in
parts are the same, and the latter takes no more memory for a day than for a minute.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from capnet.data.readers.plausibility import (
    Extent,
    check_extent,
    check_frame,
    check_span,
    physical,
)
from capnet.data.readers.wfdb_annotations import ANNOTATORS, read_annotations
from capnet.data.readers.wfdb_header import Header, SignalLine, parse_header
from capnet.data.readers.wfdb_samples import (
    FLAC,
    STORAGE,
    Digital,
    blocks,
    bytes_of,
    flac_length,
)
from capnet.errors import ConfigError, RecordError, UnitError
from capnet.files import confined, sha256_of
from capnet.records import Annotations, Record, Signal
from capnet.types import Samples

__all__ = ["read_wfdb", "stream_wfdb"]

_LARGEST_HEADER: Final = 1 << 20
"""Bytes; a longer header is no header."""

_BLOCK: Final = 1 << 18
"""Samples of all channels that are decoded at once, about."""

_PART: Final = 1 << 23
"""Samples of all channels in a part; parts of more are made shorter."""

_FREE: Final = 1 << 22
"""Samples that a compressed file may hold however small it is ..."""
_PACKED: Final = 64
"""... and those for each of its bytes: recorded noise is not packed as tightly."""

_EMPTY: Final = 1 << 23
"""Samples of gaps that a record may have however little it holds ..."""
_GAPS: Final = 4
"""... and those for each sample that it holds. Gaps have no file that bounds them."""

_NO_UNIT: Final = "they name no unit"
_NO_SAMPLE: Final = "they hold no valid sample"


@dataclass(frozen=True)
class _Plain:
    """A record in one piece, its sizes verified.

    Attributes:
        name: Of its header, for messages.
        begin: Frames of the whole record before it.
        length: Frames.
        files: Signal files, each with its signals.
    """

    name: str
    begin: int
    length: int
    files: tuple[tuple[Path, tuple[SignalLine, ...]], ...]


@dataclass(frozen=True)
class _Channel:
    """What is the same of a channel in every piece."""

    per_frame: int
    unit: str
    skew: int


@dataclass(frozen=True)
class _Recording:
    """A record that was opened: all that is known before samples are decoded.

    Attributes:
        where: Name of its header.
        header: Its content.
        pieces: What holds samples, in the order of time; gaps lie between.
        channels: By name, of all pieces.
        samples: In all its files.
        read: Every file that was or will be read.
        annotations: By annotator.
    """

    where: str
    header: Header
    pieces: tuple[_Plain, ...]
    channels: Mapping[str, _Channel]
    samples: int
    read: tuple[Path, ...]
    annotations: Mapping[str, Annotations]


@contextmanager
def _reading(where: str) -> Iterator[None]:
    """Turn what a disk says into an error that names the record."""
    try:
        yield
    except OSError as error:
        msg = f"{where} cannot be read ({error.strerror}). See to its permissions."
        raise RecordError(msg) from error


def _parsed(folder: Path, name: str, *, layout: bool = False) -> tuple[Path, Header]:
    path = confined(folder, f"{name}.hea", where=f"{name}.hea")
    size = path.stat().st_size
    if size > _LARGEST_HEADER:
        msg = f"{path.name} has {size} bytes; wanted a header in text."
        raise RecordError(msg)
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        msg = f"{path.name} is no text (byte {error.start}); wanted a WFDB header."
        raise RecordError(msg) from error
    return path, parse_header(text, where=path.name, layout=layout)


def _check_size(
    path: Path, lines: Sequence[SignalLine], *, length: int, where: str
) -> None:
    """Compare what a header declares with one file's size."""
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
    if first.format in FLAC:
        if len({line.per_frame for line in lines}) > 1:
            msg = f"{where}: signals of {path.name} differ in samples a frame."
            raise RecordError(msg)
        found = flac_length(path, first.format, n_signals=len(lines), where=where)
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


def _plain(folder: Path, name: str, header: Header, *, begin: int) -> _Plain:
    """Find the signal files of a record in one piece, and verify their sizes."""
    where = f"{name}.hea"
    groups: dict[str, list[SignalLine]] = {}
    previous = ""
    for line in header.signals:
        if line.file == "~":
            msg = f"{where}: signal {line.name!r} has no file ('~'); wanted samples."
            raise RecordError(msg)
        if line.file in groups and line.file != previous:
            msg = f"{where}: the signals of {line.file!r} do not stand together."
            raise RecordError(msg)
        previous = line.file
        groups.setdefault(line.file, []).append(line)
    files: list[tuple[Path, tuple[SignalLine, ...]]] = []
    for file, lines in groups.items():
        path = confined(folder, file, where=where)
        _check_size(path, lines, length=header.length, where=where)
        files.append((path, tuple(lines)))
    return _Plain(where, begin, header.length, tuple(files))


def _check_segment(inner: Header, outer: Header, length: int, *, where: str) -> None:
    """See that a segment is what the record in segments says of it."""
    if inner.segments or (inner.rate, inner.length) != (outer.rate, length):
        msg = (
            f"{where} has {inner.length} samples at {inner.rate:g} Hz; {length} at "
            f"{outer.rate:g} Hz are declared, in one piece."
        )
        raise RecordError(msg)


def _pieces(
    folder: Path, name: str, header: Header
) -> tuple[list[_Plain], list[Path], dict[str, _Channel]]:
    """Open every segment; a record in one piece is its own."""
    where = f"{name}.hea"
    if not header.segments:
        plain = _plain(folder, name, header, begin=0)
        return [plain], [], _channels([plain], {}, where=where)
    pieces: list[_Plain] = []
    read: list[Path] = []
    layout: dict[str, _Channel] = {}
    begin = 0
    for segment in header.segments:
        told = f"{where}: segment {segment.name}"
        if segment.name == "~":
            begin += segment.length
            continue
        path, inner = _parsed(folder, segment.name, layout=segment.length == 0)
        read.append(path)
        if inner.name != segment.name:
            msg = f"{told} has the header of another. Fetch it again."
            raise RecordError(msg)
        _check_segment(inner, header, segment.length, where=told)
        names = {line.name for line in inner.signals}
        if segment.length == 0:
            layout = {line.name: _channel(line) for line in inner.signals}
        elif not names <= layout.keys() and layout:
            extra = sorted(names - layout.keys())[0]
            msg = f"{told} has a channel {extra!r} that the layout does not have."
            raise RecordError(msg)
        fixed = segment.length == 0 or not layout
        if fixed and len(names) != header.n_signals:
            msg = (
                f"{told} has {len(names)} signals; {header.n_signals} are declared. "
                "Fetch the headers again."
            )
            raise RecordError(msg)
        if segment.length:
            pieces.append(_plain(folder, segment.name, inner, begin=begin))
        begin += segment.length
    if not pieces:
        msg = f"{where} is empty: it has gaps alone."
        raise RecordError(msg)
    return pieces, read, _channels(pieces, layout, where=where)


def _channel(line: SignalLine) -> _Channel:
    unit = line.unit
    if unit:
        _, unit = physical(np.empty(0), unit, where=f"channel {line.name!r}")
    return _Channel(line.per_frame, unit, line.skew)


def _channels(
    pieces: Sequence[_Plain], layout: Mapping[str, _Channel], *, where: str
) -> dict[str, _Channel]:
    """Collect the channels, which may not change from piece to piece."""
    found: dict[str, _Channel] = {}
    for piece in pieces:
        for line in (line for _, lines in piece.files for line in lines):
            channel = _channel(line)
            if found.setdefault(line.name, channel) != channel:
                msg = (
                    f"{where}: channel {line.name!r} changes rate, unit or skew midway."
                )
                raise RecordError(msg)
    # In the order of the layout, then those that no piece has samples of.
    return {name: found.get(name, layout[name]) for name in layout} or found


def _opened(path: Path) -> _Recording:
    """Read all but the samples."""
    name = path.stem if path.suffix == ".hea" else path.name
    folder, where = path.parent, f"{name}.hea"
    main, header = _parsed(folder, name)
    pieces, read, channels = _pieces(folder, name, header)
    duration = header.length / header.rate
    annotations: dict[str, Annotations] = {}
    read = [main, *read, *(file for piece in pieces for file, _ in piece.files)]
    for annotator in ANNOTATORS:
        file = f"{name}.{annotator}"
        if (folder / file).exists():
            beside = confined(folder, file, where=where)
            annotations[annotator] = read_annotations(
                beside, rate=header.rate, duration=duration, where=file
            )
            read.append(beside)
    samples = sum(
        piece.length * line.per_frame
        for piece in pieces
        for _, lines in piece.files
        for line in lines
    )
    return _Recording(
        where, header, tuple(pieces), channels, samples, tuple(read), annotations
    )


class _Check:
    """Checksum and first sample of one signal, as its blocks come in."""

    def __init__(self, line: SignalLine, *, where: str) -> None:
        self._line, self._where = line, f"{where}, channel {line.name!r}"
        self._sum, self._begun = 0, False

    def add(self, digital: Digital) -> None:
        """Hold the next samples against the header."""
        line = self._line
        first, missing = int(digital[0]), STORAGE[line.format].missing
        # A first sample that is missing has no value that a header could declare.
        wrong = line.first not in (None, first) and first != missing
        if wrong and not self._begun:
            msg = (
                f"{self._where}: sample 0 is {first}, the header says {line.first}. "
                "The file is damaged; fetch it again."
            )
            raise RecordError(msg)
        self._begun = True
        self._sum += int(digital.sum(dtype=np.int64))

    def finish(self) -> None:
        """Hold the sum against the header."""
        wanted, total = self._line.checksum, self._sum % 65536
        if wanted is not None and total != wanted % 65536:
            msg = (
                f"{self._where}: the samples sum to {total}, the header's checksum is "
                f"{wanted % 65536}. The file is damaged; fetch it again."
            )
            raise RecordError(msg)


def _values(digital: Digital, line: SignalLine, *, where: str) -> Samples:
    """Return samples in the unit of `physical`, NaN where they are missing."""
    values = digital.astype(np.float64)
    missing = digital == STORAGE[line.format].missing
    values -= line.baseline
    # Damaged gains may give infinite values, which are refused when all are seen.
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        values /= line.gain
    if np.any(missing):
        values[missing] = np.nan
    return physical(values, line.unit, where=f"{where}, channel {line.name!r}")[0]


@dataclass(frozen=True, eq=False)
class _Block:
    """Some frames of a record: samples of the channels that are there."""

    begin: int
    frames: int
    values: Mapping[str, Samples]


def _blocks(recording: _Recording, names: Sequence[str]) -> Iterator[_Block]:
    """Go through a record, verify every signal, and convert those wanted."""
    wanted = set(names)
    for piece in recording.pieces:
        lines = [line for _, group in piece.files for line in group]
        width = sum(line.per_frame for line in lines)
        step = 6 * max(_BLOCK // (6 * width), 1)
        checks = [_Check(line, where=piece.name) for line in lines]
        files = [
            blocks(path, group, length=piece.length, step=step, where=piece.name)
            for path, group in piece.files
        ]
        begin = 0
        for parts in zip(*files, strict=True):
            signals = [signal for part in parts for signal in part]
            frames = len(signals[0]) // lines[0].per_frame
            values: dict[str, Samples] = {}
            for signal, line, check in zip(signals, lines, checks, strict=True):
                check.add(signal)
                if line.name in wanted:
                    values[line.name] = _values(signal, line, where=piece.name)
            yield _Block(piece.begin + begin, frames, values)
            begin += frames
        for check in checks:
            check.finish()


def _asked(recording: _Recording, channels: Sequence[str]) -> list[str]:
    """Return the channels asked for by their names in the header."""
    by_lower = {name.lower(): name for name in recording.channels}
    names: list[str] = []
    for wanted in channels:
        name = wanted if wanted in recording.channels else by_lower.get(wanted.lower())
        if name is None:
            msg = (
                f"{recording.where} has no channel {wanted!r}; it has "
                f"{', '.join(map(repr, recording.channels))}. Ask for one of these."
            )
            raise RecordError(msg)
        if not recording.channels[name].unit:
            msg = (
                f"{recording.where}: channel {name!r} names no unit. Add it to the "
                "header's gain."
            )
            raise UnitError(msg)
        if name not in names:
            names.append(name)
    if not names:
        msg = f"{recording.where}: no channel was asked for. Name one, or give None."
        raise RecordError(msg)
    return names


def _check_spans(recording: _Recording, names: Sequence[str]) -> None:
    """See that converter and gain could have recorded the channels wanted."""
    for piece in recording.pieces:
        for line in (line for _, lines in piece.files for line in lines):
            if line.name in names:
                steps = np.array([2.0 ** STORAGE[line.format].bits])
                where = f"{piece.name}, channel {line.name!r}"
                span, unit = physical(steps / line.gain, line.unit, where=where)
                check_span(line.name, unit, float(span[0]), where=piece.name)


class _Survey:
    """What every channel spans, gaps between pieces included."""

    def __init__(self, recording: _Recording, names: Sequence[str]) -> None:
        self._per_frame = {n: recording.channels[n].per_frame for n in names}
        self._extents = dict.fromkeys(names, Extent())

    def add(self, block: _Block) -> None:
        """Add the next block."""
        for name, values in block.values.items():
            before = self._extents[name]
            gap = block.begin * self._per_frame[name] - before.count
            self._extents[name] = before + Extent(gap) + Extent.of(values)

    def usable(self, recording: _Recording, *, asked: bool) -> list[str]:
        """Return the channels that hold samples, all of which must be plausible."""
        names: list[str] = []
        for name, extent in self._extents.items():
            if extent.valid or asked:
                unit = recording.channels[name].unit
                check_extent(name, unit, extent, where=recording.where)
                names.append(name)
        if not names:
            msg = (
                f"{recording.where} is empty: no channel holds a valid sample with a "
                "unit."
            )
            raise RecordError(msg)
        return names


def _source(recording: _Recording, names: Sequence[str], *, asked: bool) -> str:
    told = [f"WFDB {recording.where}"]
    left = {} if asked else recording.channels
    for why in (_NO_UNIT, _NO_SAMPLE):
        out = [
            name
            for name, channel in left.items()
            if name not in names and bool(channel.unit) == (why == _NO_SAMPLE)
        ]
        if out:
            told.append(f"left out, as {why}: {', '.join(out)}")
    lines = [x for piece in recording.pieces for _, group in piece.files for x in group]
    if any(line.checksum is None for line in lines):
        told.append("without checksums, so that damage cannot be seen")
    return "; ".join(told)


def _wanted(
    recording: _Recording, channels: Sequence[str] | None
) -> tuple[list[str], bool]:
    """Return the channels to read, and whether they were asked for by name."""
    asked = channels is not None
    if channels is None:
        names = [name for name, channel in recording.channels.items() if channel.unit]
    else:
        names = _asked(recording, channels)
    header = recording.header
    for name in names:
        channel = recording.channels[name]
        check_frame(
            name,
            rate=header.rate * channel.per_frame,
            start=-channel.skew / header.rate,
            duration=header.length / header.rate,
            unit=channel.unit,
            where=recording.where,
        )
    _check_spans(recording, names)
    return names, asked


def _check_room(recording: _Recording, names: Sequence[str]) -> None:
    """See that gaps do not ask for memory that no file stands for."""
    frames = recording.header.length
    wanted = frames * sum(recording.channels[name].per_frame for name in names)
    if wanted > _EMPTY + _GAPS * recording.samples:
        msg = (
            f"{recording.where}: {wanted} samples with {recording.samples} in its "
            "files; the rest are gaps. Read it in parts with stream_record, or its "
            "segments apart."
        )
        raise RecordError(msg)


def _record(
    recording: _Recording,
    made: Mapping[str, Samples],
    *,
    begin: int,
    subject: str | None,
    age: float | None,
    source: str,
    files: Mapping[str, str],
) -> Record:
    """Return the part of a record that begins with a frame."""
    header, signals, end = recording.header, {}, begin
    for name, values in made.items():
        channel = recording.channels[name]
        rate = header.rate * channel.per_frame
        start = (begin - channel.skew) / header.rate
        signals[name] = Signal(values, rate, channel.unit, start)
        end = begin + len(values) // channel.per_frame
    return Record(
        subject=subject or recording.where.removesuffix(".hea"),
        channels=signals,
        age=header.age if age is None else age,
        source=source,
        covariates={} if header.male is None else {"male": header.male},
        annotations=_between(recording, begin, end),
        files=files,
    )


def _between(recording: _Recording, begin: int, end: int) -> dict[str, Annotations]:
    """Return the annotations of some frames; of the last, those at their end too."""
    header = recording.header
    low = begin / header.rate
    high = end / header.rate if end < header.length else math.inf
    found: dict[str, Annotations] = {}
    for annotator, notes in recording.annotations.items():
        inside = (notes.times >= low) & (notes.times < high)
        found[annotator] = Annotations(notes.times[inside], notes.labels[inside])
    return found


def _empty(
    recording: _Recording, names: Sequence[str], frames: int
) -> dict[str, Samples]:
    return {
        name: np.full(frames * recording.channels[name].per_frame, np.nan)
        for name in names
    }


def _fill(
    recording: _Recording, made: Mapping[str, Samples], block: _Block, *, begin: int
) -> None:
    """Lay the samples of a block into those of a part that begins with a frame."""
    for name, target in made.items():
        if name in block.values:
            per_frame, values = recording.channels[name].per_frame, block.values[name]
            at = (block.begin - begin) * per_frame
            low, high = max(at, 0), min(at + len(values), len(target))
            target[low:high] = values[low - at : high - at]


def _parts(
    recording: _Recording, names: Sequence[str], *, length: float
) -> Iterator[tuple[int, dict[str, Samples]]]:
    """Yield the first frame and the samples of each part."""
    header = recording.header
    width = sum(recording.channels[name].per_frame for name in names)
    wished = round(min(length * header.rate, header.length))
    step = max(min(wished, _PART // width), 1)
    begin = 0
    made = _empty(recording, names, min(step, header.length))
    for block in _blocks(recording, names):
        while block.begin + block.frames > begin + step:
            if block.begin < begin + step:
                _fill(recording, made, block, begin=begin)
            yield begin, made
            begin += step
            made = _empty(recording, names, min(step, header.length - begin))
        _fill(recording, made, block, begin=begin)
    while begin < header.length:
        yield begin, made
        begin += step
        made = _empty(recording, names, max(min(step, header.length - begin), 0))


def read_wfdb(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
) -> Record:
    """Read a WFDB record, every channel at its own sampling rate.

    Verified: sampling rate, gains, declared lengths against the files (before
    anything is allocated), file names inside the folder, checksums and first samples
    of all signals, and that what the channels hold is possible. Samples marked invalid
    become NaN, pressures mmHg, voltages mV; skew becomes the channel's start. Segments
    are joined, gaps between them are NaN, as are channels that a segment lacks.

    Only a unit that the header names is believed: a channel without one, or without a
    valid sample, is an error when it is asked for, and otherwise left out and named in
    ``record.source``. Damage to a record whose header has no checksums cannot be seen;
    ``source`` says so. Age (up to 89 years) and sex are taken from the comments, times
    and codes from annotation files that have the record's name; nothing else is kept
    of the texts, nor the date.

    Args:
        path: The header, with or without ``.hea``.
        channels: Names of the channels wanted; None for all that can be used.
        subject: Identifier; the record's name by default.
        age: Years; as the header has it by default.

    Raises:
        RecordError: If the record is missing, damaged, empty or impossible, lacks a
            channel, or an annotation file beside it is damaged.
        UnitError: If a sampling rate, a gain or a wanted unit is missing or impossible.
    """
    path = Path(path)
    with _reading(path.name):
        recording = _opened(path)
        names, asked = _wanted(recording, channels)
        _check_room(recording, names)
        made = _empty(recording, names, recording.header.length)
        survey = _Survey(recording, names)
        for block in _blocks(recording, names):
            survey.add(block)
            _fill(recording, made, block, begin=0)
        names = survey.usable(recording, asked=asked)
        files = {file.name: sha256_of(file) for file in recording.read}
    return _record(
        recording,
        {name: made[name] for name in names},
        begin=0,
        subject=subject,
        age=age,
        source=_source(recording, names, asked=asked),
        files=files,
    )


def stream_wfdb(
    path: str | Path,
    *,
    channels: Sequence[str] | None = None,
    subject: str | None = None,
    age: float | None = None,
    length: float = 600.0,
) -> Iterator[Record]:
    """Read a WFDB record in parts that follow each other, in constant memory.

    A first pass over the record verifies what `read_wfdb` does; nothing is yielded of
    a record that it would refuse. The parts, one after the other, hold exactly what it
    would return; an annotation is in the part of its time.

    Args:
        path: See `read_wfdb`.
        channels: See `read_wfdb`.
        subject: See `read_wfdb`.
        age: See `read_wfdb`.
        length: Of a part, s; shorter where that would be more than 8 million samples.

    Yields:
        Parts, each with all channels, NaN where a channel has no sample.

    Raises:
        RecordError: See `read_wfdb`; before the first part. Also if the record changes
            between the passes.
        UnitError: See `read_wfdb`.
        ConfigError: If the length is no positive number.
    """
    if not (math.isfinite(length) and length > 0.0):
        msg = f"parts of {length!r} s; wanted a positive number."
        raise ConfigError(msg)
    path = Path(path)
    with _reading(path.name):
        recording = _opened(path)
        names, asked = _wanted(recording, channels)
        survey = _Survey(recording, names)
        for block in _blocks(recording, names):
            survey.add(block)
        names = survey.usable(recording, asked=asked)
        files = {file.name: sha256_of(file) for file in recording.read}
        source = _source(recording, names, asked=asked)
        for begin, made in _parts(recording, names, length=length):
            yield _record(
                recording,
                made,
                begin=begin,
                subject=subject,
                age=age,
                source=source,
                files=files,
            )
