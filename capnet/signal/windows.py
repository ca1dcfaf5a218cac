"""Which windows of a recording to believe, and why not the others.

Each window of each channel gets a reason, the first that holds of `REASONS`, or none.
What concerns a whole channel (it is not what its header says, or not on the clock of
the ECG) is a verdict of its own. A window is judged for what needs all of it: heart
rate, variability, spectra, averages; one ectopic beat spoils these. What needs a beat
at a time (feet, shapes, transit times) is gated by `capnet.signal.judge_beats`, which
keeps the sound beats beside an ectopic one; there, ask a window only for what concerns
the whole channel.

Thresholds are the named constants below. They were set with the corruption bank
(`capnet.signal.corruptions`) on virtual people and looked at in four recordings, so
that windows without a fault pass and severe faults do not; `benchmarks/signal_gate.py`
tells how often, on other people. Not seen, and to be known from elsewhere: a rate that
is wrong by less than a factor of two, if it is that of all channels; a pulse alone
declared twice too fast; a delay that is possible, or a whole beat; a gain or an offset
of the pressure within what arteries do; R peaks that are cut by less than half.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from jaxtyping import Float, Shaped

from capnet.errors import ConfigError, RecordError
from capnet.records import Record, Signal
from capnet.signal.checks import checked_rate
from capnet.signal.declared import (
    channels_of,
    implausible,
    look_swapped,
    wrong_rates,
)
from capnet.signal.faults import Look, PerWindow, look_at
from capnet.signal.pressure import MEAN_RANGE
from capnet.signal.synchrony import judge_synchrony
from capnet.types import Samples
from capnet.units import pressure_factor

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["REASONS", "WindowVerdicts", "judge_windows"]

REASONS: Final = (
    *("missing", "flat", "coarse", "clipped", "implausible pressure", "noise"),
    *("baseline", "sine", "inverted", "damped line", "ringing", "ectopic"),
    *("unsynchronised", "wrong rate", "swapped", "delayed"),
)
"""All that can be wrong; the last four, and the pressure, also of a whole channel."""

MISSING: Final = 0.3
"""Seconds of a window that may be missing, in all."""

STILL: Final[Mapping[str, float]] = {"ecg": 1.0, "ppg": 0.6, "abp": 0.6}
"""Seconds without movement that make a channel flat. An artery stands still for 0.1 s,
an ECG with few bits between T and P for longer."""

COARSE: Final = 16
"""Of 64 equal classes of value: fewer that occur are steps of a converter. An ECG, of
which most is baseline, has 40."""

RAIL: Final[Mapping[str, float]] = {"ecg": 0.026, "ppg": 0.1, "abp": 0.1}
"""Seconds on end at exactly the highest or lowest value. An R peak that is cut for less
still has its time, within 13 ms, though not its height; monitors cut many."""

HISS: Final[Mapping[str, float]] = {"ecg": 0.085, "ppg": 0.1, "abp": 0.1}
"""SD of what is faster than beats, heights; sensors leave up to 0.07."""

WANDER: Final = 1.8
"""Heights by which a baseline may move within a window."""

LIKENESS: Final[Mapping[str, float]] = {"ecg": 0.8, "ppg": 0.88, "abp": 0.88}
"""Median correlation of beats with the median beat, at least; real ones have 0.95."""

ODD: Final[Mapping[str, float]] = {"ecg": 0.75, "ppg": 0.6, "abp": 0.6}
"""The same of each beat. Beats of one origin have 0.9 in an ECG, ventricular ones -0.3
to 0.7; a pulse that differs so much is a movement."""

PURE: Final = 0.97
"""Part of the power about one frequency; pulses have up to 0.9, a sine all."""

STEEPNESS: Final = 0.88
"""Steepest rise over steepest fall: pulses have 0.95 to 5, inverted ones 0.2 to 0.8."""

SHARP: Final = 7.4
"""Heights a second that a pressure rises at least at its steepest; radial lines have 10
to 15, a critically damped one of 0.7 Hz has 3 to 7."""

CLIMB: Final[Mapping[str, float]] = {"ppg": 1.5, "abp": 1.35}
"""Heights that a pulse climbs in a beat, dicrotic wave and all: 0.8 to 1.3."""

QUICKEST: Final = 0.6
"""Seconds of a beat that is assumed at least where no ECG tells."""

IRREGULAR: Final = 0.24
"""Deviation of an interval from the median of the window, part of it. Breathing makes
up to 0.2 in the young."""

FOLLOWED: Final = 0.8
"""Part of the R peaks of a regular ECG that a pulse must follow."""

SPREAD: Final = 0.08
"""Seconds between the tenth and ninetieth percentile of the delays from R peaks to feet
in one window."""

LEAST_RATES: Final[Mapping[str, float]] = {"ecg": 100.0, "ppg": 25.0, "abp": 25.0}
"""Hz; who declares less for such a channel has it wrong, or it serves nobody."""

DRIFT: Final = 2.5e-3
"""Seconds a second: what the delay from R peak to foot changes by, from window to
window, if clocks run apart. Hearts and vessels change it to and fro, slower."""

LEAST_BEATS: Final = 10
"""From which the clocks of a recording can be compared."""

LEAST_WINDOWS: Final = 2
"""Of a kind, from which a rate is told by these alone."""

WINDOW: Final = 8.0
"""Seconds of a window by default, for which `MISSING` is meant; it grows with it."""
_LEAST_WINDOW: Final = 4.0
_LOWEST_RATE: Final = 10.0
"""Hz, below which nothing can be said."""
_BLOCK: Final = 128
"""Windows looked at at once, to bound memory."""

Reasons = Shaped[np.ndarray, "channel window"]


@dataclass(frozen=True, eq=False)
class WindowVerdicts:
    """What the gate says of a recording.

    Attributes:
        start: Beginning of each window since the start of the record, s. Shape
            (window,).
        window: Duration of a window, s.
        channels: Names of the channels judged.
        reason: Why a window cannot be believed, empty where it can. Shape (channel,
            window).
        record_reason: Why a whole channel cannot, empty where it can. A pulse that is
            ``delayed`` follows each R peak by the same time, but not one that an
            artery needs: monitors add up to half a second. Its windows are accepted,
            but not `timed`. Shape (channel,).
    """

    start: Float[np.ndarray, " window"]
    window: float
    channels: tuple[str, ...]
    reason: Reasons
    record_reason: Shaped[np.ndarray, " channel"]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def accepted(self) -> np.ndarray:
        """Whether a window can be believed by itself. Shape (channel, window)."""
        whole = np.isin(self.record_reason, ("", "delayed"))
        answer: np.ndarray = (self.reason == "") & whole[:, None]
        return answer

    @property
    def timed(self) -> np.ndarray:
        """Whether times from the ECG to it can be believed, too, as `accepted`."""
        answer: np.ndarray = self.accepted & (self.record_reason == "")[:, None]
        return answer

    def of(self, channel: str) -> Shaped[np.ndarray, " window"]:
        """Return why windows of one channel are not accepted, empty where they are.

        Raises:
            ConfigError: If it was not judged.
        """
        if channel not in self.channels:
            msg = f"no channel {channel!r}; judged were {', '.join(self.channels)}."
            raise ConfigError(msg)
        row = self.channels.index(channel)
        whole = np.where(self.accepted[row], "", self.record_reason[row])
        answer: np.ndarray = np.where(self.reason[row] == "", whole, self.reason[row])
        return answer

    def to_frame(self) -> "pd.DataFrame":
        """Return one row a window: ``start``, ``stop`` (s), a reason a channel."""
        import pandas as pd

        columns: dict[str, Any] = {
            "start": self.start,
            "stop": self.start + self.window,
        }
        return pd.DataFrame(columns | {name: self.of(name) for name in self.channels})

    def __repr__(self) -> str:
        head = f"WindowVerdicts({len(self)} windows of {self.window:g} s)"
        rows = []
        for row, name in enumerate(self.channels):
            found, count = np.unique(self.reason[row], return_counts=True)
            told = [
                f"{found[k]} {count[k]}"
                for k in np.argsort(-count, kind="stable")
                if found[k]
            ]
            if self.record_reason[row]:
                told.insert(0, f"the whole channel: {self.record_reason[row]}")
            good = int(self.accepted[row].sum())
            rows.append(f"\n  {name:<12} {good:6d} accepted  {', '.join(told)}")
        return head + "".join(rows)


def _cut(
    signal: Signal, starts: np.ndarray, *, window: float, factor: float
) -> Float[np.ndarray, "window sample"]:
    """Return the samples of each window times a factor, NaN where there are none."""
    rate, values = signal.sampling_rate, signal.values
    # what lies within a millionth of a sample is on it
    first = np.ceil((starts - signal.start) * rate - 1e-6).astype(np.int64)
    width = int(window * rate + 1e-6)
    index = first[:, None] + np.arange(width)
    held = values[np.clip(index, 0, len(values) - 1)].astype(np.float64)
    known = np.isfinite(held) & (index >= 0) & (index < len(values))
    cut: np.ndarray = np.where(known, factor * held, np.nan)
    return cut


def _window_reasons(
    look: Look, kind: str, *, window: float, interval: PerWindow, stumbles: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Tell what is wrong with windows of one channel, by itself.

    Args:
        look: Of the channel.
        kind: ``ecg``, ``ppg`` or ``abp``.
        window: Duration, s.
        interval: Of beats, s, as well as it is known.
        stumbles: Whether a beat unlike the others is the heart's.

    Returns:
        The first reason of each window, and whether its beats cannot be looked at.
    """
    share = window / WINDOW
    nothing = ~np.isfinite(look.least)
    unlike, odd = look.likeness < LIKENESS[kind], look.odd < ODD[kind]
    never = np.zeros(len(look.mean), dtype=np.bool_)
    spoilt = {
        "missing": nothing | (look.missing > MISSING * share),
        "flat": (look.most <= look.least) | (look.still >= STILL[kind]),
        "coarse": look.values <= COARSE,
        "clipped": look.rail >= RAIL[kind],
        "noise": look.hiss > HISS[kind],
        "baseline": look.wander > WANDER,
        "sine": look.pure >= PURE,
    }
    faults = [*spoilt.items()]
    if kind == "abp":
        faults.insert(5, ("implausible pressure", implausible(look)))
    if kind != "ecg":
        climb = look.climb * interval > CLIMB[kind]
        faults += [
            ("ringing", climb if kind == "abp" else never),
            ("inverted", look.steepness < STEEPNESS),
            ("damped line", (look.sharp < SHARP) if kind == "abp" else never),
            ("noise", climb),
        ]
    faults += [
        ("noise", unlike),
        ("ectopic", odd & stumbles),
        ("noise", odd),
        ("ectopic", (look.irregular > IRREGULAR) | ~np.isfinite(look.interval)),
    ]
    reason = np.full(len(look.mean), "", dtype="U24")
    for name, found in faults:
        reason = np.where((reason == "") & found, name, reason)
    if kind == "abp":
        # a small pulse that rises slowly about a possible mean is that of a bad line
        slow = (reason == "implausible pressure") & (look.sharp < SHARP)
        level = (look.mean > MEAN_RANGE[0]) & (look.mean < MEAN_RANGE[1])
        still = look.wander <= WANDER
        reason = np.where(slow & level & still, "damped line", reason)
    strange = unlike | (odd & (kind != "ecg"))
    return reason, np.any([*spoilt.values(), strange], axis=0)


def _lags(beats: Look, pulses: Look) -> tuple[Float[np.ndarray, "window 3"], PerWindow]:
    """Follow R peaks to the next foot.

    Returns:
        Percentiles 10, 50 and 90 of delays within an interval, s, and which part of R
        peaks has a foot; what comes after the last of them is not asked for.
    """
    lag = pulses.event[:, None, :] - beats.event[:, :, None]
    lag = np.where(lag > 0.0, lag, np.inf).min(axis=2)
    interval = beats.interval[:, None]
    # a foot just before an R peak is that of the beat before: the next is awaited
    followed = (lag < 1.2 * interval).sum(axis=1)
    lag = np.where(lag < interval, lag, np.nan)
    # a delay of a whole beat comes back as none: both lie side by side
    turn = np.exp(2j * np.pi * np.nan_to_num(lag / interval)) * np.isfinite(lag)
    middle = (np.angle(turn.sum(axis=1)) / (2.0 * np.pi))[:, None] % 1.0 * interval
    lag = middle + (lag - middle + 0.5 * interval) % interval - 0.5 * interval
    count = np.isfinite(lag).sum(axis=1)
    asked = np.isfinite(beats.event).sum(axis=1) - 1
    answer = np.full((len(lag), 3), np.nan)
    some = count >= 3
    if some.any():
        answer[some] = np.nanpercentile(lag[some], [10.0, 50.0, 90.0], axis=1).T
    return answer, followed / np.maximum(asked, 1)


def _drifts(lag: PerWindow, *, step: float) -> bool:
    """Tell whether delays change steadily; a lag that comes back by a beat is one."""
    change = np.diff(lag)
    change = change[np.isfinite(change)]
    return len(change) >= 3 and bool(abs(np.median(change)) > DRIFT * step)


@dataclass(frozen=True, eq=False)
class _Block:
    """What is kept of some windows that follow each other, by kind of channel.

    Attributes:
        reason: Of each window.
        spoilt: Whether its beats cannot be looked at.
        looks: What windows look like, but for when beats are, of which a day has many.
        lag: Median delay from R peaks to feet, s, NaN where none can be told.
        beats: R peaks and feet of windows in which both can be told, s.
    """

    reason: Mapping[str, np.ndarray]
    spoilt: Mapping[str, np.ndarray]
    looks: Mapping[str, Look]
    lag: Mapping[str, PerWindow]
    beats: Mapping[str, tuple[np.ndarray, np.ndarray]]


def _judge_block(
    seen: Mapping[str, Look], starts: np.ndarray, *, window: float, step: float
) -> _Block:
    """Judge windows by themselves, pulses beside the ECG.

    Args:
        seen: What they look like, by kind, the ECG first.
        starts: When they begin, s.
        window: Duration, s.
        step: From one to the next, s.
    """
    reason, spoilt, lags, beats = {}, {}, {}, {}
    ecg = seen.get("ecg")
    for kind, look in seen.items():
        if kind == "ecg" or ecg is None:
            interval = np.maximum(look.interval, QUICKEST)
            reason[kind], spoilt[kind] = _window_reasons(
                look,
                kind,
                window=window,
                interval=interval,
                stumbles=np.full(len(starts), kind == "ecg"),
            )
            continue
        good = reason["ecg"] == ""
        interval = np.where(good, ecg.interval, np.maximum(look.interval, QUICKEST))
        found, spoilt[kind] = _window_reasons(
            look,
            kind,
            window=window,
            interval=interval,
            stumbles=reason["ecg"] == "ectopic",
        )
        # where the ECG is regular, each R peak must have its pulse, and no more
        lag, followed = _lags(ecg, look)
        odd = np.where(good, followed < FOLLOWED, found == "ectopic")
        judged = np.isin(found, ("", "ectopic"))
        found = np.where(judged, np.where(odd, "ectopic", ""), found)
        both = good & (found == "")
        beats[kind] = (
            _flat_times(ecg, starts, both, step),
            _flat_times(look, starts, both, step),
        )
        lags[kind] = np.where(both, lag[:, 1], np.nan)
        apart = both & (lag[:, 2] - lag[:, 0] > SPREAD)
        reason[kind] = np.where(apart, "unsynchronised", found)
    kept = {k: replace(look, event=look.event[:, :0]) for k, look in seen.items()}
    return _Block(reason, spoilt, kept, lags, beats)


def _flat_times(
    look: Look, starts: np.ndarray, kept: np.ndarray, step: float
) -> Samples:
    """Return events of windows that are kept, each once, s."""
    inside = kept[:, None] & (look.event >= 0.0) & (look.event < step)
    times: Samples = (starts[:, None] + look.event)[inside]
    return times


def _take(look: Look, rows: np.ndarray) -> Look:
    return replace(look, **{f.name: getattr(look, f.name)[rows] for f in fields(look)})


def judge_windows(
    record: Record,
    *,
    ecg: str | None = None,
    ppg: str | None = None,
    abp: str | None = None,
    window: float = WINDOW,
    step: float = WINDOW,
) -> WindowVerdicts:
    """Judge every window of a recording's ECG, PPG and arterial pressure.

    Windows begin with the earliest channel; what is left at the end is not judged. A
    window's reasons depend on its own samples alone, a channel's on all its windows.
    Memory does not grow with the length of the recording, but for what is returned and
    some 300 bytes a window.

    Args:
        record: With at least one such channel. A pressure is turned into mmHg.
        ecg: Name of the ECG; found by the usual names by default.
        ppg: Name of the PPG; likewise.
        abp: Name of the arterial pressure; likewise.
        window: Duration, s; at least 4, for a few beats.
        step: From one window to the next, s.

    Returns:
        Reasons by channel and window, and by channel.

    Raises:
        RecordError: If there is no such channel, or none lasts a window.
        ConfigError: If window or step are impossible, or one channel is to be two.
        UnitError: If the unit of the pressure is none, or a rate is below 10 Hz.
    """
    if not (_LEAST_WINDOW <= window < np.inf and 0.0 < step < np.inf):
        msg = (
            f"windows of {window!r} s every {step!r} s; wanted at least "
            f"{_LEAST_WINDOW:g} s, and a step above 0."
        )
        raise ConfigError(msg)
    names = channels_of(record, ecg=ecg, ppg=ppg, abp=abp)
    signals = {kind: record.signal(name) for kind, name in names.items()}
    if not signals:
        msg = (
            f"record {record.subject!r} has no ECG, PPG or arterial pressure; it has "
            f"{', '.join(map(repr, record.channels)) or 'no channel at all'}. Pass the "
            "name that one has in the file."
        )
        raise RecordError(msg)
    factors = dict.fromkeys(signals, 1.0)
    for kind, signal in signals.items():
        where = f"channel {names[kind]!r} of record {record.subject!r}"
        checked_rate(signal.sampling_rate, least=_LOWEST_RATE, where=where)
        if kind == "abp":
            factors[kind] = pressure_factor(signal.unit, where=where)
    first = min(s.start for s in signals.values())
    seconds = max(s.start + s.duration for s in signals.values()) - first
    if seconds < window - 1e-6:
        msg = (
            f"record {record.subject!r} lasts {seconds:g} s; wanted at least a "
            f"window of {window:g} s. Take a shorter window."
        )
        raise RecordError(msg)
    starts = first + step * np.arange(int((seconds - window) / step + 1e-6) + 1)
    blocks = []
    for begin in range(0, len(starts), _BLOCK):
        some = starts[begin : begin + _BLOCK]
        seen = {
            kind: look_at(
                _cut(signal, some, window=window, factor=factors[kind]),
                rate=signal.sampling_rate,
                kind="ecg" if kind == "ecg" else "pulse",
            )
            for kind, signal in signals.items()
        }
        blocks.append(_judge_block(seen, some, window=window, step=step))
    verdict = _record_reasons(blocks, tuple(signals))
    for kind, signal in signals.items():
        if not verdict[kind] and signal.sampling_rate < LEAST_RATES[kind]:
            verdict[kind] = "wrong rate"
    for kind in blocks[0].beats:
        right = not (verdict[kind] or verdict["ecg"])
        if right:
            verdict[kind] = _apart(
                blocks, kind, first=first, seconds=seconds, step=step
            )
    reason = [np.concatenate([b.reason[kind] for b in blocks]) for kind in signals]
    return WindowVerdicts(
        start=starts,
        window=float(window),
        channels=tuple(names.values()),
        reason=np.array(reason, dtype="U24"),
        record_reason=np.array([verdict[kind] for kind in signals], dtype="U24"),
    )


def _apart(
    blocks: Sequence[_Block], kind: str, *, first: float, seconds: float, step: float
) -> str:
    """Tell whether a pulse runs on another clock than the ECG, or comes too late."""
    pairs = zip(*(block.beats[kind] for block in blocks), strict=True)
    peaks, feet = (np.unique(np.concatenate(times) - first) for times in pairs)
    if min(len(peaks), len(feet)) < LEAST_BEATS:
        return ""
    if _drifts(np.concatenate([block.lag[kind] for block in blocks]), step=step):
        return "unsynchronised"
    clocks = judge_synchrony(peaks, feet, duration=seconds)
    if not clocks.verdict:
        return ""
    moves = len(clocks.jumps) or "drifts" in clocks.verdict
    return "unsynchronised" if moves or np.isnan(clocks.offset) else "delayed"


_EMPTY: Final = ("missing", "flat")
"""Windows with these say nothing about what a channel is."""


def _record_reasons(blocks: Sequence[_Block], kinds: Sequence[str]) -> dict[str, str]:
    """Return what is wrong with whole channels: their kind, rate or level."""
    looks = {k: Look.concatenate([b.looks[k] for b in blocks]) for k in kinds}
    reason = {k: np.concatenate([b.reason[k] for b in blocks]) for k in kinds}
    spoilt = {k: np.concatenate([b.spoilt[k] for b in blocks]) for k in kinds}
    held = {k: _take(v, ~np.isin(reason[k], _EMPTY)) for k, v in looks.items()}
    held = {kind: look for kind, look in held.items() if len(look.mean)}
    verdict = dict.fromkeys(kinds, "")
    for kind in look_swapped(held):
        verdict[kind] = "swapped"
    if "abp" in held and not verdict["abp"] and implausible(held["abp"]).mean() > 0.5:
        verdict["abp"] = "implausible pressure"
    told = {k: _evidence(v, reason[k], spoilt[k]) for k, v in looks.items()}
    told = {k: v for k, v in told.items() if len(v.mean) and not verdict[k]}
    for kind in wrong_rates(told):
        verdict[kind] = "wrong rate"
    return verdict


def _evidence(look: Look, reason: np.ndarray, spoilt: np.ndarray) -> Look:
    """Return the windows by which the rate of a channel is told; none if too few.

    Clean ones with even beats, else clean ones, else those with even beats, since a
    wrong rate makes noise of what is none, else all with beats.
    """
    held = ~np.isin(reason, _EMPTY) & np.isfinite(look.interval)
    even = held & (look.irregular <= IRREGULAR)
    for rows in (even & ~spoilt, ~spoilt, even, held):
        if rows.sum() >= LEAST_WINDOWS:
            return _take(look, rows)
    return _take(look, np.zeros_like(held))
