"""Intervals by drawing subjects again (Efron & Tibshirani 1993, chapter 13).

Subjects, not beats, are the sampling unit. Every method is scored on the same
resamples, so that differences between methods are paired.
"""

from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError

__all__ = ["MIN_SUBJECTS", "Interval", "draw_subjects", "interval"]

MIN_SUBJECTS: Final = 5
"""With fewer subjects than this a percentile interval says nothing: none is given."""

Draws = Float[np.ndarray, "resample"]


class Interval(NamedTuple):
    """The middle 95 % of the resamples, in the unit of the statistic."""

    low: float
    high: float


@lru_cache(maxsize=4)  # every method and every pair asks for the same draw
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
    if resamples < 100:
        msg = (
            f"resamples is {resamples}; wanted at least 100, better 1000, for the "
            "2.5 % tails of a 95 % interval."
        )
        raise ConfigError(msg)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(n, np.full(n, 1 / n), size=resamples)
    counts = drawn.astype(np.float64)
    counts.flags.writeable = False
    return counts


def interval(draws: Draws, *, subjects: int) -> Interval | None:
    """Return the percentile interval.

    Args:
        draws: The statistic of each resample, NaN where it is not defined.
            Shape (resample,).
        subjects: How many subjects stand behind it.

    Returns:
        The interval, or None with fewer than `MIN_SUBJECTS` subjects or when more
        than one resample in twenty is not defined.
    """
    known = draws[np.isfinite(draws)]
    if subjects < MIN_SUBJECTS or len(known) < 0.95 * len(draws):
        return None
    low, high = np.percentile(known, [2.5, 97.5])
    return Interval(float(low), float(high))
