"""Vascular beds: the resistance and compliance behind the last arteries.

Each terminal artery ends in a three-element Windkessel (R1, then C parallel to R2).
Beds of a region share its resistance and compliance by lumen area; R1 matches the
artery, so that a pulse arriving there is not reflected (Charlton 2019).
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Float

from capnet.errors import ConfigError
from capnet.hemodynamics.network import Network
from capnet.units import MMHG

__all__ = ["MATCH_LIMIT", "Beds", "distribute"]

PerSubject = Float[np.ndarray, " subject"]
PerTerminal = Float[np.ndarray, "subject terminal"]

MATCH_LIMIT: Final = 0.9
"""R1 is at most this part of R1 + R2: a few beds are narrower than their artery."""


@dataclass(frozen=True, eq=False)
class Beds:
    """Windkessels of each subject, in the order of `Network.terminals`.

    Attributes:
        proximal: R1, Pa s/m3.
        distal: R2, Pa s/m3.
        compliance: C, m3/Pa.
    """

    proximal: PerTerminal
    distal: PerTerminal
    compliance: PerTerminal

    @property
    def total(self) -> PerTerminal:
        """R1 + R2, Pa s/m3."""
        total: PerTerminal = self.proximal + self.distal
        return total


class _Region(NamedTuple):
    name: str
    rows: np.ndarray
    resistance: float
    compliance: float


@cache
def _regions() -> tuple[_Region, ...]:
    table = files("capnet.hemodynamics") / "tables" / "windkessel_beds_pwdb.csv"
    return tuple(
        _Region(
            row["bed"],
            np.array(row["terminal_segments"].split(), dtype=np.int64) - 1,
            float(row["R_mmHg_s_per_ml"]) * MMHG * 1e6,
            float(row["C_ml_per_mmHg"]) / MMHG * 1e-6,
        )
        for row in csv.DictReader(table.read_text("utf-8").splitlines())
    )


def distribute(
    network: Network,
    *,
    radius: Float[np.ndarray, "subject segment"],
    impedance: Float[np.ndarray, "subject segment"],
    resistance: PerSubject,
    compliance: PerSubject,
    arm_resistance: PerSubject,
    arm_compliance: PerSubject,
) -> Beds:
    """Share the body's resistance and compliance among the terminal arteries.

    Args:
        network: The packaged network.
        radius: Outlet radius of every artery at diastolic pressure, m.
        impedance: Characteristic impedance at every outlet, Pa s/m3.
        resistance: Of the whole body, (MBP - Pout) / CO, Pa s/m3.
        compliance: Scale of all bed compliances, 1 at age 25.
        arm_resistance: Factor on the left arm's resistance, before sharing.
        arm_compliance: Factor on the left arm's compliance.

    Raises:
        ConfigError: If the regions of the table are not the network's terminals.
    """
    rows = np.sort(np.concatenate([region.rows for region in _regions()]))
    if not np.array_equal(rows, network.terminals):
        msg = (
            f"the table of vascular beds names {len(rows)} terminal arteries, the "
            f"network has {len(network.terminals)}; wanted the same ones. Use the "
            "packaged network or give R1, R2, C of your own as `Beds`."
        )
        raise ConfigError(msg)
    total, capacity = np.zeros_like(radius), np.zeros_like(radius)
    for region in _regions():
        share = radius[:, region.rows] ** 2
        share = share / share.sum(axis=1, keepdims=True)
        arm = region.name == "LArm"
        r = region.resistance * (arm_resistance if arm else np.ones_like(resistance))
        c = region.compliance * compliance * (arm_compliance if arm else 1.0)
        total[:, region.rows] = impedance[:, region.rows] + r[:, None] / share
        capacity[:, region.rows] = c[:, None] * share
    total, matched = total[:, network.terminals], impedance[:, network.terminals]
    parallel = 1.0 / (1.0 / total).sum(axis=1)
    total = total * (resistance / parallel)[:, None]
    proximal = np.minimum(matched, MATCH_LIMIT * total)
    return Beds(proximal, total - proximal, capacity[:, network.terminals])
