"""The report of a clinic that somebody brought: by subject, with or without a truth."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import beat_columns, scored_beats
from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.protocol import check_same_beats
from capnet.evaluation.refusals import by_reason
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.reports.figures import reasons_figure
from capnet.evaluation.truth import Truth
from capnet.evaluation.wording import DASH, number, signed
from capnet.prediction import Prediction, pressures
from capnet.records import Beats
from capnet.types import BeatWaves, Flags

__all__ = ["ClinicNotes", "clinic_report", "with_clinic"]

_APART: Final = (
    "The aortic pressure was not recorded together with what the methods saw, but "
    "minutes before or after. Every error here also holds what changed meanwhile, and "
    "all beats of a person are held against one mean aortic beat."
)
_FLUID: Final = (
    "The pressure of the reference is taken as its line shows it: a fluid-filled "
    "catheter that rings or damps is off in systole, and nothing is corrected for it."
)
_MOST: Final = 60
"""Subjects that a table lists one by one."""

_SMALL: Final = 20
_FEW: Final = (
    "Intervals of a bootstrap over so few people are too narrow: of normal errors of "
    "six people, a nominal 95 % holds the true mean in about 85 %, the true RMSE in "
    "about 75 % of cases. Take them as orientation."
)
"""So it came out of 1500 draws of six (and 92 and 88 % of twenty), 500 resamples."""

_UNKNOWN: Final = (
    "Nobody measured the central pressure of these people. This page gives no error, "
    "and agreement between methods is no proof that they are right.",
    "Central pressures inherit every error of the pressure that calibrates them, and "
    "of what is assumed about where it was taken.",
    "A femoral line is not aortic: its systolic pressure is usually higher and its "
    "wave comes later. It is shown, and never scored against.",
    "Refused beats are left out, so the means describe the accepted stretches only.",
)
_VIRTUAL: Final = "The people of this clinic are virtual; its format alone is real."


@dataclass(frozen=True)
class ClinicNotes:
    """What a report has to say of a clinic.

    Attributes:
        name: Of the clinic.
        virtual: Whether nobody there exists.
        simultaneous: Whether the reference is of the same beats; None without one.
        changes: Pulse minus reference by subject (and row of the manifest where one
            has several pulses), where they are minutes apart: heart rate, bpm, and
            mean pressure, mmHg (NaN where unknown).
        minutes: From the reference to the pulse, likewise, where the manifest says.
        left_out: Who is not scored, likewise, and why.
        split: Who was used for what, in words.
    """

    name: str
    virtual: bool
    simultaneous: bool | None
    changes: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    minutes: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)
    split: str = ""

    @property
    def when(self) -> str:
        """Whether the reference is simultaneous, in words."""
        if self.simultaneous is None:
            return "no reference"
        return "simultaneous" if self.simultaneous else "not simultaneous"

    @property
    def people(self) -> str:
        """What to call those it has."""
        return "virtual people" if self.virtual else "people"


def _mean(values: np.ndarray) -> float | None:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else None


# With a truth


def _shown(evaluation: Evaluation, metric: str) -> list[MethodScore]:
    """Return the best floor of each k by a metric, and every deep row."""
    floors = [s for s in evaluation.scores if s.role == "floor"]
    counts = sorted({s.k for s in floors if s.values[metric] is not None})
    best = {(s := evaluation.best_floor(k, metric)).key: s for k in counts}
    return [*best.values(), *(s for s in evaluation.scores if s.role == "deep")]


def _by_subject(
    evaluation: Evaluation, column: str, metric: str, what: str
) -> TableBlock:
    """Return one row a held-out subject: mean and middle 95 % of its beats."""
    reference, rows = evaluation.reference, _shown(evaluation, metric)
    truth = reference.pressures[:, 0]
    found: list[tuple[np.ndarray, Flags]] = []
    for score in rows:
        prediction = evaluation.prediction(score.key)
        scored = scored_beats(prediction, reference)
        columns = beat_columns(prediction, reference, scored)
        nothing = np.full(len(reference), np.nan)
        found.append((columns.get(column, nothing), scored))
    sign = signed if column.endswith("_error") else number
    subjects, which = reference.subjects, "held-out subject"
    if len(subjects) > _MOST:
        subjects = _largest(*found[-1], reference)
        last = f"{rows[-1].method} (k = {rows[-1].k})"
        which += f" (those {_MOST} of {evaluation.subjects} with the largest of {last})"
    cells = []
    for subject in subjects:
        mine = np.flatnonzero(reference.subject == subject)
        line = [str(subject), str(int(found[0][1][mine].sum()))]
        line.append(number(_mean(truth[mine[reference.accepted[mine]]]), 0))
        for values, scored in found:
            known = values[mine[scored[mine]]]
            known = known[np.isfinite(known)]
            if not len(known):
                line.append(DASH)
                continue
            low, high = np.percentile(known, [2.5, 97.5])
            middle = f"({sign(float(low), 1)} to {sign(float(high), 1)})"
            line.append(f"{sign(float(known.mean()), 1)} {middle}")
        cells.append(tuple(line))
    heads = ("subject", "beats", "true SBP", *(f"{s.method} (k = {s.k})" for s in rows))
    return TableBlock(
        f"{what} by {which}, mmHg: mean over the beats, and in round brackets "
        "where the middle 95 % of the beats lie: a spread, no interval of confidence.",
        heads,
        tuple(cells),
    )


def _largest(values: np.ndarray, scored: Flags, reference: Truth) -> np.ndarray:
    """Return the subjects whose mean is furthest from zero, the furthest first."""
    names, code = np.unique(reference.subject, return_inverse=True)
    known = scored & np.isfinite(values)
    n = len(names)
    count = np.bincount(code[known], minlength=n)
    total = np.bincount(code[known], weights=values[known], minlength=n)
    size = np.abs(total / np.maximum(count, 1))
    return np.asarray(names[np.argsort(-size, kind="stable")[:_MOST]])


def _reference_section(evaluation: Evaluation, notes: ClinicNotes) -> Section:
    kind = evaluation.reference_type
    text = [
        f"Clinic {notes.name}, {evaluation.subjects} held-out {notes.people}. "
        f"Reference type: {kind}, {notes.when}.",
        *([notes.split] if notes.split else []),
    ]
    if notes.virtual:
        text.append(_VIRTUAL)
    tables = []
    if notes.simultaneous is False:
        text.append(_APART)
        kept = [c for who, c in notes.changes.items() if who not in notes.left_out]
        hr, mean = (np.array([c[i] for c in kept]) for i in (0, 1))
        mean = mean[np.isfinite(mean)]
        if len(hr):
            said = f"heart rate by {number(float(np.abs(hr).mean()), 1)} bpm"
            if len(mean):
                size = number(float(np.abs(mean).mean()), 1)
                said += f", mean pressure (line against aorta) by {size} mmHg"
            text.append(
                "From reference to pulse changed on average, where there is a label: "
                f"{said}."
            )
        apart = [abs(m) for w, m in notes.minutes.items() if w not in notes.left_out]
        if apart:
            ends = np.percentile(apart, [0, 100])
            low, high = (number(float(end), 0) for end in ends)
            span = low if low == high else f"{low} to {high}"
            text.append(f"They were {span} minutes apart, from start to start.")
        rows = tuple(
            (
                who,
                number(notes.minutes.get(who), 0),
                signed(hr_change, 1),
                signed(change, 1),
                notes.left_out.get(who, "") or DASH,
            )
            for who, (hr_change, change) in notes.changes.items()
        )
        heads = ("subject", "minutes", "heart rate, bpm", "MAP, mmHg", "left out for")
        caption = (
            "What changed between reference and pulse: pulse minus reference. Without "
            "an arterial line, only the heart rate could be held against its bound."
        )
        tables.append(TableBlock(caption, heads, rows))
    others = {w: r for w, r in notes.left_out.items() if w not in notes.changes}
    if others:
        caption = "Not scored, and why."
        tables.append(TableBlock(caption, ("subject", "why"), tuple(others.items())))
    return Section("The reference of this clinic", tuple(text), tuple(tables))


def with_clinic(report: Report, evaluation: Evaluation, notes: ClinicNotes) -> Report:
    """Add to a benchmark's report what a clinic's own data wants said.

    Args:
        report: Of `capnet.evaluation.benchmark_report` on this evaluation.
        evaluation: On the held-out people of the clinic.
        notes: Of the clinic.

    Returns:
        The report with the kind and time of the reference, errors by subject beside the
        floors, and the limits that follow.
    """
    subjects = Section(
        "Errors by subject",
        (
            "The first rows are the best floors with no more labels than each k, then "
            "come the deep rows.",
        ),
        (
            _by_subject(evaluation, "sbp_error", "sbp_rmse", "Error of central SBP"),
            _by_subject(evaluation, "wave_rmse", "wave_rmse", "Waveform RMSE"),
        ),
    )
    limits = [_APART] if notes.simultaneous is False else []
    limits += [_FLUID] if evaluation.reference_type in ("catheter", "simulated") else []
    limits += [_FEW] if evaluation.subjects < _SMALL else []
    return replace(
        report,
        title=f"Central arterial pressure in the clinic {notes.name}",
        subtitle=f"{report.subtitle} The reference is {notes.when}.",
        sections=(_reference_section(evaluation, notes), subjects, *report.sections),
        limits=(*limits, *report.limits),
    )


# Without a truth


def _levels(wave: BeatWaves | None, rows: Flags) -> str:
    """Return mean SBP/DBP (MAP) of some beats."""
    if wave is None:
        return DASH
    known = pressures(wave)[rows]
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        return DASH
    sbp, dbp, mean = known.mean(axis=0)[:3]
    return f"{sbp:.0f}/{dbp:.0f} ({mean:.0f})"


def _estimates(beats: Beats, answers: Sequence[Prediction], site: str) -> Section:
    check_same_beats(answers, beats)
    femoral = beats.waves.get("femoral")
    cells = []
    for subject in beats.subjects:
        mine = beats.subject == subject
        good = mine & beats.accepted
        line = [str(subject), f"{int(good.sum())} of {int(mine.sum())}"]
        line += [_levels(beats.waves.get("abp"), good), _levels(femoral, good)]
        line += [number(_mean(p.csbp[mine]), 0) for p in answers]
        cells.append(tuple(line))
    heads = (
        *("subject", "beats accepted", "own line", "femoral, not aortic"),
        *(f"{p.method} ({p.role})" for p in answers),
    )
    caption = (
        f"Means by subject, mmHg, if the calibrating pressure is {site}: measured "
        "lines as SBP/DBP (MAP), then central SBP of every method. Calibration: "
        f"{beats.calibration}; reference: none."
    )
    return Section(
        f"Estimates if the calibrating pressure is {site}",
        ("Nobody measured the aorta: no number here is an error.",),
        (TableBlock(caption, heads, tuple(cells)),),
    )


def clinic_report(
    beats: Mapping[str, Beats],
    predictions: Mapping[str, Sequence[Prediction]],
    provenance: Mapping[str, object],
    notes: ClinicNotes,
    *,
    alignment: str,
) -> Report:
    """Tell what methods say about a clinic without a reference; no error is computed.

    Args:
        beats: By where the calibrating pressure is taken to be: everybody's beats.
            ``waves["femoral"]``, where there is one, is shown as not aortic.
        predictions: Of these beats, by the same keys.
        provenance: What made the numbers.
        notes: Of the clinic.
        alignment: What was done, without labels, to fit the model to the clinic.

    Raises:
        ProtocolError: If the beats have a reference (evaluate them instead), there are
            none, or the predictions are of other beats.
    """
    tables = [*beats.values()]
    if not tables or set(beats) != set(predictions):
        msg = (
            f"beats under {sorted(beats)} and predictions under {sorted(predictions)}; "
            "wanted the same sites, at least one."
        )
        raise ProtocolError(msg)
    if any(b.reference_type != "none" for b in tables):
        msg = (
            f"clinic {notes.name!r} has a reference; this report is for clinics "
            "without a truth. Use evaluate, benchmark_report and with_clinic."
        )
        raise ProtocolError(msg)
    people = len({str(s) for b in tables for s in b.subjects})
    first = tables[0]
    good, total = int(first.accepted.sum()), len(first)
    figure = FigureBlock(
        png=reasons_figure(good, by_reason(first.reason, ~first.accepted)),
        caption="How many beats were accepted, and why the others were refused.",
        alt="Bar chart of accepted and refused beats.",
    )
    text = [alignment] + ([_VIRTUAL] if notes.virtual else [])
    text += [f"{who}: {why}." for who, why in notes.left_out.items()]
    sections = [Section("How the model met this clinic", tuple(text), (), (figure,))]
    sections += [_estimates(beats[s], predictions[s], s) for s in beats]
    return Report(
        title=f"Central arterial pressure in the clinic {notes.name}: estimates alone",
        subtitle=(
            f"{people} {notes.people}, {total} beats, calibration: "
            f"{first.calibration}, reference: none."
        ),
        verdict=(
            f"{good} of {total} beats ({100 * good / total:.0f} %) were accepted.",
            "Nobody measured the central pressure of these people: no error is given.",
        ),
        sections=tuple(sections),
        provenance=provenance,
        limits=_UNKNOWN,
    )
