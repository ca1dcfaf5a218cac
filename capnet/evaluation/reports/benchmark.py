"""The report of a benchmark with a known truth: verdict first, floors beside."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from capnet.errors import ProtocolError
from capnet.evaluation.beat_scores import INDEX_BEATS, PRESSURES
from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.judgement import Judgement, judge_evaluation
from capnet.evaluation.reports.alignment_section import alignment_section
from capnet.evaluation.reports.circularity_section import circularity_section
from capnet.evaluation.reports.content import FigureBlock, Report, Section, TableBlock
from capnet.evaluation.reports.figures import (
    bland_altman_figure,
    k_curve_figure,
    ranking_figure,
    waveform_figure,
)
from capnet.evaluation.reports.floors_section import floors_section
from capnet.evaluation.reports.protocols_section import protocols_section
from capnet.evaluation.reports.refused_section import refused_section
from capnet.evaluation.reports.strata_section import (
    repeats_section,
    shift_section,
    strata_section,
)
from capnet.evaluation.reports.uncertainty_section import uncertainty_section
from capnet.evaluation.uncertainty.coverage import Coverage
from capnet.evaluation.verdict import verdict_lines
from capnet.evaluation.wording import (
    DASH,
    between,
    label,
    number,
    signed,
    with_interval,
)

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
    "Intervals are over subjects. They do not hold the luck of the training seed or of "
    "the draw of the labelled subjects unless repeats are shown, and each stands for "
    "itself; the outcomes of deep rows against floors are corrected for their number "
    "(Holm 1979).",
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
    "MASE is the mean absolute error over that of holding the reading that calibrates: "
    "below 1 is news. Explained deviation is the SD of the true pressures over that of "
    "the errors. The tracking slope is the predicted over the true change within a "
    "subject: 1 follows it, 0 is what a held reading does.",
    "A floor is a cheap estimator that a deep one must beat to be news. k is the "
    "number of labelled target subjects that a row has seen; a floor that does with "
    "fewer labels counts too. A row has won or lost only where the paired interval of "
    "the difference is clear of zero and Holm's corrected p-value of all such pairs of "
    "the calibration is below 0.05; everything else is a tie.",
)

_AGREEMENT: Final = (
    "Bland-Altman plots (Bland & Altman 1986): predicted - true over the mean of both, "
    "averaged over the beats of each subject first. The slope tells whether the error "
    "grows with the pressure; an estimator that shrinks towards the mean has a "
    "negative one."
)

_FURTHER: Final = (
    *("wave_rmse_unaligned", "wave_rmse_foot", "shape_rmse", "timing_ms"),
    *("sbp_mase", "sbp_explained_deviation", "sbp_tracking"),
    *("aix_mae", "form_factor_mae", "ejection_time_mae"),
)
"""Statistics with a table of their own."""

_MANY: Final = 3
"""Lines of one calibration that the verdict holds beside the first."""

_FEWEST: Final = 2
"""Subjects: limits of agreement want a spread."""

_HEADS: Final = (
    "method",
    "role",
    "k",
    "SBP RMSE",
    "SBP bias",
    "SBP SD",
    "waveform RMSE",
    "ampl. R2",
    "subjects",
    "beats",
    "answered",
)
"""The numbers of the verdict; all others stand folded below."""


def _cells(s: MethodScore) -> tuple[str, ...]:
    v = s.values

    def ranged(name: str) -> str:
        return with_interval(v[name], s.intervals[name])

    return (
        s.method,
        s.role,
        str(s.k),
        ranged("sbp_rmse"),
        signed(v["sbp_bias"]),
        number(v["sbp_sd"]),
        ranged("wave_rmse"),
        ranged("amplification_r2"),
        str(s.subjects),
        str(s.beats),
        f"{100 * s.accepted_fraction:.1f} %",
    )


def _score_table(
    scores: Sequence[MethodScore], caption: str, emphasis: tuple[int, ...] = ()
) -> TableBlock:
    return TableBlock(caption, _HEADS, tuple(map(_cells, scores)), emphasis)


def _pressure_table(evaluation: Evaluation, where: str) -> TableBlock:
    keys = {"bias": "bias", "sd": "SD", "mae": "MAE", "rmse": "RMSE", "r2": "R2"}
    heads = [f"{p.upper()} {word}" for p in PRESSURES for word in keys.values()]
    rows = []
    for s in evaluation.scores:
        cells = []
        for name in (f"{p}_{key}" for p in PRESSURES for key in keys):
            text = (signed if name.endswith("bias") else number)(s.values[name])
            ends = s.intervals.get(name)
            cells.append(text if ends is None else f"{text} {between(ends)}")
        rows.append((f"{s.method} (k = {s.k})", str(s.subjects), *cells))
    caption = f"All four central pressures, mmHg (R2 without unit); {where}."
    columns = ("method", "subjects", *heads)
    return TableBlock(caption, columns, tuple(rows), folded=True)


def _further_table(evaluation: Evaluation, where: str) -> TableBlock:
    """Lay out what is read of some beats or some subjects only, with its n."""
    rows = []
    for s in evaluation.scores:
        cells = [f"{s.method} (k = {s.k})", str(s.subjects)]
        for name in _FURTHER:
            value = with_interval(s.values[name], s.intervals.get(name))
            some = value != DASH and s.counts[name] < s.subjects
            cells.append(f"{value} (n = {s.counts[name]})" if some else value)
        rows.append(tuple(cells))
    caption = (
        "Waves, naive comparison, tracking and indices; n stands where a quantity "
        "cannot be read of every subject. AIx, form factor and ejection time are read "
        f"of at most {INDEX_BEATS} beats of each subject; {where}."
    )
    columns = ("method", "subjects", *map(label, _FURTHER))
    return TableBlock(caption, columns, tuple(rows), folded=True)


def _aami_table(evaluation: Evaluation) -> TableBlock:
    rows = tuple(
        (f"{s.method} (k = {s.k})", s.role, s.aami or DASH) for s in evaluation.scores
    )
    caption = (
        "Central SBP: numerical comparison with the AAMI limits (|bias| <= 5, SD <= 8 "
        f"mmHg) on a {evaluation.reference_type} reference, calibration "
        f"{evaluation.calibration}."
    )
    columns = ("method", "role", "comparison")
    return TableBlock(caption, columns, rows, folded=True)


def _comparison_table(evaluation: Evaluation, where: str) -> TableBlock:
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
            number(c.p_value, 3),
            number(c.p_holm, 3),
            str(c.subjects),
            c.outcome,
        )
        for c in evaluation.comparisons
    )
    caption = (
        "Paired differences on the beats that both rows answer, the same resamples "
        f"for both; {where}. The outcome is the first row's."
    )
    heads = (
        "row",
        "against",
        "statistic",
        "row's",
        "other's",
        "difference",
        "95 % interval",
        "p",
        "p (Holm)",
        "subjects",
        "outcome",
    )
    return TableBlock(caption, heads, rows, folded=True)


def _has(evaluation: Evaluation, metric: str) -> bool:
    return any(s.values[metric] is not None for s in evaluation.scores)


def _score_figures(evaluation: Evaluation) -> tuple[FigureBlock, ...]:
    found = []
    if _has(evaluation, "sbp_rmse"):
        figure = FigureBlock(
            png=ranking_figure(evaluation),
            caption="RMSE of central SBP of every row, with its 95 % interval over "
            "subjects. The best is on top.",
            alt="Dot plot of the RMSE of central SBP of every row; the numbers stand "
            "in the tables above.",
        )
        found.append(figure)
    if len({s.k for s in evaluation.scores}) > 1:
        for metric in ("sbp_rmse", "wave_rmse"):
            if any(
                s.values[metric] is not None
                for s in evaluation.scores
                if s.role != "control"
            ):
                name = label(metric)
                figure = FigureBlock(
                    png=k_curve_figure(evaluation, metric),
                    caption=f"{name} over the number of labelled target subjects. The "
                    "wide grey line is the best floor with no more labels.",
                    alt=f"Curves of {name} over k; the numbers stand in the tables "
                    "above.",
                )
                found.append(figure)
    return tuple(found)


def _scores_part(e: Evaluation, where: str) -> Section:
    floors = sorted((s for s in e.scores if s.role == "floor"), key=_by_k)
    others = sorted((s for s in e.scores if s.role != "floor"), key=_by_k)
    said = f"central pressure, mmHg, 95 % intervals over subjects; {where}."
    tables = [_score_table(floors, f"Floors: {said}")] if floors else []
    if others:
        deep = tuple(i for i, s in enumerate(others) if s.role == "deep")
        caption = f"Deep rows (set off) and controls: {said}"
        tables.append(_score_table(others, caption, deep))
    if e.comparisons:
        tables.append(_comparison_table(e, where))
    tables += [_pressure_table(e, where), _further_table(e, where)]
    return Section(
        "Floors, deep rows and controls", (), tuple(tables), _score_figures(e)
    )


def _agreement_part(judgement: Judgement) -> Section | None:
    """Draw the Bland-Altman plots of the rows that are looked at closely."""
    e = judgement.evaluation
    figures = []
    for method in judgement.methods:
        score = e.score(method.key)
        if score.subjects < _FEWEST:
            continue
        figure = FigureBlock(
            png=bland_altman_figure(e.prediction(method.key), e.reference),
            caption=f"Bland-Altman plot of central SBP of {method.name}, {score.role}; "
            "one dot a subject.",
            alt=f"Bias {signed(score.values['sbp_bias'])} mmHg, SD "
            f"{number(score.values['sbp_sd'])} mmHg, n = {score.subjects} subjects.",
        )
        figures.append(figure)
    if not figures:
        return None
    return Section("Agreement", (_AGREEMENT,), figures=tuple(figures))


def _waves_part(judgement: Judgement) -> Section | None:
    """Draw best, median and worst beats of the rows that answer waves."""
    e = judgement.evaluation
    figures = []
    for method in judgement.methods:
        if e.score(method.key).values["wave_rmse"] is None:
            continue
        figure = FigureBlock(
            png=waveform_figure(e.scored[e.position(method.key)]),
            caption=f"Best, median and worst beat of {method.name}, after the best "
            "time shift.",
            alt="Three aortic beats, predicted and true, from best to worst; the "
            "average RMSE stands in the tables above.",
        )
        figures.append(figure)
    if not figures:
        return None
    return Section("Best, median and worst beats", (), figures=tuple(figures))


def _uncertainty_parts(judgement: Judgement) -> list[Section]:
    """Tell what intervals and doubts are worth, of each method that has them."""
    found = []
    for place, m in enumerate(judgement.methods):
        if m.coverage is None and m.risk_coverage is None:
            continue
        held: Coverage | Mapping[str, Coverage] | None = m.coverage
        if m.coverage is not None and judgement.elsewhere and place == 0:
            held = {"the people of this page": m.coverage, **judgement.elsewhere}
        section = uncertainty_section(held, m.risk_coverage)
        found.append(replace(section, title=f"{section.title}: {m.name}"))
    return found


def _protocols_part(judgement: Judgement) -> Section:
    """Hold the rows looked at closely beside all standards, every row beside AAMI."""
    found = {m.name: m.comparisons for m in judgement.methods}
    section = protocols_section(found)
    every = _aami_table(judgement.evaluation)
    first, rest = section.tables[:1], section.tables[1:]
    folded = tuple(replace(table, folded=True) for table in rest)
    return replace(section, tables=(*first, *folded, every))


def _cuff_parts(judgement: Judgement) -> list[Section]:
    """Tell what the cuff has to do with the errors, where somebody found out."""
    if judgement.budget is None and not judgement.noise:
        return []
    # Imported here: whoever made a budget has loaded torch, no other reader needs to.
    from capnet.evaluation.reports.budget_section import budget_section, noise_section

    found = [] if judgement.budget is None else [budget_section(judgement.budget)]
    if judgement.noise:
        section = noise_section(judgement.noise)
        folded = tuple(replace(table, folded=True) for table in section.tables)
        found.append(replace(section, tables=folded))
    return found


def _strata_part(judgement: Judgement) -> Section | None:
    """Show the figures of groups; their tables are folded."""
    if not judgement.methods:
        return None
    section = strata_section({m.name: m.strata for m in judgement.methods})
    folded = tuple(replace(table, folded=True) for table in section.tables)
    return replace(section, tables=folded)


def _leakage_part(judgement: Judgement) -> Section | None:
    if judgement.leakage is None:
        return None
    from capnet.evaluation.reports.leakage_section import leakage_section  # likewise

    return leakage_section(judgement.leakage)


def _parts(judgement: Judgement, where: str) -> list[Section]:
    """Return what is known of one calibration, in reading order."""
    j = judgement
    found: list[Section | None] = [
        _scores_part(j.evaluation, where),
        _agreement_part(j),
        _strata_part(j),
        *_uncertainty_parts(j),
        refused_section(j.refused),
        _waves_part(j),
        None if j.alignment is None else alignment_section(j.alignment),
        _protocols_part(j),
        floors_section(j.evaluation),
        *_cuff_parts(j),
        _leakage_part(j),
        None if j.circularity is None else circularity_section(j.circularity),
        None if j.repeats is None else repeats_section(j.repeats),
        None if j.shift is None else shift_section(j.shift),
    ]
    e = j.evaluation
    told = f"calibration {e.calibration}", f"reference {e.reference_type}"
    return [_placed(part, told) for part in found if part is not None]


def _placed(section: Section, told: tuple[str, ...]) -> Section:
    """Let every caption say the calibration and the reference type of its numbers."""

    def said(caption: str) -> str:
        lost = [words for words in told if words not in caption]
        if not lost:
            return caption
        start = caption.rstrip(" .")
        return f"{start}; {', '.join(lost)}."

    return replace(
        section,
        tables=tuple(replace(t, caption=said(t.caption)) for t in section.tables),
        figures=tuple(replace(f, caption=said(f.caption)) for f in section.figures),
    )


def _ground(e: Evaluation) -> str:
    """Begin a line of the verdict: what its numbers stand on."""
    return f"Calibration {e.calibration}, reference {e.reference_type}"


def _warnings(judgement: Judgement) -> list[str]:
    """Say first what takes the ground away from the numbers below."""
    where = _ground(judgement.evaluation)
    lines = []
    if judgement.circularity is not None and judgement.circularity.flagged is not False:
        lines.append(f"{where}: {judgement.circularity.verdict}")
    if judgement.leakage is not None and not judgement.leakage.clean:
        lines.append(
            f"{where}: tested people are known to the methods "
            f"({len(judgement.leakage.findings)} findings). The numbers below are not "
            "those of new people."
        )
    return lines + [
        f"{where}: the {m.coverage.nominal:.0%} intervals of {m.name} hold the truth "
        f"in {m.coverage.everybody.share:.0%} only. They are too narrow for these "
        "people."
        for m in judgement.methods
        if m.coverage is not None and m.coverage.everybody.claim == "too low"
    ]


def _calibration_section(judgement: Judgement) -> Section:
    e = judgement.evaluation
    where = f"calibration {e.calibration}, reference {e.reference_type}"
    close = " and ".join(m.name for m in judgement.methods)
    text = (
        f"{e.subjects} subjects, {e.beats} beats, refused ones included. Bootstrap "
        f"with {e.resamples} resamples of subjects, seed {e.seed}.",
        *([f"Looked at closely below: {close}."] if close else []),
        *(_each_k(e) if len(_each_k(e)) > _MANY else ()),
    )
    return Section(
        title=f"Calibration: {e.calibration}",
        paragraphs=text,
        parts=tuple(_parts(judgement, where)),
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
    n = ", ".join(f"{e.subjects} subjects with {e.calibration}" for e in evaluations)
    kind = evaluations[0].reference_type
    caption = (
        "The same rows under each calibration, pressures in mmHg; reference "
        f"{kind}, {n}. Intervals stand in the chapters."
    )
    return Section(
        title="The calibrations side by side",
        paragraphs=(
            "An exact calibration judges methods: what remains is shape and "
            "amplification. A noisy cuff judges usefulness: its own error is then the "
            "greater part of every number.",
        ),
        tables=(TableBlock(caption, ("method", *heads), tuple(rows)),),
    )


def _beaten(e: Evaluation, metric: str) -> tuple[str, str] | None:
    """Say in words how many deep rows beat the best floor, and by which counts.

    None where none met one.
    """
    count = Counter(c.outcome for c in e.planned if c.metric == metric)
    met, won = sum(count.values()), count["won"]
    if not met:
        return None
    every = "the deep row is" if met == 1 else f"all {met} deep rows are"
    verb = "is" if won == 1 else "are"
    who = {0: "no deep row is", met: every}.get(won, f"{won} of {met} deep rows {verb}")
    found = f"{who} shown to be better than the best floor with no more labels"
    if count["lost"] == met:
        found = f"{every} worse than the best floor with no more labels"
    said = ", ".join(
        f"{count[o]} {o}" for o in ("won", "tied", "lost", "undecided") if count[o]
    )
    return found, f"{label(metric, unit=False)}: {said}"


def _headline(e: Evaluation) -> str:
    """Say the answer of one calibration in a sentence."""
    answers: dict[str, list[str]] = {}
    for metric in ("sbp_rmse", "wave_rmse"):
        beaten = _beaten(e, metric)
        if beaten is not None:
            answers.setdefault(beaten[0], []).append(beaten[1])
    if answers:
        told = "; ".join(f"{text} ({', '.join(by)})" for text, by in answers.items())
        return f"{_ground(e)}, n = {e.subjects} subjects: {told}."
    deep = [s for s in e.scores if s.role == "deep"]
    if deep and not any(s.beats for s in deep):
        return (
            f"{_ground(e)}: no deep row answers a beat whose truth is known; nothing "
            "can be claimed."
        )
    if deep:
        return (
            f"{_ground(e)}: no deep row stands beside a floor that answers the same; "
            "nothing can be claimed."
        )
    return (
        f"{_ground(e)}: there is no deep row; floors and controls are compared among "
        "themselves."
    )


def _no_gain(e: Evaluation) -> list[str]:
    """Say which deep rows are no better than the control made to explain them."""
    roles = {s.key: s.role for s in e.scores}
    pairs = [
        f"{c.method_a[0]} (k = {c.method_a[1]}) than {c.method_b[0]} "
        f"(k = {c.method_b[1]}), {c.outcome}"
        for c in e.asked
        if c.metric == "sbp_rmse"
        and c.outcome != "won"
        and (roles[c.method_a], roles[c.method_b]) == ("deep", "control")
    ]
    if not pairs:
        return []
    return [
        f"{_ground(e)}: by SBP RMSE, not shown to be better than its control: "
        f"{'; '.join(pairs)}. What the control leaves out has not been shown to help."
    ]


def _summary(evaluations: Sequence[Evaluation]) -> list[str]:
    """Give the answers first, then what they rest on, while that is short."""
    lines = [_headline(e) for e in evaluations]
    for e in evaluations:
        lines += [f"{_ground(e)}, {x}" for x in _each_k(e)[:_MANY]]
        if len(_each_k(e)) > _MANY:
            lines.append(
                f"{_ground(e)}: {len(_each_k(e)) - _MANY} more k stand in its chapter."
            )
        lines += _no_gain(e)
    return lines


def _each_k(e: Evaluation) -> tuple[str, ...]:
    """Say for each k what the best deep row reached; nothing where none met a floor."""
    return verdict_lines(e) if _beaten(e, "sbp_rmse") else ()


def benchmark_report(
    evaluations: Mapping[str, Evaluation | Judgement], provenance: Mapping[str, object]
) -> Report:
    """Tell what a benchmark with a known truth has shown.

    Args:
        evaluations: One a calibration, by the name of the calibration, in the order
            to show them; `capnet.evaluation.judge_evaluation` makes a judgement with
            more to tell (leakage, circularity, an error budget ...), and is called for
            plain evaluations.
        provenance: What made the numbers: configuration, seeds, versions, hashes.

    Returns:
        The report, for `capnet.evaluation.write_report`.

    Raises:
        ProtocolError: If there is no evaluation, one is filed under a calibration
            that it does not have, or their reference types differ.
    """
    each = {
        name: found if isinstance(found, Judgement) else judge_evaluation(found)
        for name, found in evaluations.items()
    }
    plain = {name: j.evaluation for name, j in each.items()}
    _check(plain)
    first = next(iter(plain.values()))
    kind = first.reference_type
    people = "virtual people" if kind == "simulated" else "people"
    verdict = [line for j in each.values() for line in _warnings(j)]
    verdict += _summary([*plain.values()])
    sections = [Section("How to read this", _READING)]
    sections += [_calibration_section(j) for j in each.values()]
    if len(each) > 1:
        sections.append(_side_by_side([*plain.values()]))
    return Report(
        title="Central arterial pressure: deep estimators against floors",
        subtitle=(
            f"Reference: {kind}. {first.subjects} held-out {people}; calibration: "
            f"{', '.join(each)}."
        ),
        verdict=tuple(verdict),
        sections=tuple(sections),
        provenance=provenance,
        limits=LIMITS[kind] + _COMMON_LIMITS,
        numbers={"evaluations": {name: j.to_dict() for name, j in each.items()}},
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
