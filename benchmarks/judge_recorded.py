"""Circularity on waves that were recorded: filters that run over the whole recording.

Ten pieces of three recorded arterial pressures stand for people. Their targets are
made: by one filter for all, over the recording, before it is cut into beats; or by a
reflecting tube that is each piece's own, which no common filter makes. The recordings
have no catheter in an aorta beside them, so a true aortic target is not among these.
"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from judge_circularity import drawn_filter, stacked
from judge_table import Row
from scipy import signal

from capnet.data.readers import read_record
from capnet.evaluation.audits.circular import circularity
from capnet.signal.pulses import find_pulses

__all__ = ["rows"]

_DRAWS: Final = 10
_PEOPLE: Final = 5
_BEATS: Final = 4
_NOISE: Final = 0.3  # mmHg
_RATE: Final = 125.0  # Hz
_POINTS: Final = 100
_SECONDS: Final = 40.0  # of a piece
_PIECES: Final = {"mixedsignals": (5, 0.0), "041s": (1, 0.0), "03700181": (4, 50.0)}
"""Of each recording: how many, and what lifts a level that was calibrated wrongly."""
_TUBE: Final = "a tube of each piece's own"
_KINDS: Final = (
    *("FIR", "moving average", "Butterworth", "resonance", "inverse resonance"),
    *("one tube", _TUBE),
)
_GRIDS: Final = ("125 Hz", "100 points, durations told", "100 points")


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Yield a row for every kind of target and grid.

    Args:
        share: Of the draws.
        data: Folder that holds ``wfdb_sample``; without it there are no rows.
    """
    if data is None:
        return
    pieces = list(_pieces(data / "wfdb_sample"))
    draws = max(3, round(_DRAWS * share))
    for kind in _KINDS:
        for grid in _GRIDS:
            found = [
                circularity(
                    **_pairs(np.random.default_rng(2000 + k), pieces, kind, grid)
                )
                for k in range(draws)
            ]
            flagged = sum(bool(f.flagged) for f in found)
            blind = sum(f.flagged is None for f in found)
            low, middle, high = np.quantile([f.score for f in found], [0.05, 0.5, 0.95])
            yield Row(
                what=f"circularity: {kind} of recorded pressures, {grid}, {_BEATS} "
                f"beats each, noise {_NOISE:g} mmHg, gains and levels",
                figure=f"{flagged} of {draws} flagged; score {middle:.2f} mmHg "
                f"({low:.2f} to {high:.2f})" + (f"; {blind} abstained" * bool(blind)),
            )


def _pieces(folder: Path) -> Iterator[np.ndarray]:
    for name, (count, lift) in _PIECES.items():
        channel = read_record(folder / name).signal("ABP")
        wave = np.asarray(channel.values, dtype=np.float64)
        wave = wave[np.isfinite(wave)] + lift
        apart = len(wave) // count
        length = min(apart, round(_SECONDS * _RATE))
        for i in range(count):
            yield wave[i * apart : i * apart + length]


def _tube(rng: np.random.Generator, n: int, *, own: bool) -> np.ndarray:
    """Response from the far end of a tube with a load to its entry, up to 15 Hz."""
    delay, reflected, lag = (
        (rng.uniform(0.04, 0.09), rng.uniform(0.3, 0.8), rng.uniform(0.01, 0.03))
        if own
        else (0.06, 0.5, 0.02)
    )
    frequency = np.fft.rfftfreq(n, 1 / _RATE)
    turn = 2j * np.pi * frequency
    load = reflected / (1 + turn * lag)
    there = np.exp(turn * delay) + load * np.exp(-turn * delay)
    return np.asarray(there / (1 + load) / (1 + (frequency / 15.0) ** 4))


def _target(
    rng: np.random.Generator, wave: np.ndarray, kind: str, ba: Any
) -> np.ndarray:
    if ba is None:
        response = _tube(rng, len(wave), own=kind == _TUBE)
        made = np.fft.irfft(np.fft.rfft(wave) * response, len(wave))
    else:
        b, a = ba
        made = signal.lfilter(b, a, wave - wave[0]) + wave[0] * np.sum(b) / np.sum(a)
    return np.asarray(made + _NOISE * rng.normal(size=len(wave)))


def _pairs(
    rng: np.random.Generator, pieces: list[np.ndarray], kind: str, grid: str
) -> dict[str, Any]:
    """Return what `circularity` is asked about some pieces."""
    ba = None if "tube" in kind else drawn_filter(rng, kind, _RATE)
    x, y, subject = [], [], []
    for person, i in enumerate(rng.permutation(len(pieces))[:_PEOPLE]):
        wave = pieces[i]
        target = _target(rng, wave, kind, ba)
        target = (1 + 0.15 * rng.normal()) * target + 8.0 * rng.normal()
        feet = find_pulses(wave, sampling_rate=_RATE).foot
        cuts = np.round(feet[np.isfinite(feet)] * _RATE).astype(int)[4:]
        for first, last in pairwise(cuts[: _BEATS + 1]):
            x.append(wave[first:last])
            y.append(target[first:last])
            subject.append(person)
    seconds = np.array([len(w) for w in x]) / _RATE
    told: dict[str, Any] = {"subject": np.array(subject)}
    if grid == _GRIDS[0]:
        return {**told, "x": stacked(x), "y": stacked(y), "sampling_rate": _RATE}
    if "told" in grid:
        told["duration"] = seconds
    return {**told, "x": _resampled(x), "y": _resampled(y)}


def _resampled(beats: list[np.ndarray]) -> np.ndarray:
    at = np.arange(_POINTS) / _POINTS
    return np.stack([np.interp(at * len(w), np.arange(len(w)), w) for w in beats])
