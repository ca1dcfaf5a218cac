"""Derivatives of a channel by local polynomials."""

import math
from typing import Final

import numpy as np

from capnet.errors import ConfigError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.types import RawSamples, Samples

__all__ = ["savitzky_golay"]

_HIGHEST: Final = 4
"""Derivative; a fifth one of a sampled pulse is noise."""

_HIGHEST_DEGREE: Final = 9
"""Of the polynomials; beyond it their fit loses its digits."""


def savitzky_golay(
    values: RawSamples,
    *,
    sampling_rate: float,
    derivative: int,
    window: float,
    degree: int,
) -> Samples:
    """Fit a polynomial around every sample and answer its derivative there.

    Exact for polynomials up to the degree (Savitzky and Golay 1964, Anal. Chem.
    36:1627). Where the window meets a gap or an end there is no answer.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz.
        derivative: 0 (smoothing) to 4.
        window: Length of the window, s; rounded to the nearest odd number of samples.
        degree: Of the polynomial: at least the derivative and less than the number of
            samples in the window, at most 9.

    Returns:
        Derivative in the channel's unit / s^derivative; NaN where missing and within
        half a window of it. Shape (time,).

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is no positive number.
        ConfigError: If derivative, window and degree do not fit together.
    """
    samples = checked_samples(values, where="the channel to differentiate")
    rate = checked_rate(sampling_rate, least=0.0, where="the channel")
    if not 0 <= derivative <= min(degree, _HIGHEST) or degree > _HIGHEST_DEGREE:
        msg = (
            f"derivative {derivative} of polynomials of degree {degree}; wanted a "
            f"derivative from 0 to {_HIGHEST}, and a degree from that to "
            f"{_HIGHEST_DEGREE}."
        )
        raise ConfigError(msg)
    span = window * rate if np.isfinite(window) and window > 0.0 else 0.0
    half = round((span - 1.0) / 2.0) if span < len(samples) + 2 else len(samples)
    if 2 * half + 1 <= degree:
        msg = (
            f"a window of {window:g} s holds {max(1, 2 * half + 1)} samples at "
            f"{rate:g} Hz; wanted more than the degree {degree}. Take at least "
            f"{(degree + 1) / rate:g} s."
        )
        raise ConfigError(msg)
    answer = np.full(len(samples), np.nan)
    if len(samples) <= 2 * half:
        return answer
    # In units of half a window, or high degrees would lose their digits.
    place = np.arange(-half, half + 1) / max(1, half)
    powers = np.vander(place, degree + 1, increasing=True)
    taps = np.linalg.pinv(powers)[derivative] * math.factorial(derivative)
    slope = (rate / max(1, half)) ** derivative
    # A large offset would cost the derivatives their digits.
    known = samples[np.isfinite(samples)]
    level = known[0] if len(known) else 0.0
    inner = np.correlate(samples - level, taps, mode="valid") * slope
    answer[half : len(samples) - half] = inner + (level if derivative == 0 else 0.0)
    return answer
