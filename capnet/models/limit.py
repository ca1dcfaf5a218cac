"""The information limit of a noisy cuff: what its error leaves open of central SBP."""

from typing import Any, Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.models.estimator import labelled, subject_weights
from capnet.models.inputs import ALONE, Inputs, standard_scale, true_pressures
from capnet.models.posterior import arm_pressures, posterior_covariance
from capnet.records import Beats

__all__ = ["CuffLimit", "cuff_limit"]


class CuffLimit(NamedTuple):
    """What stays unknown after a reading, standard deviations in mmHg.

    Attributes:
        arm: Of the arm's SBP, given the reading, HR, age, pulse and arrival time.
        cuff: What that leaves open of central SBP.
        shape: Of central SBP with an exact cuff.
        together: The last two in quadrature: where linear methods end.
    """

    arm: float
    cuff: float
    shape: float
    together: float


def cuff_limit(
    known: Beats, asked: Beats, error: Float[np.ndarray, "2 2"]
) -> CuffLimit:
    r"""Return what a cuff's error leaves open of central SBP, for linear methods.

    All is taken for jointly Gaussian: the pressures :math:`a` of the arm, what else is
    known, :math:`x` (HR, age, the pulse in units of its height and its arrival time),
    and central SBP :math:`y = g^T a + h^T x + r`. With :math:`P` the covariance of
    :math:`a` given :math:`x` and :math:`R` that of the reading's error, parts add up:

    .. math:: Var(y | c, x) = g^T (P - P (P + R)^{-1} P) g + Var(r).

    :math:`g`, :math:`h` and the regression of :math:`a` on :math:`x` are ridges learnt
    on known people; :math:`P` and :math:`r` are what they leave in others. Methods that
    are not linear may end lower, methods that do not know the clinic end higher.

    Args:
        known: Labelled people of the clinic, exactly calibrated.
        asked: Others of the same clinic, exactly calibrated.
        error: Covariance of the reading's error of SBP and DBP, mmHg^2.

    Raises:
        ProtocolError: If nobody is labelled.
        RecordError: If the true pressures of the arm, or the arrival times, are not
            known.
    """
    known, asked = (
        labelled(beats, method="limit of the cuff") for beats in (known, asked)
    )
    weight, other = (subject_weights(beats.subject) for beats in (known, asked))
    inputs = Inputs.learn(ALONE, known)
    x, x_asked = _standard(inputs.of(known), inputs.of(asked), weight)
    arm, arm_asked = arm_pressures(known), arm_pressures(asked)

    surprise = arm_asked - _ridge(x, arm, weight).predict(x_asked)
    posterior = posterior_covariance(np.cov(surprise.T, aweights=other), error)
    # In tens of mmHg an arm weighs about as much as a standardised input.
    line = _ridge(np.hstack([x, arm / 10]), true_pressures(known)[:, 0], weight)
    gain = line.coef_[-2:] / 10
    said = line.predict(np.hstack([x_asked, arm_asked / 10]))
    rest = true_pressures(asked)[:, 0] - said
    cuff, shape = gain @ posterior @ gain, np.average(rest**2, weights=other)
    found = (posterior[0, 0], cuff, shape, cuff + shape)
    return CuffLimit(*(float(np.sqrt(max(0.0, v))) for v in found))


_PENALTIES: Final = np.logspace(-2, 3, 11)


def _ridge(x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> Any:
    from sklearn.linear_model import RidgeCV

    return RidgeCV(_PENALTIES).fit(x, y, sample_weight=weight)


def _standard(
    known: np.ndarray, asked: np.ndarray, weight: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    mean, scale = standard_scale(known, weight)
    return (known - mean) / scale, (asked - mean) / scale
