r"""From R peaks to flow: what the heart ejects, beat by beat, into which arteries.

Stroke volume follows filling, :math:`1 - e^{-(RR - d)/0.25\,\mathrm{s}}` of the
diastole after a systole d of 1.25 ejection times (so that an early beat is small and
the one after its pause large), respiration, and the state; an ectopic beat loses
another 15 %. Ejection time follows stroke volume to the power 0.35. Flow begins a
pre-ejection period after the R peak, 30 ms later in ectopic beats. The working
pressure, which sets compliance and wave speed, is that of the flow of the last seconds
through the resistance of the moment. These laws and their numbers are assumptions of
the right size, not measurements.
"""

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np

from capnet.compiled import compiled
from capnet.hemodynamics.electronics import normals
from capnet.hemodynamics.episodes import envelope
from capnet.hemodynamics.oscillations import oscillation
from capnet.hemodynamics.transients import EJECTIONS, LEVELS

__all__ = [
    "Body",
    "Contractions",
    "Tone",
    "corner_of",
    "lead_on",
    "locate",
    "no_contractions",
    "weight_of",
]

_FILLING: Final = 0.25
"""s, time constant of filling."""
_SYSTOLE: Final = 1.25
"""Contraction and relaxation that fill nothing, in ejection times."""
_SHORTEST_FILLING: Final = 0.03
"""s of filling, at least: a beat however early ejects something."""
_ECTOPIC_STROKE: Final = 0.85
"""Of the stroke volume, in a beat that the ventricle starts."""
_ECTOPIC_PEP: Final = 0.03
"""s that such a beat's flow is later."""
_EJECTION_POWER: Final = 0.35
"""Of the stroke volume, in the ejection time."""
_EARLIEST_FLOW: Final = 0.03
"""s from R peak to flow, at least."""
_MEMORY: Final = 5.0
"""s over which flow makes the working pressure."""
_SERVO: Final = 15.0
"""s within which vessels under a lasting pressure, and the light, find their level."""
_LEVELS: Final = np.array(LEVELS)
_EJECTIONS: Final = np.array(EJECTIONS)


class Body(NamedTuple):
    """One person, for the kernel that leads from beat to beat.

    Attributes:
        interval, volume, lvet: Of a beat at rest: s, ml, s.
        pep, pep_sd: s.
        stroke: See `RespirationDraw`.
        held: Mean of the bed's volume at rest, pulse heights.
        key: Of the counted random numbers.
        decay, tail, area, resistance: See `Responses`.
    """

    interval: float
    volume: float
    lvet: float
    pep: float
    pep_sd: float
    stroke: float
    held: float
    key: int
    decay: np.ndarray
    tail: np.ndarray
    area: np.ndarray
    resistance: np.ndarray


class Tone(NamedTuple):
    """Vasomotion and episodes of one person, for kernels."""

    frequency: np.ndarray
    phase: np.ndarray
    amplitude: np.ndarray
    times: np.ndarray
    effects: np.ndarray


class Contractions(NamedTuple):
    """What the kernels know of each contraction of a heart, in the order of time.

    Attributes:
        r_peak, ectopic, phase: From the rhythm; s, and cycles of respiration.
        onset, interval, volume, ejection, tone, level: What follows; see
            `capnet.hemodynamics.strips.Heartbeats`.
        decay: Time constant of the reservoir from this beat on, s.
        size: Of the transient, ml: the stroke volume, corrected for interpolation.
        carried: What the reservoir's decay amounts to at the beginning of the beat's
            transient, its own included. Shape (beat, channel).
        drift: What the bed has held above its mean at rest, over `_SERVO`, pulse
            heights.
    """

    r_peak: np.ndarray
    ectopic: np.ndarray
    phase: np.ndarray
    onset: np.ndarray
    interval: np.ndarray
    volume: np.ndarray
    ejection: np.ndarray
    tone: np.ndarray
    level: np.ndarray
    decay: np.ndarray
    size: np.ndarray
    carried: np.ndarray
    drift: np.ndarray


def no_contractions(count: int, channels: int) -> Contractions:
    """Return room for some contractions, of which nothing is known."""
    arrays = {name: np.full(count, np.nan) for name in Contractions._fields}
    arrays["ectopic"] = np.zeros(count, dtype=np.bool_)
    arrays["carried"] = np.full((count, channels), np.nan)
    return Contractions(**arrays)


@compiled()
@no_type_check
def _between(grid: np.ndarray, value: float, beyond: float) -> tuple[int, float]:
    """Return the cell of a rising grid and the place in it.

    Outside, the first and last cells are continued by ``beyond`` of a cell at most.
    """
    cell = 0
    while cell < len(grid) - 2 and value > grid[cell + 1]:
        cell += 1
    place = (value - grid[cell]) / (grid[cell + 1] - grid[cell])
    return cell, min(max(place, -beyond), 1.0 + beyond)


@compiled()
@no_type_check
def locate(
    resistance: np.ndarray, level: float, tone: float, ejection: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return cells and places in the grid of states."""
    cell, place = np.empty(3, np.int64), np.empty(3)
    cell[0], place[0] = _between(_LEVELS, level, 0.5)
    cell[1], place[1] = _between(resistance, tone, 0.0)
    cell[2], place[2] = _between(_EJECTIONS, ejection, 0.0)
    return cell, place


@compiled()
@no_type_check
def corner_of(corner: int, cell: np.ndarray) -> tuple[int, int, int]:
    """Return which state is at one of the eight corners of a cell."""
    return (
        cell[0] + (corner >> 2),
        cell[1] + ((corner >> 1) & 1),
        cell[2] + (corner & 1),
    )


@compiled()
@no_type_check
def weight_of(corner: int, place: np.ndarray) -> float:
    """Return how much of it there is at a place within the cell."""
    weight = place[0] if corner & 4 else 1.0 - place[0]
    weight *= place[1] if corner & 2 else 1.0 - place[1]
    return weight * (place[2] if corner & 1 else 1.0 - place[2])


@compiled()
@no_type_check
def _filled(interval: float, systole: float) -> float:
    """Return how full the ventricle is, 0..1."""
    time = max(interval - systole, _SHORTEST_FILLING)
    return 1.0 - math.exp(-time / _FILLING)


@compiled()
@no_type_check
def lead_on(
    body: Body, tone: Tone, slot: np.ndarray, beats: Contractions, state: np.ndarray
) -> None:
    """Fill in what follows from R peaks, beat by beat.

    The state is the last R peak, its onset, the flow of the last seconds as a part of
    that at rest, the last time constant, what the bed holds above its mean at rest, and
    the reservoir's decay of each channel.
    """
    channels = beats.carried.shape[1]
    effect, noise, tail = np.empty(5), np.empty(1), np.empty(channels)
    for k in range(len(beats.r_peak)):
        time, odd = beats.r_peak[k], beats.ectopic[k]
        effect[:] = 0.0
        for e in range(len(tone.times)):
            on = envelope(tone.times[e], time)
            if on > 0.0:
                for j in range(5):
                    effect[j] += on * tone.effects[e, j]
        base = body.interval * math.exp(-effect[0])
        usual = body.volume * math.exp(effect[1])
        interval = time - state[0]
        systole = _SYSTOLE * body.lvet * math.exp(effect[3])
        volume = usual * _filled(interval, systole) / _filled(base, systole)
        volume *= 1.0 - body.stroke * math.sin(2.0 * math.pi * beats.phase[k])
        normals(body.key, slot[k], noise, 1)
        pep = body.pep * math.exp(effect[4]) + body.pep_sd * noise[0]
        if odd:
            volume *= _ECTOPIC_STROKE
            pep += _ECTOPIC_PEP
        onset = time + max(pep, _EARLIEST_FLOW)
        ejection = math.exp(effect[3]) * (volume / usual) ** _EJECTION_POWER
        swing = oscillation(tone.frequency, tone.phase, tone.amplitude, time)
        now = math.exp(effect[2] + swing)
        now = min(max(now, body.resistance[0]), body.resistance[-1])
        flow = volume / interval * body.interval / body.volume
        state[2] += (1.0 - math.exp(-interval / _MEMORY)) * (flow - state[2])
        level = now * state[2]
        cell, place = locate(body.resistance, level, now, ejection)
        tail[:] = 0.0
        decay = area = whole = held = 0.0
        for corner in range(8):
            weight = weight_of(corner, place)
            i, j, m = corner_of(corner, cell)
            decay += weight * body.decay[i, j]
            for c in range(channels):
                tail[c] += weight * body.tail[i, j, m, c]
            area += weight * body.area[i, j, m, 0]
            whole += weight * (
                body.area[i, j, m, 0] + body.tail[i, j, m, 0] * body.decay[i, j]
            )
            held += weight * (
                body.area[i, j, m, -1] + body.tail[i, j, m, -1] * body.decay[i, j]
            )
        # mean pressure goes with flow and resistance between the states of the grid too
        size = volume * whole / (area + tail[0] * decay)
        left = math.exp(-(onset - state[1]) / state[3])
        for c in range(channels):
            state[5 + c] = state[5 + c] * left + size * tail[c]
            beats.carried[k, c] = state[5 + c]
        excess = size * held / interval - body.held
        state[4] += (1.0 - math.exp(-interval / _SERVO)) * (excess - state[4])
        state[0], state[1], state[3] = time, onset, decay
        beats.onset[k], beats.interval[k], beats.volume[k] = onset, interval, volume
        beats.ejection[k], beats.tone[k] = ejection, now
        beats.level[k], beats.decay[k], beats.size[k] = level, decay, size
        beats.drift[k] = state[4]
