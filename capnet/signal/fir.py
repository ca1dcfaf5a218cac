"""A linear-phase FIR filter: one convolution, the same in training and in ONNX."""

import numpy as np
from jaxtyping import Float
from scipy.signal import firwin
from torch import Tensor, as_tensor, float32, nn

from capnet.errors import ConfigError

__all__ = ["LinearPhaseFIR", "Taps", "lowpass_taps"]

Taps = Float[np.ndarray, "tap"]
"""Coefficients of a filter."""


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
        if len(taps) % 2 == 0 or not np.array_equal(taps, taps[::-1]):
            msg = f"{len(taps)} taps; wanted an odd number, symmetric (linear phase)."
            raise ConfigError(msg)
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
