"""Chapter of a report: numbers of a replay beside the limits of standards."""

from collections.abc import Mapping, Sequence

from capnet.evaluation.protocols.comparison import Comparison
from capnet.evaluation.reports.content import Section, TableBlock

__all__ = ["protocols_section"]

_PARAGRAPHS = (
    "A numerical comparison is no validation: a replay of data has neither the people, "
    "nor the devices, nor the procedure that a standard demands, and no standard knows "
    "a simulated reference. Inside and outside are said of numbers only.",
    "The limits of criterion 2 are derived (the largest SD of normal errors of which "
    "85 % lie within 10 mmHg); those of ISO 81060-3 and the dead-band rule are "
    "second-hand. Standards pool readings; the intervals elsewhere in this report take "
    "subjects as the sampling unit.",
)


def _cells(method: str, comparison: Comparison) -> tuple[str, ...]:
    subjects = str(comparison.n)
    if comparison.enough is False:
        subjects += f" (asked for: {comparison.wanted_n})"
    return (
        method,
        f"{comparison.standard}, {comparison.criterion}",
        comparison.quantity.upper(),
        subjects,
        comparison.numbers or comparison.note,
        comparison.outcome,
    )


def protocols_section(found: Mapping[str, Sequence[Comparison]]) -> Section:
    """Lay out comparisons with the limits of standards.

    Args:
        found: Comparisons of each method, by its name as tables print it.

    Returns:
        One table for each method; no paragraph claims anything.
    """
    columns = ("method", "compared with", "pressure", "subjects", "numbers", "lies")
    tables = tuple(
        TableBlock(
            f"{method}: numerical comparison with the limits of standards"
            f"{comparisons[0].origin}.",
            columns,
            tuple(_cells(method, c) for c in comparisons),
        )
        for method, comparisons in found.items()
        if comparisons
    )
    return Section("Numerical comparison with standards", _PARAGRAPHS, tables)
