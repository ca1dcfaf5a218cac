"""Support vector regression: a smooth nonlinear floor."""

from typing import Any, Final, Self

import numpy as np

from capnet.models.estimator import (
    Estimator,
    answerable,
    fill,
    fitted,
    labelled,
    subject_weights,
)
from capnet.models.inputs import (
    Inputs,
    named,
    standard_scale,
    true_pressures,
    with_pp,
)
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["SVR", "thinned"]

_PENALTY: Final = 100.0
_TUBE: Final = 0.3
"""mmHg: errors below this cost nothing."""
_WIDTH: Final = 0.3
"""Kernel: exp(-0.3 d^2), d^2 the mean squared distance over standardised inputs."""


class SVR(Estimator):
    """Support vector regression with a Gaussian kernel (Drucker et al. 1997).

    Three machines, of SBP, DBP and MAP, on standardised inputs; its settings are fixed
    numbers (penalty 100 /mmHg, tube 0.3 mmHg), so that no clinic can choose them.

    Args:
        source: What it looks at, see `capnet.models.inputs.Inputs`. Beats without a
            cuff reading are refused either way.
        rows: Its cost grows with the square of the beats, so at most so many are
            learnt from, evenly taken in the order of subject and beat.
    """

    def __init__(self, source: str = "ppg", *, rows: int = 2500) -> None:
        self.name = named("SVR", source)
        self.source = source
        self.rows = rows
        self._inputs = Inputs(source)
        self._scale: tuple[np.ndarray, np.ndarray] | None = None
        self._machines: list[Any] = []

    def fit(self, beats: Beats) -> Self:
        """Learn three functions of the inputs.

        Raises:
            RecordError: If the beats lack what the source reads.
        """
        from sklearn import svm

        beats = thinned(labelled(beats, method=self.name), rows=self.rows)
        self._inputs = Inputs.learn(self.source, beats)
        weight, inputs = subject_weights(beats.subject), self._inputs.of(beats)
        self._scale = mean, scale = standard_scale(inputs, weight)
        standard = (inputs - mean) / scale
        width = _WIDTH / inputs.shape[1]
        self._machines = [
            svm.SVR(C=_PENALTY, epsilon=_TUBE, gamma=width).fit(
                standard, column, sample_weight=weight
            )
            for column in true_pressures(beats)[:, :3].T
        ]
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        mean, scale = fitted(self._scale, method=self.name)
        rows = answerable(beats)
        numbers = np.zeros((int(rows.sum()), 3))
        if rows.any():
            standard = (self._inputs.of(beats.take(rows)) - mean) / scale
            answers = [machine.predict(standard) for machine in self._machines]
            numbers = np.stack(answers, axis=1)
        answer = fill(rows, with_pp(numbers))
        return Prediction.from_pressures(
            self.name, beats, answer, role=self.role, k=self.k
        )


def thinned(beats: Beats, *, rows: int) -> Beats:
    """Return at most so many beats, evenly taken in the order of subject and beat.

    The order of what was given makes no difference.
    """
    order = np.lexsort((beats.beat, beats.subject))
    kept = np.linspace(0, len(order) - 1, min(rows, len(order))).round().astype(int)
    return beats.take(order[kept])
