"""One person's page: waves, estimates, change, centiles; no diagnosis."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from capnet.evaluation.cases.case import Case, CaseNumber
from capnet.evaluation.cases.centiles import SOURCE
from capnet.evaluation.cases.changes import FORMULA, Change
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.reports.drawing import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    RED,
    new_figure,
    png_of,
    tidy,
    written,
)
from capnet.evaluation.wording import DASH, number, signed
from capnet.prediction import DISCLAIMER

__all__ = ["case_course_figure", "case_report", "case_waves_figure"]

_LIMITS: Final = (
    DISCLAIMER,
    "This page makes no diagnosis and proposes no treatment. It shows what one method "
    "answers and how far that can be told from error.",
    "An interval is meant to hold the truth of the stated share of people like those "
    "it was measured on; for people of another kind it may hold fewer.",
    "Every central pressure inherits the error of the reading that calibrates it. An "
    "error that all answers of a person share cancels in a change, unless a new "
    "reading came between.",
    "A centile ranks an estimate among the men of one study; it says nothing of "
    "health.",
)

_SIMULATED: Final = "This person is virtual: the truth comes from a simulator."


def case_waves_figure(case: Case) -> bytes:
    """Draw the first, the middle and the last answered beat beside the truth.

    Each from its own foot; nothing is shifted or scaled.

    Args:
        case: With one wave or more.

    Returns:
        A PNG file.
    """
    figure = new_figure(3.4 * len(case.waves) + 0.6, 3.5)
    panels = figure.subplots(1, len(case.waves), sharey=True, squeeze=False)[0]
    for ax, beat in zip(panels, case.waves, strict=True):
        phase = np.arange(len(beat.estimate)) / len(beat.estimate)
        known = beat.duration is not None
        axis = phase * beat.duration if beat.duration is not None else phase
        if beat.truth is not None:
            ax.plot(axis, beat.truth, color=INK, lw=2, label=case.reference_type)
        ax.plot(axis, beat.estimate, color=RED, lw=2, ls="--", label="estimate")
        ax.set_title(f"{beat.which}, beat {written(str(beat.beat))}", fontsize=10)
        unit = "(s)" if known else "(share of the beat)"
        ax.set_xlabel(f"time since the foot {unit}", fontsize=9)
        tidy(ax)
    panels[0].set_ylabel("aortic pressure (mmHg)", fontsize=9)
    panels[0].legend(fontsize=9, frameon=False)
    return png_of(figure)


def case_course_figure(case: Case) -> bytes:
    """Draw central SBP over time with its interval, truth, readings and refusals.

    Args:
        case: With one beat or more.

    Returns:
        A PNG file.
    """
    course = case.course
    figure = new_figure(9.2, 3.5)
    ax = figure.subplots()
    share = "" if case.coverage is None else f"{100 * case.coverage:g} % interval"
    if np.isfinite(course.low).any():
        ax.fill_between(
            course.time,
            course.low,
            course.high,
            color=BLUE,
            alpha=0.2,
            linewidth=0,
            label=share,
        )
    if np.isfinite(course.truth).any():
        ax.plot(
            course.time, course.truth, "s", ms=3, color=INK, label=case.reference_type
        )
    ax.plot(course.time, course.estimate, "o", ms=3, color=BLUE, label="estimate")
    for i, when in enumerate(course.readings):
        name = "reading begins to calibrate" if i == 0 else None
        ax.axvline(when, color=ORANGE, lw=1.4, ls="--", label=name)
    refused = course.time[~np.isfinite(course.estimate)]
    if len(refused):
        ax.plot(
            refused,
            np.full(len(refused), 0.02),
            "|",
            color=GREY,
            transform=ax.get_xaxis_transform(),
            label="refused",
        )
    where = "time since the start of the record (s)" if course.timed else "beat"
    ax.set_xlabel(where, fontsize=9)
    ax.set_ylabel("central SBP (mmHg)", fontsize=9)
    tidy(ax)
    ax.legend(
        fontsize=9,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),  # above the axes, where no beat is
        ncols=5,
        frameon=False,
        borderaxespad=0.2,
    )
    return png_of(figure)


def _span(found: CaseNumber) -> str:
    if found.low is None or found.high is None:
        return DASH
    return f"[{number(found.low, 1)}, {number(found.high, 1)}]"


def _numbers(case: Case) -> TableBlock:
    share = "" if case.coverage is None else f"{100 * case.coverage:g} % "
    heads = ("pressure", "estimate", f"{share}interval", "truth", "error")
    rows = tuple(
        (
            n.quantity.upper(),
            number(n.estimate, 1),
            _span(n),
            number(n.truth, 1),
            signed(n.error, 1),
        )
        for n in case.numbers
    )
    return TableBlock(
        f"Central pressures, mmHg: means over the {case.answered} answered beats, ends "
        f"of intervals likewise. Calibration: {case.calibration}; reference: "
        f"{case.reference_type}.",
        heads,
        rows,
    )


def _changes(case: Case) -> Section:
    text = [
        f"{FORMULA[0].upper()}{FORMULA[1:]}. The SD is that of the errors of this "
        "method in the other people of the run: of the means of as many first and "
        "last beats as are averaged here, in people who had a new reading in between "
        "where this one had, and in others where not. A change below it cannot be told "
        "from none."
    ]
    text += [f"No change since the {s}: {why}." for s, why in case.unchanged.items()]
    if not case.changes:
        return Section("Change against measurement error", tuple(text))
    rows = tuple(
        (
            c.quantity.upper(),
            c.since,
            number(c.then, 1),
            number(c.now, 1),
            signed(c.change, 1),
            number(c.error.detectable, 1),
            c.text,
            number(c.error.sd, 2),
            str(c.error.subjects),
            str(c.error.beats),
        )
        for c in case.changes
    )
    heads = (
        "pressure",
        "since",
        "then",
        "now",
        "change",
        "smallest detectable",
        "the change is",
        "SD within people",
        "measured on people",
        "beats averaged",
    )
    table = TableBlock("Changes of central pressures, mmHg.", heads, rows)
    return Section("Change against measurement error", tuple(text), (table,))


def _centiles(case: Case) -> Section:
    rows = tuple(
        (
            c.quantity.upper(),
            number(c.value, 1),
            number(c.mean, 1),
            number(c.sd, 1),
            c.text,
        )
        for c in case.centiles
    )
    tables: tuple[TableBlock, ...] = ()
    if rows:
        heads = ("pressure", "estimate", "mean", "SD", "centile")
        caption = (
            "Where the estimates stand among men of the same age, mmHg; in brackets "
            f"the centiles of the ends of the interval. Source: {SOURCE}"
        )
        tables = (TableBlock(caption, heads, rows),)
    said = () if rows else ("Nothing was answered, so there is no centile.",)
    return Section("Age and sex centile", said, tables)


def _reading(case: Case) -> Section:
    found = case.recalibration
    reading = (
        "none"
        if case.reading is None
        else f"{case.reading[0]:.0f}/{case.reading[1]:.0f} mmHg"
    )
    minutes = None if found.age is None else found.age / 60
    drifts = (
        100 * v if v is not None else None for v in (found.hr_drift, found.shape_drift)
    )
    hr, shape = drifts
    rows = (
        ("last reading (SBP/DBP)", reading),
        ("its age, minutes", number(minutes, 1)),
        ("change of heart rate since, %", signed(hr, 0)),
        ("change of the estimated pulse since, % of its height", number(shape, 1)),
        ("a new reading is", found.text),
    )
    table = TableBlock("The reading that calibrates.", ("what", "value"), rows)
    return Section("Recalibration", (found.assumption,), (table,))


def _quality(case: Case) -> Section:
    rows = [("answered", str(case.answered))]
    rows += [(f"refused: {why}", str(n)) for why, n in case.refused.items()]
    text = []
    if case.quality is not None:
        text.append(f"Mean quality of the beats: {number(case.quality)} (no unit).")
    if case.doubt is not None:
        text.append(
            f"Mean doubt of the answered beats: {number(case.doubt)} (0 to 1, larger "
            "is worse)."
        )
    caption = f"What became of the {case.beats} beats of this person."
    table = TableBlock(caption, ("outcome", "beats"), tuple(rows))
    return Section("Quality and refused beats", tuple(text), (table,))


def _figures(case: Case) -> tuple[FigureBlock, ...]:
    found = []
    if case.waves:
        beside = "" if case.waves[0].truth is None else " beside the truth"
        found.append(
            FigureBlock(
                png=case_waves_figure(case),
                caption=f"Answered beats{beside}, each from its own foot.",
                alt=f"Aortic pressure of {len(case.waves)} beats{beside}; the numbers "
                "stand in the table of central pressures.",
            )
        )
    if case.beats > 1:
        found.append(
            FigureBlock(
                png=case_course_figure(case),
                caption="Central SBP, beat by beat, with what calibrates it.",
                alt=f"Central SBP of {case.answered} answered beats over time; means "
                "and changes stand in the tables.",
            )
        )
    return tuple(found)


def _least(change: Change) -> str:
    """Say what the smallest detectable change is, and of how many people."""
    found = change.error
    if found.detectable is None:
        return ""
    return (
        f" (smallest detectable change {number(found.detectable, 1)} mmHg, SD within "
        f"people {number(found.sd)} mmHg, measured on {found.subjects} people)"
    )


def _verdict(case: Case) -> tuple[str, ...]:
    sbp = case.number("sbp")
    if sbp.estimate is None:
        lines = ["No beat of this person was answered: there is no estimate."]
    else:
        share = "" if case.coverage is None else f"{100 * case.coverage:g} % "
        span = "no interval is given"
        if sbp.low is not None:
            span = f"{share}interval {_span(sbp)}"
        lines = [f"Central SBP is estimated at {number(sbp.estimate, 1)} mmHg; {span}."]
    if sbp.truth is not None:
        lines.append(
            f"The truth ({case.reference_type}) is {number(sbp.truth, 1)} mmHg, the "
            f"error {signed(sbp.error, 1)} mmHg."
        )
    lines += [
        f"Since the {c.since}, central SBP changed by {signed(c.change, 1)} mmHg: "
        f"{c.text}{_least(c)}."
        for c in case.changes
        if c.quantity == "sbp"
    ]
    for c in case.centiles:
        lines.append(
            f"Centile of central {c.quantity.upper()} by age and sex: {c.text}."
        )
    limits = " by the limits stated below" if case.recalibration.due is False else ""
    asked = "A new calibrating reading is"
    if case.recalibration.due is None:
        asked = "Whether a new calibrating reading is due is"
    lines.append(f"{asked} {case.recalibration.text}{limits}.")
    return tuple(lines)


def case_report(case: Case, provenance: Mapping[str, object]) -> Report:
    """Tell what a method says of one person. No diagnosis.

    Args:
        case: The person.
        provenance: What made the numbers.

    Returns:
        The report, for `capnet.evaluation.write_report`.
    """
    who = [] if case.age is None else [f"{number(case.age, 0)} years"]
    who += [case.sex] if case.sex else []
    who += [] if case.hr is None else [f"{number(case.hr, 0)} bpm"]
    virtual = (_SIMULATED,) if case.reference_type == "simulated" else ()
    return Report(
        title=f"Case: {case.subject}",
        subtitle=(
            f"{', '.join(who) or 'Age, sex and heart rate unknown'}. Method: "
            f"{case.method} (k = {case.k}), {case.role}; calibration: "
            f"{case.calibration}; reference: {case.reference_type}."
        ),
        verdict=_verdict(case),
        sections=(
            Section("Waves and numbers", virtual, (_numbers(case),), _figures(case)),
            _changes(case),
            _centiles(case),
            _reading(case),
            _quality(case),
        ),
        provenance=provenance,
        limits=_LIMITS,
        numbers={"case": case.to_dict()},
    )
