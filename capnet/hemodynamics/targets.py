"""Targets: what was measured in people of each age, to hold virtual people against.

McEniery et al. 2005 measured 4,001 healthy people. Their aortic values come from
radial tonometry through a generalised transfer function, so that agreement with them
is agreement with that function too; no catheter was involved.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import numpy as np
from jaxtyping import Float

__all__ = ["MCENIERY_REFERENCE", "Target", "mceniery_2005"]

PerAge = Float[np.ndarray, " age"]

MCENIERY_REFERENCE: Final = (
    "healthy men; aortic values by a tonometer's transfer function, not by catheter"
)
"""What stands beside every number of `mceniery_2005`."""


@dataclass(frozen=True, eq=False)
class Target:
    """One quantity by age.

    Attributes:
        unit: Of mean and standard deviation; ``1`` for a ratio.
        age: Middle of each decade of age, years. Shape (age,).
        mean: Over people. Shape (age,).
        sd: Over people. Shape (age,).
    """

    unit: str
    age: PerAge
    mean: PerAge
    sd: PerAge

    def at(self, age: float) -> tuple[float, float]:
        """Return mean and SD at an age, linear between the decades (years)."""
        mean = np.interp(age, self.age, self.mean)
        return float(mean), float(np.interp(age, self.age, self.sd))

    def of_decade(self, first: int) -> tuple[float, float] | None:
        """Return mean and SD of people from ``first`` to ``first + 9`` years.

        None where nobody of that age was measured.
        """
        (found,) = np.nonzero(self.age == first + 5)
        if not len(found):
            return None
        return float(self.mean[found[0]]), float(self.sd[found[0]])


@cache
def mceniery_2005() -> Mapping[str, Target]:
    """Return what was measured in healthy men by decade of age (table 1, ACCT).

    Brachial and aortic pressures, pulse pressure amplification, augmentation and the
    time from foot to inflection; see the packaged table for the full source.
    """
    table = files("capnet.hemodynamics") / "tables" / "mceniery_2005.json"
    said = json.loads(table.read_text("utf-8"))
    age = np.array(said["age"], dtype=np.float64)
    return MappingProxyType(
        {
            name: Target(
                row["unit"],
                age,
                np.array(row["mean"], dtype=np.float64),
                np.array(row["sd"], dtype=np.float64),
            )
            for name, row in said["quantities"].items()
        }
    )
