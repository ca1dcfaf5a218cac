"""Give a channel another sampling rate."""

import math

from capnet.records import Signal
from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.grid import on_grid
from capnet.types import RawSamples, Samples

__all__ = ["resample"]


def resample(values: RawSamples, *, sampling_rate: float, new_rate: float) -> Samples:
    """Evaluate a channel at another rate, from its first sample to its last.

    The first sample keeps its time and no time shifts: sample ``i`` of the answer is
    the channel at ``i / new_rate``. There are as many as fit between the first and
    the last sample, ``floor((n - 1) * new_rate / sampling_rate) + 1``. What the new
    rate cannot hold is removed first; nothing is filtered across a gap
    (`capnet.signal.grid.on_grid`).

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz.
        new_rate: Hz, at least a thousandth of the former.

    Returns:
        Samples in the same unit, NaN in gaps. Shape (new time,).

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If a rate is no positive number, or the new one is too low.
    """
    samples = checked_samples(values, where="the channel to resample")
    rate = checked_rate(sampling_rate, least=0.0, where="the channel")
    new = checked_rate(new_rate, least=0.0, where="the new channel")
    # A hair more, so that a last time that is a sample's is not rounded away.
    count = math.floor((len(samples) - 1) * (new / rate) + 1e-6) + 1
    signal = Signal(samples, rate, "NU")
    return on_grid(signal, sampling_rate=new, start=0.0, stop=count / new)
