"""Strips: pieces of continuous records of virtual people, with what is true of them."""

import io
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from jaxtyping import Bool, Float

from capnet.errors import ConfigError, RecordError
from capnet.files import write_atomic
from capnet.records import Record, Signal

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["LINE", "MEASURED", "Heartbeats", "Strip", "check_measured"]

PerBeat = Float[np.ndarray, " beat"]
PerSite = Float[np.ndarray, "site beat"]

LINE: Final = "radial"
"""Where the arterial line is."""
MEASURED: Final = ("ecg", "ppg", "abp")
"""Channels of a monitor; all others are truth."""


def check_measured(channels: Collection[str]) -> None:
    """Refuse channels among which a monitor would have none.

    Raises:
        ConfigError: The message names the channels there are.
    """
    if not set(channels) & set(MEASURED):
        msg = (
            f"channels are {', '.join(channels)}; wanted one of "
            f"{', '.join(MEASURED)}. Ask for its sampling rate in `rates`."
        )
        raise ConfigError(msg)


@dataclass(frozen=True, eq=False)
class Heartbeats:
    """What is true of each beat whose flow begins within a strip.

    Attributes:
        sites: Of the rows of ``foot`` and others: pressure sites, then ``ppg``.
        r_peak: s since the start of the record. Shape (beat,).
        onset: Beginning of aortic flow, s.
        ectopic: Whether the ventricle started it.
        interval: From the R peak before, s.
        respiration: Phase of breathing at the R peak, cycles, rising; the first half of
            a cycle is inspiration.
        volume: Stroke volume, ml.
        ejection: Ejection time, parts of that at rest.
        tone: Resistance of the whole body, parts of that at rest; held within what
            arterioles can do (from 0.15 to 2.1 of their own).
        level: Working pressure above outflow pressure, parts of that at rest.
        foot: Pulse foot of the clean wave by intersecting tangents, s; NaN where there
            is no upstroke. Shape (site, beat).
        systolic, diastolic: Highest value after the foot, lowest at it; mmHg, of the
            PPG pulse heights. Shape (site, beat).
        mean: From a beat's onset to the next. Shape (site, beat).
    """

    sites: tuple[str, ...]
    r_peak: PerBeat
    onset: PerBeat
    ectopic: Bool[np.ndarray, " beat"]
    interval: PerBeat
    respiration: PerBeat
    volume: PerBeat
    ejection: PerBeat
    tone: PerBeat
    level: PerBeat
    foot: PerSite
    systolic: PerSite
    diastolic: PerSite
    mean: PerSite

    def __len__(self) -> int:
        return len(self.r_peak)

    def row(self, site: str) -> int:
        """Return the position of a site in ``foot`` and others.

        Raises:
            ConfigError: If it is not there; the message lists what is.
        """
        if site not in self.sites:
            msg = f"no beats at {site!r}; there are {', '.join(self.sites)}."
            raise ConfigError(msg)
        return self.sites.index(site)

    @property
    def label(self) -> np.ndarray:
        """``N`` (sinus) or ``V`` (ectopic), as wfdb annotates. Shape (beat,)."""
        return np.where(self.ectopic, "V", "N")

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join the beats of strips that follow each other."""
        joined: dict[str, Any] = {
            part.name: np.concatenate([getattr(p, part.name) for p in parts], axis=-1)
            for part in fields(cls)
            if part.name != "sites"
        }
        return replace(parts[0], **joined)


@dataclass(frozen=True, eq=False)
class Strip:
    """A piece of one person's continuous record, and what is true of it.

    Attributes:
        subject: Identifier.
        age: Years.
        start: Of the piece since the start of the record, s.
        channels: Signals by name: ``ecg`` (mV), ``ppg`` (pulse heights) and ``abp``
            (mmHg, radial line) as sensors give them, and true pressure by site.
        beats: The truth.
    """

    subject: str
    age: float
    start: float
    channels: Mapping[str, Signal]
    beats: Heartbeats

    @property
    def duration(self) -> float:
        """Of the longest channel, s."""
        return max(signal.duration for signal in self.channels.values())

    def record(self) -> Record:
        """Return what a monitor would have given; the truth stays here.

        Times are since the start of the whole record.

        Raises:
            ConfigError: If there is no channel of a monitor.
        """
        check_measured(self.channels)
        seen = {k: v for k, v in self.channels.items() if k in MEASURED}
        return Record(
            subject=self.subject,
            channels=seen,
            age=None if math.isnan(self.age) else self.age,
            source="simulated",
        )

    def save(self, path: str | Path) -> None:
        """Write everything to an .npz file (no pickle), whole or not at all.

        Arrays are called ``channel_<name>`` and ``beat_<name>``; ``rates`` (Hz) and
        ``starts`` (s) are in the order of ``channels``.
        """
        arrays: dict[str, Any] = {
            f"channel_{k}": v.values for k, v in self.channels.items()
        }
        arrays |= {
            f"beat_{part.name}": np.array(getattr(self.beats, part.name))
            for part in fields(self.beats)
        }
        buffer = io.BytesIO()
        np.savez_compressed(
            buffer,
            **arrays,
            subject=np.array(self.subject),
            age=np.array(self.age),
            channels=np.array(list(self.channels)),
            units=np.array([s.unit for s in self.channels.values()]),
            rates=np.array([s.sampling_rate for s in self.channels.values()]),
            starts=np.array([s.start for s in self.channels.values()]),
        )
        write_atomic(Path(path), buffer.getvalue())

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Join strips of one person that follow each other.

        Raises:
            RecordError: If there is none, or one does not follow the one before.
        """
        if not parts:
            msg = "no strips to join; wanted at least one."
            raise RecordError(msg)
        for before, after in pairwise(parts):
            _check_next(before, after)
        channels = {
            name: replace(
                signal, values=np.concatenate([p.channels[name].values for p in parts])
            )
            for name, signal in parts[0].channels.items()
        }
        beats = Heartbeats.concatenate([part.beats for part in parts])
        return replace(parts[0], channels=channels, beats=beats)

    def plot(self) -> "Figure":
        """Draw channels, feet at their sites, and the tachogram."""
        from matplotlib.figure import Figure

        rows = [*self.channels, "tachogram"]
        figure = Figure(figsize=(10.0, 1.6 * len(rows) + 0.6), layout="constrained")
        axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
        beats = self.beats
        for axis, (name, signal) in zip(axes, self.channels.items(), strict=False):
            axis.plot(signal.times, signal.values, linewidth=0.8)
            site = LINE if name == "abp" else name
            marks = beats.r_peak
            if site in beats.sites:
                marks = beats.foot[beats.row(site)]
            known = marks[(marks >= signal.start) & (marks <= signal.times[-1])]
            heights = np.interp(known, signal.times, signal.values)
            axis.plot(known, heights, ".", markersize=3.0)
            axis.set_ylabel(f"{name}, {signal.unit}")
        last = axes[-1]
        last.plot(beats.r_peak, 1e3 * beats.interval, linewidth=0.8)
        odd = beats.ectopic
        last.plot(beats.r_peak[odd], 1e3 * beats.interval[odd], "x", markersize=4.0)
        last.set_ylabel("RR, ms")
        last.set_xlabel("time, s")
        figure.suptitle(f"{self.subject} (simulated)", fontsize="medium")
        return figure

    def __repr__(self) -> str:
        rows = "".join(
            f"\n  {name:<12} {s.sampling_rate:8.2f} Hz {s.duration:9.1f} s  {s.unit}"
            for name, s in self.channels.items()
        )
        beats, odd = len(self.beats), int(self.beats.ectopic.sum())
        head = f"{self.subject!r} from {self.start:g} s, {beats} beats, {odd} ectopic"
        if beats:
            root = self.beats.row("aortic_root")
            sbp = self.beats.systolic[root].mean()
            dbp = self.beats.diastolic[root].mean()
            head += f", aorta {sbp:.0f}/{dbp:.0f} mmHg"
        return f"Strip({head}){rows}"


def _check_next(before: Strip, after: Strip) -> None:
    """Refuse a strip that does not go on where the one before ends."""
    if (before.subject, set(before.channels), before.beats.sites) != (
        after.subject,
        set(after.channels),
        after.beats.sites,
    ):
        msg = (
            f"strips of {before.subject!r} with {', '.join(before.channels)} and of "
            f"{after.subject!r} with {', '.join(after.channels)}; wanted one person's "
            "with the same channels and sites."
        )
        raise RecordError(msg)
    for name, signal in before.channels.items():
        end, start = signal.start + signal.duration, after.channels[name].start
        if abs(start - end) * signal.sampling_rate > _SLACK:
            msg = (
                f"{before.subject!r}, {name}: a strip ends at {end:g} s and the next "
                f"begins at {start:g} s; wanted strips that follow each other."
            )
            raise RecordError(msg)


_SLACK: Final = 1e-3
"""Samples by which two strips may seem to lie apart."""
