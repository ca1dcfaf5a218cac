"""Errors of numbers: bias, SD, MAE, RMSE, R2.

The error is always predicted - reference.
"""

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.metrics.pair import alike, difference

__all__ = ["bias", "mae", "r2", "rmse", "sd"]

# Two axis names, so that a mismatch reaches check_pair and its message.
Predicted = Float[np.ndarray, "predicted"]
Reference = Float[np.ndarray, "reference"]


def bias(predicted: Predicted, reference: Reference) -> float:
    """Return the mean error, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.

    Example:
        >>> bias(np.array([121.0, 118.0]), np.array([120.0, 120.0]))
        -0.5
    """
    return float(np.mean(difference(predicted, reference)))


def sd(predicted: Predicted, reference: Reference) -> float:
    """Return the standard deviation of the errors (n - 1 in the denominator), mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, hold NaN, or have fewer than two values.
    """
    error = difference(predicted, reference)
    if len(error) < 2:
        msg = "one value has no standard deviation; wanted at least two."
        raise ShapeError(msg)
    return float(np.std(error, ddof=1))


def mae(predicted: Predicted, reference: Reference) -> float:
    """Return the mean absolute error, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(np.mean(np.abs(difference(predicted, reference))))


def rmse(predicted: Predicted, reference: Reference) -> float:
    """Return the root mean square error, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.

    Example:
        >>> rmse(np.array([124.0, 124.0]), np.array([120.0, 128.0]))
        4.0
    """
    return float(np.sqrt(np.mean(difference(predicted, reference) ** 2)))


def r2(predicted: Predicted, reference: Reference) -> float:
    r"""Return the coefficient of determination.

    .. math:: R^2 = 1 - \frac{\sum_i (p_i - r_i)^2}{\sum_i (r_i - \bar r)^2}

    It flatters where the reference varies much: "brachial SBP minus a constant"
    reaches 0.95 on a public virtual cohort. Read `amplification_r2` beside it.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the reference
            is constant, so that there is nothing to explain.
    """
    error = difference(predicted, reference)
    if alike(reference):
        msg = (
            f"the reference is constant ({reference[0]:g}, n = {len(reference)}); R2 "
            "asks how much of its variation is explained and wants some. Report the "
            "RMSE instead."
        )
        raise ShapeError(msg)
    total = np.var(reference, dtype=np.float64)
    return float(1 - np.mean(error**2) / total)
