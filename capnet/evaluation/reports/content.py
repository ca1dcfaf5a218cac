"""What a report says, before it is laid out."""

from collections.abc import Mapping
from dataclasses import dataclass

from capnet.errors import ShapeError

__all__ = ["FigureBlock", "Report", "Section", "TableBlock"]


@dataclass(frozen=True)
class TableBlock:
    """A table with its caption.

    Attributes:
        caption: What it shows, with units.
        columns: Heads.
        rows: Cells as text, one for each head.
        emphasis: Rows to set off (positions).

    Raises:
        ShapeError: If a row does not have one cell for each head.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    emphasis: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for position, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                msg = (
                    f"row {position} of table {self.caption!r} has {len(row)} cells; "
                    f"wanted {len(self.columns)}, one for each head."
                )
                raise ShapeError(msg)


@dataclass(frozen=True)
class FigureBlock:
    """A picture with its caption.

    Attributes:
        png: The file's bytes.
        caption: What it shows, with units.
        alt: What it says to those who cannot see it.
    """

    png: bytes
    caption: str
    alt: str


@dataclass(frozen=True)
class Section:
    """One chapter: paragraphs, then tables, then figures."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[TableBlock, ...] = ()
    figures: tuple[FigureBlock, ...] = ()


@dataclass(frozen=True)
class Report:
    """A whole report.

    Attributes:
        title: Of the page.
        subtitle: What was asked of whom.
        verdict: The answer first, one sentence a line.
        sections: In reading order.
        provenance: What made it: configuration, seeds, versions, hashes.
        limits: What it does not say, in plain words.
    """

    title: str
    subtitle: str
    verdict: tuple[str, ...]
    sections: tuple[Section, ...]
    provenance: Mapping[str, object]
    limits: tuple[str, ...]
