"""Splits, duplicates, canaries, samplers: what `capnet.data` promises, counted.

    python benchmarks/splits.py                  # everything; two minutes
    python benchmarks/splits.py --share 0.1      # a tenth of it
    python benchmarks/splits.py --seed 1         # other people, splits and noise

- 10,000 random splits (k-fold, nested, leave one domain out, with random groups and
  strata): overlaps, and people who are not tested exactly once.
- Duplicates planted among virtual people: as single beats of three clinics, as rows of
  recordings (few, every other, mixed, without times) and as recordings of a minute:
  found, missed, and false ones among all pairs.
- A watermark of the subject in the PPG: the error of a support vector machine on beats
  of people it knows (a leaky split by beat) and on held-out people.
- Batches a second of the two-domain sampler.

Everybody is virtual, and nobody served to choose a threshold (seeds of those: 3, 5, 7,
77). Times are of one core, `time.process_time`.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
import torch
from scipy.signal import resample_poly

from capnet.data.duplicates import Duplicates, find_duplicates
from capnet.data.folds import (
    Fold,
    check_disjoint,
    k_fold,
    leave_one_domain_out,
    nested_folds,
)
from capnet.data.samplers import TwoDomainSampler
from capnet.errors import ProtocolError
from capnet.hemodynamics import (
    Clinic,
    Cohort,
    CuffModel,
    LinearSolver,
    Population,
    Sensor,
    Train,
)
from capnet.models.svr import SVR
from capnet.records import Beats, Record, Signal
from capnet.signal.beats import beats_of
from capnet.types import N_POINTS

RATE: Final = 125.0


def splits(count: int, seed: int) -> None:
    """Draw splits of every kind and count what may not be."""
    rng, bad, missed, folds = np.random.default_rng(seed), 0, 0, 0
    start = time.process_time()
    for number in range(count):
        people = np.array([f"p{i:04d}" for i in range(int(rng.integers(20, 120)))])
        mixed, groups = rng.permutation(people).tolist(), []
        for _ in range(int(rng.integers(0, 5))):
            size = int(rng.integers(2, 4))
            groups.append(set(mixed[:size]))
            mixed = mixed[size:]
        kinds = rng.integers(0, 4, len(people)).tolist()
        strata = {str(p): str(k) for p, k in zip(people, kinds, strict=True)}
        drawn: Sequence[Fold]
        if number % 3 == 0:
            drawn = k_fold(
                people,
                folds=int(rng.integers(2, 8)),
                seed=seed + number,
                groups=groups,
                strata=strata,
                validation=0.2,
            )
            tested = [name for fold in drawn for name in fold.test]
        elif number % 3 == 1:
            drawn = nested_folds(
                people, outer=3, inner=2, seed=seed + number, groups=groups
            )
            tested = [name for fold in drawn[::2] for name in fold.test]
        else:
            domains = rng.choice(["x", "y", "z"], len(people))
            drawn = leave_one_domain_out(
                people, domains, seed=seed + number, groups=groups
            )
            tested = [name for fold in drawn for name in fold.test]
        folds += len(drawn)
        missed += sorted(tested) != people.tolist()
        try:
            check_disjoint(drawn, groups=groups)
        except ProtocolError:
            bad += 1
        for fold in drawn:  # without the library's own check
            sides = [set(fold.train), set(fold.validation), set(fold.test)]
            bad += len(set.union(*sides)) != sum(map(len, sides))
    seconds = time.process_time() - start
    print(
        f"{count} random splits ({folds} folds): {bad} overlaps (bar 0), {missed} in "
        f"which somebody is not tested exactly once (bar 0); {seconds:.0f} s"
    )


def counted(found: Duplicates, planted: int) -> str:
    """Say how many pairs are planted ones, and how many others."""
    right = sum(
        pair.one == f"copy of {pair.other}" or pair.other == f"copy of {pair.one}"
        for pair in found.pairs
    )
    false, doubtful = len(found.pairs) - right, len(found.possible)
    return f"found {right} of {planted}, false {false}, possible {doubtful}"


def clinic_beats(
    people: int, population: Population, sensor: Sensor, seed: int
) -> Beats:
    """Return a beat of each of many people."""
    clinic = Clinic(
        name=f"bench-{seed}",
        population=population,
        solver=LinearSolver(harmonics=30),
        sensor=sensor,
        cuff=CuffModel.exact(),
        pep_mean=0.08,
        pep_sd=0.01,
        n=people,
        seed=seed,
    )
    return clinic.observe(clinic.simulate(), calibration="exact").usable()


def alone(beats: Beats) -> Beats:
    """Return beats of which neither age, cuff nor reference is known."""
    nothing = np.full(len(beats), np.nan)
    return beats.replace(
        age=nothing,
        cuff=np.stack([nothing, nothing], axis=1),
        reference=None,
        reference_type="none",
    )


def single_beats(people: int, copies: int, seed: int) -> None:
    """Plant copies of single beats, with raw samples and without."""
    usual, old = Population.calibrated(), Population.older_clinic()
    kinds = (
        ("usual, mildest sensor", usual, Sensor.source()),
        ("usual, a clinic's sensor", usual, Sensor.clinic()),
        ("old, another sensor", old, Sensor.held_out()),
    )
    bare = {"raw": None, "start": None, "stop": None}
    for number, (name, population, sensor) in enumerate(kinds):
        beats = clinic_beats(people // 3, population, sensor, 4100 + 10 * seed + number)
        pairs = len(beats) * (len(beats) - 1) // 2
        start = time.process_time()
        told = []
        for what, table in (("raw", beats), ("64 points", beats.replace(**bare))):
            for known, rows in (("", table), (" alone", alone(table))):
                found = find_duplicates(rows)
                told.append(
                    f"{what}{known} {len(found.pairs)} (possible {len(found.possible)})"
                )
        seconds = time.process_time() - start
        print(
            f"{name}: {len(beats)} people, {pairs / 1e6:.1f} million pairs, false "
            f"(bar 0): {', '.join(told)}; {seconds:.1f} s"
        )
        planted(beats, copies, seed)


def planted(beats: Beats, copies: int, seed: int) -> None:
    """Plant copies of single beats of a clinic."""
    rng = np.random.default_rng(4200 + seed)
    few = beats.take(rng.choice(len(beats), min(copies, len(beats)), replace=False))
    names = np.array([f"copy of {name}" for name in few.subject])
    assert few.raw is not None
    bare = {"raw": None, "start": None, "stop": None}
    for level in (0.0, 0.01, 0.02, 0.05, 0.1):
        raw, ppg = few.raw, few.ppg
        raw = raw + level * raw.std(1, keepdims=True) * rng.standard_normal(raw.shape)
        ppg = ppg + level * ppg.std(1, keepdims=True) * rng.standard_normal(ppg.shape)
        copy = few.replace(
            subject=names,
            raw=np.roll(7 + 300 * raw, 1, axis=1).astype(np.float32),
            ppg=np.roll(1 + 3 * ppg, 1, axis=1),
        )
        both = Beats.concatenate([beats, copy])
        told = [
            f"{what}: {counted(find_duplicates(table), len(few))}"
            for what, table in (
                ("raw", both),
                ("raw alone", alone(both)),
                ("64 points", both.replace(**bare)),
                ("64 points alone", alone(both.replace(**bare))),
            )
        ]
        print(f"  rescaled, shifted, noise {level:.0%}: " + "; ".join(told))


def noisy(decibel: float) -> Callable[[np.ndarray], np.ndarray]:
    """Return what adds white noise."""
    rng = np.random.default_rng(0)
    level = 10 ** (-decibel / 20)
    return lambda v: v + level * v.std() * rng.standard_normal(len(v))


def recordings(people: int, copies: int, seed: int) -> None:
    """Plant copies of recordings of a minute."""
    train = Train.draw(
        Cohort.sample(people, seed=4300 + seed),
        seed=seed,
        sensor=Sensor.clinic(),
        threads=1,
    )
    records = [
        train.record(i, duration=60.0, rates={"ppg": RATE}) for i in range(people)
    ]
    start = time.process_time()
    found = find_duplicates(records)
    print(
        f"recordings of 60 s: {people} people, {people * (people - 1) // 2} pairs, "
        f"false {len(found.pairs)} (bar 0); {time.process_time() - start:.1f} s"
    )
    half = round(30 * RATE)
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "exact": lambda v: v,
        "shifted by a sample": lambda v: v[1:],
        "rescaled": lambda v: 300 * v - 7,
        "noise 30 dB": noisy(30),
        "noise 20 dB": noisy(20),
        "begins 30 s late": lambda v: v[half:],
        "20 s of the middle": lambda v: v[half - 1250 : half + 1250],
        "all, 26 dB": lambda v: 5 * noisy(26)(v)[half + 1 :] - 2,
        "at 250 Hz": lambda v: resample_poly(v - v.mean(), 2, 1),
    }
    for how, change in changes.items():
        rate = 250.0 if how == "at 250 Hz" else RATE
        copied = [
            Record(
                f"copy of {r.subject}",
                {
                    "ppg": Signal(
                        change(r.channels["ppg"].values.astype(float)), rate, "NU"
                    )
                },
            )
            for r in records[:copies]
        ]
        print(f"  {how}: {counted(find_duplicates([*records, *copied]), copies)}")
    rows_of_recordings(Beats.concatenate([beats_of(r) for r in records]), copies, seed)


def rows_of_recordings(table: Beats, copies: int, seed: int) -> None:
    """Plant some rows of recordings, rescaled and with 1 % of noise."""
    rng = np.random.default_rng(4400 + seed)
    changes: dict[str, Callable[[int], np.ndarray]] = {
        "first half of the beats": lambda n: np.arange(n // 2),
        "every other beat": lambda n: np.arange(0, n, 2),
        "another order": rng.permutation,
        "three beats": lambda n: np.arange(n // 2, n // 2 + 3),
        "one beat": lambda n: np.arange(n // 2, n // 2 + 1),
    }
    table = alone(table.usable())
    bare = {"raw": None, "start": None, "stop": None}
    for how, change in changes.items():
        told = []
        for what, rows in (("raw", table), ("64 points", table.replace(**bare))):
            copied = []
            for name in rows.subjects[:copies]:
                mine = rows.of(np.array([name]))
                mine = mine.take(change(len(mine)))
                noise = 0.01 * rng.standard_normal(mine.ppg.shape)
                ppg = 3 * (mine.ppg + noise * mine.ppg.std(axis=1, keepdims=True))
                raw = mine.raw
                if raw is not None:
                    sd = raw.std(axis=1, keepdims=True)
                    raw = raw + 0.01 * sd * rng.standard_normal(raw.shape)
                    raw = np.roll(3 * raw, 1, axis=1).astype(np.float32)
                copied.append(
                    mine.replace(
                        subject=np.full(len(mine), f"copy of {name}"),
                        time=np.arange(len(mine), dtype=float),
                        ppg=np.roll(ppg, 1, axis=1),
                        raw=raw,
                    )
                )
            found = find_duplicates(Beats.concatenate([rows, *copied]))
            told.append(f"{what}: {counted(found, len(copied))}")
        print(f"  rows without times, {how}, noise 1%: " + "; ".join(told))


def canary(people: int, seed: int) -> None:
    """Mark everybody's PPG, and see whom that helps."""
    rng, each = np.random.default_rng(4500 + seed), 6
    who, rows = np.repeat(np.arange(people), each), people * each
    phase = np.arange(N_POINTS) / N_POINTS
    pulse = np.exp(-(((phase - 0.25) / 0.12) ** 2))
    own = rng.normal(0, 8, people)[who][:, None]
    marks = {"none": 0.0, "planted": 0.05}
    mark = rng.standard_normal((people, N_POINTS))[who]
    noise = 0.01 * rng.standard_normal((rows, N_POINTS))
    part = rng.integers(0, 3, rows)
    for name, size in marks.items():
        beats = Beats(
            subject=np.array([f"p{i:03d}" for i in who]),
            beat=np.tile(np.arange(each), people),
            time=np.arange(rows, dtype=float),
            duration=rng.uniform(0.7, 1.0, rows),
            ppg=pulse + noise + size * mark,
            age=np.full(rows, 50.0),
            cuff=np.array([120.0, 80.0]) + rng.normal(0, 0.2, (rows, 2)),
            cuff_site=np.full(rows, "brachial"),
            calibration="exact",
            accepted=np.ones(rows, dtype=bool),
            reason=np.full(rows, ""),
            reference=80 + 40 * pulse + own,
            reference_type="simulated",
        )
        leaky = [(beats.take(part != i), beats.take(part == i)) for i in range(3)]
        honest = [fold.parts(beats)[::2] for fold in k_fold(beats, folds=3, seed=0)]
        print(
            f"watermark {name}: SBP RMSE {_rmse(leaky):.1f} mmHg split by beat, "
            f"{_rmse(honest):.1f} split by subject (bar: as without)"
        )


def _rmse(pairs: Sequence[tuple[Beats, Beats]]) -> float:
    lost = []
    for learnt, asked in pairs:
        assert asked.reference is not None
        lost.append(SVR().fit(learnt).predict(asked).csbp - asked.reference.max(axis=1))
    return float(np.sqrt((np.concatenate(lost) ** 2).mean()))


def sampler(people: int) -> None:
    """Time batches of 128 + 128."""
    who = np.repeat(np.arange(people), 30).astype(str)
    drawn = TwoDomainSampler(who, who[: 30 * 50], batch=(128, 128), seed=0, steps=1000)
    start = time.process_time()
    rows = sum(len(a) + len(b) for a, b in drawn)
    seconds = time.process_time() - start
    print(
        f"two-domain sampler: {people} and 50 subjects, {len(drawn) / seconds:.0f} "
        f"batches/s, {rows / seconds / 1e6:.2f} million rows/s"
    )


def main() -> None:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--share", type=float, default=1.0, help="of everything")
    parser.add_argument("--seed", type=int, default=0, help="of everything")
    asked = parser.parse_args()
    share, seed = asked.share, asked.seed
    torch.set_num_threads(1)

    def number(whole: int, least: int) -> int:
        return max(least, round(share * whole))

    splits(number(10_000, 30), seed)
    single_beats(number(9_000, 300), number(200, 20), seed)
    recordings(number(200, 12), number(40, 5), seed)
    canary(60, seed)
    sampler(number(10_000, 500))


if __name__ == "__main__":
    main()
