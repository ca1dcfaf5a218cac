"""Whether a reading that calibrates a person has had its day: an assumption, stated.

No study says how long a cuff reading carries a cuffless estimate. The limits below are
set, not measured; they are printed wherever they are used.
"""

from dataclasses import asdict, dataclass
from typing import Final

import numpy as np

from capnet.types import BeatWaves, PerBeat

__all__ = [
    "ASSUMPTION",
    "MAX_AGE",
    "MAX_HR_DRIFT",
    "MAX_SHAPE_DRIFT",
    "Recalibration",
    "reading_start",
    "recalibration_due",
]

MAX_AGE: Final = 1800.0
"""Seconds after which a reading is taken to be old."""

MAX_HR_DRIFT: Final = 0.2
"""Change of heart rate, as a share, beyond which the circulation is another one."""

MAX_SHAPE_DRIFT: Final = 0.1
"""RMS change of the estimated pulse, as a share of its height, likewise."""

_END: Final = 10
"""Beats at either end that are averaged."""

ASSUMPTION: Final = (
    f"Assumption, not a finding: a new reading is due {MAX_AGE / 60:g} minutes after "
    f"the last one, or when heart rate has changed by more than {100 * MAX_HR_DRIFT:g} "
    f"%, or the shape of the estimated pulse by more than {100 * MAX_SHAPE_DRIFT:g} % "
    "of its height (RMS). A reading is taken to begin with the first beat that it "
    "calibrates, so it may be older; a new reading with the same two numbers is not "
    "seen as new."
)
"""The limits in words, printed wherever they are used."""


@dataclass(frozen=True)
class Recalibration:
    """How old a reading is, and what has drifted since.

    Attributes:
        due: Whether a new reading is due under the assumption; None where nothing says
            so and the age of the reading is not known.
        age: Seconds since the first beat that the last reading calibrates; None
            without a reading or a time.
        hr_drift: Share by which heart rate changed since; None where it is not known.
        shape_drift: RMS change of the estimated pulse since, as a share of its height;
            None where there is no wave.
        reasons: Why it is due; empty where it is not.
        assumption: The limits, in words.
    """

    due: bool | None
    age: float | None
    hr_drift: float | None
    shape_drift: float | None
    reasons: tuple[str, ...]
    assumption: str = ASSUMPTION

    @property
    def text(self) -> str:
        """The judgement in words."""
        if self.due is None:
            return "not known: no time of the beats tells how old the reading is"
        return f"due: {'; '.join(self.reasons)}" if self.due else "not due"

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {**asdict(self), "reasons": list(self.reasons)}


def reading_start(cuff: np.ndarray) -> int | None:
    """Return the first row that the last reading calibrates; None without one.

    Args:
        cuff: SBP and DBP of the reading of each beat, in the order of time, mmHg.
            Shape (beat, 2).
    """
    if len(cuff) == 0 or not np.isfinite(cuff[-1]).all():
        return None
    other = np.flatnonzero((cuff != cuff[-1]).any(axis=1))
    return int(other[-1]) + 1 if len(other) else 0


def recalibration_due(
    time: PerBeat, cuff: np.ndarray, hr: PerBeat, wave: BeatWaves | None
) -> Recalibration:
    """Judge the last reading of a person by its age and by what drifted since.

    Args:
        time: Of each beat, ascending, s, NaN when unknown. Shape (beat,).
        cuff: The reading of each beat, mmHg, NaN without one. Shape (beat, 2).
        hr: Heart rate, bpm, NaN when unknown. Shape (beat,).
        wave: Estimated aortic waves, mmHg, NaN rows where refused; None without waves.
            Shape (beat, 64).
    """
    start = reading_start(cuff)
    if start is None:
        why = "no pressure reading calibrates the last beat"
        return Recalibration(True, None, None, None, (why,))
    span = float(time[-1] - time[start])
    age = span if np.isfinite(span) else None
    rate = _ends(hr[start:, None])
    hr_drift = None if rate is None else float(rate[1][0] / rate[0][0] - 1)
    shape = None if wave is None else _ends(_shapes(wave[start:]))
    drift = None
    if shape is not None:
        drift = float(np.sqrt(np.square(shape[1] - shape[0]).mean()))
    reasons = []
    if age is not None and age > MAX_AGE:
        reasons.append(f"the reading is {age / 60:.0f} minutes old")
    if hr_drift is not None and abs(hr_drift) > MAX_HR_DRIFT:
        reasons.append(f"heart rate has changed by {100 * hr_drift:+.0f} % since")
    if drift is not None and drift > MAX_SHAPE_DRIFT:
        reasons.append(f"the estimated pulse has changed by {100 * drift:.0f} % since")
    due = None if age is None and not reasons else bool(reasons)
    return Recalibration(due, age, hr_drift, drift, tuple(reasons))


def _ends(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Average the first and the last known rows; None where there are too few."""
    known = rows[np.isfinite(rows).all(axis=1)]
    size = min(_END, len(known) // 2)
    if size == 0:
        return None
    return known[:size].mean(axis=0), known[-size:].mean(axis=0)


def _shapes(wave: BeatWaves) -> np.ndarray:
    """Return each beat from 0 at its foot to 1 at its peak. Shape (beat, 64)."""
    low, high = wave.min(axis=1, keepdims=True), wave.max(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((wave - low) / (high - low))
