"""How the pulse grows from the aorta to the arm, and how well that is known."""

import numpy as np
from jaxtyping import Float

from capnet.metrics.error import Predicted, Reference, r2
from capnet.metrics.pair import check_pair, difference
from capnet.metrics.per_subject import Subjects, per_subject_r2

__all__ = ["amplification", "amplification_r2", "per_subject_amplification_r2"]

Brachial = Float[np.ndarray, "brachial"]


def amplification(brachial_sbp: Brachial, aortic_sbp: Reference) -> np.ndarray:
    """Return brachial SBP - aortic SBP, mmHg.

    Args:
        brachial_sbp: True systolic pressure of the upper arm, mmHg. Shape (n,).
        aortic_sbp: Systolic pressure of the aorta, mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN.

    Example:
        >>> amplification(np.array([130.0, 121.0]), np.array([120.0, 118.0]))
        array([10.,  3.])
    """
    return difference(brachial_sbp, aortic_sbp)


def amplification_r2(
    predicted: Predicted, reference: Reference, brachial_sbp: Brachial
) -> float:
    """Return the R2 of the amplification: 1 - SSE / SS of the true amplification.

    Zero is what "true brachial SBP minus the right constant" reaches, so that only
    knowledge about this person's own amplification is rewarded. With a noisy cuff it
    is often negative while the R2 of SBP looks good.

    Args:
        predicted: Aortic SBP as a method sees it, mmHg. Shape (n,).
        reference: True aortic SBP, mmHg. Shape (n,).
        brachial_sbp: True brachial SBP (not the cuff's), mmHg. Shape (n,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the true
            amplification is the same for all.
    """
    check_pair(predicted, reference)
    return r2(
        amplification(brachial_sbp, predicted), amplification(brachial_sbp, reference)
    )


def per_subject_amplification_r2(
    predicted: Predicted,
    reference: Reference,
    brachial_sbp: Brachial,
    subject: Subjects,
) -> float:
    """Return the R2 of the amplification with every subject weighing the same.

    Args:
        predicted: Aortic SBP as a method sees it, mmHg. Shape (beat,).
        reference: True aortic SBP, mmHg. Shape (beat,).
        brachial_sbp: True brachial SBP (not the cuff's), mmHg. Shape (beat,).
        subject: Who each beat belongs to. Shape (beat,).

    Raises:
        ShapeError: If the arrays do not fit, are empty or hold NaN, or the true
            amplification is the same for all.
    """
    check_pair(predicted, reference)
    return per_subject_r2(
        amplification(brachial_sbp, predicted),
        amplification(brachial_sbp, reference),
        subject,
    )
