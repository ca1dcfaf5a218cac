r"""Rhythm: when the heart beats and when the chest breathes, for as long as wanted.

Intervals between sinus beats follow a tachogram that is a function of time,

.. math:: RR(t) = RR_0 - a\sin 2\pi\varphi(t) + \sum_l a_l \sin(2\pi f_l t + \psi_l),

respiration of phase :math:`\varphi` (respiratory sinus arrhythmia of amplitude a) and
many lines in the bands of low and very low frequency (Task Force of the ESC and NASPE
1996, doi:10.1161/01.CIR.93.5.1043), of random phase and given power as in McSharry 2003
(doi:10.1109/TBME.2003.808805). Frequencies are drawn, one in each slice of its band, so
that a record of days does not repeat. As everything depends on time and on counted
random numbers only, a record can be made piece by piece.

An ectopic beat comes in place of a sinus beat, early; the sinus node goes on beating,
so that a full compensatory pause follows.
"""

import math
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, Final, NamedTuple, Self, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.compiled import compiled
from capnet.errors import ConfigError
from capnet.hemodynamics.electronics import uniform
from capnet.hemodynamics.episodes import envelope
from capnet.hemodynamics.oscillations import Lines, draw_lines, oscillation
from capnet.hemodynamics.ranges import check_ranges, draw_ranges
from capnet.hemodynamics.sensors import Range
from capnet.hemodynamics.spectra import turn

__all__ = [
    "Respiration",
    "RespirationDraw",
    "Rhythm",
    "RhythmDraw",
    "Timing",
    "beat_times",
    "breath",
    "breathing",
    "heart",
    "normal_intervals",
]

PerSubject = Float[np.ndarray, " subject"]
LF: Final = (0.04, 0.15)
"""Hz, band of low frequency (Task Force 1996)."""
VLF: Final = (0.0033, 0.04)
"""Hz, band of very low frequency."""
_SHORTEST: Final = 0.25
"""s between two beats of the sinus node, at least."""
_REFRACTORY: Final = 0.28
"""s after a beat before which no ectopic one comes."""
_LOOSE: Final = 0.03
"""By how much the coupling varies from one ectopic beat to the next, either way."""
_WIDEST: Final = 2.2
"""Standard deviations of the logarithm at which SDNN is held."""
_MOST_SDNN: Final = 0.2
"""s that anybody's SDNN may be: more, and intervals would run into `_SHORTEST`."""
_HEARTS: Final = MappingProxyType(
    {
        "hf": (0.0, 1.0),
        "lf": (0.0, 1.0),
        "ectopic_rate": (0.0, 1000.0),
        "coupling": (0.3, 0.95),
        "pep_mean": (0.03, 0.2),
        "pep_sd": (0.0, 0.02),
    }
)
"""What the ranges of a rhythm may reach."""
_CHESTS: Final = MappingProxyType(
    {
        "breaths": (0.05, 1.0),
        "variability": (0.0, 0.3),
        "stroke": (0.0, 0.3),
        "thoracic": (0.0, 20.0),
        "baseline": (0.0, 2.0),
    }
)
"""What those of respiration may reach."""
_BREATH_BAND: Final = (0.01, 0.04)
"""Hz, at which the rate of breathing wanders."""


def _rows_of(draw: object, rows: Shaped[np.ndarray, " row"]) -> dict[str, Any]:
    """Return what was drawn for some people, by name."""
    return {
        name: part.take(rows) if isinstance(part, Lines) else part[rows]
        for name, part in vars(draw).items()
    }


@dataclass(frozen=True, eq=False)
class RhythmDraw:
    """What chance decided about each heart.

    Attributes:
        sdnn: Standard deviation of normal intervals at rest, s.
        rsa: Amplitude of respiratory sinus arrhythmia, s.
        lf, vlf: Root mean square of the intervals' part in these bands, s.
        ectopic_rate: Ectopic beats an hour.
        coupling: Of an ectopic beat to the one before, part of the sinus interval.
        pep_mean, pep_sd: Pre-ejection period and what it varies from beat to beat, s.
        lines: Oscillations of the interval, s.
        offset: Where in its cycle the sinus node starts, 0..1.
        key: Of the counted random numbers.
    """

    sdnn: PerSubject
    rsa: PerSubject
    lf: PerSubject
    vlf: PerSubject
    ectopic_rate: PerSubject
    coupling: PerSubject
    pep_mean: PerSubject
    pep_sd: PerSubject
    lines: Lines
    offset: PerSubject
    key: Int[np.ndarray, " subject"]

    def __len__(self) -> int:
        return len(self.sdnn)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the hearts at these rows (indices or a mask)."""
        return replace(self, **_rows_of(self, rows))


@dataclass(frozen=True)
class Rhythm:
    """How the hearts of some people vary; each range is spread evenly over people.

    SDNN is log-normal. At rest healthy people have 50 +- 16 ms in short recordings
    (Nunan 2010, doi:10.1111/j.1540-8159.2010.02841.x). Its power is respiratory sinus
    arrhythmia (``hf``), a band of low frequency (``lf``), and very low frequencies for
    the rest.

    Attributes:
        sdnn: Median of the standard deviation of normal intervals at rest, s.
        sdnn_spread: Standard deviation of its logarithm over people.
        hf, lf: Parts of the variance.
        ectopic_rate: Ectopic (ventricular) beats an hour.
        coupling: Their coupling, part of the sinus interval (0.5 to 0.8 is usual).
        pep_mean, pep_sd: Pre-ejection period of a person, and its SD from beat to beat,
            s.

    Raises:
        ConfigError: If a range is upside down or impossible; the message says which.
    """

    sdnn: float = 0.045
    sdnn_spread: float = 0.3
    hf: Range = (0.15, 0.45)
    lf: Range = (0.2, 0.4)
    ectopic_rate: Range = (0.0, 30.0)
    coupling: Range = (0.55, 0.75)
    pep_mean: Range = (0.075, 0.115)
    pep_sd: Range = (0.002, 0.004)

    def __post_init__(self) -> None:
        check_ranges("the rhythm", self, _HEARTS)
        widest = self.sdnn * math.exp(_WIDEST * min(self.sdnn_spread, 10.0))
        least = min(self.sdnn, self.sdnn_spread)
        if not (least >= 0.0 and widest <= _MOST_SDNN):
            msg = (
                f"the rhythm has SDNN {self.sdnn:g} s, spread {self.sdnn_spread:g}, "
                f"so that somebody may have {widest:g} s; wanted none below 0 and at "
                f"most {_MOST_SDNN:g} s in anybody."
            )
            raise ConfigError(msg)
        if self.hf[1] + self.lf[1] > 1.0:
            msg = (
                f"the rhythm's hf reaches {self.hf[1]:g} and lf {self.lf[1]:g}; wanted "
                "parts of one variance, together 1 at most."
            )
            raise ConfigError(msg)

    @classmethod
    def regular(cls) -> Self:
        """Return hearts that beat like clocks."""
        none = (0.0, 0.0)
        return cls(
            sdnn=0.0, hf=none, lf=none, ectopic_rate=none, pep_sd=none, sdnn_spread=0.0
        )

    def draw(self, n: int, rng: np.random.Generator) -> RhythmDraw:
        """Draw the rhythms of n hearts; the first ones do not depend on n."""
        spread, key, offset, low, very_low, rest = rng.spawn(6)
        sdnn = self.sdnn * np.exp(
            self.sdnn_spread * np.clip(spread.standard_normal(n), -_WIDEST, _WIDEST)
        )
        drawn = draw_ranges(self, _HEARTS, n, rest)
        hf, lf = drawn.pop("hf"), drawn.pop("lf")
        lf_rms, vlf_rms = sdnn * np.sqrt(lf), sdnn * np.sqrt(1.0 - hf - lf)
        bands = [
            draw_lines(n, low, band=LF, rms=lf_rms),
            draw_lines(n, very_low, band=VLF, rms=vlf_rms),
        ]
        return RhythmDraw(
            sdnn=sdnn,
            rsa=sdnn * np.sqrt(2.0 * hf),
            lf=lf_rms,
            vlf=vlf_rms,
            lines=Lines(
                *(np.concatenate(both, axis=1) for both in zip(*bands, strict=True))
            ),
            offset=offset.random(n),
            key=key.integers(0, 2**62, n),
            **drawn,
        )


@dataclass(frozen=True, eq=False)
class RespirationDraw:
    """What chance decided about each person's breathing.

    Attributes:
        breaths: Per second, on average.
        phase: Cycles at time 0; inspiration is the first half of a cycle.
        wander: Oscillations of the rate, as a part of it.
        stroke: Part by which stroke volume falls at the height of inspiration.
        thoracic: By how much pressure in the chest, and all pressures with it, fall
            then, mmHg.
        baseline: By how much the PPG's baseline moves, pulse heights.
    """

    breaths: PerSubject
    phase: PerSubject
    wander: Lines
    stroke: PerSubject
    thoracic: PerSubject
    baseline: PerSubject

    def __len__(self) -> int:
        return len(self.breaths)

    def take(self, rows: Shaped[np.ndarray, " row"]) -> Self:
        """Return the people at these rows (indices or a mask)."""
        return replace(self, **_rows_of(self, rows))


@dataclass(frozen=True)
class Respiration:
    """How some people breathe; each range is spread evenly over people.

    Adults at rest breathe 12 to 20 times a minute. Stroke volume of the left heart
    falls by some per cent, and arterial pressure by a few mmHg, in inspiration (more
    than 10 mmHg is pulsus paradoxus); the sizes are assumptions within that.

    Attributes:
        breaths: Per second.
        variability: Standard deviation of the rate, as a part of it.
        stroke, thoracic, baseline: See `RespirationDraw`.

    Raises:
        ConfigError: If a range is upside down or impossible; the message says which.
    """

    breaths: Range = (0.18, 0.33)
    variability: Range = (0.03, 0.08)
    stroke: Range = (0.02, 0.06)
    thoracic: Range = (0.5, 2.0)
    baseline: Range = (0.02, 0.2)

    def __post_init__(self) -> None:
        check_ranges("respiration", self, _CHESTS)

    @classmethod
    def held(cls) -> Self:
        """Return breathing that moves nothing."""
        none = (0.0, 0.0)
        return cls(variability=none, stroke=none, thoracic=none, baseline=none)

    def draw(self, n: int, rng: np.random.Generator) -> RespirationDraw:
        """Draw the breathing of n people; the first ones do not depend on n."""
        phase, lines, rest = rng.spawn(3)
        drawn = draw_ranges(self, _CHESTS, n, rest)
        wander = draw_lines(
            n, lines, band=_BREATH_BAND, rms=drawn.pop("variability"), count=4
        )
        return RespirationDraw(phase=phase.random(n), wander=wander, **drawn)


class Breath(NamedTuple):
    """One subject's breathing, for kernels; see `RespirationDraw`."""

    rate: float
    phase: float
    frequency: np.ndarray
    start: np.ndarray
    amplitude: np.ndarray


def breath(draw: RespirationDraw, row: int) -> Breath:
    """Return one subject's breathing as kernels want it."""
    lines = draw.wander
    return Breath(
        float(draw.breaths[row]),
        float(draw.phase[row]),
        lines.frequency[row],
        lines.phase[row],
        lines.amplitude[row],
    )


@compiled(fastmath={"contract"})
@no_type_check
def breathing(lungs: Breath, time: float) -> float:
    """Return the phase of respiration in cycles, the integral of its rate."""
    total = time
    for k in range(len(lungs.frequency)):
        # the lines are of the rate, which is the derivative of the phase
        cosine = turn(lungs.frequency[k] * time + lungs.start[k])[0]
        total -= lungs.amplitude[k] * cosine / (2.0 * math.pi * lungs.frequency[k])
    return lungs.phase + lungs.rate * total


class Timing(NamedTuple):
    """When beats come.

    Attributes:
        r_peak: s since the start of the record. Shape (beat,).
        ectopic: Whether a beat is.
        slot: Number of the sinus cycle, for counted random numbers. Shape (beat,).
        phase: Of respiration at the R peak, cycles, rising.
    """

    r_peak: Float[np.ndarray, " beat"]
    ectopic: Bool[np.ndarray, " beat"]
    slot: Int[np.ndarray, " beat"]
    phase: Float[np.ndarray, " beat"]


def normal_intervals(timing: Timing) -> Float[np.ndarray, " interval"]:
    """Return the intervals between neighbouring sinus beats (NN), s."""
    both = ~timing.ectopic[1:] & ~timing.ectopic[:-1]
    answer: np.ndarray = np.diff(timing.r_peak)[both]
    return answer


class Heart(NamedTuple):
    """One subject's rhythm, for kernels.

    ``interval`` is the mean one at rest, s; ``chance`` that a sinus beat which may be
    replaced is replaced.
    """

    interval: float
    rsa: float
    chance: float
    coupling: float
    key: int
    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray


def heart(draw: RhythmDraw, row: int, interval: float) -> Heart:
    """Return one subject's rhythm as kernels want it.

    Ectopic beats are isolated: none takes the place right after another. So that a
    part p of all cycles is ectopic, p / (1 - p) of those that may be must be.

    Args:
        draw: The rhythms.
        row: Whose.
        interval: Mean interval at rest, s.
    """
    part = float(draw.ectopic_rate[row]) * interval / 3600.0
    return Heart(
        interval,
        float(draw.rsa[row]),
        part / (1.0 - part),
        float(draw.coupling[row]),
        int(draw.key[row]),
        draw.lines.frequency[row],
        draw.lines.phase[row],
        draw.lines.amplitude[row],
    )


_NOTHING: Final = np.zeros((0, 4))


@compiled()
@no_type_check
def _next_beats(
    pump: Heart,
    lungs: Breath,
    times: np.ndarray,
    rates: np.ndarray,
    state: np.ndarray,
    until: float,
    r_peak: np.ndarray,
    ectopic: np.ndarray,
    slot: np.ndarray,
    phase: np.ndarray,
) -> int:
    """Fill in beats up to a time; return how many.

    The state is the time of the last sinus cycle, its number, and whether it was
    replaced.
    """
    count = 0
    while state[0] <= until and count < len(r_peak):
        last = state[0]
        log_rate = 0.0
        for k in range(len(rates)):
            log_rate += rates[k] * envelope(times[k], last)
        base = pump.interval * math.exp(-log_rate)
        swing = oscillation(pump.frequency, pump.phase, pump.amplitude, last)
        swing -= pump.rsa * turn(breathing(lungs, last))[1]
        # a fast heart varies less
        rr = max(base + swing * (base / pump.interval) ** 2, _SHORTEST)
        number = int(state[1]) + 1
        early = state[2] == 0.0 and uniform(pump.key, 2 * number) < pump.chance
        when = last + rr
        if early:
            part = pump.coupling + _LOOSE * (
                2.0 * uniform(pump.key, 2 * number + 1) - 1.0
            )
            when = min(last + max(part * rr, _REFRACTORY), when)
        r_peak[count] = when
        ectopic[count] = early
        slot[count] = number
        phase[count] = breathing(lungs, when)
        count += 1
        state[0] = last + rr
        state[1] = number
        state[2] = 1.0 if early else 0.0
    return count


def beat_times(
    pump: Heart,
    lungs: Breath,
    state: Float[np.ndarray, "3"],
    until: float,
    *,
    times: Float[np.ndarray, "episode 4"] = _NOTHING,
    rates: Float[np.ndarray, " episode"] = _NOTHING[:, 0],
) -> Timing:
    """Return the next beats of one heart, and move its state on.

    Args:
        pump: From `heart`.
        lungs: From `breath`.
        state: Time (s) and number of the last sinus cycle and whether it was ectopic;
            is changed.
        until: Time up to which sinus cycles begin, s.
        times: When episodes are on, see `envelope`.
        rates: Logarithm of the factor that each puts on the heart rate.
    """
    most = int(max(until - float(state[0]), 0.0) / _SHORTEST) + 2
    r_peak, phase = np.empty(most), np.empty(most)
    ectopic, slot = np.empty(most, dtype=np.bool_), np.empty(most, dtype=np.int64)
    arrays = (r_peak, ectopic, slot, phase)
    n = _next_beats(pump, lungs, times, rates, state, until, *arrays)
    return Timing(r_peak[:n], ectopic[:n], slot[:n], phase[:n])
