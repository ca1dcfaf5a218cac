"""What a comparison with the limits of a standard says, in numbers and in words."""

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Comparison", "within"]


@dataclass(frozen=True)
class Comparison:
    """Numbers of a replay of data beside the limits of a standard.

    No replay of data is a validation of a device: the wording is "numerical
    comparison with", and ``inside`` says how numbers lie to numbers.

    Attributes:
        standard: Name, with its year where editions differ.
        criterion: What of it is compared.
        quantity: Which pressure.
        n: Subjects behind it.
        wanted_n: Subjects that the standard asks for; None where it is not known here,
            or where another number is asked for (then among ``values``).
        values: What was found, by name with its unit.
        limits: What the standard allows, by the same names.
        inside: Whether every value is inside its limit; None where no value could be
            computed or the standard gives grades instead.
        grade: Letter, where the standard gives grades.
        note: How it was computed, and what of the limits is derived or second-hand.
        reference_type: What kind of truth stands behind it; empty when not said.
        calibration: Where the mmHg of the method come from; empty when not said.
    """

    standard: str
    criterion: str
    quantity: str
    n: int
    wanted_n: int | None
    values: Mapping[str, float] = field(default_factory=dict)
    limits: Mapping[str, float] = field(default_factory=dict)
    inside: bool | None = None
    grade: str | None = None
    note: str = ""
    reference_type: str = ""
    calibration: str = ""

    @property
    def enough(self) -> bool | None:
        """Whether as many subjects stand behind it as wanted; None if not known."""
        return None if self.wanted_n is None else self.n >= self.wanted_n

    @property
    def numbers(self) -> str:
        """Values beside their limits, e.g. ``bias 1.2 mmHg (limit 5)``."""
        parts = []
        for name, value in self.values.items():
            what, _, unit = name.partition(" (")
            limit = self.limits.get(name)
            beside = "" if limit is None else f" (limit {limit:.4g})"
            parts.append(f"{what} {_shown(value)} {unit.rstrip(')')}".strip() + beside)
        return ", ".join(parts)

    @property
    def outcome(self) -> str:
        """One word or two: inside, outside, a grade, or not computed."""
        if self.grade is not None:
            return f"grade {self.grade}"
        if self.inside is None:
            return "not computed"
        return "inside" if self.inside else "outside"

    @property
    def origin(self) -> str:
        """Reference type and calibration, where they are known."""
        truth = f", {self.reference_type} reference" if self.reference_type else ""
        return truth + (f", calibration {self.calibration}" if self.calibration else "")

    @property
    def text(self) -> str:
        """The whole comparison as a sentence."""
        few = ""
        if self.enough is False:
            few = f", fewer than the {self.wanted_n} that are asked for"
        said = {
            "inside": "numerically inside the limits",
            "outside": "numerically outside the limits",
        }.get(self.outcome, self.outcome)
        if self.grade is not None:
            said = f"numerically {said}"
        numbers = f": {self.numbers}" if self.values else ""
        note = f" {self.note}" if self.note else ""
        return (
            f"{self.quantity.upper()}, numerical comparison with {self.standard}, "
            f"{self.criterion}, n = {self.n} subjects{few}{self.origin}{numbers}; "
            f"{said}.{note}"
        )

    def __str__(self) -> str:
        return self.text

    def to_dict(self) -> dict[str, object]:
        """Return the comparison as strict JSON, with its sentence."""
        return {
            "standard": self.standard,
            "criterion": self.criterion,
            "quantity": self.quantity,
            "n": self.n,
            "wanted_n": self.wanted_n,
            "values": dict(self.values),
            "limits": dict(self.limits),
            "inside": self.inside,
            "grade": self.grade,
            "note": self.note,
            "reference_type": self.reference_type,
            "calibration": self.calibration,
            "text": self.text,
        }


def within(value: float, limit: float) -> bool:
    """Say whether a number is at most its limit, rounding aside.

    Example:
        >>> within(0.1 + 0.2, 0.3)
        True
    """
    return value <= limit + 1e-12 * (1.0 + abs(limit))


def _shown(value: float) -> str:
    text = f"{value:.2f}" if abs(value) < 1000 else f"{value:.0f}"
    return text.lstrip("-") if float(text) == 0 else text
