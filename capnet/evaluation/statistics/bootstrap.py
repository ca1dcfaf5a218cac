r"""Intervals by drawing subjects again, with a standard error in every resample.

Subjects, not beats, are the sampling unit, and everything that is printed is a function
:math:`f` of the means of a few columns over subjects. The percentile interval of such a
function is too short with few subjects (that of an RMSE of 20 people covers 88 %), so

.. math:: \hat f \mp c\,s, \qquad
    c = \max\Bigl(t_{0.975,\,n-1},\ |q|\sqrt{(n-1)/n}\Bigr)

is taken. The standard error :math:`s` is the geometric mean of the jackknife's, which
is rather too large with few subjects, and the delta method's, which is rather too small
(Efron & Tibshirani 1993, chapters 11 and 21); :math:`q` is the 2.5 or 97.5 % point of
:math:`(\hat f^* - \hat f)/s^*` (the studentised bootstrap, ibid., section 12.5, with
the delta method's :math:`s^*`), and Student's t is what normal values would have: the
wider of the two on each side. RMSE, MAE and SD are handled on the scale of their
square root and R2 on that of :math:`\sqrt{1 - R^2}`, so that no interval holds a value
that cannot be. How often these intervals hold the truth is measured by
``benchmarks/judge_bootstrap.py``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8
from scipy.special import stdtr, stdtrit

from capnet.errors import ConfigError, ShapeError

__all__ = [
    "MIN_SUBJECTS",
    "PLAIN",
    "POSITIVE",
    "SURE_SUBJECTS",
    "UNEXPLAINED",
    "Estimate",
    "Function",
    "Interval",
    "Scale",
    "bootstrap",
    "critical_t",
    "draw_subjects",
    "p_of_t",
]

MIN_SUBJECTS: Final = 5
"""With fewer subjects than this an interval says nothing: none is given."""

SURE_SUBJECTS: Final = 20
"""From here on 93 to 97 of 100 intervals of normal errors hold the truth (measured)."""

_CONFIDENCE: Final = 0.95
_TAIL: Final = (1 - _CONFIDENCE) / 2
_BLOCK: Final = 64
"""Resamples handled at once: with 10,000 subjects that is 5 MB."""

Table = Float[np.ndarray, "subject column"]
Function = Callable[[np.ndarray, int], np.ndarray]
"""From means (row, column) and the number of subjects to values (row,)."""


class Interval(NamedTuple):
    """A 95 % interval over subjects, in the unit of the statistic."""

    low: float
    high: float


class Scale(NamedTuple):
    """Where an interval is symmetric but for the bootstrap.

    Attributes:
        to: From the statistic to that scale.
        back: From that scale to the statistic.
    """

    to: Callable[[np.ndarray], np.ndarray]
    back: Callable[[float], float]


PLAIN: Final = Scale(lambda x: x, lambda y: y)
"""Biases, slopes and differences: any sign."""

POSITIVE: Final = Scale(np.sqrt, lambda y: max(y, 0.0) ** 2)
"""Errors without a sign and their ratios."""

UNEXPLAINED: Final = Scale(lambda x: np.sqrt(1 - x), lambda y: 1 - max(y, 0.0) ** 2)
"""R2: never above 1."""


@dataclass(frozen=True)
class Estimate:
    """A statistic with what chance leaves of it.

    Attributes:
        value: Of all subjects; None where it is not defined.
        interval: 95 % over subjects; None with fewer than `MIN_SUBJECTS`, or when more
            than one resample in twenty is not defined.
        p_value: Two-sided, of the hypothesis that the truth is 0; below 0.05 exactly
            when the interval is clear of 0. None without an interval, and on a scale
            that knows no sign.
        subjects: That stand behind it.
    """

    value: float | None
    interval: Interval | None
    p_value: float | None
    subjects: int


@lru_cache(maxsize=8)  # every method and every pair asks for the same draw
def _counts(n: int, resamples: int, seed: int) -> UInt8[np.ndarray, "resample subject"]:
    generator = np.random.default_rng(seed)
    share = np.full(n, 1 / n)
    counts = np.empty((resamples, n), dtype=np.uint8)  # a count over 255: 1 in 10^500
    for start in range(0, resamples, _BLOCK):
        some = counts[start : start + _BLOCK]
        some[:] = generator.multinomial(n, share, size=len(some))
    counts.flags.writeable = False
    return counts


def draw_subjects(
    n: int, *, resamples: int, seed: int
) -> Float[np.ndarray, "resample subject"]:
    """Draw how often each subject appears in each resample.

    Args:
        n: Subjects.
        resamples: How many times to draw n subjects with replacement.
        seed: Of the draw; recorded in every result.

    Returns:
        Counts. Shape (resample, subject).

    Raises:
        ConfigError: If fewer than 100 resamples are asked for: too few for the 2.5 %
            tails.
    """
    _check_resamples(resamples)
    return _counts(n, resamples, seed).astype(np.float64)


def _check_resamples(resamples: int) -> None:
    if resamples < 100:
        msg = (
            f"resamples is {resamples}; wanted at least 100, better 1000, for the "
            "2.5 % tails of a 95 % interval."
        )
        raise ConfigError(msg)


def critical_t(freedom: float) -> float:
    """Return the 97.5 % point of Student's t."""
    return float(stdtrit(freedom, 1 - _TAIL))


def p_of_t(t: float, freedom: float) -> float:
    """Return the two-sided p-value of Student's t."""
    return 2 * float(stdtr(freedom, -abs(t)))


def bootstrap(
    table: Table, function: Function, scale: Scale, *, resamples: int, seed: int
) -> Estimate:
    """Estimate a function of the means over subjects, with its interval.

    Args:
        table: What is averaged over subjects; subjects with a NaN do not count.
            Shape (subject, column).
        function: Of the means (row, column) and the number of subjects.
        scale: On which the interval is made.
        resamples: Of subjects.
        seed: Of the resamples: the same for the same seed and number of subjects.

    Raises:
        ConfigError: If there are too few resamples.
        ShapeError: If the table has no column.
    """
    _check_resamples(resamples)
    if table.shape[1] == 0:
        msg = "a table without columns has no mean; wanted at least one column."
        raise ShapeError(msg)
    rows = table[np.isfinite(table).all(axis=1)]
    n = len(rows)
    if n == 0:
        return Estimate(None, None, None, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return _estimate(rows, function, scale, resamples, seed)


def _estimate(
    rows: Table, function: Function, scale: Scale, resamples: int, seed: int
) -> Estimate:
    n = len(rows)
    centre = rows.mean(axis=0)
    found = float(function(centre[None], n)[0])
    if not np.isfinite(found):
        return Estimate(None, None, None, n)
    if n < MIN_SUBJECTS:
        return Estimate(found, None, None, n)
    error = _standard_error(rows, centre, function, scale)
    if not np.isfinite(error):
        return Estimate(found, None, None, n)
    middle = float(scale.to(np.array([found]))[0])
    if error <= 1e-12 * (1 + abs(middle)):  # the same for every subject
        p = 1.0 if abs(found) <= 1e-12 else 0.0
        return Estimate(found, Interval(found, found), _signed(p, scale), n)
    ratios = _ratios(rows, centre, function, scale, middle, resamples, seed)
    known = ratios[np.isfinite(ratios)]
    if len(known) < 0.95 * len(ratios):
        return Estimate(found, None, None, n)
    few, many = np.percentile(known, [100 * _TAIL, 100 * (1 - _TAIL)])
    t, shrink = critical_t(n - 1), np.sqrt((n - 1) / n)
    below, above = max(t, many * shrink), max(t, -few * shrink)
    ends = sorted(
        scale.back(end) for end in (middle - below * error, middle + above * error)
    )
    # Seen from the interval: p is 0.05 where its end is 0, and falls as t does.
    away = abs(middle) / error * t / (below if middle > 0 else above)
    p = p_of_t(away, n - 1)
    return Estimate(found, Interval(*map(float, ends)), _signed(p, scale), n)


def _signed(p: float, scale: Scale) -> float | None:
    return p if scale is PLAIN else None


def _standard_error(
    rows: Table, centre: np.ndarray, function: Function, scale: Scale
) -> float:
    """Return the geometric mean of the jackknife's and the delta method's."""
    n, unit = len(rows), _unit(rows)
    left = scale.to(function(centre + (centre - rows) / (n - 1), n - 1))

    def at(z: np.ndarray) -> np.ndarray:
        return scale.to(function(centre + z * unit, n))

    influence = ((rows - centre) / unit) @ _gradient(at, np.zeros((1, len(unit))))[0]
    jackknife = np.sqrt((n - 1) * np.var(left))
    return float(np.sqrt(jackknife * np.sqrt(np.mean(influence**2) / (n - 1))))


def _unit(rows: Table) -> np.ndarray:
    """Return the SD of each column, 1 where nothing varies."""
    spread = rows.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _ratios(
    rows: Table,
    centre: np.ndarray,
    function: Function,
    scale: Scale,
    middle: float,
    resamples: int,
    seed: int,
) -> Float[np.ndarray, " resample"]:
    """Return (f* - f) / s* of each resample, NaN where it is not defined."""
    n = len(rows)
    unit = _unit(rows)
    away = (rows - centre) / unit
    counts = _counts(n, resamples, seed)
    ratios = np.empty(resamples)
    for start in range(0, resamples, _BLOCK):
        drawn = counts[start : start + _BLOCK].astype(np.float64)
        mean = drawn @ away / n

        def at(z: np.ndarray) -> np.ndarray:
            return scale.to(function(centre + z * unit, n))

        slope = _gradient(at, mean)
        # Each subject's influence on the resample's value (Hampel 1974).
        influence = slope @ away.T - (slope * mean).sum(axis=1, keepdims=True)
        error = np.sqrt((drawn * influence**2).sum(axis=1)) / n
        # Less is rounding: all of the resample is one and the same.
        error[error < 1e-10 * np.abs(slope).sum(axis=1)] = np.nan
        ratios[start : start + _BLOCK] = (at(mean) - middle) / error
    return ratios


def _gradient(
    at: Callable[[np.ndarray], np.ndarray], mean: np.ndarray, step: float = 1e-4
) -> np.ndarray:
    """Return the slope in each column by central differences. Shape of ``mean``."""
    slope = np.empty_like(mean)
    for column in range(mean.shape[1]):
        up, down = mean.copy(), mean.copy()
        up[:, column] += step
        down[:, column] -= step
        slope[:, column] = (at(up) - at(down)) / (2 * step)
    return slope
