"""The chapter on intervals and refusal: what they state, what was found."""

from collections.abc import Mapping
from typing import Final

from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.drawing import (
    BLUE,
    GREY,
    RED,
    new_figure,
    png_of,
    tidy,
)
from capnet.evaluation.uncertainty.coverage import LEAST, Coverage, CoverageScore
from capnet.evaluation.uncertainty.risk_coverage import RiskCoverage
from capnet.evaluation.wording import number, with_interval

__all__ = ["uncertainty_section"]

_SHOWN: Final = 0.05
"""Of fewer answers than this share a risk is all chance."""
_TITLE: Final = "How sure the answers are"
_PROMISE: Final = (
    "Intervals are calibrated by split conformal prediction with one drawn beat of "
    "each calibrating subject: they promise to hold a random beat of a new subject of "
    "the same kind, on average over people. They promise nothing for a single person, "
    "for all four pressures at once, or for people of another kind, another sensor or "
    "another way of calibration: there, what was counted here is all that is known."
)


def uncertainty_section(
    coverage: Coverage | Mapping[str, Coverage] | None,
    risk: RiskCoverage | None = None,
) -> Section:
    """Write what intervals hold, and what refusing doubtful answers is worth.

    Args:
        coverage: Of one set of people, or of several by their names, for example those
            at home beside those under shift; None without.
        risk: None without.
    """
    named = {"": coverage} if isinstance(coverage, Coverage) else dict(coverage or {})
    paragraphs = [*_found(named), *([] if risk is None else _refusal(risk))]
    if not paragraphs:
        paragraphs = ["The methods answer without intervals and without a doubt."]
    return Section(
        title=_TITLE,
        paragraphs=tuple(paragraphs),
        tables=(_table(named),) if named else (),
        figures=() if risk is None else (_figure(risk),),
    )


def _found(named: Mapping[str, Coverage]) -> list[str]:
    if not named:
        return []
    lines = [_PROMISE]
    for who, found in named.items():
        score, place = found.everybody, f" in {who}" if who else ""
        sentence = {
            "as stated": "The interval of that share holds the stated one.",
            "too low": "That is LESS than stated: the intervals are too narrow here.",
            "higher than stated": "That is more than stated: they are too wide here.",
            "too few to tell": "That is too few people to tell.",
        }[score.claim]
        lines.append(
            f"{found.method} (k = {found.k}), calibration {found.calibration}, "
            f"reference {found.reference_type}: {found.nominal:.0%} intervals of "
            f"{found.quantity.upper()}{place} held the truth in a share of "
            f"{with_interval(score.share, score.interval)} of the beats, the mean of "
            f"n = {score.subjects} subjects. {sentence}"
        )
    return lines


def _table(named: Mapping[str, Coverage]) -> TableBlock:
    rows = [
        _row(f"{who}: {score.group}" if who else score.group, found, score)
        for who, found in named.items()
        for score in found.scores
    ]
    return TableBlock(
        caption=(
            "Coverage: mean over subjects of the share of beats whose interval holds "
            "the truth, with its 95 % interval over subjects. A group with fewer than "
            f"{LEAST} subjects, calibrating or judged, shows its interval, not a claim."
        ),
        columns=(
            *("people", "quantity", "stated", "found [95 %]", "mean width (mmHg)"),
            *("no finite interval", "n subjects", "calibrated on", "verdict"),
        ),
        rows=tuple(rows),
    )


def _row(who: str, found: Coverage, score: CoverageScore) -> tuple[str, ...]:
    return (
        who,
        found.quantity.upper(),
        number(found.nominal),
        with_interval(score.share, score.interval),
        number(score.width, 1),
        f"{score.infinite:.0%}",
        str(score.subjects),
        number(score.calibrated, 0),
        score.claim,
    )


def _refusal(risk: RiskCoverage) -> list[str]:
    verdict = (
        "Refusing by doubt lowers the error beyond chance."
        if risk.helps
        else "That refusing by doubt lowers the error cannot be told from chance."
    )
    return [
        f"{risk.method} (k = {risk.k}), calibration {risk.calibration}, reference "
        f"{risk.reference_type}: of {risk.subjects} subjects, "
        f"{risk.quantity.upper()} RMSE is {number(risk.full)} mmHg with all answers "
        f"and {number(risk.risk)} with the {risk.kept:.0%} least doubtful: ratio "
        f"{with_interval(risk.ratio, risk.interval)}. {verdict} Area under the curve "
        f"{number(risk.aurc)} mmHg; {number(risk.aurc_best)} if the doubt knew the "
        "error."
    ]


def _figure(risk: RiskCoverage) -> FigureBlock:
    figure = new_figure(6.0, 3.4)
    ax = figure.subplots()
    points = [p for p in risk.curve if p.coverage >= _SHOWN]
    share = [100.0 * p.coverage for p in points]
    ax.plot(share, [p.risk for p in points], color=BLUE, label="refused by doubt")
    ax.axhline(risk.full, color=GREY, linestyle="--", label="all answers")
    ax.plot([100.0 * risk.kept], [risk.risk], "o", color=RED, label="told above")
    ax.set(
        xlabel="answers kept (%)",
        ylabel=f"{risk.quantity.upper()} RMSE (mmHg)",
        ylim=(0.0, None),
    )
    where = f"calibration: {risk.calibration}; reference: {risk.reference_type}"
    ax.set_title(where, fontsize=10)
    ax.legend(frameon=False, fontsize=8)
    tidy(ax)
    said = (
        f"{risk.method} (k = {risk.k}): {risk.quantity.upper()} RMSE of the answers "
        f"kept when the most doubtful are refused first; n = {risk.subjects} subjects."
    )
    alt = (
        f"Curve: {number(points[0].risk)} mmHg at {points[0].coverage:.0%} of the "
        f"answers, {number(risk.risk)} at {risk.kept:.0%}, {number(risk.full)} at all."
    )
    return FigureBlock(png=png_of(figure), caption=said, alt=alt)
