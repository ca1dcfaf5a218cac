"""Linear-phase FIR filters: one convolution, the same in training and in ONNX.

`filter_fir` and `FIRStream` do in float64 on the processor what `LinearPhaseFIR` does
in a graph. They add up products sample by sample, without a Fourier transform: what a
filter does not reach, it does not change, not even in the last bit.
"""

from typing import Final, no_type_check

import numpy as np
from jaxtyping import Float
from scipy.signal import firwin
from torch import Tensor, as_tensor, float32, nn

from capnet.compiled import compiled
from capnet.errors import ConfigError
from capnet.signal.checks import checked_samples
from capnet.types import RawSamples, Samples

__all__ = [
    "FIRStream",
    "LinearPhaseFIR",
    "Taps",
    "bandpass_taps",
    "filter_fir",
    "highpass_taps",
    "lowpass_taps",
]

Taps = Float[np.ndarray, "tap"]
"""Coefficients of a filter."""

_BLOCK: Final = 1024
"""Answers worked on at once, so that they stay near the processor."""


def lowpass_taps(*, cutoff: float, sampling_rate: float, n_taps: int) -> Taps:
    """Design a symmetric low-pass filter of unit gain at 0 Hz (Hamming window).

    Args:
        cutoff: Frequency of half amplitude, Hz.
        sampling_rate: Hz.
        n_taps: Length, odd, so that the delay is a whole number of samples.

    Returns:
        Coefficients in float64, ``taps == taps[::-1]``, sum 1. Shape (tap,).

    Raises:
        ConfigError: If the length is even or the cut-off is not below half the
            sampling rate.
    """
    if n_taps < 3 or n_taps % 2 == 0:
        msg = f"n_taps is {n_taps}; wanted an odd number >= 3 (whole-sample delay)."
        raise ConfigError(msg)
    if not 0.0 < cutoff < sampling_rate / 2:
        msg = (
            f"cut-off {cutoff:g} Hz at {sampling_rate:g} Hz; wanted more than 0 and "
            "less than half the sampling rate."
        )
        raise ConfigError(msg)
    taps: Taps = firwin(n_taps, cutoff, fs=sampling_rate)
    taps = (taps + taps[::-1]) / 2  # symmetric to the last bit
    unit: Taps = taps / taps.sum()
    return unit


def highpass_taps(*, cutoff: float, sampling_rate: float, n_taps: int) -> Taps:
    """Design a symmetric high-pass filter: what `lowpass_taps` leaves over.

    Args:
        cutoff: Frequency of half amplitude, Hz.
        sampling_rate: Hz.
        n_taps: Length, odd. The step from stop to pass is about
            ``3.3 * sampling_rate / n_taps`` Hz wide (Hamming window).

    Returns:
        Coefficients in float64, symmetric, sum 0. Shape (tap,).

    Raises:
        ConfigError: If the length is even or the cut-off is not below half the
            sampling rate.
    """
    taps = -lowpass_taps(cutoff=cutoff, sampling_rate=sampling_rate, n_taps=n_taps)
    taps[n_taps // 2] += 1.0
    return taps


def bandpass_taps(
    *, low: float, high: float, sampling_rate: float, n_taps: int
) -> Taps:
    """Design a symmetric band-pass filter: the difference of two low-pass filters.

    A constant is removed whatever the length; the lower edge is as steep as the upper
    one, so a low ``low`` needs a long filter (see `highpass_taps`).

    Args:
        low: Lower frequency of half amplitude, Hz.
        high: Upper frequency of half amplitude, Hz.
        sampling_rate: Hz.
        n_taps: Length, odd.

    Returns:
        Coefficients in float64, symmetric, sum 0. Shape (tap,).

    Raises:
        ConfigError: If the length is even, or not 0 < low < high < half the sampling
            rate.
    """
    if not low < high:
        msg = f"the pass band goes from {low:g} to {high:g} Hz; wanted low < high."
        raise ConfigError(msg)
    upper, lower = (
        lowpass_taps(cutoff=edge, sampling_rate=sampling_rate, n_taps=n_taps)
        for edge in (high, low)
    )
    taps: Taps = upper - lower
    return taps


def _checked_taps(taps: Taps) -> Taps:
    if len(taps) % 2 == 0 or not np.array_equal(taps, taps[::-1]):
        msg = f"{len(taps)} taps; wanted an odd number, symmetric (linear phase)."
        raise ConfigError(msg)
    if not np.isfinite(taps).all():
        msg = f"{int((~np.isfinite(taps)).sum())} taps are infinite; wanted numbers."
        raise ConfigError(msg)
    checked: Taps = np.ascontiguousarray(taps, dtype=np.float64)
    return checked


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


def filter_fir(values: RawSamples, taps: Taps) -> Samples:
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
        ConfigError: If the taps are even in number or not symmetric.
    """
    samples = checked_samples(values, where="the channel to filter")
    taps = _checked_taps(taps)
    return _convolved(np.pad(samples, len(taps) // 2, mode="edge"), taps)


class FIRStream:
    """Filter a channel that comes in chunks: together they give what `filter_fir` does.

    A sample is ready when half a filter has come after it. No more than one filter's
    length is kept.

    Args:
        taps: Coefficients, odd in number and symmetric. Shape (tap,).

    Raises:
        ConfigError: If the taps are even in number or not symmetric.

    Example:
        >>> import numpy as np
        >>> stream = FIRStream(np.array([0.25, 0.5, 0.25]))
        >>> parts = [stream.push(np.array(x)) for x in ([0.0, 4.0], [0.0])]
        >>> np.concatenate([*parts, stream.finish()])
        array([1., 2., 1.])
    """

    def __init__(self, taps: Taps) -> None:
        self._taps = _checked_taps(taps)
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


class LinearPhaseFIR(nn.Module):
    """Filter rows with symmetric taps and no delay.

    Ends are continued by their last value. Exports to ONNX as a Pad and one Conv with
    batch and time dynamic.

    Args:
        taps: Coefficients, odd and symmetric. Shape (tap,).

    Raises:
        ConfigError: If the taps are even in number or not symmetric.
    """

    taps: Tensor

    def __init__(self, taps: Taps) -> None:
        super().__init__()
        taps = _checked_taps(taps)
        # The taps follow from the design, so they are no part of the weights.
        self.register_buffer("taps", as_tensor(taps, dtype=float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Filter each row; a missing sample (NaN) spoils half a filter around it.

        Args:
            x: Samples. Shape (batch, time).

        Returns:
            Filtered samples. Shape (batch, time).
        """
        # shape: (batch, 1, time)
        half = self.taps.shape[0] // 2
        padded = nn.functional.pad(x[:, None], (half, half), mode="replicate")
        return nn.functional.conv1d(padded, self.taps[None, None])[:, 0]

    def extra_repr(self) -> str:
        """Show the length of the filter."""
        return f"n_taps={self.taps.shape[0]}"
