"""Records on disk: as WFDB, which PhysioNet's tools read, and by the door to others.

WFDB is written as the manual pages header(5), signal(5) and annot(5) of the WFDB
Applications Guide (G. B. Moody) say: a header in text, one file of 16-bit samples for
each channel, and annotations beside them. Checksums and first samples are always
written, so that `capnet.read_record` can see whether a file was damaged since.
"""

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
from jaxtyping import Float

from capnet.data.readers.plausibility import check_plausible
from capnet.data.readers.wfdb_annotations import LABELS
from capnet.data.writers.frames import exact_rate, frame_rate
from capnet.data.writers.quantum import Scale, plain, scale_of
from capnet.data.writers.together import free_names, rename_together
from capnet.errors import RecordError, UnitError
from capnet.files import explained
from capnet.records import Record, Signal

__all__ = ["GAINS", "RecordWriter", "write_record"]

GAINS: Final[Mapping[str, int]] = MappingProxyType(
    {"mV": 2000, "mmHg": 100, "NU": 1000}
)
"""Digital steps in one physical unit; 16 bits hold 16 mV, 327 mmHg or 32 NU."""

_MISSING: Final = -(1 << 15)
"""What stands for a missing sample in format 16."""
_LARGEST: Final = (1 << 15) - 1
_NAME: Final = re.compile(r"[A-Za-z0-9_-]+")
_WORD: Final = re.compile(r"[!-~]+")
_SKEW: Final = 1e-6
"""Frames by which a start may differ from a whole number of frames."""

_CODES: Final[Mapping[str, int]] = {
    LABELS.get(code, str(code)): code for code in range(1, 50)
}
"""Codes of annotations by the label that `capnet.read_record` gives them."""
_NOTE, _SKIP, _AUX = 22, 59, 63
_LONGEST_STEP: Final = 1023
"""Time steps between two annotations that fit beside a code."""


class RecordWriter:
    """Writes one WFDB record piece by piece, in constant memory.

    Used in a ``with`` statement. The header is written last, and files of samples get
    names that no file has: a record that could not be finished leaves nothing, and a
    record of that name that was there before stays whole until the new header replaces
    the old one (only its annotations are gone in between).
    Channels may have different sampling rates; they share frames, and where a channel
    ends within the last frame its missing samples are marked as missing. Annotations
    are kept in memory until the end (some bytes each).

    Args:
        path: Of the record, without suffix or with ``.hea``; its folder is made. The
            name consists of letters, digits, ``-`` and ``_``.
        comments: Lines of text for the header.
        scales: Steps of channels that are not to have those of `GAINS`.

    Raises:
        RecordError: If the name or a comment cannot stand in a header.

    Example:
        >>> import tempfile
        >>> from capnet import read_record
        >>> beat = Signal(np.array([0.0, 1.0, 0.5]), 250.0, "mV")
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with RecordWriter(Path(folder) / "a") as writer:
        ...         writer.add({"ecg": beat})
        ...         writer.annotate(np.array([0.004]), ["N"])
        ...     print(read_record(Path(folder) / "a").channels["ecg"].values)
        [0.  1.  0.5]
    """

    def __init__(
        self,
        path: str | Path,
        *,
        comments: Iterable[str] = (),
        scales: Mapping[str, Scale] | None = None,
    ) -> None:
        path = Path(path)
        self.path: Final = (
            path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")
        )
        self._comments = [*comments]
        self._scales = dict(scales or {})
        _check_name(self.path.stem, what="record")
        for comment in self._comments:
            if not comment.isprintable():
                msg = f"{self.path.name}: a comment is not one line of text."
                raise RecordError(msg)
        self._columns: dict[str, _Column] = {}
        self._times: list[np.ndarray] = []
        self._labels: list[str] = []
        self._parts: list[Path] = []

    def __enter__(self) -> Self:
        with explained(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                with explained(self.path):
                    self._finish()
        finally:
            for column in self._columns.values():
                column.discard()
            for part in self._parts:
                with suppress(OSError):
                    part.unlink(missing_ok=True)

    def add(self, channels: Mapping[str, Signal]) -> None:
        """Append the next piece of every channel.

        Raises:
            RecordError: If the channels are others than before, do not go on where
                they ended, have sampling rates without a common frame, or hold a value
                that 16 bits do not.
            UnitError: If a unit is none of `GAINS` and the channel has no scale.
            StorageError: If the disk is full or refuses.
        """
        where = self.path.name
        if channels and not self._columns:
            with explained(self.path):
                self._begin(channels)
        if not channels or [*channels] != [*self._columns]:
            msg = (
                f"{where}: the piece has channels {', '.join(channels) or 'none'}; "
                f"wanted {', '.join(self._columns) or 'one or more'}, as before."
            )
            raise RecordError(msg)
        with explained(self.path):
            for name, signal in channels.items():
                self._columns[name].append(signal, where=f"{where}, channel {name!r}")

    def annotate(
        self, times: Float[np.ndarray, " beat"], labels: Sequence[str] | np.ndarray
    ) -> None:
        """Note R peaks for the ``.atr`` file.

        Args:
            times: s since the start of the record, none before those given earlier.
                They are rounded to samples of the fastest channel. Shape (beat,).
            labels: ``N`` (normal), ``V`` (ventricular) or another code of ecgcodes(5)
                each.

        Raises:
            RecordError: If a time is before the record, out of order or missing, or a
                label is unknown.
        """
        where = f"{self.path.stem}.atr"
        known = len(labels) == len(times) and all(str(x) in _CODES for x in labels)
        if not known:  # what is no code may be a text, which is not quoted
            msg = (
                f"{where}: {len(times)} times, {len(labels)} labels; wanted as many of "
                f"both, and codes such as N or V (ecgcodes(5)) of each beat."
            )
            raise RecordError(msg)
        last = self._times[-1][-1] if self._times else 0.0
        ordered = (np.diff(times, prepend=last) >= 0.0).all()
        if not (ordered and np.isfinite(times).all()):
            msg = f"{where}: wanted finite times from {last:g} s on, in their order."
            raise RecordError(msg)
        if len(times):
            self._times.append(np.array(times, dtype=np.float64))
            self._labels += map(str, labels)

    def _begin(self, channels: Mapping[str, Signal]) -> None:
        scales: dict[str, Scale] = {}
        for name, signal in channels.items():
            if not name.isprintable() or not name or name != name.strip():
                msg = f"channel {name!r}; wanted a printable name. Rename it."
                raise RecordError(msg)
            known = signal.unit in GAINS or name in self._scales
            if not (known and _WORD.fullmatch(signal.unit)):
                msg = (
                    f"{self.path.name}, channel {name!r} is in {signal.unit!r}; "
                    f"wanted one of {', '.join(GAINS)}."
                )
                raise UnitError(msg)
            usual = Scale(1 / Decimal(GAINS.get(signal.unit, 1)))
            scales[name] = self._scales.get(name, usual)
        files: dict[str, Path] = {}
        for number, name in enumerate(channels):
            word = name if _NAME.fullmatch(name) else str(number)
            path = self.path.with_name(f"{self.path.stem}_{word}.dat")
            if path.exists():  # the old header keeps what it names
                begin = path.with_name(f"{path.stem}--")
                [path] = free_names(begin, ".dat", 1)
            files[name] = path
        distinct = {path.name.lower() for path in files.values()}
        if len(distinct) < len(channels):  # some disks know no capitals
            msg = f"{self.path.name}: channels {[*channels]}; wanted distinct names."
            raise RecordError(msg)
        rates = {name: signal.sampling_rate for name, signal in channels.items()}
        self._frame = frame_rate(rates, where=self.path.name)
        for name, signal in channels.items():
            self._columns[name] = _Column(
                files[name],
                signal,
                scales[name],
                skew=self._skew(signal),
                per_frame=int(exact_rate(signal.sampling_rate) / self._frame),
            )

    def _skew(self, signal: Signal) -> int:
        """Return the frames by which a channel begins before the record, or 0."""
        frames = -signal.start * float(self._frame)
        skew = max(0, round(frames))
        return skew if abs(frames - skew) < _SKEW else 0

    def _finish(self) -> None:
        name = self.path.stem
        if not self._columns:
            msg = f"{self.path.name} has no samples; wanted at least one piece."
            raise RecordError(msg)
        columns = self._columns.values()
        length = max(math.ceil(c.count / c.per_frame) for c in columns)
        rate = float(self._frame)
        lines = [f"{name} {len(columns)} {rate:.15g} {length}"]
        for channel, column in self._columns.items():
            lines.append(f"{column.close(length)} {channel}")
        lines += [f"# {comment}" for comment in self._comments]
        steps: list[tuple[Path | None, Path]] = [(c.part, c.path) for c in columns]
        # In this order, whoever is killed leaves no header with another's annotations.
        annotations = self.path.with_suffix(".atr")
        steps.append((None, annotations))
        steps.append(self._part(self.path, "\n".join([*lines, ""]).encode("utf-8")))
        if self._times:
            fastest = max(column.rate for column in columns)
            content = _annotations(np.concatenate(self._times), self._labels, fastest)
            steps.append(self._part(annotations, content))
        before = self._named()
        rename_together(steps)
        for gone in before:
            with suppress(OSError):
                gone.unlink(missing_ok=True)

    def _part(self, path: Path, content: bytes) -> tuple[Path, Path]:
        part = path.with_name(f".{path.name}.part")
        self._parts.append(part)
        part.write_bytes(content)
        return part, path

    def _named(self) -> list[Path]:
        """Return the files of samples that were written for the old header."""
        try:
            lines = self.path.read_text("utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        named = re.compile(re.escape(self.path.stem) + r"_[\w-]+\.dat")
        files = {line.partition(" ")[0] for line in lines}
        return [self.path.with_name(f) for f in files if named.fullmatch(f)]


def write_record(record: Record, path: str | Path) -> Path:
    """Write a record; the format follows from the name of the file.

    ===========================  ==================================================
    ``.hea``, or no suffix       WFDB: channels and annotations ``atr``, age and sex.
                                 `GAINS` where they suffice, else the finest of 1, 2
                                 or 5 times a power of ten of which 16 bits hold all
                                 values. Channels start at 0 s or before.
    ``.csv``, ``.csv.gz``,       A table with a sidecar, see
    ``.parquet``, ``.npz``       `capnet.data.writers.tables`: everything, exactly.
    ``.edf``                     EDF, see `capnet.data.writers.edf`: channels without
                                 missing samples, to the quantum.
    ===========================  ==================================================

    What a format has no room for is not written; nor is ever the subject: whoever reads
    the record takes the name of the file for it.

    Args:
        record: Its values are possible ones.
        path: Its folder is made.

    Returns:
        Path of the file to read: the header, the table, the EDF file.

    Raises:
        RecordError: If the format cannot hold the record, or a value is impossible.
        UnitError: If the format cannot name a unit, or it is none of the channel's.
        StorageError: If the disk is full or refuses; what was there before is as it
            was.
    """
    from capnet.data.readers.sidecar import SUFFIXES

    path = Path(path)
    name = path.name.lower()
    if name.endswith(SUFFIXES):
        from capnet.data.writers.tables import write_table

        return write_table(record, path)
    if name.endswith(".edf"):
        from capnet.data.writers.edf import write_edf

        return write_edf(record, path)
    if path.suffix not in ("", ".hea"):
        known = ", ".join((".hea", *SUFFIXES, ".edf"))
        msg = f"{path.name} is of no format that can be written; wanted {known}."
        raise RecordError(msg)
    return _write_wfdb(record, path)


def _write_wfdb(record: Record, path: Path) -> Path:
    where = path.name
    check_plausible(record.channels, where=where)
    scales = {
        name: scale_of(s.values, characters=20, where=f"{where}, channel {name!r}")
        for name, s in record.channels.items()
        if not np.nanmax(np.abs(s.values)) * GAINS.get(s.unit, math.inf) <= _LARGEST
    }
    sexes = {0.0: "<sex>: F", 1.0: "<sex>: M"}
    facts = (
        [] if record.age is None else [f"<age>: {plain(Decimal(f'{record.age:.6f}'))}"]
    )
    facts += [s for v, s in sexes.items() if record.covariates.get("male") == v]
    comments = [" ".join(facts)] if facts else []
    with RecordWriter(path, comments=comments, scales=scales) as writer:
        writer.add(record.channels)
        if "atr" in record.annotations:
            notes = record.annotations["atr"]
            writer.annotate(notes.times, notes.labels)
    return writer.path


class _Column:
    """The samples of one channel on their way to disk."""

    def __init__(
        self, path: Path, signal: Signal, scale: Scale, *, skew: int, per_frame: int
    ) -> None:
        self.rate, self.unit, self.per_frame = (
            signal.sampling_rate,
            signal.unit,
            per_frame,
        )
        self.count = 0
        self.path, self.part = path, path.with_name(f".{path.name}.part")
        self._scale, self._skew = scale, skew
        self._start = signal.start if skew else 0.0
        self._file: BinaryIO = self.part.open("wb")
        self._first, self._sum = 0, 0

    def append(self, signal: Signal, *, where: str) -> None:
        """Write the next samples."""
        if (signal.sampling_rate, signal.unit) != (self.rate, self.unit):
            msg = (
                f"{where}: {signal.sampling_rate:g} Hz in {signal.unit}; wanted "
                f"{self.rate:g} Hz in {self.unit}, as before."
            )
            raise RecordError(msg)
        begin = self._start + self.count / self.rate
        if abs(signal.start - begin) * self.rate > 0.01:
            msg = (
                f"{where}: the piece begins at {signal.start:g} s; wanted {begin:g} s, "
                "where the record ends, or whole frames before 0 s at first. WFDB has "
                "no room for a gap: fill it with NaN. A table (.parquet, .csv) takes "
                "any start."
            )
            raise RecordError(msg)
        centre, gain = float(self._scale.centre), float(1 / self._scale.quantum)
        steps = np.round((signal.values - centre) * gain)
        large = np.flatnonzero(np.abs(steps) > _LARGEST)
        if len(large):
            at = int(large[0])
            msg = (
                f"{where}: sample {self.count + at} is {signal.values[at]:g} "
                f"{self.unit}; wanted at most {centre + _LARGEST / gain:g}."
            )
            raise RecordError(msg)
        self._write(np.nan_to_num(steps, nan=_MISSING).astype("<i2"))

    def close(self, frames: int) -> str:
        """Fill the last frame up and return the channel's line but for its name."""
        lacking = frames * self.per_frame - self.count
        self._write(np.full(lacking, _MISSING, dtype="<i2"))
        self._file.close()
        form = "16" if self.per_frame == 1 else f"16x{self.per_frame}"
        form += f":{self._skew}" if self._skew else ""
        baseline = round(-self._scale.centre / self._scale.quantum)
        scale = f"{plain(1 / self._scale.quantum)}({baseline})/{self.unit}"
        checksum = self._sum % 65536
        return f"{self.path.name} {form} {scale} 16 0 {self._first} {checksum} 0"

    def discard(self) -> None:
        """Close the file and forget what was not finished."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self.part.unlink(missing_ok=True)

    def _write(self, samples: np.ndarray) -> None:
        if self.count == 0 and len(samples):
            self._first = int(samples[0])
        self._sum += int(samples.sum(dtype=np.int64))
        self.count += len(samples)
        self._file.write(samples.tobytes())


def _check_name(name: str, *, what: str) -> None:
    if not _NAME.fullmatch(name):
        msg = f"{what} {name!r}; wanted a name of letters, digits, '-' and '_'."
        raise RecordError(msg)


def _annotations(
    times: Float[np.ndarray, " beat"], labels: Sequence[str], rate: float
) -> bytes:
    """Return annotations as annot(5) has them, with their own time resolution."""
    note = f"## time resolution: {rate:.15g}".encode("ascii")
    words = [struct.pack("<HH", _NOTE << 10, _AUX << 10 | len(note))]
    words.append(note + b"\0" * (len(note) % 2))
    steps = np.diff(np.round(times * rate).astype(np.int64), prepend=0)
    for step, label in zip(steps.tolist(), labels, strict=True):
        short = step
        if step > _LONGEST_STEP:  # the high half of a long interval comes first
            words.append(struct.pack("<HHH", _SKIP << 10, step >> 16, step & 0xFFFF))
            short = 0
        words.append(struct.pack("<H", _CODES[label] << 10 | short))
    words.append(b"\0\0")
    return b"".join(words)
