"""What predictions are held against: the truth of beats, and what is known of people.

A table of beats (`capnet.records.Beats`) has the waves that estimators eat; a judge
needs only the truth, the reading that calibrates, and by what to group. So a table of
numbers that somebody brings can be judged by the same code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Self, get_args

import numpy as np

from capnet.errors import ProtocolError
from capnet.prediction import pressures
from capnet.records import Beats, check_columns, take_rows
from capnet.types import (
    BeatWaves,
    Calibration,
    Ends,
    Flags,
    Labels,
    PerBeat,
    ReferenceType,
)

__all__ = ["Truth", "truth_of"]

_WORDS: Final = {
    "reference_type": get_args(ReferenceType),
    "calibration": get_args(Calibration),
}


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of beats, one row a beat.

    Attributes:
        subject: Identifier of the person (or virtual person). Shape (beat,).
        beat: Position of the beat within its subject. Shape (beat,).
        time: Since the start of the record, s. Shape (beat,).
        duration: Seconds, NaN when unknown. Shape (beat,).
        pressures: True SBP, DBP, MAP and PP, mmHg, NaN where nobody measured them.
            Shape (beat, 4).
        reference: True aortic waves, mmHg, NaN rows where unknown; None where only
            numbers are known. Shape (beat, 64).
        reference_type: What kind of truth that is; never ``none``.
        calibration: Where the mmHg of the estimates come from.
        cuff: The reading that calibrates, SBP and DBP, mmHg, NaN without one.
            Shape (beat, 2).
        age: Years, NaN when unknown. Shape (beat,).
        hr: Heart rate, bpm, NaN when unknown. Shape (beat,).
        sex: ``female``, ``male`` or empty when unknown. Shape (beat,).
        accepted: Whether the gate let the beat through. Shape (beat,).
        reason: Why not. Shape (beat,).
        truth: Further true numbers by name, e.g. ``brachial_sbp`` (mmHg).
        groups: Further words to group by, e.g. ``site``. Each of shape (beat,).
        features: Further numbers of what the methods saw, e.g. ``quality`` or ``pat``.

    Raises:
        ShapeError: If the rows do not agree.
        ProtocolError: If there is no truth at all, or nobody knows this kind of truth
            or calibration.
    """

    subject: Labels
    beat: Labels
    time: PerBeat
    duration: PerBeat
    pressures: Ends
    reference: BeatWaves | None
    reference_type: ReferenceType
    calibration: Calibration
    cuff: np.ndarray
    age: PerBeat
    hr: PerBeat
    sex: Labels
    accepted: Flags
    reason: Labels
    truth: Mapping[str, PerBeat] = field(default_factory=dict)
    groups: Mapping[str, Labels] = field(default_factory=dict)
    features: Mapping[str, PerBeat] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_columns(self)
        for name, words in _WORDS.items():
            word = getattr(self, name)
            if word not in words:
                msg = (
                    f"{name} is {word!r}; wanted one of {', '.join(map(repr, words))}: "
                    "one word for all beats, as kinds are never pooled."
                )
                raise ProtocolError(msg)
        if self.reference_type == "none":
            msg = (
                "the beats have reference_type 'none': nobody measured their central "
                "pressure, so no error can be computed. Show the predictions beside "
                "each other with capnet.evaluation.record_report or "
                "predictions_frame instead."
            )
            raise ProtocolError(msg)

    def __len__(self) -> int:
        return len(self.subject)

    @cached_property
    def subjects(self) -> Labels:
        """Distinct subjects, in the order of their first beat. Shape (subject,)."""
        _, first = np.unique(self.subject, return_index=True)
        return self.subject[np.sort(first)]

    @cached_property
    def known(self) -> Flags:
        """Which beats have a true SBP (and wave, where there are waves)."""
        found = np.isfinite(self.pressures[:, 0])
        if self.reference is not None:
            # A sum is finite only if all its parts are, and takes no table of flags.
            found = found & np.isfinite(self.reference.sum(axis=1))
        return np.asarray(found)

    def take(self, rows: np.ndarray) -> Self:
        """Return the beats at these rows (indices or a mask), in that order."""
        return take_rows(self, rows)

    def __repr__(self) -> str:
        waves = "numbers" if self.reference is None else "waves"
        return (
            f"Truth({len(self)} beats of {len(self.subjects)} subjects, {waves}, "
            f"reference {self.reference_type!r}, calibration {self.calibration!r})"
        )


def truth_of(beats: Beats | Truth) -> Truth:
    """Return the truth of a table of beats; a truth comes back as it is.

    Sex is read from ``beats.features['male']`` (1 or 0) where that is known.

    Args:
        beats: With a reference.

    Raises:
        ProtocolError: If nobody measured their central pressure.
    """
    if isinstance(beats, Truth):
        return beats
    n = len(beats)
    waves = beats.reference
    male = beats.features.get("male", np.full(n, np.nan))
    sex = np.where(male == 1, "male", np.where(male == 0, "female", ""))
    numbers = np.full((n, 4), np.nan) if waves is None else pressures(waves)
    return Truth(
        subject=beats.subject,
        beat=beats.beat,
        time=beats.time,
        duration=beats.duration,
        pressures=numbers,
        reference=waves,
        reference_type=beats.reference_type,
        calibration=beats.calibration,
        cuff=beats.cuff,
        age=beats.age,
        hr=beats.hr,
        sex=sex,
        accepted=beats.accepted,
        reason=beats.reason,
        truth=beats.truth,
        features=beats.features,
    )
