"""The leakage audit: planted leaks that are found, clean splits that are called clean.

Splits are of made-up people with and without the noise of a sensor, drawn anew for
each, as beats and as plain rows of samples.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from judge_table import Row
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from threadpoolctl import threadpool_limits

from capnet.data.splits import hold_out
from capnet.evaluation.audits.leakage import Leakage, audit_leakage, audit_rows
from capnet.records import Beats

Rng = np.random.Generator


def _people(seed: int, *, n: int = 60, sensor: bool = True) -> Beats:
    """Return beats of people with many traits, several beats of each."""
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), 4)
    phase = np.arange(64) / 64
    rows = len(who)
    wave = np.zeros((rows, 64))
    for centre, width, height in (
        (0.2, 0.11, 1.0),
        (0.38, 0.14, 0.5),
        (0.6, 0.16, 0.3),
    ):
        middle = rng.normal(centre, 0.02, n)[who] + rng.normal(0, 0.002, rows)
        broad = width * np.exp(rng.normal(0, 0.1, n))[who]
        tall = height * np.exp(rng.normal(0, 0.2, n))[who]
        bump = np.exp(-(((phase - middle[:, None]) / broad[:, None]) ** 2))
        wave += tall[:, None] * bump
    if sensor:
        wave += 0.004 * rng.standard_normal(wave.shape)
    wave -= wave.min(axis=1, keepdims=True)
    wave /= wave.max(axis=1, keepdims=True)
    sbp = rng.normal(125, 15, n)[who] + rng.normal(0, 2, rows)
    dbp = sbp - np.clip(rng.normal(48, 9, n), 25, 90)[who]
    duration = rng.uniform(0.65, 1.1, n)[who] + rng.normal(0, 0.01, rows)
    return Beats(
        subject=np.array([f"p{i:04d}" for i in who]),
        beat=np.tile(np.arange(4), n),
        time=np.tile(np.arange(4) * 0.9, n),
        duration=duration,
        ppg=wave,
        age=rng.uniform(20, 80, n)[who],
        cuff=np.stack([sbp, dbp], axis=1),
        cuff_site=np.full(rows, "brachial"),
        calibration="cuff SBP/DBP",
        accepted=np.ones(rows, dtype=bool),
        reason=np.full(rows, "", dtype="U8"),
        features={"pat": rng.uniform(0.1, 0.3, n)[who] + rng.normal(0, 0.003, rows)},
        reference=dbp[:, None] + 0.9 * (sbp - dbp)[:, None] * wave,
        reference_type="simulated",
    )


def _spoilt(test: Beats, train: Beats, rng: Rng, change: Callable[..., Any]) -> Beats:
    """Return tested beats of which a few are changed copies of trained ones."""
    n = max(1, len(test) // 20)
    here = rng.choice(len(test), n, replace=False)
    there = rng.choice(len(train), n, replace=False)
    ppg = test.ppg.copy()
    ppg[here] = change(train.ppg[there], rng)
    return test.replace(ppg=ppg)


def _noise(wave: np.ndarray, rng: Rng, decibel: float = 40.0) -> np.ndarray:
    power = (wave**2).mean(axis=1, keepdims=True) * 10 ** (-decibel / 10)
    return np.asarray(wave + np.sqrt(power) * rng.standard_normal(wave.shape))


COPIES: dict[str, Callable[[np.ndarray, Rng], np.ndarray]] = {
    "exact": lambda wave, _rng: wave,
    "rescaled": lambda wave, rng: rng.uniform(0.3, 3.0) * wave + rng.uniform(-1, 1),
    "shifted by a sample": lambda wave, rng: np.roll(wave, rng.choice([-1, 1]), axis=1),
    "40 dB noise": _noise,
    "rescaled, shifted, 40 dB noise": lambda wave, rng: (
        1.7 * np.roll(_noise(wave, rng), 1, axis=1) + 0.2
    ),
    "rounded to three digits": lambda wave, _rng: np.round(wave, 3),
}


def _scalers(train: np.ndarray) -> list[Any]:
    """Return transforms fitted on rows."""
    return [
        StandardScaler().fit(train),
        MinMaxScaler().fit(train),
        RobustScaler().fit(train),
        PCA(3).fit(train),
        make_pipeline(StandardScaler(), PCA(2)).fit(train),
        (train.mean(axis=0), train.std(axis=0)),
        (train.mean(axis=0), train.std(axis=0, ddof=1)),
        (float(train.mean()), float(train.std())),
        (train.min(axis=0), train.max(axis=0)),
        (lambda rows: {"mean": rows.mean(axis=0)}, {"mean": train.mean(axis=0)}),
    ]


def _planted(draws: int) -> Iterator[tuple[str, bool]]:
    """Yield what was planted and whether it was found, nothing else beside."""
    for draw in range(draws):
        rng = np.random.default_rng([3, draw])
        train, test = hold_out(_people(draw), share=0.3, seed=draw)
        mixed = Beats.concatenate([test, train.of(train.subjects[:1])])
        yield (
            "one subject overlaps",
            _kinds(audit_leakage(train, mixed)) == {"subject on both sides"},
        )
        spelt = np.char.add(np.char.upper(train.subjects[:1]), " ")
        other = train.of(train.subjects[:1])
        other = other.replace(subject=np.repeat(spelt, len(other)))
        mixed = Beats.concatenate([test, other])
        yield (
            "one subject overlaps, spelt otherwise",
            _kinds(audit_leakage(train, mixed)) == {"subject on both sides"},
        )
        for name, change in COPIES.items():
            found = audit_leakage(train, _spoilt(test, train, rng, change))
            wanted = max(1, len(test) // 20)
            rows = sum(f.rows for f in found.findings if f.kind == "same segments")
            yield (
                f"copies, {name}",
                rows == wanted
                and not _kinds(found)
                - {
                    "same segments",
                    "same recording",
                },
            )
        who = train.subjects[0]
        alias = train.of([who])
        alias = alias.replace(
            subject=np.full(len(alias), "new"), ppg=1.3 * _noise(alias.ppg, rng)
        )
        again = Beats.concatenate([test, alias])
        found = audit_leakage(train, again)
        yield (
            "one recording under another name",
            any(f.train == who and f.test == "new" for f in found.findings),
        )
        group = [{str(train.subjects[1]), str(test.subjects[1])}]
        found = audit_leakage(train, test, groups=group)
        yield "a group is split", _kinds(found) == {"group on both sides"}
        found = audit_leakage(train, test, labelled=[str(test.subjects[2])])
        yield "labels of a tested subject", _kinds(found) == {"labels of tested people"}
        both = np.concatenate([train.ppg, test.ppg])
        for place, transform in enumerate(_scalers(both)):
            found = audit_leakage(train, test, transforms=[transform])
            yield (
                f"scaler {place + 1} outside the fold",
                _kinds(found) == {"transform fitted outside the fold"},
            )
            found = audit_rows(
                *(train.ppg, test.ppg, train.subject, test.subject),
                transforms=[transform],
            )
            yield (
                f"scaler {place + 1} outside the fold, plain rows",
                _kinds(found) == {"transform fitted outside the fold"},
            )


def _kinds(leakage: Leakage) -> set[str]:
    return {str(f.kind) for f in leakage.findings}


def _clean(draws: int) -> Iterator[tuple[str, Leakage]]:
    """Yield audits of splits in which nothing leaks."""
    for draw in range(draws):
        for sensor in (True, False):
            beats = _people(10_000 + draw, sensor=sensor, n=80)
            train, test = hold_out(beats, share=0.3, seed=draw)
            right = _scalers(train.ppg)
            told = audit_leakage(train, test, transforms=right, labelled=["nobody"])
            yield ("with a sensor" if sensor else "without noise"), told
            wide = 3.0 * _people(20_000 + draw, sensor=sensor, n=200).ppg + 90.0
            half = len(wide) // 2
            names = np.repeat([f"r{i}" for i in range(200)], 4)
            rows = audit_rows(wide[:half], wide[half:], names[:half], names[half:])
            yield "plain rows", rows


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Measure.

    Args:
        share: Of the draws.
        data: Not needed.
    """
    del data  # everybody is made up
    draws = max(2, round(20 * share))
    count = max(4, round(100 * share))
    with threadpool_limits(1):  # small arrays: several threads only wait
        found = [*_planted(draws)]
        audits = [*_clean(count)]
    missed = sorted({what for what, right in found if not right})
    hits = sum(right for _, right in found)
    yield Row(
        f"planted leaks, {len({w for w, _ in found})} kinds, {draws} draws each",
        f"{hits} of {len(found)} found, and nothing else said"
        + (f"; not: {', '.join(missed)}" if missed else ""),
        "all found",
        hits == len(found),
    )
    alarms = [(what, told) for what, told in audits if not told.clean]
    unsure = sum(bool(told.undecided) for _, told in audits)
    yield Row(
        f"clean splits, {count} draws of people in 4 forms",
        f"{len(alarms)} false alarms in {len(audits)} audits"
        + (f"; e.g. {alarms[0][0]}: {alarms[0][1].findings[0].text}" if alarms else "")
        + f"; {unsure} undecided",
        "0 false alarms",
        not alarms,
    )
    with threadpool_limits(1):
        yield _large(round(25_000 * share))


def _large(n: int) -> Row:
    """Time an audit of n people with four beats each."""
    train, test = hold_out(_people(5, n=n), share=0.2, seed=0)
    before = process_time()
    told = audit_leakage(train, test)
    return Row(
        f"a split of {4 * n:,} beats",
        f"{process_time() - before:.1f} s of a processor, {len(told.findings)} alarms",
    )
