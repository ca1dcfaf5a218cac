"""What the rules of standards have in common: what they ask for, and their answer."""

from abc import ABC, abstractmethod

from capnet.evaluation.protocols.comparison import Comparison
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import check_pair, check_rows
from capnet.metrics.per_subject import Subjects

__all__ = ["Standard"]


class Standard(ABC):
    """A rule of a standard, beside which the readings of a method can be put."""

    def compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        *,
        quantity: str = "sbp",
    ) -> Comparison:
        """Put the numbers of a method beside the limits.

        Args:
            predicted: What a method says, mmHg. Shape (beat,).
            reference: What is true, mmHg. Shape (beat,).
            subject: Who each reading belongs to. Shape (beat,).
            quantity: Which pressure; printed.

        Returns:
            The numbers, the limits, and how they lie to each other.

        Raises:
            ShapeError: If the arrays do not fit, are empty or hold NaN.
        """
        check_pair(predicted, reference)
        check_rows(predicted, subject, name="subject")
        return self._compare(predicted, reference, subject, quantity)

    @abstractmethod
    def _compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        quantity: str,
    ) -> Comparison:
        """Do so with arrays that fit."""
