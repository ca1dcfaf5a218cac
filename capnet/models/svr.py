"""Support vector regression: a smooth nonlinear floor."""

from typing import Any, Final, Self

import numpy as np

from capnet.errors import ConfigError
from capnet.models.estimator import (
    Estimator,
    answerable,
    fitted,
    subject_weights,
)
from capnet.models.inputs import (
    Inputs,
    looks_at,
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
    numbers (penalty 100 /mmHg, tube 0.3 mmHg), so that no clinic can choose them. The
    penalty is of a subject: beats seen several times are not believed more.

    Args:
        source: What it looks at, see `capnet.models.inputs.Inputs`. Beats without a
            cuff reading are refused either way.
        rows: Its cost grows with the square of the beats, so at most so many are
            learnt from, see `thinned`.
    """

    family = "SVR"

    def __init__(self, source: str = "ppg", *, rows: int = 2500) -> None:
        self.name = named("SVR", source)
        self.looks_at = looks_at(source)
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

        beats = thinned(self.meet(beats), rows=self.rows)
        self._inputs = Inputs.learn(self.source, beats)
        weight, inputs = subject_weights(beats.subject), self._inputs.of(beats)
        share = weight * len(beats.subjects) / len(beats)  # 1 over a subject's beats
        self._scale = mean, scale = standard_scale(inputs, weight)
        standard = (inputs - mean) / scale
        width = _WIDTH / inputs.shape[1]
        self._machines = [
            svm.SVR(C=_PENALTY, epsilon=_TUBE, gamma=width).fit(
                standard, column, sample_weight=share
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
        return self.answer(beats, rows, with_pp(numbers))


def thinned(beats: Beats, *, rows: int) -> Beats:
    """Return at most so many beats: everybody's first, then second, third ones.

    Which of a subject's beats come first, and who is left out when there are more
    subjects than rows, is drawn once and for all. The beats come in the order of
    subject and beat; the order of what was given makes no difference.

    Raises:
        ConfigError: If no row is wanted.
    """
    if rows < 1:
        msg = f"rows is {rows}; wanted at least one beat to learn from."
        raise ConfigError(msg)
    # Virtual people seen on several days have the same beat several times.
    apart = (beats.cuff[:, 0], beats.duration, beats.time)
    order = np.lexsort((*apart, beats.beat, beats.subject))
    if len(order) <= rows:
        return beats.take(order)
    drawn = np.random.default_rng(0).permutation(len(order))
    whose = beats.subject[order][drawn]
    by_subject = np.argsort(whose, kind="stable")
    _, first, count = np.unique(
        whose[by_subject], return_index=True, return_counts=True
    )
    turn = np.empty(len(order), dtype=int)
    turn[by_subject] = np.arange(len(order)) - np.repeat(first, count)
    kept = drawn[np.argsort(turn, kind="stable")[:rows]]
    return beats.take(order[np.sort(kept)])
