"""Taps of linear-phase filters: odd in number and symmetric to the last bit."""

import numpy as np
from jaxtyping import Float
from scipy.signal import firwin

from capnet.errors import ConfigError
from capnet.types import RawSamples

__all__ = ["Taps", "bandpass_taps", "checked_taps", "highpass_taps", "lowpass_taps"]

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


def checked_taps(taps: RawSamples) -> Taps:
    """Return taps of a linear-phase filter as float64.

    Args:
        taps: Coefficients. Shape (tap,).

    Raises:
        ConfigError: If they are no real numbers, even in number, not symmetric or not
            finite.
    """
    taps = np.asarray(taps)
    if taps.ndim != 1 or taps.dtype.kind not in "iuf":
        msg = (
            f"taps have shape {taps.shape} and type {taps.dtype}; wanted real numbers "
            "of shape (tap,)."
        )
        raise ConfigError(msg)
    if len(taps) % 2 == 0 or not np.array_equal(taps, taps[::-1]):
        msg = f"{len(taps)} taps; wanted an odd number, symmetric (linear phase)."
        raise ConfigError(msg)
    if not np.isfinite(taps).all():
        msg = f"{int((~np.isfinite(taps)).sum())} taps are infinite; wanted numbers."
        raise ConfigError(msg)
    checked: Taps = np.ascontiguousarray(taps, dtype=np.float64)
    return checked
