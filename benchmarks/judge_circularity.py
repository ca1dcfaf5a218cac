"""Circularity: device-like targets must be flagged, physiology must not.

Main rows are scenarios of 100 draws of five people (unless they say otherwise), the
others of 10. Devices: a filter drawn anew for each draw, with noise and a gain (SD
15 %) and level (SD 8 mmHg) of each person, as a cuff leaves them. Physiology: PWDB (a
third party's virtual people) and the nonlinear clinic that is reported on
(configs/clinic/test.yaml).
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import yaml
from judge_table import Row
from scipy import signal

from capnet.evaluation.audits.circular import circularity
from capnet.models.published import forward_transfer
from experiments import build

__all__ = ["drawn_filter", "rows", "stacked"]

_DRAWS: Final = 100
_SIDE: Final = 0.1
_CLINIC: Final = Path(__file__).parents[1] / "configs" / "clinic" / "test.yaml"
_FINE: Final = 500.0  # Hz


class Grid(NamedTuple):
    """Points of a beat, or a rate in Hz."""

    points: int | None
    rate: float | None

    def __str__(self) -> str:
        return f"{self.points} points" if self.points else f"{self.rate:g} Hz"


_GRIDS: Final = (
    Grid(64, None),
    Grid(100, None),
    Grid(128, None),
    Grid(None, 100.0),
    Grid(None, 125.0),
)


@dataclass(frozen=True, eq=False)
class Pool:
    """Pairs of whole beats at 500 Hz."""

    name: str
    x: list[np.ndarray]
    y: list[np.ndarray]

    def draw(
        self, rng: np.random.Generator, grid: Grid, n: int
    ) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
        """Return beats of n people on a grid, and their durations in s."""
        chosen = rng.choice(len(self.x), n, replace=False)
        x = [_on(self.x[i], grid) for i in chosen]
        y = [_on(self.y[i], grid) for i in chosen]
        return x, y, np.array([len(self.x[i]) / _FINE for i in chosen])


def _on(wave: np.ndarray, grid: Grid) -> np.ndarray:
    """Read a periodic beat on a grid."""
    seconds = len(wave) / _FINE
    n = grid.points or round(seconds * (grid.rate or 0.0))
    at = np.arange(n) * (seconds / n if grid.points else 1.0 / (grid.rate or 1.0))
    spectrum = np.fft.rfft(wave) / len(wave)
    spectrum[1:] *= 2
    order = np.arange(len(spectrum))
    kept = order < n / 2
    turn = np.exp(2j * np.pi * np.outer(at / seconds, order[kept]))
    return (turn @ spectrum[kept]).real


def _pools(data: Path | None) -> Iterator[Pool]:
    with _CLINIC.open() as file:
        settings = {**yaml.safe_load(file), "n": 150}
    waves = build.clinic(settings).simulate().reference
    whole = {s: waves.pressure(s) for s in ("aortic_root", "brachial", "radial")}
    for site in ("brachial", "radial"):
        yield _pool(f"nonlinear clinic, {site}", whole[site], whole["aortic_root"])
    if data is None:
        return
    with np.load(data / "pwdb" / "pwdb_waves_500Hz.npz") as file:
        aorta = file["Asc_Ao_P_mmHg"]
        for site in ("Carotid", "Brachial"):
            yield _pool(f"PWDB, {site.lower()}", file[f"L_{site}_P_mmHg"], aorta)


def _pool(name: str, x: np.ndarray, y: np.ndarray) -> Pool:
    length = np.minimum(np.isfinite(x).sum(axis=1), np.isfinite(y).sum(axis=1))
    cut = [slice(0, n) for n in length]
    first = [r[c].astype(float) for r, c in zip(x, cut, strict=True)]
    second = [r[c].astype(float) for r, c in zip(y, cut, strict=True)]
    return Pool(name, first, second)


def stacked(beats: list[np.ndarray]) -> np.ndarray:
    """Lay beats of different length in rows, NaN after the end of each."""
    table = np.full((len(beats), max(len(b) for b in beats)), np.nan)
    for row, beat in zip(table, beats, strict=True):
        row[: len(beat)] = beat
    return table


Filter = tuple[np.ndarray, np.ndarray]


def drawn_filter(rng: np.random.Generator, kind: str, rate: float) -> Filter:
    """Draw a filter, numerator and denominator."""
    one = np.ones(1)
    if kind == "FIR":
        m = int(rng.uniform(0.05, 0.25) * rate) + 2
        taps = 0.3 * rng.normal(size=m) * np.exp(-3.0 * np.arange(m) / m)
        taps[0] += 1.0 - taps.sum()
        return taps, one
    if kind == "nothing":
        return one, one
    if kind == "moving average":
        m = round(rate * float(rng.choice([1 / 4, 1 / 6, 1 / 8])))
        return np.full(m, 1.0 / m), one
    if kind == "Butterworth":
        return signal.butter(int(rng.integers(1, 5)), rng.uniform(3, 15), fs=rate)
    if kind == "all-pole":
        n = int(rng.integers(1, 3))
        size, angle = rng.uniform(0.3, 0.93, n), rng.uniform(0, np.pi / 4, n)
        poles = size * np.exp(1j * angle)
        a = np.real(np.poly(np.concatenate([poles, poles.conj()])))
        return np.array([a.sum()]), a
    lowest = 5 if kind == "inverse resonance" else 3
    omega = 2 * np.pi * rng.uniform(lowest, 9)
    damping = rng.uniform(0.2, 0.7)
    b, a = signal.bilinear([omega**2], [1, 2 * damping * omega, omega**2], rate)
    if kind == "resonance":
        return b, a
    low, under = signal.butter(2, 8, fs=rate)  # its inverse, made proper
    return np.convolve(a, low) / a.sum(), under


def _periodic(
    x: np.ndarray, rate: float, answer: Callable[..., np.ndarray]
) -> np.ndarray:
    frequency = np.fft.rfftfreq(len(x), 1 / rate)
    return np.fft.irfft(np.fft.rfft(x) * answer(frequency), len(x))


def _inverse(frequency: np.ndarray) -> np.ndarray:
    found = forward_transfer(frequency, site="radial")
    return np.where(found == 0, 0, 1 / np.where(found == 0, 1, found))


_KINDS: Final = (
    *("FIR", "moving average", "Butterworth", "all-pole", "resonance"),
    *("inverse resonance", "inverse GTF"),
)


def _device(
    rng: np.random.Generator,
    x: list[np.ndarray],
    seconds: np.ndarray,
    grid: Grid,
    kind: str,
    how: str = "periodic",
) -> list[np.ndarray]:
    """Filter beats: in samples of the grid, in seconds, or row by row."""
    if kind == "inverse GTF":
        return [
            _periodic(w, len(w) / s if grid.points else grid.rate or 1.0, _inverse)
            for w, s in zip(x, seconds, strict=True)
        ]
    rate = 1000.0 if how == "seconds" else grid.rate or 80.0
    b, a = drawn_filter(rng, kind, rate)
    if how in ("periodic", "seconds"):
        own = [
            len(w) / s if how == "seconds" and grid.points else grid.rate or rate
            for w, s in zip(x, seconds, strict=True)
        ]
        return [
            _periodic(w, r, lambda f: signal.freqz(b, a, worN=f, fs=rate)[1])
            for w, r in zip(x, own, strict=True)
        ]
    if how == "held":
        zi = signal.lfilter_zi(b, a)
        return [signal.lfilter(b, a, w, zi=zi * w[0])[0] for w in x]
    if how == "less its mean":
        return [signal.lfilter(b, a, w - w.mean()) + w.mean() for w in x]
    if how == "there and back":
        return [signal.filtfilt(b, a, w, padlen=len(w) // 2) for w in x]
    return [np.convolve(w, b, "same") for w in x]


@dataclass(frozen=True, eq=False)
class Scene:
    """Draws of people, of a target of theirs, and of its noise.

    Attributes:
        pool: Who.
        grid: Points of a beat, or Hz.
        kind: Of the device; empty for the true aortic wave.
        how: The device treats the ends of a beat.
        people, beats: Of each draw, and of each of them.
        white: SD of the noise, mmHg.
        top: Hz up to which the noise goes; None for white noise.
        recalibrated: Whether each person's target has a gain (SD 15 %) and a level (SD
            8 mmHg) of its own.
        change: Of a target beat, at the end.
        whole: Whether x and y are rounded to 1 mmHg.
        durations: Whether they are told.
        scalar: Whether the target is the systolic pressure alone.
        bar: Whether the bar is for this scene, too.
    """

    pool: Pool
    grid: Grid
    kind: str = ""
    how: str = "periodic"
    people: int = 5
    beats: int = 1
    white: float = 0.0
    top: float | None = None
    recalibrated: bool = False
    change: str = ""
    whole: bool = False
    durations: bool = False
    scalar: bool = False
    bar: bool = True
    main: bool = False

    def __str__(self) -> str:
        made = f"{self.kind} ({self.how}) of " if self.kind else ""
        parts = [
            made + self.pool.name + ("" if self.kind else " -> aorta"),
            str(self.grid),
            "" if self.people == 5 else f"{self.people} people",
            "" if self.beats == 1 else f"{self.beats} beats each",
            f"noise {self.white:g} mmHg" if self.white else "",
            "" if self.top is None else f"of up to {self.top:g} Hz",
            "gains and levels" if self.recalibrated else "",
            self.change,
            "whole mmHg" if self.whole else "",
            "durations told" if self.durations else "",
            "SBP only" if self.scalar else "",
        ]
        return ", ".join(p for p in parts if p)

    def draw(
        self, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
        """Return x, y and what else `circularity` is told."""
        x, y, seconds = self.pool.draw(rng, self.grid, self.people)
        if self.how == "breathing record":
            pairs = [_breathing(rng, w, self.beats) for w in x]
            b, a = drawn_filter(rng, self.kind, self.grid.rate or 80.0)
            y = []
            for beats in pairs:
                record = np.concatenate(beats)
                zi = signal.lfilter_zi(b, a) * record[0]
                out = signal.lfilter(b, a, record, zi=zi)[0]
                cut = np.cumsum([len(w) for w in beats])[:-1]
                y += np.split(out, cut)[4 : 4 + self.beats]
            x = [w for beats in pairs for w in beats[4 : 4 + self.beats]]
        else:
            if self.kind:
                y = _device(rng, x, seconds, self.grid, self.kind, self.how)
            x, y = ([w for w in v for _ in range(self.beats)] for v in (x, y))
        y = [w + self._noise(rng, len(w)) for w in y]
        subject = np.repeat(np.arange(self.people), self.beats)
        if self.recalibrated:
            gain = 1 + 0.15 * rng.normal(size=self.people)
            level = 8 * rng.normal(size=self.people)
            y = [gain[s] * w + level[s] for s, w in zip(subject, y, strict=True)]
        if self.change == "50 ms late":
            y = [np.roll(w, 5) for w in y]
        if self.change == "from its lowest sample":
            y = [np.roll(w, -int(w.argmin())) for w in y]
        if self.whole:
            x, y = [np.round(w) for w in x], [np.round(w) for w in y]
        told: dict[str, Any] = {"subject": subject}
        if self.durations:
            told["duration"] = np.repeat(seconds, self.beats)
        if self.scalar:
            sbp = np.array([w.max() for w in y]) + self.white * rng.normal(size=len(y))
            return stacked(x), sbp, told
        return stacked(x), stacked(y), told

    def _noise(self, rng: np.random.Generator, n: int) -> np.ndarray:
        if self.top is None:
            return self.white * (not self.scalar) * rng.normal(size=n)
        b, a = signal.butter(2, self.top, fs=self.grid.rate)
        noise = signal.filtfilt(b, a, rng.normal(size=n + 400))[200:-200]
        return np.asarray(self.white * noise / noise.std())


def _breathing(rng: np.random.Generator, wave: np.ndarray, n: int) -> list[np.ndarray]:
    """Return n + 6 beats whose level and size vary from one to the next."""
    level = 2.0 * np.sin(np.arange(n + 6) * 1.3 + rng.uniform(0, 6))
    size = 1 + 0.03 * rng.normal(size=n + 6)
    mean = wave.mean()
    return [mean + s * (wave - mean) + v for s, v in zip(size, level, strict=True)]


def _row(scene: Scene, draws: int) -> Row:
    """Count how often a scene is flagged."""
    flagged, blind, scores = 0, 0, []
    for k in range(draws):
        x, y, told = scene.draw(np.random.default_rng(1000 + k))
        found = circularity(x, y, **told)
        flagged += bool(found.flagged)
        blind += found.flagged is None
        scores.append(found.score)
    low, middle, high = np.quantile(scores, [0.05, 0.5, 0.95])
    device = bool(scene.kind)
    met = flagged == draws if device else flagged <= 0.05 * draws
    judged = scene.bar and (device or draws >= _DRAWS)  # 5 of 100 cannot be seen in 10
    return Row(
        what=f"circularity: {scene}",
        figure=f"{flagged} of {draws} flagged; score {middle:.2f} mmHg ({low:.2f} to "
        f"{high:.2f})" + (f"; {blind} abstained" if blind else ""),
        bar=("all flagged" if device else "<= 5 of 100 flagged") if judged else "",
        met=met if judged else None,
    )


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Yield every scenario.

    Args:
        share: Of 100 draws; of 10 for all but the main rows.
        data: Folder that holds ``pwdb``; without it PWDB's rows are left out.
    """
    draws = max(3, round(_DRAWS * share))
    for scene in _scenes(list(_pools(data))):
        yield _row(scene, draws if scene.main else max(3, round(_SIDE * draws)))


def _scenes(pools: list[Pool]) -> Iterator[Scene]:
    points, timed = _GRIDS[0], _GRIDS[3]
    for pool in pools:
        hard = "carotid" in pool.name
        for grid in _GRIDS:
            yield Scene(pool, grid, main=grid in (points, timed))
        yield Scene(pool, timed, people=3, bar=False)
        yield Scene(pool, timed, people=20)
        for grid in (points, timed):
            for sd in (0.5, 1.0):
                yield Scene(pool, grid, white=sd, bar=not hard)
        yield Scene(pool, timed, white=1.0, beats=8)
    for pool in (pools[1], pools[-1]):
        for grid in (points, timed):
            for kind in _KINDS:
                for sd in (0.1, 0.5, 1.0):
                    main = grid is timed and sd == 0.5
                    yield Scene(
                        pool, grid, kind, white=sd, recalibrated=True, main=main
                    )
    pool = pools[-1]
    for how in ("seconds", "held", "less its mean", "there and back"):
        for kind in ("Butterworth", "resonance"):
            yield Scene(pool, timed, kind, how, white=0.3)
    yield Scene(pool, timed, "FIR", "zeros around it", white=0.3)
    for told in (True, False):
        for kind in ("FIR", "Butterworth", "resonance"):
            yield Scene(
                pool, points, kind, "seconds", white=0.3, durations=told, bar=told
            )
    for top in (20.0, 12.0, 8.0):
        for sd in (0.3, 0.7):
            yield Scene(pool, timed, "Butterworth", white=sd, top=top, bar=top > 8)
    yield Scene(pool, timed, "resonance", whole=True)
    yield Scene(pool, timed, "nothing", recalibrated=True)
    for change in ("50 ms late", "from its lowest sample"):
        yield Scene(pool, timed, "resonance", white=0.3, change=change)
    yield Scene(pool, timed, "resonance", "breathing record", beats=8, white=0.5)
    for pool in pools:
        hard = "carotid" in pool.name
        for grid in (points, timed):
            yield Scene(pool, grid, scalar=True, main=True)
            for sd in (0.0, 0.3, 0.5):
                yield Scene(
                    *(pool, grid, "moving average"),
                    scalar=True,
                    white=sd,
                    bar=not hard or sd <= 0.3,
                    main=True,
                )


def main() -> None:
    """Print every row."""
    for row in rows(share=float(sys.argv[1]), data=Path(sys.argv[2])):
        print(row.met, "|", row.what, "|", row.figure, flush=True)


if __name__ == "__main__":
    main()
