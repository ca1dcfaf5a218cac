"""Fits of central pressure on a reading, heart rate and age; subjects count once."""

from collections.abc import Callable
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from capnet.evaluation.truth import Truth
from capnet.types import PerBeat

__all__ = [
    "Fit",
    "Numbers",
    "Rows",
    "Values",
    "constant",
    "exchanged",
    "held",
    "least_squares",
    "mean",
    "posterior",
]

_FORM: Final = 0.40
"""Where the mean is taken to lie between DBP and SBP in the upper arm.

A fixed rule (1/3 and 0.412 are in use, too); in single people it is 0.42, SD 0.06."""

Design = Float[np.ndarray, "_ _"]
Values = Float[np.ndarray, "_ 3"]
"""SBP, DBP and MAP of beats, mmHg."""
Rows = Int[np.ndarray, " _"]
"""Numbers of people, or positions of rows."""


class Numbers(NamedTuple):
    """The numbers of beats that floors look at.

    Attributes:
        person: Who, numbered from 0. Shape (beat,).
        pressures: True SBP, DBP, MAP and PP, mmHg. Shape (beat, 4).
        cuff: Reading, mmHg. Shape (beat, 2).
        hr: bpm. Shape (beat,).
        age: Years. Shape (beat,).
    """

    person: Rows
    pressures: np.ndarray
    cuff: np.ndarray
    hr: PerBeat
    age: PerBeat

    @classmethod
    def of(cls, truth: Truth) -> Self:
        """Take them from a truth."""
        _, person = np.unique(truth.subject, return_inverse=True)
        return cls(person, truth.pressures, truth.cuff, truth.hr, truth.age)

    def take(self, rows: np.ndarray) -> Self:
        """Return those of a mask, or in an order."""
        return type(self)(*(column[rows] for column in self))

    @property
    def n(self) -> int:
        """How many beats."""
        return len(self.person)

    @property
    def people(self) -> Rows:
        """Who is there, each once."""
        return np.unique(self.person)

    def weights(self) -> PerBeat:
        """Let every subject count once. Shape (beat,)."""
        return np.asarray(1.0 / np.bincount(self.person)[self.person])


Fit = Callable[[Numbers], Callable[[Numbers], Values]]
"""Learns SBP, DBP and MAP from beats, every subject counting once."""


def mean(known: Numbers) -> Callable[[Numbers], Values]:
    """Answer with the mean of the people that are known."""
    usual = _average(known.pressures[:, :3], known.weights())
    return lambda asked: np.repeat(usual[None], asked.n, axis=0)


def held(known: Numbers) -> Callable[[Numbers], Values]:
    """Answer with the reading itself; nothing is learnt."""
    del known

    def answer(asked: Numbers) -> Values:
        sbp, dbp = asked.cuff.T
        return np.stack([sbp, dbp, dbp + _FORM * (sbp - dbp)], axis=1)

    return answer


def constant(known: Numbers) -> Callable[[Numbers], Values]:
    """Answer with the reading minus a constant, MAP with a share of its pulse."""
    sbp, dbp = known.cuff.T
    true = known.pressures
    away = np.stack([true[:, 0] - sbp, true[:, 1] - dbp, true[:, 2] - dbp], axis=1)
    weight = known.weights()
    a, b, lift = _average(away, weight)
    share = lift / np.average(sbp - dbp, weights=weight)

    def answer(asked: Numbers) -> Values:
        top, low = asked.cuff.T
        return np.stack([top + a, low + b, low + share * (top - low)], axis=1)

    return answer


def posterior(known: Numbers) -> Callable[[Numbers], Values]:
    """Regress on the reading."""
    return _linear(known, lambda beats: beats.cuff)


def least_squares(known: Numbers) -> Callable[[Numbers], Values]:
    """Regress on the reading, heart rate and age; unknown ones are the mean."""
    usual, weight = [], known.weights()
    for values in (known.hr, known.age):
        there = np.isfinite(values)
        usual.append(
            np.average(values[there], weights=weight[there]) if there.any() else 0.0
        )

    def design(beats: Numbers) -> Design:
        columns = [
            np.where(np.isfinite(v), v, u)
            for v, u in zip((beats.hr, beats.age), usual, strict=True)
        ]
        return np.column_stack([beats.cuff, *columns])

    return _linear(known, design)


def _linear(
    known: Numbers, design: Callable[[Numbers], Design]
) -> Callable[[Numbers], Values]:
    """Regress on a design; directions in which nobody differs are left out."""
    x, y, weight = design(known), known.pressures[:, :3], known.weights()
    centre, usual = _average(x, weight), _average(y, weight)
    scale = np.sqrt(_average((x - centre) ** 2, weight))
    scale = np.where(scale > 1e-9 * (1.0 + np.abs(centre)), scale, np.inf)
    away = (x - centre) / scale
    within = (weight[:, None] * away).T @ away
    across = (weight[:, None] * away).T @ (y - usual)
    gain = np.linalg.pinv(within, hermitian=True) @ across

    def answer(asked: Numbers) -> Values:
        return np.asarray(usual + ((design(asked) - centre) / scale) @ gain)

    return answer


def _average(
    values: Float[np.ndarray, "_ _"], weight: PerBeat
) -> Float[np.ndarray, " _"]:
    return np.asarray(weight @ values / weight.sum())


def exchanged(fit: Fit, seed: int) -> Fit:
    """Let a fit learn from the labels of other people, in units of the cuff."""

    def misled(known: Numbers) -> Callable[[Numbers], Values]:
        other = _other_rows(known, seed)
        pressures = known.pressures.copy()
        bottom = known.cuff[:, 1:]
        pulse = known.cuff[:, :1] - bottom
        if np.isfinite(pulse).all() and (pulse > 0.0).all():
            relative = (pressures[:, :3] - bottom) / pulse
            pressures[:, :3] = bottom + pulse * relative[other]
        else:
            pressures = pressures[other]
        return fit(known._replace(pressures=pressures))

    return misled


def _other_rows(known: Numbers, seed: int) -> Rows:
    """Return whose label each row takes: nobody keeps their own. Shape (beat,)."""
    _, code, count = np.unique(known.person, return_inverse=True, return_counts=True)
    order = np.argsort(code, kind="stable")
    first = np.cumsum(count) - count
    circle = np.random.default_rng(seed).permutation(len(count))
    lender = np.empty_like(circle)
    lender[circle] = np.roll(circle, 1)
    turn = np.empty(len(code), dtype=np.int64)
    turn[order] = np.arange(len(code)) - np.repeat(first, count)
    whose = lender[code]
    return np.asarray(order[first[whose] + turn % count[whose]])
