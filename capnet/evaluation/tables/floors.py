"""Floors and controls that a table of numbers allows, made from the table itself.

Who brings predictions without floors gets those that need no wave: they are fitted on
training people, or, where there are none, cross-fitted: each tenth of the subjects is
answered by what the other nine tenths taught. Cross-fitting knows the clinic that is
judged, which favours the floor; the names say so.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.tables.fits import (
    Fit,
    Numbers,
    Rows,
    Values,
    constant,
    exchanged,
    held,
    least_squares,
    mean,
    posterior,
)
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.types import Flags, Input, Role

__all__ = ["FOLDS", "table_floors"]

FOLDS: Final = 10
"""Parts of the subjects in a cross-fit; fewer where there are fewer subjects."""


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
    beats = Numbers.of(truth)
    rows = [
        _answer(floor, truth, beats, train, seed=seed) for floor in _kinds(read, seed)
    ]
    if not read:
        kind = _Floor("mean", "mean", "control", (), mean)
    else:
        kind = _Floor(
            *("cuff SBP - constant", "peripheral - constant", "floor", ("cuff",)),
            constant,
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
    usual = _Floor("mean", "mean", "control", (), mean)
    if not read:
        name = "mean, labels shuffled"
        shuffled = exchanged(mean, seed)
        return [usual, _Floor(name, "shuffled labels", "control", (), shuffled)]
    cuff: tuple[Input, ...] = ("cuff",)
    scalars: tuple[Input, ...] = ("cuff", "hr", "age")
    return [
        usual,
        _Floor("last cuff", "last cuff", "control", cuff, held),
        _Floor("cuff posterior", "cuff posterior", "floor", cuff, posterior),
        _Floor("cuff SBP - constant", "peripheral - constant", "floor", cuff, constant),
        _Floor("OLS on cuff, HR, age", "OLS", "floor", scalars, least_squares),
        _Floor(
            "OLS on cuff, HR, age, labels shuffled",
            "shuffled labels",
            "control",
            scalars,
            exchanged(least_squares, seed),
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
    beats: Numbers,
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
    if floor.fit is held:
        values[asked] = held(beats)(beats.take(asked))
    elif train is not None:
        known = Numbers.of(train).take(_usable(train, reading=reading))
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


def _check_people(known: Numbers, least: int, name: str) -> None:
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


def _drawn(known: Numbers, k: int, rng: np.random.Generator, name: str) -> Numbers:
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
