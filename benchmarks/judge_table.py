"""What a part of the judge's benchmark answers: a figure beside its bar."""

from dataclasses import dataclass

__all__ = ["Row"]


@dataclass(frozen=True)
class Row:
    """One figure.

    Attributes:
        what: Was measured, on what, how often.
        figure: What came out, with its unit.
        bar: What was wanted; empty where nothing was.
        met: Whether it was reached; None where nothing was wanted.
    """

    what: str
    figure: str
    bar: str = ""
    met: bool | None = None
