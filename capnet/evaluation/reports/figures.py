"""Figures of evaluations and of records, as PNG bytes."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.colors import to_rgba

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import scored_beats
from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.protocol import true_waves
from capnet.evaluation.reports.drawing import (
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    INK,
    MARKERS,
    RED,
    ROLES,
    STYLES,
    new_figure,
    png_of,
    tidy,
    written,
)
from capnet.evaluation.scores import Scored
from capnet.evaluation.truth import Truth, truth_of
from capnet.evaluation.wording import label, number, signed
from capnet.metrics import (
    align,
    lateness,
    limits_of_agreement,
    per_subject,
    proportional_bias,
)
from capnet.prediction import Prediction, pressures
from capnet.records import Beats, Record

__all__ = [
    "bland_altman_figure",
    "k_curve_figure",
    "ranking_figure",
    "reasons_figure",
    "strip_figure",
    "time_course_figure",
    "waveform_figure",
]


_CHOSEN: Final = ("best", "median", "worst")


_CURVES: Final = 10
"""Methods of a k-curve that are told apart; more are points."""


def _method(prediction: Prediction | MethodScore) -> str:
    return f"{prediction.method} (k = {prediction.k})"


def _drawn(prediction: Prediction | MethodScore) -> str:
    return f"{written(prediction.method)} (k = {prediction.k})"


def _ground(calibration: str, reference_type: str) -> str:
    return f"calibration: {calibration}; reference: {reference_type}"


def waveform_figure(scored: Scored) -> bytes:
    """Draw the best, the median and the worst beat of a method against the truth.

    Each predicted beat is turned to its best shift, as it is scored.

    Args:
        scored: A method that answers waves, of `Evaluation.scored`.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If the method answers no wave, or there is no truth.
    """
    prediction, reference = scored.prediction, scored.ground.truth
    if prediction.waveform is None or "wave_rmse" not in scored.waves:
        msg = (
            f"{_method(prediction)} answers no wave on a beat with a truth; choose a "
            "method that does."
        )
        raise ProtocolError(msg)
    rows = np.flatnonzero(scored.beats)
    true, said = true_waves(reference), prediction.waveform
    score = scored.waves["wave_rmse"]
    order = np.argsort(score, kind="stable")
    places = [0, len(order) // 2, -1]
    chosen = rows[order[places]]
    turned = align(said[chosen], -lateness(said[chosen], true[chosen]))
    figure = new_figure(9.6, 3.5)
    panels = figure.subplots(1, 3, sharey=True)
    for i, (ax, name) in enumerate(zip(panels, _CHOSEN, strict=True)):
        beat = chosen[i]
        time = np.arange(true.shape[1]) / true.shape[1] * reference.duration[beat]
        ax.plot(time, true[beat], color=INK, lw=2, label=reference.reference_type)
        ax.plot(time, turned[i], color=RED, lw=2, ls="--", label="predicted")
        rmse = number(float(score[order[places[i]]]))
        ax.set_title(f"{name}: RMSE {rmse} mmHg", fontsize=10)
        ax.set_xlabel("time since the aortic foot (s)", fontsize=9)
        tidy(ax)
    where = _ground(reference.calibration, reference.reference_type)
    figure.suptitle(f"{_drawn(prediction)}; {where}", fontsize=10)
    panels[0].set_ylabel("aortic pressure (mmHg)", fontsize=9)
    panels[0].legend(fontsize=9, frameon=False)
    return png_of(figure)


def bland_altman_figure(prediction: Prediction, reference: Beats | Truth) -> bytes:
    """Draw the SBP error of each subject over the mean of both (Bland & Altman 1986).

    Args:
        prediction: Of one method.
        reference: With the true waves.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If fewer than two subjects have both an answer and a truth.
    """
    reference = truth_of(reference)
    scored = scored_beats(prediction, reference)
    subject = reference.subject[scored]
    if len(np.unique(subject)) < 2:
        msg = (
            f"{_method(prediction)} has fewer than two subjects with an answer and a "
            "truth; limits of agreement want at least two."
        )
        raise ProtocolError(msg)
    true = per_subject(reference.pressures[scored, 0], subject)
    said = per_subject(prediction.csbp[scored], subject)
    limits = limits_of_agreement(said, true)
    middle = (said + true) / 2
    figure = new_figure(6.6, 4.2)
    ax = figure.subplots()
    # Ten thousand dots are a cloud: small and thin, so that its middle stays visible.
    size, alpha = (26, 0.55) if len(true) < 200 else (12, 0.45)
    size, alpha = (4, 0.2) if len(true) > 2000 else (size, alpha)
    ax.scatter(middle, said - true, s=size, color=BLUE, alpha=alpha, linewidths=0)
    text = {
        limits.bias: f"bias {signed(limits.bias, 1)}",
        limits.high: f"+1.96 SD {signed(limits.high, 1)}",
        limits.low: f"-1.96 SD {signed(limits.low, 1)}",
    }
    for value, words in text.items():
        ax.axhline(value, color=INK, lw=1.2, ls="-" if value == limits.bias else "--")
        ax.annotate(
            words,
            (1.01, value),
            xycoords=("axes fraction", "data"),
            fontsize=9,
            va="center",
        )
    ax.axhline(0, color=GREY, lw=0.8, ls=":")
    slope = ""
    if np.ptp(middle) > 0:
        slope = f", slope {signed(proportional_bias(said, true))} mmHg/mmHg"
    where = _ground(reference.calibration, reference.reference_type)
    title = f"{_drawn(prediction)}\nn = {len(true)} subjects{slope}\n{where}"
    ax.set_title(title, fontsize=10)
    ax.set_xlabel("mean of predicted and true central SBP (mmHg)", fontsize=9)
    ax.set_ylabel("predicted - true central SBP (mmHg)", fontsize=9)
    tidy(ax)
    return png_of(figure)


def ranking_figure(evaluation: Evaluation, metric: str = "sbp_rmse") -> bytes:
    """Draw a statistic of all methods with its interval, the best on top.

    Args:
        evaluation: On one calibration.
        metric: Which statistic; methods that do not answer it are left out.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If no method answers the statistic.
    """
    found = [
        (value, s) for s in evaluation.scores if (value := s.values[metric]) is not None
    ]
    if not found:
        msg = f"no method answers {metric!r}; choose another statistic."
        raise ProtocolError(msg)
    more_is_better = metric.endswith("_r2")
    found.sort(key=lambda pair: (pair[0], pair[1].key), reverse=more_is_better)
    figure = new_figure(7.6, 1.3 + 0.27 * len(found))
    ax = figure.subplots()
    for row, (value, s) in enumerate(found):
        colour = ROLES[s.role]
        span = s.intervals.get(metric)
        if span is not None:
            ax.plot(span, [row, row], color=colour, lw=2.2, alpha=0.5)
        ax.plot([value], [row], MARKERS[s.role], color=colour, ms=6)
    for role, colour in ROLES.items():
        if any(s.role == role for _, s in found):
            ax.plot([], [], MARKERS[role], color=colour, ms=6, label=role)
    ax.set_yticks(range(len(found)), [_drawn(s) for _, s in found])
    ax.set_ylim(len(found) - 0.4, -0.6)
    ax.set_xlabel(f"{label(metric)}, 95 % interval over subjects", fontsize=9)
    where = _ground(evaluation.calibration, evaluation.reference_type)
    ax.set_title(where, fontsize=10)
    tidy(ax)
    ax.legend(fontsize=9, loc="best", framealpha=0.9)
    return png_of(figure)


def k_curve_figure(evaluation: Evaluation, metric: str = "sbp_rmse") -> bytes:
    """Draw a statistic over the number of labelled subjects.

    Methods seen at one k only, and those beyond the ten best, are points; the best
    floor with no more than k labels is the grey step that a deep method must get below.

    Args:
        evaluation: On one calibration.
        metric: Which statistic; methods that do not answer it are left out.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If no method answers the statistic.
    """
    curves: dict[str, list[tuple[int, float, MethodScore]]] = {}
    for s in evaluation.scores:
        value = s.values[metric]
        if value is not None and s.role != "control":
            curves.setdefault(s.method, []).append((s.k, value, s))
    if not curves:
        msg = f"no method answers {metric!r}; choose another statistic."
        raise ProtocolError(msg)
    ks = sorted({k for points in curves.values() for k, _, _ in points})
    place = {k: i for i, k in enumerate(ks)}
    figure = new_figure(7.6, 4.2)
    ax = figure.subplots()
    pick = max if metric.endswith("_r2") else min
    floor = [
        (place[k], pick(values))
        for k in ks
        if (values := _floors(evaluation, k, metric))
    ]
    if floor:
        x, y = zip(*floor, strict=True)
        ax.plot(x, y, color=GREY, lw=7, alpha=0.3, label="best floor with at most k")
    several = [name for name, points in curves.items() if len(points) > 1]
    several.sort(key=lambda name: pick(value for _, value, _ in curves[name]))
    best = several[::-1] if pick is max else several
    shown = {name: curves[name] for name in curves if name in best[:_CURVES]}
    for i, (name, points) in enumerate(shown.items()):
        points.sort(key=lambda point: point[0])
        role = points[0][2].role
        ax.plot(
            [place[k] for k, _, _ in points],
            [value for _, value, _ in points],
            color=CYCLE[i % len(CYCLE)],
            ls=STYLES[(i // len(CYCLE) + (role == "floor")) % len(STYLES)],
            marker=MARKERS[role],
            ms=5,
            label=f" {written(name, 30)} ({role})",
        )
    for kind, colour in ROLES.items():
        single = [
            (place[k], value)
            for name, points in curves.items()
            for k, value, s in points
            if name not in shown and s.role == kind
        ]
        if single:
            x, y = zip(*single, strict=True)
            mark, word = MARKERS[kind], "deep rows" if kind == "deep" else "floors"
            ax.plot(x, y, mark, color=colour, alpha=0.5, ms=5, label=f"other {word}")
    ax.set_xticks(range(len(ks)), [str(k) for k in ks])
    ax.set_xlabel("labelled target subjects, k", fontsize=9)
    ax.set_ylabel(label(metric), fontsize=9)
    where = _ground(evaluation.calibration, evaluation.reference_type)
    ax.set_title(where, fontsize=10)
    tidy(ax)
    ax.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    return png_of(figure)


def _floors(evaluation: Evaluation, k: int, metric: str) -> list[float]:
    return [
        value
        for s in evaluation.scores
        if s.role == "floor" and s.k <= k and (value := s.values[metric]) is not None
    ]


def strip_figure(record: Record, beats: Beats, *, seconds: float = 12.0) -> bytes:
    """Draw a stretch of the record's own signals with accepted and refused beats.

    The stretch begins where accepted and refused beats are most mixed.

    Args:
        record: With an ECG, PPG or arterial pressure.
        beats: Of this record.
        seconds: How much to draw.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If the record has none of these channels, or no beats.
    """
    names = {"ecg": "ECG", "ppg": "PPG", "abp": "arterial pressure"}
    kinds = [kind for kind in names if record.find(kind) is not None]
    if not kinds or not len(beats):
        msg = (
            f"record {record.subject!r} has {len(kinds)} of the channels ECG, PPG and "
            f"ABP and {len(beats)} beats; wanted at least one of each to draw."
        )
        raise ProtocolError(msg)
    begin = _mixed_start(beats, seconds)
    # A beat without a foot has no duration; it lasts until the next one begins.
    following = np.append(beats.time[1:], beats.time[-1] + 1.0) - beats.time
    lengths = np.where(np.isfinite(beats.duration), beats.duration, following)
    figure = new_figure(9.6, 1.0 + 1.6 * len(kinds))
    panels = np.atleast_1d(figure.subplots(len(kinds), 1, sharex=True))
    for ax, kind in zip(panels, kinds, strict=True):
        signal = record.signal(kind)
        times = signal.times
        part = (times >= begin) & (times < begin + seconds)
        ax.plot(times[part], signal.values[part], color=INK, lw=1)
        ax.set_ylabel(f"{names[kind]}\n({signal.unit})", fontsize=9)
        tidy(ax)
        for accepted, colour in ((True, GREEN), (False, RED)):
            rows = (beats.accepted == accepted) & (beats.time >= begin)
            rows &= beats.time < begin + seconds
            for start, length in zip(beats.time[rows], lengths[rows], strict=True):
                stop = min(start + length, begin + seconds)
                hatch = None if accepted else "////"
                ax.axvspan(start, stop, hatch=hatch, **_shade(colour))
                ax.axvline(start, color=colour, lw=0.8, alpha=0.7)
    for words, colour, hatch in (
        ("accepted beat", GREEN, None),
        ("refused beat", RED, "////"),
    ):
        panels[0].fill([], [], hatch=hatch, label=words, **_shade(colour))
    panels[0].legend(
        fontsize=9, ncols=2, frameon=False, loc="lower right", bbox_to_anchor=(1, 1)
    )
    panels[0].set_title("the record's own signals", fontsize=10, loc="left")
    panels[-1].set_xlim(begin, begin + seconds)
    panels[-1].set_xlabel("time since the start of the record (s)", fontsize=9)
    return png_of(figure)


def _shade(colour: str) -> dict[str, Any]:
    """Colours of a shaded stretch; its edge carries the hatch, so it is not zero."""
    return {
        "facecolor": to_rgba(colour, 0.16),
        "edgecolor": to_rgba(colour, 0.45),
        "linewidth": 0.01,
    }


def _mixed_start(beats: Beats, seconds: float) -> float:
    """Begin of the stretch with the most of the rarer kind of beat, but not only it."""
    starts = np.sort(beats.time)
    accepted = beats.accepted[np.argsort(beats.time, kind="stable")]
    stop = np.searchsorted(starts, starts + seconds)
    good_before = np.concatenate([[0], np.cumsum(accepted)])
    good = good_before[stop] - good_before[:-1]
    bad = stop - np.arange(len(starts)) - good
    best = int(np.argmax(np.minimum(good, bad) * 1000 + good + bad))
    return float(max(starts[best] - 0.3, 0.0))


def time_course_figure(
    beats: Beats, predictions: Mapping[str, Prediction] | Sequence[Prediction]
) -> bytes:
    """Draw central SBP of several methods beside the record's own arterial pressure.

    Nobody measured the central pressure here, so there is no error to draw.

    Args:
        beats: Of one record; ``waves['abp']`` in mmHg where there is a line.
        predictions: Of these beats, by the name to print; or plain, by their method.

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If there is no prediction.
    """
    if not isinstance(predictions, Mapping):
        predictions = {_method(p): p for p in predictions}
    if not predictions:
        msg = "no predictions to draw; wanted at least one."
        raise ProtocolError(msg)
    figure = new_figure(9.6, 4.4 + 0.1 * len(predictions))
    ax = figure.subplots()
    own = beats.waves.get("abp")
    if own is not None:
        values = np.where(beats.accepted[:, None], pressures(own), np.nan)
        ax.fill_between(
            beats.time, values[:, 1], values[:, 0], color=GREY, alpha=0.15, lw=0
        )
        for column, name, style in (
            (0, "SBP", "-"),
            (2, "MAP", "-."),
            (1, "DBP", "--"),
        ):
            ax.plot(
                beats.time,
                values[:, column],
                color=GREY,
                lw=1.2,
                ls=style,
                label=f"the record's own line, {name}",
            )
    for i, (name, p) in enumerate(predictions.items()):
        ax.plot(
            p.time,
            p.csbp,
            color=CYCLE[i % len(CYCLE)],
            ls=STYLES[i % len(STYLES)],
            lw=1.5,
            label=f" {written(name)}: central SBP",
        )
    ax.set_xlabel("time since the start of the record (s)", fontsize=9)
    ax.set_ylabel("pressure (mmHg)", fontsize=9)
    tidy(ax)
    ax.legend(
        fontsize=8, ncols=2, frameon=False, loc="lower left", bbox_to_anchor=(0, 1.0)
    )
    return png_of(figure)


def reasons_figure(accepted: int, refused: Mapping[str, int]) -> bytes:
    """Draw how many beats were accepted, and why the others were refused.

    Args:
        accepted: Beats that were.
        refused: Beats that were not, by reason (`capnet.evaluation.refusals`).

    Returns:
        A PNG file.

    Raises:
        ProtocolError: If there are no beats.
    """
    rows = {"accepted": accepted, **refused}
    if not sum(rows.values()):
        msg = "no beats to count; wanted at least one, accepted or refused."
        raise ProtocolError(msg)
    figure = new_figure(7.6, 1.2 + 0.34 * len(rows))
    ax = figure.subplots()
    colours = [GREEN] + [RED] * len(refused)
    bars = ax.barh(range(len(rows)), list(rows.values()), color=colours)
    ax.bar_label(bars, [f" {n}" for n in rows.values()], fontsize=9)
    ax.set_yticks(range(len(rows)), [written(name) for name in rows])
    ax.invert_yaxis()
    ax.set_xlabel("beats", fontsize=9)
    ax.margins(x=0.1)
    tidy(ax)
    ax.grid(visible=False, axis="y")
    return png_of(figure)
