"""From beats to samples: transients are laid over each other, and feet are read off."""

import math
from typing import Final, NamedTuple, no_type_check

import numpy as np

from capnet.compiled import compiled
from capnet.hemodynamics.circulation import (
    Contractions,
    corner_of,
    locate,
    weight_of,
)
from capnet.hemodynamics.rhythm import Breath, breathing
from capnet.hemodynamics.transients import LEAD, RATE

__all__ = ["OVERLAP", "Found", "Output", "render"]

OVERLAP: Final = 6.0
"""s before a strip from which beats are laid out: longer than any beat and its
transient."""
_RING: Final = 16
"""Transients that can overlap."""
_SEARCH: Final = (0.0, 0.32)
"""s after onset in which the upstroke is looked for, at all sites."""
_LOOK_BACK: Final = 0.15
"""s before it in which the lowest point lies, see `capnet.signal.feet`."""


class Found(NamedTuple):
    """Where truth is written; each of shape (channel, beat)."""

    foot: np.ndarray
    systolic: np.ndarray
    diastolic: np.ndarray
    mean: np.ndarray


class Output(NamedTuple):
    """Where samples are written.

    Attributes:
        channel: Which wave. Shape (output,).
        rate: Hz.
        first: Number of the first sample within the record.
        wanted: How many samples.
        values: Shape (output, time).
    """

    channel: np.ndarray
    rate: np.ndarray
    first: np.ndarray
    wanted: np.ndarray
    values: np.ndarray


@compiled(fastmath={"contract"})
@no_type_check
def _mix(
    table: np.ndarray, cell: np.ndarray, place: np.ndarray, size: float, to: np.ndarray
) -> None:
    """Write the transient of one beat."""
    to[:] = 0.0
    for corner in range(8):
        weight = np.float32(size * weight_of(corner, place))
        if weight != 0.0:
            part = table[corner_of(corner, cell)]
            for n in range(len(to)):
                to[n] += weight * part[n]


@compiled(fastmath={"contract"})
@no_type_check
def render(
    table: np.ndarray,
    resistance: np.ndarray,
    base: np.ndarray,
    lungs: Breath,
    thorax: np.ndarray,
    beats: Contractions,
    start: float,
    stop: float,
    output: Output,
    found: Found,
) -> None:
    """Write all channels from one time to another, and what is true of the beats.

    Each beat is laid out on the clock of its own transient, from `LEAD` before its
    onset to that before the next: what the beats before have left is added shifted by
    a part of a step, samples are read off between steps.
    """
    channels = len(base)
    size = table.shape[3] // channels
    count = len(beats.onset)
    longest = 0.0
    for k in range(count - 1):
        longest = max(longest, beats.onset[k + 1] - beats.onset[k])
    room = int(longest * RATE) + 3
    wave = np.empty((channels, room), np.float32)
    fall, sway = np.empty(room), np.empty(room)
    ring = np.empty((_RING, channels * size), np.float32)
    for k in range(count - 1):
        begin, end = beats.onset[k] - LEAD, beats.onset[k + 1] - LEAD
        if begin >= stop:
            break
        if end < start - OVERLAP:
            continue
        cell, place = locate(
            resistance, beats.level[k], beats.tone[k], beats.ejection[k]
        )
        _mix(table, cell, place, beats.size[k], ring[k % _RING])
        if end <= start:
            continue
        steps = int((end - begin) * RATE) + 3
        factor, value = math.exp(-1.0 / (RATE * beats.decay[k])), 1.0
        for n in range(steps):
            fall[n] = value
            value *= factor
        # breathing turns evenly within a beat
        turns = breathing(lungs, begin)
        pace = (breathing(lungs, end) - turns) / (end - begin) / RATE
        sine, cosine = math.sin(2.0 * math.pi * turns), math.cos(2.0 * math.pi * turns)
        up, along = math.sin(2.0 * math.pi * pace), math.cos(2.0 * math.pi * pace)
        for n in range(steps):
            sway[n] = sine
            sine, cosine = sine * along + cosine * up, cosine * along - sine * up
        for c in range(channels):
            level, move, held = base[c], thorax[c], beats.carried[k, c]
            for n in range(steps):
                wave[c, n] = level + move * sway[n] + held * fall[n]
        # the PPG's level is where it was, straight from beat to beat
        drift = beats.drift[k]
        tilt = (beats.drift[k + 1] - drift) / (end - begin) / RATE
        for n in range(steps):
            wave[channels - 1, n] -= drift + n * tilt
        for j in range(max(k - _RING + 1, 0), k + 1):
            shift = (begin - (beats.onset[j] - LEAD)) * RATE
            whole = int(shift)
            if whole >= size - 1:
                continue
            late = np.float32(shift - whole)
            soon = np.float32(1.0) - late
            many = min(steps, size - 1 - whole)
            for c in range(channels):
                part = ring[j % _RING, c * size + whole : (c + 1) * size]
                for n in range(many):
                    wave[c, n] += soon * part[n] + late * part[n + 1]
        for c in range(channels):
            _read(wave[c], steps, begin, end, k, c, found)
        for o in range(len(output.channel)):
            rate, first = output.rate[o], output.first[o]
            low = max(math.ceil(begin * rate), first)
            high = min(math.ceil(end * rate), first + output.wanted[o])
            row = wave[output.channel[o]]
            for n in range(low, high):
                place_ = (n / rate - begin) * RATE
                at = min(max(int(place_), 0), steps - 2)
                part_ = place_ - at
                output.values[o, n - first] = row[at] + part_ * (row[at + 1] - row[at])


@compiled()
@no_type_check
def _read(
    wave: np.ndarray,
    steps: int,
    begin: float,
    end: float,
    beat: int,
    channel: int,
    found: Found,
) -> None:
    """Find foot and levels of one beat, as `capnet.signal.feet` does."""
    low = int((LEAD + _SEARCH[0]) * RATE)
    high = min(int((LEAD + _SEARCH[1]) * RATE), steps - 3)
    peak = low
    for n in range(low, high + 1):
        if wave[n] > wave[peak]:
            peak = n
    # Behind the peak, the rebound of a closing aortic valve may be steeper.
    steep, slope = low, -math.inf
    for n in range(low, peak + 1):
        rise = wave[n + 1] - wave[n - 1]
        if rise > slope:
            steep, slope = n, rise
    lowest = steep
    for n in range(max(steep - int(_LOOK_BACK * RATE), 1), steep):
        if wave[n] < wave[lowest]:
            lowest = n
    foot = math.nan
    if slope > 0.0 and low < steep < high:
        # vertices of the parabolas through slope and minimum
        before = 0.5 * np.float64(wave[steep] - wave[steep - 2])
        here = 0.5 * np.float64(slope)
        after = 0.5 * np.float64(wave[steep + 2] - wave[steep])
        bend, offset = before - 2.0 * here + after, 0.0
        if bend != 0.0:
            offset = min(max(0.5 * (before - after) / bend, -1.0), 1.0)
        rise = here - 0.25 * (before - after) * offset
        value = (
            wave[steep] + offset * here + 0.5 * offset * offset * 0.5 * (after - before)
        )
        bottom = np.float64(wave[lowest])
        left, right = np.float64(wave[lowest - 1]), np.float64(wave[lowest + 1])
        bend = left - 2.0 * bottom + right
        if bend > 0.0 and left > bottom:
            turn = min(max(0.5 * (left - right) / bend, -1.0), 1.0)
            bottom -= 0.25 * (left - right) * turn
        foot = begin + (steep + offset - (value - bottom) / rise) / RATE
    found.foot[channel, beat] = foot
    top, total = wave[steep], 0.0
    length = (end - begin) * RATE
    last = int(length)
    for n in range(last):
        total += 0.5 * (wave[n] + wave[n + 1])
    for n in range(steep + 1, last + 1):
        top = max(top, wave[n])
    found.systolic[channel, beat] = top
    found.diastolic[channel, beat] = wave[lowest]
    found.mean[channel, beat] = (total + (length - last) * wave[last]) / length
