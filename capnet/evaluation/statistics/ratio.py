"""A ratio of two means over subjects, with its interval.

The difference of two R2 of the same people is one: what one method explains more, over
what there is to explain. With 20 people its lower part is itself uncertain, and a
standard error times Student's t holds the truth 98 times in 100 instead of 95.
"""

import numpy as np
from jaxtyping import Float

from capnet.evaluation.statistics.bootstrap import (
    MIN_SUBJECTS,
    Estimate,
    Interval,
    critical_t,
    p_of_t,
)

__all__ = ["ratio_of_means"]

Above = Float[np.ndarray, "subject"]
Below = Float[np.ndarray, "subject"]


def ratio_of_means(above: Above, below: Below) -> Estimate:
    r"""Estimate mean(above) / mean(below) by Fieller's theorem.

    The interval holds every :math:`r` at which Student's t does not reject that the
    mean of :math:`a_i - r b_i` is zero (Fieller, J R Stat Soc B 1954;16:175-185). Its
    ends are the roots of

    .. math:: (\bar b^2 - q s_{bb}) r^2 - 2 (\bar a \bar b - q s_{ab}) r
        + \bar a^2 - q s_{aa}, \qquad q = t^2_{0.975,\,n-1} / n

    Args:
        above: One number a subject, finite. Shape (subject,).
        below: One number a subject, finite. Shape (subject,).

    Returns:
        The ratio of the means; no interval with fewer than `MIN_SUBJECTS` or where
        the lower mean is not clear of zero.
    """
    n = len(above)
    a, b = (float(x.mean()) if n else 0.0 for x in (above, below))
    if abs(b) <= 1e-12:
        return Estimate(None, None, None, n)
    if n < MIN_SUBJECTS:
        return Estimate(a / b, None, None, n)
    (aa, ab), (_, bb) = np.cov(above, below)
    q = critical_t(n - 1) ** 2 / n
    squares, products, rest = b**2 - q * bb, a * b - q * ab, a**2 - q * aa
    if squares <= 0:
        return Estimate(a / b, None, None, n)
    half = np.sqrt(max(products**2 - squares * rest, 0.0)) / squares
    middle = products / squares
    error = np.sqrt(aa / n)
    still = error <= 1e-12 * (1.0 + abs(a))  # the same for every subject
    p = float(abs(a) <= 1e-12) if still else p_of_t(a / error, n - 1)
    interval = Interval(float(middle - half), float(middle + half))
    return Estimate(a / b, interval, p, n)
