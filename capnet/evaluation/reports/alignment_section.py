"""Source and target in the network's features, before and after adaptation."""

from capnet.evaluation.alignment import DomainAlignment, DomainView
from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.drawing import (
    BLUE,
    RED,
    new_figure,
    png_of,
    tidy,
    written,
)
from capnet.evaluation.wording import number, p_value

__all__ = ["alignment_figure", "alignment_section"]

_READING = (
    "The network's features of source and target people, one row a person, before and "
    "after adaptation. The squared MMD (Gretton et al. 2012) is about zero where the "
    "two cannot be told apart, and may be negative. It is held against what exchanged "
    "labels of source and target give. The kernel is as wide as each network's own "
    "features are spread, so that features that only shrink do not count as aligned. "
    "Domains that lie together are no proof that the "
    "errors became smaller: those stand in the tables of errors."
)


def _word(view: DomainView) -> str:
    return "apart" if view.apart else "not told apart"


def alignment_figure(alignment: DomainAlignment) -> bytes:
    """Draw both domains on their first two common components, before and after.

    Args:
        alignment: What was found.

    Returns:
        A PNG file.
    """
    figure = new_figure(9.2, 4.0)
    panels = figure.subplots(1, 2, sharex=True, sharey=True)
    views = (("before", alignment.before), ("after", alignment.after))
    for ax, (when, view) in zip(panels, views, strict=True):
        for points, colour, marker, name in (
            (view.source, BLUE, "o", "source"),
            (view.target, RED, "^", "target"),
        ):
            ax.scatter(
                *points.T,
                s=14,
                color=colour,
                marker=marker,
                alpha=0.55,
                linewidths=0,
                label=f"{name}, {len(points)} people",
            )
        ax.set_title(f"{when}: {written(view.name)}", fontsize=10)
        ax.set_xlabel("first component (no unit)", fontsize=9)
        tidy(ax)
    panels[0].set_ylabel("second component (no unit)", fontsize=9)
    panels[0].legend(fontsize=9, loc="best", framealpha=0.9)
    return png_of(figure)


def alignment_section(alignment: DomainAlignment) -> Section:
    """Tell how far source and target are apart before and after adaptation.

    Args:
        alignment: What was found.
    """
    views = (("before", alignment.before), ("after", alignment.after))
    rows = tuple(
        (
            when,
            view.name,
            number(view.mmd, 4),
            number(view.by_chance, 4),
            p_value(view.p_value),
            _word(view),
        )
        for when, view in views
    )
    table = TableBlock(
        f"Squared MMD between {len(alignment.before.source)} source and "
        f"{len(alignment.before.target)} target people; "
        f"{alignment.permutations} exchanges of labels, seed {alignment.seed}.",
        ("when", "network", "squared MMD", "by chance (95 %)", "p-value", "domains"),
        rows,
    )
    share = number(100 * alignment.explained, 0)
    figure = FigureBlock(
        png=alignment_figure(alignment),
        caption=(
            "Features of source and target on the first two components of both "
            f"together ({share} % of the variance), before and after adaptation."
        ),
        alt=(
            "Two scatter plots of source and target people. Before, the domains are "
            f"{_word(alignment.before)}; after, {_word(alignment.after)}."
        ),
    )
    text = (alignment.people, _READING) if alignment.people else (_READING,)
    return Section("Domain alignment before and after", text, (table,), (figure,))
