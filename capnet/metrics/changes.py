"""Whether a method follows a person's own pressure as it changes.

Between people a method can look good by their cuff readings alone. Within a person
the last cuff reading held does not move at all: its slope is 0, that of a method that
follows every change is 1.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ShapeError
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import check_pair, check_rows, difference
from capnet.metrics.per_subject import Subjects, per_subject

__all__ = ["LEAST_CHANGE", "Tracking", "change_within", "tracking"]

LEAST_CHANGE = 5.0
"""mmHg: smaller changes of the reference are left out of the concordance (a choice)."""

Values = Float[np.ndarray, "beat"]
Held = Float[np.ndarray, "held"]


class Tracking(NamedTuple):
    """How changes within a subject are followed.

    Attributes:
        slope: Of the predicted over the true change, mmHg per mmHg.
        concordance: Share of true changes of at least `LEAST_CHANGE` that are
            predicted in the same direction; None where there is none.
        subjects: With a true change at all: what the slope rests on.
        changes: How many changes the concordance counts.
    """

    slope: float
    concordance: float | None
    subjects: int
    changes: int


def change_within(values: Values, subject: Subjects) -> Values:
    """Return how far each beat lies from the mean of its own subject.

    Args:
        values: One number a beat. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Returns:
        Of the same unit. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.

    Example:
        >>> change_within(np.array([1.0, 3.0, 10.0]), np.array(["a", "a", "b"]))
        array([-1.,  1.,  0.])
    """
    _, code = np.unique(subject, return_inverse=True)
    return np.asarray(values - per_subject(values, subject)[code])


def tracking(
    predicted: Predicted,
    reference: Reference,
    subject: Subjects,
    held: Held | None = None,
) -> Tracking:
    """Return the within-subject slope of change, and how often its sign is right.

    Changes are taken from each subject's own mean, so neither people who differ nor
    an offset of a person are rewarded. Covariances and variances are averaged over
    the beats of a subject, then over the subjects, so that each weighs the same.

    Args:
        predicted: What a method says, mmHg. Shape (beat,).
        reference: What is true, mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).
        held: What holding the last cuff reading says, mmHg. It is taken off both, so
            that only what happens since that reading counts; a reading held for good
            changes nothing. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or no subject's
            reference changes.
    """
    check_pair(predicted, reference)
    check_rows(predicted, subject, name="subject")
    if held is not None:
        predicted, reference = difference(predicted, held), difference(reference, held)
    guess, truth = (change_within(v, subject) for v in (predicted, reference))
    spread = per_subject(truth**2, subject)
    # Rounding of a mean leaves something where nothing changes.
    least = 1e-9 * (1.0 + float(np.abs(reference).max()))
    moves = spread > least**2
    if not moves.any():
        msg = (
            f"none of {len(spread)} subjects has a reference that changes; wanted "
            "several beats of a subject with different pressures."
        )
        raise ShapeError(msg)
    slope = per_subject(guess * truth, subject)[moves].mean() / spread[moves].mean()
    counted = np.abs(truth) >= LEAST_CHANGE
    agreed = None
    if counted.any():
        right = (guess * np.sign(truth) > least)[counted].astype(np.float64)
        agreed = float(per_subject(right, subject[counted]).mean())
    return Tracking(float(slope), agreed, int(moves.sum()), int(counted.sum()))
