"""How the pulse waves of beats are sampled and filtered, in training and everywhere."""

from typing import Final

__all__ = ["CUTOFF", "LEAST_RATE", "N_TAPS", "RATE", "TINY", "UNDERSHOOT"]

RATE: Final = 125.0
"""Sampling rate of every window of raw PPG, Hz: what most monitors store."""

CUTOFF: Final = 10.0
"""Low-pass of the front end, Hz: nine harmonics of 67 bpm, no mains hum."""

LEAST_RATE: Final = 2.5 * CUTOFF
"""Hz that a PPG or an arterial pressure must be sampled at: twice `CUTOFF` would just
hold what the front end keeps, and the filter of a monitor needs some room to fall."""

N_TAPS: Final = 101
"""Length of the low-pass: 0.4 s to each side of a sample."""

UNDERSHOOT: Final = 0.1
"""A wave that dips below its foot by more than 10 times its peak is bounded there."""

TINY: Final = 1e-20
"""Keeps a flat window from being divided by zero."""
