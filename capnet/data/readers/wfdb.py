"""The door of WFDB: PhysioNet records in, or one clear error.

The wfdb package decodes the samples; nothing else is left to it, as it reads many a
damaged header with other numbers than are meant. Verified before it is called: header,
sizes, paths, the time that is declared; of what it returns: checksum and first sample
of every signal, and what the channels hold. It is called for one block of frames after
the other, so that reading a record whole and in parts are the same, and the latter
takes no more memory for a day than for a minute.
"""

import math
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import wfdb
from jaxtyping import Int

from capnet.data.readers.disk import reading
from capnet.data.readers.plausibility import (
    Extent,
    check_extent,
    check_frame,
    check_span,
    physical,
)
from capnet.data.readers.wfdb_annotations import ANNOTATORS, read_annotations
from capnet.data.readers.wfdb_header import Header, SignalLine, parse_header
from capnet.data.readers.wfdb_storage import STORAGE, check_size
from capnet.errors import ConfigError, RecordError, UnitError
from capnet.files import confined, sha256_of
from capnet.records import Annotations, Record, Signal
from capnet.types import Samples

__all__ = ["read_wfdb", "stream_wfdb"]

Digital = Int[np.ndarray, "time"]
"""Samples of one signal as the converter gave them."""

_LARGEST_HEADER: Final = 1 << 20
"""Bytes; a longer header is no header."""

_BLOCK: Final = 1 << 18
"""Samples of all channels that are decoded at once, about."""

_PART: Final = 1 << 23
"""Samples of all channels in a part; parts of more are made shorter."""

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
        path: Its header.
        header: Its content.
        begin: Frames of the whole record before it.
        files: With the samples.
    """

    path: Path
    header: Header
    begin: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class _Channel:
    """What is the same of a channel in every piece.

    Attributes:
        per_frame: Samples in one frame.
        declared: Unit that the header names, in lower case.
        unit: That of `physical`; empty where none is named.
        skew: Frames.
    """

    per_frame: int
    declared: str
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


def _plain(path: Path, header: Header, *, begin: int) -> _Plain:
    """Find the signal files of a record in one piece, and verify their sizes."""
    where, files = path.name, []
    # wfdb, too, takes signals of one file as lying beside each other.
    for name, group in groupby(header.signals, key=lambda line: line.file):
        lines = tuple(group)
        if name == "~":
            msg = f"{where}: signal {lines[0].name!r} has no file ('~'); wanted one."
            raise RecordError(msg)
        file = confined(path.parent, name, where=where)
        if file in files:
            msg = f"{where}: the signals of {name!r} do not stand together."
            raise RecordError(msg)
        check_size(file, lines, length=header.length, where=where)
        files.append(file)
    return _Plain(path, header, begin, tuple(files))


def _check_segment(inner: Header, outer: Header, length: int, *, where: str) -> None:
    """See that a segment is what the record in segments says of it."""
    if inner.segments or (inner.rate, inner.length) != (outer.rate, length):
        msg = (
            f"{where} has {inner.length} samples at {inner.rate:g} Hz; {length} at "
            f"{outer.rate:g} Hz are declared, in one piece."
        )
        raise RecordError(msg)


def _pieces(
    main: Path, header: Header
) -> tuple[list[_Plain], list[Path], dict[str, _Channel]]:
    """Open every segment; a record in one piece is its own."""
    where = main.name
    if not header.segments:
        plain = _plain(main, header, begin=0)
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
        path, inner = _parsed(main.parent, segment.name, layout=segment.length == 0)
        read.append(path)
        if inner.name != segment.name:
            msg = f"{told} has the header of another. Fetch it again."
            raise RecordError(msg)
        _check_segment(inner, header, segment.length, where=told)
        names = {line.name for line in inner.signals}
        if segment.length == 0:
            layout = {line.name: _channel(line, where=told) for line in inner.signals}
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
            pieces.append(_plain(path, inner, begin=begin))
        begin += segment.length
    if not pieces:
        msg = f"{where} is empty: it has gaps alone."
        raise RecordError(msg)
    return pieces, read, _channels(pieces, layout, where=where)


def _channel(line: SignalLine, *, where: str) -> _Channel:
    unit = line.unit
    if unit:
        _, unit = physical(np.empty(0), unit, where=f"{where}, channel {line.name!r}")
    return _Channel(line.per_frame, line.unit.lower(), unit, line.skew)


def _channels(
    pieces: Sequence[_Plain], layout: Mapping[str, _Channel], *, where: str
) -> dict[str, _Channel]:
    """Collect the channels, which may not change from piece to piece."""
    found: dict[str, _Channel] = {}
    for piece in pieces:
        for line in piece.header.signals:
            channel = _channel(line, where=where)
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
    if "::" in str(folder.absolute()):  # wfdb takes it for the address of a cloud
        msg = f"{where} lies in a folder with '::' in its name. Rename the folder."
        raise RecordError(msg)
    main, header = _parsed(folder, name)
    pieces, read, channels = _pieces(main, header)
    duration = header.length / header.rate
    annotations: dict[str, Annotations] = {}
    read = [main, *read, *(file for piece in pieces for file in piece.files)]
    for annotator in ANNOTATORS:
        file = f"{name}.{annotator}"
        if (folder / file).exists():
            beside = confined(folder, file, where=where)
            annotations[annotator] = read_annotations(
                beside, rate=header.rate, duration=duration, where=file
            )
            read.append(beside)
    samples = sum(
        piece.header.length * line.per_frame
        for piece in pieces
        for line in piece.header.signals
    )
    return _Recording(
        where, header, tuple(pieces), channels, samples, tuple(read), annotations
    )


def _decoded(piece: _Plain, begin: int, end: int) -> list[Digital]:
    """Let wfdb decode frames, and see that it has read the same header."""
    header, lines = piece.header, piece.header.signals
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = wfdb.rdrecord(
                str(piece.path.with_suffix("")),
                sampfrom=begin,
                sampto=end,
                physical=False,
                smooth_frames=False,
                ignore_skew=True,
                return_res=32,
            )
            signals = list(found.e_d_signal)
        # wfdb and libsndfile raise whatever they stumble over, bare Exception too. What
        # they say is not told on: it may quote the header.
        except Exception as error:
            msg = (
                f"{piece.path.name}: the samples from frame {begin} on cannot be "
                f"decoded ({type(error).__name__}). The files are damaged; fetch them "
                "again."
            )
            raise RecordError(msg) from error
    read = zip(found.file_name, found.fmt, found.samps_per_frame, strict=True)
    same = (
        found.fs == header.rate
        and list(read) == [(x.file, x.format, x.per_frame) for x in lines]
        and [x or 0 for x in found.byte_offset] == [x.offset for x in lines]
        and [len(x) for x in signals] == [(end - begin) * x.per_frame for x in lines]
    )
    if not same:
        msg = (
            f"{piece.path.name}: the header can be read in two ways. Write it in "
            "plain fields, one blank between them."
        )
        raise RecordError(msg)
    return signals


class _Check:
    """First sample, range and checksum of one signal, as its blocks come in."""

    def __init__(self, line: SignalLine, *, where: str) -> None:
        self._line, self._where = line, f"{where}, channel {line.name!r}"
        self._sum, self._last = 0, line.first or 0
        self._begun = False

    def add(self, digital: Digital) -> Digital:
        """Hold the next samples against the header, and return them."""
        line, storage = self._line, STORAGE[self._line.format]
        if line.format == "8" and self._begun:
            # wfdb begins the sum of differences anew with every call.
            digital = digital + np.int32(self._last - (line.first or 0))
        first, half = int(digital[0]), 1 << (storage.bits - 1)
        # A first sample that is missing is declared as such, or as 0.
        wanted = (first, 0) if first == storage.missing else (first,)
        if not self._begun and line.first not in (None, *wanted):
            msg = (
                f"{self._where}: sample 0 is {first}, the header says {line.first}. "
                "The file is damaged; fetch it again."
            )
            raise RecordError(msg)
        # Format 311: wfdb reads a bit that belongs to no sample.
        if digital.max() >= half:
            msg = f"{self._where}: a sample has more than {storage.bits} bits."
            raise RecordError(msg)
        self._begun, self._last = True, int(digital[-1])
        self._sum += int(digital.sum(dtype=np.int64))
        return digital

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
        where, length = piece.path.name, piece.header.length
        lines = piece.header.signals
        step = max(_BLOCK // sum(line.per_frame for line in lines), 1)
        checks = [_Check(line, where=where) for line in lines]
        for begin in range(0, length, step):
            end = min(begin + step, length)
            values: dict[str, Samples] = {}
            signals = _decoded(piece, begin, end)
            for signal, line, check in zip(signals, lines, checks, strict=True):
                digital = check.add(signal)
                if line.name in wanted:
                    values[line.name] = _values(digital, line, where=where)
            yield _Block(piece.begin + begin, end - begin, values)
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
        for line in piece.header.signals:
            if line.name in names:
                steps = np.array([2.0 ** STORAGE[line.format].bits])
                where = f"{piece.path.name}, channel {line.name!r}"
                with np.errstate(over="ignore"):  # an infinite sample is refused later
                    steps /= line.gain
                span, unit = physical(steps, line.unit, where=where)
                check_span(line.name, unit, float(span[0]), where=piece.path.name)


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
                "unit. Add the units to the gains in its header, as in 200/mV."
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
    pieces = recording.pieces
    if any(x.checksum is None for piece in pieces for x in piece.header.signals):
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
    with reading(path.name):
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
    with reading(path.name):
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
