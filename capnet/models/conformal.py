"""Split conformal prediction with subjects as the unit: the arithmetic.

Beats of one person are alike, so they are not exchangeable with those of the next
person; people are. One beat of each calibrating subject is therefore drawn (the first
of the constructions of Dunn, Wasserman & Ramdas 2022, "subsampling once"): with n
subjects the drawn scores and that of a random beat of one more subject are
exchangeable, and the interval holds that beat with a probability of at least the
coverage asked for, whatever the distribution, the model and the number of beats of a
person are; and at most 1 / (n + 1) more where no two scores are equal and n is no less
than `needed`. Only beats count that are answered and have a reference, so the random
beat is one of those; where margins are told apart by group, one of that group. The
guarantee is marginal: over calibrating subjects, over new subjects and over their
beats, not for each person and not for all beats of a person at once. Given the
calibrating subjects the coverage is itself random, Beta(k, n + 1 - k) with k of `rank`
(Vovk 2012): with 20 subjects it has a mean of 0.905 and an SD of 0.063.

Pooling all beats instead, with weights (Lee, Barber & Willett 2023), wastes none, but
covers too often with few subjects whose beats differ (0.95 instead of 0.90 at n = 20);
it is not used.
"""

import math
from typing import Final

import numpy as np
from jaxtyping import Float, Int, Shaped

from capnet.errors import ConfigError

__all__ = ["conformal_quantile", "drawn_beats", "needed", "rank"]

_ROUNDING: Final = 1e-9
"""Of a product of a count and a share: 10 * 0.9 is 9, not a little more."""


def rank(n: int, *, coverage: float) -> int:
    """Return which of n ordered scores is the margin: ceil((n + 1) coverage).

    Args:
        n: Calibrating subjects.
        coverage: Asked for, between 0 and 1.

    Returns:
        From 1; above n where n is too small for any finite margin.

    Raises:
        ConfigError: If the coverage is no share.

    Example:
        >>> rank(20, coverage=0.9), rank(8, coverage=0.9)
        (19, 9)
    """
    if not 0.0 < coverage < 1.0:
        msg = f"coverage is {coverage!r}; wanted a share between 0 and 1, such as 0.9."
        raise ConfigError(msg)
    return math.ceil((n + 1) * coverage - _ROUNDING)


def needed(coverage: float) -> int:
    """Return the fewest subjects that give a finite margin.

    Example:
        >>> needed(0.9), needed(0.95)
        (9, 19)
    """
    n = math.floor(coverage / (1.0 - coverage))
    while rank(n, coverage=coverage) > n:
        n += 1
    return n


def conformal_quantile(scores: Float[np.ndarray, " n"], *, coverage: float) -> float:
    """Return the margin that a further score exceeds rarely enough.

    Args:
        scores: One of each calibrating subject. Shape (n,).
        coverage: Probability with which a further score is to be within the margin.

    Returns:
        The score of that `rank`; infinity with fewer than `needed` subjects: then
        only an interval without ends keeps the promise.

    Example:
        >>> conformal_quantile(np.arange(1.0, 21.0), coverage=0.9)
        19.0
    """
    n, at = len(scores), rank(len(scores), coverage=coverage)
    if at > n:
        return math.inf
    return float(np.partition(scores, at - 1)[at - 1])


def drawn_beats(
    subject: Shaped[np.ndarray, " beat"],
    *order: Shaped[np.ndarray, " beat"],
    seed: int,
) -> Int[np.ndarray, " subject"]:
    """Draw one beat of each subject.

    Args:
        subject: Whose beat it is. Shape (beat,).
        order: What tells the beats of a subject apart, most telling first; with it the
            draw does not depend on the order of rows. Each of shape (beat,).
        seed: Of the draw.

    Returns:
        Its row, subjects in sorted order. Shape (subject,).
    """
    rows = np.lexsort((*order[::-1], subject))
    _, first, count = np.unique(subject[rows], return_index=True, return_counts=True)
    share = np.random.default_rng(seed).random(len(first))
    return np.asarray(rows[first + (share * count).astype(np.int64)])
