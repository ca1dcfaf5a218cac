"""The contest of the frozen benchmark: floors on every domain, bars, and limits."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from capnet.data.splits import fingerprints
from capnet.evaluation import Evaluation, Paired, evaluate
from capnet.models.central import CentralPressureModel
from capnet.models.classical import (
    OLS,
    FittedGTF,
    MovingAverage,
    PeripheralMinusConstant,
    PublishedGTF,
    Ridge,
)
from capnet.models.estimator import Estimator, seen_by
from capnet.models.forest import RandomForest
from capnet.models.inputs import ALONE, SCALARS
from capnet.models.last_cuff import LastCuff
from capnet.models.limit import CuffLimit, cuff_limit
from capnet.models.mean import Mean
from capnet.models.posterior import CuffPosterior, cuff_error
from capnet.models.shuffled_labels import ShuffledLabels
from capnet.models.svr import SVR
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.types import Calibration
from experiments.domains import Source, Target
from experiments.stages import check_unseen, with_labels

__all__ = [
    "Bar",
    "Judged",
    "bars",
    "by_draw",
    "by_labels",
    "contest",
    "limit",
]

_RADIAL: Final = "radial"
"""The wave of an arterial line, in true mmHg."""
_RATIO: Final = 2.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Judged:
    """What one calibration gave on one target.

    Attributes:
        home: The floors on held-out people of the source.
        away: The same floors, and those with labels of the target, on its test.
        few: Floors that a few labels correct, one row a draw, on the target's test.
    """

    home: Evaluation
    away: Evaluation
    few: Evaluation


class Bar(NamedTuple):
    """One line of what must hold.

    Attributes:
        what: In words.
        figure: In numbers.
        passed: Whether it holds.
    """

    what: str
    figure: str
    passed: bool


def contest(
    source: Source,
    targets: Sequence[Target],
    calibrations: Sequence[Calibration],
    models: Sequence[CentralPressureModel],
    *,
    resamples: int,
    seed: int,
) -> dict[tuple[str, Calibration], Judged]:
    """Fit the floors on the source once a calibration and judge them everywhere.

    Args:
        source: Where they learn.
        targets: Where they are judged.
        calibrations: Each on its own.
        models: Further models, judged where their calibration is the same. Beside one
            that has seen labels stand floors that were given the same ones (those of
            the first draw of as many, where a model does not say whose it saw).
        resamples: Of the subject bootstrap.
        seed: Of the subject bootstrap.

    Returns:
        By name of the target and calibration.
    """
    found = {}
    for c in calibrations:
        fitted = [floor.fit(source.train[c]) for floor in _floors(c)]
        deep = [m for m in models if m.info.get("calibration", c) == c]
        held = source.held_out[c]
        ridge = _ridge_of(fitted)
        told = [*_same_labels(ridge, deep, targets, c)]
        home = evaluate(
            [
                *(f.predict(held) for f in [*fitted, *told]),
                *(m.predict(held) for m in deep),
            ],
            held,
            resamples=resamples,
            seed=seed,
        )
        _log.info("calibration %s: %d floors fitted", c, len(fitted))
        for target in targets:
            test = target.test(c)
            for model in deep:
                check_unseen(model, test)
            rows = [floor.predict(test) for floor in [*fitted, *told]]
            rows += [*_all_labels(target, c), *(m.predict(test) for m in deep)]
            corrected = [*_few(ridge, target, c)]
            keys = [(p.method, p.k) for p in rows]
            away = evaluate(
                rows,
                test,
                resamples=resamples,
                seed=seed,
                compare=[*_ablations(keys)],
            )
            few = evaluate(corrected, test, resamples=100, seed=seed)
            found[target.clinic.name, c] = Judged(home, away, few)
            _log.info("calibration %s, clinic %s: judged", c, target.clinic.name)
    return found


def _floors(calibration: Calibration) -> list[Estimator]:
    """Return the floors; an arterial line needs no cuff, so it is judged once."""
    cuffed: list[Estimator] = [
        PeripheralMinusConstant(),
        CuffPosterior(),
        OLS(),
        PublishedGTF("brachial"),
        FittedGTF(),
        MovingAverage("brachial"),
        Ridge(),
        SVR(),
        RandomForest(),
        *_without_ppg(),
        *(kind(ALONE) for kind in (Ridge, SVR, RandomForest)),
        Mean(),
        LastCuff(),
        ShuffledLabels(Ridge()),
    ]
    if calibration != "exact":
        return cuffed
    line: list[Estimator] = [
        PublishedGTF("radial", _RADIAL),
        *(kind(_RADIAL) for kind in (FittedGTF, Ridge, SVR, RandomForest)),
    ]
    return [*line, *cuffed]


def _without_ppg() -> list[Estimator]:
    return [Ridge(SCALARS), SVR(SCALARS)]


def _all_labels(target: Target, calibration: Calibration) -> Iterator[Prediction]:
    """Yield what linear floors reach with the labels of all who are not held out.

    Their k is the number of people asked for a label, as that of a draw is; the gate
    refuses a few of them.
    """
    beats, test = target.everybody_else(calibration), target.test(calibration)
    sources = ["ppg", SCALARS, *([_RADIAL] if calibration == "exact" else [])]
    floors: list[Estimator] = [Ridge(s) for s in sources]
    seen = seen_by(beats.subjects)
    for floor in [*floors, CuffPosterior()]:
        said = floor.fit(beats).predict(test)
        yield said.replace(k=len(beats.subjects), seen=seen)


def _ablations(
    keys: Sequence[tuple[str, int]],
) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Yield each method that looks at the PPG beside itself without it."""
    for method, k in keys:
        bare = (f"{method} ({SCALARS})", k)
        if bare in keys:
            yield (method, k), bare


def _ridge_of(fitted: Sequence[Estimator]) -> Ridge:
    """Return the ridge of the PPG among fitted floors."""
    usual = Ridge().name
    return next(f for f in fitted if isinstance(f, Ridge) and f.name == usual)


def _same_labels(
    ridge: Ridge,
    models: Sequence[CentralPressureModel],
    targets: Sequence[Target],
    calibration: Calibration,
) -> Iterator[Estimator]:
    """Yield floors that were given the labels that models were given, once each."""
    done = set()
    for model in models:
        whose = model.info.get("adaptation", {}).get("labels", "")
        labels = _labels_of(model, targets, calibration) if model.k else None
        if labels is None or (model.k, whose) in done:
            continue  # of a missing one the judge says what it wants
        done.add((model.k, whose))
        seen = whose or seen_by(labels.subjects)
        for floor in with_labels(ridge, labels, k=model.k, seen=seen):
            floor.name = f"{floor.name}, labels {seen}"
            yield floor


def _labels_of(
    model: CentralPressureModel, targets: Sequence[Target], calibration: Calibration
) -> Beats | None:
    """Return the beats of those who gave a model labels, found by their fingerprints.

    Where the model does not say who they were: the first draw of as many people.
    """
    wanted = model.info.get("adaptation", {}).get("labelled")
    for target in targets:
        beats = target.beats[calibration]
        if wanted is None:
            drawn = [d for d in target.draws if (d.k, d.draw) == (model.k, 0)]
            people = drawn[0].subjects if drawn else beats.subjects[:0]
        else:
            people = beats.subjects[np.isin(fingerprints(beats.subjects), wanted)]
        if len(people):
            return beats.of(people)
    return None


def _few(
    ridge: Ridge, target: Target, calibration: Calibration
) -> Iterator[Prediction]:
    """Yield the correctable floors on each draw of labels."""
    beats, test = target.beats[calibration], target.test(calibration)
    for drawn in target.draws:
        labels, seen = beats.of(drawn.subjects), seen_by(drawn.subjects)
        for floor in with_labels(ridge, labels, k=drawn.k, seen=seen):
            floor.name = f"{floor.name}{_DRAW}{drawn.draw}"
            yield floor.predict(test)


_DRAW: Final = ", draw "


def by_labels(few: Evaluation) -> pd.DataFrame:
    """Average the draws: one row a method and k.

    Columns ``<statistic>`` are means over draws, ``<statistic>_sd`` their spread (NaN
    with one draw); NaN where the method does not answer.
    """
    table = few.table
    table["method"] = table["method"].str.rsplit(_DRAW, n=1).str[0]
    each = table.groupby(["method", "k"], sort=False)[[*_SHOWN]]
    mean, spread = each.mean(), each.std()
    found = mean.join(spread, rsuffix="_sd").reset_index()
    found.insert(2, "draws", each.size().to_numpy())
    return found


def by_draw(few: Evaluation, *, resamples: int) -> list[Evaluation]:
    """Judge each draw of labels as a repeat of the same study.

    Args:
        few: One row a method, k and draw.
        resamples: Of the subject bootstrap.

    Returns:
        One evaluation a draw, of the same methods and people.
    """
    rows: dict[str, list[Prediction]] = {}
    for row in few.predictions:
        method, draw = row.method.rsplit(_DRAW, maxsplit=1)
        rows.setdefault(draw, []).append(row.replace(method=method))
    return [
        evaluate(each, few.reference, resamples=resamples, seed=few.seed)
        for each in rows.values()
    ]


_SHOWN: Final = ("wave_rmse", "sbp_rmse", "amplification_r2")


def limit(target: Target, calibration: Calibration) -> CuffLimit:
    """Return what a reading of a target's cuff leaves open of central SBP.

    Learnt on all who are not held out, told on those who are.

    Args:
        target: The clinic.
        calibration: ``exact`` has no cuff error.
    """
    error = np.zeros((2, 2))
    if calibration != "exact":
        _, error = cuff_error(target.clinic.cuff)
    return cuff_limit(target.everybody_else("exact"), target.test("exact"), error)


def bars(judged: Judged) -> list[Bar]:
    """Say whether the task is worth having, on exact calibration."""
    line = f"{Ridge().name} ({_RADIAL})"
    found = []
    for metric, name in (("wave_rmse", "wave RMSE"), ("sbp_rmse", "SBP RMSE")):
        home = judged.home.score((line, 0)).values[metric] or np.nan
        away = judged.away.score((line, 0)).values[metric] or np.nan
        ratio = away / home
        found.append(
            Bar(
                f"true radial wave, source-fitted ridge, {name}: under shift at least "
                f"{_RATIO:g} times as bad as in-domain",
                f"{away:.2f} / {home:.2f} mmHg = {ratio:.2f}",
                bool(ratio >= _RATIO),
            )
        )
    found += [
        _adds(p)
        for p in judged.away.comparisons
        if p.metric == "sbp_rmse" and p.method_a[0] == Ridge().name
    ]
    return found


def _adds(paired: Paired) -> Bar:
    who = f"ridge with {paired.method_a[1]} target labels"
    who = who if paired.method_a[1] else "source-fitted ridge"
    span = "no interval"
    if paired.interval is not None:
        span = f"[{paired.interval.low:+.2f}, {paired.interval.high:+.2f}]"
    return Bar(
        f"the PPG adds to an exact cuff, {who}, SBP RMSE: interval below 0",
        f"{paired.a:.2f} - {paired.b:.2f} = {paired.difference:+.2f} {span} mmHg",
        paired.outcome == "won",
    )
