"""What a report says, before it is laid out as a page or as JSON."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from capnet.errors import ShapeError
from capnet.evaluation.reports.plain import plain
from capnet.prediction import DISCLAIMER

__all__ = ["FigureBlock", "Report", "Section", "TableBlock"]


@dataclass(frozen=True)
class TableBlock:
    """A table with its caption.

    Attributes:
        caption: What it shows, with units.
        columns: Heads.
        rows: Cells as text, one for each head; the first of each row is its head.
        emphasis: Rows to set off (positions).
        folded: Whether a page shows the caption alone until somebody asks for more;
            print shows everything.

    Raises:
        ShapeError: If a row does not have one cell for each head.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    emphasis: tuple[int, ...] = ()
    folded: bool = False

    def __post_init__(self) -> None:
        for position, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                msg = (
                    f"row {position} of table {self.caption!r} has {len(row)} cells; "
                    f"wanted {len(self.columns)}, one for each head."
                )
                raise ShapeError(msg)

    def to_dict(self) -> dict[str, object]:
        """Return caption, heads and cells, ready for JSON."""
        return {
            "caption": self.caption,
            "columns": list(self.columns),
            "rows": [list(row) for row in self.rows],
            "emphasis": list(self.emphasis),
        }


@dataclass(frozen=True)
class FigureBlock:
    """A picture with its caption.

    Attributes:
        png: The file's bytes.
        caption: What it shows, with units.
        alt: What it says to those who cannot see it.

    Raises:
        ShapeError: If nothing is said to those who cannot see it.
    """

    png: bytes
    caption: str
    alt: str

    def __post_init__(self) -> None:
        if not self.alt.strip():
            msg = (
                f"the figure {self.caption!r} has no alternative text; say in a "
                "sentence what it shows, or where its numbers stand."
            )
            raise ShapeError(msg)

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in pixels, as the PNG header says; None if it has none."""
        if self.png[:8] != b"\x89PNG\r\n\x1a\n" or len(self.png) < 24:
            return None
        return (
            int.from_bytes(self.png[16:20], "big"),
            int.from_bytes(self.png[20:24], "big"),
        )

    def to_dict(self) -> dict[str, object]:
        """Return the words, and the SHA-256 of the picture, ready for JSON."""
        return {
            "caption": self.caption,
            "alt": self.alt,
            "sha256": hashlib.sha256(self.png).hexdigest(),
        }


@dataclass(frozen=True)
class Section:
    """One chapter: paragraphs, then tables, then figures, then its parts.

    Attributes:
        title: Heading.
        paragraphs: Plain text.
        tables: In reading order.
        figures: In reading order.
        parts: Sections of their own, one heading lower; they have no parts.

    Raises:
        ShapeError: If a part has parts.
    """

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[TableBlock, ...] = ()
    figures: tuple[FigureBlock, ...] = ()
    parts: tuple["Section", ...] = ()

    def __post_init__(self) -> None:
        for part in self.parts:
            if part.parts:
                msg = (
                    f"part {part.title!r} of section {self.title!r} has parts itself; "
                    "wanted at most two levels. Make it a section."
                )
                raise ShapeError(msg)

    def to_dict(self) -> dict[str, object]:
        """Return all but the pictures, ready for JSON."""
        return {
            "title": self.title,
            "paragraphs": list(self.paragraphs),
            "tables": [table.to_dict() for table in self.tables],
            "figures": [figure.to_dict() for figure in self.figures],
            "parts": [part.to_dict() for part in self.parts],
        }


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
        numbers: The unrounded numbers behind the page, for the JSON twin, e.g.
            ``{"evaluations": {calibration: Judgement.to_dict()}}``.
    """

    title: str
    subtitle: str
    verdict: tuple[str, ...]
    sections: tuple[Section, ...]
    provenance: Mapping[str, object]
    limits: tuple[str, ...]
    numbers: Mapping[str, object] = field(default_factory=dict)

    def walk(self) -> Iterator[Section]:
        """Yield the sections and their parts, in reading order."""
        for section in self.sections:
            yield section
            yield from section.parts

    def to_dict(self) -> dict[str, object]:
        """Return what the page says, ready for strict JSON (`report_schema`)."""
        return {
            "schema": "capnet.report.v1",
            "disclaimer": DISCLAIMER,
            "title": self.title,
            "subtitle": self.subtitle,
            "verdict": list(self.verdict),
            "sections": [section.to_dict() for section in self.sections],
            "limits": list(self.limits),
            "provenance": plain(self.provenance),
            "numbers": plain(self.numbers),
        }
