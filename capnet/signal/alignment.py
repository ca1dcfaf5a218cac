"""Put the channels of a record on one clock."""

from collections.abc import Sequence
from dataclasses import replace

from capnet.errors import RecordError
from capnet.records import Record
from capnet.signal.checks import checked_rate
from capnet.signal.grid import on_grid

__all__ = ["aligned"]


def aligned(
    record: Record, *, sampling_rate: float, channels: Sequence[str] | None = None
) -> Record:
    """Resample channels at the same times.

    The times begin with the channel that begins first and end with the one that ends
    last; a channel is missing (NaN) where it was not recorded. Start offsets are
    believed: a wrong clock is not found here but by `capnet.signal.synchrony`.

    Args:
        record: The record.
        sampling_rate: Rate of all channels of the answer, Hz.
        channels: Their names, or kinds as `Record.signal` knows them; all by default.

    Returns:
        The same record with these channels under the names given, in their own units;
        all have the same rate, start and number of samples.

    Raises:
        RecordError: If a channel is missing, or there is none.
        UnitError: If the rate is not a positive number, or too low for a channel.
    """
    rate = checked_rate(sampling_rate, least=0.0, where="the grid")
    names = list(record.channels) if channels is None else list(channels)
    if not names:
        msg = f"record {record.subject!r}: no channel to align; wanted at least one."
        raise RecordError(msg)
    signals = {name: record.signal(name) for name in names}
    start = min(signal.start for signal in signals.values())
    stop = max(signal.start + signal.duration for signal in signals.values())
    # A record shorter than one step still has its first time.
    stop = max(stop, start + 1.0 / rate)
    grids = {
        name: replace(
            signal,
            values=on_grid(signal, sampling_rate=rate, start=start, stop=stop),
            sampling_rate=rate,
            start=start,
        )
        for name, signal in signals.items()
    }
    return replace(record, channels=grids)
