"""What the leakage audit says in a report."""

from typing import Final

from capnet.evaluation.audits.leakage import Leakage
from capnet.evaluation.reports.content import Section, TableBlock
from capnet.evaluation.wording import DASH

__all__ = ["leakage_section"]

_SHOWN: Final = 30
"""Findings that a page lists; the JSON beside it has all."""


def leakage_section(leakage: Leakage) -> Section:
    """Tell what the audit looked at and what it found.

    Args:
        leakage: The audit of the split.

    Returns:
        The section.
    """
    n = len(leakage.findings)
    told = (
        "No leak was found."
        if leakage.clean
        else f"{n} {'leak was' if n == 1 else 'leaks were'} found: the numbers of this "
        "report are not those of new people."
    )
    looked = "Looked at: " + "; ".join(s.rstrip(".") for s in leakage.checked) + "."
    paragraphs = (told, looked, *leakage.undecided)
    if leakage.clean:
        return Section(title="Leakage between the sides", paragraphs=paragraphs)
    rows = tuple(
        (
            f.kind,
            f.train,
            f.test or DASH,
            str(f.rows),
            DASH if f.distance is None else f"{f.distance:.2g}",
            f.text,
        )
        for f in leakage.findings[:_SHOWN]
    )
    more = f" The first {_SHOWN} of {n}." if n > _SHOWN else ""
    table = TableBlock(
        caption=(
            "Ways in which tested people are known; distance is noise over signal, "
            f"without unit.{more}"
        ),
        columns=(
            "kind",
            "training side",
            "tested side",
            "rows",
            "distance",
            "in words",
        ),
        rows=rows,
    )
    return Section(
        title="Leakage between the sides", paragraphs=paragraphs, tables=(table,)
    )
