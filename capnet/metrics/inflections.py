"""Notch and inflection of beats, read point by point from their derivatives."""

from typing import Final, no_type_check

import numpy as np

from capnet.compiled import compiled

__all__ = ["find_inflections"]

_EARLIEST_SHOULDER: Final = 0.06
"""s after the foot: before that the upstroke itself bends."""

_LATEST_NOTCH: Final = 0.65
"""Of the beat, after the foot: ejection is over by then at any heart rate."""


@compiled()
@no_type_check
def _sum(series: np.ndarray, turn: float) -> float:
    """Return a Fourier series (`numpy.fft.rfft`) at one place, in turns of the beat."""
    total = series[0].real
    for k in range(1, len(series)):
        angle = 2.0 * np.pi * ((k * turn) % 1.0)
        total += 2.0 * series[k].real * np.cos(angle)
        total -= 2.0 * series[k].imag * np.sin(angle)
    return total


@compiled()
@no_type_check
def find_inflections(
    series: np.ndarray,
    smooth: np.ndarray,
    slope: np.ndarray,
    bend: np.ndarray,
    fourth: np.ndarray,
    duration: np.ndarray,
    answer: np.ndarray,
) -> None:
    """Read notch and inflection of each beat, a ring of points.

    The beat is walked from its steepest rise on; see `capnet.signal.augmentation` and
    `capnet.signal.ejection_time` for what is looked for.

    Args:
        series: Fourier series of the beat, not filtered, over the number of its
            samples. Shape (beat, harmonic).
        smooth: Behind the low-pass. Shape (beat, point).
        slope: Its first derivative, per s. Shape (beat, point).
        bend: Its second derivative, per s^2. Shape (beat, point).
        fourth: Its fourth derivative, per s^4. Shape (beat, point).
        duration: s. Shape (beat,).
        answer: Receives foot to notch (s), the pressure at the inflection, and 1 where
            it comes after the peak (type C), else 0; NaN where there is none.
            Shape (beat, 3).
    """
    n = smooth.shape[1]
    # A walk of at most one beat from any point on stays within two.
    ring = np.empty(2 * n)
    for row in range(len(smooth)):
        answer[row] = np.nan
        peak, low = 0, smooth[row, 0]
        for i in range(1, n):
            if smooth[row, i] > smooth[row, peak]:
                peak = i
            low = min(low, smooth[row, i])
        steepest = peak
        for back in range(1, n // 2 + 1):
            i = peak - back if peak >= back else peak - back + n
            if slope[row, i] > slope[row, steepest]:
                steepest = i
        # Intersecting tangents: the foot lies this long before the steepest point.
        lead = (smooth[row, steepest] - low) / slope[row, steepest]
        step = duration[row] / n
        top = peak - steepest if peak >= steepest else peak - steepest + n
        ring[:n], ring[n:] = bend[row], bend[row]
        ahead = ring[steepest : steepest + n]
        last, notch, sharpest = top, -1, 0.0
        for j in range(top + 1, n):
            if not lead + j * step < _LATEST_NOTCH * duration[row]:
                break
            last = j
            if ahead[j] > sharpest:
                notch, sharpest = j, ahead[j]
        # At either end of the search the real bend may lie outside of it.
        if notch <= top + 1 or (notch == last and last < n - 1):
            continue
        answer[row, 0] = lead + notch * step
        ring[:n], ring[n:] = fourth[row], fourth[row]
        found = -1.0
        for j in range(1, notch):
            early = lead + j * step < _EARLIEST_SHOULDER
            if not early and ahead[j - 1] > 0.0 and ahead[j] <= 0.0:
                found = j - ahead[j] / (ahead[j] - ahead[j - 1])
                break
        late = not 0.0 <= found < top
        if late:
            begin = max(found, top)
            found = -1.0
            for j in range(int(begin) + 1, notch):
                if ahead[j - 1] < 0.0 and ahead[j] >= 0.0:
                    found = j - ahead[j] / (ahead[j] - ahead[j - 1])
                    break
        if found < 0.0:
            continue
        at = int(found)
        left = _sum(series[row], (steepest + at) / n)
        right = _sum(series[row], (steepest + at + 1) / n)
        answer[row, 1] = left + (found - at) * (right - left)
        answer[row, 2] = 1.0 if late else 0.0
