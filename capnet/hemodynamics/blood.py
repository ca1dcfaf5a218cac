"""Blood: how heavy, how viscous, and how its velocity is spread over the lumen."""

import math
from dataclasses import dataclass

from capnet.errors import ConfigError

__all__ = ["Blood"]


@dataclass(frozen=True)
class Blood:
    """The fluid of a network. SI.

    Across the lumen the velocity is ``u (zeta+2)/zeta (1 - (r/R)^zeta)``: parabolic
    for zeta = 2, nearly flat for zeta = 9 (Smith 2002, Alastruey 2011).

    Attributes:
        density: kg/m3.
        viscosity: Pa s.
        profile: Exponent zeta.

    Raises:
        ConfigError: If a number is not positive and finite.
    """

    density: float = 1060.0
    viscosity: float = 2.5e-3
    profile: float = 2.0

    def __post_init__(self) -> None:
        for name in ("density", "viscosity", "profile"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                msg = (
                    f"{name} of the blood is {value!r}; wanted a positive number "
                    "(kg/m3, Pa s and the exponent of the velocity profile)."
                )
                raise ConfigError(msg)

    @property
    def friction(self) -> float:
        """Pressure gradient per flow times A^2, Pa s (8 pi mu if parabolic)."""
        return 2.0 * (self.profile + 2.0) * math.pi * self.viscosity

    @property
    def momentum(self) -> float:
        """Momentum flux over its value for a flat profile (4/3 if parabolic)."""
        return (self.profile + 2.0) / (self.profile + 1.0)
