"""Where the error comes from, and what a worse cuff would cost."""

from collections.abc import Sequence
from typing import Final

from capnet.errors import ProtocolError
from capnet.evaluation.budget import PARTS, ErrorBudget, NoiseLevel
from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.drawing import BLUE, GREY, new_figure, png_of, tidy
from capnet.evaluation.wording import DASH, between, number, signed, with_interval

__all__ = ["budget_figure", "budget_section", "noise_section"]

_MEANING: Final = {
    "shape": "what the pulse does not tell of a single beat, with an exact cuff",
    "cuff": "what the reading adds",
    "reference": "the reference's own error",
    "person": "what stays with a person, with an exact cuff",
    "model": "what another training seed or other labels change",
}


def budget_section(budget: ErrorBudget) -> Section:
    """Tell what the error of one method is made of.

    Args:
        budget: Of `capnet.evaluation.error_budget`.
    """
    rows = [
        (
            name,
            _MEANING[name],
            number(getattr(budget, name)),
            between(budget.intervals.get(name)),
        )
        for name in PARTS
    ]
    both = budget.bias + budget.cuff_bias
    rows += [
        (
            "bias",
            f"mean error: {signed(budget.bias)} with an exact cuff, "
            f"{signed(budget.cuff_bias)} more with the reading",
            signed(both),
            DASH,
        ),
        (
            "cross term",
            "twice the covariance of the reading's effect with the rest (mmHg²)",
            signed(budget.cross),
            DASH,
        ),
        (
            "total",
            f"RMSE with the reading; {number(budget.exact)} with an exact cuff",
            number(budget.total),
            between(budget.intervals.get("total")),
        ),
        (
            "limit of the cuff",
            "where the SD of linear methods ends that know the clinic",
            number(budget.limit),
            DASH,
        ),
    ]
    what = budget.quantity.upper()
    table = TableBlock(
        f"Parts of the error of {what}, standard deviations (mmHg), with 95 % "
        f"intervals over subjects; reference {budget.reference_type}, calibration "
        f"{budget.calibration}",
        ("part", "what it is", "mmHg", "95 % interval"),
        tuple(rows),
        emphasis=(len(rows) - 2,),
    )
    told = (
        f"Error of central {what} of {budget.method} (k = {budget.k}) on "
        f"{budget.subjects} subjects, {budget.beats} beats, reference "
        f"{budget.reference_type}: the same people with exact arm pressures and with a "
        f"reading ({budget.calibration}). The squares of the parts and of the bias, "
        "and the cross term, add up to the square of the total."
    )
    figure = FigureBlock(
        budget_figure(budget),
        f"Parts of the error of {what} (mmHg), and the information limit of the cuff",
        "Bars of the parts and the total; the numbers stand in the table.",
    )
    return Section(
        "Where the error comes from", (told, *budget.notes), (table,), (figure,)
    )


def budget_figure(budget: ErrorBudget) -> bytes:
    """Draw the parts as bars, those that cannot be separated as nothing.

    Args:
        budget: What was found.

    Returns:
        A PNG file.
    """
    names = [*PARTS, "total"]
    figure = new_figure(7.0, 2.9)
    ax = figure.subplots()
    for row, name in enumerate(names):
        value = getattr(budget, name)
        if value is None:
            ax.text(0.0, row, " not separable", va="center", fontsize=9)
            continue
        ax.barh(row, value, color=GREY if name == "total" else BLUE, height=0.62)
        ends = budget.intervals.get(name)
        if ends is not None:
            ax.plot(ends, (row, row), color="black", lw=1.4)
    if budget.limit is not None:
        ax.axvline(budget.limit, color="black", ls="--", lw=1.2)
        ax.text(budget.limit, -0.62, " limit of the cuff", fontsize=9, va="bottom")
    ax.set_yticks(range(len(names)), names)
    ax.invert_yaxis()
    ax.set_xlabel(f"error of central {budget.quantity.upper()} (mmHg)")
    tidy(ax)
    return png_of(figure)


def noise_section(levels: Sequence[NoiseLevel], metric: str = "sbp_rmse") -> Section:
    """Tell what methods reach while readings err more and more.

    Args:
        levels: Of `capnet.evaluation.under_cuff_noise`.
        metric: Which statistic.

    Raises:
        ProtocolError: If there is no level.
    """
    if len(levels) == 0:
        msg = "no level of noise to report; wanted those of under_cuff_noise."
        raise ProtocolError(msg)
    first = levels[0].evaluation
    rows = []
    for score in first.scores:
        cells = [f"{score.method} (k = {score.k})"]
        for level in levels:
            found = level.evaluation.score(score.key)
            ends = found.intervals.get(metric)
            cells.append(with_interval(found.values[metric], ends))
        rows.append(tuple(cells))
    heads = tuple(f"SD {number(v.sd, 1)}, bias {signed(v.bias, 1)}" for v in levels)
    table = TableBlock(
        f"{metric.replace('_', ' ').upper()} (mmHg) with 95 % intervals over "
        f"{first.subjects} subjects, by the error that was added to every reading "
        f"(mmHg); reference {first.reference_type}, calibration before "
        f"{first.calibration}",
        ("method", *heads),
        tuple(rows),
    )
    told = (
        "Every reading was made to err anew, the same deviates at every level. Nothing "
        "was trained again: this is what happens to a method whose cuff is worse than "
        "it was told."
    )
    return Section("A worse cuff", (told,), (table,))
