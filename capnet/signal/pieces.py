"""Pieces of long recordings: fixed blocks on the recording's own clock.

What is computed of a recording, whole or as it comes in, is computed piece by piece,
each with a margin for the filters, and what belongs to a piece is kept. Where the
pieces lie depends on the clock alone, so that the answer does not depend on how the
recording was handed over, and memory does not grow with its length.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capnet.errors import ConfigError, RecordError
from capnet.records import Cuff, Record, Signal
from capnet.types import Samples

__all__ = ["LENGTH", "MARGIN", "Piece", "pieces_of"]

LENGTH: Final = 600.0
"""Seconds of a piece: ten minutes hold enough beats to know what is usual, and two
segments of heart rate variability."""

MARGIN: Final = 15.0
"""Seconds on each side of a piece: the detectors' filters have settled by then."""

_SLACK: Final = 1e-3
"""Samples by which parts that follow each other may seem to lie apart."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A stretch of a recording with its margins.

    Attributes:
        record: All channels, on the clock of the whole recording.
        start: Beginning of what belongs to the piece, s.
        stop: Its end (excluded), s.
        first: Whether nothing came before it.
        last: Whether nothing comes after it.
    """

    record: Record
    start: float
    stop: float
    first: bool
    last: bool

    def holds(self, time: np.ndarray) -> np.ndarray:
        """Say which times belong to the piece; the ends of a recording are open."""
        low = -math.inf if self.first else self.start
        high = math.inf if self.last else self.stop
        belongs: np.ndarray = (time >= low) & (time < high)
        return belongs


class _Channel:
    """What is still needed of a channel."""

    def __init__(self, signal: Signal) -> None:
        self.rate, self.unit = signal.sampling_rate, signal.unit
        self.start = signal.start
        self._parts: list[Samples] = []
        self._first = 0
        self._end = 0
        """Numbers of the first sample held and of the next to come."""

    @property
    def stop(self) -> float:
        return self.start + self._end / self.rate

    def add(self, signal: Signal, *, where: str) -> None:
        if (signal.sampling_rate, signal.unit) != (self.rate, self.unit):
            msg = (
                f"{where} goes on with {signal.sampling_rate:g} Hz in "
                f"{signal.unit!r} after {self.rate:g} Hz in {self.unit!r}; wanted "
                "parts of one recording."
            )
            raise RecordError(msg)
        if abs(signal.start - self.stop) * self.rate > _SLACK:
            msg = (
                f"{where} ends at {self.stop:g} s and goes on at {signal.start:g} s; "
                "wanted parts that follow each other. Fill what is missing with NaN."
            )
            raise RecordError(msg)
        self._parts.append(signal.values)
        self._end += len(signal.values)

    def _number(self, time: float) -> int:
        """First sample at or after a time; rounding does not move it."""
        return max(math.ceil((time - self.start) * self.rate - _SLACK), 0)

    def _held(self) -> Samples:
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts)]
        return self._parts[0]

    def cut(self, low: float, high: float) -> Signal:
        begin = max(self._number(low), self._first)
        end = min(self._number(high), self._end)
        if end <= begin:  # a channel that is not there yet, or no more
            begin, values = self._number(low), np.full(1, np.nan)
        else:
            values = self._held()[begin - self._first : end - self._first]
        return Signal(values, self.rate, self.unit, self.start + begin / self.rate)

    def forget(self, before: float) -> None:
        begin = min(self._number(before), self._end)
        if begin > self._first:
            self._parts = [self._held()[begin - self._first :]]
            self._first = begin


def pieces_of(
    records: Record | Iterable[Record],
    *,
    length: float | None = None,
    margin: float | None = None,
) -> Iterator[Piece]:
    """Cut a recording into pieces.

    Args:
        records: The recording, or parts of it that follow each other without a gap,
            each with all channels (parts may have any lengths).
        length: Of a piece, s; `LENGTH` by default. Pieces begin at its multiples on the
            recording's clock.
        margin: On both sides of each, s; `MARGIN` by default.

    Yields:
        Pieces in the order of time, none of those without a sample of any channel. One
        part is read ahead.

    Raises:
        ConfigError: If the length is not above the margin, or the margin negative.
        RecordError: If there is no part, or one does not go on where the one before
            ends, with the same channels.
    """
    length = LENGTH if length is None else length
    margin = MARGIN if margin is None else margin
    if not (math.isfinite(length) and 0.0 <= margin < length):
        msg = (
            f"pieces of {length:g} s with margins of {margin:g} s; wanted margins from "
            "0 on, and shorter than the pieces."
        )
        raise ConfigError(msg)
    parts = iter([records] if isinstance(records, Record) else records)
    head = next(parts, None)
    if head is None or not head.channels:
        msg = "no part of a recording, or one without a channel; wanted at least one."
        raise RecordError(msg)
    return _pieces(head, parts, length, margin)


def _pieces(
    head: Record, parts: Iterator[Record], length: float, margin: float
) -> Iterator[Piece]:
    channels = {name: _Channel(signal) for name, signal in head.channels.items()}
    begin = min(channel.start for channel in channels.values())
    number, first = math.floor(begin / length), True
    cuffs: dict[Cuff, None] = {}
    part: Record | None = head
    while True:
        if part is not None:
            _add(channels, part)
            cuffs |= dict.fromkeys(part.cuffs)
            part = next(parts, None)
        # What is there of every channel; of the last part, what is there of any.
        ends = [channel.stop for channel in channels.values()]
        known = max(ends) if part is None else min(ends)
        while True:
            start, stop = number * length, (number + 1) * length
            last = part is None and known <= stop
            if not (last or known >= stop + margin or part is None):
                break
            if not any(
                channel.start < stop + margin and channel.stop > start - margin
                for channel in channels.values()
            ):  # on to the next channel, which may begin years later
                later = min(c.start for c in channels.values() if c.start > start)
                number = max(number + 1, math.floor((later - margin) / length))
                continue
            cut = {
                name: channel.cut(start - margin, stop + margin)
                for name, channel in channels.items()
            }
            record = replace(head, channels=cut, cuffs=tuple(cuffs))
            yield Piece(record, start, stop, first, last)
            for channel in channels.values():
                channel.forget(stop - margin)
            number, first = number + 1, False
            if last:
                return


def _add(channels: dict[str, _Channel], part: Record) -> None:
    if set(part.channels) != set(channels):
        msg = (
            f"a part of {part.subject!r} has channels {', '.join(part.channels)}; the "
            f"parts before had {', '.join(channels)}. Wanted the same in each."
        )
        raise RecordError(msg)
    for name, signal in part.channels.items():
        channels[name].add(signal, where=f"{part.subject!r}, {name!r},")
