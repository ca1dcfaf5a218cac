r"""The electrocardiogram of a train of beats, drawn from the times of its R peaks.

Each wave of a beat is a Gaussian about its time, as in McSharry 2003
(doi:10.1109/TBME.2003.808805): P, Q, R, S and T of one lead. The T wave follows the
interval before the beat, :math:`QT = QT_c\sqrt{RR}` (Bazett 1920). An ectopic beat has
no P wave, a wide and high QRS and a T wave the other way round. Amplitudes follow
respiration a little. Where R peaks are is what matters here; no disease of the heart
can be read from the rest.
"""

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final, Self, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, Int, Shaped

from capnet.compiled import compiled
from capnet.hemodynamics.electronics import normals
from capnet.hemodynamics.ranges import check_ranges, draw_ranges
from capnet.hemodynamics.sensors import Range

__all__ = ["Ecg", "EcgDraw", "electrocardiogram"]

PerSubject = Float[np.ndarray, " subject"]
PerBeat = Float[np.ndarray, " beat"]

_WAVES: Final = np.array(
    [
        # time of a sinus beat s, SD s, part of the R wave
        [-0.170, 0.022, 0.11],
        [-0.026, 0.008, -0.12],
        [0.000, 0.010, 1.00],
        [0.026, 0.009, -0.22],
        [np.nan, 0.045, 0.25],
    ]
)
"""P, Q, R, S and T; the time of T depends on the rate."""
_ECTOPIC: Final = np.array(
    [
        [-0.170, 0.022, 0.0],
        [-0.065, 0.020, -0.10],
        [0.000, 0.030, 1.35],
        [0.085, 0.034, -0.60],
        [np.nan, 0.060, -0.35],
    ]
)
_QT_TO_PEAK: Final = 0.75
"""Of the QT interval, from R to the peak of T."""
_T: Final = 4
"""Row of the T wave."""
_REACH: Final = 4.0
"""SDs beyond which a Gaussian is left out (3e-4 of it)."""
_SETTINGS: Final = MappingProxyType(
    {
        "amplitude": (0.0, 10.0),
        "t_wave": (0.0, 10.0),
        "qtc": (0.25, 0.7),
        "modulation": (0.0, 1.0),
        "wander": (0.0, 10.0),
        "noise": (0.0, 10.0),
    }
)
"""Of an ECG, in the order in which the kernel wants them, and what they may reach: with
a longer QT the T wave would end after `AFTER`."""
BEFORE: Final = 0.3
"""s by which a beat's ECG begins before its R peak, at most."""
AFTER: Final = 1.0
"""s by which it ends after."""


@dataclass(frozen=True, eq=False)
class EcgDraw:
    """What chance decided about each person's ECG.

    Attributes:
        amplitude: Of the R wave, mV.
        t_wave: Of the T wave, part of the usual one.
        qtc: QT interval at an interval of 1 s, s.
        modulation: Part by which amplitudes follow respiration.
        wander: Of the baseline with respiration, mV.
        noise: Standard deviation, mV.
        key: Of the noise.
    """

    amplitude: PerSubject
    t_wave: PerSubject
    qtc: PerSubject
    modulation: PerSubject
    wander: PerSubject
    noise: PerSubject
    key: Int[np.ndarray, " subject"]

    def __len__(self) -> int:
        return len(self.amplitude)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the people at these rows (indices or a mask)."""
        return replace(self, **{name: part[rows] for name, part in vars(self).items()})


@dataclass(frozen=True)
class Ecg:
    """What ECGs some people have; each range is spread evenly over people.

    Attributes:
        amplitude, t_wave, qtc, modulation, wander, noise: See `EcgDraw`.

    Raises:
        ConfigError: If a range is upside down or impossible; the message says
            which.
    """

    amplitude: Range = (0.7, 1.6)
    t_wave: Range = (0.6, 1.4)
    qtc: Range = (0.37, 0.43)
    modulation: Range = (0.02, 0.10)
    wander: Range = (0.0, 0.06)
    noise: Range = (0.004, 0.02)

    def __post_init__(self) -> None:
        check_ranges("the ECG", self, _SETTINGS)

    def draw(self, n: int, rng: np.random.Generator) -> EcgDraw:
        """Draw the ECGs of n people; the first ones do not depend on n."""
        key, rest = rng.spawn(2)
        drawn = draw_ranges(self, _SETTINGS, n, rest)
        return EcgDraw(key=key.integers(0, 2**62, n), **drawn)


@compiled(fastmath={"contract"})
@no_type_check
def _write(
    r_peak: np.ndarray,
    ectopic: np.ndarray,
    interval: np.ndarray,
    phase: np.ndarray,
    kind: np.ndarray,
    settings: np.ndarray,
    key: int,
    rate: float,
    first: int,
    answer: np.ndarray,
) -> None:
    count = len(answer)
    amplitude, t_wave, qtc, modulation, wander, noise = settings
    normals(key, first, answer, count)
    for n in range(count):
        answer[n] *= noise
    for k in range(len(r_peak) - 1):
        # the baseline goes with breathing, straight in phase from beat to beat
        begin = max(int(np.ceil(r_peak[k] * rate)) - first, 0)
        end = min(int(np.ceil(r_peak[k + 1] * rate)) - first, count)
        pace = (phase[k + 1] - phase[k]) / (r_peak[k + 1] - r_peak[k])
        for n in range(begin, end):
            late = (first + n) / rate - r_peak[k]
            turns = phase[k] + pace * late
            answer[n] += wander * np.sin(2.0 * np.pi * turns)
    for k in range(len(r_peak)):
        size = amplitude * (1.0 + modulation * np.sin(2.0 * np.pi * phase[k]))
        for w in range(kind.shape[1]):
            at, sd, part = kind[int(ectopic[k]), w]
            if w == _T:
                stretch = np.sqrt(min(max(interval[k], 0.35), 1.5))
                at, sd = _QT_TO_PEAK * qtc * stretch, sd * stretch
                part *= t_wave
            middle, height = r_peak[k] + at, size * part
            begin = int(np.ceil((middle - _REACH * sd) * rate)) - first
            end = int(np.floor((middle + _REACH * sd) * rate)) - first + 1
            for n in range(max(begin, 0), min(end, count)):
                z = ((first + n) / rate - middle) / sd
                answer[n] += height * np.exp(-0.5 * z * z)


_KINDS: Final = np.stack([_WAVES, _ECTOPIC])


def electrocardiogram(
    r_peak: PerBeat,
    *,
    ectopic: Bool[np.ndarray, " beat"],
    interval: PerBeat,
    phase: PerBeat,
    draw: EcgDraw,
    row: int,
    sampling_rate: float,
    first: int,
    count: int,
) -> Float32[np.ndarray, " time"]:
    """Return one person's ECG, mV.

    A record can be made in pieces: given all beats from 1 s before a piece to 0.3 s
    behind it, and one more at both ends, they are those of the record made whole.

    Args:
        r_peak: Times since the start of the record, s.
        ectopic: Whether a beat is ectopic.
        interval: From the beat before, s.
        phase: Of respiration at the R peak, cycles, rising.
        draw: The ECGs.
        row: Whose.
        sampling_rate: Hz.
        first: Number of the first sample wanted.
        count: How many samples.
    """
    answer = np.zeros(count)
    settings = np.array([getattr(draw, name)[row] for name in _SETTINGS])
    _write(
        *(r_peak, ectopic, interval, phase, _KINDS, settings),
        *(int(draw.key[row]), float(sampling_rate), first, answer),
    )
    return answer.astype(np.float32)
