"""R peaks of an ECG: the door of neurokit2.

neurokit2 takes any array and answers garbage, or an IndexError. Here gaps are bridged
for its eyes alone, flat and short stretches are kept away from it, what it finds is
timed anew, and what still goes wrong becomes an error with a reason.
"""

import warnings
from itertools import pairwise
from typing import Final

import neurokit2 as nk
import numpy as np
from jaxtyping import Float, Int
from numpy.lib.stride_tricks import sliding_window_view
from scipy.signal import firwin

from capnet.errors import RecordError, UnitError
from capnet.signal.checks import checked_samples
from capnet.signal.stretches import Stretches, stretches
from capnet.types import Indices, RawSamples, Samples

__all__ = ["Peaks", "r_peaks"]

Peaks = Float[np.ndarray, "peak"]
"""Where R peaks are."""

_LOWEST_RATE: Final = 100.0
"""Hz; below this a QRS complex (about 0.1 s) is too few samples to be timed."""

_SHORTEST: Final = 4.0
"""Seconds without a gap that the detector needs: a few beats."""

_PIECE: Final = 900.0
"""Seconds handled at once, so that a long record needs no more memory than this."""

_BRIDGE: Final = 2.0
"""Seconds of a line over a gap, at most: two heart beats, in which filters settle."""

_OVERLAP: Final = 5.0
"""Seconds by which pieces overlap, for the detector's filters to settle."""

_SMOOTH: Final = 0.04
"""Half the length of the low-pass in which peaks are timed, s."""

_CUTOFF: Final = 35.0
"""Hz of that low-pass: above it lies little of a QRS complex, and the mains."""

_REACH: Final = 0.06
"""s around what the detector found: half a QRS complex."""

_UPSIDE_DOWN: Final = 1.5
"""Depth over height of the QRS complexes above which the lead is upside down."""

_REFRACTORY: Final = 0.25
"""Seconds between two R peaks, at least (240 bpm)."""


_QRS: Final = (15.0, 40.0)
"""Hz between which little but QRS complexes is left: T and P waves lie below."""

_QRS_HALF: Final = 0.25
"""Half the length of the filter that keeps those, s."""

_ALIKE: Final = 0.2
"""Relative deviation from the median of five up to which RR intervals are alike."""

_RHYTHM: Final = 0.8
"""Part of the intervals that are alike where the detector follows the heart; less is
an arrhythmia, or T waves and pacing taken for beats."""

_CLEARER: Final = 0.1
"""By which that part must grow for a second look to be believed."""


def _detect(ecg: Samples, *, sampling_rate: float) -> Indices:
    """Find R peaks in a stretch without gaps, to about a QRS complex.

    Where the rhythm that the detector finds is not one, it gets a second look at the
    band of the QRS complex alone.
    """
    first = _look(ecg, sampling_rate=sampling_rate)
    rhythm = _rhythm(first)
    if rhythm >= _RHYTHM:
        return first
    half = max(1, round(_QRS_HALF * sampling_rate))
    taps = firwin(2 * half + 1, _QRS, fs=sampling_rate, pass_zero=False)
    band = np.convolve(np.pad(ecg, half, mode="edge"), taps, mode="valid")
    second = _look(band, sampling_rate=sampling_rate)
    return second if _rhythm(second) > rhythm + _CLEARER else first


def _rhythm(peaks: Indices) -> float:
    """Return the part of the intervals that are like the median of those around."""
    interval = np.diff(peaks)
    if len(interval) < 5:
        return 1.0
    around = sliding_window_view(np.pad(interval, 2, mode="edge"), 5)
    usual = np.median(around, axis=1)
    return float(np.mean(np.abs(interval - usual) <= _ALIKE * usual))


def _look(ecg: Samples, *, sampling_rate: float) -> Indices:
    """Ask the detector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            clean = nk.ecg_clean(ecg, sampling_rate=sampling_rate, method="neurokit")
            found = nk.ecg_findpeaks(
                clean, sampling_rate=sampling_rate, method="neurokit"
            )
        except (ValueError, IndexError, ZeroDivisionError, KeyError, TypeError):
            return np.zeros(0, dtype=np.int64)
    return np.asarray(found["ECG_R_Peaks"], dtype=np.int64)


def _bridged(
    ecg: Samples, known: Stretches, *, longest: int
) -> tuple[Float[np.ndarray, " bridged"], Int[np.ndarray, " bridged"]]:
    """Put straight lines into the gaps, for the eyes of the detector alone.

    Args:
        ecg: NaN where missing. Shape (time,).
        known: Its stretches; there is at least one.
        longest: Samples of a line; what a gap is longer than that is left out.

    Returns:
        The ECG without gaps, and which sample of the ECG each one is, -1 on a line.
    """
    begin, end = known[0]
    values, sample = [ecg[begin:end]], [np.arange(begin, end)]
    for (_, before), (begin, end) in pairwise(known.tolist()):
        width = min(begin - before, longest)
        line = np.linspace(ecg[before - 1], ecg[begin], width + 2)[1:-1]
        values += [line, ecg[begin:end]]
        sample += [np.full(width, -1), np.arange(begin, end)]
    return np.concatenate(values), np.concatenate(sample)


def _timed(ecg: Samples, peaks: Indices, *, sampling_rate: float) -> Peaks:
    """Time R peaks to a fraction of a sample, from what lies around each alone.

    The detector's filters ring for seconds after a gap; a short linear-phase low-pass
    does not, and takes the mains away. In a lead that shows the QRS complex upside
    down, the deepest point is the peak.
    """
    half = max(1, round(_SMOOTH * sampling_rate))
    taps = firwin(2 * half + 1, min(_CUTOFF, 0.45 * sampling_rate), fs=sampling_rate)
    reach = max(2, round(_REACH * sampling_rate))
    wide = reach + half
    around = peaks[:, None] + np.arange(-wide, wide + 1)
    rows = ecg[np.clip(around, 0, len(ecg) - 1)]
    # A complex at the edge of a gap or of the record cannot be timed.
    whole = (around >= 0).all(axis=1) & (around < len(ecg)).all(axis=1)
    whole &= np.isfinite(rows).all(axis=1)
    peaks, rows = peaks[whole], rows[whole]
    if not len(peaks):
        return np.zeros(0)
    rows = rows - np.median(rows, axis=1, keepdims=True)
    rows = sliding_window_view(rows, len(taps), axis=1) @ taps
    down = np.median(-rows.min(axis=1)) > _UPSIDE_DOWN * np.median(rows.max(axis=1))
    rows = -rows if down else rows
    top = rows.argmax(axis=1)
    inner = (top > 0) & (top < 2 * reach)
    top = np.where(inner, top, reach)
    left, middle, right = (rows[np.arange(len(rows)), top + k] for k in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    safe = np.where(bend < 0.0, bend, -1.0)
    offset = np.where(inner & (bend < 0.0), 0.5 * (left - right) / safe, 0.0)
    timed: Peaks = peaks - reach + top + np.clip(offset, -0.5, 0.5)
    return timed


def r_peaks(ecg: RawSamples, *, sampling_rate: float) -> Peaks:
    """Find the R peaks of an ECG.

    Peaks are timed to a fraction of a sample (parabola through the peak of the ECG
    behind a 35 Hz low-pass). None lies in a gap, or within 0.1 s of one.

    Args:
        ecg: ECG, any unit, NaN where missing. Shape (time,).
        sampling_rate: Hz.

    Returns:
        Times of the R peaks since the first sample, s, ascending; empty when the
        detector finds none. Shape (peak,).

    Raises:
        UnitError: If the sampling rate is below 100 Hz.
        RecordError: If there is no stretch of 4 s without a gap, or the ECG is flat.
        ShapeError: If the ECG is no row of real numbers.
    """
    ecg = checked_samples(ecg, where="the ECG")
    if not (np.isfinite(sampling_rate) and sampling_rate >= _LOWEST_RATE):
        msg = (
            f"the ECG's sampling rate is {sampling_rate!r} Hz; wanted at least "
            f"{_LOWEST_RATE:g} Hz, or R peaks cannot be timed."
        )
        raise UnitError(msg)
    known = stretches(ecg)
    longest = np.diff(known, axis=1).max(initial=0) / sampling_rate
    if longest < _SHORTEST:
        msg = (
            f"the longest stretch of ECG without a gap lasts {longest:.1f} s; wanted "
            f"at least {_SHORTEST:g} s."
        )
        raise RecordError(msg)
    if np.nanmax(ecg) == np.nanmin(ecg):
        msg = f"the ECG is flat: every sample is {np.nanmax(ecg):g}. Use another lead."
        raise RecordError(msg)
    bridged, sample = _bridged(ecg, known, longest=round(_BRIDGE * sampling_rate))
    piece, overlap = round(_PIECE * sampling_rate), round(_OVERLAP * sampling_rate)
    found = [np.zeros(0)]
    for core in range(0, len(bridged), piece):
        low, high = max(0, core - overlap), core + piece + overlap
        part = bridged[low:high]
        if len(part) < _SHORTEST * sampling_rate or np.ptp(part) == 0.0:
            continue
        peaks = low + _detect(part, sampling_rate=sampling_rate)
        peaks = sample[peaks[(peaks >= core) & (peaks < core + piece)]]
        found.append(_timed(ecg, peaks[peaks >= 0], sampling_rate=sampling_rate))
    times = np.sort(np.concatenate(found)) / sampling_rate
    # Where two pieces meet, one beat may be found twice.
    apart = np.diff(times, prepend=-np.inf) > _REFRACTORY
    return times[apart]
