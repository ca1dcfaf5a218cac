"""Standards that give letters: IEEE 1708 by the mean, BHS by shares of errors."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from capnet.evaluation.protocols.comparison import Comparison, within
from capnet.evaluation.protocols.standard import Standard
from capnet.metrics.agreement import fraction_within
from capnet.metrics.error import Predicted, Reference, mae
from capnet.metrics.per_subject import Subjects

__all__ = ["BHS_SHARES", "IEEE_GRADES", "Bhs", "Ieee1708"]

SUBJECTS: Final = 85
"""Fewest people, of both."""

IEEE_GRADES: Final = {"A": 5.0, "B": 6.0, "C": 7.0}
"""Largest mean absolute difference of each grade, mmHg; beyond lies D."""

BHS_LIMITS: Final = (5.0, 10.0, 15.0)
"""mmHg within which errors are counted."""

BHS_SHARES: Final = {
    "A": (60.0, 85.0, 95.0),
    "B": (50.0, 75.0, 90.0),
    "C": (40.0, 65.0, 85.0),
}
"""Least share of errors within 5, 10 and 15 mmHg of each grade, %; else D."""


@dataclass(frozen=True)
class Ieee1708(Standard):
    """Grades of IEEE 1708 (2014, 2019) by the mean absolute difference of readings."""

    def _compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        quantity: str,
    ) -> Comparison:
        found = mae(predicted, reference)
        name = "MAD (mmHg)"
        fits = [grade for grade, most in IEEE_GRADES.items() if within(found, most)]
        return Comparison(
            standard="IEEE 1708 (2014, 2019)",
            criterion="mean absolute difference",
            quantity=quantity,
            n=len(np.unique(subject)),
            wanted_n=SUBJECTS,
            values={name: found},
            limits={name: IEEE_GRADES["C"]},
            grade=(fits or ["D"])[0],
            note=f"All {len(predicted):,} readings pooled; A to 5, B to 6, C to 7.",
        )


@dataclass(frozen=True)
class Bhs(Standard):
    """Grades of the British Hypertension Society (O'Brien et al. 1993).

    A grade wants all three of its shares of readings within 5, 10 and 15 mmHg
    (J Hypertens 11 Suppl 2:S43).
    """

    def _compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        quantity: str,
    ) -> Comparison:
        shares = [
            100.0 * fraction_within(predicted, reference, limit=limit)
            for limit in BHS_LIMITS
        ]
        names = [f"within {limit:g} mmHg (%)" for limit in BHS_LIMITS]
        fits = [
            grade
            for grade, least in BHS_SHARES.items()
            if all(within(x, s) for s, x in zip(shares, least, strict=True))
        ]
        return Comparison(
            standard="BHS grades",
            criterion="shares of errors",
            quantity=quantity,
            n=len(np.unique(subject)),
            wanted_n=SUBJECTS,
            values=dict(zip(names, shares, strict=True)),
            limits=dict(zip(names, BHS_SHARES["C"], strict=True)),
            grade=(fits or ["D"])[0],
            note=(
                f"All {len(predicted):,} readings pooled; A from 60/85/95 %, B from "
                "50/75/90 %, C from 40/65/85 % within 5/10/15 mmHg."
            ),
        )
