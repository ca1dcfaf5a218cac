"""Made-up people whose aortic pressure follows from their pulse, cuff and age."""

from typing import Any

import numpy as np
import torch

from capnet.models.bilstm import BiLSTM
from capnet.models.central import CentralPressureModel
from capnet.records import Beats
from capnet.types import N_POINTS

PHASE = np.arange(N_POINTS) / N_POINTS


def pulses(crest: np.ndarray, notch: np.ndarray) -> np.ndarray:
    """Two bumps, foot 0 and peak 1. Shape (beat, 64)."""
    first = np.exp(-(((PHASE - crest[:, None]) / 0.12) ** 2))
    second = np.exp(-(((PHASE - crest[:, None] - 0.3) / 0.16) ** 2))
    wave = first + notch[:, None] * second
    wave = wave - wave.min(axis=1, keepdims=True)
    return wave / wave.max(axis=1, keepdims=True)


def make_people(
    n: int = 24,
    *,
    beats: int = 2,
    seed: int = 0,
    offset: float = 0.0,
    gain: float = 1.0,
    prefix: str = "virtual",
    **changes: Any,
) -> Beats:
    """Make accepted beats, ``beats`` of each of ``n`` people.

    The aortic wave is the cuff-scaled pulse with its peak lowered by an amount that
    falls with age; a clinic whose truth differs adds ``offset`` and ``gain``.
    """
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), beats)
    rows = len(who)

    def of_person(low: float, high: float) -> np.ndarray:
        return rng.uniform(low, high, n)[who]

    age, notch = of_person(25, 80), of_person(0.3, 0.7)
    crest = of_person(0.2, 0.3) + rng.normal(0, 0.005, rows)
    dbp = of_person(60, 90) + rng.normal(0, 1, rows)
    sbp = dbp + of_person(35, 60) + rng.normal(0, 1, rows)
    ppg = pulses(crest, notch)
    lower = 1 - 0.25 * (85 - age[:, None]) / 60 * ppg
    aorta = dbp[:, None] + (sbp - dbp)[:, None] * ppg * lower
    mean = aorta.mean(axis=1, keepdims=True)
    table = Beats(
        subject=np.array([f"{prefix}-{i:03d}" for i in who]),
        beat=np.tile(np.arange(beats), n),
        time=np.arange(rows, dtype=float),
        duration=of_person(0.65, 1.1) + rng.normal(0, 0.01, rows),
        ppg=ppg,
        age=age,
        cuff=np.stack([sbp, dbp], axis=1),
        cuff_site=np.full(rows, "brachial"),
        calibration="exact",
        accepted=np.ones(rows, dtype=bool),
        reason=np.full(rows, "", dtype="U40"),
        reference=mean + offset + gain * (aorta - mean),
        reference_type="simulated",
    )
    return table.replace(**changes)


def refuse(beats: Beats, rows: list[int], why: str = "too noisy") -> Beats:
    """The same beats, some of them refused and without a wave."""
    refused = np.isin(np.arange(len(beats)), rows)
    return beats.replace(
        accepted=~refused,
        reason=np.where(refused, why, beats.reason),
        ppg=np.where(refused[:, None], np.nan, beats.ppg),
    )


def without_cuff(beats: Beats, rows: list[int]) -> Beats:
    """The same beats, some of them before the first pressure reading."""
    cuff = beats.cuff.copy()
    cuff[rows] = np.nan
    return beats.replace(cuff=cuff)


def tiny_model(seed: int = 0, **names: Any) -> CentralPressureModel:
    """An untrained network whose answers spread over tens of mmHg."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = CentralPressureModel(BiLSTM(hidden=6, head=5), **names)
    with torch.no_grad():
        for parameter in model.net.lstm.parameters():
            parameter.mul_(2)
        model.net.output.weight.mul_(5)
    return model.eval()


def bits(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A copy of everything that a module remembers."""
    return {k: v.detach().clone() for k, v in module.state_dict().items()}


def same_bits(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(one[k], other[k]) for k in one
    )
