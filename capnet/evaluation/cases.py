"""One person: waves, estimates with intervals, change against measurement error.

A case says what a method answers about a person and how far that can be trusted. It
makes no diagnosis.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.centiles import Centile, centile
from capnet.evaluation.changes import (
    Change,
    change_error,
    change_of,
)
from capnet.evaluation.evaluate import Evaluation, MethodKey
from capnet.evaluation.judgement import Judgement
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.readings import Recalibration, recalibration_due
from capnet.evaluation.truth import Truth
from capnet.metrics import per_subject
from capnet.prediction import DISCLAIMER, Prediction, pressures
from capnet.records import Beats
from capnet.types import Calibration, Flags, Labels, PerBeat, ReferenceType, Role

__all__ = ["Case", "CaseNumber", "CaseWave", "Course", "case", "case_of", "shown_row"]

_AVERAGED: Final = 10
"""Beats at either end of a change that are averaged, where there are as many."""

_NAMED: Final = 5
"""Subjects that an error names, of all there are."""

_CENTILES: Final[tuple[tuple[Literal["sbp", "pp"], int], ...]] = (("sbp", 0), ("pp", 3))


@dataclass(frozen=True)
class CaseNumber:
    """One central pressure of a person, the mean of the answered beats.

    Attributes:
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``.
        estimate: mmHg; None where nothing was answered.
        low, high: Ends of the interval, means over the same beats, mmHg; None without.
        truth: Of the same beats, mmHg; None where nobody measured it.
    """

    quantity: str
    estimate: float | None
    low: float | None
    high: float | None
    truth: float | None

    @property
    def error(self) -> float | None:
        """Estimate minus truth, mmHg."""
        if self.estimate is None or self.truth is None:
            return None
        return self.estimate - self.truth

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {
            "quantity": self.quantity,
            "estimate": self.estimate,
            "interval": None if self.low is None else [self.low, self.high],
            "truth": self.truth,
            "error": self.error,
        }


@dataclass(frozen=True, eq=False)
class CaseWave:
    """One beat of a person.

    Attributes:
        which: ``first``, ``middle`` (of SBP) or ``last`` answered beat.
        beat: Its position, as text.
        time: Since the start of the record, s; None when unknown.
        duration: Seconds; None when unknown.
        estimate: Aortic pressure from foot to foot, mmHg. Shape (64,).
        truth: The same beat's, mmHg; None where nobody measured it. Shape (64,).
    """

    which: str
    beat: str
    time: float | None
    duration: float | None
    estimate: np.ndarray
    truth: np.ndarray | None

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON; mmHg to 0.001."""

        def wave(values: np.ndarray | None) -> list[float] | None:
            return None if values is None else [round(float(v), 3) for v in values]

        return {
            "which": self.which,
            "beat": self.beat,
            "time": self.time,
            "duration": self.duration,
            "estimate": wave(self.estimate),
            "truth": wave(self.truth),
        }


@dataclass(frozen=True, eq=False)
class Course:
    """Central SBP of a person, beat by beat, in the order of time.

    Attributes:
        time: Seconds, or the position of the beat where no time is known.
        timed: Whether those are seconds.
        estimate: mmHg, NaN where refused. Shape (beat,).
        low, high: Ends of the intervals, NaN without. Shape (beat,).
        truth: mmHg, NaN where nobody measured it. Shape (beat,).
        readings: Where a new reading begins to calibrate, on the axis of time.
    """

    time: PerBeat
    timed: bool
    estimate: PerBeat
    low: PerBeat
    high: PerBeat
    truth: PerBeat
    readings: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Case:
    """What one method says of one person. No diagnosis.

    Attributes:
        subject: Who.
        method: What answered.
        k: Labelled target subjects it has seen.
        role: Deep, floor or control.
        calibration: Where its mmHg come from.
        reference_type: What kind of truth stands beside; ``none`` without one.
        age: Years; None when unknown.
        sex: ``female``, ``male`` or empty when unknown.
        hr: Mean heart rate, bpm; None when unknown.
        reading: SBP and DBP that calibrate the last beat, mmHg; None without.
        beats: Of this person.
        answered: With an estimate.
        refused: Beats by the reason why they were refused, the most frequent first.
        quality: Mean of the quality of the beats where a run keeps it, else None.
        doubt: Mean doubt of the answered beats; None where the method says none.
        coverage: Share that the intervals are meant to hold; None without intervals.
        numbers: SBP, DBP, MAP and PP.
        waves: First, middle and last answered beat; fewer where they are the same.
        course: SBP, beat by beat.
        changes: Since the start and since the last reading.
        unchanged: Why there is no change where there is none, by ``since``.
        centiles: Of SBP and PP; empty where nothing was answered.
        recalibration: Whether a new reading is due.
    """

    subject: str
    method: str
    k: int
    role: Role
    calibration: Calibration
    reference_type: ReferenceType
    age: float | None
    sex: str
    hr: float | None
    reading: tuple[float, float] | None
    beats: int
    answered: int
    refused: Mapping[str, int]
    quality: float | None
    doubt: float | None
    coverage: float | None
    numbers: tuple[CaseNumber, ...]
    waves: tuple[CaseWave, ...]
    course: Course
    changes: tuple[Change, ...]
    unchanged: Mapping[str, str]
    centiles: tuple[Centile, ...]
    recalibration: Recalibration

    def number(self, quantity: str) -> CaseNumber:
        """Return one of the four pressures.

        Raises:
            ProtocolError: If it is none of them.
        """
        for found in self.numbers:
            if found.quantity == quantity:
                return found
        msg = f"{quantity!r} is not known; wanted one of {', '.join(PRESSURES)}."
        raise ProtocolError(msg)

    def to_dict(self) -> dict[str, object]:
        """Return everything but the course, ready for strict JSON (no NaN)."""
        plain = ("subject", "method", "k", "role", "calibration", "reference_type")
        counts = ("age", "sex", "hr", "beats", "answered", "quality", "doubt")
        return {
            "disclaimer": f"{DISCLAIMER} No diagnosis.",
            **{name: getattr(self, name) for name in (*plain, *counts)},
            "reading": None if self.reading is None else list(self.reading),
            "refused": dict(self.refused),
            "coverage": self.coverage,
            "units": "pressures in mmHg, times in s, heart rate in bpm",
            "numbers": [n.to_dict() for n in self.numbers],
            "waves": [w.to_dict() for w in self.waves],
            "changes": [c.to_dict() for c in self.changes],
            "unchanged": dict(self.unchanged),
            "centiles": [c.to_dict() for c in self.centiles],
            "recalibration": self.recalibration.to_dict(),
        }

    def __str__(self) -> str:
        sbp = self.number("sbp")
        said = "no answer" if sbp.estimate is None else f"SBP {sbp.estimate:.1f} mmHg"
        if sbp.low is not None and sbp.high is not None:
            said += f" [{sbp.low:.1f}, {sbp.high:.1f}]"
        return (
            f"{self.subject}: {self.method} (k = {self.k}), {said}, {self.answered} of "
            f"{self.beats} beats. {DISCLAIMER}"
        )


def case(
    judged: Evaluation | Judgement, subject: str, *, method: MethodKey | None = None
) -> Case:
    """Return one person of those whom methods were judged on.

    Args:
        judged: Every method on people whose truth is known.
        subject: Who.
        method: Whose answer, by name or by name and k; by default as `shown_row` says.

    Raises:
        ProtocolError: If there is no such subject or method.
    """
    evaluation = judged.evaluation if isinstance(judged, Judgement) else judged
    truth = evaluation.reference
    if method is None:
        return case_of(shown_row(evaluation.predictions, truth), truth, subject)
    return case_of(evaluation.prediction(method), truth, subject)


def shown_row(
    predictions: Sequence[Prediction],
    people: Beats | Truth,
    *,
    method: str | None = None,
    k: int | None = None,
) -> Prediction:
    """Return the row that a case shows.

    Args:
        predictions: Of these people.
        people: With or without a truth.
        method: Its name. By default the deep row with the lowest RMSE of SBP (errors
            squared are averaged within people first), or the best floor where there
            is no deep row.
        k: Its labelled subjects; wanted where the name appears more than once.

    Raises:
        ProtocolError: If there is no such row or several, or no truth to choose by.
    """
    found = [
        p
        for p in predictions
        if method in (None, p.method) and k in (None, p.k) and p.accepted.any()
    ]
    if len(found) == 1 and method is not None:
        return found[0]
    truth = _true(people)[:, 0]
    if method is None and np.isfinite(truth).any():
        for role in ("deep", "floor"):
            scored = [
                (_square(p, truth, people.subject), i)
                for i, p in enumerate(found)
                if p.role == role
            ]
            if scored and np.isfinite(min(scored)[0]):
                return found[min(scored)[1]]
    asked = "a row" if method is None else repr(method)
    asked += "" if k is None else f" with k = {k}"
    known = ", ".join(f"{p.method!r} (k = {p.k})" for p in predictions)
    none = "none answers" if not found else f"{len(found)} answer"
    blind = method is None and not np.isfinite(truth).any()
    why = ", and nobody measured a truth to choose the best by" if blind else ""
    msg = f"wanted {asked}: {none}{why}. There are {known}. Name one by method and k."
    raise ProtocolError(msg)


def _square(prediction: Prediction, truth: PerBeat, subject: Labels) -> float:
    """Return the squared error of SBP, averaged within people first, then over them."""
    error = prediction.csbp - truth
    known = np.isfinite(error) & prediction.accepted
    if not known.any():
        return np.inf
    return float(per_subject(np.square(error[known]), subject[known]).mean())


def case_of(prediction: Prediction, people: Beats | Truth, subject: str) -> Case:
    """Return what a prediction says of one person.

    Without a truth no error is given, and no change is held against one.

    Args:
        prediction: Of these beats.
        people: The beats that were asked, of everybody: the errors of the *others*
            say what change can be detected in this one.
        subject: Who.

    Raises:
        ProtocolError: If there is no such subject, or the prediction is of other beats.
    """
    check_same_beats([prediction], people)
    rows = np.flatnonzero(people.subject == subject)
    if len(rows) == 0:
        raise ProtocolError(_unknown(people, subject))
    order = _in_time(people)
    rows = order[np.isin(order, rows)]
    answers = np.stack([getattr(prediction, f"c{name}") for name in PRESSURES], axis=1)
    answers = np.where(prediction.accepted[:, None], answers, np.nan)
    truth = _true(people)
    mine = _Mine(prediction, people, rows, answers[rows], truth[rows])
    others = order[~np.isin(order, rows)]
    changes, unchanged = _changes(mine, answers - truth, others)
    cuff = people.cuff[rows]
    wave = None if prediction.waveform is None else prediction.waveform[rows]
    reading = cuff[-1] if np.isfinite(cuff[-1]).all() else None
    return Case(
        subject=str(subject),
        method=prediction.method,
        k=prediction.k,
        role=prediction.role,
        calibration=prediction.calibration,
        reference_type=people.reference_type,
        age=_mean(people.age[rows]),
        sex=_sex(people)[rows[0]],
        hr=_mean(people.hr[rows]),
        reading=None if reading is None else (float(reading[0]), float(reading[1])),
        beats=len(rows),
        answered=int(mine.answered.sum()),
        refused=_counted(prediction.reason[rows][~mine.answered]),
        quality=_mean(people.features["quality"][rows])
        if "quality" in people.features
        else None,
        doubt=None
        if prediction.doubt is None
        else _mean(prediction.doubt[rows][mine.answered]),
        coverage=prediction.coverage,
        numbers=mine.numbers(),
        waves=mine.waves(wave),
        course=mine.course(),
        changes=changes,
        unchanged=unchanged,
        centiles=_centiles(mine, people),
        recalibration=recalibration_due(people.time[rows], cuff, people.hr[rows], wave),
    )


def _unknown(people: Beats | Truth, subject: str) -> str:
    """Say whom there is instead."""
    known = [str(s) for s in people.subjects]
    shown = ", ".join(repr(s) for s in known[:_NAMED])
    more = f" and {len(known) - _NAMED} more" if len(known) > _NAMED else ""
    return f"no subject {subject!r} among {len(known)}; there are {shown}{more}."


def _in_time(people: Beats | Truth) -> np.ndarray:
    """Return all rows in the order of time, as they stand where none is known."""
    return np.argsort(people.time, kind="stable")


def _true(people: Beats | Truth) -> np.ndarray:
    """Return true SBP, DBP, MAP and PP, NaN where nobody measured. Shape (beat, 4)."""
    if isinstance(people, Truth):
        return people.pressures
    if people.reference is None:
        return np.full((len(people), len(PRESSURES)), np.nan)
    return pressures(people.reference)


def _sex(people: Beats | Truth) -> list[str]:
    if isinstance(people, Truth):
        return [str(s) for s in people.sex]
    male = people.features.get("male", np.full(len(people), np.nan))
    return ["male" if m == 1 else "female" if m == 0 else "" for m in male]


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _counted(reasons: Labels) -> dict[str, int]:
    names, counts = np.unique(reasons, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]) or "no reason given": int(counts[i]) for i in order}


@dataclass(frozen=True, eq=False)
class _Mine:
    """The rows of one person, in the order of time."""

    prediction: Prediction
    people: Beats | Truth
    rows: np.ndarray
    answers: np.ndarray  # mmHg, NaN where refused. Shape (beat, 4).
    truth: np.ndarray  # mmHg, NaN where unknown. Shape (beat, 4).

    @property
    def answered(self) -> Flags:
        return np.asarray(np.isfinite(self.answers[:, 0]))

    def ends(self, column: int) -> tuple[PerBeat, PerBeat]:
        """Return the ends of the intervals of a pressure, NaN without."""
        p = self.prediction
        if p.low is None or p.high is None:
            nothing = np.full(len(self.rows), np.nan)
            return nothing, nothing
        return p.low[self.rows, column], p.high[self.rows, column]

    def numbers(self) -> tuple[CaseNumber, ...]:
        found = []
        for column, name in enumerate(PRESSURES):
            low, high = self.ends(column)
            known = np.isfinite(self.answers[:, column])
            both = known & np.isfinite(self.truth[:, column])
            # A truth of other beats than those answered would be another number.
            truth = _mean(self.truth[both, column]) if (both == known).all() else None
            # An end that is infinite promises nothing that could be shown.
            shown = known.any() and np.isfinite([low[known], high[known]]).all()
            found.append(
                CaseNumber(
                    quantity=name,
                    estimate=_mean(self.answers[:, column]),
                    low=_mean(low[known]) if shown else None,
                    high=_mean(high[known]) if shown else None,
                    truth=truth,
                )
            )
        return tuple(found)

    def waves(self, wave: np.ndarray | None) -> tuple[CaseWave, ...]:
        if wave is None or not self.answered.any():
            return ()
        drawn = np.flatnonzero(self.answered & np.isfinite(wave).all(axis=1))
        if len(drawn) == 0:
            return ()
        by_sbp = drawn[np.argsort(self.answers[drawn, 0], kind="stable")]
        chosen = {"middle": by_sbp[len(by_sbp) // 2]}
        if len(drawn) > 2:
            chosen = {"first": drawn[0], **chosen, "last": drawn[-1]}
        reference = self.people.reference
        found = []
        for which, i in chosen.items():
            row = self.rows[i]
            true = None if reference is None else reference[row]
            known = true is not None and bool(np.isfinite(true).all())
            found.append(
                CaseWave(
                    which=which,
                    beat=str(self.people.beat[row]),
                    time=_mean(self.people.time[row : row + 1]),
                    duration=_mean(self.people.duration[row : row + 1]),
                    estimate=wave[i],
                    truth=true if known else None,
                )
            )
        return tuple(found)

    def course(self) -> Course:
        time = self.people.time[self.rows]
        timed = bool(np.isfinite(time).all())
        axis = time if timed else np.arange(len(self.rows), dtype=float)
        cuff = self.people.cuff[self.rows]
        new = np.isfinite(cuff).all(axis=1)
        new[1:] &= (cuff[1:] != cuff[:-1]).any(axis=1)
        low, high = self.ends(0)
        return Course(
            time=axis,
            timed=timed,
            estimate=self.answers[:, 0],
            low=np.where(np.isfinite(low), low, np.nan),
            high=np.where(np.isfinite(high), high, np.nan),
            truth=self.truth[:, 0],
            readings=tuple(float(t) for t in axis[new]),
        )


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


def _changes(
    mine: _Mine, errors: np.ndarray, others: np.ndarray
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


def _centiles(mine: _Mine, people: Beats | Truth) -> tuple[Centile, ...]:
    """Return the centiles of SBP and PP with those of their intervals' ends."""
    age, sex = _mean(people.age[mine.rows]), _sex(people)[mine.rows[0]]
    scale = mine.prediction.calibration
    numbers = mine.numbers()
    found = []
    for name, column in _CENTILES:
        number = numbers[column]
        if number.estimate is None:
            continue
        ends = None
        if number.low is not None and number.high is not None:
            ends = (number.low, number.high)
        found.append(
            centile(
                name,
                number.estimate,
                age=age,
                sex=sex,
                calibration=scale,
                ends=ends,
            )
        )
    return tuple(found)
