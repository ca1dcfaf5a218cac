r"""Whether a person's pressure changed by more than measurement error.

Two answers about one person differ by errors alone with an SD of :math:`\sqrt 2\,s_w`,
so only a change beyond

.. math:: \mathrm{SDC} = 1.96\,\sqrt 2\, s_w

is told from none with 95 % (Bland & Altman 1996, BMJ 313:744, "repeatability"; Weir
2005, J Strength Cond Res 19:231, "minimal difference"). :math:`s_w` is the SD of errors
within people, pooled over people; what is wrong with all answers of a person alike
cancels in a change.

Errors drift, so two answers far apart differ by more than two neighbours do.
`change_error` therefore measures :math:`s_w` on the two answers that a change compares:
the first and the last.
"""

import math
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from capnet.errors import ConfigError
from capnet.evaluation.statistics.bootstrap import MIN_SUBJECTS
from capnet.types import Labels, PerBeat

__all__ = [
    "FORMULA",
    "Change",
    "MeasurementError",
    "change_error",
    "change_of",
    "measurement_error",
]

FACTOR: Final = 1.96 * math.sqrt(2.0)

FORMULA: Final = (
    "smallest detectable change = 1.96 x sqrt(2) x SD of errors within people (Bland & "
    "Altman 1996; Weir 2005)"
)
"""What a change is held against, in words."""


@dataclass(frozen=True)
class MeasurementError:
    """How far answers about one person scatter around the truth.

    Attributes:
        sd: SD of errors within people, mmHg; None where it cannot be measured.
        beats: Consecutive beats averaged into each answer.
        subjects: People with two or more such answers, who measure it.
        answers: Of those people.
        reason: Why there is no SD; empty where there is one.
    """

    sd: float | None
    beats: int
    subjects: int
    answers: int
    reason: str

    @property
    def detectable(self) -> float | None:
        """Smallest detectable change, mmHg."""
        return None if self.sd is None else FACTOR * self.sd

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {**asdict(self), "detectable": self.detectable, "formula": FORMULA}


def measurement_error(
    errors: PerBeat, subject: Labels, *, beats: int = 1
) -> MeasurementError:
    """Measure the SD of errors within people, of means of consecutive beats.

    The beats of each person are cut into runs of the length that is averaged, a
    remainder is left out, and the errors of the runs are pooled about each person's
    own mean. So errors that last from beat to beat are not averaged away on paper.

    Args:
        errors: Predicted minus true, mmHg, NaN where not scored; in the order of time
            within each person. Shape (beat,).
        subject: Who. Shape (beat,).
        beats: In a run.

    Raises:
        ConfigError: If a run has no beat.
    """
    if beats < 1:
        msg = f"beats is {beats}; wanted one or more to a run."
        raise ConfigError(msg)
    value, code, rank, count = _ranked(errors, subject)
    runs = count // beats
    whole = rank // beats < runs[code]
    place = ((np.cumsum(runs) - runs)[code] + rank // beats)[whole]
    means = np.bincount(place, weights=value[whole], minlength=runs.sum()) / beats
    owner = np.repeat(np.arange(len(runs)), runs)
    total_error = np.bincount(owner, weights=means, minlength=len(runs))
    centre = total_error / np.maximum(runs, 1)
    several = runs >= 2
    n, total = int(several.sum()), int(runs[several].sum())
    if n < MIN_SUBJECTS:
        reason = (
            f"{n} people with two or more scored answers of {beats} "
            f"beat{'' if beats == 1 else 's'} each; wanted at least {MIN_SUBJECTS}"
        )
        return MeasurementError(None, beats, n, total, reason)
    squares = np.square(means - centre[owner])[several[owner]]
    sd = math.sqrt(float(squares.sum()) / (total - n))
    return MeasurementError(sd, beats, n, total, "")


def change_error(
    errors: PerBeat, subject: Labels, *, beats: int = 1
) -> MeasurementError:
    """Measure the SD of errors within people, of their first and last answers alone.

    Args:
        errors: Predicted minus true, mmHg, NaN where not scored; in the order of time
            within each person. Shape (beat,).
        subject: Who. Shape (beat,).
        beats: Averaged into either answer.

    Raises:
        ConfigError: If an answer has no beat.
    """
    value, code, rank, count = _ranked(errors, subject)
    several = (count >= 2 * beats)[code]
    ends = several & ((rank < beats) | (rank >= count[code] - beats))
    return measurement_error(value[ends], code[ends].astype(np.str_), beats=beats)


def _ranked(
    errors: PerBeat, subject: Labels
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scored errors by person, whose and which they are, and how many each."""
    known = np.isfinite(errors)
    _, code = np.unique(subject[known], return_inverse=True)
    order = np.argsort(code, kind="stable")
    code, value = code[order], errors[known][order]
    count = np.bincount(code, minlength=1)
    rank = np.arange(len(code)) - (np.cumsum(count) - count)[code]
    return value, code, rank, count


@dataclass(frozen=True)
class Change:
    """What changed in a person between two times.

    Attributes:
        quantity: ``sbp``, ``dbp``, ``map`` or ``pp``, central.
        since: ``start`` or ``last reading``.
        then: Mean of the first beats since then, mmHg.
        now: Mean of the last beats, mmHg.
        error: Against what the change is held.
    """

    quantity: str
    since: str
    then: float
    now: float
    error: MeasurementError

    @property
    def change(self) -> float:
        """Now minus then, mmHg."""
        return self.now - self.then

    @property
    def detectable(self) -> bool | None:
        """Whether it is beyond measurement error; None where that is not known."""
        least = self.error.detectable
        return None if least is None else abs(self.change) > least

    @property
    def text(self) -> str:
        """The comparison in words."""
        if self.detectable is None:
            return f"not held against measurement error: {self.error.reason}"
        if self.detectable:
            return "larger than the smallest detectable change"
        return "indistinguishable from measurement error"

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {
            "quantity": self.quantity,
            "since": self.since,
            "then": self.then,
            "now": self.now,
            "change": self.change,
            "beyond_measurement_error": self.detectable,
            "measurement_error": self.error.to_dict(),
            "text": self.text,
        }


def change_of(
    values: PerBeat, *, quantity: str, since: str, error: MeasurementError
) -> Change:
    """Compare a person's last beats with the first ones.

    Args:
        values: Answers in the order of time, mmHg, without gaps. Shape (beat,).
        quantity: Which pressure they are.
        since: When they begin.
        error: Of means of ``error.beats`` beats, as many as are averaged here.

    Raises:
        ConfigError: If there are too few beats for two means that share none.
    """
    if len(values) < 2 * error.beats:
        msg = (
            f"{len(values)} beats since the {since}; wanted {2 * error.beats} or more "
            f"for two means of {error.beats} beats."
        )
        raise ConfigError(msg)
    then, now = values[: error.beats].mean(), values[-error.beats :].mean()
    return Change(quantity, since, float(then), float(now), error)
