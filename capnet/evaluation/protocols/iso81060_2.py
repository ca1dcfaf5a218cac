"""AAMI/ISO 81060-2: both criteria, and the dead band of its invasive route.

Nothing here validates a device: a replay of data has neither the people nor the
procedure that the standard demands.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError, ShapeError
from capnet.evaluation.protocols.aami import AAMI_BIAS, AAMI_SD, AAMI_SUBJECTS
from capnet.evaluation.protocols.comparison import Comparison, within
from capnet.evaluation.protocols.standard import Standard
from capnet.metrics.error import Predicted, Reference
from capnet.metrics.pair import check_pair, check_rows, difference
from capnet.metrics.per_subject import Subjects, per_subject

__all__ = ["DeadBand", "InvasiveDeadBand", "Iso81060Part2", "largest_sd"]

TOLERABLE: Final = 10.0
"""mmHg: errors up to this count as tolerable in criterion 2."""

SHARE: Final = 0.85
"""Of the errors that have to be tolerable (criterion 2)."""

_BIAS: Final = "bias (mmHg)"
_SD: Final = "SD (mmHg)"

DeadBand = Float[np.ndarray, "band"]
"""Half-width of the range in which an error counts as zero, mmHg."""

Outside = Float[np.ndarray, "reading"]


def largest_sd(bias: float) -> float:
    """Return the largest SD of normal errors of which 85 % lie within 10 mmHg.

    Derived: the root of P(-10 <= bias + SD z <= 10) = 0.85. The printed table of
    criterion 2 was not read; its values as they are commonly quoted (6.95 at 0, 4.81
    at 5 mmHg) agree to the two digits they have.

    Args:
        bias: Mean error, mmHg, smaller than 10 either way.

    Raises:
        ConfigError: If the bias is 10 mmHg or more: no SD keeps 85 % within then.

    Example:
        >>> round(largest_sd(0.0), 2)
        6.95
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    bias = abs(bias)
    if not bias < TOLERABLE:
        msg = f"bias is {bias:g} mmHg; wanted less than {TOLERABLE:g} either way."
        raise ConfigError(msg)

    def missed(sd: float) -> float:
        within = ndtr((TOLERABLE - bias) / sd) - ndtr((-TOLERABLE - bias) / sd)
        return float(within) - SHARE

    return float(brentq(missed, 1e-9, 2.0 * TOLERABLE, xtol=1e-12, rtol=1e-14))


def _spread(errors: np.ndarray) -> float | None:
    return float(errors.std(ddof=1)) if len(errors) > 1 else None


@dataclass(frozen=True)
class Iso81060Part2(Standard):
    """The two criteria of AAMI/ISO 81060-2.

    Criterion 1: bias and SD of all readings against 5 and 8 mmHg. Criterion 2: SD of
    the subjects' mean errors against `largest_sd` of the bias of all readings (that of
    5 mmHg where the bias is larger, which is outside anyway).

    Attributes:
        criterion: 1 pools all readings; 2 takes the mean error of each subject.
    """

    criterion: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if self.criterion not in (1, 2):
            msg = f"criterion is {self.criterion!r}; ISO 81060-2 has 1 and 2."
            raise ConfigError(msg)

    def _compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        quantity: str,
    ) -> Comparison:
        error = difference(predicted, reference)
        means = per_subject(error, subject)
        bias = float(error.mean())
        if self.criterion == 1:
            spread, most = _spread(error), AAMI_SD
            note = (
                f"All {len(error):,} readings pooled, however many each subject gave."
            )
        else:
            spread, most = _spread(means), largest_sd(min(abs(bias), AAMI_BIAS))
            note = (
                "SD of the subjects' mean errors. The limit is derived from P(|error| "
                "<= 10 mmHg) >= 85 % of a normal distribution; the printed table was "
                "not read."
            )
        common = {
            "standard": "AAMI/ISO 81060-2",
            "criterion": f"criterion {self.criterion}",
            "quantity": quantity,
            "n": len(means),
            "wanted_n": AAMI_SUBJECTS,
        }
        return _bias_and_sd(bias, spread, (AAMI_BIAS, most), note, common)


def _bias_and_sd(
    bias: float,
    spread: float | None,
    most: tuple[float, float],
    note: str,
    common: dict[str, object],
) -> Comparison:
    values = {_BIAS: bias} | ({} if spread is None else {_SD: spread})
    inside = None
    if spread is not None:
        inside = within(abs(bias), most[0]) and within(spread, most[1])
    return Comparison(
        **common,  # type: ignore[arg-type]
        values=values,
        limits={_BIAS: most[0], _SD: most[1]},
        inside=inside,
        note=note,
    )


@dataclass(frozen=True)
class InvasiveDeadBand:
    """The invasive route: no error while a reading lies where the pressure wandered.

    The reference of a reading is an arterial line over at least 30 s; its mean +- SD
    is a dead band in which the error counts as zero, and outside of which it counts
    from the nearer edge (second-hand: not read in the standard itself).
    """

    def errors(
        self, predicted: Predicted, reference: Reference, band: DeadBand
    ) -> Outside:
        """Return the errors that are left outside of the dead band, mmHg.

        Args:
            predicted: Readings, mmHg. Shape (reading,).
            reference: Mean of the line over at least 30 s, mmHg. Shape (reading,).
            band: SD of the line over that time, mmHg. Shape (reading,).

        Raises:
            ShapeError: If the arrays do not fit, are empty, hold NaN, or a band is
                negative.
        """
        check_pair(predicted, reference)
        check_pair(band, reference)
        if (band < 0).any():
            msg = f"band holds {float(band.min()):g} mmHg; an SD is never negative."
            raise ShapeError(msg)
        error = difference(predicted, reference)
        return np.asarray(np.sign(error) * np.maximum(np.abs(error) - band, 0.0))

    def compare(
        self,
        predicted: Predicted,
        reference: Reference,
        subject: Subjects,
        *,
        band: DeadBand,
        quantity: str = "sbp",
    ) -> Comparison:
        """Put bias and SD of the errors outside the dead band beside 5 and 8 mmHg.

        Args:
            predicted: Readings, mmHg. Shape (reading,).
            reference: Mean of the line over at least 30 s, mmHg. Shape (reading,).
            subject: Who each reading belongs to. Shape (reading,).
            band: SD of the line over that time, mmHg. Shape (reading,).
            quantity: Which pressure; printed.

        Raises:
            ShapeError: If the arrays do not fit, are empty, hold NaN, or a band is
                negative.
        """
        error = self.errors(predicted, reference, band)
        check_rows(predicted, subject, name="subject")
        note = (
            f"{len(error):,} readings; the error is zero inside the mean +- SD of the "
            "reference over at least 30 s and counts from its edge outside (rule and "
            "limits second-hand)."
        )
        common: dict[str, object] = {
            "standard": "AAMI/ISO 81060-2, invasive route",
            "criterion": "dead-band error",
            "quantity": quantity,
            "n": len(np.unique(subject)),
            "wanted_n": None,
        }
        most = (AAMI_BIAS, AAMI_SD)
        return _bias_and_sd(float(error.mean()), _spread(error), most, note, common)
