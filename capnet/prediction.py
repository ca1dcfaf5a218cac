"""Prediction: what every estimator answers and every judge reads."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from capnet.errors import ShapeError
from capnet.records import Beats
from capnet.types import (
    BeatWaves,
    Calibration,
    Ends,
    Flags,
    Input,
    Labels,
    PerBeat,
    Role,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

__all__ = ["DISCLAIMER", "Prediction", "pressures"]

DISCLAIMER = "Research software, not a medical device."
"""Stands wherever a number can be mistaken for a measurement."""

NO_CUFF = "no pressure reading calibrates this beat"


def pressures(wave: BeatWaves) -> np.ndarray:
    """Read SBP, DBP, MAP and PP from beats: maximum, minimum, mean, difference.

    Args:
        wave: Pressure, mmHg. Shape (beat, 64).

    Returns:
        Columns SBP, DBP, MAP, PP, mmHg. Shape (beat, 4).
    """
    sbp, dbp = wave.max(axis=1), wave.min(axis=1)
    return np.stack([sbp, dbp, wave.mean(axis=1), sbp - dbp], axis=1)


@dataclass(frozen=True, eq=False)
class Prediction:
    """Central pressure of beats, as one method sees it.

    Attributes:
        method: Name of the method, as tables print it.
        role: ``deep`` (a claim), ``floor`` (what it must beat) or ``control``.
        k: Labelled target subjects the method has seen.
        calibration: Where its millimetres of mercury come from.
        subject: Identifier of the person. Shape (beat,).
        beat: Position within the subject. Shape (beat,).
        time: Pulse foot since the start of the record, s. Shape (beat,).
        duration: Seconds. Shape (beat,).
        waveform: Aortic pressure, foot to foot, mmHg; NaN where refused, None for
            methods that give numbers only. Shape (beat, 64).
        csbp, cdbp, cmap, cpp: Central systolic, diastolic, mean and pulse
            pressure, mmHg; NaN where refused or not answered. Shape (beat,).
        accepted: Whether there is an answer. Shape (beat,).
        reason: Why not. Shape (beat,).
        family: What kind of estimator this is, e.g. ``ridge`` or ``last cuff``, as
            `capnet.evaluation.floors` asks for it; empty when not said.
        inputs: What the method looks at (`capnet.types.Input`); empty when not said.
        seen: Fingerprint of the k labelled target subjects (`capnet.types`); empty
            when k is 0 or nobody said.
        low: Lower ends of intervals of SBP, DBP, MAP and PP, mmHg, NaN where refused
            or not answered; None without intervals. Shape (beat, 4).
        high: Upper ends, likewise. Shape (beat, 4).
        coverage: Share of subjects whose truth the intervals are meant to hold, e.g.
            0.9; None without intervals.
        doubt: How little this answer should be trusted, larger is worse, no unit; None
            when the method does not say. Shape (beat,).
    """

    method: str
    role: Role
    k: int
    calibration: Calibration
    subject: Labels
    beat: Labels
    time: PerBeat
    duration: PerBeat
    waveform: BeatWaves | None
    csbp: PerBeat
    cdbp: PerBeat
    cmap: PerBeat
    cpp: PerBeat
    accepted: Flags
    reason: Labels
    family: str = ""
    inputs: tuple[Input, ...] = ()
    seen: str = ""
    low: Ends | None = None
    high: Ends | None = None
    coverage: float | None = None
    doubt: PerBeat | None = None

    def __post_init__(self) -> None:
        n = len(self.subject)
        for f in fields(self):
            value = getattr(self, f.name)
            if isinstance(value, np.ndarray) and len(value) != n:
                msg = f"{f.name} has {len(value)} rows; subject has {n}."
                raise ShapeError(msg)
        lost = self.accepted & ~np.isfinite(self.csbp)
        if lost.any():
            msg = (
                f"{self.method!r} accepted beat {int(np.flatnonzero(lost)[0])} without "
                "a systolic pressure; refuse it with a reason instead."
            )
            raise ShapeError(msg)
        self._check_intervals()

    def _check_intervals(self) -> None:
        parts = (self.low, self.high, self.coverage)
        if all(part is None for part in parts):
            return
        if self.low is None or self.high is None or self.coverage is None:
            given = ("low", "high", "coverage")
            missing = [n for n, v in zip(given, parts, strict=True) if v is None]
            msg = (
                f"{self.method!r} gives an interval without {', '.join(missing)}; "
                "wanted low, high and coverage together, or none of them."
            )
            raise ShapeError(msg)
        if not 0.0 < self.coverage < 1.0:
            msg = f"coverage is {self.coverage!r}; wanted a share such as 0.9."
            raise ShapeError(msg)
        crossed = self.low > self.high
        if crossed.any():
            row = int(np.argwhere(crossed)[0, 0])
            msg = (
                f"{self.method!r}: the interval of beat {row} ends below its start; "
                "wanted low <= high."
            )
            raise ShapeError(msg)

    @classmethod
    def from_waveform(
        cls, method: str, beats: Beats, waveform: BeatWaves, *, role: Role, k: int = 0
    ) -> Self:
        """Answer with waves; refused beats and beats without a wave become NaN.

        Args:
            method: Name of the method.
            beats: What was asked.
            waveform: Aortic pressure, mmHg. Shape (beat, 64).
            role: Deep, floor or control.
            k: Labelled target subjects seen.
        """
        waveform = np.asarray(waveform, dtype=np.float64)
        known = np.isfinite(waveform).all(axis=1)
        waveform = np.where((beats.accepted & known)[:, None], waveform, np.nan)
        answer = cls.from_pressures(method, beats, pressures(waveform), role=role, k=k)
        return replace(answer, waveform=waveform)

    @classmethod
    def from_pressures(
        cls, method: str, beats: Beats, values: np.ndarray, *, role: Role, k: int = 0
    ) -> Self:
        """Answer with numbers only.

        Args:
            method: Name of the method.
            beats: What was asked.
            values: SBP, DBP, MAP, PP, mmHg, NaN where the method does not say.
                Shape (beat, 4).
            role: Deep, floor or control.
            k: Labelled target subjects seen.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (len(beats), 4):
            msg = f"values have shape {values.shape}; wanted ({len(beats)}, 4)."
            raise ShapeError(msg)
        answered = np.isfinite(values[:, 0])
        accepted = beats.accepted & answered
        values = np.where(accepted[:, None], values, np.nan)
        no_cuff = ~np.isfinite(beats.cuff).all(axis=1)
        missing = np.where(no_cuff, NO_CUFF, f"{method} gave no answer")
        reason = np.where(beats.accepted & ~answered, missing, beats.reason)
        return cls(
            method=method,
            role=role,
            k=k,
            calibration=beats.calibration,
            subject=beats.subject,
            beat=beats.beat,
            time=beats.time,
            duration=beats.duration,
            waveform=None,
            csbp=values[:, 0],
            cdbp=values[:, 1],
            cmap=values[:, 2],
            cpp=values[:, 3],
            accepted=accepted,
            reason=reason,
        )

    def __len__(self) -> int:
        return len(self.subject)

    def replace(self, **changes: object) -> Self:
        """Return a copy with some fields exchanged."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a beat: who, which method, the four pressures, intervals.

        Columns ``csbp_low``, ``csbp_high`` ... and ``doubt`` are there where the
        method says them.
        """
        import pandas as pd

        names: Sequence[str] = ("csbp", "cdbp", "cmap", "cpp")
        head: dict[str, object] = {
            "subject": self.subject,
            "beat": self.beat,
            "time": self.time,
            "method": self.method,
            "role": self.role,
            "k": self.k,
            "calibration": self.calibration,
            "accepted": self.accepted,
            "reason": self.reason,
        }
        head |= {name: getattr(self, name) for name in names}
        if self.low is not None and self.high is not None:
            for i, name in enumerate(names):
                head |= {f"{name}_low": self.low[:, i], f"{name}_high": self.high[:, i]}
            head["coverage"] = self.coverage
        if self.doubt is not None:
            head["doubt"] = self.doubt
        return pd.DataFrame(head)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """Draw central SBP, MAP and DBP over time; refused beats as ticks below.

        Where the method gives intervals, those of SBP and DBP are shaded.

        Args:
            ax: Where to draw; a new figure by default.

        Returns:
            The axes drawn on.
        """
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(8, 3.5), layout="constrained")
        for name, label, colour in [
            ("csbp", "central SBP", "#b2182b"),
            ("cmap", "MAP", "#4d4d4d"),
            ("cdbp", "central DBP", "#2166ac"),
        ]:
            ax.plot(
                self.time,
                getattr(self, name),
                ".-",
                lw=0.8,
                ms=3,
                label=label,
                color=colour,
            )
        if self.low is not None and self.high is not None:
            for column, colour in ((0, "#b2182b"), (1, "#2166ac")):
                ends = self.low[:, column], self.high[:, column]
                ax.fill_between(self.time, *ends, color=colour, alpha=0.12, lw=0)
        refused = self.time[~self.accepted]
        if len(refused):
            floor = np.full(len(refused), 0.02)
            transform = ax.get_xaxis_transform()
            ax.plot(
                refused,
                floor,
                "|",
                color="#999999",
                transform=transform,
                label="refused",
            )
        ax.set(xlabel="time (s)", ylabel="aortic pressure (mmHg)")
        said = f"{self.method}; calibration: {self.calibration}"
        if self.coverage is not None:
            said += f"; {100 * self.coverage:g} % intervals"
        ax.set_title(said, fontsize=9, loc="left")
        ax.legend(
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0),  # above the axes, beside the title
            ncols=4,
            fontsize=8,
            frameon=False,
            borderaxespad=0.2,
        )
        ax.text(
            0.0, -0.22, DISCLAIMER, transform=ax.transAxes, fontsize=7, color="#666666"
        )
        return ax

    def __repr__(self) -> str:
        if not self.accepted.any():
            return f"Prediction({self.method!r}, {len(self)} beats, none accepted)"
        said = [("SBP", self.csbp), ("DBP", self.cdbp), ("MAP", self.cmap)]
        known = [(name, v[np.isfinite(v)]) for name, v in said]
        means = ", ".join(f"{name} {v.mean():.0f}" for name, v in known if v.size)
        return (
            f"Prediction({self.method!r}, {int(self.accepted.sum())} of {len(self)} "
            f"beats accepted, mean central {means} mmHg, "
            f"calibration {self.calibration!r})"
        )
