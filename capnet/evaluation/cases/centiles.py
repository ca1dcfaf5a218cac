"""Where a central pressure stands among the men of one published study.

Means and SDs by age are those of McEniery et al. 2005, Table 1 (men), as the Pulse
Wave Database uses them (Charlton et al. 2019, Am J Physiol 317:H1062). The study gives
no centiles, so they are those of a Gaussian with its mean and SD. Its central pressures
came from radial tonometry through a transfer function, not from a catheter, scaled by
a cuff at the arm, and its people were chosen for being without known disease or
treatment. An estimate that gets its mmHg from elsewhere stands on another scale, and
has no centile here.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Final, Literal

import numpy as np

from capnet.errors import ShapeError
from capnet.types import Calibration

__all__ = ["AGES", "SOURCE", "TABLE", "Centile", "centile"]

AGES: Final = (15.0, 25.0, 35.0, 45.0, 55.0, 65.0, 75.0, 85.0)
"""Middles of the decades of age, years; the ends stand for under 20 and over 80."""

TABLE: Final[Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "sbp": ((103, 105, 109, 113, 115, 117, 118, 120), (8, 8, 9, 9, 9, 9, 9, 8)),
    "pp": ((29, 30, 31, 34, 35, 39, 42, 45), (5, 6, 6, 6, 7, 7, 7, 9)),
}
"""Mean and SD of central SBP and PP of men at `AGES`, mmHg."""

SOURCE: Final = (
    "McEniery et al. 2005 (J Am Coll Cardiol 46:1753), Table 1, men, as used by the "
    "Pulse Wave Database; a Gaussian approximation with the published mean and SD, "
    "between the middles of decades (15, 25, ... 85 years) on a straight line. Its "
    "central pressures came from radial tonometry through a transfer function, scaled "
    "by a cuff at the arm, in people without known disease."
)
"""Whose men these are, and what is assumed of them."""

_SCALED: Final = ("cuff SBP/DBP", "exact")
"""Calibrations on the scale of the table; ``exact`` is a virtual cuff without error."""


@dataclass(frozen=True)
class Centile:
    """Where a pressure stands among men of the same age; no judgement of health.

    Attributes:
        quantity: ``sbp`` or ``pp``, central.
        value: mmHg.
        centile: Share of those men who are below it, %; None where none is given.
        mean: Of those men, mmHg; None where none is given.
        sd: Likewise.
        ends: Centiles of the ends of the estimate's interval, %; None without one.
        reason: Why none is given; empty where one is.
        source: Of mean and SD.
    """

    quantity: Literal["sbp", "pp"]
    value: float
    centile: float | None
    mean: float | None
    sd: float | None
    ends: tuple[float, float] | None
    reason: str
    source: str = SOURCE

    @property
    def text(self) -> str:
        """The centile in words, or why there is none."""
        if self.centile is None:
            return f"none: {self.reason}"
        if self.ends is None:
            return _said(self.centile)
        return f"{_said(self.centile)} ({' to '.join(map(_said, self.ends))})"

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        ends = None if self.ends is None else list(self.ends)
        return {**asdict(self), "ends": ends}


def _said(share: float) -> str:
    if share < 1:
        return "below 1"
    return "above 99" if share > 99 else f"{share:.0f}"


def centile(
    quantity: Literal["sbp", "pp"],
    value: float,
    *,
    age: float | None,
    sex: str,
    calibration: Calibration = "cuff SBP/DBP",
    ends: tuple[float, float] | None = None,
) -> Centile:
    r"""Return the age and sex centile of a central pressure.

    .. math:: c = 100\,\Phi\big((p - \mu(age)) / \sigma(age)\big)

    Mean and SD lie on straight lines between the middles of the decades.

    Args:
        quantity: ``sbp`` or ``pp``.
        value: mmHg.
        age: Years; None or NaN when unknown.
        sex: ``male``, ``female``, or empty when unknown.
        calibration: Where the mmHg of the pressure come from.
        ends: Of an interval of the pressure, mmHg.

    Returns:
        The centile; without one, and with a reason, for women, for unknown age or sex,
        beyond the ages of the table, and for mmHg that are not those of a cuff's SBP
        and DBP.

    Raises:
        ShapeError: If the quantity is not in the table, or the value is no number.
    """
    if quantity not in TABLE:
        msg = f"no centiles of {quantity!r}; wanted one of {', '.join(TABLE)}."
        raise ShapeError(msg)
    if not np.isfinite(value):
        msg = f"{quantity} is {value!r}; wanted a pressure in mmHg."
        raise ShapeError(msg)
    reason = _without(age, sex, calibration)
    if reason or age is None:
        return Centile(quantity, float(value), None, None, None, None, reason)
    mean, sd = (float(np.interp(age, AGES, column)) for column in TABLE[quantity])
    men = NormalDist(mean, sd)
    span = None
    if ends is not None:
        span = (100 * men.cdf(ends[0]), 100 * men.cdf(ends[1]))
    return Centile(
        quantity, float(value), 100 * men.cdf(value), mean, sd, span, reason=""
    )


def _without(age: float | None, sex: str, calibration: Calibration) -> str:
    """Say why there is no centile; empty where there is one."""
    if sex != "male":
        who = "the sex is not known" if sex == "" else f"the sex is {sex!r}"
        return f"{who}, and the table that is at hand is of men alone"
    if age is None or not np.isfinite(age):
        return "the age is not known"
    if not AGES[0] <= age <= AGES[-1]:
        return f"age {age:g} is outside the table ({AGES[0]:g} to {AGES[-1]:g} years)"
    if calibration not in _SCALED:
        return (
            f"the calibration is {calibration!r}, and the pressures of the table were "
            "scaled by SBP and DBP of a cuff"
        )
    return ""
