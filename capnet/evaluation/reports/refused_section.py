"""Refused beats with their reasons: what the scores beside do not hold."""

from capnet.evaluation.refusals import Refusals
from capnet.evaluation.reports.content import FigureBlock, Section, TableBlock
from capnet.evaluation.reports.figures import reasons_figure

__all__ = ["refused_section"]

_READING = (
    "Scores are of answered beats only, so a method that refuses the hard ones looks "
    "better than it is: read every score beside its answered share."
)


def _share(n: int, total: int) -> str:
    return f"{100 * n / total:.1f} %" if total else "0.0 %"


def refused_section(refusals: Refusals) -> Section:
    """Tell which beats got no answer, and why.

    Args:
        refusals: Of `capnet.evaluation.refusals.count_refusals`.
    """
    total, accepted = refusals.beats, refusals.beats - refusals.refused
    rows = [("accepted", accepted), *refusals.gate.items()]
    tables = [
        TableBlock(
            f"What became of the {total} beats before any method was asked.",
            ("outcome", "beats", "share"),
            tuple((name, str(n), _share(n, total)) for name, n in rows),
        )
    ]
    further = tuple(
        (f"{m.method} (k = {m.k})", reason, str(n), _share(n, accepted))
        for m in refusals.methods
        for reason, n in m.reasons.items()
    )
    if further:
        caption = f"What methods refused of the {accepted} accepted beats."
        heads = ("method", "reason", "beats", "share of the accepted")
        tables.append(TableBlock(caption, heads, further))
    silent = (
        f"Of {refusals.silent_subjects} of {refusals.subjects} subjects no beat was "
        "accepted: nothing on this page holds for them."
    )
    figure = FigureBlock(
        png=reasons_figure(accepted, refusals.gate),
        caption="How many beats were accepted, and why the others were refused.",
        alt=f"Bar chart: {accepted} of {total} beats accepted; the counts by reason "
        "stand in the table above.",
    )
    return Section(
        "Refused beats",
        (_READING, *([silent] if refusals.silent_subjects else [])),
        tuple(tables),
        (figure,) if refusals.gate else (),
    )
