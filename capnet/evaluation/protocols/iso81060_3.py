"""ISO 81060-3:2022, continuous monitors: readings that repeat within a subject."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from capnet.evaluation.protocols.comparison import Comparison, within
from capnet.evaluation.protocols.standard import Standard
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import difference
from capnet.metrics.per_subject import Subjects
from capnet.metrics.repeated import limits_of_agreement_repeated

__all__ = ["Iso81060Part3", "effective_n"]

BIAS: Final = 6.0
"""Largest absolute bias, mmHg (second-hand)."""

SD: Final = 10.0
"""Largest corrected SD, mmHg (second-hand)."""

EFFECTIVE_N: Final = 278.0
"""Smallest effective number of readings (second-hand)."""


def effective_n(counts: np.ndarray, between: float, within: float) -> float:
    r"""Return how many independent readings tell as much about the bias.

    The bias is the mean of all readings. With :math:`m_i` readings of subject i, its
    variance is :math:`\sigma_b^2 \sum m_i^2 / (\sum m_i)^2 + \sigma_w^2 / \sum m_i`;
    that of N independent readings is :math:`(\sigma_b^2 + \sigma_w^2) / N`. For equal
    m this is Kish's design effect, :math:`\sum m_i / (1 + (m - 1) ICC)` (Kish, Survey
    Sampling, 1965).

    Args:
        counts: Readings of each subject. Shape (subject,).
        between: SD between subjects, mmHg.
        within: SD within subjects, mmHg.

    Returns:
        Between the number that equal weights would count as subjects and the number
        of readings; the latter where there is no spread at all.
    """
    total = float(counts.sum())
    variance = between**2 + within**2
    if variance == 0:
        return total
    typical = float(np.sum(counts.astype(np.float64) ** 2)) / total
    return total * variance / (between**2 * typical + within**2)


@dataclass(frozen=True)
class Iso81060Part3(Standard):
    """Bias, SD corrected for repeated readings, and effective number of readings.

    They are put beside 6 mmHg, 10 mmHg and 278. Where nobody was measured twice there
    is nothing to correct, and the readings count as they are.

    All three limits are second-hand. The correction is that of Bland & Altman (1999,
    section 5.3; 2007) and the effective number is `effective_n`; the standard's own
    formulas were not read.
    """

    def _compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        quantity: str,
    ) -> Comparison:
        error = difference(predicted, reference)
        _, counts = np.unique(subject, return_counts=True)
        bias = float(error.mean())
        names = ("bias (mmHg)", "corrected SD (mmHg)", "effective N")
        limits = dict(zip(names, (BIAS, SD, EFFECTIVE_N), strict=True))
        note = (
            f"{len(error):,} readings; SD corrected as by Bland & Altman 2007, "
            "effective N at least 278; limits second-hand."
        )
        common = {
            "standard": "ISO 81060-3:2022",
            "criterion": "continuous readings",
            "quantity": quantity,
            "n": len(counts),
            "wanted_n": None,
            "limits": limits,
        }
        if len(counts) < 2:
            note = f"One subject has no spread between subjects. {note}"
            values = {names[0]: bias}
            return Comparison(**common, values=values, note=note)  # type: ignore[arg-type]
        if counts.max() == 1:
            spread, effective = float(error.std(ddof=1)), float(len(error))
        else:
            found = limits_of_agreement_repeated(predicted, reference, subject)
            spread = found.sd
            effective = effective_n(counts, found.between, found.within)
        enough = within(EFFECTIVE_N, effective)
        inside = within(abs(bias), BIAS) and within(spread, SD) and enough
        return Comparison(
            **common,  # type: ignore[arg-type]
            values=dict(zip(names, (bias, spread, effective), strict=True)),
            inside=inside,
            note=note,
        )
