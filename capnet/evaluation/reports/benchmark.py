"""The report of a benchmark with a known truth: verdict first, floors beside."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import PRESSURES
from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.reports.figures import (
    bland_altman_figure,
    k_curve_figure,
    ranking_figure,
    waveform_figure,
)
from capnet.evaluation.verdict import verdict_lines
from capnet.evaluation.wording import DASH, label, number, signed, with_interval

__all__ = ["LIMITS", "benchmark_report"]

LIMITS: Final[Mapping[str, tuple[str, ...]]] = {
    "simulated": (
        "All people here are virtual: the truth comes from a simulator, not from a "
        "catheter. The numbers rank methods and size gaps; they claim no accuracy on "
        "people.",
        "The virtual people learned from and those tested differ in what the "
        "configuration below says (population, hidden arm properties, walls, sensor, "
        "cuff), yet both are models of the same circulation.",
    ),
    "device": (
        "The truth is the output of a device, which is itself an estimate. A network "
        "can learn the device's filter and still be wrong about the aorta.",
    ),
    "tonometry": (
        "The truth was taken with a tonometer and calibrated by other means; it is not "
        "the pressure in the aorta.",
    ),
    "catheter": (
        "The truth was taken with a catheter in people who needed one; healthy people "
        "may differ.",
    ),
}
"""What a reference type does not allow to say."""

_COMMON_LIMITS: Final = (
    "Intervals come from drawing subjects again. They do not hold the luck of the "
    "training seed or of the draw of the labelled subjects, and are not corrected for "
    "the number of comparisons.",
    "The best floor and the best deep row of a k are chosen on the scored subjects.",
    "R2 of SBP flatters wherever pressures vary much; the amplification R2 is zero for "
    "'true brachial SBP minus the right constant'.",
    "A comparison with the AAMI limits is numerical. No replay of data is a "
    "validation of a device.",
)

_READING: Final = (
    "Every beat is scored, scores are averaged over the beats of a subject, then over "
    "subjects. Errors are predicted - true, in mmHg. SD is that of the subjects' mean "
    "errors. Square brackets hold 95 % intervals over subjects; a dash means that a "
    "method does not answer.",
    "Waveform RMSE is taken after the best time shift of each beat; the unaligned "
    "score and the timing error stand beside. Shape RMSE also leaves out each wave's "
    "mean.",
    "A floor is a cheap estimator that a deep one must beat to be news. k is the "
    "number of labelled target subjects that a row has seen; a floor that does with "
    "fewer labels counts too. A row has won or lost only where the paired interval of "
    "the difference is clear of zero; everything else is a tie.",
)

_HEADS: Final = (
    "method",
    "role",
    "k",
    "subjects",
    "beats",
    "answered",
    "waveform RMSE",
    "unaligned",
    "shape RMSE",
    "timing (ms)",
    "SBP bias",
    "SBP SD",
    "SBP MAE",
    "SBP RMSE",
    "SBP R2",
    "PP RMSE",
    "ampl. R2",
)


def _cells(s: MethodScore) -> tuple[str, ...]:
    v = s.values

    def ranged(name: str) -> str:
        return with_interval(v[name], s.intervals[name])

    return (
        s.method,
        s.role,
        str(s.k),
        str(s.subjects),
        str(s.beats),
        f"{100 * s.accepted_fraction:.1f} %",
        ranged("wave_rmse"),
        number(v["wave_rmse_unaligned"]),
        number(v["shape_rmse"]),
        number(v["timing_ms"], 1),
        signed(v["sbp_bias"]),
        number(v["sbp_sd"]),
        ranged("sbp_mae"),
        ranged("sbp_rmse"),
        number(v["sbp_r2"]),
        ranged("pp_rmse"),
        ranged("amplification_r2"),
    )


def _score_table(
    scores: Sequence[MethodScore], caption: str, emphasis: tuple[int, ...] = ()
) -> TableBlock:
    return TableBlock(caption, _HEADS, tuple(map(_cells, scores)), emphasis)


def _pressure_table(evaluation: Evaluation) -> TableBlock:
    keys = ("bias", "sd", "mae", "rmse", "r2")
    heads = [f"{p.upper()} {'R2' if k == 'r2' else k}" for p in PRESSURES for k in keys]
    rows = []
    for s in evaluation.scores:
        cells = [
            (signed if key == "bias" else number)(s.values[f"{p}_{key}"])
            for p in PRESSURES
            for key in keys
        ]
        rows.append((f"{s.method} (k = {s.k})", *cells))
    caption = "All four central pressures, mmHg (R2 without unit)."
    return TableBlock(caption, ("method", *heads), tuple(rows))


def _aami_table(evaluation: Evaluation) -> TableBlock:
    rows = tuple(
        (f"{s.method} (k = {s.k})", s.role, s.aami or DASH) for s in evaluation.scores
    )
    caption = (
        "Central SBP: numerical comparison with the AAMI limits (|bias| <= 5, SD <= 8 "
        f"mmHg) on a {evaluation.reference_type} reference, calibration "
        f"{evaluation.calibration}."
    )
    return TableBlock(caption, ("method", "role", "comparison"), rows)


def _comparison_table(evaluation: Evaluation) -> TableBlock:
    rows = tuple(
        (
            f"{c.method_a[0]} (k = {c.method_a[1]})",
            f"{c.method_b[0]} (k = {c.method_b[1]})",
            label(c.metric),
            number(c.a),
            number(c.b),
            signed(c.difference),
            DASH
            if c.interval is None
            else f"[{signed(c.interval.low)}, {signed(c.interval.high)}]",
            str(c.subjects),
            c.outcome,
        )
        for c in evaluation.comparisons
    )
    caption = (
        "Paired differences on the beats that both rows answer, the same resamples "
        f"for both; calibration {evaluation.calibration}. The outcome is the first "
        "row's."
    )
    heads = (
        "row",
        "against",
        "statistic",
        "row's",
        "other's",
        "difference",
        "95 % interval",
        "subjects",
        "outcome",
    )
    return TableBlock(caption, heads, rows)


def _picture(png: bytes, caption: str, alt: str) -> FigureBlock:
    return FigureBlock(png=png, caption=caption, alt=alt)


def _figures(evaluation: Evaluation) -> tuple[FigureBlock, ...]:
    found = [
        _picture(
            ranking_figure(evaluation),
            "RMSE of central SBP of every row, with its 95 % interval over subjects. "
            "The best is on top.",
            "Dot plot of the RMSE of central SBP of every row; the numbers stand in "
            "the tables above.",
        )
    ]
    if len({s.k for s in evaluation.scores}) > 1:
        for metric in ("sbp_rmse", "wave_rmse"):
            if any(s.values[metric] is not None for s in evaluation.scores):
                name = label(metric)
                found.append(
                    _picture(
                        k_curve_figure(evaluation, metric),
                        f"{name} over the number of labelled target subjects. The wide "
                        "grey line is the best floor with no more labels.",
                        f"Curves of {name} over k; the numbers stand in the tables "
                        "above.",
                    )
                )
    shown = _shown(evaluation)
    if shown is None:
        return tuple(found)
    prediction = evaluation.prediction(shown.key)
    name = (
        f"{shown.method} (k = {shown.k}), the {shown.role} row with the lowest SBP RMSE"
    )
    if prediction.waveform is not None:
        found.append(
            _picture(
                waveform_figure(prediction, evaluation.reference),
                f"Best, median and worst beat of {name}, after the best time shift.",
                "Three aortic beats, predicted and true, from best to worst.",
            )
        )
    if shown.subjects > 1:
        found.append(
            _picture(
                bland_altman_figure(prediction, evaluation.reference),
                f"Bland-Altman plot of central SBP of {name}; one dot a subject.",
                f"Bias {signed(shown.values['sbp_bias'])} mmHg, SD "
                f"{number(shown.values['sbp_sd'])} mmHg.",
            )
        )
    return tuple(found)


def _shown(evaluation: Evaluation) -> MethodScore | None:
    """Return the row whose beats are drawn: a deep one where there is one."""
    for role in ("deep", "floor"):
        found = [
            (value, s.key, s)
            for s in evaluation.scores
            if s.role == role and (value := s.values["sbp_rmse"]) is not None
        ]
        if found:
            return min(found, key=lambda row: row[:2])[2]
    return None


def _calibration_section(evaluation: Evaluation) -> Section:
    e = evaluation
    where = f"calibration {e.calibration}, reference {e.reference_type}"
    floors = sorted((s for s in e.scores if s.role == "floor"), key=_by_k)
    others = sorted((s for s in e.scores if s.role != "floor"), key=_by_k)
    tables = [_score_table(floors, f"Floors, mmHg; {where}.")] if floors else []
    if others:
        deep = tuple(i for i, s in enumerate(others) if s.role == "deep")
        caption = f"Deep rows (set off) and controls, mmHg; {where}."
        tables.append(_score_table(others, caption, deep))
    if e.comparisons:
        tables.append(_comparison_table(e))
    tables += [_pressure_table(e), _aami_table(e)]
    text = (
        f"{e.subjects} subjects, {e.beats} beats, refused ones included. Bootstrap "
        f"with {e.resamples} resamples of subjects, seed {e.seed}."
    )
    return Section(
        title=f"Calibration: {e.calibration}",
        paragraphs=(text,),
        tables=tuple(tables),
        figures=_figures(e),
    )


def _by_k(score: MethodScore) -> tuple[int, float]:
    value = score.values["sbp_rmse"]
    return score.k, float("inf") if value is None else value


def _side_by_side(evaluations: Sequence[Evaluation]) -> Section:
    metrics = ("wave_rmse", "sbp_rmse", "amplification_r2")
    heads = [
        f"{label(m, unit=False)}, {e.calibration}" for m in metrics for e in evaluations
    ]
    keys = dict.fromkeys(s.key for e in evaluations for s in e.scores)
    rows = []
    for key in keys:
        scores = [{s.key: s for s in e.scores}.get(key) for e in evaluations]
        cells = [
            DASH if s is None else number(s.values[m]) for m in metrics for s in scores
        ]
        rows.append((f"{key[0]} (k = {key[1]})", *cells))
    caption = "The same rows under each calibration; pressures in mmHg."
    return Section(
        title="The calibrations side by side",
        paragraphs=(
            "An exact calibration judges methods: what remains is shape and "
            "amplification. A noisy cuff judges usefulness: its own error is then the "
            "greater part of every number.",
        ),
        tables=(TableBlock(caption, ("method", *heads), tuple(rows)),),
    )


def _summary(e: Evaluation) -> list[str]:
    deep = {s.key for s in e.scores if s.role == "deep"}
    lines = []
    for metric in ("sbp_rmse", "wave_rmse"):
        count = Counter(
            c.outcome
            for c in e.comparisons
            if c.metric == metric
            and c.method_a in deep
            and c.method_b == e.best_floor(c.method_a[1], metric).key
        )
        if not count:
            continue
        said = ", ".join(
            f"{count[o]} {o}" for o in ("won", "tied", "lost", "undecided") if count[o]
        )
        lines.append(
            f"Calibration {e.calibration}, {label(metric, unit=False)}: of "
            f"{sum(count.values())} deep rows against the best floor with no more "
            f"labels, {said}."
        )
    return lines + [f"Calibration {e.calibration}, {x}" for x in verdict_lines(e)]


def benchmark_report(
    evaluations: Mapping[str, Evaluation], provenance: Mapping[str, object]
) -> Report:
    """Tell what a benchmark with a known truth has shown.

    Args:
        evaluations: One a calibration, by the name of the calibration, in the order
            to show them.
        provenance: What made the numbers: configuration, seeds, versions, hashes.

    Returns:
        The report, for `capnet.evaluation.write_report`.

    Raises:
        ProtocolError: If there is no evaluation, one is filed under a calibration
            that it does not have, or their reference types differ.
    """
    _check(evaluations)
    each = list(evaluations.values())
    kind = each[0].reference_type
    people = "virtual people" if kind == "simulated" else "people"
    verdict = [line for e in each for line in _summary(e)]
    sections = [Section("How to read this", _READING)]
    sections += [_calibration_section(e) for e in each]
    if len(each) > 1:
        sections.append(_side_by_side(each))
    return Report(
        title="Central arterial pressure: deep estimators against floors",
        subtitle=(
            f"Reference: {kind}. {each[0].subjects} held-out {people}; calibration: "
            f"{', '.join(evaluations)}."
        ),
        verdict=tuple(verdict),
        sections=tuple(sections),
        provenance=provenance,
        limits=LIMITS[kind] + _COMMON_LIMITS,
    )


def _check(evaluations: Mapping[str, Evaluation]) -> None:
    if not evaluations:
        msg = "no evaluation to report; wanted at least one calibration."
        raise ProtocolError(msg)
    for name, e in evaluations.items():
        if name != e.calibration:
            msg = (
                f"the evaluation under {name!r} is of calibration {e.calibration!r}; "
                "file it under its own."
            )
            raise ProtocolError(msg)
    kinds = sorted({e.reference_type for e in evaluations.values()})
    if len(kinds) > 1:
        msg = f"reference types {kinds} are never pooled; write one report for each."
        raise ProtocolError(msg)
