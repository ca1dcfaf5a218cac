"""Limits of agreement where each subject was measured several times.

Bland & Altman, Stat Methods Med Res 1999;8:135-160, section 5, and J Biopharm Stat
2007;17:571-582. Taking all pairs as if they were independent is wrong when subjects
differ: the error of a subject comes again with every beat. Subjects may have
unequally many beats.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import check_pair, check_rows, difference
from capnet.metrics.per_subject import Subjects

__all__ = [
    "RepeatedLimits",
    "ReplicateLimits",
    "limits_of_agreement_repeated",
    "limits_of_agreement_replicates",
]

Values = Float[np.ndarray, "beat"]
Means = Float[np.ndarray, "person"]


class RepeatedLimits(NamedTuple):
    """Limits of agreement of pairs whose truth varies within a subject, mmHg.

    Attributes:
        bias: Mean error of all beats.
        low: Bias - 1.96 SD.
        high: Bias + 1.96 SD.
        sd: Of the error of one beat of one new subject.
        between: SD of the subjects' own errors; 0 where the beats of a subject differ
            as much as the subjects do.
        within: SD of the errors of the beats of one subject.
    """

    bias: float
    low: float
    high: float
    sd: float
    between: float
    within: float


class ReplicateLimits(NamedTuple):
    """Limits of agreement of replicates of a constant truth, mmHg.

    Attributes:
        bias: Mean of the subjects' mean errors.
        low: Bias - 1.96 SD.
        high: Bias + 1.96 SD.
        sd: Of the difference of one reading by each method on a new subject.
        means: SD of the subjects' mean errors.
        predicted: SD of the readings of one subject by the method.
        reference: SD of the readings of one subject by the reference.
    """

    bias: float
    low: float
    high: float
    sd: float
    means: float
    predicted: float
    reference: float


class _Groups(NamedTuple):
    """Who each beat belongs to, and how many beats each has."""

    code: Int[np.ndarray, " beat"]
    size: Means

    def means(self, values: Values) -> Means:
        total = np.bincount(self.code, weights=values)
        return np.asarray(total / self.size)

    def within(self, values: Values) -> float:
        """Return the mean square within subjects, with its degrees of freedom."""
        inner = values - self.means(values)[self.code]
        return float(np.sum(inner**2) / (len(values) - len(self.size)))


def _groups(predicted: Predicted, reference: Reference, subject: Subjects) -> _Groups:
    check_pair(predicted, reference)
    check_rows(predicted, subject, name="subject")
    _, code = np.unique(subject, return_inverse=True)
    count = np.bincount(code).astype(np.float64)
    if len(count) < 2 or len(code) == len(count):
        msg = (
            f"{len(code)} beats of {len(count)} subjects; wanted at least two "
            "subjects, one of them with several beats. Use limits_of_agreement where "
            "everybody was measured once."
        )
        raise ShapeError(msg)
    return _Groups(code, count)


def limits_of_agreement_repeated(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> RepeatedLimits:
    r"""Return the limits for pairs whose truth varies from beat to beat, mmHg.

    A one-way analysis of variance of the errors gives the variance within subjects,
    :math:`MS_w`, and between them, with :math:`m_i` beats of subject i out of n,

    .. math::
        \sigma_b^2 = \frac{MS_b - MS_w}
        {((\sum m_i)^2 - \sum m_i^2) / ((n - 1) \sum m_i)}

    and the error of one beat has the variance :math:`\sigma_b^2 + MS_w` (section 5.3
    of 1999, section 3 of 2007). A negative :math:`\sigma_b^2` counts as zero.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true at the same beat, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or there are not
            two subjects, one of them with several beats.
    """
    groups = _groups(predicted, reference, subject)
    error = difference(predicted, reference)
    bias = float(error.mean())
    within = groups.within(error)
    n, beats = len(groups.size), float(groups.size.sum())
    apart = groups.means(error) - bias
    spread = float(np.sum(groups.size * apart**2) / (n - 1))
    typical = (beats**2 - float(np.sum(groups.size**2))) / ((n - 1) * beats)
    between = max((spread - within) / typical, 0.0)
    sd = float(np.sqrt(between + within))
    low, high = bias - 1.96 * sd, bias + 1.96 * sd
    return RepeatedLimits(
        bias, low, high, sd, float(np.sqrt(between)), float(np.sqrt(within))
    )


def limits_of_agreement_replicates(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> ReplicateLimits:
    r"""Return the limits for replicates of a truth that does not change, mmHg.

    The order of a subject's readings means nothing here. From the variance of the
    subjects' mean errors :math:`s_{\bar d}^2` and the variances within subjects of
    either method, with :math:`m_i` readings of subject i out of n,

    .. math::
        \sigma_d^2 = s_{\bar d}^2 + \left(1 - \frac{1}{n} \sum_i \frac{1}{m_i}\right)
        (s_{pw}^2 + s_{rw}^2)

    (sections 5.1 and 5.2 of 1999, section 2 of 2007).

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each reading belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or there are not
            two subjects, one of them with several readings.
    """
    groups = _groups(predicted, reference, subject)
    error = groups.means(difference(predicted, reference))
    bias, means = float(error.mean()), float(error.var(ddof=1))
    of_predicted, of_reference = groups.within(predicted), groups.within(reference)
    averaged = 1.0 - float(np.mean(1.0 / groups.size))
    sd = float(np.sqrt(means + averaged * (of_predicted + of_reference)))
    low, high = bias - 1.96 * sd, bias + 1.96 * sd
    return ReplicateLimits(
        bias,
        low,
        high,
        sd,
        float(np.sqrt(means)),
        float(np.sqrt(of_predicted)),
        float(np.sqrt(of_reference)),
    )
