"""Take the slow wandering of a channel away."""

from typing import Final

from capnet.errors import ConfigError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.fir import filter_fir
from capnet.signal.taps import highpass_taps
from capnet.types import RawSamples, Samples

__all__ = ["CUTOFF", "remove_baseline"]

CUTOFF: Final = 0.5
"""Hz; breathing and sweat are slower. It passes a pulse of 45 bpm and more as it is;
the first harmonic of one of 40 bpm loses 0.5 dB, of 36 bpm 1.7 dB, of 30 bpm half."""

_LOWEST: Final = 0.01
"""Hz; slower wandering needs minutes of filter."""

_LONGEST: Final = 200_000
"""Taps; each sample costs as many products."""

_STEP: Final = 3.3
"""Width of a Hamming filter's step from stop to pass, in rates over taps."""


def remove_baseline(
    values: RawSamples, *, sampling_rate: float, cutoff: float = CUTOFF
) -> Samples:
    """High-pass a channel with linear phase and no delay.

    The step from stop to pass goes from half the cut-off to one and a half of it, so
    the filter reaches ``1.65 / cutoff`` seconds to each side: 3.3 s at 0.5 Hz. A gap
    spoils as much; fill short ones first (`capnet.signal.gaps`). At the ends of the
    channel its last value is held, so the answer is less certain for that long.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz.
        cutoff: Frequency of half amplitude, Hz.

    Returns:
        The channel without its mean and what is slower than the cut-off (52 dB down at
        half of it, 0.02 dB at one and a half); NaN where the filter meets a missing
        sample. Shape (time,).

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is no positive number.
        ConfigError: If the cut-off is under 0.01 Hz or not below half the rate, or
            takes more than 200,000 taps at this rate.
    """
    samples = checked_samples(values, where="the channel with a baseline")
    rate = checked_rate(sampling_rate, least=0.0, where="the channel")
    if not cutoff >= _LOWEST:
        msg = f"cut-off {cutoff:g} Hz; wanted at least {_LOWEST:g} Hz."
        raise ConfigError(msg)
    n_taps = 2 * round(_STEP * rate / cutoff / 2.0) + 1
    if n_taps > _LONGEST:
        msg = (
            f"cut-off {cutoff:g} Hz at {rate:g} Hz takes {n_taps} taps; wanted at most "
            f"{_LONGEST}. Resample the channel first."
        )
        raise ConfigError(msg)
    taps = highpass_taps(cutoff=cutoff, sampling_rate=rate, n_taps=n_taps)
    return filter_fir(samples, taps)
