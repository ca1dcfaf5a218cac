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
from capnet.types import RawSamples, Samples, Windows

__all__ = ["FIRStream", "filter_fir", "filter_rows"]

_BLOCK: Final = 512
"""Samples filtered at once, so that they stay in the first cache."""


@compiled(fastmath={"contract"})
@no_type_check
def _convolve(held: np.ndarray, taps: np.ndarray, answer: np.ndarray) -> None:
    """Filter by symmetric taps, the middle one first; ``held`` has half more each side.

    The inner loop runs over samples, so that one instruction serves several; each
    sample's sum has the same order wherever it stands. NaN comes through by itself.
    """
    half = len(taps) - 1
    for begin in range(0, len(answer), _BLOCK):
        end = min(begin + _BLOCK, len(answer))
        part, centre = answer[begin:end], held[begin + half : end + half]
        for i in range(len(part)):
            part[i] = taps[0] * centre[i]
        for k in range(1, half - 2, 4):  # four at once: fewer trips to the sums
            w0, w1, w2, w3 = taps[k], taps[k + 1], taps[k + 2], taps[k + 3]
            before = held[begin + half - k - 3 : end + half - k]
            after = held[begin + half + k : end + half + k + 3]
            for i in range(len(part)):
                near = w0 * (before[i + 3] + after[i])
                near += w1 * (before[i + 2] + after[i + 1])
                near += w2 * (before[i + 1] + after[i + 2])
                near += w3 * (before[i] + after[i + 3])
                part[i] += near
        for k in range(1 + (half // 4) * 4, half + 1):
            before = held[begin + half - k : end + half - k]
            after = held[begin + half + k : end + half + k]
            for i in range(len(part)):
                part[i] += taps[k] * (before[i] + after[i])


def _convolved(padded: Samples, taps: Taps) -> np.ndarray:
    answer = np.empty(max(0, len(padded) - len(taps) + 1))
    _convolve(padded, taps[len(taps) // 2 :].copy(), answer)
    return answer


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


@compiled(fastmath={"contract"})
@no_type_check
def _convolve_rows(held: np.ndarray, taps: np.ndarray, answer: np.ndarray) -> None:
    for row in range(len(answer)):
        _convolve(held[row], taps, answer[row])


def filter_rows(rows: Windows, taps: Taps) -> Windows:
    """Filter rows, each for itself, as `filter_fir` does a channel.

    Args:
        rows: NaN where missing. Shape (beat, time).
        taps: Coefficients, odd in number and symmetric. Shape (tap,).

    Returns:
        The same, filtered, of the same type. Shape (beat, time).
    """
    half = len(taps) // 2
    held = np.pad(rows.astype(np.float64), ((0, 0), (half, half)), mode="edge")
    answer = np.empty(rows.shape)
    _convolve_rows(held, taps[half:].copy(), answer)
    return answer.astype(rows.dtype, copy=False)


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
