r"""The photoplethysmogram before any sensor: how much blood a finger or an ear holds.

.. math:: V(t) = \int \left(Q - \frac{P - P_{out}}{R}\right) dt, \qquad
          R = \frac{\overline{P - P_{out}}}{\overline Q}

at the end of a digital artery (Charlton 2019); in the frequency domain
:math:`V_k = (Q_k - P_k/R) / (i \omega_k)`, which needs no integration. An ear is the
end of the parietal branch of the superficial temporal artery, whose trunk feeds the
ear's front. No bed of the tree lies at a wrist: there the lumen of the radial artery is
taken for what the light sees, an assumption (skin over it has vessels of its own).
"""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from jaxtyping import Complex, Float

from capnet.hemodynamics.spectra import grid

__all__ = ["PPG_SITES", "PpgSite", "blood_volume", "normalise"]

Coefficients = Complex[np.ndarray, "subject harmonic"]
PerSubject = Float[np.ndarray, " subject"]

PpgSite = Literal["finger", "wrist", "ear"]
"""Where a sensor for PPG sits."""

PPG_SITES: Final[Mapping[str, str]] = {
    "finger": "digital",
    "wrist": "radial",
    "ear": "Left Superior Temporal Parietal Artery@1",
}
"""Which place of the packaged tree must be simulated for a sensor there."""


def blood_volume(
    pressure: Coefficients,
    flow: Coefficients,
    *,
    period: PerSubject,
    outflow_pressure: PerSubject,
) -> Coefficients:
    """Return the volume behind an artery about its mean, m3, as Fourier coefficients.

    Args:
        pressure: At the artery's end, Pa, mean first. Shape (subject, harmonic).
        flow: There, m3/s.
        period: s.
        outflow_pressure: Behind the bed, Pa.
    """
    resistance = (pressure[:, 0].real - outflow_pressure) / flow[:, 0].real
    order = np.arange(1, pressure.shape[1])
    omega = 2.0 * np.pi * order / period[:, None]
    volume = np.zeros_like(pressure)
    stored = flow[:, 1:] - pressure[:, 1:] / resistance[:, None]
    volume[:, 1:] = stored / (1j * omega)
    return volume


def normalise(wave: Coefficients, *, points: int = 1024) -> Coefficients:
    """Scale waves so that each beat runs from 0 to 1 (read at ``points`` times)."""
    values = grid(wave, points)
    low = values.min(axis=1)
    height = np.ptp(values, axis=1)
    answer: Coefficients = wave / height[:, None]
    answer[:, 0] -= low / height
    return answer
