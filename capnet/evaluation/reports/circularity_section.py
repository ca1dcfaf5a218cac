"""What the circularity test says in a report."""

from capnet.evaluation.audits.circular import Circularity
from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.drawing import (
    BLUE,
    GREY,
    INK,
    RED,
    new_figure,
    png_of,
    tidy,
)
from capnet.evaluation.wording import number

__all__ = ["circularity_section"]

_SHOWN = 8


def circularity_section(result: Circularity) -> Section:
    """Tell whether a common filter makes the reference out of the input.

    Args:
        result: Of `capnet.evaluation.circularity`.

    Returns:
        The section.
    """
    used = (
        f"{result.n_subjects} subjects and {result.n_beats} beats were used (seed "
        f"{result.seed}). With the noise of the reference the best filter leaves "
        f"{number(result.left)} mmHg; its score is what is beyond that noise."
    )
    assumed = tuple(f"Taken for granted: {text}." for text in result.assumed)
    shown = result.candidates[:_SHOWN]
    table = TableBlock(
        caption=(
            f"The {len(shown)} of {len(result.candidates)} filters that leave least of "
            "subjects that they were not fitted on, noise included; RMS in mmHg."
        ),
        columns=("filter", "left over (mmHg)"),
        rows=tuple((c.kind, number(c.left)) for c in shown),
        emphasis=tuple(i for i, c in enumerate(shown) if c.kind == result.kind),
    )
    return Section(
        title="Is the reference a filter of the input?",
        paragraphs=(
            result.verdict,
            used,
            f"Threshold: {result.derivation}",
            *assumed,
        ),
        tables=(table,),
        figures=(_figure(result),),
    )


def _figure(result: Circularity) -> FigureBlock:
    """Score beside threshold."""
    figure = new_figure(6.5, 1.9)
    ax = figure.subplots()
    colour = {True: RED, False: BLUE, None: GREY}[result.flagged]
    ax.barh(["score", "with noise"], [result.score, result.left], color=[colour, GREY])
    ax.axvline(result.threshold, color=INK, linestyle="--", label="threshold")
    ax.set_xlim(0, 1.15 * max(result.left, result.score, result.threshold))
    ax.set_xlabel("left over of other subjects (mmHg RMS)")
    ax.legend(frameon=False, fontsize=9)
    tidy(ax)
    return FigureBlock(
        png=png_of(figure),
        caption=(
            "What the closest common filter leaves over of subjects that it was not "
            "fitted on, without and with the noise, and the threshold; mmHg."
        ),
        alt=(
            f"Bars: score {number(result.score)} mmHg, with noise "
            f"{number(result.left)} mmHg; threshold {number(result.threshold)} mmHg."
        ),
    )
