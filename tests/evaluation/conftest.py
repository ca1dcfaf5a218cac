"""Small made-up people with a known truth, and methods with known errors."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import pytest

from capnet.evaluation import Evaluation, evaluate
from capnet.evaluation.floors import missing_floors
from capnet.prediction import Prediction
from capnet.records import Beats, Record, Signal

PHASE = np.arange(64) / 64
Made = TypeVar("Made", Beats, Prediction)


def pulse(sbp: np.ndarray, dbp: np.ndarray) -> np.ndarray:
    """Beats of a plausible shape with exactly this maximum and minimum."""
    shape = np.exp(-(((PHASE - 0.22) / 0.13) ** 2))
    shape = shape + 0.35 * np.exp(-(((PHASE - 0.52) / 0.2) ** 2))
    shape = (shape - shape.min()) / np.ptp(shape)
    return dbp[:, None] + (sbp - dbp)[:, None] * shape[None, :]


def make_beats(
    counts: Sequence[int], *, seed: int = 0, reference: bool = True
) -> Beats:
    """Beats of ``len(counts)`` people, ``counts[i]`` of each."""
    generator = np.random.default_rng(seed)
    n = sum(counts)
    people = np.repeat(np.arange(len(counts)), counts)
    sbp = (120 + 15 * generator.standard_normal(len(counts)))[people]
    sbp = sbp + 2 * generator.standard_normal(n)
    dbp = sbp - 42 - 4 * generator.standard_normal(n)
    arm = sbp + 8 + 4 * generator.standard_normal(n)
    duration = generator.uniform(0.7, 1.0, n)
    wave = pulse(sbp, dbp)
    return Beats(
        subject=np.array([f"v{i:03d}" for i in people]),
        beat=np.concatenate([np.arange(c) for c in counts]),
        time=np.cumsum(duration),
        duration=duration,
        ppg=pulse(np.ones(n), np.zeros(n)),
        age=np.full(n, 50.0),
        cuff=np.stack([arm, dbp], axis=1),
        cuff_site=np.full(n, "brachial"),
        calibration="exact" if reference else "invasive SBP/DBP",
        accepted=np.ones(n, dtype=bool),
        reason=np.full(n, "", dtype="U24"),
        waves={} if reference else {"abp": pulse(arm, dbp)},
        reference=wave if reference else None,
        reference_type="simulated" if reference else "none",
        truth={"brachial_sbp": arm} if reference else {},
    )


def waves(
    beats: Beats,
    method: str,
    *,
    error: float = 0.0,
    spread: float = 0.0,
    role: str = "deep",
    k: int = 0,
    seed: int = 1,
) -> Prediction:
    """A method that answers waves: the truth, offset, with an error per beat."""
    assert beats.reference is not None
    noise = np.random.default_rng(seed).standard_normal(len(beats))
    wave = beats.reference + error + spread * noise[:, None]
    return Prediction.from_waveform(method, beats, wave, role=role, k=k)


def numbers(
    beats: Beats,
    method: str,
    *,
    error: float = 0.0,
    role: str = "floor",
    k: int = 0,
    family: str = "peripheral - constant",
) -> Prediction:
    """A method that answers SBP only: brachial SBP minus 8 plus an error."""
    values = np.full((len(beats), 4), np.nan)
    values[:, 0] = beats.cuff[:, 0] - 8 + error
    answer = Prediction.from_pressures(method, beats, values, role=role, k=k)
    return answer.replace(family=family)


def with_controls(predictions: Sequence[Prediction], beats: Beats) -> list[Prediction]:
    """The same methods first, then every made-up row that the gate of floors misses.

    The rows that are added are bad ones (SBP 30 mmHg and more off), so that no made-up
    floor that a test is about is beaten by them; they are called by their family.
    """
    missing = missing_floors(predictions, beats)
    added = []
    for place, demand in enumerate(missing):
        role = "floor" if demand.inputs else "control"
        values = np.full((len(beats), 4), np.nan)
        values[:, 0] = 150.0 + place
        if demand.inputs:
            values[:, 0] += beats.cuff[:, 0] - 120.0
        name = f"made-up {demand.family.split()[0]}"  # short: tables are narrow
        name += " of a line" if "pressure wave" in demand.inputs else ""
        row = Prediction.from_pressures(name, beats, values, role=role, k=demand.k)
        inputs = tuple(sorted(demand.inputs))
        added.append(row.replace(family=demand.family, inputs=inputs, seen=demand.seen))
    return [*predictions, *added]


def kept(made: Made) -> Made:
    """The same, its arrays locked: every test of the session is given this one."""
    held = [made.waves, made.truth] if isinstance(made, Beats) else []
    for value in (*vars(made).values(), *(v for d in held for v in d.values())):
        if isinstance(value, np.ndarray):
            value.setflags(write=False)
    return made


def refuse(prediction: Prediction, rows: np.ndarray) -> Prediction:
    """The same method, silent on some beats."""
    hidden = {
        name: np.where(rows, np.nan, getattr(prediction, name))
        for name in ("csbp", "cdbp", "cmap", "cpp")
    }
    wave = prediction.waveform
    return prediction.replace(
        **hidden,
        waveform=None if wave is None else np.where(rows[:, None], np.nan, wave),
        accepted=prediction.accepted & ~rows,
        reason=np.where(rows, "too noisy", prediction.reason),
    )


@pytest.fixture(scope="session")
def beats() -> Beats:
    """Thirty people with one to four beats."""
    return kept(make_beats([1 + i % 4 for i in range(30)]))


@pytest.fixture(scope="session")
def predictions(beats: Beats) -> list[Prediction]:
    """Two floors, deep rows at k = 0 and 10, a control; then what the gate demands."""
    own = [
        numbers(beats, "arm - 8"),
        waves(beats, "ridge", error=3.0, spread=3.0, role="floor"),
        waves(beats, "ridge", error=1.0, spread=3.0, role="floor", k=10),
        waves(beats, "net", spread=4.0, seed=2),
        waves(beats, "net", spread=0.5, seed=3, k=10),
        waves(beats, "shuffled", error=2.0, spread=9.0, role="control", seed=4),
    ]
    return [kept(p) for p in with_controls(own, beats)]


@pytest.fixture(scope="session")
def evaluation(predictions: list[Prediction], beats: Beats) -> Evaluation:
    """All of them scored."""
    return evaluate(predictions, beats, resamples=200)


@pytest.fixture(scope="session")
def real_beats() -> Beats:
    """One person without a reference; every seventh beat is refused."""
    made = make_beats([40], reference=False)
    bad = np.arange(40) % 7 == 3
    reason = np.where(bad, np.where(np.arange(40) < 20, "flat PPG", "clipped"), "")
    return kept(made.replace(accepted=~bad, reason=reason))


@pytest.fixture(scope="session")
def record(real_beats: Beats) -> Record:
    """The channels that those beats could come from."""
    rate = 125.0
    time = np.arange(int(rate * (real_beats.time[-1] + 2))) / rate
    wave = np.sin(2 * np.pi * 1.2 * time)
    channels = {
        "II": Signal(wave**9, rate, "mV"),
        "PLETH": Signal(wave, rate, "NU"),
        "ABP": Signal(95 + 25 * wave, rate, "mmHg"),
    }
    return Record(subject="real", channels=channels)


@pytest.fixture(scope="session")
def real_predictions(real_beats: Beats) -> list[Prediction]:
    """A deep row, a floor and a control on the real beats."""
    own = real_beats.waves["abp"]
    return [
        Prediction.from_waveform("net", real_beats, own - 9, role="deep"),
        Prediction.from_waveform("GTF", real_beats, own - 7, role="floor"),
        Prediction.from_waveform("shuffled PPG", real_beats, own - 5, role="control"),
    ]
