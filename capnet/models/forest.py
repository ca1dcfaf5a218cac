"""Random forest: a nonlinear floor that never leaves what it has seen."""

import math
from typing import Any, Final, Self

import numpy as np

from capnet.models.estimator import (
    Estimator,
    answerable,
    fitted,
    subject_weights,
)
from capnet.models.inputs import Inputs, looks_at, named, true_pressures, with_pp
from capnet.models.svr import thinned
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["RandomForest"]

_TREES: Final = 60
_LEAF: Final = 3
"""Subjects."""
_SHARE: Final = 0.4
"""Of the inputs that each split may choose from."""


class RandomForest(Estimator):
    """Random forest (Breiman 2001) of SBP, DBP and MAP: 60 trees.

    A leaf holds the beats of three subjects or more, on average, so that no leaf is one
    person seen often.

    Every answer is a mean of training answers, so that none lies outside their range:
    what a clinic of higher pressures costs such methods.

    Args:
        source: What it looks at, see `capnet.models.inputs.Inputs`. Beats without a
            cuff reading are refused either way.
        rows: At most so many beats are learnt from, as in `capnet.models.svr.SVR`.
        seed: Of the trees.
    """

    family = "random forest"

    def __init__(self, source: str = "ppg", *, rows: int = 2500, seed: int = 0) -> None:
        self.name = named("random forest", source)
        self.looks_at = looks_at(source)
        self.source = source
        self.rows = rows
        self.seed = seed
        self._inputs = Inputs(source)
        self._trees: Any = None

    def fit(self, beats: Beats) -> Self:
        """Grow the trees; the order of the beats makes no difference.

        Raises:
            RecordError: If the beats lack what the source reads.
        """
        from sklearn.ensemble import RandomForestRegressor

        beats = thinned(self.meet(beats), rows=self.rows)
        self._inputs = Inputs.learn(self.source, beats)
        often = len(beats) / len(beats.subjects)
        self._trees = RandomForestRegressor(
            _TREES,
            min_samples_leaf=math.ceil(_LEAF * often),
            max_features=_SHARE,
            random_state=self.seed,
            n_jobs=1,
        ).fit(
            self._inputs.of(beats),
            true_pressures(beats)[:, :3],
            sample_weight=subject_weights(beats.subject),
        )
        return self

    def predict(self, beats: Beats) -> Prediction:
        """Answer SBP, DBP, MAP and PP."""
        trees = fitted(self._trees, method=self.name)
        rows = answerable(beats)
        numbers = np.zeros((0, 3))
        if rows.any():
            numbers = trees.predict(self._inputs.of(beats.take(rows)))
        return self.answer(beats, rows, with_pp(numbers))
