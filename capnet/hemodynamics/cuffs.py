"""Cuffs: what a cuff reads, given the true pressures of the arm.

A cuff errs by a bias, by an error that stays with a person (arm size, arm shape) and
by one that is new with each reading. Only the last is averaged away. A wrist that is
not held level with the heart is moved by the column of blood between them, all readings
of a sitting alike.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from jaxtyping import Float, Shaped

from capnet.errors import ConfigError
from capnet.hemodynamics.catheters import COLUMN
from capnet.types import CuffSite, PerBeat

__all__ = ["CuffDraw", "CuffModel", "apply_cuff"]


@dataclass(frozen=True, eq=False)
class CuffDraw:
    """What chance decided about each person's reading, all readings averaged.

    Attributes:
        sbp_error, dbp_error: mmHg, bias included.
        height: Of the wrist above the heart, cm.
        least_pulse: DBP is at most SBP minus this, mmHg.
    """

    sbp_error: PerBeat
    dbp_error: PerBeat
    height: PerBeat
    least_pulse: float

    def __len__(self) -> int:
        return len(self.sbp_error)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the readings at these rows (indices or a mask)."""
        return replace(
            self,
            sbp_error=self.sbp_error[rows],
            dbp_error=self.dbp_error[rows],
            height=self.height[rows],
        )


@dataclass(frozen=True)
class CuffModel:
    """A kind of cuff and how it is used.

    Attributes:
        sbp_bias, dbp_bias: mmHg.
        sbp_sd, dbp_sd: Standard deviation of the error of one reading, mmHg.
        correlation: Between the errors of SBP and DBP, 0..1.
        persistent: Part of the error's variance that stays with the person, 0..1.
        readings: How many are averaged.
        least_pulse: A cuff reports no pulse pressure below this, mmHg.
        height_sd: Standard deviation of a wrist's height over the heart, cm.

    Raises:
        ConfigError: If a setting is out of its range.
    """

    sbp_bias: float = 0.0
    sbp_sd: float = 0.0
    dbp_bias: float = 0.0
    dbp_sd: float = 0.0
    correlation: float = 0.4
    persistent: float = 0.0
    readings: int = 1
    least_pulse: float = 15.0
    height_sd: float = 0.0

    def __post_init__(self) -> None:
        for name in ("correlation", "persistent"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                msg = f"{name} is {getattr(self, name):g}; wanted 0 to 1."
                raise ConfigError(msg)
        for name in ("sbp_bias", "dbp_bias"):
            if not np.isfinite(getattr(self, name)):
                msg = f"{name} is {getattr(self, name):g}; wanted a finite number."
                raise ConfigError(msg)
        for name in ("sbp_sd", "dbp_sd", "least_pulse", "height_sd"):
            if not 0.0 <= getattr(self, name) < np.inf:
                msg = f"{name} is {getattr(self, name):g}; wanted 0 or more."
                raise ConfigError(msg)
        if self.readings < 1:
            msg = f"cuff has {self.readings} readings; wanted readings >= 1."
            raise ConfigError(msg)

    @classmethod
    def exact(cls) -> Self:
        """Return a cuff that does not err (virtual people only)."""
        return cls(least_pulse=0.0)

    @classmethod
    def training(cls) -> Self:
        """Return an unbiased cuff with an SD of 5 mmHg."""
        return cls(sbp_sd=5.0, dbp_sd=5.0)

    @classmethod
    def randomised(cls) -> Self:
        """Return an unbiased cuff that errs more: SD 7.5 / 6.5 mmHg."""
        return cls(sbp_sd=7.5, dbp_sd=6.5)

    @classmethod
    def clinic(cls) -> Self:
        """Return a clinic's cuff: SBP -4 +- 7, DBP +4 +- 6 mmHg, half of it lasting."""
        return cls(-4.0, 7.0, 4.0, 6.0, persistent=0.5)

    @classmethod
    def wrist(cls) -> Self:
        """Return a wrist cuff: SD 8 / 7 mmHg, half of it lasting, 5 cm high or low."""
        return cls(sbp_sd=8.0, dbp_sd=7.0, persistent=0.5, height_sd=5.0)

    def draw(
        self, n: int, rng: np.random.Generator, *, person: np.random.Generator
    ) -> CuffDraw:
        """Draw the errors of n people's readings; the first do not depend on n.

        Args:
            n: How many people.
            rng: For what is new with each reading or sitting.
            person: For what stays with a person.
        """
        once = np.sqrt(self.persistent) * self._deviates(n, 1, person)[:, 0]
        fresh = self._deviates(n, self.readings, rng).mean(axis=1)
        error = once + np.sqrt(1.0 - self.persistent) * fresh
        (held,) = rng.spawn(1)
        return CuffDraw(
            sbp_error=self.sbp_bias + self.sbp_sd * error[:, 0],
            dbp_error=self.dbp_bias + self.dbp_sd * error[:, 1],
            height=self.height_sd * held.standard_normal(n),
            least_pulse=self.least_pulse,
        )

    def _deviates(
        self, n: int, readings: int, rng: np.random.Generator
    ) -> Float[np.ndarray, "beat reading 2"]:
        """Return standard deviates of SBP and DBP that share a part."""
        raw = rng.standard_normal((n, readings, 3))
        shared, own = np.sqrt(self.correlation), np.sqrt(1.0 - self.correlation)
        answer: np.ndarray = shared * raw[..., :1] + own * raw[..., 1:]
        return answer


def apply_cuff(
    sbp: PerBeat, dbp: PerBeat, draw: CuffDraw, *, site: CuffSite = "brachial"
) -> Float[np.ndarray, "beat 2"]:
    """Return what the cuff shows: SBP and DBP, mmHg. Shape (beat, 2).

    Args:
        sbp: True systolic pressure of the arm, mmHg.
        dbp: True diastolic pressure of the arm, mmHg.
        draw: The errors.
        site: Where the cuff is; only a wrist (``radial``) can be high or low, an upper
            arm is level with the heart.
    """
    lost = COLUMN * draw.height if site == "radial" else 0.0
    systolic = sbp + draw.sbp_error - lost
    diastolic = np.minimum(dbp + draw.dbp_error - lost, systolic - draw.least_pulse)
    return np.stack([systolic, diastolic], axis=1)
