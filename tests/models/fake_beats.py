"""Beats made of a few harmonics, with a planted relation to their reference."""

from typing import Any

import numpy as np

from capnet.records import Beats
from capnet.types import N_POINTS

PHASE = np.arange(N_POINTS) / N_POINTS


def harmonics(rng: np.random.Generator, n: int, *, top: int = 6) -> np.ndarray:
    """Draw smooth pulses of height 1 that begin near their minimum."""
    order = np.arange(1, top + 1)
    size = 1 / order**1.3 * (1 + 0.2 * rng.standard_normal((n, top)))
    angle = -0.9 * order**0.5 + 0.2 * rng.standard_normal((n, top))
    turn = 2 * np.pi * order[:, None] * PHASE + angle[..., None]
    waves = np.einsum("nk,nkp->np", size, np.sin(turn))
    low = waves.min(axis=1, keepdims=True)
    return (waves - low) / np.ptp(waves, axis=1)[:, None]


def make_beats(
    n: int = 40, *, seed: int = 0, per_subject: int = 1, **changes: Any
) -> Beats:
    """Make accepted, cuff-calibrated beats; the reference is an unrelated pulse."""
    rng = np.random.default_rng(seed)
    ppg = harmonics(rng, n)
    cuff = np.stack([rng.uniform(105, 150, n), rng.uniform(60, 90, n)], axis=1)
    low, high = cuff[:, 1:] + 1, cuff[:, :1] - rng.uniform(5, 15, (n, 1))
    beats = Beats(
        subject=np.array([f"virtual-{i // per_subject:03d}" for i in range(n)]),
        beat=np.array([str(i % per_subject) for i in range(n)]),
        time=np.arange(n, dtype=float),
        duration=rng.uniform(0.6, 1.2, n),
        ppg=ppg,
        age=rng.uniform(25, 80, n),
        cuff=cuff,
        cuff_site=np.full(n, "brachial"),
        calibration="exact",
        accepted=np.ones(n, dtype=bool),
        reason=np.full(n, "", dtype="U40"),
        reference=low + harmonics(rng, n) * (high - low),
        reference_type="simulated",
    )
    return beats.replace(**changes)
