"""Errors beside what nobody would call knowledge: a naive predictor, the population.

Both are ratios without unit, so that studies with other people can be put beside each
other.
"""

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference, mae, sd
from capnet.metrics.pair import check_pair, difference
from capnet.metrics.per_subject import Subjects, per_subject, per_subject_mae

__all__ = [
    "explained_deviation",
    "mase",
    "per_subject_explained_deviation",
    "per_subject_mase",
]

Naive = Float[np.ndarray, "naive"]


def _ratio(above: float, below: float, reference: Reference, *, what: str) -> float:
    if below <= 1e-12 * float(np.abs(reference).max()):  # nothing but rounding
        msg = f"{what} is 0: there is nothing to divide by. Report the error itself."
        raise ShapeError(msg)
    return above / below


def mase(predicted: Predicted, reference: Reference, naive: Naive) -> float:
    """Return the mean absolute error over that of a naive predictor (MASE).

    Below 1 the method knows more than the naive one, e.g. the last cuff reading held
    (Hyndman & Koehler, Int J Forecast 2006;22:679-688).

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).
        naive: What the naive predictor says, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the naive
            predictor makes no error.

    Example:
        >>> mase(np.array([122.0]), np.array([120.0]), np.array([128.0]))
        0.25
    """
    check_pair(naive, reference)
    return _ratio(
        mae(predicted, reference),
        mae(naive, reference),
        reference,
        what="the naive error",
    )


def per_subject_mase(
    predicted: Predicted, reference: Reference, naive: Naive, subject: Subjects
) -> float:
    """Return the MASE with every subject weighing the same.

    Both mean absolute errors are averaged over the subjects first: a ratio for each
    subject would be ruled by those whose naive error happens to be small.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        naive: What the naive predictor says, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the naive
            predictor makes no error.
    """
    check_pair(naive, reference)
    return _ratio(
        per_subject_mae(predicted, reference, subject),
        per_subject_mae(naive, reference, subject),
        reference,
        what="the naive error",
    )


def explained_deviation(predicted: Predicted, reference: Reference) -> float:
    """Return the SD of the reference over the SD of the error (sigma_p / sigma_e).

    1 is what everybody's mean reaches, whatever the population; a bias does not
    count. Unlike an SD in mmHg it cannot be had by choosing people who are alike.

    Args:
        predicted: What a method says, mmHg. Shape (n,).
        reference: What is true, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, hold NaN, have fewer than two values, or
            the errors are all the same.
    """
    error = sd(predicted, reference)
    people = float(np.std(reference, ddof=1, dtype=np.float64))
    return _ratio(people, error, reference, what="the SD of the error")


def per_subject_explained_deviation(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the Explained Deviation with every subject weighing the same.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the errors are
            all the same.
    """
    people, error = (
        _spread(values, subject)
        for values in (reference, difference(predicted, reference))
    )
    return _ratio(people, error, reference, what="the SD of the error")


def _spread(values: np.ndarray, subject: Subjects) -> float:
    centre = per_subject(values, subject).mean()
    return float(np.sqrt(per_subject((values - centre) ** 2, subject).mean()))
