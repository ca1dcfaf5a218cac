"""Displays: a signal with what was masked and found in it, a tachogram, transit times.

Figures have no window and no global state: show them in a notebook, or save them.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from capnet.errors import RecordError, ShapeError
from capnet.records import Beats, Record, Signal
from capnet.signal.checks import checked_numbers
from capnet.types import RawSamples, Samples, Times

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from capnet.signal.windows import WindowVerdicts

__all__ = ["plot_record", "plot_tachogram", "plot_transit"]

# Told apart by all common kinds of colour vision (Okabe and Ito 2008).
_LINE, _REFUSED, _MISSING = "#0072B2", "#D55E00", "#6e7781"
_MARKS: Final = tuple(
    zip("v^sDPXo*", ("#009E73", "#000000", "#CC79A7", "#8a6d00") * 2, strict=True)
)
"""Marker and colour of what was found, one after the other."""

_LETTER: Final = 0.008
"""Share of the width of a channel that a letter takes."""

_MOST: Final = 20_000
"""Samples drawn of a channel; of more, the lowest and highest of each group."""


def _figure(rows: int, *, height: float = 1.9) -> tuple["Figure", list["Axes"]]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, height * rows + 0.8), layout="constrained")
    axes = figure.subplots(rows, 1, sharex=True, squeeze=False)[:, 0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(labelsize=9)
    return figure, list(axes)


def _thinned(times: Samples, values: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Return a line that looks the same: extremes of groups of samples."""
    group = -(-len(values) // (_MOST // 2))
    if group < 2:
        return times, values
    more = -len(values) % group
    table = np.pad(values, (0, more), constant_values=np.nan).reshape(-1, group)
    missing = np.isnan(table).all(axis=1)
    low = np.where(np.isnan(table), np.inf, table).min(axis=1)
    high = np.where(np.isnan(table), -np.inf, table).max(axis=1)
    both = np.where(missing[:, None], np.nan, np.stack([low, high], axis=1))
    step = times[1] - times[0]
    at = times[::group, None] + step * np.array([0, group // 2])
    return at.ravel(), both.ravel()


def _shade(
    axis: "Axes",
    begin: np.ndarray,
    end: np.ndarray,
    colour: str,
    alpha: float,
    width: float = 0.0,
) -> None:
    """Shade from the bottom to the top, with an edge of some width in points."""
    if len(begin):
        axis.broken_barh(
            list(zip(begin, end - begin, strict=True)),
            (0.0, 1.0),
            transform=axis.get_xaxis_transform(),
            color=colour,
            alpha=alpha,
            linewidth=width,
        )


def plot_record(
    record: Record,
    *,
    beats: Beats | None = None,
    verdicts: "WindowVerdicts | None" = None,
    marks: Mapping[str, Mapping[str, Times]] | None = None,
    channels: tuple[str, ...] | None = None,
    start: float | None = None,
    stop: float | None = None,
) -> "Figure":
    """Draw channels with what is missing, what was refused and why, what was found.

    Args:
        record: The record.
        beats: Its beats: pulse feet on the PPG, R peaks on the ECG, refused beats
            shaded on the PPG with their reason below, where there is room for it.
        verdicts: Its windows: refused ones are shaded on their channel, with why above.
        marks: Further times by channel and by what they are, e.g.
            ``{"PLETH": {"notch": times}}``, s on the record's clock.
        channels: Which, by name; all by default.
        start: First time shown, s; the beginning by default.
        stop: Last time shown, s; the end by default.

    Raises:
        RecordError: If a channel is missing or no time is left.
    """
    names = tuple(record.channels) if channels is None else channels
    signals = {name: record.signal(name) for name in names}
    if not signals:
        msg = f"record {record.subject!r} has no channel to draw."
        raise RecordError(msg)
    low = min(s.start for s in signals.values()) if start is None else start
    high = max(s.start + s.duration for s in signals.values()) if stop is None else stop
    if not low < high:
        msg = f"{low:g} to {high:g} s were to be drawn; wanted start < stop."
        raise RecordError(msg)
    found = {name: dict((marks or {}).get(name, {})) for name in names}
    ppg, ecg = record.find("ppg"), record.find("ecg")
    if beats is not None and ppg in found:
        found[ppg] = {"pulse foot": beats.time[beats.accepted], **found[ppg]}
    if beats is not None and ecg in found and "r_peak" in beats.features:
        found[ecg] = {"R peak": beats.features["r_peak"], **found[ecg]}
    figure, axes = _figure(len(signals))
    for axis, (name, signal) in zip(axes, signals.items(), strict=True):
        _draw(axis, signal, low, high)
        axis.set_ylabel(f"{name}, {signal.unit}")
        for number, (word, times) in enumerate(found[name].items()):
            marker, colour = _MARKS[number % len(_MARKS)]
            _mark(axis, signal, times, low, high, word, marker, colour)
        if found[name]:  # above the waves, not over them
            axis.legend(
                fontsize=8,
                frameon=False,
                loc="lower right",
                bbox_to_anchor=(1.0, 0.98),
                ncols=len(found[name]),
                borderpad=0.0,
                handletextpad=0.2,
            )
        if beats is not None and name == ppg:
            rows = np.flatnonzero(~beats.accepted)
            ends = beats.time + np.nan_to_num(beats.duration, nan=0.5)
            begin, reason = beats.time[rows], beats.reason[rows]
            _refuse(axis, begin, ends[rows], reason, low, high, height=0.0)
        if verdicts is not None and name in verdicts.channels:
            reason = verdicts.reason[verdicts.channels.index(name)]
            rows = np.flatnonzero(reason != "")
            begin = verdicts.start[rows]
            end = begin + verdicts.window
            _refuse(axis, begin, end, reason[rows], low, high, height=1.0)
    axes[0].set_xlim(low, high)
    figure.align_ylabels(axes)
    axes[-1].set_xlabel("time, s")
    figure.suptitle(record.subject, fontsize="medium")
    return figure


def _draw(axis: "Axes", signal: Signal, low: float, high: float) -> None:
    times = signal.times
    shown = (times >= low) & (times <= high)
    times, values = times[shown], signal.values[shown].astype(np.float64)
    if not len(times):
        return
    axis.plot(*_thinned(times, values), color=_LINE, linewidth=0.8)
    edges = np.diff(~np.isfinite(values), prepend=False, append=False)
    begin, end = np.flatnonzero(edges).reshape(-1, 2).T
    step = 1.0 / signal.sampling_rate
    # An edge lets the shortest gap of a day be seen.
    _shade(axis, times[begin], times[end - 1] + step, _MISSING, 0.25, width=0.3)


def _mark(
    axis: "Axes",
    signal: Signal,
    times: Times,
    low: float,
    high: float,
    word: str,
    marker: str,
    colour: str,
) -> None:
    shown = times[np.isfinite(times) & (times >= low) & (times <= high)]
    heights = np.interp(shown, signal.times, signal.values)
    axis.plot(
        *(shown, heights, marker),
        color=colour,
        markersize=4.0,
        markerfacecolor="none",
        label=word,
    )


def _refuse(
    axis: "Axes",
    begin: Samples,
    end: Samples,
    reason: np.ndarray,
    low: float,
    high: float,
    *,
    height: float,
) -> None:
    """Shade what was refused and write why, once for neighbours with one reason.

    Where there is no room for a word it is left out.
    """
    shown = np.flatnonzero(np.isfinite(begin) & (end > low) & (begin < high))
    begin, end = np.maximum(begin[shown], low), np.minimum(end[shown], high)
    _shade(axis, begin, end, _REFUSED, 0.15)
    free, before = low, ""
    last = -np.inf
    for a, b, word in zip(begin, end, reason[shown].astype(str), strict=True):
        width = len(word) * _LETTER * (high - low)
        told = word == before and a <= last + 0.1
        last, before = b, word
        if told or a < free or a + width > high:
            continue
        axis.annotate(
            word,
            (a, height),
            xycoords=("data", "axes fraction"),
            fontsize=7,
            color=_REFUSED,
            va="top" if height > 0.5 else "bottom",
        )
        free = a + width


def plot_tachogram(beats: Beats) -> "Figure":
    """Draw the time between heart beats against time, and which were refused.

    Args:
        beats: Of one subject; from R peaks, or from foot to foot without an ECG.

    Raises:
        RecordError: If there are beats of more than one subject, or none.
    """
    if len(beats.subjects) != 1:
        msg = f"beats are of {len(beats.subjects)} subjects; wanted one: beats.of([..])"
        raise RecordError(msg)
    rr = 1e3 * np.asarray(beats.features.get("rr", beats.duration))
    figure, (axis,) = _figure(1, height=2.6)
    good = beats.accepted
    # A refused beat interrupts the line.
    axis.plot(beats.time, np.where(good, rr, np.nan), color=_LINE, linewidth=0.9)
    axis.plot(beats.time[good], rr[good], ".", color=_LINE, markersize=3.0)
    axis.plot(
        *(beats.time[~good], rr[~good], "x"),
        color=_REFUSED,
        markersize=4.0,
        label=f"refused ({int((~good).sum())} of {len(beats)})",
    )
    axis.legend(fontsize=8, frameon=False)
    axis.set_xlabel("time, s")
    axis.set_ylabel("time between beats, ms")
    figure.suptitle(str(beats.subjects[0]), fontsize="medium")
    return figure


def plot_transit(
    time: RawSamples, pressure: RawSamples, *, time_name: str, pressure_name: str
) -> "Figure":
    """Draw a transit or arrival time against pressure, with its correlation.

    A correlation within one person says nothing about another one.

    Args:
        time: s, NaN where unknown. Shape (beat,).
        pressure: mmHg, NaN where unknown. Shape (beat,).
        time_name: What the time is, e.g. ``"PAT (finger)"``.
        pressure_name: What the pressure is, e.g. ``"SBP (finger cuff)"``.

    Raises:
        ShapeError: If they are no real numbers or not equally many, or under three
            beats have both.
    """
    time = checked_numbers(time, where="the times")
    pressure = checked_numbers(pressure, where="the pressures")
    if time.shape != pressure.shape:
        msg = f"times {time.shape} and pressures {pressure.shape}; wanted equally many."
        raise ShapeError(msg)
    known = np.isfinite(time) & np.isfinite(pressure)
    if known.sum() < 3:
        msg = f"{int(known.sum())} beats have a time and a pressure; wanted at least 3."
        raise ShapeError(msg)
    x, y = 1e3 * time[known], pressure[known]
    figure, (axis,) = _figure(1, height=4.2)
    axis.plot(x, y, ".", color=_LINE, markersize=3.0, alpha=0.5)
    label = "no correlation: one of them does not change"
    if np.ptp(x) > 0.0 and np.ptp(y) > 0.0:
        slope, level = np.polyfit(x, y, 1)
        label = f"r = {np.corrcoef(x, y)[0, 1]:.2f}, {slope:.2f} mmHg/ms"
        ends = np.array([x.min(), x.max()])
        axis.plot(ends, level + slope * ends, color=_REFUSED, linewidth=1.2)
    axis.set_title(f"{label}; {int(known.sum())} beats", fontsize="small")
    axis.set_xlabel(f"{time_name}, ms")
    axis.set_ylabel(f"{pressure_name}, mmHg")
    return figure
