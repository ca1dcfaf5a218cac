"""Respiration rate: from what breathing does to pulses and heart beats, and measured.

Breathing moves the baseline of a PPG, the height of its pulses, the RR intervals and
the height of the R peaks. Each alone is often drowned; their spectra together are not.
Slow waves of pressure (0.1 Hz) move all but the last, which follows the chest.
"""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from scipy.signal import lombscargle

from capnet.errors import ShapeError
from capnet.signal.checks import (
    checked_numbers,
    checked_rate,
    checked_rows,
    checked_samples,
)
from capnet.signal.stretches import stretches
from capnet.types import Labels, PerBeat, RawSamples, Samples

__all__ = ["WINDOW", "Breathing", "breathing_of_beats", "breathing_of_channel"]

WINDOW: Final = 60.0
"""Seconds that one rate stands for: four breaths at least."""

SLOWEST: Final = 1.0 / 15.0
"""Hz (4 breaths a minute): a slow ventilator."""

FASTEST: Final = 0.7
"""Hz (42 a minute); beats show at most half their own rate."""

SLOW_WAVES: Final = 0.15
"""Hz below which pressure, heart rate and vessels have rhythms of their own (the low
frequencies of the Task Force 1996): there the R peaks' height must know it, too."""

LEAST_COVER: Final = 0.75
"""Of a window that its samples must reach over."""

LEAST_COUNT: Final = 20
"""Samples that a spectrum needs."""

LEAST_PEAK: Final = 0.2
"""Share of the power near the strongest frequency, of the mean spectrum and of two of
the spectra in it. Four modulations of noise pass once in a hundred windows."""

RIVAL: Final = 0.8
"""Of the highest peak of the mean spectrum: another one of that size leaves it open."""

_BESIDE: Final = 0.025
"""Hz on each side of a peak that are its own; a minute resolves 1 / 60 Hz."""

_STEP: Final = 0.004
"""Hz."""

_LOWEST: Final = 0.05
"""Hz where the spectra begin; what is slower went with the polynomial."""

_DRIFT: Final = 3
"""Degree of that polynomial."""

_LONGEST_HOLE: Final = 6.0
"""Seconds without a beat."""

_OUTLIER: Final = 4.0
"""Median absolute deviations at which single values are held."""

LEAST_RATE: Final = 4.0
"""Hz of a respiration channel."""

_KEPT: Final = 8.0
"""Values a second that are kept of it, about."""

_SMOOTH: Final = 1.25
"""Seconds of the bell over which it is averaged: heart beats vanish."""

_GAP: Final = 1.0
"""Seconds without samples that are bridged: less than the fastest breath."""

_LEVELS: Final = ((0.4, 0.6), (0.25, 0.75))
"""Parts of the range between which the chest must rise to have breathed: little, much.
Breaths are clear where both count the same."""

Numbers = Int[np.ndarray, "beat"]

Spectrum = Float[np.ndarray, " frequency"]

_FREQUENCY: Final = np.arange(_LOWEST, FASTEST + _STEP, _STEP)


class Breathing(NamedTuple):
    """Respiration rate of the window that each row belongs to.

    Attributes:
        rate: Breaths a minute; NaN where it cannot be told. Shape (beat,).
        reason: Why not; empty otherwise. Shape (beat,).
    """

    rate: PerBeat
    reason: Labels


def _shares(time: np.ndarray, values: np.ndarray) -> Spectrum | None:
    """Return the spectrum of a modulation, its sum 1; None where it says nothing."""
    known = np.isfinite(time) & np.isfinite(values)
    time, values = time[known], values[known]
    if len(time) < LEAST_COUNT or time[-1] - time[0] < LEAST_COVER * WINDOW:
        return None
    step = np.diff(time)
    if step.max() > _LONGEST_HOLE:
        return None
    left = _without_drift(time, values)
    spread = np.median(np.abs(left))
    if not spread > 1e-9 * max(float(np.abs(values).max()), 1e-30):
        return None
    left = np.clip(left, -_OUTLIER * spread, _OUTLIER * spread)
    power = lombscargle(time, left - left.mean(), 2.0 * np.pi * _FREQUENCY)
    power[0.5 / np.median(step) < _FREQUENCY] = 0.0
    shares: Spectrum = power / power.sum()
    return shares


def _numbered(windows: RawSamples) -> Numbers:
    if windows.ndim != 1 or windows.dtype.kind not in "iu":
        msg = (
            f"the windows have shape {windows.shape} and type {windows.dtype}; wanted "
            "whole numbers of shape (beat,)."
        )
        raise ShapeError(msg)
    return windows


def _without_drift(time: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Take a polynomial away: what is slower than breathing."""
    phase = (time - time.mean()) / WINDOW
    left: np.ndarray = values - np.polyval(np.polyfit(phase, values, _DRIFT), phase)
    return left


def _near(shares: Spectrum, frequency: float) -> float:
    return float(shares[np.abs(_FREQUENCY - frequency) <= _BESIDE].sum())


def _fused(spectra: list[Spectrum | None], *, chest: int) -> tuple[float, str]:
    """Return the rate that spectra share, 1/min, or why there is none.

    Args:
        spectra: Of each modulation, None where it says nothing.
        chest: Which of them slow waves of pressure do not touch.
    """
    known = [shares for shares in spectra if shares is not None]
    if len(known) < 2:
        return np.nan, f"{len(known)} modulations with enough beats, wanted 2"
    mean = np.mean(known, axis=0)
    top = int(np.where(_FREQUENCY >= SLOWEST, mean, 0.0).argmax())
    at = float(_FREQUENCY[top])
    agree = sum(_near(shares, at) >= LEAST_PEAK for shares in known)
    if _near(mean, at) < LEAST_PEAK or agree < 2:
        return np.nan, "no frequency stands out in two modulations"
    apart = np.abs(_FREQUENCY - at) > 2.0 * _BESIDE
    other = float(_FREQUENCY[np.where(apart, mean, 0.0).argmax()])
    if mean[apart].max() > RIVAL * mean[top]:
        return np.nan, f"modulations disagree: {60.0 * at:.0f}, {60.0 * other:.0f}"
    height = spectra[chest]
    if at < SLOW_WAVES and (height is None or _near(height, at) < LEAST_PEAK):
        return np.nan, f"slow waves or slow breathing: {60.0 * at:.0f} a minute"
    if not 0 < top < len(mean) - 1:
        return np.nan, "the strongest frequency lies at the border"
    left, middle, right = mean[top - 1 : top + 2]
    bend = left - 2.0 * middle + right
    offset = 0.5 * (left - right) / bend if bend < 0.0 else 0.0
    return 60.0 * (at + _STEP * float(np.clip(offset, -0.5, 0.5))), ""


def breathing_of_beats(
    time: RawSamples,
    modulations: RawSamples,
    r_height: RawSamples,
    window: RawSamples,
) -> Breathing:
    """Tell the respiration rate of each window from what breathing modulates.

    Lomb-Scargle spectra of the beats (refused ones, NaN, are left out and not filled)
    are brought to the same sum and averaged. Their highest peak is the rate, if a fifth
    of the mean power and of that of two modulations lies near it, and no other peak is
    nearly as high. Below 9 a minute the R peaks' height must be one of the two: slow
    waves of pressure move everything else.

    Args:
        time: Of each beat, s, ascending within a window. Shape (beat,).
        modulations: What pressure waves move as well: height and foot of the pulse, RR
            intervals; NaN where refused. Shape (modulation, beat).
        r_height: Height of the R peaks, any unit; NaN without ECG. Shape (beat,).
        window: Which window a beat belongs to; negative for none. Shape (beat,).

    Returns:
        Rates of the rows' windows.

    Raises:
        ShapeError: If they are no numbers, or there is not one column a beat.

    Reference:
        Karlen et al. 2013 (IEEE Trans Biomed Eng 60:1946) for the three modulations of
        the PPG; Charlton et al. 2018 (IEEE Rev Biomed Eng 11:2) for fusing spectra
        instead of rates.
    """
    time = checked_numbers(time, where="the times of the beats")
    modulations = checked_rows(modulations, where="the modulations")
    r_height = checked_numbers(r_height, where="the heights of the R peaks")
    window = _numbered(window)
    if not modulations.shape[1] == len(r_height) == len(time) == len(window):
        msg = (
            f"{len(time)} times, modulations of shape {modulations.shape}, "
            f"{len(r_height)} R peaks, {len(window)} windows; wanted one a beat."
        )
        raise ShapeError(msg)
    rate = np.full(len(time), np.nan)
    reason = np.full(len(time), "no time", dtype="U80")
    for one in np.unique(window[window >= 0]):
        rows = np.flatnonzero(window == one)
        known = [_shares(time[rows], x[rows]) for x in (*modulations, r_height)]
        rate[rows], reason[rows] = _fused(known, chest=len(modulations))
    return Breathing(rate, reason)


def breathing_of_channel(
    values: RawSamples, *, sampling_rate: float, start: float, windows: RawSamples
) -> Breathing:
    """Count the breaths of a respiration channel.

    A breath is a passage from the lower to the upper part of the channel's range in the
    window; what shape it has, and whether the monitor clips it, does not matter. It is
    clear where a rise by a fifth of the range counts as many (or one more) as a rise by
    half of it. The rate is that of the passages from the first to the last.

    Args:
        values: Any unit (impedance, belt, flow), NaN where missing. Shape (time,).
        sampling_rate: Hz, at least 4.
        start: Time of the first sample on the clock of the windows, s.
        windows: Numbers of the windows wanted: window k lasts from 60 k to 60 (k + 1)
            s. Shape (beat,).

    Returns:
        Rates of these windows.

    Raises:
        ShapeError: If the values are no channel, or the windows no whole numbers.
        UnitError: If the sampling rate is too low.
    """
    where = "the respiration channel"
    samples = checked_samples(values, where=where)
    sampling_rate = checked_rate(sampling_rate, least=LEAST_RATE, where=where)
    windows = _numbered(windows)
    width = max(1, int(sampling_rate / _KEPT))
    whole = len(samples) // width * width
    blocks = samples[:whole].reshape(-1, width).mean(axis=1)  # NaN spreads
    time = start + (np.arange(len(blocks)) * width + 0.5 * (width - 1)) / sampling_rate
    smooth = _smoothed(blocks, rate=sampling_rate / width)
    number = np.floor(time / WINDOW)
    rate = np.full(len(windows), np.nan)
    reason = np.full(len(windows), "no time", dtype="U80")
    for one in np.unique(windows[windows >= 0]):
        rows, inside = windows == one, number == one
        rate[rows], reason[rows] = _counted(time[inside], smooth[inside])
    return Breathing(rate, reason)


def _smoothed(blocks: Samples, *, rate: float) -> Samples:
    """Average over a bell; short gaps are bridged, longer ones stay."""
    known = stretches(blocks)
    if not len(known):
        return blocks
    filled = blocks.copy()
    for end, begin in zip(known[:-1, 1], known[1:, 0], strict=True):
        if begin - end <= _GAP * rate:
            line = np.linspace(blocks[end - 1], blocks[begin], begin - end + 2)
            filled[end:begin] = line[1:-1]
    half = max(1, round(0.5 * _SMOOTH * rate))
    bell = np.hanning(2 * half + 3)[1:-1]
    padded = np.pad(filled, half, mode="edge")
    smooth: Samples = np.convolve(padded, bell / bell.sum(), mode="valid")
    return smooth


def _counted(time: np.ndarray, values: Samples) -> tuple[float, str]:
    """Count the breaths of one window; return their rate, or why there is none."""
    known = np.isfinite(values)
    time, values = time[known], values[known]
    if len(time) < LEAST_COUNT or time[-1] - time[0] < LEAST_COVER * WINDOW:
        return np.nan, "samples missing"
    if np.diff(time).max() > 2.0 * _GAP:
        return np.nan, "samples missing"
    left = _without_drift(time, values)
    low, high = np.percentile(left, [5.0, 95.0])
    if not high - low > 1e-9 * max(float(np.abs(values).max()), 1e-30):
        return np.nan, "flat"
    part = (left - low) / (high - low)
    breaths, deep = (_passages(part, *levels) for levels in _LEVELS)
    if abs(len(breaths) - len(deep)) > 1:
        return np.nan, f"breaths unclear: {len(breaths)} or {len(deep)}"
    at = time[breaths]
    pause = np.diff(np.concatenate([time[:1], at, time[-1:]])).max()
    if len(at) < 3 or pause > 1.0 / SLOWEST:
        return np.nan, f"no breath for {pause:.0f} s"
    rate = float(60.0 * (len(at) - 1) / (at[-1] - at[0]))
    if rate > 60.0 * FASTEST:
        return np.nan, f"{rate:.0f} breaths a minute"
    return rate, ""


def _passages(part: Samples, low: float, high: float) -> Int[np.ndarray, " breath"]:
    """Find where a wave comes to ``high`` after it was at ``low``."""
    side = np.where(part >= high, 1, np.where(part <= low, -1, 0))
    ends = np.flatnonzero(side)
    up = (side[ends][1:] == 1) & (side[ends][:-1] == -1)
    passages: Int[np.ndarray, " breath"] = ends[1:][up]
    return passages
