"""Do intervals hold what they state: over calibrating people, by group, under shift.

Part of `judge.py`. Everybody is virtual. Coverage given the calibrating people is
counted on thousands of others, so that what scatters is the calibration alone.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path
from typing import Final

import numpy as np
from crepes import ConformalRegressor
from judge_clinics import clinic, target
from judge_table import Row

from capnet.evaluation.uncertainty.coverage import QUANTITIES, coverage
from capnet.models.classical import Ridge
from capnet.models.inputs import true_pressures
from capnet.models.intervals import Grouping, Intervals, Kind, group_of
from capnet.models.traits import answers
from capnet.models.zoo import load_model
from capnet.prediction import Prediction
from capnet.records import Beats

__all__ = ["rows"]

_DRAWS: Final = 400
_MEAN: Final = (0.89, 0.92)
_LOW: Final = {20: 0.77, 300: 0.86}
_SEED: Final = 88_000


def _taken(prediction: Prediction, at: np.ndarray) -> Prediction:
    """Return some rows of a prediction."""
    named = {f.name: getattr(prediction, f.name) for f in fields(prediction)}
    some = {k: v[at] for k, v in named.items() if isinstance(v, np.ndarray)}
    return replace(prediction, **some)


def _people(n: int) -> tuple[Beats, Prediction]:
    """Return people of the source, seen three times, and what a ridge says of them."""
    made = {}
    for seed, size, draws in ((_SEED, 1500, 1), (_SEED + 1, n, 3)):
        one = replace(clinic("source"), seed=seed, n=size, name=f"people-{seed}")
        visit = one.simulate()
        seen = [
            one.observe(visit, calibration="exact", cuff_site="brachial", draw=draw)
            for draw in range(draws)
        ]
        made[seed] = Beats.concatenate(seen).replace(raw=None, start=None, stop=None)
    beats = made[_SEED + 1].usable()
    # Some people give three beats, some one: subjects are not of the same size.
    names = beats.subjects
    few = names[np.random.default_rng(_SEED).random(len(names)) < 0.5]
    alone = np.isin(beats.subject, few)
    _, first = np.unique(beats.subject, return_index=True)
    kept = ~alone | np.isin(np.arange(len(beats)), first)
    beats = beats.take(kept)
    return beats, Ridge().fit(made[_SEED]).predict(beats)


def _found(
    beats: Beats,
    prediction: Prediction,
    *,
    n: int,
    draws: int,
    kind: Kind = "absolute",
    by: Grouping | None = None,
) -> dict[str, np.ndarray]:
    """Return the coverage of each draw of n people: by quantity, by group."""
    names = np.unique(beats.subject)
    found: dict[str, list[float]] = {}
    for draw in range(draws):
        rng = np.random.default_rng([_SEED, n, draw])
        chosen = np.isin(beats.subject, rng.choice(names, n, replace=False))
        learnt = Intervals.learn(
            _taken(prediction, chosen),
            beats.take(chosen),
            kind=kind,
            by=by,
            seed=draw,
        )
        others, said = beats.take(~chosen), _taken(prediction, ~chosen)
        low, high = learnt.of(said, others)
        told = said.replace(low=low, high=high, coverage=learnt.coverage)
        groups = None if by is None else group_of(others, by)
        for quantity in QUANTITIES if by is None else ("sbp",):
            score = coverage(told, others, quantity=quantity, groups=groups)
            found.setdefault(quantity, []).append(score.overall)
            for group in score.groups:
                found.setdefault(group.group, []).append(group.share)
    return {name: np.array(values) for name, values in found.items()}


def _row(what: str, found: np.ndarray, n: int | None) -> Row:
    mean, low = float(found.mean()), float(np.percentile(found, 5))
    figure = f"mean {mean:.1%}, 5th percentile {low:.1%}"
    if n is None:
        return Row(what, figure)
    bar = f"mean {_MEAN[0]:.0%} to {_MEAN[1]:.0%}"
    met = _MEAN[0] <= mean <= _MEAN[1]
    if n in _LOW:
        bar, met = f"{bar}, 5th >= {_LOW[n]:.0%}", met and low >= _LOW[n]
    return Row(what, figure, bar, met)


def _witness(beats: Beats, prediction: Prediction) -> Row:
    """Compare margins with those of crepes on people with one beat each."""
    _, first = np.unique(beats.subject, return_index=True)
    beats, prediction = beats.take(first), _taken(prediction, first)
    learnt = Intervals.learn(prediction, beats)
    low, high = learnt.of(prediction, beats)
    middle, true = answers(prediction), true_pressures(beats)
    apart = 0.0
    for column in range(4):
        other = ConformalRegressor().fit(true[:, column] - middle[:, column])
        ends = other.predict_int(middle[:, column], confidence=0.9)
        ours = np.stack([low[:, column], high[:, column]], axis=1)
        apart = max(apart, float(np.abs(ends - ours).max()))
    what = "ends of intervals beside crepes, one beat a subject (mmHg)"
    return Row(what, f"{apart:.1e} apart", "<= 1e-9", apart <= 1e-9)


def _shift(share: float) -> Iterator[Row]:
    """Yield what intervals of the source hold in the test clinic."""
    model = load_model("bilstm-virtual")
    for calibration in ("exact", "cuff SBP/DBP"):
        beats = target("test", share=share, calibration=calibration)
        said = model.predict(beats)
        parts = []
        for quantity in QUANTITIES:
            f = coverage(said, beats, quantity=quantity)
            parts.append(
                f"{quantity.upper()} {f.overall:.1%} "
                f"[{f.interval.low:.1%}, {f.interval.high:.1%}] ({f.everybody.claim})"
            )
        n = f.everybody.subjects
        what = f"under shift: shipped model's 90 %, test clinic, {calibration}, n = {n}"
        yield Row(what, "; ".join(parts))


def rows(*, share: float = 1.0, data: Path | None = None) -> Iterator[Row]:
    """Yield the figures of coverage.

    Args:
        share: Of the draws.
        data: Not needed.
    """
    del data
    draws = max(20, round(_DRAWS * share))
    beats, prediction = _people(max(1200, round(6000 * share)))
    everybody = len(beats.subjects)
    yield _witness(beats, prediction)
    head = f"coverage at 90 %, {draws} draws of"
    for n in (20, 50, 300):
        found = _found(beats, prediction, n=n, draws=draws)
        for quantity in QUANTITIES:
            who = f"{head} {n} of {everybody} people: {quantity.upper()}"
            yield _row(who, found[quantity], n)
    kinds: tuple[tuple[Kind, int], ...] = (("normalised", draws), ("quantiles", 200))
    for kind, times in kinds:
        times = min(times, draws)
        found = _found(beats, prediction, n=300, draws=times, kind=kind)
        what = f"the same, {kind}, {times} draws of 300, half of them to learn: SBP"
        yield _row(what, found["sbp"], 0)
    found = _found(beats, prediction, n=300, draws=draws, by="age")
    for group in sorted(set(found) - {"sbp"}):
        yield _row(
            f"the same, margins by age, 300 people: SBP, {group}", found[group], 0
        )
    yield from _shift(share)
