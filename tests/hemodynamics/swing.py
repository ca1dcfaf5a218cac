"""A solver that costs nothing: pressures swing once a beat, as high as one is old."""

from dataclasses import dataclass

import numpy as np

from capnet.hemodynamics.spectra import Spectra
from capnet.units import MMHG


@dataclass(frozen=True)
class Swing:
    """Mean pressure and period as drawn, amplitude by age and site."""

    tolerance: float = 1.0

    def solve(self, cohort, sites, *, progress=None):
        shape = (len(cohort), len(sites), 3)
        pressure = np.zeros(shape, dtype=np.complex128)
        pressure[:, :, 0] = cohort["mbp"][:, None] * MMHG
        reach = 1.0 + 0.1 * np.arange(len(sites))
        pressure[:, :, 1] = 0.1j * cohort.age[:, None] * reach * MMHG
        if progress is not None:
            progress(len(cohort), len(cohort))
        return Spectra(
            sites=tuple(sites),
            period=60.0 / cohort["hr"],
            pressure=pressure,
            flow=pressure * 1e-8,
            area=pressure * 1e-9,
            residual=np.zeros(len(cohort)),
        )
