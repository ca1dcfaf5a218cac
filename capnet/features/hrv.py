"""Heart rate variability of one subject, from accepted beats alone."""

from typing import Final, NamedTuple

import numpy as np

from capnet.types import Flags, PerBeat

__all__ = ["LEAST_BEATS", "Variability", "variability"]

LEAST_BEATS: Final = 5
"""Accepted beats needed; standards ask for minutes, so fewer mean nothing at all."""

PLAUSIBLE_RR: Final = (0.3, 2.0)
"""Seconds; an RR interval outside is no heart beat but a detection error."""

HIGHEST_SDNN: Final = 0.3
"""Seconds; above it the beats were found wrongly, or the rhythm is no sinus rhythm."""


class Variability(NamedTuple):
    """Time-domain measures of heart rate variability (Task Force 1996).

    Attributes:
        sdnn: Standard deviation of the RR intervals, ms.
        rmssd: Root mean square of successive differences, ms.
        pnn50: Share of successive differences above 50 ms, %.
        reason: Why the numbers are NaN; empty otherwise.
    """

    sdnn: float
    rmssd: float
    pnn50: float
    reason: str


def variability(rr: PerBeat, accepted: Flags) -> Variability:
    """Measure heart rate variability over accepted beats.

    A refused beat breaks the succession: no difference is taken across it.

    Args:
        rr: RR intervals of one subject in their order, s. Shape (beat,).
        accepted: Which of them count. Shape (beat,).

    Returns:
        The measures, or NaN and the reason.

    Reference:
        Task Force of the ESC and NASPE, Heart rate variability, Circulation 93
        (1996) 1043-1065, table 1.
    """
    counted = accepted & np.isfinite(rr)
    found = rr[counted]
    if len(found) < LEAST_BEATS:
        reason = f"{len(found)} accepted beats, wanted at least {LEAST_BEATS}"
        return Variability(np.nan, np.nan, np.nan, reason)
    low, high = PLAUSIBLE_RR
    if found.min() < low or found.max() > high:
        reason = f"RR intervals reach from {found.min():.2f} to {found.max():.2f} s"
        return Variability(np.nan, np.nan, np.nan, reason)
    sdnn = float(found.std(ddof=1))
    if sdnn > HIGHEST_SDNN:
        reason = f"SDNN is {1e3 * sdnn:.0f} ms, plausible are {1e3 * HIGHEST_SDNN:.0f}"
        return Variability(np.nan, np.nan, np.nan, reason)
    step = np.diff(rr)[counted[1:] & counted[:-1]]
    if len(step) == 0:
        reason = "no two accepted beats follow each other"
        return Variability(1e3 * sdnn, np.nan, np.nan, reason)
    rmssd = float(np.sqrt(np.mean(step**2)))
    pnn50 = float(np.mean(np.abs(step) > 0.050))
    return Variability(1e3 * sdnn, 1e3 * rmssd, 1e2 * pnn50, "")
