"""Made pulse waves for the tests: people who do not exist, and their corruptions."""

import numpy as np

from capnet.signal.feet import pulse_feet
from capnet.signal.frontend import RATE, smooth

WIDTH = 380
FOOT = 60.0
"""Samples; about where the foot of every made window lies."""


def pulse(phase, *, rise, second, when, spread):
    """One pulse over its phase (periodic): a systolic and a reflected wave."""
    phase = phase % 1.0
    wave = np.zeros(np.broadcast(phase, rise).shape)
    for shift in (-1.0, 0.0, 1.0):
        ahead = phase + shift - 2.2 * rise
        width = np.where(ahead < 0.0, rise, 1.6 * rise)  # falls slower than it rises
        first = np.exp(-0.5 * (ahead / width) ** 2)
        late = np.exp(-0.5 * ((phase + shift - when) / spread) ** 2)
        wave += first + second * late
    return wave


def draw(n, rng):
    """Draw people: heart rate 45 to 120, young to old shapes, drift, 1 % noise."""
    one = (n, 1)
    return {
        "period": 60.0 / rng.uniform(45.0, 120.0, one),
        "rise": rng.uniform(0.06, 0.09, one),
        "second": rng.uniform(0.25, 0.65, one),
        "when": rng.uniform(0.40, 0.55, one),
        "spread": rng.uniform(0.09, 0.15, one),
        "drift": rng.uniform(-0.1, 0.1, one),
        "gain": 10.0 ** rng.uniform(-2.0, 3.0, one),
        "level": rng.uniform(-5.0, 5.0, one),
        "noise": 0.01 * rng.standard_normal((n, WIDTH)),
    }


def windows(people):
    """Windows of raw PPG without gain and level, their feet, and the next feet."""
    shape = {k: people[k] for k in ("rise", "second", "when", "spread")}
    time = (np.arange(WIDTH)[None] - FOOT) / RATE
    wave = pulse(time / people["period"], **shape)
    wave = wave / np.ptp(wave, axis=1, keepdims=True)
    wave = wave + people["drift"] * time
    return wave + people["noise"]


def feet(raw, period):
    """Find the two feet of every window, samples."""
    after = np.full(len(raw), FOOT - 0.2 * RATE)
    smoothed = smooth(raw)
    begin = pulse_feet(smoothed, after, sampling_rate=RATE)
    end = pulse_feet(smoothed, after + period[:, 0] * RATE, sampling_rate=RATE)
    return begin, end
