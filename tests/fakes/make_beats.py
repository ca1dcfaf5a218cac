"""Make a small table of beats in which every field holds something."""

from typing import Any

import numpy as np

from capnet.records import Beats
from capnet.types import N_POINTS


def pulses(n: int, rng: np.random.Generator) -> np.ndarray:
    """Pulses of height 1 that begin at 0."""
    phase = np.arange(N_POINTS) / N_POINTS
    early = np.exp(-(((phase - rng.uniform(0.18, 0.26, (n, 1))) / 0.12) ** 2))
    late = rng.uniform(0.2, 0.5, (n, 1)) * np.exp(-(((phase - 0.5) / 0.2) ** 2))
    wave = early + late
    wave = wave - wave[:, :1]
    return wave / wave.max(axis=1, keepdims=True)


def make_beats(
    n: int = 12,
    *,
    per_subject: int = 2,
    refused: int = 3,
    seed: int = 0,
    **changes: Any,
) -> Beats:
    """Make n beats, the first ``refused`` of which the gate did not let through."""
    rng = np.random.default_rng(seed)
    cuff = np.stack([rng.uniform(105, 150, n), rng.uniform(60, 90, n)], axis=1)
    low, high = cuff[:, 1:], cuff[:, :1]
    accepted = np.arange(n) >= refused
    beats = Beats(
        subject=np.array([f"virtual-é{i // per_subject:02d}" for i in range(n)]),
        beat=np.arange(n) % per_subject,
        time=np.arange(n, dtype=float),
        duration=rng.uniform(0.6, 1.2, n),
        ppg=pulses(n, rng),
        age=np.where(np.arange(n) % 3 == 0, np.nan, rng.uniform(25, 80, n)),
        cuff=cuff,
        cuff_site=np.where(np.arange(n) % 2 == 0, "brachial", "radial"),
        calibration="exact",
        accepted=accepted,
        reason=np.where(accepted, "", "flat"),
        waves={"radial": low + pulses(n, rng) * (high - low)},
        features={"pat": rng.uniform(0.1, 0.3, n), "hr/rest": rng.uniform(50, 90, n)},
        raw=rng.standard_normal((n, 30)).astype(np.float32),
        start=np.full(n, 4.25),
        stop=np.full(n, 24.75),
        reference=low + pulses(n, rng) * (high - low),
        reference_type="simulated",
        truth={"pwv": rng.uniform(5, 12, n)},
    )
    return beats.replace(**changes)


def assert_same_beats(one: Beats, other: Beats) -> None:
    """Demand the same values and types in every field; NaN equals NaN."""
    for (name, left), (name_too, right) in zip(_flat(one), _flat(other), strict=True):
        assert name == name_too
        assert type(left) is type(right), name
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype, name
            np.testing.assert_array_equal(left, right, err_msg=name)
        else:
            assert left == right, name


def _flat(beats: Beats) -> list[tuple[str, object]]:
    found: list[tuple[str, object]] = []
    for name, value in sorted(vars(beats).items()):
        if isinstance(value, dict):
            found.append((f"names of {name}", [*value]))
            found += [(f"{name}/{key}", value[key]) for key in value]
        else:
            found.append((name, value))
    return found
