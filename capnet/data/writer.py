"""Records on disk: continuous channels as WFDB, which PhysioNet's tools read.

The format is that of the manual pages header(5), signal(5) and annot(5) of the WFDB
Applications Guide (G. B. Moody): a header in text, one file of 16-bit samples for each
channel, and annotations beside them. Checksums and first samples are always written, so
that `capnet.read_record` can see whether a file was damaged since.
"""

import math
import re
import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Final, Self

import numpy as np
from jaxtyping import Float

from capnet.errors import RecordError, UnitError
from capnet.files import write_atomic
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
_LONGEST_FRAME: Final = 10
"""s; a frame holds a whole number of samples of every channel."""
_FINEST: Final = 10_000
"""Largest denominator of a sampling rate in Hz."""

_CODES: Final[Mapping[str, int]] = MappingProxyType({"N": 1, "V": 5})
"""Annotation codes: normal and premature ventricular beat."""
_NOTE, _SKIP, _AUX = 22, 59, 63
_LONGEST_STEP: Final = 1023
"""Time steps between two annotations that fit beside a code."""


class RecordWriter:
    """Writes one WFDB record piece by piece, in constant memory.

    Used in a ``with`` statement. The header is written last: a record that could not be
    finished leaves nothing. Channels may have different sampling rates; they share
    frames, and where a channel ends within the last frame its missing samples are
    marked as missing. Annotations are kept in memory until the end (some bytes each).

    Args:
        path: Of the record, without suffix or with ``.hea``; its folder is made. The
            name consists of letters, digits, ``-`` and ``_``.
        comments: Lines of text for the header.

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

    def __init__(self, path: str | Path, *, comments: Iterable[str] = ()) -> None:
        path = Path(path)
        self.path: Final = (
            path if path.suffix == ".hea" else path.with_name(f"{path.name}.hea")
        )
        self._comments = [*comments]
        _check_name(self.path.stem, what="record")
        for comment in self._comments:
            if not comment.isprintable():
                msg = f"{self.path.name}: comment {comment!r}; wanted one line of text."
                raise RecordError(msg)
        self._columns: dict[str, _Column] = {}
        self._times: list[np.ndarray] = []
        self._labels: list[str] = []

    def __enter__(self) -> Self:
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
                self._finish()
        finally:
            for column in self._columns.values():
                column.discard()

    def add(self, channels: Mapping[str, Signal]) -> None:
        """Append the next piece of every channel.

        Raises:
            RecordError: If the channels are others than before, do not go on where
                they ended, have sampling rates without a common frame, or hold a value
                that 16 bits do not.
            UnitError: If a unit is none of `GAINS`.
        """
        where = self.path.name
        if channels and not self._columns:
            self._columns = self._begin(channels)
        if not channels or [*channels] != [*self._columns]:
            msg = (
                f"{where}: the piece has channels {', '.join(channels) or 'none'}; "
                f"wanted {', '.join(self._columns) or 'one or more'}, as before."
            )
            raise RecordError(msg)
        for name, signal in channels.items():
            self._columns[name].append(signal, where=f"{where}, channel {name!r}")

    def annotate(
        self, times: Float[np.ndarray, " beat"], labels: Sequence[str] | np.ndarray
    ) -> None:
        """Note R peaks for the ``.atr`` file.

        Args:
            times: s since the start of the record, none before those given earlier.
                They are rounded to samples of the fastest channel. Shape (beat,).
            labels: ``N`` (normal) or ``V`` (ventricular) each.

        Raises:
            RecordError: If a time is before the record, out of order or missing, or a
                label is unknown.
        """
        where = f"{self.path.stem}.atr"
        unknown = sorted({str(label) for label in labels} - set(_CODES))
        if unknown or len(labels) != len(times):
            msg = (
                f"{where}: {len(times)} times, {len(labels)} labels, of them unknown "
                f"{unknown}; wanted one of {', '.join(_CODES)} for each time."
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

    def _begin(self, channels: Mapping[str, Signal]) -> "dict[str, _Column]":
        for name, signal in channels.items():
            _check_name(name, what="channel")
            if signal.unit not in GAINS:
                msg = (
                    f"{self.path.name}, channel {name!r} is in {signal.unit!r}; "
                    f"wanted one of {', '.join(GAINS)}."
                )
                raise UnitError(msg)
        names = {name.lower() for name in channels}  # some disks know no capitals
        if len(names) < len(channels):
            msg = f"{self.path.name}: channels {[*channels]}; wanted distinct names."
            raise RecordError(msg)
        rates = {name: signal.sampling_rate for name, signal in channels.items()}
        self._frame = _frame_rate(rates, where=self.path.name)
        return {
            name: _Column(
                self.path.with_name(f"{self.path.stem}_{name}.dat"),
                rate=signal.sampling_rate,
                unit=signal.unit,
                per_frame=int(
                    Fraction(signal.sampling_rate).limit_denominator(_FINEST)
                    / self._frame
                ),
            )
            for name, signal in channels.items()
        }

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
        annotations = self.path.with_suffix(".atr")
        if self._times:
            fastest = max(column.rate for column in columns)
            content = _annotations(np.concatenate(self._times), self._labels, fastest)
            write_atomic(annotations, content)
        else:
            annotations.unlink(missing_ok=True)
        write_atomic(self.path, "\n".join([*lines, ""]).encode("utf-8"))


def write_record(record: Record, path: str | Path) -> Path:
    """Write a record's channels as WFDB.

    Cuff readings and age have no place in the format, and whoever reads the record
    takes the name of the file for the subject.

    Args:
        record: Its channels begin together, at 0 s.
        path: See `RecordWriter`.

    Returns:
        Path of the header.

    Raises:
        RecordError: See `RecordWriter.add`.
        UnitError: If a unit is none of `GAINS`.
    """
    with RecordWriter(path) as writer:
        writer.add(record.channels)
    return writer.path


class _Column:
    """The samples of one channel on their way to disk."""

    def __init__(self, path: Path, *, rate: float, unit: str, per_frame: int) -> None:
        self.rate, self.unit, self.per_frame = rate, unit, per_frame
        self.count = 0
        self._path, self._part = path, path.with_name(f".{path.name}.part")
        self._file: BinaryIO = self._part.open("wb")
        self._first, self._sum = 0, 0

    def append(self, signal: Signal, *, where: str) -> None:
        """Write the next samples."""
        if (signal.sampling_rate, signal.unit) != (self.rate, self.unit):
            msg = (
                f"{where}: {signal.sampling_rate:g} Hz in {signal.unit}; wanted "
                f"{self.rate:g} Hz in {self.unit}, as before."
            )
            raise RecordError(msg)
        begin = self.count / self.rate
        if abs(signal.start - begin) * self.rate > 0.01:
            msg = (
                f"{where}: the piece begins at {signal.start:g} s; wanted {begin:g} s, "
                "where the record ends. WFDB has no room for a gap: fill it with NaN."
            )
            raise RecordError(msg)
        steps = np.round(signal.values * float(GAINS[self.unit]))
        large = np.flatnonzero(np.abs(steps) > _LARGEST)
        if len(large):
            at = int(large[0])
            msg = (
                f"{where}: sample {self.count + at} is {signal.values[at]:g} "
                f"{self.unit}; wanted at most {_LARGEST / GAINS[self.unit]:g}."
            )
            raise RecordError(msg)
        self._write(np.nan_to_num(steps, nan=_MISSING).astype("<i2"))

    def close(self, frames: int) -> str:
        """Fill the last frame up and return the channel's line but for its name."""
        lacking = frames * self.per_frame - self.count
        self._write(np.full(lacking, _MISSING, dtype="<i2"))
        self._file.close()
        self._part.replace(self._path)
        form = "16" if self.per_frame == 1 else f"16x{self.per_frame}"
        scale = f"{GAINS[self.unit]}(0)/{self.unit}"
        checksum = self._sum % 65536
        return f"{self._path.name} {form} {scale} 16 0 {self._first} {checksum} 0"

    def discard(self) -> None:
        """Close the file and forget what was not finished."""
        self._file.close()
        with suppress(FileNotFoundError):
            self._part.unlink()

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


def _frame_rate(rates: Mapping[str, float], *, where: str) -> Fraction:
    """Return the largest rate of which all rates are multiples, Hz."""
    exact = [Fraction(rate).limit_denominator(_FINEST) for rate in rates.values()]
    bottom = math.lcm(*(rate.denominator for rate in exact))
    top = math.gcd(*(int(rate * bottom) for rate in exact))
    frame = Fraction(top, bottom)
    close = all(
        math.isclose(float(fraction), rate, rel_tol=1e-12)
        for fraction, rate in zip(exact, rates.values(), strict=True)
    )
    if not close or frame * _LONGEST_FRAME < 1:
        said = ", ".join(f"{name} {rate!r}" for name, rate in rates.items())
        msg = (
            f"{where}: sampling rates are {said} Hz; wanted whole multiples of one "
            f"rate of {1 / _LONGEST_FRAME:g} Hz or more."
        )
        raise RecordError(msg)
    return frame


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
