r"""How many people a study of central pressure needs, from the parts of its errors.

The error of one person's central SBP is a sum of independent parts: what the shape of
the pulse does not tell, the part of the cuff's error that stays with the person, the
part that is new with each of m readings (the cuff taken off and the arm put down
between them: what a sitting has in common, no reading in it averages away), and the
error of the catheter it is held against. A study sees their sum,

.. math:: \sigma^2 = \sigma_{shape}^2 + \sigma_{persistent}^2 + \sigma_{repeat}^2 / m
    + \sigma_{reference}^2,

so that more readings cannot replace people, and neither can make up for the reference:
it widens what a study sees of the SD and the RMSE and never averages away. An error
that all catheters of a study share moves the bias, and no number of people shows it.

Half-widths are those of a study that sees the SD it was planned with; about half of all
studies see a larger one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float
from scipy import stats

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.protocols.aami import AAMI_BIAS, AAMI_SD

__all__ = [
    "ErrorParts",
    "aami_probability",
    "bias_half_width",
    "rmse_half_width",
    "sd_half_width",
    "subjects_needed",
]

_CONFIDENCE: Final = 0.95
_TAILS: Final = ((1 - _CONFIDENCE) / 2, (1 + _CONFIDENCE) / 2)


@dataclass(frozen=True)
class ErrorParts:
    """What one person's error of central SBP is made of.

    Attributes:
        bias: Mean error over people, mmHg.
        shape: Standard deviation of what is left with an exact cuff, mmHg.
        persistent: Of the cuff's effect that stays with a person, mmHg.
        repeat: Of the cuff's effect that is new with each reading, mmHg.
        reference: Of the catheter that it is held against, mmHg.

    Raises:
        ConfigError: If a standard deviation is negative, or a number is not finite.
    """

    bias: float
    shape: float
    persistent: float
    repeat: float
    reference: float

    def __post_init__(self) -> None:
        parts = (self.shape, self.persistent, self.repeat, self.reference)
        if not np.isfinite([self.bias, *parts]).all() or min(parts) < 0:
            msg = f"{self!r}; wanted finite numbers and standard deviations >= 0."
            raise ConfigError(msg)

    @classmethod
    def estimate(
        cls,
        exact: Float[np.ndarray, "subject day"],
        read: Float[np.ndarray, "subject day"],
        *,
        reference: float,
    ) -> Self:
        """Estimate the parts from people seen on several days, by moments.

        The cuff's effect is the error with the cuff less the error with exact arm
        pressures on the same day. Its variance within and between people are those of
        the balanced one-way layout (Searle, Casella & McCulloch 1992, section 3.5):
        the within mean square, and the surplus of the between mean square over it
        divided by the days; none is negative.

        Args:
            exact: Error of central SBP with exact arm pressures, mmHg.
            read: With one reading of the cuff on the same days, mmHg.
            reference: Standard deviation of the catheter's error, mmHg.

        Raises:
            ShapeError: If there are fewer than two people or days, the two are not of
                the same shape, or an error is not known.
        """
        if exact.shape != read.shape or min(exact.shape) < 2:
            msg = (
                f"errors have shapes {exact.shape} and {read.shape}; wanted the same, "
                "of at least two people on at least two days."
            )
            raise ShapeError(msg)
        if not np.isfinite(exact + read).all():
            msg = "an error is NaN or infinite; leave out people without an answer."
            raise ShapeError(msg)
        days = exact.shape[1]
        effect = read - exact
        within = effect.var(axis=1, ddof=1).mean()
        between = days * effect.mean(axis=1).var(ddof=1)
        return cls(
            bias=float(read.mean()),
            shape=float(np.sqrt(exact.var(axis=0, ddof=1).mean())),
            persistent=float(np.sqrt(max(0.0, (between - within) / days))),
            repeat=float(np.sqrt(within)),
            reference=reference,
        )

    def sd(self, readings: int) -> float:
        """Return the standard deviation that a study sees, mmHg.

        Args:
            readings: Of the cuff, averaged.

        Raises:
            ConfigError: If there is no reading.
        """
        if readings < 1:
            msg = f"{readings} readings; wanted at least one."
            raise ConfigError(msg)
        own = self.shape**2 + self.persistent**2 + self.repeat**2 / readings
        return float(np.sqrt(own + self.reference**2))


def bias_half_width(sd: float, subjects: int) -> float:
    r"""Return the half-width of the 95 % interval of a bias, mmHg.

    :math:`t_{0.975,\,n-1}\, s / \sqrt n` (Student 1908); Bland & Altman 1986 use the
    same for the mean difference of two methods.

    Args:
        sd: Standard deviation of the errors, mmHg.
        subjects: n, at least two.

    Raises:
        ConfigError: If an argument is out of its range.
    """
    _check(sd, subjects)
    return float(stats.t.ppf(_TAILS[1], subjects - 1) * sd / np.sqrt(subjects))


def sd_half_width(sd: float, subjects: int) -> float:
    r"""Return the longer, upper side of the 95 % interval of a standard deviation.

    :math:`s\,(\sqrt{(n-1)/\chi^2_{0.025,\,n-1}} - 1)` for normal errors (Cochran
    1934). Errors with long tails need more people.

    Args:
        sd: Standard deviation of the errors, mmHg.
        subjects: n, at least two.

    Raises:
        ConfigError: If an argument is out of its range.
    """
    _check(sd, subjects)
    return _upper_side(sd, subjects - 1.0)


def rmse_half_width(bias: float, sd: float, subjects: int) -> float:
    r"""Return the longer, upper side of the 95 % interval of an RMSE, mmHg.

    :math:`n\,RMSE^2/\sigma^2` is a noncentral :math:`\chi^2_n` with
    :math:`\lambda = n b^2/\sigma^2`, close to a scaled central one with
    :math:`\nu = (n+\lambda)^2/(n+2\lambda)` degrees of freedom (Patnaik 1949); the rest
    is as in `sd_half_width`.

    Args:
        bias: Mean error, mmHg.
        sd: Standard deviation of the errors, mmHg.
        subjects: n, at least two.

    Raises:
        ConfigError: If an argument is out of its range.
    """
    _check(sd, subjects)
    if not np.isfinite(bias):
        msg = f"the bias is {bias}; wanted a finite number."
        raise ConfigError(msg)
    away = (bias / sd) ** 2
    freedom = subjects * (1 + away) ** 2 / (1 + 2 * away)
    return _upper_side(float(np.hypot(bias, sd)), freedom)


def subjects_needed(half_width: float, at: Callable[[int], float]) -> int:
    """Return the fewest people with which an interval is narrow enough.

    Args:
        half_width: Wanted at most, mmHg.
        at: Half-width with n people, falling with n; for example
            ``lambda n: bias_half_width(8.0, n)``.

    Raises:
        ConfigError: If the half-width is not positive, or 10 million are too few.
    """
    if not half_width > 0:
        msg = f"a half-width of {half_width:g} mmHg was asked for; wanted more than 0."
        raise ConfigError(msg)
    low, high = 1, 2  # one person is never enough
    while at(high) > half_width:
        low, high = high, 2 * high
        if high > _MOST:
            msg = (
                f"{half_width:g} mmHg would need more than {_MOST} people; ask for a "
                "wider interval."
            )
            raise ConfigError(msg)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if at(middle) > half_width else (low, middle)
    return high


def aami_probability(bias: float, sd: float, subjects: int) -> float:
    """Return how probably a study's bias and SD are both inside the AAMI limits.

    Mean and standard deviation of normal errors are independent. That is a numerical
    comparison with criterion 1 of ISO 81060-2, no validation of a device.

    Args:
        bias: True mean error, mmHg.
        sd: Standard deviation that the study sees, mmHg.
        subjects: n, at least two.

    Raises:
        ConfigError: If an argument is out of its range.
    """
    _check(sd, subjects)
    mean = stats.norm(bias, sd / np.sqrt(subjects))
    centred = mean.cdf(AAMI_BIAS) - mean.cdf(-AAMI_BIAS)
    narrow = stats.chi2.cdf((subjects - 1) * (AAMI_SD / sd) ** 2, subjects - 1)
    return float(centred * narrow)


_MOST: Final = 10_000_000


def _upper_side(value: float, freedom: float) -> float:
    return float(value * (np.sqrt(freedom / stats.chi2.ppf(_TAILS[0], freedom)) - 1))


def _check(sd: float, subjects: int) -> None:
    if not (np.isfinite(sd) and sd > 0) or subjects < 2:
        msg = (
            f"SD {sd:g} mmHg of {subjects} people; wanted a positive SD and at least "
            "two people."
        )
        raise ConfigError(msg)
