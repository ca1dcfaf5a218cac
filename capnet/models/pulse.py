"""The pressure-like wave of a beat that linear estimators start from.

A photoplethysmogram has no unit. Stretched between the diastolic and the systolic
pressure of a cuff it looks like a peripheral pressure wave, and is treated as one.
"""

import numpy as np

from capnet.errors import RecordError
from capnet.records import Beats
from capnet.types import N_POINTS, BeatWaves

__all__ = ["calibrated_pulse", "source_wave", "start_at_foot"]


def calibrated_pulse(beats: Beats) -> BeatWaves:
    """Stretch the PPG of each beat between its cuff pressures.

    ``cuff DBP + ppg * (cuff SBP - cuff DBP)``: the foot becomes the diastolic, the
    peak the systolic pressure.

    Args:
        beats: Beats; rows without a cuff reading become NaN.

    Returns:
        Pressure-like pulse, mmHg. Shape (beat, 64).
    """
    sbp, dbp = beats.cuff[:, :1], beats.cuff[:, 1:]
    return np.asarray(dbp + beats.ppg * (sbp - dbp), dtype=np.float64)


def source_wave(beats: Beats, source: str) -> BeatWaves:
    """Return the wave that a transfer function is applied to.

    Args:
        beats: Beats.
        source: ``ppg`` for the pulse calibrated by the cuff (`calibrated_pulse`), or
            the name of one of ``beats.waves``, which is taken in its own mmHg.

    Returns:
        Peripheral wave, mmHg. Shape (beat, 64).

    Raises:
        RecordError: If there is no such wave.
    """
    if source == "ppg":
        return calibrated_pulse(beats)
    if source not in beats.waves:
        known = ", ".join(map(repr, ["ppg", *beats.waves]))
        msg = f"the beats have no wave {source!r}; wanted one of {known}."
        raise RecordError(msg)
    return np.asarray(beats.waves[source], dtype=np.float64)


def start_at_foot(waves: BeatWaves) -> BeatWaves:
    """Turn periodic beats so that each begins at its own foot.

    The foot is where the tangent of the steepest upstroke meets the minimum. The
    shift is exact for a periodic wave without content at the Nyquist frequency.

    Args:
        waves: Periodic beats, NaN rows allowed. Shape (beat, 64).

    Returns:
        The same waves, later or earlier in time. Shape (beat, 64).
    """
    spectrum = np.fft.rfft(waves, axis=1)
    order = np.arange(spectrum.shape[1])
    slope = np.fft.irfft(spectrum * 2j * np.pi * order / N_POINTS, N_POINTS, axis=1)
    steepest = slope.argmax(axis=1)
    rows = np.arange(len(waves))
    rise = waves[rows, steepest] - waves.min(axis=1)
    # A flat beat has no upstroke: its foot is anywhere, so it stays where it is.
    fastest = np.maximum(slope[rows, steepest], 1e-12)
    foot = np.where(rise > 0, steepest - rise / fastest, 0.0)
    turn = np.exp(2j * np.pi * order * foot[:, None] / N_POINTS)
    return np.fft.irfft(spectrum * turn, N_POINTS, axis=1)
