"""Chapter of a report: floors, deep rows and controls, with all their numbers."""

from collections.abc import Sequence
from typing import Final

from capnet.evaluation.beat_scores import INDEX_BEATS, PRESSURES
from capnet.evaluation.evaluate import Evaluation, MethodScore
from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.figures import k_curve_figure, ranking_figure
from capnet.evaluation.wording import (
    DASH,
    between,
    label,
    number,
    signed,
    with_interval,
)

__all__ = ["scores_section"]

_FURTHER: Final = (
    *("wave_rmse_unaligned", "wave_rmse_foot", "shape_rmse", "timing_ms"),
    *("sbp_mase", "sbp_explained_deviation", "sbp_tracking"),
    *("aix_mae", "form_factor_mae", "ejection_time_mae"),
)
"""Statistics with a table of their own."""

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


def scores_section(e: Evaluation, where: str) -> Section:
    """Lay out the scores of every row: floors first, then what they are floors of.

    Args:
        e: Of one calibration.
        where: Calibration and reference type, for captions.
    """
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


def _by_k(score: MethodScore) -> tuple[int, float]:
    value = score.values["sbp_rmse"]
    return score.k, float("inf") if value is None else value


def _score_table(
    scores: Sequence[MethodScore], caption: str, emphasis: tuple[int, ...] = ()
) -> TableBlock:
    return TableBlock(caption, _HEADS, tuple(map(_cells, scores)), emphasis)


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


def _has(evaluation: Evaluation, metric: str) -> bool:
    return any(s.values[metric] is not None for s in evaluation.scores)
