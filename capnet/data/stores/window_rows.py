"""Windows of 8 s on one grid, with what the gate says of each: containers of beats."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped

from capnet.records import Record, Signal
from capnet.signal.grid import on_grid
from capnet.signal.pieces import Piece, pieces_of
from capnet.signal.sampling import RATE
from capnet.signal.windows import WINDOW, judge_windows
from capnet.units import pressure_factor

__all__ = ["WINDOW_POINTS", "WindowRows", "windows_in"]

KINDS: Final = ("ecg", "ppg", "abp")
"""Channels of a window, always all three: NaN where there is none."""

WINDOW_POINTS: Final = round(WINDOW * RATE)
"""Samples of a window."""

_SLACK: Final = 1e-6
"""s, and samples, by which the clock of a recording is rounded."""


@dataclass(frozen=True, eq=False)
class WindowRows:
    """A table of windows of one recording.

    Attributes:
        subject: Identifier of the person. Shape (window,).
        start: Seconds since the start of the record. Shape (window,).
        waves: ``ecg`` (mV), ``ppg`` (as recorded) and ``abp`` (mmHg) at 125 Hz, NaN
            where missing. Each of shape (window, 1000).
        reason: Why the gate refuses the channel in the window, empty where it does not,
            ``missing`` without such a channel. Each of shape (window,).
    """

    subject: Shaped[np.ndarray, " window"]
    start: Float[np.ndarray, " window"]
    waves: Mapping[str, Float[np.ndarray, "window 1000"]]
    reason: Mapping[str, Shaped[np.ndarray, " window"]]

    def __len__(self) -> int:
        return len(self.start)


def windows_in(
    records: Record | Iterable[Record],
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
) -> Iterator[WindowRows]:
    """Cut a recording into windows as it comes in, in constant memory.

    Windows begin at multiples of 8 s on the recording's clock; what is left of one at
    both ends of the recording is left out.

    Args:
        records: The recording, or parts of it that follow each other.
        ecg: Name of the ECG; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.

    Yields:
        The windows of about ten minutes at a time.

    Raises:
        RecordError: If there is none of the channels, or a named one is missing.
        UnitError: If a rate is below 10 Hz, or the unit of the pressure is none.
    """
    for piece in pieces_of(records):
        record = piece.record
        given = {"ecg": ecg, "ppg": ppg, "abp": abp}
        names = {kind: name or record.find(kind) for kind, name in given.items()}
        known = {kind: name for kind, name in names.items() if name is not None}
        if not known:
            record.signal("ppg")  # says what there is
        rows = _of_piece(piece, known)
        if rows is not None:
            yield rows


def _of_piece(piece: Piece, names: Mapping[str, str]) -> WindowRows | None:
    record = piece.record
    signals = {kind: record.signal(name) for kind, name in names.items()}
    first = min(signal.start for signal in signals.values())
    last = max(signal.start + signal.duration for signal in signals.values())
    # Pieces begin at multiples of windows, too.
    begin = WINDOW * float(np.ceil((max(first, piece.start) - _SLACK) / WINDOW))
    n = int((min(last, piece.stop) - begin + _SLACK) / WINDOW)
    if n < 1:
        return None
    stop = begin + n * WINDOW
    waves = {kind: np.full((n, WINDOW_POINTS), np.nan) for kind in KINDS}
    for kind, signal in signals.items():
        where = f"channel {names[kind]!r} of record {record.subject!r}"
        factor = pressure_factor(signal.unit, where=where) if kind == "abp" else 1.0
        grid = on_grid(signal, sampling_rate=RATE, start=begin, stop=stop)
        waves[kind] = factor * grid.reshape(n, WINDOW_POINTS)
    inside = {names[kind]: _between(s, begin, stop) for kind, s in signals.items()}
    verdicts = judge_windows(
        replace(record, channels=inside),
        ecg=names.get("ecg"),
        ppg=names.get("ppg"),
        abp=names.get("abp"),
    )
    reason = {
        kind: verdicts.of(names[kind])[:n]
        if kind in names
        else np.full(n, "missing", dtype="U24")
        for kind in KINDS
    }
    start = begin + WINDOW * np.arange(n)
    return WindowRows(np.full(n, record.subject), start, waves, reason)


def _between(signal: Signal, start: float, stop: float) -> Signal:
    """Return the samples from start to stop, NaN where the channel has none."""
    rate = signal.sampling_rate
    low = math.ceil((start - signal.start) * rate - _SLACK)
    high = math.ceil((stop - signal.start) * rate - _SLACK) + 1
    values = np.full(high - low, np.nan)
    begin, end = max(low, 0), min(high, len(signal.values))
    values[begin - low : max(end, begin) - low] = signal.values[begin : max(end, begin)]
    return Signal(values, rate, signal.unit, signal.start + low / rate)
