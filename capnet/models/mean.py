"""The mean of the training people: what is known before anybody is looked at."""

from typing import Self

import numpy as np

from capnet.errors import ProtocolError
from capnet.models.estimator import Estimator, fitted, subject_weights
from capnet.models.inputs import true_pressures, with_pp
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["Mean"]


class Mean(Estimator):
    """The mean SBP, DBP and MAP of the training subjects, for everybody.

    It looks at nothing, so that it needs no reading either: it learns from every
    accepted beat with a reference and answers every accepted beat.
    """

    family = "mean"
    role = "control"

    def __init__(self) -> None:
        self.name = "mean"
        self.means: np.ndarray | None = None

    def fit(self, beats: Beats) -> Self:
        """Average over the beats of a subject, then over subjects.

        Raises:
            ProtocolError: If no accepted beat has a reference.
        """
        known = np.zeros(len(beats), dtype=bool)
        if beats.reference is not None:
            known = beats.accepted & np.isfinite(beats.reference).all(axis=1)
        if not known.any():
            msg = (
                f"{self.name!r} was given {len(beats)} beats, none of them accepted "
                "and with a reference; wanted at least one to average."
            )
            raise ProtocolError(msg)
        beats = beats.take(known)
        self.met = frozenset(beats.subjects.tolist())
        weight = subject_weights(beats.subject)
        self.means = np.average(true_pressures(beats)[:, :3], axis=0, weights=weight)
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP: the same for every beat."""
        means = fitted(self.means, method=self.name)
        rows = np.asarray(beats.accepted)
        numbers = np.repeat(with_pp(means[None]), int(rows.sum()), axis=0)
        return self.answer(beats, rows, numbers)
