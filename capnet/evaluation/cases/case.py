"""What a case holds."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.cases.centiles import Centile
from capnet.evaluation.cases.changes import Change
from capnet.evaluation.cases.readings import Recalibration
from capnet.prediction import DISCLAIMER
from capnet.types import Calibration, PerBeat, ReferenceType, Role

__all__ = ["Case", "CaseNumber", "CaseWave", "Course"]


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
            f"{self.beats} beats; reference {self.reference_type}, calibration "
            f"{self.calibration}. {DISCLAIMER}"
        )
