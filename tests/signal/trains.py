"""Pulse waves that go on, for the tests: made ones, and those of virtual people."""

from functools import cache

import numpy as np

from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.trains import Train
from tests.signal.pulses import pulse

SHAPE = {"rise": 0.08, "second": 0.45, "when": 0.47, "spread": 0.12}


def made(duration, *, rate, period=0.85, **shape):
    """A regular pulse wave; its feet lie at whole periods, give or take 20 ms."""
    phase = np.arange(round(duration * rate)) / rate / period
    return pulse(phase, **(SHAPE | shape))


def beating(duration, *, seed=0, period=0.85, sd=0.03):
    """R peaks of a heart that does not beat evenly, s."""
    rng = np.random.default_rng(seed)
    gaps = period + sd * rng.standard_normal(round(1.5 * duration / period))
    times = 0.3 + np.cumsum(gaps)
    return times[times < duration]


@cache
def virtual(people=3, duration=60.0):
    """Strips of virtual people without a sensor: ecg, ppg and abp, and the truth."""
    train = Train.draw(Cohort.sample(people, seed=5), seed=5)
    rates = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}
    return [train.strip(row, duration=duration, rates=rates) for row in range(people)]
