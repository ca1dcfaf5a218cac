"""The report of a real record whose central pressure nobody measured."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.refusals import by_reason
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.reports.figures import (
    reasons_figure,
    strip_figure,
    time_course_figure,
)
from capnet.evaluation.wording import DASH, number, signed
from capnet.prediction import Prediction, pressures
from capnet.records import Beats, Record

__all__ = ["record_report"]

_NEAR: Final = 5.0
"""mmHg within which two mean pressures are called the same."""

_SAME: Final = 1e-6
"""mmHg: rounding."""

_LIMITS: Final = (
    "Nobody measured the central pressure of this person. This page gives no error, "
    "and agreement between methods is no proof that they are right.",
    "The estimators were trained on virtual people. Nothing here has been validated "
    "on patients.",
    "Central pressures inherit every error of the pressure that calibrates them, and "
    "of what is assumed about where it was taken.",
    "Refused beats are left out, so the means describe the accepted stretches only.",
)


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


def _range(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    if not len(known):
        return DASH
    low, high = np.percentile(known, [5, 95])
    return f"{number(float(low), 0)} to {number(float(high), 0)}"


def _own(beats: Beats) -> np.ndarray | None:
    wave = beats.waves.get("abp")
    if wave is None:
        return None
    found = pressures(wave)[beats.accepted]
    return found if np.isfinite(found).any() else None


def _row(
    name: str, role: str, k: str, answered: str, values: Sequence[np.ndarray]
) -> tuple[str, ...]:
    means = [number(_mean(v), 1) for v in values]
    return (name, role, k, answered, *means, _range(values[0]))


def _estimates_table(
    beats: Beats, predictions: Sequence[Prediction], site: str
) -> TableBlock:
    rows = []
    own = _own(beats)
    if own is not None:
        name = "the record's own line (not central)"
        rows.append(_row(name, "measured", DASH, DASH, list(own.T)))
    for p in predictions:
        answered = f"{int(p.accepted.sum())} of {len(p)}"
        values = [p.csbp, p.cdbp, p.cmap, p.cpp]
        rows.append(_row(p.method, p.role, str(p.k), answered, values))
    heads = (
        "method",
        "role",
        "k",
        "beats answered",
        "SBP",
        "DBP",
        "MAP",
        "PP",
        "SBP, 5 % to 95 %",
    )
    caption = (
        f"Mean pressures over the accepted beats, mmHg, if the line is {site}. "
        f"Calibration: {beats.calibration}; reference: none."
    )
    return TableBlock(caption, heads, tuple(rows))


def _control_lines(predictions: Sequence[Prediction]) -> list[str]:
    """Say how far each control is from its deep row: no error, a contribution."""
    found = []
    for control in (p for p in predictions if p.role == "control"):
        for deep in _controlled(control, predictions):
            gap = _mean(np.abs(deep.csbp - control.csbp))
            # A control that only moves the mean says nothing about the signals.
            pulse = _mean(np.abs(deep.cpp - control.cpp))
            if gap is not None and pulse is not None and pulse > _SAME:
                words = f"{number(gap, 1)} mmHg between {deep.method} and"
                found.append(f"{words} {control.method}")
    if not found:
        return []
    return [
        f"The central SBP of a beat differs on average by {'; by '.join(found)}. What "
        "does not change under a control comes from the calibrating pressure and the "
        "covariates, not from this person's own signals."
    ]


def _controlled(
    control: Prediction, predictions: Sequence[Prediction]
) -> list[Prediction]:
    """Return the deep row that a control is named after, or else every deep row."""
    deep = [p for p in predictions if p.role == "deep"]
    named = [p for p in deep if control.method.startswith(p.method)]
    return [max(named, key=lambda p: len(p.method))] if named else deep


def _mean_lines(beats: Beats, predictions: Sequence[Prediction]) -> list[str]:
    """Hold mean pressures against the line's: a check of calibration, no error."""
    own = beats.waves.get("abp")
    if own is None:
        return []
    found = []
    for p in (p for p in predictions if p.role != "floor"):
        apart = p.cmap - own.mean(axis=1)
        apart = apart[np.isfinite(apart)]
        if len(apart):
            share = 100 * float((np.abs(apart) <= _NEAR).mean())
            mean = signed(float(apart.mean()), 1)
            found.append(f"{p.method} {mean} mmHg ({share:.0f} % within {_NEAR:g})")
    if not found:
        return []
    return [
        "Mean pressure hardly falls from the aorta to the arm, so an estimate of it "
        "can be held against the line's own, beat by beat. This checks calibration; it "
        f"is no error of central pressure. {'; '.join(found)}. SBP and DBP alone do "
        "not fix the mean: where the rows lie well above the line, this person's pulse "
        "is slimmer than that of the virtual people with the same PPG."
    ]


def _estimates_section(
    beats: Beats, predictions: Sequence[Prediction], site: str
) -> Section:
    drawn = [p for p in predictions if p.role != "control"] or predictions
    figure = FigureBlock(
        png=time_course_figure(beats, drawn),
        caption=(
            f"Central SBP of each method over time if the line is {site}, beside the "
            "record's own arterial pressure (grey band: DBP to SBP). Nobody measured "
            "the central pressure."
        ),
        alt=f"Time course of central SBP of {len(drawn)} methods, line {site}; "
        "the means stand in the table above.",
    )
    return Section(
        title=f"Estimates if the line is {site}",
        paragraphs=(*_mean_lines(beats, predictions), *_control_lines(predictions)),
        tables=(_estimates_table(beats, predictions, site),),
        figures=(figure,),
    )


def _gate_section(record: Record, beats: Beats) -> Section:
    accepted, total = int(beats.accepted.sum()), len(beats)
    refused = by_reason(beats.reason, ~beats.accepted)
    rows = [("accepted", accepted), *refused.items()]
    cells = tuple((name, str(n), f"{100 * n / total:.1f} %") for name, n in rows)
    table = TableBlock(
        f"What became of the {total} beats.", ("outcome", "beats", "share"), cells
    )
    figures = [
        FigureBlock(
            png=strip_figure(record, beats),
            caption="A stretch of the record's own signals. Green beats were accepted, "
            "hatched orange ones refused.",
            alt="Signal strips with accepted and refused beats marked.",
        ),
        FigureBlock(
            png=reasons_figure(accepted, refused),
            caption="How many beats were accepted, and why the others were refused.",
            alt="Bar chart of the table above.",
        ),
    ]
    return Section("What the gate let through", (), (table,), tuple(figures))


def _verdict(
    beats: Beats, predictions: Mapping[str, Sequence[Prediction]]
) -> tuple[str, ...]:
    n, total = int(beats.accepted.sum()), len(beats)
    lines = [
        f"{n} of {total} beats ({100 * n / total:.0f} %) were accepted.",
        "Nobody measured the central pressure of this person: no error is given.",
    ]
    own = _own(beats)
    for site, answers in predictions.items():
        said = [
            f"{p.method} {number(mean, 0)}"
            for p in answers
            if (mean := _mean(p.csbp)) is not None
        ]
        mine = "" if own is None else f"; the line itself {number(_mean(own[:, 0]), 0)}"
        text = ", ".join(said) or "no method answers"
        lines.append(f"If the line is {site}, mean central SBP in mmHg: {text}{mine}.")
    return tuple(lines)


def record_report(
    record: Record,
    beats: Beats,
    predictions: Mapping[str, Sequence[Prediction]],
    provenance: Mapping[str, object],
    *,
    alignment: str,
) -> Report:
    """Tell what methods say about a record without a reference; no error is computed.

    Args:
        record: Its continuous channels.
        beats: Of this record, accepted and refused; ``waves['abp']`` in mmHg is shown
            beside the estimates where there is one.
        predictions: By what is assumed about the site of the line: ``brachial``,
            ``radial``. In each, deep rows beside floors (GTF, moving average of the
            record's own pressure) and the control with shuffled PPG.
        provenance: What made the numbers: configuration, seeds, versions, hashes.
        alignment: What was done, without labels, to fit the model to this record.

    Returns:
        The report, for `capnet.evaluation.write_report`.

    Raises:
        ProtocolError: If the record has a reference (evaluate it instead), has no
            beats, or the predictions are not of these beats.
    """
    if beats.reference_type != "none":
        msg = (
            f"record {record.subject!r} has reference_type {beats.reference_type!r}; "
            "this report is for records without a truth. Use evaluate and "
            "benchmark_report."
        )
        raise ProtocolError(msg)
    if not len(beats) or not predictions:
        msg = (
            f"record {record.subject!r} has {len(beats)} beats and predictions under "
            f"{len(predictions)} assumed sites; wanted at least one of each."
        )
        raise ProtocolError(msg)
    for answers in predictions.values():
        check_same_beats(answers, beats)
    site = " nor ".join(predictions)
    assumed = (
        f"The record does not say where the line lies. Estimates are shown under each "
        f"assumption ({' and '.join(predictions)}); neither {site} is known to be true."
        if len(predictions) > 1
        else f"The line is taken to be {site}."
    )
    sections = [
        Section("How the model met this record", (alignment, assumed)),
        _gate_section(record, beats),
    ]
    sections += [_estimates_section(beats, p, s) for s, p in predictions.items()]
    minutes = max(s.start + s.duration for s in record.channels.values()) / 60
    return Report(
        title="Central arterial pressure of a real record, without a reference",
        subtitle=(
            f"Record {record.subject}, {number(minutes, 1)} minutes, calibration: "
            f"{beats.calibration}, reference: none."
        ),
        verdict=_verdict(beats, predictions),
        sections=tuple(sections),
        provenance=provenance,
        limits=_LIMITS,
    )
