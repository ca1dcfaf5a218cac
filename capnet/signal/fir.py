"""Linear-phase FIR filters of channels, whole or as they come in.

`filter_fir` and `FIRStream` do in float64 on the processor what `LinearPhaseFIR` does
in a graph. They add up products sample by sample, without a Fourier transform: what a
filter does not reach, it does not change, not even in the last bit.
"""

from typing import Final, no_type_check

import numpy as np

from capnet.compiled import compiled
from capnet.signal.checks import checked_samples
from capnet.signal.taps import Taps, checked_taps
from capnet.types import RawSamples, Samples

__all__ = ["FIRStream", "filter_fir"]

_BLOCK: Final = 1024
"""Answers worked on at once, so that they stay near the processor."""


@compiled(fastmath={"contract"})
@no_type_check
def _convolve(padded: np.ndarray, taps: np.ndarray, out: np.ndarray) -> None:
    """Add up products around each sample; NaN comes through by itself.

    Sums are taken in one order, wherever a block begins.
    """
    last, half = len(taps) - 1, len(taps) // 2
    for begin in range(0, len(out), _BLOCK):
        end = min(begin + _BLOCK, len(out))
        for i in range(begin, end):
            out[i] = taps[half] * padded[i + half]
        tap = 0
        while tap + 2 <= half:  # two at once: fewer ways to memory and back
            first, second = taps[tap], taps[tap + 1]
            left, right = tap, last - tap
            for i in range(begin, end):
                out[i] += first * (padded[i + left] + padded[i + right]) + second * (
                    padded[i + left + 1] + padded[i + right - 1]
                )
            tap += 2
        if tap < half:
            for i in range(begin, end):
                out[i] += taps[tap] * (padded[i + tap] + padded[i + last - tap])


def _convolved(padded: Samples, taps: Taps) -> np.ndarray:
    out = np.empty(max(0, len(padded) - len(taps) + 1))
    _convolve(padded, taps, out)
    return out


def filter_fir(values: RawSamples, taps: RawSamples) -> Samples:
    """Filter a channel with symmetric taps and no delay.

    The ends are continued by their last value, as `LinearPhaseFIR` does.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        taps: Coefficients, odd in number and symmetric. Shape (tap,).

    Returns:
        The same, filtered; a missing sample spoils half a filter to each side of it
        and nothing else. float64. Shape (time,).

    Raises:
        ShapeError: If the values are no channel.
        ConfigError: If the taps are no numbers, even in number or not symmetric.
    """
    samples = checked_samples(values, where="the channel to filter")
    taps = checked_taps(taps)
    return _convolved(np.pad(samples, len(taps) // 2, mode="edge"), taps)


class FIRStream:
    """Filter a channel that comes in chunks: together they give what `filter_fir` does.

    A sample is ready when half a filter has come after it. No more than one filter's
    length is kept.

    Args:
        taps: Coefficients, odd in number and symmetric. Shape (tap,).

    Raises:
        ConfigError: If the taps are no numbers, even in number or not symmetric.

    Example:
        >>> import numpy as np
        >>> stream = FIRStream(np.array([0.25, 0.5, 0.25]))
        >>> parts = [stream.push(np.array(x)) for x in ([0.0, 4.0], [0.0])]
        >>> np.concatenate([*parts, stream.finish()])
        array([1., 2., 1.])
    """

    def __init__(self, taps: RawSamples) -> None:
        self._taps = checked_taps(taps)
        self._kept = np.zeros(0)

    def push(self, chunk: RawSamples) -> Samples:
        """Take up the next samples and answer those that are ready.

        Args:
            chunk: Next samples, NaN where missing, of any number, none included.
                Shape (time,).

        Returns:
            Filtered samples that follow on the last answer. Shape (ready,).

        Raises:
            ShapeError: If the chunk is not one-dimensional or not real.
        """
        if np.asarray(chunk).shape == (0,):
            return np.zeros(0)
        samples = checked_samples(chunk, where="the chunk to filter")
        half = len(self._taps) // 2
        before = self._kept if len(self._kept) else np.full(half, samples[0])
        joined = np.concatenate([before, samples])
        ready = _convolved(joined, self._taps)
        self._kept = joined[len(ready) :]
        return ready

    def finish(self) -> Samples:
        """Answer what is left, the end continued by its last value.

        The stream is as new after that.

        Returns:
            The last half a filter of samples, fewer if fewer came. Shape (ready,).
        """
        half = len(self._taps) // 2
        kept, self._kept = self._kept, np.zeros(0)
        if len(kept) == 0:
            return kept
        return _convolved(np.append(kept, np.full(half, kept[-1])), self._taps)
