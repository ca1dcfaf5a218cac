"""Take the hum of the mains away."""

from typing import Final

import numpy as np

from capnet.errors import ConfigError, UnitError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.fir import filter_fir
from capnet.signal.taps import Taps, lowpass_taps
from capnet.types import RawSamples, Samples

__all__ = ["powerline_taps", "remove_powerline"]

_HALF_WIDTH: Final = 1.0
"""Hz to each side of a harmonic at which half of the amplitude is left."""

_LENGTH: Final = 1.65
"""Seconds of filter: the notch's flank (Hamming, 3.3 / length) is then 2 Hz wide."""

_FASTEST: Final = 2e4
"""Hz; beyond it there are hundreds of harmonics, and nothing of a heart."""

_MAINS: Final = (45.0, 65.0)
"""Hz; mains are 50 or 60 Hz, generators stray from that."""


def powerline_taps(*, sampling_rate: float, mains: float) -> Taps:
    """Design a filter that stops the mains and their harmonics, and nothing else.

    One minus a narrow band-pass around each harmonic below half the rate. A constant
    passes unchanged.

    Args:
        sampling_rate: Hz, more than twice the mains frequency, at most 20,000.
        mains: 50 or 60 Hz as the country has it (45 to 65).

    Returns:
        Coefficients in float64, symmetric, sum 1; 1.65 s long. Shape (tap,).

    Raises:
        UnitError: If the sampling rate is too low for the mains, or too high.
        ConfigError: If the mains frequency is not one.
    """
    if not _MAINS[0] <= mains <= _MAINS[1]:
        low, high = _MAINS
        msg = f"mains of {mains:g} Hz; wanted 50 or 60 Hz ({low:g} to {high:g})."
        raise ConfigError(msg)
    rate = checked_rate(sampling_rate, least=0.0, where="the channel")
    if not 2.0 * mains < rate:
        msg = (
            f"the channel is sampled at {rate:g} Hz; wanted more than {2 * mains:g} "
            f"Hz. At this rate the hum looks like another frequency, and no "
            "filter can tell it from the signal."
        )
        raise UnitError(msg)
    if rate > _FASTEST:
        msg = (
            f"the channel is sampled at {rate:g} Hz; wanted at most {_FASTEST:g} Hz. "
            "Resample it first."
        )
        raise UnitError(msg)
    half = round(_LENGTH * rate / 2.0)
    around = lowpass_taps(cutoff=_HALF_WIDTH, sampling_rate=rate, n_taps=2 * half + 1)
    time = np.arange(-half, half + 1) / rate
    harmonics = mains * np.arange(1, int(np.ceil(rate / 2.0 / mains)))
    waves = np.cos(2.0 * np.pi * harmonics[:, None] * time)
    # As much of each band-pass as makes every harmonic vanish exactly.
    gain = 2.0 * (waves * around) @ waves.T
    share = np.linalg.solve(gain, np.ones(len(harmonics)))
    taps = -(2.0 * share @ waves) * around
    taps[half] += 1.0
    taps = (taps + taps[::-1]) / 2.0
    unit: Taps = taps / taps.sum()
    return unit


def remove_powerline(
    values: RawSamples, *, sampling_rate: float, mains: float
) -> Samples:
    """Stop the mains and their harmonics with linear phase and no delay.

    Each notch is 4 Hz wide at its top; outside of that no frequency changes by more
    than 0.1 dB. The filter reaches 0.83 s to each side, and so far does a gap spoil.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz, more than twice the mains frequency, at most 20,000.
        mains: 50 or 60 Hz as the country has it (45 to 65).

    Returns:
        The channel without hum; NaN where the filter meets a missing sample.
        Shape (time,).

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is too low for the mains, or too high.
        ConfigError: If the mains frequency is not one.
    """
    samples = checked_samples(values, where="the channel with hum")
    taps = powerline_taps(sampling_rate=sampling_rate, mains=mains)
    return filter_fir(samples, taps)
