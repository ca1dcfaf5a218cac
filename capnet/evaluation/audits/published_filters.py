"""Published transfer functions, held against a target whose clock may be unknown.

A filter in seconds is another one in the points of a resampled beat, for every heart
rate. A published filter can be laid over each subject's beats at the heart rate that
fits best, so a target made by it is found out without the durations.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Complex, Float, Int

from capnet.evaluation.audits.free_timing import as_complex, laid_over

__all__ = ["SITES", "inverse_transfer", "published"]

SITES: Final = ("radial", "brachial")
"""Arteries whose transfer function from the aorta is published."""

# Aorta to artery at 0, 1, ... 9 Hz: gain, phase in radians. Karamanoglu et al. (1993),
# European Heart Journal 14, 160-167, Figure 2b, digitised by eye by P. Charlton. The
# same numbers as in capnet.models.published, which a judge does not import.
_AORTA_TO: Final[Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]]] = {
    "radial": (
        (1.00, 1.11, 1.47, 2.03, 3.10, 2.37, 1.81, 1.96, 1.69, 1.47),
        (0.0, -0.35, -0.66, -1.22, -2.43, -3.62, -4.38, -5.04, -6.03, -6.59),
    ),
    "brachial": (
        (1.00, 1.07, 1.19, 1.79, 2.50, 2.27, 2.18, 2.65, 2.35, 1.99),
        (0.0, -0.09, -0.28, -0.59, -1.38, -1.75, -2.27, -2.57, -3.01, -3.56),
    ),
}
_TOP: Final = 9.0  # Hz; nothing is left above
_RATES: Final = np.geomspace(2 / 3, 3.0, 200)  # Hz: hearts of 40 to 180 bpm


def inverse_transfer(
    frequency: Float[np.ndarray, "*any"], site: str
) -> Complex[np.ndarray, "*any"]:
    """From an artery of the arm to the aorta; zero above 9 Hz."""
    gain, phase = _AORTA_TO[site]
    at = np.arange(len(gain), dtype=np.float64)
    size = np.interp(frequency, at, gain)
    turn = np.interp(frequency, at, phase)
    return np.where(frequency <= _TOP, np.exp(-1j * turn) / size, 0.0)


def published(
    x: Float[np.ndarray, "beat number"],
    y: Float[np.ndarray, "beat number"],
    subject: Int[np.ndarray, " beat"],
    *,
    site: str,
    rate: Float[np.ndarray, " beat"] | None,
) -> Float[np.ndarray, "beat number"]:
    """Return what a published filter leaves of each beat, up to its gain and delay.

    Args:
        x: Inputs, harmonics.
        y: Targets, harmonics.
        subject: Position of the subject of each beat.
        site: Where the filter expects its input.
        rate: Heart rate of each beat, Hz; where None, the one that fits each subject
            best, of 40 to 180 bpm.
    """
    first, second = as_complex(x), as_complex(y)
    order = np.arange(1, first.shape[1] + 1)
    tried = _RATES[None] if rate is None else rate[:, None]
    answer = first[:, None] * inverse_transfer(tried[:, :, None] * order, site)
    left = laid_over(answer, second, subject).left
    return np.concatenate([left.real, left.imag], axis=1)
