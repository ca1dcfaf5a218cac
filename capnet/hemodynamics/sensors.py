"""Sensors: from the blood in a fingertip to what a pulse oximeter puts out.

A family of sensors is a handful of ranges (`Sensor`). From it the properties of the
sensor on each finger are drawn and recorded (`SensorDraw`); `apply_sensor` is then a
pure function. Contact pressure bends the wave, the electronics filter it (exactly, in
the frequency domain: the wave is periodic), then come drift and noise.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
from jaxtyping import Complex, Float, Shaped

from capnet.errors import ConfigError
from capnet.hemodynamics.spectra import evaluate, grid
from capnet.signal.frontend import RATE
from capnet.types import PerBeat, Windows

__all__ = ["LEAD", "WINDOW", "Range", "Sensor", "SensorDraw", "apply_sensor"]

Range = tuple[float, float]
"""Lowest and highest value; equal for a fixed one."""

LEAD: Final = 0.6
"""Seconds of PPG before the R peak: the filter's reach (0.4 s) and the foot's."""

WINDOW: Final = 400
"""Samples of raw PPG a beat: 3.2 s, enough for 35 bpm with 0.4 s to spare behind."""

_DENSE: Final = 256
"""Points of a beat at which the contact bends the wave."""

_HARMONICS: Final = 60
"""Harmonics kept behind it; the electronics leave nothing above."""


@dataclass(frozen=True, eq=False)
class SensorDraw:
    """What chance decided about each finger's sensor.

    Attributes:
        contact: Bend of the wave: 0 none, > 0 flattens high volumes, < 0 low ones.
        lowpass: Corners of the low-passes, Hz. Shape (beat, stage).
        coupling: Corner of the AC coupling, Hz; 0 for none.
        level: Standard deviation of the noise in pulse heights.
        drift: Change of the baseline within a beat, pulse heights.
        phase: Where the samples fall, 0..1 of a sampling step.
        noise: White noise of SD 1. Shape (beat, time).
    """

    contact: PerBeat
    lowpass: Float[np.ndarray, "beat stage"]
    coupling: PerBeat
    level: PerBeat
    drift: PerBeat
    phase: PerBeat
    noise: Windows

    def __len__(self) -> int:
        return len(self.contact)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the sensors at these rows (indices or a mask)."""
        changed = {name: values[rows] for name, values in vars(self).items()}
        return replace(self, **changed)


@dataclass(frozen=True)
class Sensor:
    """A family of finger sensors.

    Attributes:
        contact_mean, contact_sd: Bend by contact pressure, see `SensorDraw`.
        lowpass: Range of the corner of each first-order low-pass, Hz.
        coupling: Range of the corner of the AC coupling, Hz; 0 for none.
        noise: Range of the noise's standard deviation, pulse heights.
        drift_sd: Standard deviation of the drift within a beat, pulse heights.

    Raises:
        ConfigError: If a range is upside down or negative.
    """

    contact_mean: float
    contact_sd: float
    lowpass: tuple[Range, ...]
    coupling: Range
    noise: Range
    drift_sd: float

    def __post_init__(self) -> None:
        ranges = [(f"lowpass {i}", r) for i, r in enumerate(self.lowpass)]
        ranges += [("coupling", self.coupling), ("noise", self.noise)]
        for name, (low, high) in ranges:
            floor = 1e-3 if name.startswith("lowpass") else 0.0
            if not floor <= low <= high:
                msg = (
                    f"range of {name} is {low:g} to {high:g}; wanted "
                    f"{floor:g} <= low <= high."
                )
                raise ConfigError(msg)
        if self.contact_sd < 0 or self.drift_sd < 0:
            msg = (
                f"contact_sd is {self.contact_sd:g} and drift_sd {self.drift_sd:g}; "
                "wanted none below 0."
            )
            raise ConfigError(msg)

    @classmethod
    def source(cls) -> Self:
        """Return a mild sensor: hardly any bend, 10 Hz low-pass, 1 % noise."""
        return cls(0.16, 0.05, ((10.0, 10.0),), (0.0, 0.0), (0.01, 0.01), 0.0)

    @classmethod
    def randomised(cls) -> Self:
        """Return a broad family, centred away from any one clinic's sensor."""
        lowpass = ((4.0, 14.0), (8.0, 30.0))
        return cls(0.3, 0.8, lowpass, (0.01, 0.5), (0.005, 0.03), 0.05)

    @classmethod
    def clinic(cls) -> Self:
        """Return another clinic's: bent either way, 6 + 12 Hz, AC coupled, noisy."""
        lowpass = ((6.0, 6.0), (12.0, 12.0))
        return cls(0.5, 0.8, lowpass, (0.3, 0.3), (0.025, 0.025), 0.05)

    def draw(self, n: int, rng: np.random.Generator) -> SensorDraw:
        """Draw the sensors of n fingers; the first ones do not depend on n."""
        contact, *stages, coupling, noise, drift, phase, white = rng.spawn(
            6 + len(self.lowpass)
        )
        corners = [
            between.uniform(low, high, n)
            for between, (low, high) in zip(stages, self.lowpass, strict=True)
        ]
        return SensorDraw(
            contact=self.contact_mean + self.contact_sd * contact.standard_normal(n),
            lowpass=np.reshape(corners, (len(self.lowpass), n)).T,
            coupling=coupling.uniform(*self.coupling, n),
            level=noise.uniform(*self.noise, n),
            drift=self.drift_sd * drift.standard_normal(n),
            phase=phase.random(n),
            noise=white.standard_normal((n, WINDOW)),
        )


def apply_sensor(
    volume: Complex[np.ndarray, "beat harmonic"],
    *,
    period: PerBeat,
    r_peak: PerBeat,
    draw: SensorDraw,
) -> tuple[Windows, PerBeat]:
    """Record one beat of each finger.

    Args:
        volume: Volume pulse, 0..1, as Fourier coefficients, mean first.
        period: Duration of a beat, s.
        r_peak: Time of the R peak in the clock of the volume pulse, s.
        draw: The sensors.

    Returns:
        Raw PPG at `capnet.signal.frontend.RATE` from `LEAD` before the R peak on, and
        the R peak within it, samples (fractional).
    """
    bent = _bend(grid(volume, _DENSE), draw.contact[:, None])
    wave = np.fft.rfft(bent, axis=1)[:, : _HARMONICS + 1] / _DENSE
    filtered = wave * _response(np.arange(_HARMONICS + 1) / period[:, None], draw)
    position = LEAD * RATE + draw.phase
    times = r_peak[:, None] + (np.arange(WINDOW) - position[:, None]) / RATE
    clean = evaluate(filtered, period=period, times=times)
    height = np.ptp(grid(filtered, _DENSE), axis=1)[:, None]
    around = times - times.mean(axis=1, keepdims=True)
    drift = draw.drift[:, None] * around / period[:, None]
    noise = draw.level[:, None] * _smoothed(draw.noise)
    return clean + (drift + noise) * height, position


def _bend(
    volume: Float[np.ndarray, "beat point"], contact: Float[np.ndarray, "beat 1"]
) -> Float[np.ndarray, "beat point"]:
    """Bend 0..1 into 0..1 by (1 - exp(-g v)) / (1 - exp(-g))."""
    straight = np.abs(contact) < 1e-3
    g = np.where(straight, 1.0, contact)
    return np.where(straight, volume, np.expm1(-g * volume) / np.expm1(-g))


def _response(
    frequency: Float[np.ndarray, "beat harmonic"], draw: SensorDraw
) -> Complex[np.ndarray, "beat harmonic"]:
    """Return the electronics' response; the mean level passes."""
    gain = np.ones(frequency.shape, dtype=np.complex128)
    for corner in draw.lowpass.T:
        gain /= 1.0 + 1j * frequency / corner[:, None]
    part = 1j * frequency[:, 1:]
    gain[:, 1:] *= part / (part + draw.coupling[:, None])
    return gain


def _smoothed(noise: Windows) -> Windows:
    """Return noise of SD 1 whose neighbours resemble each other (three-point mean)."""
    total = noise + np.roll(noise, 1, axis=1) + np.roll(noise, -1, axis=1)
    smoothed: Windows = total / np.sqrt(3.0)
    return smoothed
