"""What a prediction says of one person."""

from typing import Final, Literal

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.cases.case import Case
from capnet.evaluation.cases.centiles import Centile, centile
from capnet.evaluation.cases.person import Person, mean_of, sexes, true_pressures
from capnet.evaluation.cases.readings import recalibration_due
from capnet.evaluation.cases.shown import shown_row
from capnet.evaluation.cases.since import changes_of
from capnet.evaluation.evaluate import Evaluation, MethodKey
from capnet.evaluation.judgement import Judgement
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Labels

__all__ = ["case", "case_of"]

_NAMED: Final = 5
"""Subjects that an error names, of all there are."""

_CENTILES: Final[tuple[tuple[Literal["sbp", "pp"], int], ...]] = (("sbp", 0), ("pp", 3))


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
    truth = true_pressures(people)
    mine = Person(prediction, people, rows, answers[rows], truth[rows])
    others = order[~np.isin(order, rows)]
    changes, unchanged = changes_of(mine, answers - truth, others)
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
        age=mean_of(people.age[rows]),
        sex=sexes(people)[rows[0]],
        hr=mean_of(people.hr[rows]),
        reading=None if reading is None else (float(reading[0]), float(reading[1])),
        beats=len(rows),
        answered=int(mine.answered.sum()),
        refused=_counted(prediction.reason[rows][~mine.answered]),
        quality=mean_of(people.features["quality"][rows])
        if "quality" in people.features
        else None,
        doubt=None
        if prediction.doubt is None
        else mean_of(prediction.doubt[rows][mine.answered]),
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


def _counted(reasons: Labels) -> dict[str, int]:
    names, counts = np.unique(reasons, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return {str(names[i]) or "no reason given": int(counts[i]) for i in order}


def _centiles(mine: Person, people: Beats | Truth) -> tuple[Centile, ...]:
    """Return the centiles of SBP and PP with those of their intervals' ends."""
    age, sex = mean_of(people.age[mine.rows]), sexes(people)[mine.rows[0]]
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
