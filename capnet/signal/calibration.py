r"""Give a pulse wave its millimetres of mercury, and average beats.

A wave of unknown gain and offset needs two pressures. Which two decides what comes
out: with SBP and DBP of the arm the wave is stretched to them, wherever it was taken;
with MAP and DBP its own shape says how high the systole is, and both of these pressures
are nearly the same in all large arteries.

.. math:: p(t) = d + \frac{m - d}{\bar w - \min w} (w(t) - \min w)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped

from capnet.errors import ConfigError, ShapeError
from capnet.types import Labels, PerBeat, RawSamples, Windows

__all__ = [
    "FORM_FACTORS",
    "Averages",
    "Calibrated",
    "average_beats",
    "calibrate_map_dbp",
    "calibrate_sbp_dbp",
    "mean_pressure",
]

FORM_FACTORS: Final[Mapping[str, float]] = {
    "third": 0.33,
    "bos": 0.40,
    "meaney": 0.412,
}
"""Where MAP lies between DBP and SBP at the arm: ``third`` is the rule of thumb,
``bos`` is Bos et al. 2007 (J. Hypertens. 25:751; 0.395 +- 0.025 in 57 brachial
arteries), ``meaney`` is Meaney et al. 2000 (Heart 84:64; 150 catheterisations). By
tonometry of 1,526 people it is 0.422 +- 0.055, from 0.23 to 0.58 (PubMed 32694334)."""

_LIMITS: Final = (20.0, 300.0)
"""mmHg; lowest DBP and highest SBP, as `capnet.records.Cuff` has them."""

_FLAT: Final = 1e-9
"""Height of a wave over its largest value below which it is rounding."""

Pressures = float | Shaped[np.ndarray, "..."]
"""One for all beats, or one a beat."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Beats in mmHg.

    Attributes:
        values: ``offset + gain * wave``, mmHg; NaN where there is a reason and where
            the wave was NaN. Shape (beat, time).
        gain: mmHg a unit of the wave. Shape (beat,).
        offset: mmHg. Shape (beat,).
        reason: Why a beat could not be calibrated; empty where it was. Shape (beat,).
    """

    values: Windows
    gain: PerBeat
    offset: PerBeat
    reason: Labels


class _Rows(NamedTuple):
    """Beats as numbers, their lowest value, and what is wrong with them."""

    wave: Windows
    low: PerBeat
    reason: Labels


@dataclass(frozen=True, eq=False)
class Averages:
    """One average beat a group.

    Attributes:
        group: What the beats of each have in common, ascending. Shape (group,).
        values: In the unit of the beats; NaN with a reason. Shape (group, point).
        count: Beats that went into it. Shape (group,).
        reason: Why there is none; empty where there is. Shape (group,).
    """

    group: Shaped[np.ndarray, " group"]
    values: Float[np.ndarray, "group point"]
    count: Int[np.ndarray, " group"]
    reason: Shaped[np.ndarray, " group"]


def calibrate_sbp_dbp(waves: RawSamples, sbp: Pressures, dbp: Pressures) -> Calibrated:
    """Stretch every beat so that its maximum is SBP and its minimum DBP.

    Args:
        waves: Beats as rows, any unit, NaN after their end. Shape (beat, time).
        sbp: Systolic pressure, mmHg, one for all or one a beat: () or (beat,).
        dbp: Diastolic pressure, mmHg, likewise.

    Returns:
        The beats in mmHg, with gain, offset and reason.

    Raises:
        ShapeError: If the waves are no rows of real numbers, or the pressures are
            neither one nor one a beat.
    """
    rows = _checked(waves)
    high = np.where(np.isfinite(rows.wave), rows.wave, -np.inf).max(
        axis=1, initial=-np.inf
    )
    return _calibrated(rows, high, _one_each(sbp, rows, "SBP"), dbp, upper="SBP")


def calibrate_map_dbp(waves: RawSamples, mean: Pressures, dbp: Pressures) -> Calibrated:
    """Stretch every beat so that its mean is MAP and its minimum DBP.

    A row is one whole beat, evenly sampled: its mean is that of its samples.

    Args:
        waves: Beats as rows, any unit, NaN after their end. Shape (beat, time).
        mean: Mean pressure, mmHg, one for all or one a beat: () or (beat,).
        dbp: Diastolic pressure, mmHg, likewise.

    Returns:
        The beats in mmHg, with gain, offset and reason.

    Raises:
        ShapeError: If the waves are no rows of real numbers, or the pressures are
            neither one nor one a beat.
    """
    rows = _checked(waves)
    known = np.isfinite(rows.wave)
    middle = np.where(known, rows.wave, 0.0).sum(axis=1) / np.maximum(
        known.sum(axis=1), 1
    )
    return _calibrated(rows, middle, _one_each(mean, rows, "MAP"), dbp, upper="MAP")


def mean_pressure(
    sbp: Pressures, dbp: Pressures, form_factor: float | str
) -> Pressures:
    """Estimate MAP as ``DBP + k (SBP - DBP)``.

    Args:
        sbp: Systolic pressure, mmHg.
        dbp: Diastolic pressure, mmHg. Same shape.
        form_factor: k, above 0 and below 1, or its name in `FORM_FACTORS`. There is no
            default: 0.33 and 0.412 lie 4 mmHg apart at a pulse pressure of 50.

    Returns:
        Mean pressure, mmHg; NaN where a pressure is missing or not
        20 <= DBP < SBP <= 300. Same shape.

    Raises:
        ConfigError: If the form factor is not known or out of range.
        ShapeError: If the pressures are no real numbers of the same shape.
    """
    if isinstance(form_factor, str) and form_factor not in FORM_FACTORS:
        msg = (
            f"form factor {form_factor!r}; wanted a number or one of "
            f"{', '.join(FORM_FACTORS)}."
        )
        raise ConfigError(msg)
    k = FORM_FACTORS[form_factor] if isinstance(form_factor, str) else form_factor
    if not 0.0 < k < 1.0:
        msg = f"form factor {k:g}; wanted above 0 and below 1 (about 0.4)."
        raise ConfigError(msg)
    high, low = _numbers(sbp, "SBP"), _numbers(dbp, "DBP")
    if high.shape != low.shape:
        msg = f"SBP has shape {high.shape} and DBP {low.shape}; wanted the same."
        raise ShapeError(msg)
    possible = (low >= _LIMITS[0]) & (low < high) & (high <= _LIMITS[1])
    safe_high, safe_low = (np.where(possible, x, np.nan) for x in (high, low))
    return safe_low + k * (safe_high - safe_low)


def average_beats(
    waves: RawSamples, groups: Shaped[np.ndarray, "..."], *, kind: str = "mean"
) -> Averages:
    """Average beats that begin at their feet, group by group, point by point.

    A group is a person, a minute, a posture: whatever the beats have in common. Noise
    that differs from beat to beat falls with the root of their number. A beat with a
    missing point is left out.

    Args:
        waves: Beats as rows, foot to foot on the same number of points (64 as
            `capnet.records.Beats` has them), any unit. Shape (beat, point).
        groups: What group each beat belongs to. Shape (beat,).
        kind: ``mean``, or ``median``, which one bad beat in three does not move much.

    Returns:
        One beat a group.

    Raises:
        ShapeError: If the waves are no rows of real numbers, or not every beat has a
            group.
        ConfigError: If the kind is another one.
    """
    wave = _checked(waves).wave
    if kind not in ("mean", "median"):
        msg = f"kind is {kind!r}; wanted 'mean' or 'median'."
        raise ConfigError(msg)
    groups = np.asarray(groups)
    if groups.shape != (len(wave),):
        msg = f"groups have shape {groups.shape}; wanted one a beat, ({len(wave)},)."
        raise ShapeError(msg)
    try:
        names, group = np.unique(groups, return_inverse=True)
    except TypeError as error:
        msg = f"groups cannot be told apart ({error}); wanted all words or all numbers."
        raise ShapeError(msg) from error
    whole = np.isfinite(wave).all(axis=1) & (wave.shape[1] > 0)
    count = np.bincount(group[whole], minlength=len(names))
    order = np.flatnonzero(whole)[np.argsort(group[whole], kind="stable")]
    values = np.full((len(names), wave.shape[1]), np.nan)
    average = np.mean if kind == "mean" else np.median
    ends = np.cumsum(count)
    for row in np.flatnonzero(count):
        values[row] = average(wave[order[ends[row] - count[row] : ends[row]]], axis=0)
    reason = np.where(count == 0, "no whole beat", "")
    return Averages(names, values, count, reason)


def _checked(waves: RawSamples) -> _Rows:
    """Return beats as float64 with their minimum and what is wrong with each."""
    array = np.asarray(waves)
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        msg = (
            f"the beats have shape {array.shape} and type {array.dtype}; wanted real "
            "numbers of shape (beat, time), one beat a row."
        )
        raise ShapeError(msg)
    wave = array.astype(np.float64)
    wave[np.isinf(wave)] = np.nan
    known = np.isfinite(wave)
    count = known.sum(axis=1)
    leading = known == (np.arange(wave.shape[1]) < count[:, None])
    low = np.where(known, wave, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, wave, -np.inf).max(axis=1, initial=-np.inf)
    size = np.maximum(np.abs(low), np.abs(high))
    flat = ~(high - low > _FLAT * size)
    reason = np.select(
        [count == 0, ~leading.all(axis=1), flat],
        ["no finite sample", "samples are missing within the beat", "the beat is flat"],
        default="",
    )
    return _Rows(wave, np.where(count > 0, low, np.nan), reason)


def _numbers(pressure: Pressures, name: str) -> np.ndarray:
    found = np.asarray(pressure)
    if found.dtype.kind not in "iuf":
        msg = f"{name} is of type {found.dtype}; wanted real numbers, mmHg."
        raise ShapeError(msg)
    return found.astype(np.float64)


def _one_each(pressure: Pressures, rows: _Rows, name: str) -> PerBeat:
    found = _numbers(pressure, name)
    if found.shape not in ((), (len(rows.wave),)):
        msg = (
            f"{name} has shape {found.shape}; wanted one number, or one a beat: "
            f"({len(rows.wave)},)."
        )
        raise ShapeError(msg)
    return np.broadcast_to(found, (len(rows.wave),)).astype(np.float64)


def _calibrated(
    rows: _Rows, top: PerBeat, pressure: PerBeat, dbp: Pressures, *, upper: str
) -> Calibrated:
    """Map each row's minimum to DBP and its ``top`` to ``pressure``."""
    low = _one_each(dbp, rows, "DBP")
    known = np.isfinite(pressure) & np.isfinite(low)
    reason = np.select(
        [
            rows.reason != "",
            ~known,
            ~(low < pressure),
            (low < _LIMITS[0]) | (pressure > _LIMITS[1]),
        ],
        [
            rows.reason,
            f"{upper} or DBP is missing",
            f"DBP is not below {upper}",
            f"{upper} or DBP is implausible",
        ],
        default="",
    )
    good = reason == ""
    rise = np.where(good, top - rows.low, 1.0)
    gain = np.where(good, (pressure - low) / rise, np.nan)
    # From the foot up, so that a large offset of the wave costs no digits.
    height = rows.wave - rows.low[:, None]
    values = low[:, None] + gain[:, None] * height
    beyond = good & (
        np.where(np.isfinite(values), values, -np.inf).max(axis=1, initial=-np.inf)
        > _LIMITS[1]
    )
    reason = np.where(beyond, "SBP would be implausible", reason)
    gain = np.where(beyond, np.nan, gain)
    values[beyond] = np.nan
    return Calibrated(values, gain, low - gain * rows.low, reason)
