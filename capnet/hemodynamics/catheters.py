r"""Catheters: what a fluid-filled line and its transducer make of a pressure.

Fluid and membrane are a mass on a spring (Gardner 1981,
doi:10.1097/00000542-198103000-00010):

.. math:: H(f) = \frac{1}{1 - (f / f_n)^2 + 2 i \zeta f / f_n}

so that a reference overshoots and rings. Its zero is off, and a transducer that is not
level with the heart reads too low by the column of blood above it. Bubbles that change
the response within a record, and whip of the tip, are not modelled.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from jaxtyping import Complex, Float, Shaped

from capnet.errors import ConfigError
from capnet.hemodynamics.electronics import (
    Sections,
    State,
    filter_rows,
    second_order,
    second_order_section,
    settled,
)
from capnet.types import PerBeat
from capnet.units import MMHG

__all__ = [
    "COLUMN",
    "Catheter",
    "CatheterDraw",
    "apply_catheter",
    "apply_catheter_record",
    "settle_catheter",
]

COLUMN: Final = 1050.0 * 9.80665 * 0.01 / MMHG
"""mmHg a cm of blood, 0.772: density 1050 kg/m3 (whole blood) at standard gravity. With
the solvers' 1060 kg/m3 it would be 0.780, with a line full of saline 0.74."""


@dataclass(frozen=True, eq=False)
class CatheterDraw:
    """What chance decided about each person's catheter.

    Attributes:
        natural: Natural frequency, Hz; infinite for a catheter that follows at once.
        damping: 1 if critical.
        zero: Offset of the transducer, mmHg.
        level: How far above the heart it hangs, cm.
    """

    natural: PerBeat
    damping: PerBeat
    zero: PerBeat
    level: PerBeat

    def __len__(self) -> int:
        return len(self.natural)

    @property
    def offset(self) -> PerBeat:
        """What a constant pressure is read too high by, mmHg."""
        offset: PerBeat = self.zero - COLUMN * self.level
        return offset

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the catheters at these rows (indices or a mask)."""
        changed = {name: values[rows] for name, values in vars(self).items()}
        return replace(self, **changed)


@dataclass(frozen=True)
class Catheter:
    """A family of catheters with their transducers; fluid-filled ones by default.

    Attributes:
        natural: Range of the natural frequency, Hz.
        damping: Range of the damping.
        zero_sd: Standard deviation of the zero, mmHg.
        level_sd: Standard deviation of the transducer's height, cm. A declared
            assumption, as levelling by eye is not measured here.

    Raises:
        ConfigError: If a range is upside down or a number below 0.
    """

    natural: tuple[float, float] = (10.0, 30.0)
    damping: tuple[float, float] = (0.15, 0.5)
    zero_sd: float = 3.0
    level_sd: float = 2.0

    def __post_init__(self) -> None:
        for name in ("natural", "damping"):
            low, high = getattr(self, name)
            if not 0.0 < low <= high or (name == "damping" and np.isinf(high)):
                msg = f"range of {name} is {low:g} to {high:g}; wanted 0 < low <= high."
                raise ConfigError(msg)
        if np.isinf(self.natural[1]) and np.isfinite(self.natural[0]):
            msg = (
                f"range of natural is {self.natural[0]:g} Hz to infinity; wanted two "
                "finite ends, or both infinite for a catheter that follows at once."
            )
            raise ConfigError(msg)
        if not (0 <= self.zero_sd < np.inf and 0 <= self.level_sd < np.inf):
            msg = (
                f"zero_sd is {self.zero_sd:g} mmHg and level_sd {self.level_sd:g} cm; "
                "wanted finite numbers, none below 0."
            )
            raise ConfigError(msg)

    @classmethod
    def perfect(cls) -> Self:
        """Return a catheter that does not err (virtual people only)."""
        return cls((np.inf, np.inf), (1.0, 1.0), 0.0, 0.0)

    def draw(self, n: int, rng: np.random.Generator) -> CatheterDraw:
        """Draw the catheters of n people; the first ones do not depend on n."""
        natural, damping, zero, level = rng.spawn(4)
        at_once = np.isinf(self.natural[0])
        return CatheterDraw(
            natural=np.full(n, np.inf)
            if at_once
            else natural.uniform(*self.natural, n),
            damping=damping.uniform(*self.damping, n),
            zero=self.zero_sd * zero.standard_normal(n),
            level=self.level_sd * level.standard_normal(n),
        )


def apply_catheter(
    coefficients: Complex[np.ndarray, "beat harmonic"],
    *,
    period: PerBeat,
    draw: CatheterDraw,
) -> Complex[np.ndarray, "beat harmonic"]:
    """Return what the catheters read of steady beats, exactly.

    Args:
        coefficients: Pressure as Fourier coefficients, mmHg, mean first.
        period: Duration of a beat, s.
        draw: The catheters.
    """
    order = np.arange(coefficients.shape[1])
    frequency = order / period[:, None]
    response = second_order(frequency, draw.natural, draw.damping)
    answer: np.ndarray = coefficients * response
    answer[:, 0] += draw.offset
    return answer


def settle_catheter(
    first: PerBeat, *, sampling_rate: float, draw: CatheterDraw
) -> State:
    """Return what catheters remember that have seen one pressure for ever.

    Args:
        first: First pressure of each record, mmHg.
        sampling_rate: Hz.
        draw: The catheters, one a record.
    """
    return settled(_sections(draw, sampling_rate), first)


def apply_catheter_record(
    pressure: Float[np.ndarray, "record time"],
    *,
    sampling_rate: float,
    draw: CatheterDraw,
    state: State | None = None,
) -> Float[np.ndarray, "record time"]:
    """Return what the catheters read of continuous records.

    Args:
        pressure: mmHg. Shape (record, time).
        sampling_rate: Hz; see `capnet.hemodynamics.electronics` for the error. A
            catheter of 30 Hz wants 250 Hz or more, if it should ring as it does.
        draw: The catheters, one a record.
        state: What they remember, to go on with the next piece of a record; see
            `capnet.hemodynamics.electronics.filter_rows`. From `settle_catheter` of the
            first pressure by default.

    Raises:
        ShapeError: If there is not one catheter a record.
        ConfigError: If a natural frequency is above a third of the sampling rate.
        RecordError: If a sample is missing.
    """
    answer = filter_rows(pressure, _sections(draw, sampling_rate), state)
    answer += draw.offset[:, None].astype(answer.dtype)
    return answer


def _sections(draw: CatheterDraw, sampling_rate: float) -> Sections:
    section = second_order_section(
        draw.natural, draw.damping, sampling_rate=sampling_rate
    )
    return section[:, None]
