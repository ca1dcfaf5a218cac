"""How two ways to measure agree (Bland & Altman, Lancet 1986;1:307-310)."""

from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference, bias, sd
from capnet.metrics.pair import alike, difference

__all__ = [
    "Limits",
    "ProportionalLimits",
    "fraction_within",
    "limits_of_agreement",
    "limits_of_agreement_proportional",
    "proportional_bias",
]

_WIDTH: Final = 1.96
"""SD to each side that hold 95 % of a normal distribution."""

_ABSOLUTE: Final = float(np.sqrt(np.pi / 2))
"""SD of a normal distribution over its mean absolute value."""


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


class ProportionalLimits(NamedTuple):
    """Limits of agreement that follow the size of the pressure.

    Both the error and its SD are straight lines over the mean of prediction and
    reference.

    Attributes:
        intercept: Of the error, mmHg.
        slope: Of the error, mmHg per mmHg.
        sd_intercept: Of the SD, mmHg.
        sd_slope: Of the SD, mmHg per mmHg.
    """

    intercept: float
    slope: float
    sd_intercept: float
    sd_slope: float

    def at(self, middle: float) -> Limits:
        """Return the limits at one mean of prediction and reference, mmHg.

        Raises:
            ShapeError: If the line of the SD is below zero there: a straight line
                does not describe how the errors spread.
        """
        spread = self.sd_intercept + self.sd_slope * middle
        if not spread >= 0:
            msg = (
                f"at {middle:g} mmHg the line of the SD is {spread:.3g} mmHg; wanted "
                "at least 0. Ask within the range of the data, or use "
                "limits_of_agreement."
            )
            raise ShapeError(msg)
        error = self.intercept + self.slope * middle
        return Limits(error, error - _WIDTH * spread, error + _WIDTH * spread)


def limits_of_agreement(predicted: Predicted, reference: Reference) -> Limits:
    """Return the bias and the limits that hold 95 % of normal errors, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, hold NaN, or have fewer than two values.
    """
    spread = _WIDTH * sd(predicted, reference)
    middle = bias(predicted, reference)
    return Limits(middle, middle - spread, middle + spread)


def _line(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"]
) -> tuple[float, float]:
    """Return intercept and slope of the least-squares line of y over x."""
    centred = x - x.mean()
    spread = float(np.sum(centred**2))
    if alike(x):
        msg = (
            f"the mean of both is the same for all {len(x)} values; a slope "
            "wants at least two different ones."
        )
        raise ShapeError(msg)
    slope = float(np.sum(centred * y) / spread)
    return float(y.mean() - slope * x.mean()), slope


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
    error = difference(predicted, reference)
    return _line(reference + error / 2, error)[1]


def limits_of_agreement_proportional(
    predicted: Predicted, reference: Reference
) -> ProportionalLimits:
    r"""Return limits for errors that grow or shrink with the pressure.

    Bland & Altman, Stat Methods Med Res 1999;8:135-160, section 3.2: the error D is
    regressed on the mean of both A, then the size of its residuals R on A. A normal
    residual has :math:`E|R| = \sigma \sqrt{2 / \pi}`, so the limits are

    .. math:: b_0 + b_1 A \pm 1.96 \sqrt{\pi / 2} (c_0 + c_1 A)

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, hold NaN, have fewer than three values,
            or all means are equal.
    """
    error = difference(predicted, reference)
    if len(predicted) < 3:
        msg = (
            f"{len(predicted)} values lie on any line; wanted at least three to see "
            "how they spread about it."
        )
        raise ShapeError(msg)
    middle = reference + error / 2
    intercept, slope = _line(middle, error)
    size = np.abs(error - intercept - slope * middle)
    base, growth = _line(middle, size)
    return ProportionalLimits(intercept, slope, _ABSOLUTE * base, _ABSOLUTE * growth)


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
    error = np.abs(difference(predicted, reference))
    if not (np.isfinite(limit) and limit > 0):
        msg = f"limit is {limit!r} mmHg; wanted a positive number, e.g. 5, 10 or 15."
        raise ShapeError(msg)
    # 70.3 - 65.3 is 5 but for rounding, and counts.
    rounding = 1e-12 * (np.abs(predicted) + np.abs(reference))
    return float(np.mean(error <= limit + rounding))
