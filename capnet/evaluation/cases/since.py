"""How far a person has moved since the start and since the last reading."""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.cases.changes import Change, change_error, change_of
from capnet.evaluation.cases.person import Person
from capnet.types import Flags, Labels

__all__ = ["changes_of"]

_AVERAGED: Final = 10
"""Beats at either end of a change that are averaged, where there are as many."""


def changes_of(
    mine: Person, errors: np.ndarray, others: np.ndarray
) -> tuple[tuple[Change, ...], dict[str, str]]:
    """Compare the last beats with the first, and with those after the last reading.

    Either is held against the same difference of the errors of other people: of those
    who had a new reading in between where this person had one, and of those who had
    none where not, because a reading brings an error of its own.

    Args:
        mine: The person.
        errors: Of everybody, mmHg. Shape (beat, 4).
        others: Rows of the other people, in the order of time.
    """
    people = mine.people
    own = _readings(people.cuff[mine.rows], people.subject[mine.rows])
    theirs = _readings(people.cuff[others], people.subject[others])
    renewed = bool(own.renewed.any())
    between = "with" if renewed else "without"
    comparable = {
        "start": (np.ones_like(own.last), theirs.renewed == renewed),
        "last reading": (own.last, theirs.last),
    }
    kind = {
        "start": f" ({between} a new reading in between, as here)",
        "last reading": "",
    }
    found: list[Change] = []
    missing: dict[str, str] = {}
    for since, (rows, alike) in comparable.items():
        answers = mine.answers[rows]
        if since == "last reading" and not own.last.any():
            missing[since] = "no pressure reading calibrates the last beat"
            continue
        if since == "last reading" and not renewed:
            missing[since] = "the only reading: the same as since the start"
            continue
        known = np.isfinite(answers)
        n = int(known[:, 0].sum())
        size = min(_AVERAGED, n // 2)
        if size == 0:
            missing[since] = f"{n} answered beats since the {since}; wanted two or more"
            continue
        held = others[alike]
        for column, name in enumerate(PRESSURES):
            values = answers[known[:, column], column]
            if len(values) < 2 * size:
                continue
            error = change_error(errors[held, column], people.subject[held], beats=size)
            if error.reason:
                error = replace(error, reason=error.reason + kind[since])
            found.append(change_of(values, quantity=name, since=since, error=error))
    return tuple(found), missing


@dataclass(frozen=True, eq=False)
class _Readings:
    """Which reading calibrates each row, of several people in the order of time.

    Attributes:
        last: Rows that the person's last reading calibrates. Shape (row,).
        renewed: Rows of people who had more than one reading. Shape (row,).
    """

    last: Flags
    renewed: Flags


def _readings(cuff: np.ndarray, subject: Labels) -> _Readings:
    """Tell the last readings from earlier ones; a lost one is no reading."""
    _, code = np.unique(subject, return_inverse=True)
    place = np.arange(len(code))
    end, earlier = np.zeros((2, code.max(initial=-1) + 1), dtype=np.intp)
    np.maximum.at(end, code, place)
    other = (cuff != cuff[end[code]]).any(axis=1)
    np.maximum.at(earlier, code[other], place[other] + 1)
    return _Readings(place >= earlier[code], earlier[code] > 0)
