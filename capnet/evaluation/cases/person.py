"""The rows of one person, in the order of time."""

from dataclasses import dataclass

import numpy as np

from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.cases.case import CaseNumber, CaseWave, Course
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction, pressures
from capnet.records import Beats
from capnet.types import Flags, PerBeat

__all__ = ["Person", "mean_of", "sexes", "true_pressures"]


@dataclass(frozen=True, eq=False)
class Person:
    """The rows of one person, in the order of time."""

    prediction: Prediction
    people: Beats | Truth
    rows: np.ndarray
    answers: np.ndarray  # mmHg, NaN where refused. Shape (beat, 4).
    truth: np.ndarray  # mmHg, NaN where unknown. Shape (beat, 4).

    @property
    def answered(self) -> Flags:
        """Which beats have an estimate. Shape (beat,)."""
        return np.asarray(np.isfinite(self.answers[:, 0]))

    def ends(self, column: int) -> tuple[PerBeat, PerBeat]:
        """Return the ends of the intervals of a pressure, NaN without."""
        p = self.prediction
        if p.low is None or p.high is None:
            nothing = np.full(len(self.rows), np.nan)
            return nothing, nothing
        return p.low[self.rows, column], p.high[self.rows, column]

    def numbers(self) -> tuple[CaseNumber, ...]:
        """Return the means of the answered beats."""
        found = []
        for column, name in enumerate(PRESSURES):
            low, high = self.ends(column)
            known = np.isfinite(self.answers[:, column])
            both = known & np.isfinite(self.truth[:, column])
            # A truth of other beats than those answered would be another number.
            truth = mean_of(self.truth[both, column]) if (both == known).all() else None
            # An end that is infinite promises nothing that could be shown.
            shown = known.any() and np.isfinite([low[known], high[known]]).all()
            found.append(
                CaseNumber(
                    quantity=name,
                    estimate=mean_of(self.answers[:, column]),
                    low=mean_of(low[known]) if shown else None,
                    high=mean_of(high[known]) if shown else None,
                    truth=truth,
                )
            )
        return tuple(found)

    def waves(self, wave: np.ndarray | None) -> tuple[CaseWave, ...]:
        """Return the first, middle and last answered beat.

        Args:
            wave: Answers of these rows, mmHg; None without. Shape (beat, 64).
        """
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
                    time=mean_of(self.people.time[row : row + 1]),
                    duration=mean_of(self.people.duration[row : row + 1]),
                    estimate=wave[i],
                    truth=true if known else None,
                )
            )
        return tuple(found)

    def course(self) -> Course:
        """Return SBP, beat by beat."""
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


def true_pressures(people: Beats | Truth) -> np.ndarray:
    """Return true SBP, DBP, MAP and PP, NaN where nobody measured. Shape (beat, 4)."""
    if isinstance(people, Truth):
        return people.pressures
    if people.reference is None:
        return np.full((len(people), len(PRESSURES)), np.nan)
    return pressures(people.reference)


def sexes(people: Beats | Truth) -> list[str]:
    """Return ``female``, ``male`` or an empty word for each beat."""
    if isinstance(people, Truth):
        return [str(s) for s in people.sex]
    male = people.features.get("male", np.full(len(people), np.nan))
    return ["male" if m == 1 else "female" if m == 0 else "" for m in male]


def mean_of(values: np.ndarray) -> float | None:
    """Return the mean of the finite values, None without one."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None
