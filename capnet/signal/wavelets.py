r"""Denoise a channel by shrinking its wavelet coefficients.

The transform is the undecimated one, so a shift of the channel only shifts the answer.
In each band the threshold is that of BayesShrink (Chang, Yu, Vetterli 2000, IEEE Trans.
Image Process. 9:1532),

.. math:: t = \frac{\sigma^2}{\sqrt{\max(\overline{d^2} - \sigma^2, 0)}},

with the noise from the finest band, where a pulse has next to nothing: its median
absolute coefficient over 0.6745 (Donoho and Johnstone 1994, Biometrika 81:425). On
virtual PPGs at 10 dB it gained 10.5 dB (`benchmarks/signal_filters.py`), the universal
threshold on the same bands 9.8 dB, and on others 6.8.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped

from capnet.signal.checks import checked_rate, checked_samples
from capnet.signal.stretches import Stretches, stretches
from capnet.types import RawSamples, Samples

__all__ = ["LOWEST", "Shrunk", "shrink_wavelets"]

LOWEST: Final = 3.0
"""Hz; lower edge of what is shrunk. Below lie the first harmonics of the pulse, which
tower over any noise that leaves a pulse to be seen."""

_WAVELET: Final = "sym4"
_FILTER: Final = 8
"""Taps of its filters."""

_BLOCK: Final = 60.0
"""Seconds that share one estimate of the noise, which comes and goes."""

_SHORTEST: Final = 2.0
"""Seconds of a stretch in which noise can be told from a pulse."""

_QUARTILE: Final = 0.6745
"""Median absolute value of a normal variable of variance 1."""


@dataclass(frozen=True, eq=False)
class Shrunk:
    """A denoised channel.

    Attributes:
        values: In the channel's unit, NaN where missing. Shape (time,).
        stretches: First sample of each stretch between gaps, and one after its last.
            Shape (stretch, 2).
        noise: Standard deviation of the noise that was found there, in the channel's
            unit (root mean square over blocks); NaN with a reason. Shape (stretch,).
        reason: Why a stretch was left as it is; empty otherwise. Shape (stretch,).
    """

    values: Samples
    stretches: Stretches
    noise: Float[np.ndarray, " stretch"]
    reason: Shaped[np.ndarray, " stretch"]


def shrink_wavelets(values: RawSamples, *, sampling_rate: float) -> Shrunk:
    """Shrink the wavelet coefficients above 3 Hz, softly, stretch by stretch.

    For white noise; what hums or comes from motion has another spectrum and stays.
    A stretch is worked on in blocks of at most a minute, so a gap changes no more
    than the block it lies in and those after it in its stretch.

    Args:
        values: The channel, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz, at least 12.

    Returns:
        The channel without much of its noise, and how much there was. Stretches under
        2 s stay as they are.

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is below 12 Hz.
    """
    samples = checked_samples(values, where="the channel to denoise")
    rate = checked_rate(sampling_rate, least=4.0 * LOWEST, where="the channel")
    # Band j reaches from rate / 2^(j + 1) to rate / 2^j.
    levels = int(np.floor(np.log2(rate / LOWEST))) - 1
    found = stretches(samples)
    noise = np.full(len(found), np.nan)
    short = found[:, 1] - found[:, 0] < _SHORTEST * rate
    answer = samples.copy()
    for row in np.flatnonzero(~short):
        begin, end = found[row]
        count = int(np.ceil((end - begin) / (_BLOCK * rate)))
        edges = np.linspace(begin, end, count + 1).astype(np.int64)
        variance = 0.0
        for first, last in pairwise(edges):
            margin = _FILTER << levels
            low, high = max(begin, first - margin), min(end, last + margin)
            part, spread = _shrunk(samples[low:high], levels)
            answer[first:last] = part[first - low : last - low]
            variance += spread**2 / count
        noise[row] = variance**0.5
    reason = np.where(short, f"shorter than {_SHORTEST:g} s", "")
    return Shrunk(answer, found, noise, reason)


def _shrunk(block: Samples, levels: int) -> tuple[Samples, float]:
    """Denoise a block without gaps; also return the noise's standard deviation."""
    import pywt

    margin = _FILTER << levels
    # The transform takes multiples of its longest step only.
    more = -(len(block) + 2 * margin) % (1 << levels)
    level = float(np.median(block))
    padded = np.pad(block - level, (margin, margin + more), mode="symmetric")
    coarse, *details = pywt.swt(padded, _WAVELET, level=levels, trim_approx=True)
    inner = slice(margin, margin + len(block))
    noise = float(np.median(np.abs(details[-1][inner]))) / _QUARTILE
    if noise == 0.0:
        return block, 0.0
    kept = [coarse]
    for detail in details:
        largest = float(np.abs(detail).max())
        pulse = float(np.mean(np.square(detail[inner] / noise))) - 1.0
        threshold = min(largest, noise / pulse**0.5) if pulse > 0.0 else largest
        # `pywt.threshold` divides by zero where a coefficient is.
        kept.append(np.sign(detail) * np.maximum(np.abs(detail) - threshold, 0.0))
    clean = pywt.iswt(kept, _WAVELET)[inner]
    smooth: Samples = clean + level
    return smooth, noise
