"""Shape of pulses by their fiducial points, of any pulse channel."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.signal.checks import checked_samples
from capnet.signal.fiducials import find_fiducials
from capnet.signal.interpolate import catmull_rom
from capnet.types import Labels, PerBeat, RawSamples, Samples

__all__ = ["Morphology", "pulse_morphology"]

_COUNT: Final = 128
"""Points of a beat that areas are summed over."""


class Morphology(NamedTuple):
    """Measures of each beat; a reason stands where those above it are NaN.

    Attributes:
        notch_time: Foot to dicrotic notch, s.
        area_systolic: Integral of the wave above the line through both feet, from foot
            to notch, over the systolic peak's height, s.
        area_diastolic: From notch to the next foot, s.
        area_ratio: Diastolic over systolic area.
        notch_reason: Why these are NaN; empty otherwise.
        reflection_index: Height of the diastolic over that of the systolic peak.
        peak_to_peak: Systolic to diastolic peak, s.
        reflection_reason: Likewise.
        augmentation: Height of the second systolic shoulder over that of the peak.
        augmentation_reason: Likewise.
        b_a, e_a: Waves of the second derivative over its a wave.
        apg_reason: Likewise.
        c_a, d_a: Those that many waves lack.
        agi: (b - c - d - e) / a.
        ageing_reason: Likewise.
    """

    notch_time: PerBeat
    area_systolic: PerBeat
    area_diastolic: PerBeat
    area_ratio: PerBeat
    notch_reason: Labels
    reflection_index: PerBeat
    peak_to_peak: PerBeat
    reflection_reason: Labels
    augmentation: PerBeat
    augmentation_reason: Labels
    b_a: PerBeat
    e_a: PerBeat
    apg_reason: Labels
    c_a: PerBeat
    d_a: PerBeat
    agi: PerBeat
    ageing_reason: Labels


def pulse_morphology(
    values: RawSamples, start: PerBeat, stop: PerBeat, *, sampling_rate: float
) -> Morphology:
    """Measure pulses by their fiducial points.

    Nothing depends on gain or offset of the channel. See `capnet.signal.fiducials` for
    the points; those of the second derivative need a clean wave.

    Args:
        values: PPG or pressure, any unit, not filtered, NaN where missing.
            Shape (time,).
        start: Pulse feet, s since the first sample, NaN where unknown. Shape (beat,).
        stop: Next pulse feet, likewise. Shape (beat,).
        sampling_rate: Hz, at least 50.

    Returns:
        One row a beat.

    Raises:
        ShapeError: If the values are no channel, or start and stop do not agree.
        UnitError: If the sampling rate is too low or impossible.

    Reference:
        Takazawa et al. 1998 (Hypertension 32:365) for a to e and their indices,
        Millasseau et al. 2002 (Clin Sci 103:371) for the diastolic peak, Wang et al.
        2009 (Conf Proc IEEE EMBS, 1746) for the ratio of areas.
    """
    points = find_fiducials(values, start, stop, sampling_rate=sampling_rate)
    samples = checked_samples(values, where="the pulse wave")
    peak, notch = points["systolic"], points["notch"]
    top = np.where(peak.height > 0.0, peak.height, np.nan)
    curve = _above_feet(samples, start * sampling_rate, stop * sampling_rate)
    duration = stop - start
    since = notch.time - points.foot
    parts = _areas(curve, since / duration)
    systolic, diastolic = (part * duration / top for part in parts)
    positive = np.where(systolic > 0.0, systolic, np.nan)

    reflected = points["diastolic"]
    shoulder = points["shoulder"]
    late = shoulder.time > peak.time
    why = _first(peak.reason, shoulder.reason)
    late_reason = np.where(
        (why == "") & ~late, "the peak is the second shoulder itself", why
    )
    waves = {letter: points[letter] for letter in "abcde"}
    a = np.where(waves["a"].second > 0.0, waves["a"].second, np.nan)
    ratio = {letter: waves[letter].second / a for letter in "bcde"}
    ageing = ratio["b"] - ratio["c"] - ratio["d"] - ratio["e"]
    notched = _all_or_none(
        [since, systolic, diastolic, diastolic / positive],
        _first(peak.reason, notch.reason),
    )
    mirrored = _all_or_none(
        [reflected.height / top, reflected.time - peak.time],
        _first(peak.reason, reflected.reason),
    )
    augmented = _all_or_none(
        [np.where(late, shoulder.height / top, np.nan)], late_reason
    )
    bent = _all_or_none(
        [ratio["b"], ratio["e"]], _first(*(waves[x].reason for x in "abe"))
    )
    aged = _all_or_none(
        [ratio["c"], ratio["d"], ageing], _first(*(waves[x].reason for x in "abecd"))
    )
    return Morphology(
        *(*notched[0], notched[1], *mirrored[0], mirrored[1]),
        *(*augmented[0], augmented[1], *bent[0], bent[1], *aged[0], aged[1]),
    )


def _first(*reasons: Labels) -> Labels:
    """Return the first reason that is not empty."""
    found = np.select([reason != "" for reason in reasons], list(reasons), default="")
    return found.astype(np.str_)


def _all_or_none(values: list[PerBeat], reason: Labels) -> tuple[list[PerBeat], Labels]:
    """Give what has no reason not to be; what is undefined all the same gets one."""
    known = np.isfinite(values).all(axis=0) & (reason == "")
    why = np.where(~known & (reason == ""), "undefined", reason)
    return [np.where(known, value, np.nan) for value in values], why


def _above_feet(
    samples: Samples, begin: PerBeat, end: PerBeat
) -> Float[np.ndarray, "beat point"]:
    """Read beats above the line through both feet, ends included."""
    phase = np.linspace(0.0, 1.0, _COUNT + 1)
    place = begin[:, None] + phase * (end - begin)[:, None]
    read = catmull_rom(samples[None], place)
    line = read[:, :1] + phase * (read[:, -1:] - read[:, :1])
    curve: np.ndarray = read - line
    return curve


def _areas(
    curve: Float[np.ndarray, "beat point"], border: PerBeat
) -> tuple[PerBeat, PerBeat]:
    """Integrate over the phase before and after a border; trapezoids."""
    pieces = 0.5 * (curve[:, 1:] + curve[:, :-1]) / _COUNT
    total = np.cumsum(pieces, axis=1)
    sums = np.concatenate([np.zeros((len(curve), 1)), total], axis=1)
    place = np.clip(np.nan_to_num(border), 0.0, 1.0) * _COUNT
    low = np.minimum(place.astype(np.int64), _COUNT - 1)
    rows = np.arange(len(curve))
    left, right = sums[rows, low], sums[rows, low + 1]
    before = left + (place - low) * (right - left)
    known = np.isfinite(border)
    return (
        np.where(known, before, np.nan),
        np.where(known, sums[:, -1] - before, np.nan),
    )
