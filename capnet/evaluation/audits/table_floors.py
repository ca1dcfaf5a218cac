"""Floors and controls that a table of numbers allows, made from the table itself.

Who brings predictions without floors gets those that need no wave: they are fitted on
training people, or, where there are none, cross-fitted: each tenth of the subjects is
answered by what the other nine tenths taught. Cross-fitting knows the clinic that is
judged, which favours the floor; the names say so.
"""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, Self

import numpy as np
from jaxtyping import Float, Int

from capnet.errors import ProtocolError
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.types import Flags, Input, PerBeat, Role

__all__ = ["FOLDS", "table_floors"]

FOLDS: Final = 10
"""Parts of the subjects in a cross-fit; fewer where there are fewer subjects."""

_FORM: Final = 0.40
"""Where the mean is taken to lie between DBP and SBP in the upper arm.

A fixed rule (1/3 and 0.412 are in use, too); in single people it is 0.42, SD 0.06."""

Design = Float[np.ndarray, "_ _"]
Values = Float[np.ndarray, "_ 3"]
Rows = Int[np.ndarray, " _"]


class _Beats(NamedTuple):
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
        _, person = np.unique(truth.subject, return_inverse=True)
        return cls(person, truth.pressures, truth.cuff, truth.hr, truth.age)

    def take(self, rows: np.ndarray) -> Self:
        return type(self)(*(column[rows] for column in self))

    @property
    def n(self) -> int:
        return len(self.person)

    @property
    def people(self) -> Rows:
        return np.unique(self.person)

    def weights(self) -> PerBeat:
        """Let every subject count once. Shape (beat,)."""
        return np.asarray(1.0 / np.bincount(self.person)[self.person])


Fit = Callable[[_Beats], Callable[[_Beats], Values]]
"""Learns SBP, DBP and MAP from beats, every subject counting once."""


class _Floor(NamedTuple):
    """One kind of row.

    Attributes:
        name: Of the method.
        family: As `capnet.evaluation.floors` calls it.
        role: Floor or control.
        inputs: What it looks at.
        fit: How it learns.
    """

    name: str
    family: str
    role: Role
    inputs: tuple[Input, ...]
    fit: Fit


def table_floors(
    truth: Truth,
    train: Truth | None = None,
    *,
    shots: Sequence[int] = (),
    labelled: Truth | None = None,
    seed: int = 0,
) -> list[Prediction]:
    r"""Return the rows that everybody could have had from a table of numbers.

    Always the mean, and labels exchanged among people in units of the cuff. Where there
    is a reading: the reading itself, the cuff's posterior
    :math:`\bar y + C_{yc} C_{cc}^{-1} (c - \bar c)`, the reading minus a constant, and
    ordinary least squares on reading, heart rate and age as far as they are known
    (unknown ones are taken as the mean). A subject counts once, however many beats.

    Args:
        truth: Of the people who are judged.
        train: Others to learn from, under the same calibration and reference type. By
            default the floors are cross-fitted by subject.
        shots: k of the rows that have seen k labelled subjects; for each, the reading
            minus a constant that k subjects taught.
        labelled: Those subjects; by default k others are drawn for each fold.
        seed: Of folds, exchange and draws.

    Returns:
        One a method and k.

    Raises:
        ProtocolError: If there are too few subjects, or a training set is of another
            kind or holds people who are judged.
    """
    for other, what in ((train, "train"), (labelled, "labelled")):
        if other is not None:
            _check_others(truth, other, what)
    read = bool((truth.accepted & truth.known & _read(truth)).any())
    beats = _Beats.of(truth)
    rows = [
        _answer(floor, truth, beats, train, seed=seed) for floor in _kinds(read, seed)
    ]
    if not read:
        kind = _Floor("mean", "mean", "control", (), _mean)
    else:
        kind = _Floor(
            *("cuff SBP - constant", "peripheral - constant", "floor", ("cuff",)),
            _constant,
        )
    for k in sorted({k for k in shots if k > 0}):
        if labelled is not None and len(labelled.subjects) != k:
            msg = (
                f"rows at k = {k} have floors that saw the same subjects; the table of "
                f"labelled ones has {len(labelled.subjects)}. Bring those {k}."
            )
            raise ProtocolError(msg)
        rows.append(_answer(kind, truth, beats, labelled, seed=seed, k=k))
    return rows


def _kinds(read: bool, seed: int) -> list[_Floor]:
    mean = _Floor("mean", "mean", "control", (), _mean)
    if not read:
        exchanged = _exchanged(_mean, seed)
        name = "mean, labels shuffled"
        return [mean, _Floor(name, "shuffled labels", "control", (), exchanged)]
    cuff: tuple[Input, ...] = ("cuff",)
    scalars: tuple[Input, ...] = ("cuff", "hr", "age")
    return [
        mean,
        _Floor("last cuff", "last cuff", "control", cuff, _held),
        _Floor("cuff posterior", "cuff posterior", "floor", cuff, _posterior),
        _Floor(
            "cuff SBP - constant", "peripheral - constant", "floor", cuff, _constant
        ),
        _Floor("OLS on cuff, HR, age", "OLS", "floor", scalars, _least_squares),
        _Floor(
            "OLS on cuff, HR, age, labels shuffled",
            "shuffled labels",
            "control",
            scalars,
            _exchanged(_least_squares, seed),
        ),
    ]


def _check_others(truth: Truth, other: Truth, what: str) -> None:
    for name in ("reference_type", "calibration"):
        mine, theirs = getattr(truth, name), getattr(other, name)
        if mine != theirs:
            msg = (
                f"{name} of {what} is {theirs!r}, that of the reference {mine!r}; a "
                "floor that learnt another thing is no floor. Bring the same."
            )
            raise ProtocolError(msg)
    shared = np.intersect1d(truth.subject, other.subject)
    if len(shared):
        msg = (
            f"{len(shared)} subjects of {what} are judged, too, {str(shared[0])!r} "
            "among them. Take them out of one of the tables."
        )
        raise ProtocolError(msg)


def _read(truth: Truth) -> Flags:
    return np.asarray(np.isfinite(truth.cuff).all(axis=1))


def _usable(truth: Truth, *, reading: bool) -> Flags:
    """Return which beats something may be learnt from. Shape (beat,)."""
    rows = truth.accepted & np.isfinite(truth.pressures[:, 0])
    return np.asarray(rows & _read(truth) if reading else rows)


def _answer(
    floor: _Floor,
    truth: Truth,
    beats: _Beats,
    train: Truth | None,
    *,
    seed: int,
    k: int = 0,
) -> Prediction:
    """Fit and answer, over folds where there is nobody else to learn from."""
    reading = "cuff" in floor.inputs
    values = np.full((beats.n, 3), np.nan)
    asked = truth.accepted & _read(truth) if reading else truth.accepted
    name = floor.name + (f", {k} subjects" if k else "")
    if floor.fit is _held:
        values[asked] = _held(beats)(beats.take(asked))
    elif train is not None:
        known = _Beats.of(train).take(_usable(train, reading=reading))
        _check_people(known, 1 if k else 2, name)
        values[asked] = floor.fit(known)(beats.take(asked))
    else:
        name += " (cross-fitted)"
        _check_people(beats, max(3, k + 1), name)
        fold = _folds(int(beats.person.max()) + 1, seed)
        of, usable = fold[beats.person], _usable(truth, reading=reading)
        rng = np.random.default_rng([seed, k])
        for part in range(int(fold.max()) + 1):
            known = beats.take(usable & (of != part))
            if k:
                known = _drawn(known, k, rng, name)
            _check_people(known, 1 if k else 2, name)
            rows = asked & (of == part)
            values[rows] = floor.fit(known)(beats.take(rows))
    return _prediction(floor, truth, name, values, k)


def _check_people(known: _Beats, least: int, name: str) -> None:
    n = len(known.people)
    if n < least:
        msg = (
            f"{name!r} has {n} subjects to learn from; wanted at least {least}. Bring "
            "more subjects, or a table of others to learn from (train=)."
        )
        raise ProtocolError(msg)


def _folds(n: int, seed: int) -> Rows:
    """Deal n people, in the order of their names, into folds. Shape (subject,)."""
    order = np.random.default_rng(seed).permutation(n)
    fold = np.empty(n, dtype=np.int64)
    fold[order] = np.arange(n) % min(FOLDS, n)
    return fold


def _drawn(known: _Beats, k: int, rng: np.random.Generator, name: str) -> _Beats:
    _check_people(known, k, name)
    chosen = rng.choice(known.people, size=k, replace=False)
    return known.take(np.isin(known.person, chosen))


def _prediction(
    floor: _Floor, truth: Truth, name: str, values: Values, k: int
) -> Prediction:
    accepted = truth.accepted & np.isfinite(values[:, 0])
    silent = "no reading calibrates this beat"
    reason = truth.reason
    if (truth.accepted & ~accepted).any():
        reason = np.where(truth.accepted & ~accepted, silent, reason)
    return Prediction(
        method=name,
        role=floor.role,
        k=k,
        calibration=truth.calibration,
        subject=truth.subject,
        beat=truth.beat,
        time=truth.time,
        duration=truth.duration,
        waveform=None,
        csbp=values[:, 0],
        cdbp=values[:, 1],
        cmap=values[:, 2],
        cpp=values[:, 0] - values[:, 1],
        accepted=accepted,
        reason=reason,
        family=floor.family,
        inputs=floor.inputs,
    )


def _average(
    values: Float[np.ndarray, "_ _"], weight: PerBeat
) -> Float[np.ndarray, " _"]:
    return np.asarray(weight @ values / weight.sum())


def _mean(known: _Beats) -> Callable[[_Beats], Values]:
    usual = _average(known.pressures[:, :3], known.weights())
    return lambda asked: np.repeat(usual[None], asked.n, axis=0)


def _held(known: _Beats) -> Callable[[_Beats], Values]:
    del known

    def answer(asked: _Beats) -> Values:
        sbp, dbp = asked.cuff.T
        return np.stack([sbp, dbp, dbp + _FORM * (sbp - dbp)], axis=1)

    return answer


def _constant(known: _Beats) -> Callable[[_Beats], Values]:
    sbp, dbp = known.cuff.T
    true = known.pressures
    away = np.stack([true[:, 0] - sbp, true[:, 1] - dbp, true[:, 2] - dbp], axis=1)
    weight = known.weights()
    a, b, lift = _average(away, weight)
    share = lift / np.average(sbp - dbp, weights=weight)

    def answer(asked: _Beats) -> Values:
        top, low = asked.cuff.T
        return np.stack([top + a, low + b, low + share * (top - low)], axis=1)

    return answer


def _posterior(known: _Beats) -> Callable[[_Beats], Values]:
    return _linear(known, lambda beats: beats.cuff)


def _least_squares(known: _Beats) -> Callable[[_Beats], Values]:
    usual, weight = [], known.weights()
    for values in (known.hr, known.age):
        there = np.isfinite(values)
        usual.append(
            np.average(values[there], weights=weight[there]) if there.any() else 0.0
        )

    def design(beats: _Beats) -> Design:
        columns = [
            np.where(np.isfinite(v), v, u)
            for v, u in zip((beats.hr, beats.age), usual, strict=True)
        ]
        return np.column_stack([beats.cuff, *columns])

    return _linear(known, design)


def _linear(
    known: _Beats, design: Callable[[_Beats], Design]
) -> Callable[[_Beats], Values]:
    """Regress on a design; directions in which nobody differs are left out."""
    x, y, weight = design(known), known.pressures[:, :3], known.weights()
    centre, usual = _average(x, weight), _average(y, weight)
    scale = np.sqrt(_average((x - centre) ** 2, weight))
    scale = np.where(scale > 1e-9 * (1.0 + np.abs(centre)), scale, np.inf)
    away = (x - centre) / scale
    within = (weight[:, None] * away).T @ away
    across = (weight[:, None] * away).T @ (y - usual)
    gain = np.linalg.pinv(within, hermitian=True) @ across

    def answer(asked: _Beats) -> Values:
        return np.asarray(usual + ((design(asked) - centre) / scale) @ gain)

    return answer


def _exchanged(fit: Fit, seed: int) -> Fit:
    """Let a fit learn from the labels of other people, in units of the cuff."""

    def exchanged(known: _Beats) -> Callable[[_Beats], Values]:
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

    return exchanged


def _other_rows(known: _Beats, seed: int) -> Rows:
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
