"""One filter for everybody: fitted on a few subjects, held against the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from jaxtyping import Float, Int

from capnet.evaluation.audits.beat_spectra import shift_of

__all__ = ["FADE", "FREEDOMS", "Fit", "Fold", "Products", "fit_common", "folds"]

FREEDOMS: Final = ("filter", "filter + gain", "filter + gain + shift")
"""What the target of a subject may differ by from the common filter's answer, beside
its level."""

_ROUNDS: Final = 6
"""Of finding the filter for the gains and the gains for the filter."""
FADE: Final = 0.3
"""Beats in which the ridge grows e**2-fold with the lag: long filters must earn it."""
_MOST_TRAINED: Final = 8
"""Subjects that a filter is fitted on: the question is asked of a few."""
_MOST_FOLDS: Final = 6

Fold = tuple[np.ndarray, np.ndarray]
"""Subjects (positions) that are tested, and those that the filter is fitted on."""


@dataclass(frozen=True, eq=False)
class Products:
    """Sums of products over the beats of each subject: all that least squares needs.

    Attributes:
        square: Of the inputs. Shape (subject, lag, lag).
        cross: Of inputs and target. Shape (subject, lag).
    """

    square: Float[np.ndarray, "subject lag lag"]
    cross: Float[np.ndarray, "subject lag"]

    @classmethod
    def of(
        cls,
        x: Float[np.ndarray, "beat number lag"],
        y: Float[np.ndarray, "beat number"],
        subject: Int[np.ndarray, " beat"],
    ) -> Self:
        """Sum over the beats of each subject."""
        n, lags = int(subject.max()) + 1, x.shape[2]
        square, cross = np.zeros((n, lags, lags)), np.zeros((n, lags))
        for s in range(n):
            own = x[subject == s].reshape(-1, lags)
            square[s] = own.T @ own
            cross[s] = own.T @ y[subject == s].ravel()
        return cls(square, cross)

    def inner(self, lags: slice) -> Self:
        """Return those of some of the lags."""
        return type(self)(self.square[:, lags, lags], self.cross[:, lags])


@dataclass(frozen=True, eq=False)
class Fit:
    """The filter of each fold.

    Attributes:
        taps: Shape (fold, lag).
        normal: Gain-weighted sum of squares of the fold. Shape (fold, lag, lag).
        penalty: Of each tap. Shape (fold, lag).
    """

    taps: Float[np.ndarray, "fold lag"]
    normal: Float[np.ndarray, "fold lag lag"]
    penalty: Float[np.ndarray, "fold lag"]

    def residual(
        self,
        x: Float[np.ndarray, "beat number lag"],
        y: Float[np.ndarray, "beat number"],
        subject: Int[np.ndarray, " beat"],
        split: Sequence[Fold],
        *,
        freedom: str,
    ) -> Float[np.ndarray, "beat number"]:
        """What is left of beats whose subject the filter has not met."""
        found = np.empty_like(y)
        for (test, _), taps in zip(split, self.taps, strict=True):
            rows = np.isin(subject, test)
            found[rows] = _freed(y[rows], x[rows] @ taps, freedom)
        return found

    def leverage(
        self,
        x: Float[np.ndarray, "beat number lag"],
        subject: Int[np.ndarray, " beat"],
        split: Sequence[Fold],
    ) -> Float[np.ndarray, "beat number"]:
        """Variance that noise of variance 1 in every training number adds to each."""
        found = np.empty(x.shape[:2])
        for i, (test, _) in enumerate(split):
            inverse = np.linalg.inv(self.normal[i] + np.diag(self.penalty[i]))
            rows = np.isin(subject, test)
            half = x[rows] @ inverse
            found[rows] = np.sum((half @ self.normal[i]) * half, axis=2)
        return found


def folds(n: int, rng: np.random.Generator) -> list[Fold]:
    """Leave each subject out, or a sixth of them; fit on up to eight others."""
    order = rng.permutation(n)
    return [
        (test, rng.permutation(np.setdiff1d(order, test))[:_MOST_TRAINED])
        for test in np.array_split(order, min(n, _MOST_FOLDS))
    ]


def fit_common(
    products: Products,
    split: Sequence[Fold],
    *,
    lag: Int[np.ndarray, " lag"],
    gains: bool,
    ridge: float,
    length: float,
) -> Fit:
    r"""Fit a filter on the training subjects of each fold.

    With gains :math:`g_s` of the subjects, :math:`y_s = g_s X_s h` is solved for h and
    g in turn, each by least squares; the mean gain is 1.

    Args:
        products: Of the lags of the filter.
        split: Who is tested on whose filter.
        lag: Samples.
        gains: Whether the training subjects have gains of their own.
        ridge: Of the mean square of an input, at lag 0.
        length: Of a beat, samples.
    """
    lags = products.cross.shape[1]
    fade = np.exp(2.0 * np.abs(lag) / (FADE * length))
    shape = (len(split), lags)
    taps, penalty, normal = np.empty(shape), np.empty(shape), np.empty((*shape, lags))
    for i, (_, train) in enumerate(split):
        square, cross = products.square[train], products.cross[train]
        gain = np.ones(len(train))
        for turn in range(_ROUNDS if gains else 1):
            if turn:
                power = square @ taps[i] @ taps[i]
                gain = cross @ taps[i] / power
                gain /= gain.mean()
            normal[i] = np.tensordot(gain**2, square, 1)
            penalty[i] = ridge * np.trace(normal[i]) / lags * fade
            taps[i] = np.linalg.solve(normal[i] + np.diag(penalty[i]), gain @ cross)
    return Fit(taps, normal, penalty)


def _freed(
    target: np.ndarray, answer: np.ndarray, freedom: str
) -> Float[np.ndarray, "beat number"]:
    """Take from the target what the filter says, up to gain and shift of each beat."""
    left: np.ndarray = target - answer
    if freedom == "filter":
        return left
    first = answer / np.linalg.norm(answer, axis=1, keepdims=True)
    left = left - first * np.sum(first * left, axis=1, keepdims=True)
    if freedom == "filter + gain":
        return left
    # a wave and its derivative are orthogonal, so one after the other will do
    second = shift_of(answer)
    second = second / np.linalg.norm(second, axis=1, keepdims=True)
    return np.asarray(left - second * np.sum(second * left, axis=1, keepdims=True))
