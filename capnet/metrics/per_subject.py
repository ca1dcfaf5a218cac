"""Every subject weighs the same, however many beats they gave.

Each beat is scored, the scores are averaged over the beats of a subject, and the
subjects' means over the subjects. Errors of one subject's beats therefore do not
cancel in MAE, RMSE and R2; they do in the bias and in the SD, which is that of the
subjects' mean errors.
"""

import numpy as np
from jaxtyping import Float, Shaped

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import alike, check_pair, check_rows, difference

__all__ = [
    "per_subject",
    "per_subject_bias",
    "per_subject_mae",
    "per_subject_r2",
    "per_subject_rmse",
    "per_subject_sd",
]

Values = Float[np.ndarray, "beat"]
Subjects = Shaped[np.ndarray, "subject"]
Means = Float[np.ndarray, "person"]


def per_subject(values: Values, subject: Subjects) -> Means:
    """Return the mean over the beats of each subject, subjects in sorted order.

    Args:
        values: One number a beat. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Returns:
        One number a subject. Shape (person,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.

    Example:
        >>> per_subject(np.array([1.0, 3.0, 10.0]), np.array(["a", "a", "b"]))
        array([ 2., 10.])
    """
    check_pair(values, values)
    check_rows(values, subject, name="subject")
    _, code = np.unique(subject, return_inverse=True)
    return np.asarray(np.bincount(code, weights=values) / np.bincount(code))


def per_subject_bias(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the mean of the subjects' mean errors, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    return float(per_subject(difference(predicted, reference), subject).mean())


def per_subject_sd(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the standard deviation of the subjects' mean errors, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or there is only
            one subject.
    """
    errors = per_subject(difference(predicted, reference), subject)
    if len(errors) < 2:
        msg = "one subject has no spread between subjects; wanted at least two."
        raise ShapeError(msg)
    return float(errors.std(ddof=1))


def per_subject_mae(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the mean absolute error with every subject weighing the same, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    error = difference(predicted, reference)
    return float(per_subject(np.abs(error), subject).mean())


def per_subject_rmse(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the root mean square error with every subject weighing the same, mmHg.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.
    """
    error = difference(predicted, reference)
    return float(np.sqrt(per_subject(error**2, subject).mean()))


def per_subject_r2(
    predicted: Predicted, reference: Reference, subject: Subjects
) -> float:
    """Return the R2 with every subject weighing the same.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the reference
            is constant.
    """
    error = difference(predicted, reference)
    if alike(reference):
        msg = (
            f"the reference is constant ({reference[0]:g}, n = {len(reference)}); R2 "
            "asks how much of its variation is explained and wants some. Report the "
            "RMSE instead."
        )
        raise ShapeError(msg)
    centre = per_subject(reference, subject).mean()  # double precision from here on
    total = per_subject((reference - centre) ** 2, subject).mean()
    unexplained = per_subject(error**2, subject).mean()
    return float(1 - unexplained / total)
