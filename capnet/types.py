"""Every array type once, with its axes, and the closed vocabularies of the library.

Shapes are documentation in use and are checked at run time in the tests
(jaxtyping + beartype). Axis names: ``time`` samples of a continuous channel,
``beat`` rows of a table of beats, ``point`` the 64 points of a resampled beat.
"""

from typing import Final, Literal

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

__all__ = [
    "N_POINTS",
    "BeatWaves",
    "Calibration",
    "CuffSite",
    "Ends",
    "Flags",
    "Indices",
    "Input",
    "Labels",
    "PerBeat",
    "RawSamples",
    "ReferenceType",
    "Role",
    "Samples",
    "Site",
    "Sync",
    "Times",
    "Windows",
]

N_POINTS: Final = 64
"""Points of a resampled beat: the unit of learning and of every benchmark."""

Samples = Float[np.ndarray, "time"]
"""One continuous channel, NaN where a sample is missing."""

RawSamples = Shaped[np.ndarray, "..."]
"""One channel as a user gives it, before `capnet.signal.checks` has looked at it."""

Times = Float[np.ndarray, "event"]
"""When something happens, seconds since the first sample, ascending."""

Windows = Float[np.ndarray, "beat time"]
"""Raw samples around each beat, one row a beat."""

BeatWaves = Float[np.ndarray, "beat 64"]
"""Beats resampled to 64 points over [start, stop), NaN where there is none."""

PerBeat = Float[np.ndarray, "beat"]
"""One number a beat, NaN where unknown."""

Ends = Float[np.ndarray, "beat 4"]
"""Ends of intervals of SBP, DBP, MAP and PP, one row a beat, mmHg."""

Flags = Bool[np.ndarray, "beat"]
"""One truth value a beat."""

Indices = Int[np.ndarray, "index"]
"""Positions in another array."""

Labels = Shaped[np.ndarray, "beat"]
"""One word a beat (numpy ``str_``), empty where there is nothing to say."""

Site = Literal["aortic_root", "carotid", "brachial", "radial", "digital", "femoral"]
"""Where along the arterial tree a wave is taken."""

CuffSite = Literal["brachial", "radial"]
"""Where the pressure that calibrates a beat was taken."""

ReferenceType = Literal["catheter", "tonometry", "device", "simulated", "none"]
"""What the "true" central pressure is. Types are never pooled."""

Calibration = Literal[
    "none",
    "cuff SBP/DBP",
    "cuff MAP/DBP",
    "invasive SBP/DBP",
    "invasive MAP/DBP",
    "exact",
]
"""Where the millimetres of mercury of an estimate come from.

``exact`` exists for virtual people only (the simulated SBP/DBP of the site named in
``cuff_site``, without any cuff error); ``invasive SBP/DBP`` is an arterial line read
as if it were a cuff.
"""

Sync = Literal["trusted", "untrusted", "unknown"]
"""Whether the channels of a record share one clock.

``trusted`` says so of the device or the data set; ``untrusted`` says that delays
between channels mean nothing (they are never computed); ``unknown`` leaves it to the
signals.
"""

Role = Literal["deep", "floor", "control"]
"""What a row of a result table is: a claim, what it must beat, or a check on it."""

Input = Literal["cuff", "age", "sex", "hr", "ppg", "ecg", "pressure wave"]
"""What an estimator may look at. ``pressure wave`` is a peripheral pressure pulse."""
