"""Groups of subjects, repeats over seeds and draws, home and away: as chapters."""

from collections.abc import Mapping, Sequence
from typing import Final

from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.drawing import (
    BLUE,
    GREY,
    INK,
    new_figure,
    png_of,
    tidy,
    written,
)
from capnet.evaluation.statistics.bootstrap import SURE_SUBJECTS
from capnet.evaluation.variation.repeats import Repeated, Repeats
from capnet.evaluation.variation.shift import ShiftTable
from capnet.evaluation.variation.strata import SOURCES, Stratum
from capnet.evaluation.wording import (
    DASH,
    between,
    label,
    number,
    p_value,
    signed,
    with_interval,
)

__all__ = ["repeats_section", "shift_section", "strata_section"]

_GROUPS: Final = (
    "Groups were not drawn at random and differ in more than the one thing that names "
    "them; a difference between groups is no effect of that thing. Each group has its "
    "own interval, and the intervals are not corrected for their number."
)


def strata_section(strata: Mapping[str, Sequence[Stratum]]) -> Section:
    """Tell a statistic by groups of subjects.

    Args:
        strata: Of `capnet.evaluation.strata`, by the name of the method; one metric.
    """
    metric = next((s.metric for found in strata.values() for s in found), None)
    if metric is None:
        return Section("Groups of subjects", ("No group has a scored beat.",))
    variables = dict.fromkeys(s.variable for f in strata.values() for s in f)
    sources = [f"{v}: {SOURCES[v]}" for v in variables if v in SOURCES]
    named = f"Classes: {'; '.join(sources)}." if sources else ""
    few = (
        f"Groups of fewer than {SURE_SUBJECTS} subjects are shown with what interval "
        "they have and are no claim."
    )
    return Section(
        "Groups of subjects",
        tuple(p for p in (_GROUPS, few, named) if p),
        tuple(_strata_table(name, found, metric) for name, found in strata.items()),
        tuple(_strata_figure(name, found, metric) for name, found in strata.items()),
    )


def _strata_table(name: str, strata: Sequence[Stratum], metric: str) -> TableBlock:
    return TableBlock(
        f"{label(metric)} of {name} by group, with 95 % intervals over subjects.",
        ("group", "by", "subjects", "beats", label(metric), "95 % interval", "note"),
        tuple(
            (
                s.group,
                s.variable,
                str(s.subjects),
                str(s.beats),
                number(s.value),
                between(s.interval),
                s.note or DASH,
            )
            for s in strata
        ),
    )


def _strata_figure(name: str, strata: Sequence[Stratum], metric: str) -> FigureBlock:
    shown = [(s, s.value) for s in strata if s.value is not None]
    figure = new_figure(7.0, 0.6 + 0.26 * max(len(shown), 3))
    ax = figure.subplots()
    for row, (s, value) in enumerate(shown):
        colour = GREY if s.few else BLUE
        if s.interval is not None:
            ax.plot(s.interval, (row, row), color=colour, lw=1.5)
        inside = "white" if s.few else colour
        ax.plot(value, row, "o", color=colour, ms=5, mfc=inside)
    ax.set_yticks(
        range(len(shown)), [written(f"{s.variable}: {s.group}", 60) for s, _ in shown]
    )
    ax.tick_params(axis="y", labelsize=7, colors=INK)
    ax.invert_yaxis()
    ax.set_xlabel(label(metric))
    tidy(ax)
    return FigureBlock(
        png=png_of(figure),
        caption=(
            f"{label(metric)} of {name} by group; hollow: fewer than {SURE_SUBJECTS} "
            "subjects."
        ),
        alt=f"Points with intervals, one row a group of {name}; the numbers stand in "
        "the table above.",
    )


def repeats_section(repeats: Repeats) -> Section:
    """Tell means over training seeds and draws of labels.

    Args:
        repeats: Of `capnet.evaluation.repeats`.
    """
    own = [r for r in repeats.rows if r.against is None]
    pairs = [r for r in repeats.rows if r.against is not None]
    said = (
        f"The study was done {repeats.count} times with other seeds or other labelled "
        "subjects, on the same test subjects. Intervals hold both what the choice of "
        "test subjects and what the seeds leave to chance; the spread over repeats "
        "stands beside."
    )
    if repeats.count == 1:
        said = "There is one repeat: intervals hold the test subjects' chance alone."
    name = label(repeats.metric)
    head = ("method", "k", name, "95 % interval", "SD over repeats", "subjects", "note")
    tables = [
        TableBlock(
            f"Mean over repeats of the {name}.",
            head,
            tuple(_repeated(r, number(r.mean)) for r in own),
        )
    ]
    if pairs:
        tables.append(
            TableBlock(
                f"Differences of the {name} on the same subjects and repeats; p-values "
                f"are corrected for {len(pairs)} questions (Holm 1979).",
                ("a - b", *head[1:2], "difference", *head[3:6], "p"),
                tuple(
                    (*_repeated(r, signed(r.mean))[:-1], p_value(r.p_holm))
                    for r in pairs
                ),
            )
        )
    return Section("Repeats", (said,), tuple(tables))


def _repeated(r: Repeated, mean: str) -> tuple[str, ...]:
    against = "" if r.against is None else f" - {r.against[0]} (k = {r.against[1]})"
    return (
        f"{r.method[0]}{against}",
        str(r.method[1]),
        mean,
        between(r.interval),
        number(r.spread),
        str(r.subjects),
        r.note or DASH,
    )


def shift_section(shift: ShiftTable) -> Section:
    """Tell what other people cost each method.

    Args:
        shift: Of `capnet.evaluation.shift_table`.
    """
    name = label(shift.metric)
    said = (
        f"Home are held-out people like those learnt from (reference: "
        f"{shift.home_reference}), away are others (reference: "
        f"{shift.away_reference}); calibration: {shift.calibration}. The rank of "
        "methods at home says little about their rank away."
    )
    table = TableBlock(
        f"{name} at home and away, with 95 % intervals over subjects.",
        ("method", "k", "home", "away", "away - home", "subjects"),
        tuple(
            (
                r.method[0],
                str(r.method[1]),
                with_interval(r.home, r.home_interval),
                with_interval(r.away, r.away_interval),
                f"{signed(r.difference)} {between(r.interval)}",
                f"{r.home_subjects} / {r.away_subjects}",
            )
            for r in shift.rows
        ),
    )
    note = f"{shift.note[:1].upper()}{shift.note[1:]}." if shift.note else ""
    return Section("Home and away", tuple(p for p in (said, note) if p), (table,))
