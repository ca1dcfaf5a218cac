"""How two ways to measure agree (Bland & Altman, Lancet 1986;1:307-310)."""

from typing import NamedTuple

import numpy as np

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference, bias, sd
from capnet.metrics.pair import check_pair

__all__ = ["Limits", "fraction_within", "limits_of_agreement", "proportional_bias"]


class Limits(NamedTuple):
    """Limits of agreement, mmHg.

    Attributes:
        bias: Mean error.
        low: Bias - 1.96 SD.
        high: Bias + 1.96 SD.
    """

    bias: float
    low: float
    high: float


def limits_of_agreement(predicted: Predicted, reference: Reference) -> Limits:
    """Return the bias and the limits that hold 95 % of normal errors, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, hold NaN, or have fewer than two values.
    """
    spread = 1.96 * sd(predicted, reference)
    middle = bias(predicted, reference)
    return Limits(middle, middle - spread, middle + spread)


def proportional_bias(predicted: Predicted, reference: Reference) -> float:
    """Return the slope of the error over the mean of both (mmHg per mmHg).

    Zero when high pressures are off by as much as low ones; negative when a method
    pulls everybody towards the middle.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or all means are
            equal.
    """
    check_pair(predicted, reference)
    middle = (predicted + reference) / 2
    middle = middle - middle.mean()
    spread = float(np.sum(middle**2))
    if spread == 0:
        msg = (
            f"the mean of both is the same for all {len(middle)} values; a slope "
            "wants at least two different ones."
        )
        raise ShapeError(msg)
    return float(np.sum(middle * (predicted - reference)) / spread)


def fraction_within(
    predicted: Predicted, reference: Reference, *, limit: float
) -> float:
    """Return the share of errors no larger than a limit (as BHS grades count them).

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).
        limit: Largest absolute error that counts as within, mmHg.

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the limit is
            no positive number.

    Example:
        >>> fraction_within(np.array([125.0, 131.0]), np.array([120.0, 120.0]), limit=5)
        0.5
    """
    check_pair(predicted, reference)
    if not (np.isfinite(limit) and limit > 0):
        msg = f"limit is {limit!r} mmHg; wanted a positive number, e.g. 5, 10 or 15."
        raise ShapeError(msg)
    return float(np.mean(np.abs(predicted - reference) <= limit))
