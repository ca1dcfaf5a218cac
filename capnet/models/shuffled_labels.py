"""Labels of other people: what an estimator reaches that cannot have learnt anything.

Whatever is left after every label was exchanged comes from the scale of the cuff, from
a leak, or from an error of the judge.
"""

from typing import Self

import numpy as np
from jaxtyping import Int

from capnet.errors import ProtocolError
from capnet.models.estimator import Estimator, labelled
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Labels

__all__ = ["ShuffledLabels", "exchanged_labels"]


class ShuffledLabels(Estimator):
    """An estimator that was fitted on the labels of other people.

    See `exchanged_labels`. What it says of a beat is otherwise what the estimator says.

    Args:
        estimator: Any estimator, not yet fitted; it is fitted here.
        seed: Of the exchange.
    """

    family = "shuffled labels"
    role = "control"

    def __init__(self, estimator: Estimator, *, seed: int = 0) -> None:
        self.estimator = estimator
        self.seed = seed
        self.name = f"{estimator.name}, labels shuffled"
        self.looks_at = estimator.looks_at

    def fit(self, beats: Beats) -> Self:
        """Fit the estimator on exchanged labels.

        Raises:
            ProtocolError: If fewer than two subjects are labelled.
        """
        self.estimator.fit(exchanged_labels(beats, seed=self.seed))
        self.met = self.estimator.met
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer as the estimator does."""
        return self.estimator.predict(beats).replace(
            method=self.name, role=self.role, family=self.family, inputs=self.looks_at
        )


def exchanged_labels(beats: Beats, *, seed: int) -> Beats:
    r"""Give every subject the reference of another one, in units of the cuff.

    With :math:`y_j` the wave of the other and :math:`S, D` the readings of both,

    .. math:: y_i' = D_i + \frac{S_i - D_i}{S_j - D_j} (y_j - D_j),

    so that the scale, which a cuff tells without any learning, stays a person's own and
    everything that a label says beyond it is somebody else's. Nobody keeps their own
    label. The beats of the other come in their order, again from the first when there
    are too few.

    Args:
        beats: Of at least two labelled subjects; beats that nothing may be learnt from
            are left out.
        seed: Of the exchange.

    Raises:
        ProtocolError: If there are fewer than two.
    """
    beats = labelled(beats, method="shuffled labels")
    if len(beats.subjects) < 2:
        msg = (
            f"labels of {len(beats.subjects)} subject cannot be exchanged; wanted at "
            "least two."
        )
        raise ProtocolError(msg)
    other = _other_rows(beats.subject, seed=seed)
    bottom, pulse = beats.cuff[:, 1:], beats.cuff[:, :1] - beats.cuff[:, 1:]
    relative = (np.asarray(beats.reference) - bottom) / pulse
    return beats.replace(reference=bottom + pulse * relative[other])


def _other_rows(subject: Labels, *, seed: int) -> Int[np.ndarray, " beat"]:
    """Return whose row each row takes: one of the next subject of a random circle."""
    _, code, count = np.unique(subject, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    first = np.cumsum(count) - count
    circle = np.random.default_rng(seed).permutation(len(count))
    lender = np.empty_like(circle)
    lender[circle] = np.roll(circle, 1)
    turn = np.empty(len(subject), dtype=int)
    turn[order] = np.arange(len(subject)) - np.repeat(first, count)
    whose = lender[code]
    return np.asarray(order[first[whose] + turn % count[whose]])
