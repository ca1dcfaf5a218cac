"""R peaks of an ECG: the door of neurokit2.

neurokit2 takes any array and answers garbage, or an IndexError. Here the ECG is cut at
its gaps, flat and short stretches are kept away from it, and what still goes wrong
becomes an error with a reason.
"""

import warnings
from typing import Final

import neurokit2 as nk
import numpy as np
from jaxtyping import Float

from capnet.errors import RecordError, UnitError
from capnet.types import Samples

__all__ = ["Peaks", "r_peaks"]

Peaks = Float[np.ndarray, "peak"]
"""Where R peaks are."""

_LOWEST_RATE: Final = 100.0
"""Hz; below this a QRS complex (about 0.1 s) is too few samples to be timed."""

_SHORTEST: Final = 4.0
"""Seconds without a gap that the detector needs: a few beats."""

_PIECE: Final = 600.0
"""Seconds handled at once, so that a long record needs no more memory than this."""

_OVERLAP: Final = 5.0
"""Seconds by which pieces overlap, for the detector's filters to settle."""

_REFRACTORY: Final = 0.25
"""Seconds between two R peaks, at least (240 bpm)."""


def _detect(ecg: Samples, *, sampling_rate: float) -> Peaks:
    """Find R peaks in a stretch without gaps, samples, to a fraction of one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(ecg, sampling_rate=sampling_rate, method="neurokit")
            found = nk.ecg_findpeaks(
                clean, sampling_rate=sampling_rate, method="neurokit"
            )
        except (ValueError, IndexError, ZeroDivisionError, KeyError, TypeError):
            return np.zeros(0)
    clean = np.asarray(clean, dtype=np.float64)
    peaks = np.asarray(found["ECG_R_Peaks"], dtype=np.int64)
    peaks = peaks[(peaks > 0) & (peaks < len(clean) - 1)]
    left, middle, right = clean[peaks - 1], clean[peaks], clean[peaks + 1]
    bend = left - 2.0 * middle + right
    safe = np.where(bend < 0.0, bend, -1.0)
    offset = np.where(bend < 0.0, 0.5 * (left - right) / safe, 0.0)
    refined: Peaks = peaks + np.clip(offset, -0.5, 0.5)
    return refined


def _stretches(ecg: Samples) -> list[tuple[int, int]]:
    edges = np.diff(np.concatenate([[0], np.isfinite(ecg).astype(np.int8), [0]]))
    return list(
        zip(
            np.flatnonzero(edges == 1).tolist(),
            np.flatnonzero(edges == -1).tolist(),
            strict=True,
        )
    )


def r_peaks(ecg: Samples, *, sampling_rate: float) -> Peaks:
    """Find the R peaks of an ECG.

    Peaks are timed to a fraction of a sample (parabola through the filtered peak).
    Stretches between gaps are handled apart; those under 4 s or flat give no peaks.

    Args:
        ecg: ECG, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz.

    Returns:
        Times of the R peaks since the first sample, s, ascending; empty when the
        detector finds none. Shape (peak,).

    Raises:
        UnitError: If the sampling rate is below 100 Hz.
        RecordError: If there is no stretch of 4 s without a gap, or the ECG is flat.
    """
    if not (np.isfinite(sampling_rate) and sampling_rate >= _LOWEST_RATE):
        msg = (
            f"the ECG's sampling rate is {sampling_rate!r} Hz; wanted at least "
            f"{_LOWEST_RATE:g} Hz, or R peaks cannot be timed."
        )
        raise UnitError(msg)
    stretches = _stretches(ecg)
    longest = max((b - a for a, b in stretches), default=0) / sampling_rate
    if longest < _SHORTEST:
        msg = (
            f"the longest stretch of ECG without a gap lasts {longest:.1f} s; wanted "
            f"at least {_SHORTEST:g} s."
        )
        raise RecordError(msg)
    if np.nanmax(ecg) == np.nanmin(ecg):
        msg = f"the ECG is flat: every sample is {np.nanmax(ecg):g}. Use another lead."
        raise RecordError(msg)
    piece, overlap = round(_PIECE * sampling_rate), round(_OVERLAP * sampling_rate)
    found = [np.zeros(0)]
    for begin, end in stretches:
        for core in range(begin, end, piece):
            low, high = max(begin, core - overlap), min(end, core + piece + overlap)
            part = ecg[low:high].astype(np.float64)
            if len(part) < _SHORTEST * sampling_rate or np.ptp(part) == 0.0:
                continue
            peaks = low + _detect(part, sampling_rate=sampling_rate)
            found.append(peaks[(peaks >= core) & (peaks < min(end, core + piece))])
    times = np.sort(np.concatenate(found)) / sampling_rate
    # Where two pieces meet, one beat may be found twice.
    apart = np.diff(times, prepend=-np.inf) > _REFRACTORY
    return times[apart]
