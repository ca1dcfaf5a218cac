"""Sensors: from the blood in a fingertip to what a pulse oximeter puts out.

A family of sensors is a handful of ranges (`Sensor`). From it the properties of the
sensor on each finger are drawn and recorded (`SensorDraw`); `apply_sensor` and
`apply_sensor_record` are then pure functions. Contact pressure bends the wave, the
electronics filter it, then come drift, noise and motion, and a converter clips and
rounds. A steady beat is filtered exactly, in the frequency domain (the wave is
periodic); a continuous record sample by sample, see `capnet.hemodynamics.electronics`.
"""

from dataclasses import dataclass, replace
from typing import Final, Literal, Self, no_type_check

import numpy as np
from jaxtyping import Complex, Float, Float32, Int, Shaped

from capnet.compiled import compiled
from capnet.errors import ConfigError, RecordError, ShapeError
from capnet.hemodynamics.blocks import in_blocks
from capnet.hemodynamics.catheters import COLUMN
from capnet.hemodynamics.electronics import (
    Sections,
    State,
    coupling_section,
    digitise,
    digitise_samples,
    filter_samples,
    lowpass_section,
    normals,
    second_order,
    second_order_section,
    settled,
    uniform,
)
from capnet.hemodynamics.motion import SLOT, add_motion, motion
from capnet.hemodynamics.spectra import evaluate, grid
from capnet.signal.frontend import RATE
from capnet.types import PerBeat, Windows

__all__ = [
    "LEAD",
    "WINDOW",
    "Bend",
    "Range",
    "Sensor",
    "SensorDraw",
    "apply_sensor",
    "apply_sensor_record",
    "settle_sensor",
]

Range = tuple[float, float]
"""Lowest and highest value; equal for a fixed one."""

Bend = Literal["exponential", "tanh"]
"""How contact bends the wave 0..1 into 0..1: by (1 - exp(-g v)) / (1 - exp(-g)), which
flattens high volumes for g > 0 and low ones for g < 0, or by
(tanh(g (v - 1/2)) / tanh(g / 2) + 1) / 2, which flattens both."""

LEAD: Final = 0.6
"""Seconds of PPG before the R peak: the filter's reach (0.4 s) and the foot's."""

WINDOW: Final = 400
"""Samples of raw PPG a beat: 3.2 s, enough for 35 bpm with 0.4 s to spare behind."""

_DENSE: Final = 256
"""Points of a beat at which the contact bends the wave."""

_HARMONICS: Final = 60
"""Harmonics kept behind it; the electronics leave nothing above."""


LIFT: Final = 0.02
"""How much bend a wrist loses for each mmHg that its height takes from it.

A declared assumption: around 40 mmHg across the wall, a pulse of 40 mmHg in a vessel
whose volume goes as tanh(pressure / 40 mmHg) has a bend that grows by that much."""

_LEVEL: Final = 0.45
"""Mean of a usual volume pulse, on which an AC coupling has settled before a record."""
_MIDDLE: Final = 0.5
"""Where the converter's centre lies without AC coupling, pulse heights."""
_BEAT: Final = 0.8
"""Seconds of a usual beat, in which a record's baseline changes by the drift."""
_WANDER: Final = (0.02, 0.05, 0.11)
"""Hz of the sinusoids that a record's drift consists of; slower than breathing."""
_BLOCK: Final = 512
"""Samples of a record that are made at once."""
_ROWS: Final = 2
"""Records of a block of work."""


@dataclass(frozen=True, eq=False)
class SensorDraw:
    """What chance decided about each finger's sensor.

    A pulse height is that of the recorded beat where one beat is recorded, and that of
    the usual beat's volume in a continuous record.

    Attributes:
        contact: Bend of the wave, see `Bend`; 0 for none.
        lowpass: Corners of the low-passes, Hz. Shape (beat, stage).
        coupling: Corner of the AC coupling, Hz; 0 for none.
        level: Standard deviation of the noise in pulse heights.
        drift: Change of the baseline within a beat, pulse heights.
        phase: Where the samples fall, 0..1 of a sampling step.
        noise: White noise of SD 1. Shape (beat, time).
        seed: From which a record's noise and drift, and all motion follow.
        height: Of the place above where it is level with the heart, cm.
        motion: Bursts of movement a minute.
        quantum: Step of the converter, pulse heights; 0 for none.
        rail: What the converter holds to each side of its centre, pulse heights; 0 for
            all. The centre is the mean if coupled, else half a pulse height.
        bend: Shape of the contact's bend.
        damping: Of each low-pass of second order; 0 for first order.
        motion_strength, motion_length, motion_band: See `Sensor`.
    """

    contact: PerBeat
    lowpass: Float[np.ndarray, "beat stage"]
    coupling: PerBeat
    level: PerBeat
    drift: PerBeat
    phase: PerBeat
    noise: Windows
    seed: Int[np.ndarray, " beat"]
    height: PerBeat
    motion: PerBeat
    quantum: PerBeat
    rail: PerBeat
    bend: Bend
    damping: float
    motion_strength: Range
    motion_length: Range
    motion_band: Range

    def __len__(self) -> int:
        return len(self.contact)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the sensors at these rows (indices or a mask)."""
        arrays = {k: v for k, v in vars(self).items() if isinstance(v, np.ndarray)}
        return replace(self, **{name: values[rows] for name, values in arrays.items()})


@dataclass(frozen=True)
class Sensor:
    """A family of sensors at a finger, a wrist or an ear.

    Attributes:
        contact_mean, contact_sd: Bend by contact pressure, see `SensorDraw`.
        lowpass: Range of the corner of each low-pass, Hz.
        coupling: Range of the corner of the AC coupling, Hz; 0 for none.
        noise: Range of the noise's standard deviation, pulse heights.
        drift_sd: Standard deviation of the drift within a beat, pulse heights.
        bend: Shape of the contact's bend.
        damping: 0 for low-passes of first order; else of second order with the corner
            as natural frequency (0.866 Bessel, 0.707 Butterworth).
        height_sd: Standard deviation of the height over the heart, cm, of a wrist or a
            hand. Raised by 1 cm, it loses 0.77 mmHg and, as is assumed here, bend.
        motion: Range of the bursts of movement a minute; 0 for none.
        motion_strength: Range of a burst's SD in its middle, pulse heights.
        motion_length: Range of its duration, s.
        motion_band: Range of its frequency, Hz.
        quantum: Range of the converter's step, pulse heights; 0 for none.
        rail: Range of what the converter holds to each side, pulse heights; 0 for all.

    Raises:
        ConfigError: If a number or a range is out of its limits, a range upside down,
            or bursts are so frequent that they could not all have a slot of their own.
    """

    contact_mean: float
    contact_sd: float
    lowpass: tuple[Range, ...]
    coupling: Range
    noise: Range
    drift_sd: float
    bend: Bend = "exponential"
    damping: float = 0.0
    height_sd: float = 0.0
    motion: Range = (0.0, 0.0)
    motion_strength: Range = (0.5, 3.0)
    motion_length: Range = (1.0, 6.0)
    motion_band: Range = (0.5, 6.0)
    quantum: Range = (0.0, 0.0)
    rail: Range = (0.0, 0.0)

    def __post_init__(self) -> None:
        ranges = [(f"lowpass {i}", r) for i, r in enumerate(self.lowpass)]
        ranges += [(name, getattr(self, name)) for name in _RANGES]
        for name, (low, high) in ranges:
            positive = name.startswith(("lowpass", "motion_"))
            floor = 1e-3 if positive else 0.0
            if not floor <= low <= high < np.inf:
                msg = (
                    f"range of {name} is {low:g} to {high:g}; wanted "
                    f"{floor:g} <= low <= high."
                )
                raise ConfigError(msg)
        for name, (least, most) in _LIMITS.items():
            value = getattr(self, name)
            if not least <= value <= most:
                msg = f"{name} is {value:g}; wanted {least:g} to {most:g}."
                raise ConfigError(msg)
        if self.motion[1] > 60.0 / SLOT:
            msg = (
                f"motion has up to {self.motion[1]:g} bursts a minute; wanted at most "
                f"{60.0 / SLOT:g}. Make them longer instead."
            )
            raise ConfigError(msg)
        if self.bend not in ("exponential", "tanh"):
            msg = f"bend is {self.bend!r}; wanted 'exponential' or 'tanh'."
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

    @classmethod
    def held_out(cls) -> Self:
        """Return a family that `randomised` does not contain.

        Both ends of the wave are flattened, the low-pass is a Bessel filter, coupling
        and noise lie above the broad family's ranges, and the converter has steps.
        """
        return cls(
            contact_mean=2.0,
            contact_sd=0.5,
            lowpass=((5.0, 9.0),),
            coupling=(0.55, 0.9),
            noise=(0.031, 0.045),
            drift_sd=0.05,
            bend="tanh",
            damping=0.866,
            quantum=(0.005, 0.02),
        )

    @classmethod
    def wrist(cls) -> Self:
        """Return a wearable's: it moves, hangs high or low, clips and has steps."""
        return cls(
            contact_mean=0.3,
            contact_sd=0.8,
            lowpass=((4.0, 10.0), (8.0, 30.0)),
            coupling=(0.2, 0.6),
            noise=(0.01, 0.04),
            drift_sd=0.08,
            height_sd=5.0,
            motion=(0.5, 3.0),
            quantum=(0.004, 0.016),
            rail=(0.7, 1.5),
        )

    def draw(self, n: int, rng: np.random.Generator) -> SensorDraw:
        """Draw the sensors of n fingers; the first ones do not depend on n."""
        contact, *stages, coupling, noise, drift, phase, white = rng.spawn(
            6 + len(self.lowpass)
        )
        seed, height, burst, quantum, rail = rng.spawn(5)
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
            seed=seed.integers(0, 2**62, n),
            height=self.height_sd * height.standard_normal(n),
            motion=burst.uniform(*self.motion, n),
            quantum=quantum.uniform(*self.quantum, n),
            rail=rail.uniform(*self.rail, n),
            bend=self.bend,
            damping=self.damping,
            motion_strength=self.motion_strength,
            motion_length=self.motion_length,
            motion_band=self.motion_band,
        )


_LIMITS: Final = {
    "contact_mean": (-30.0, 30.0),
    "contact_sd": (0.0, 30.0),
    "drift_sd": (0.0, 1e3),
    "damping": (0.0, 10.0),
    "height_sd": (0.0, 100.0),
}
"""A bend of 30 is a step already; without a limit it would overflow."""

_RANGES: Final = (
    *("coupling", "noise", "quantum", "rail"),
    *("motion", "motion_strength", "motion_length", "motion_band"),
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
        the R peak within it, samples (fractional). The mean level passes the AC
        coupling.
    """
    bent = _bend(grid(volume, _DENSE), draw)
    wave = np.fft.rfft(bent, axis=1)[:, : _HARMONICS + 1] / _DENSE
    filtered = wave * _response(np.arange(_HARMONICS + 1) / period[:, None], draw)
    position = LEAD * RATE + draw.phase
    times = r_peak[:, None] + (np.arange(WINDOW) - position[:, None]) / RATE
    clean = evaluate(filtered, period=period, times=times)
    height = np.ptp(grid(filtered, _DENSE), axis=1)[:, None]
    around = times - times.mean(axis=1, keepdims=True)
    drift = draw.drift[:, None] * around / period[:, None]
    noise = draw.level[:, None] * _smoothed(draw.noise)
    moved = motion(
        draw.seed,
        rate=draw.motion,
        strength=draw.motion_strength,
        length=draw.motion_length,
        band=draw.motion_band,
        start=0,
        count=WINDOW,
        sampling_rate=RATE,
    )
    seen = clean + (drift + noise) * height + moved * height
    mean = filtered[:, 0].real
    digital = digitise(
        seen,
        centre=np.where(draw.coupling > 0.0, mean, _MIDDLE),
        rail=draw.rail * height[:, 0],
        quantum=draw.quantum * height[:, 0],
    )
    return digital, position


def settle_sensor(
    first: Float[np.ndarray, " record"], *, sampling_rate: float, draw: SensorDraw
) -> State:
    """Return what sensors remember before a record begins.

    The low-passes have seen the first volume for ever, the AC coupling a usual pulse's
    mean (0.45 pulse heights).

    Args:
        first: First volume of each record, pulse heights.
        sampling_rate: Hz.
        draw: The sensors, one a record.
    """
    sections = _sections(draw, sampling_rate)
    state = settled(sections, _bend(first[:, None].astype(np.float64), draw)[:, 0])
    usual = _bend(np.full((len(draw), 1), _LEVEL), draw)[:, 0]
    state[:, -1:] = settled(sections[:, -1:], usual)
    return state


def apply_sensor_record(
    volume: Float[np.ndarray, "record time"],
    *,
    sampling_rate: float,
    draw: SensorDraw,
    start: int = 0,
    state: State | None = None,
) -> Float32[np.ndarray, "record time"]:
    """Record fingers for as long as wanted.

    A record can be made in pieces, each with the number of its first sample and the
    same ``state``; the pieces are, bit by bit, those of the record made whole.

    Args:
        volume: In pulse heights, 0 at the foot and 1 at the peak of a usual beat.
            Shape (record, time).
        sampling_rate: Hz.
        draw: The sensors, one a record; their ``phase`` and ``noise`` are of single
            beats and not looked at.
        start: Number of the first sample within the record.
        state: What the electronics remember; it is moved on in place. From
            `settle_sensor` of the first sample by default.

    Returns:
        PPG in pulse heights; it swings about 0 where there is AC coupling. Noise has
        the SD asked for at any sampling rate, neighbours resembling each other
        (three-point mean). The drift is a slow wander whose slope has an SD of the
        drift in 0.8 s. Shape (record, time).

    Raises:
        ShapeError: If there is not one sensor a record, or the state does not fit.
        RecordError: If a sample is missing or infinite.
    """
    sections = _sections(draw, sampling_rate)
    wanted = (*sections.shape[:2], 2)
    if len(volume) != len(draw) or (state is not None and state.shape != wanted):
        shape = None if state is None else state.shape
        msg = (
            f"{len(volume)} records, {len(draw)} sensors and a state of shape {shape}; "
            f"wanted one sensor a record and a state of shape {wanted}."
        )
        raise ShapeError(msg)
    answer = np.empty(volume.shape, dtype=np.float32)
    if volume.shape[1] == 0:
        return answer
    if state is None:
        state = settle_sensor(volume[:, 0], sampling_rate=sampling_rate, draw=draw)
    memory: State = state
    volume = np.ascontiguousarray(volume)  # one machine code for all layouts
    centre = np.where(draw.coupling > 0.0, 0.0, _MIDDLE)
    settings = np.stack(
        [
            *(_contact(draw), draw.level, draw.drift, draw.motion),
            *(centre, draw.rail, draw.quantum),
        ],
        axis=1,
    )
    ranges = np.array([draw.motion_strength, draw.motion_length, draw.motion_band])
    first_bad = np.full(len(draw), -1)

    def work(rows: slice) -> None:
        _record(
            *(volume[rows], sections[rows], memory[rows], settings[rows]),
            *(draw.seed[rows], ranges, draw.bend == "tanh", start),
            *(float(sampling_rate), answer[rows], first_bad[rows]),
        )

    for _ in in_blocks(work, len(volume), size=_ROWS):
        pass
    if (first_bad >= 0).any():
        row = int(np.flatnonzero(first_bad >= 0)[0])
        at = first_bad[row]
        msg = (
            f"sample {start + at} of record {row} is {volume[row, at]}; wanted finite "
            "volumes, for the electronics carry what they have seen on."
        )
        raise RecordError(msg)
    return answer


def _contact(draw: SensorDraw) -> PerBeat:
    """Return the bend, the wrist's height considered."""
    return draw.contact - LIFT * COLUMN * draw.height


def _bend(
    volume: Float[np.ndarray, "beat point"], draw: SensorDraw
) -> Float[np.ndarray, "beat point"]:
    """Bend 0..1 into 0..1, see `Bend`."""
    contact = _contact(draw)[:, None]
    straight = np.abs(contact) < _STRAIGHT
    g = np.where(straight, 1.0, contact)
    if draw.bend == "tanh":
        bent = 0.5 + 0.5 * np.tanh(g * (volume - 0.5)) / np.tanh(0.5 * g)
    else:
        bent = np.expm1(-g * volume) / np.expm1(-g)
    return np.where(straight, volume, bent)


_STRAIGHT: Final = 1e-3
"""Bend below which a wave counts as straight."""


def _response(
    frequency: Float[np.ndarray, "beat harmonic"], draw: SensorDraw
) -> Complex[np.ndarray, "beat harmonic"]:
    """Return the electronics' response; the mean level passes."""
    gain = np.ones(frequency.shape, dtype=np.complex128)
    damping = np.full(len(draw), draw.damping)
    for corner in draw.lowpass.T:
        if draw.damping > 0.0:
            gain *= second_order(frequency, corner, damping)
        else:
            gain /= 1.0 + 1j * frequency / corner[:, None]
    part = 1j * frequency[:, 1:]
    gain[:, 1:] *= part / (part + draw.coupling[:, None])
    return gain


def _sections(draw: SensorDraw, sampling_rate: float) -> Sections:
    """Return the electronics for records: the low-passes, then the AC coupling."""
    damping = np.full(len(draw), draw.damping)
    stages = [
        second_order_section(corner, damping, sampling_rate=sampling_rate)
        if draw.damping > 0.0
        else lowpass_section(corner, sampling_rate=sampling_rate)
        for corner in draw.lowpass.T
    ]
    stages.append(coupling_section(draw.coupling, sampling_rate=sampling_rate))
    return np.stack(stages, axis=1)


def _smoothed(noise: Windows) -> Windows:
    """Return noise of SD 1 whose neighbours resemble each other (three-point mean)."""
    total = noise + np.roll(noise, 1, axis=1) + np.roll(noise, -1, axis=1)
    smoothed: Windows = total / np.sqrt(3.0)
    return smoothed


@compiled()
@no_type_check
def _record(
    volume: np.ndarray,
    sections: np.ndarray,
    state: np.ndarray,
    settings: np.ndarray,
    seed: np.ndarray,
    ranges: np.ndarray,
    tanh: bool,
    start: int,
    sampling_rate: float,
    answer: np.ndarray,
    first_bad: np.ndarray,
) -> None:
    """Record rows, block by block; blocks end at multiples of `_BLOCK`."""
    rows, count = volume.shape
    samples, white = np.empty(_BLOCK), np.empty(_BLOCK + 2)
    for row in range(rows):
        contact, level, drift = settings[row, 0], settings[row, 1], settings[row, 2]
        bursts, centre = settings[row, 3], settings[row, 4]
        rail, quantum = settings[row, 5], settings[row, 6]
        at = 0
        while at < count:
            now = start + at
            size = min(_BLOCK - now % _BLOCK, count - at)
            for i in range(size):
                samples[i] = volume[row, at + i]
                if not np.isfinite(samples[i]) and first_bad[row] < 0:
                    first_bad[row] = at + i
            _bend_samples(samples, size, contact, tanh)
            for k in range(sections.shape[1]):
                filter_samples(samples, size, sections[row, k], state[row, k])
            if drift != 0.0:
                _add_wander(samples, size, now, sampling_rate, seed[row] + 1, drift)
            if level > 0.0:
                normals(seed[row], now - 1, white, size + 2)
                for i in range(size):
                    triple = white[i] + white[i + 1] + white[i + 2]
                    samples[i] += level / np.sqrt(3.0) * triple
            if bursts > 0.0:
                add_motion(
                    *(samples, size, now, sampling_rate),
                    *(seed[row] + 2, bursts, ranges),
                )
            digitise_samples(samples, size, centre, rail, quantum)
            for i in range(size):
                answer[row, at + i] = samples[i]
            at += size


@compiled()
@no_type_check
def _bend_samples(samples: np.ndarray, count: int, contact: float, tanh: bool) -> None:
    """Bend in place, as `_bend` does."""
    if abs(contact) < _STRAIGHT:
        return
    if tanh:
        scale = 0.5 / np.tanh(0.5 * contact)
        for i in range(count):
            samples[i] = 0.5 + scale * np.tanh(contact * (samples[i] - 0.5))
    else:
        scale = 1.0 / np.expm1(-contact)
        for i in range(count):
            samples[i] = scale * np.expm1(-contact * samples[i])


@compiled()
@no_type_check
def _add_wander(
    samples: np.ndarray,
    count: int,
    start: int,
    sampling_rate: float,
    seed: int,
    drift: float,
) -> None:
    """Add slow sinusoids, turned on from where the block begins.

    Each has the same part of the slope, whose SD is the drift in `_BEAT` seconds.
    """
    block = start - start % _BLOCK
    for k in range(len(_WANDER)):
        turn = 2.0 * np.pi * _WANDER[k] / sampling_rate
        slope = abs(drift) / _BEAT * np.sqrt(2.0 / len(_WANDER))
        size = slope / (2.0 * np.pi * _WANDER[k])
        turns = _WANDER[k] * (block / sampling_rate) + uniform(seed, k)
        angle = 2.0 * np.pi * (turns - np.floor(turns))
        re, im = size * np.cos(angle), size * np.sin(angle)
        cosine, sine = np.cos(turn), np.sin(turn)
        for i in range(start - block + count):
            if i >= start - block:
                samples[i - start + block] += re
            re, im = re * cosine - im * sine, re * sine + im * cosine
