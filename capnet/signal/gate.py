"""The gate: which beats to believe, and why not the others.

Known quality scores do not gate (a clipped PPG scores 0.98, a pure sine 1.00), so each
rule here looks for one fault that monitors make. Limits were set on made pulses and on
pressure pulses of virtual people, so that clean beats pass (at most 2 % refused) and
severely damaged ones do not (at least 99 % refused).

A pulse at a wrong sampling rate cannot be told from another heart rate, unless its
duration or its upstroke becomes impossible.
"""

from typing import Final

import numpy as np

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rows
from capnet.signal.interpolate import catmull_rom
from capnet.signal.sampling import N_TAPS, RATE
from capnet.signal.smoothing import smoothed_rows
from capnet.types import (
    N_POINTS,
    BeatWaves,
    Flags,
    Labels,
    PerBeat,
    RawSamples,
    Windows,
)

__all__ = ["LONGEST", "SHORTEST", "judge_beats"]

SHORTEST: Final = 0.3
"""Seconds a beat lasts at least (200 bpm)."""

LONGEST: Final = 2.0
"""Seconds a beat lasts at most (30 bpm)."""

BORDER: Final = N_TAPS // 4
"""Samples that a window must hold before and after its beat. Its ends are continued by
their last value, and the outer half of the filter weighs next to nothing."""

LEAST_PAT: Final = 0.08
"""Seconds from R peak to pulse foot, at least: the heart alone takes 65 ms (PEP) to
open its valve, and the wave has yet to travel."""

STILL: Final = 1e-3
"""Change between samples, in pulse heights, below which nothing moves."""

FLAT_RUN: Final = 0.2
"""Seconds without movement that make a beat flat: a sensor off, or a cut signal."""

RAIL: Final = 3e-3
"""Distance from the highest or lowest sample, in pulse heights: at the rail."""

SAME: Final = 1e-6
"""Distance in pulse heights below which samples are equal."""

SAME_RUN: Final = 0.055
"""Seconds of equal samples at a rail: what no rounded peak gives with 8 bits."""

TOP_RUN: Final = 0.09
"""Seconds near the upper rail: a rounded peak stays there for 0.06 s at most."""

BOTTOM_RUN: Final = 0.14
"""Seconds near the lower rail; diastole ends flatter than systole."""

NOISE: Final = 0.08
"""What the 10 Hz low-pass takes away (root mean square), in pulse heights; sensors
leave 0.01 to 0.03."""

ASCENT: Final = 2.0
"""All upward movement within a beat, in pulse heights: 1 for the upstroke, up to 0.8
for dicrotic waves; more is noise or more than one pulse."""

SECOND_HARMONIC: Final = 0.10
"""Second over first harmonic: pulses have 0.2 to 1, a sine none."""

RIPPLE: Final = 0.18
"""Harmonics from the sixth on over all of them (root sum of squares); pulses have at
most 0.05, the sharpest pressure pulses 0.15, noise within the low-pass 0.3."""

STEEPNESS: Final = 0.9
"""Steepest rise over steepest fall: a pulse rises faster than it falls."""

LATEST_PEAK: Final = 0.5
"""Peak within the beat, as a share of its duration."""

CREST: Final = (0.05, 0.45)
"""Seconds from foot to peak."""

DIP: Final = 0.5
"""Depth below the line through both feet, in pulse heights."""

DRIFT: Final = 0.5
"""Difference of the levels of both feet, in pulse heights: the sensor moved."""

RR_CHANGE: Final = 0.2
"""Relative deviation of an RR interval from the median of the five around it: an
ectopic beat, or a missed one; breathing changes it by less than a tenth."""

LIKENESS: Final = 0.9
"""Correlation with the median beat of the same subject."""

LEAST_BEATS: Final = 5
"""Beats of a subject from which a median beat or a rhythm can be told."""


def _longest_run(mask: np.ndarray) -> np.ndarray:
    """Longest stretch of true values in each row, samples."""
    longest = np.zeros(len(mask), dtype=np.int64)
    current = np.zeros(len(mask), dtype=np.int64)
    for column in mask.T:
        current = np.where(column, current + 1, 0)
        longest = np.maximum(longest, current)
    return longest


def _raw_faults(
    raw: Windows, start: PerBeat, stop: PerBeat
) -> list[tuple[str, np.ndarray]]:
    """Faults seen in the raw samples of each beat."""
    time = np.arange(raw.shape[1])[None]
    beat = (time >= start[:, None]) & (time <= stop[:, None])
    reach = N_TAPS // 2 + 2
    needed = (time >= start[:, None] - reach) & (time <= stop[:, None] + reach)
    lacking = (needed & ~np.isfinite(raw)).any(axis=1)
    lacking |= (start < BORDER) | (stop > raw.shape[1] - 1 - BORDER)
    known = np.where(np.isfinite(raw), raw, 0.0)
    top = np.where(beat, known, -np.inf).max(axis=1, initial=-np.inf)
    bottom = np.where(beat, known, np.inf).min(axis=1, initial=np.inf)
    top, bottom = np.where(beat.any(axis=1), [top, bottom], 0.0)
    height = top - bottom
    constant = height <= 1e-9 * np.maximum(np.abs(top), np.abs(bottom))
    # shape: (beat, time), 0 at the lowest sample and 1 at the highest
    scaled = (known - bottom[:, None]) / np.where(constant, 1.0, height)[:, None]
    still = np.abs(np.diff(scaled, axis=1, prepend=np.nan)) < STILL
    low = smoothed_rows(scaled)
    hiss = np.where(beat, scaled - low, 0.0)
    with np.errstate(over="ignore"):  # infinitely noisy is noisy
        noise = np.sqrt((hiss**2).sum(axis=1) / np.maximum(beat.sum(axis=1), 1))
    ends = np.stack([start, stop], axis=1)
    level = catmull_rom(low, np.where(np.isfinite(ends), ends, 0.0))
    drift = np.abs(level[:, 1] - level[:, 0])
    above = _longest_run(beat & (scaled >= 1.0 - RAIL)) >= TOP_RUN * RATE
    below = _longest_run(beat & (scaled <= RAIL)) >= BOTTOM_RUN * RATE
    cut = _longest_run(beat & (scaled >= 1.0 - SAME)) >= SAME_RUN * RATE
    cut |= _longest_run(beat & (scaled <= SAME)) >= SAME_RUN * RATE
    return [
        ("samples missing", lacking),
        ("flat", constant | (_longest_run(beat & still) >= FLAT_RUN * RATE)),
        ("clipped", above | below | cut),
        ("noise", noise > NOISE),
        ("baseline moves", drift > DRIFT),
    ]


def _shape_faults(wave: BeatWaves, duration: PerBeat) -> list[tuple[str, np.ndarray]]:
    """Faults seen in the 64 points of each beat."""
    known = np.where(np.isfinite(wave), wave, 0.0).astype(np.float64)
    step = np.diff(known, axis=1, append=known[:, :1])
    rise, fall = step.max(axis=1), -step.min(axis=1)
    ascent = np.clip(step, 0.0, None).sum(axis=1)
    harmonic = np.abs(np.fft.rfft(known, axis=1))
    whole, high = (np.sqrt((harmonic[:, k:] ** 2).sum(axis=1)) for k in (1, 6))
    peak = known.argmax(axis=1) / known.shape[1]
    crest = peak * duration
    return [
        ("no pulse", known.max(axis=1) < 1.0 - 1e-3),
        ("inverted", (rise < STEEPNESS * fall) | (peak > LATEST_PEAK)),
        ("a sine", harmonic[:, 2] < SECOND_HARMONIC * harmonic[:, 1]),
        ("more than one pulse", ascent > ASCENT),
        ("ripples", high > RIPPLE * whole),
        ("falls below its feet", known.min(axis=1) < -DIP),
        ("upstroke implausible", ~((crest >= CREST[0]) & (crest <= CREST[1]))),
    ]


def _ectopic(rr: PerBeat) -> Flags:
    """RR intervals unlike the median of the five around them."""
    if len(rr) < LEAST_BEATS:
        return np.zeros(len(rr), dtype=np.bool_)
    around = np.lib.stride_tricks.sliding_window_view(np.pad(rr, 2, mode="edge"), 5)
    usual = np.median(around, axis=1)
    answer: Flags = np.abs(rr - usual) > RR_CHANGE * usual
    return answer


def _unlike(wave: BeatWaves) -> Flags:
    """Beats that do not correlate with the median of all of them."""
    if len(wave) < LEAST_BEATS:
        return np.zeros(len(wave), dtype=np.bool_)
    template = np.median(wave, axis=0)
    template = template - template.mean()
    centred = wave - wave.mean(axis=1, keepdims=True)
    size = np.sqrt((centred**2).sum(axis=1) * (template**2).sum())
    answer: Flags = centred @ template < LIKENESS * size
    return answer


def judge_beats(
    raw: RawSamples,
    start: RawSamples,
    stop: RawSamples,
    wave: RawSamples,
    *,
    subject: Labels,
    rr: RawSamples,
    pat: RawSamples,
) -> Labels:
    """Judge beats, one reason each; the first rule that a beat breaks is its reason.

    Rules that compare (ectopic, unlike the others) look at one subject's rows in
    their order and need at least five; rows of virtual people who have one beat each
    are judged alone.

    Args:
        raw: Raw PPG at the front end's rate, NaN where missing. Shape (beat, time).
        start: Pulse foot within the row, samples. Shape (beat,).
        stop: Next pulse foot within the row, samples. Shape (beat,).
        wave: What the front end made of it. Shape (beat, 64).
        subject: Identifier. Shape (beat,).
        rr: RR interval, s. Shape (beat,).
        pat: R peak to foot, s, NaN where there was no ECG. Shape (beat,).

    Returns:
        Reasons, empty where the beat is accepted. Shape (beat,).

    Raises:
        ShapeError: If the arrays are no real numbers of these shapes, or have not the
            same number of rows.
    """
    raw = checked_rows(raw, where="the windows", least=1)
    wave = checked_rows(wave, where="the beats", least=N_POINTS)
    start, stop, rr, pat = (
        checked_numbers(x, where=f"the {name}")
        for name, x in (
            ("feet", start),
            ("ends", stop),
            ("intervals", rr),
            ("PAT", pat),
        )
    )
    lengths = {len(x) for x in (raw, start, stop, wave, subject, rr, pat)}
    if len(lengths) > 1:
        msg = f"arrays have {sorted(lengths)} rows; wanted the same number in each."
        raise ShapeError(msg)
    duration = (stop - start) / RATE
    no_foot = ~(np.isfinite(start) & np.isfinite(stop))
    odd = (duration < SHORTEST) | (duration > LONGEST)
    odd |= ~((rr >= SHORTEST) & (rr <= LONGEST))
    faults = [("duration implausible", odd & ~no_foot)]
    faults += _raw_faults(raw, start, stop)
    # A gap explains a foot that was not found, so it is named first.
    gap = ~np.isfinite(raw).all(axis=1) & no_foot
    faults = [("samples missing", gap), ("no pulse foot", no_foot), *faults]
    faults.append(("samples missing", ~np.isfinite(wave).all(axis=1)))
    faults += _shape_faults(wave, duration)
    faults.append(("pulse before the heart", pat < LEAST_PAT))
    reason = np.full(len(raw), "", dtype="U32")
    for name, found in faults:
        reason = np.where((reason == "") & found, name, reason)
    for one in np.unique(subject):
        rows = np.flatnonzero(subject == one)
        rows = rows[_ectopic(rr[rows])]
        reason[rows] = np.where(reason[rows] == "", "ectopic", reason[rows])
    for one in np.unique(subject):
        rows = np.flatnonzero((subject == one) & (reason == ""))
        reason[rows[_unlike(wave[rows])]] = "unlike the other beats"
    return reason
