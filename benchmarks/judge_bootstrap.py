"""Do 95 % intervals hold the truth 95 times in 100? On people whose truth is known.

Every draw is a new study: n people, 1 to 30 beats of each (1 to 8 where waves are
scored), two methods whose errors have a part that stays with the person and one that is
new with each beat. The truth is the same statistic of 100,000 people. Skewed errors are
those of a gamma distribution of shape 4 (skewness 1): squares of them have long tails,
and with 20 people no method without a model can know how long; they stand there without
a bar.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from judge_table import Row

from capnet.evaluation.beat_scores import subject_columns, wave_columns
from capnet.evaluation.evaluate import Evaluation, evaluate
from capnet.evaluation.functionals import estimate, value
from capnet.evaluation.paired import pair_of
from capnet.evaluation.scores import Ground, Scored
from capnet.evaluation.statistics.bootstrap import Interval
from capnet.evaluation.truth import Truth
from capnet.evaluation.variation.repeats import repeats
from capnet.evaluation.variation.shift import shift_table
from capnet.prediction import Prediction
from capnet.types import N_POINTS

__all__ = ["rows"]

SIZES: Final = (20, 50, 85, 300)
DRAWS: Final = 2000
PEOPLE: Final = 100_000
BAR: Final = (93.0, 97.0)
SINGLE: Final = ("sbp_bias", "sbp_mae", "sbp_rmse", "amplification_r2")
PAIRED: Final = ("sbp_mae", "sbp_rmse", "amplification_r2")
WAVES: Final = ("wave_rmse", "shape_rmse")
JUDGED: Final = 500
"""Draws from which on the bar is asked for: with fewer, chance alone misses it."""

SEEDS: Final = 4
"""Of the resamples, in turn: drawing them takes longer than using them."""


class Study(NamedTuple):
    """People, and what two methods say of them.

    Attributes:
        truth: Numbers alone.
        first: The method that is judged.
        second: A floor on the same beats.
    """

    truth: Truth
    first: Prediction
    second: Prediction


def errors(law: str, n: int, generator: np.random.Generator) -> np.ndarray:
    """Draw what stays with a person, of mean 0 and SD 1."""
    if law == "normal":
        return generator.standard_normal(n)
    return (generator.gamma(4.0, 1.0, n) - 4.0) / 2.0


def study(law: str, n: int, generator: np.random.Generator, *, most: int = 30) -> Study:
    """Draw people and beats."""
    counts = generator.integers(1, most + 1, n)
    of = np.repeat(np.arange(n), counts)
    beats = len(of)
    normal = generator.standard_normal
    sbp = (120 + 15 * normal(n))[of] + 4 * normal(beats)
    amplification = (8 + 4 * normal(n))[of] + normal(beats)
    own = 5 * errors(law, n, generator)
    other = 0.7 * own + 3.5 * errors(law, n, generator)
    first = sbp + 1 + own[of] + 2 * normal(beats)
    second = sbp + 0.5 + other[of] + 2 * normal(beats)
    held = sbp + amplification + (6 * normal(n))[of]
    nothing, words = np.full(beats, np.nan), np.full(beats, "")
    dbp = sbp - 42 - 4 * normal(beats)
    ends = np.stack([sbp, dbp, nothing, sbp - dbp], axis=1)
    truth = Truth(
        subject=np.array([f"{i:06d}" for i in range(n)])[of],
        beat=np.arange(beats),
        time=np.arange(beats, dtype=np.float64),
        duration=nothing,
        pressures=ends,
        reference=None,
        reference_type="simulated",
        calibration="cuff SBP/DBP",
        cuff=np.stack([held, dbp], axis=1),
        age=nothing,
        hr=nothing,
        sex=words,
        accepted=np.ones(beats, dtype=bool),
        reason=words,
        truth={"brachial_sbp": sbp + amplification},
    )
    return Study(
        truth, said("method", truth, first, dbp), said("floor", truth, second, dbp)
    )


def said(name: str, truth: Truth, sbp: np.ndarray, dbp: np.ndarray) -> Prediction:
    """Say SBP and PP."""
    nothing = np.full(len(sbp), np.nan)
    return Prediction(
        method=name,
        role="floor",
        k=0,
        calibration=truth.calibration,
        subject=truth.subject,
        beat=truth.beat,
        time=truth.time,
        duration=truth.duration,
        waveform=None,
        csbp=sbp,
        cdbp=nothing,
        cmap=nothing,
        cpp=sbp - dbp,
        accepted=truth.accepted,
        reason=truth.reason,
    )


def judged(s: Study, seed: int) -> Evaluation:
    """Score both methods."""
    return evaluate([s.first, s.second], s.truth, seed=seed)


def scored(s: Study) -> tuple[Scored, Scored]:
    """Score the beats of both methods."""
    ground = Ground.of(s.truth)
    return Scored(ground, s.first), Scored(ground, s.second)


@cache
def limits(law: str) -> dict[str, float]:
    """Return every statistic, and differences, of very many people."""
    both = scored(study(law, PEOPLE, np.random.default_rng(1)))
    first, second = (x.subjects for x in both)
    found = {m: value(m, first)[0] for m in SINGLE}
    return found | {
        f"difference of {m}": value(m, first)[0] - value(m, second)[0] for m in PAIRED
    }


def within(interval: Interval | None, truth: float) -> bool:
    """Say whether an interval holds the truth; none does not."""
    return interval is not None and interval.low <= truth <= interval.high


def coverage(law: str, n: int, draws: int) -> dict[str, float]:
    """Return the share of studies whose interval holds the truth, %."""
    truth, held = limits(law), Counter()
    for draw in range(draws):
        first, second = scored(study(law, n, np.random.default_rng((n, draw))))
        how = {"resamples": 1000, "seed": draw % SEEDS}
        for m in SINGLE:
            found = estimate(m, first.subjects, **how)
            held[m] += within(found.interval, truth[m])
        for m in PAIRED:
            name = f"difference of {m}"
            held[name] += within(pair_of(first, second, m, **how).interval, truth[name])
    return {m: 100 * held[m] / draws for m in truth}


def waves(n: int, generator: np.random.Generator) -> Scored:
    """Draw people whose waves are off by a level, a size and noise."""
    phase = 2 * np.pi * np.arange(N_POINTS) / N_POINTS
    s = study("normal", n, generator, most=8)
    of = np.unique(s.truth.subject, return_inverse=True)[1]
    shape = np.sin(phase) + 0.4 * np.sin(2 * phase)
    wave = 95 + 20 * shape * np.ones((len(of), 1))
    size = 1 + 0.1 * generator.standard_normal(n)[of]
    level = 3 * generator.standard_normal(n)[of]
    noise = generator.standard_normal((len(of), N_POINTS))
    answer = 95 + level[:, None] + 20 * size[:, None] * shape + noise
    ground = Ground.of(replace(s.truth, reference=wave))
    return Scored(ground, s.first.replace(waveform=answer))


def wave_means(scored: Scored) -> dict[str, np.ndarray]:
    """Average the scores of the waves over the beats of each subject."""
    ground = scored.ground
    found = wave_columns(scored.prediction, ground.truth, scored.beats)
    return subject_columns(found, ground.code, len(ground.names))


@cache
def wave_limits() -> dict[str, float]:
    """Return the scores of waves of many people."""
    many = wave_means(waves(PEOPLE // 5, np.random.default_rng(2)))
    return {m: value(m, many)[0] for m in WAVES}


def wave_coverage(n: int, draws: int) -> dict[str, float]:
    """Return the share of intervals of wave scores that hold the truth, %."""
    truth, held = wave_limits(), Counter()
    for draw in range(draws):
        columns = wave_means(waves(n, np.random.default_rng((n, draw, 3))))
        for m in WAVES:
            found = estimate(m, columns, resamples=1000, seed=draw % SEEDS)
            held[m] += within(found.interval, truth[m])
    return {m: 100 * held[m] / draws for m in WAVES}


def seeds_coverage(n: int, count: int, draws: int) -> float:
    """Return how often the mean over seeds and subjects is held, %.

    Each seed adds an error of its own to every answer of the method, and one to each
    person.
    """
    held = 0
    generator = np.random.default_rng(5)
    many = study("normal", PEOPLE, generator)
    own = _seeded(many, generator, 4000)
    truth = float(np.mean(own))
    for draw in range(draws):
        generator = np.random.default_rng((n, count, draw))
        s = study("normal", n, generator)
        found = repeats(
            [judged(_seed(s, generator), draw % SEEDS) for _ in range(count)]
        )
        held += within(found.rows[0].interval, truth)
    return 100 * held / draws


def _seed(s: Study, generator: np.random.Generator) -> Study:
    of = np.unique(s.truth.subject, return_inverse=True)[1]
    shift = 1.5 * generator.standard_normal()
    person = generator.standard_normal(of.max() + 1)[of]
    return s._replace(first=s.first.replace(csbp=s.first.csbp + shift + person))


def _seeded(s: Study, generator: np.random.Generator, count: int) -> np.ndarray:
    """Return the RMSE of very many people for many seeds."""
    error = s.first.csbp - s.truth.pressures[:, 0]
    code = np.unique(s.truth.subject, return_inverse=True)[1]
    beats = np.bincount(code)
    mean = float((np.bincount(code, weights=error) / beats).mean())
    square = float((np.bincount(code, weights=error**2) / beats).mean())
    shift = 1.5 * generator.standard_normal(count)
    return np.sqrt(square + 2 * shift * mean + shift**2 + 1.0)


def shift_coverage(n: int, draws: int) -> float:
    """Return how often the difference of two clinics is held, %."""
    home, away = limits("normal")["sbp_rmse"], limits("skewed")["sbp_rmse"]
    held = 0
    for draw in range(draws):
        generator = np.random.default_rng((n, draw, 7))
        here, there = (study(law, n, generator) for law in ("normal", "skewed"))
        there = _renamed(there)
        found = shift_table(judged(here, 0), judged(there, 1))
        held += within(found.rows[0].interval, away - home)
    return 100 * held / draws


def _renamed(s: Study) -> Study:
    names = np.char.add("away ", s.truth.subject)
    return Study(
        replace(s.truth, subject=names),
        s.first.replace(subject=names),
        s.second.replace(subject=names),
    )


def _rows(what: str, found: list[dict[str, float]], *, wanted: bool) -> Iterator[Row]:
    """Yield a row a statistic, its coverage at each number of people."""
    for m in found[0]:
        shares = [each[m] for each in found]
        figure = ", ".join(f"{x:.1f}" for x in shares) + " %"
        met = all(BAR[0] <= x <= BAR[1] for x in shares)
        if wanted:
            yield Row(f"{m}, {what}", figure, f"{BAR[0]:g}-{BAR[1]:g} %", met)
        else:
            yield Row(f"{m}, {what}", figure)


def rows(*, share: float, data: Path | None) -> Iterator[Row]:  # noqa: ARG001
    """Yield the coverage of the judge's 95 % intervals.

    Args:
        share: Of the draws.
        data: Not needed.
    """
    draws = max(20, round(DRAWS * share))
    sizes = ", ".join(str(n) for n in SIZES)
    for law, some in (("normal", draws), ("skewed", max(20, draws // 4))):
        what = f"{law} errors, n = {sizes}, {some} draws each"
        found = [coverage(law, n, some) for n in SIZES]
        yield from _rows(what, found, wanted=law == "normal" and some >= JUDGED)
    some = max(20, draws // 2)
    found = [wave_coverage(n, some) for n in SIZES]
    yield from _rows(
        f"normal errors, n = {sizes}, {some} draws each", found, wanted=some >= JUDGED
    )
    some = max(20, draws // 10)
    found = [{"sbp_rmse": seeds_coverage(50, 3, some)}]
    yield from _rows(f"mean over 3 seeds, n = 50, {some} draws", found, wanted=False)
    found = [{"sbp_rmse": shift_coverage(85, some)}]
    yield from _rows(f"away - home, n = 85 each, {some} draws", found, wanted=False)
