"""Respiration rate: from what breathing does to pulses and heart beats, and measured.

Breathing moves the baseline of a PPG, the height of its pulses, the RR intervals and
the height of the R peaks. Each alone is often wrong (slow waves of pressure have their
own rhythm at 0.1 Hz); where they agree they are seldom wrong, and where they do not
nothing is told.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import lombscargle

from capnet.errors import ShapeError
from capnet.signal.checks import checked_rate, checked_samples
from capnet.types import Labels, PerBeat, RawSamples

__all__ = ["WINDOW", "Breathing", "breathing_of_beats", "breathing_of_channel"]

WINDOW: Final = 60.0
"""Seconds that one rate stands for: six breaths at least."""

SLOWEST: Final = 0.1
"""Hz (6 breaths a minute)."""

FASTEST: Final = 0.7
"""Hz (42 a minute); beats show at most half their own rate."""

AGREE: Final = 2.0
"""Breaths a minute that estimates of one window may span and be said to agree."""

LEAST_COVER: Final = 0.75
"""Of a window that its samples must reach over."""

LEAST_COUNT: Final = 20
"""Samples that a spectrum needs."""

LEAST_PEAK: Final = 0.4
"""Share of the power within 0.03 Hz of the strongest frequency; of noise it is 0.1."""

_BESIDE: Final = 0.03
_STEP: Final = 0.004
"""Hz."""

_LONGEST_HOLE: Final = 6.0
"""Seconds without a sample."""

_OUTLIER: Final = 4.0
"""Median absolute deviations at which single values are held."""

LEAST_RATE: Final = 4.0
"""Hz of a respiration channel; about as many values a second are kept of it."""

Modulations = Float[np.ndarray, "modulation beat"]
Numbers = Int[np.ndarray, "beat"]


class Breathing(NamedTuple):
    """Respiration rate of the window that each row belongs to.

    Attributes:
        rate: Breaths a minute; NaN where it cannot be told. Shape (beat,).
        reason: Why not; empty otherwise. Shape (beat,).
    """

    rate: PerBeat
    reason: Labels


def _frequency(time: np.ndarray, values: np.ndarray) -> float:
    """Return the strongest frequency of a window, 1/min, NaN where none stands out."""
    known = np.isfinite(time) & np.isfinite(values)
    time, values = time[known], values[known]
    if len(time) < LEAST_COUNT or time[-1] - time[0] < LEAST_COVER * WINDOW:
        return np.nan
    step = np.diff(time)
    if step.max() > _LONGEST_HOLE:
        return np.nan
    centred = time - time.mean()
    left = values - np.polyval(np.polyfit(centred, values, 1), centred)
    spread = np.median(np.abs(left))
    if not spread > 1e-9 * max(float(np.abs(values).max()), 1e-30):
        return np.nan
    left = np.clip(left, -_OUTLIER * spread, _OUTLIER * spread)
    fastest = min(FASTEST, 0.5 / float(np.median(step)))
    frequency = np.arange(SLOWEST - 2 * _BESIDE, fastest + _STEP, _STEP)
    power = lombscargle(time, left - left.mean(), 2.0 * np.pi * frequency)
    top = int(power.argmax())
    inside = 0 < top < len(power) - 1 and frequency[top] >= SLOWEST
    near = np.abs(frequency - frequency[top]) <= _BESIDE
    if not inside or power[near].sum() < LEAST_PEAK * power.sum():
        return np.nan
    left_of, middle, right_of = power[top - 1 : top + 2]
    bend = left_of - 2.0 * middle + right_of
    offset = 0.5 * (left_of - right_of) / bend if bend < 0.0 else 0.0
    return float(60.0 * (frequency[top] + _STEP * offset))


def _agreed(rates: np.ndarray) -> tuple[float, str]:
    """Return the mean of the estimates that agree, if they are all or three."""
    found = np.sort(rates[np.isfinite(rates)])
    if len(found) < 2:
        return np.nan, f"breathing stands out in {len(found)} modulations, wanted 2"
    ends = np.searchsorted(found, found + AGREE, side="right")
    count = ends - np.arange(len(found))
    most = int(count.argmax())
    # Two may share a slow wave of pressure; no third one may know better.
    if count[most] < min(len(found), 3):
        told = ", ".join(f"{rate:.0f}" for rate in found)
        return np.nan, f"modulations disagree: {told} a minute"
    return float(found[most : ends[most]].mean()), ""


def breathing_of_beats(
    time: PerBeat, modulations: Modulations, window: Numbers
) -> Breathing:
    """Tell the respiration rate of each window from what breathing modulates.

    Each modulation's strongest frequency is read from the Lomb-Scargle spectrum of its
    beats, so that refused ones (NaN) are left out and not filled. The rate is the mean
    of the frequencies that agree within 2 a minute, if these are three, or both where
    only two stand out.

    Args:
        time: Of each beat, s, ascending within a window. Shape (beat,).
        modulations: One number a beat each, NaN where refused.
            Shape (modulation, beat).
        window: Which window a beat belongs to; negative for none. Shape (beat,).

    Returns:
        Rates of the rows' windows.

    Raises:
        ShapeError: If there is not one column a beat.

    Reference:
        Karlen et al. 2013 (IEEE Trans Biomed Eng 60:1946) for the fusion of three
        modulations by agreement; they take a window if the estimates' standard
        deviation is at most 4 a minute.
    """
    if not modulations.shape[1] == len(time) == len(window):
        msg = (
            f"{len(time)} times, modulations of shape {modulations.shape}, "
            f"{len(window)} windows; wanted one a beat."
        )
        raise ShapeError(msg)
    rate = np.full(len(time), np.nan)
    reason = np.full(len(time), "no time", dtype="U80")
    for one in np.unique(window[window >= 0]):
        rows = np.flatnonzero(window == one)
        found = [_frequency(time[rows], values[rows]) for values in modulations]
        rate[rows], reason[rows] = _agreed(np.array(found, dtype=np.float64))
    return Breathing(rate, reason)


def breathing_of_channel(
    values: RawSamples, *, sampling_rate: float, start: float, windows: Numbers
) -> Breathing:
    """Read the respiration rate from a respiration channel.

    Args:
        values: Any unit (impedance, belt, flow), NaN where missing. Shape (time,).
        sampling_rate: Hz, at least 4.
        start: Time of the first sample on the clock of the windows, s.
        windows: Numbers of the windows wanted: window k lasts from 60 k to 60 (k + 1)
            s. Shape (beat,).

    Returns:
        Rates of these windows.

    Raises:
        ShapeError: If the values are no channel.
        UnitError: If the sampling rate is too low.
    """
    where = "the respiration channel"
    samples = checked_samples(values, where=where)
    sampling_rate = checked_rate(sampling_rate, least=LEAST_RATE, where=where)
    width = max(1, int(sampling_rate / LEAST_RATE))
    whole = len(samples) // width * width
    blocks = samples[:whole].reshape(-1, width).mean(axis=1)  # NaN spreads
    time = start + (np.arange(len(blocks)) * width + 0.5 * (width - 1)) / sampling_rate
    number = np.floor(time / WINDOW)
    rate = np.full(len(windows), np.nan)
    reason = np.full(len(windows), "no time", dtype="U80")
    for one in np.unique(windows[windows >= 0]):
        rows, inside = windows == one, number == one
        rate[rows] = _frequency(time[inside], blocks[inside])
        reason[rows] = "no frequency stands out"
    reason[np.isfinite(rate)] = ""
    return Breathing(rate, reason)
