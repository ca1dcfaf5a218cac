"""Indices of beats given as 64 points: AIx, form factor, ejection time.

The definitions are those of `capnet.signal.augmentation`, `capnet.signal.form_factor`
and `capnet.signal.ejection_time`, which read single waves of any length at one sampling
rate. Here every beat has the same number of points and its own duration, so that a
million of them are read at once; what cannot be found is NaN, never a guess.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.metrics.pair import check_pair, check_rows
from capnet.metrics.waveform import Predicted, Reference

__all__ = ["DURATION", "WaveIndices", "index_errors", "wave_indices"]

Waves = Float[np.ndarray, "row point"]
PerRow = Float[np.ndarray, "duration"]

_COUNT: Final = 512
"""Points of a beat on which derivatives are read; crossings lie between them."""

_CUTOFF: Final = 10.0
"""Hz, -3 dB of the Gaussian in front of the derivatives."""

DURATION: Final = (0.25, 2.5)
"""s of a beat whose shoulders and notch are sought."""

_BLOCK: Final = 64
"""Rows handled at once: what a processor's cache holds."""


class WaveIndices(NamedTuple):
    """Indices of each beat, NaN where they cannot be read.

    Attributes:
        aix: Augmentation index, % of the pulse pressure.
        form_factor: (MAP - DBP) / PP.
        ejection_time: Foot to dicrotic notch, s.
    """

    aix: PerRow
    form_factor: PerRow
    ejection_time: PerRow


def _shape(waves: Waves, duration: PerRow) -> tuple[PerRow, PerRow]:
    """Return the augmentation index, %, and the ejection time, s, of whole beats."""
    from capnet.metrics.inflections import find_inflections  # loads a compiler

    series = np.fft.rfft(waves, axis=1) / waves.shape[1]
    frequency = np.arange(series.shape[1]) / duration[:, None]
    smooth = series * (_COUNT * np.exp2(-0.5 * (frequency / _CUTOFF) ** 2))
    slope = 2.0 * np.pi * frequency
    square = slope**2
    parts = (smooth, smooth * (1j * slope), -smooth * square, smooth * square**2)
    read = [np.fft.irfft(part, _COUNT, axis=1) for part in parts]
    answer = np.empty((len(waves), 3))
    find_inflections(series, *read, duration, answer)
    ejection, pressure, late = answer.T
    augmented = waves.max(axis=1) - pressure
    aix = 100.0 * augmented / np.ptp(waves, axis=1)
    return np.where(late > 0.0, -aix, aix), ejection


def wave_indices(waves: Waves, duration: PerRow) -> WaveIndices:
    """Read the indices of beats of central pressure.

    A beat is taken as periodic: where it starts does not matter. AIx and ejection time
    are read of beats that last `DURATION`; 64 points in 2.5 s still hold the 10 Hz
    that are looked at.

    Args:
        waves: Pressure, mmHg; rows that are not all finite answer NaN.
            Shape (beat, point).
        duration: Of each beat, s, NaN where unknown. Shape (beat,).

    Returns:
        AIx (%), form factor, ejection time (s); NaN where a wave is missing or flat,
        has no dicrotic notch, or no inflection before it. Each of shape (beat,).

    Raises:
        ShapeError: If there is not one duration a beat.
    """
    check_rows(waves, duration, name="duration")
    found = np.full((3, len(waves)), np.nan)
    for start in range(0, len(waves), _BLOCK):
        block = waves[start : start + _BLOCK].astype(np.float64)
        lasts = duration[start : start + _BLOCK]
        low, pulse = block.min(axis=1), np.ptp(block, axis=1)
        # NaN and infinity compare false.
        pulsing = (pulse > 0.0) & (pulse < np.inf)
        mean = block[pulsing].mean(axis=1)
        found[1, start : start + _BLOCK][pulsing] = (mean - low[pulsing]) / pulse[
            pulsing
        ]
        rows = np.flatnonzero(pulsing & (lasts >= DURATION[0]) & (lasts <= DURATION[1]))
        shape = _shape(block[rows], lasts[rows])
        found[0, start + rows], found[2, start + rows] = shape
    return WaveIndices(*found)


def index_errors(
    predicted: Predicted, reference: Reference, duration: PerRow
) -> dict[str, PerRow]:
    """Return the errors of the indices of each beat.

    Args:
        predicted: What a method says, mmHg. Shape (beat, point).
        reference: What is true, mmHg. Shape (beat, point).
        duration: Of each beat, s. Shape (beat,).

    Returns:
        ``aix_error`` (percentage points), ``form_factor_error`` and
        ``ejection_time_error`` (ms), NaN where the index of either wave cannot be
        read: count those beats beside every number. Each of shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    check_pair(predicted, reference)
    check_pair(duration, duration)
    guess, truth = (wave_indices(w, duration) for w in (predicted, reference))
    return {
        "aix_error": guess.aix - truth.aix,
        "form_factor_error": guess.form_factor - truth.form_factor,
        "ejection_time_error": 1e3 * (guess.ejection_time - truth.ejection_time),
    }
