"""Steep rises of a pulse wave: what stands in for R peaks where there is no ECG."""

from typing import Final

import numpy as np
from jaxtyping import Float
from scipy.signal import find_peaks

from capnet.signal.checks import checked_rate, checked_samples
from capnet.types import RawSamples

__all__ = ["Rises", "steep_rises"]

Rises = Float[np.ndarray, "rise"]
"""Where pulses rise."""

_BLOCK: Final = 2.0
"""Seconds; at 30 bpm and more every block holds an upstroke."""

_NEIGHBOURS: Final = 5
"""Blocks whose median height sets the level, so that one artefact does not."""

_SHARE: Final = 0.5
"""Of the usual steepest slope; the dicrotic upstroke is weaker than that."""

_REFRACTORY: Final = 0.3
"""Seconds between two pulses, at least (200 bpm)."""


def steep_rises(wave: RawSamples, *, sampling_rate: float) -> Rises:
    """Find the steepest point of every upstroke.

    Args:
        wave: Smoothed pulse wave (PPG or pressure, any unit), NaN where missing.
            Shape (time,).
        sampling_rate: Hz.

    Returns:
        Positions, samples, ascending; empty where nothing rises. Shape (rise,).

    Raises:
        ShapeError: If the wave is no channel.
        UnitError: If the sampling rate is no positive number.
    """
    wave = checked_samples(wave, where="the pulse wave")
    checked_rate(sampling_rate, least=0.0, where="the pulse wave")
    slope = np.nan_to_num(np.gradient(wave)) if len(wave) > 1 else np.zeros(len(wave))
    width = max(1, round(_BLOCK * sampling_rate))
    n_blocks = -(-len(slope) // width)
    padded = np.zeros(n_blocks * width)
    padded[: len(slope)] = slope
    steepest = padded.reshape(n_blocks, width).max(axis=1)
    side = _NEIGHBOURS // 2
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(steepest, side, mode="edge"), _NEIGHBOURS
    )
    level = np.repeat(np.median(around, axis=1), width)[: len(slope)]
    distance = max(1, round(_REFRACTORY * sampling_rate))
    height = np.maximum(_SHARE * level, np.finfo(np.float64).tiny)
    found, _ = find_peaks(slope, height=height, distance=distance)
    return found.astype(np.float64)
