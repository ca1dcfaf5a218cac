"""The contest of the frozen benchmark: floors on every domain, bars, and limits."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import pandas as pd

from capnet.evaluation import Evaluation, Paired, evaluate
from capnet.models.central import CentralPressureModel
from capnet.models.classical import (
    OLS,
    FittedGTF,
    PeripheralMinusConstant,
    PublishedGTF,
    Ridge,
    RidgeAffine,
    RidgeRefit,
    RidgeShrunk,
)
from capnet.models.estimator import Adaptable, Estimator
from capnet.models.forest import RandomForest
from capnet.models.inputs import ALONE, SCALARS
from capnet.models.limit import CuffLimit, cuff_limit
from capnet.models.posterior import CuffPosterior, cuff_error
from capnet.models.svr import SVR
from capnet.prediction import Prediction
from capnet.types import Calibration
from experiments.domains import Source, Target
from experiments.stages import check_unseen

__all__ = [
    "Bar",
    "Judged",
    "bars",
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
            that has seen k labels stand the floors of the first draws of up to k.
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
        home = evaluate(
            [*(f.predict(held) for f in fitted), *(m.predict(held) for m in deep)],
            held,
            resamples=resamples,
            seed=seed,
        )
        _log.info("calibration %s: %d floors fitted", c, len(fitted))
        for target in targets:
            test = target.test(c)
            for model in deep:
                check_unseen(model, test)
            rows = [floor.predict(test) for floor in fitted]
            rows += [*_all_labels(target, c), *(m.predict(test) for m in deep)]
            corrected = [*_few(source, target, c)]
            # A model that was given labels meets floors that were given as many.
            most = max((m.k for m in deep), default=0)
            rows += [p for p in corrected if p.k <= most and p.method.endswith(_FIRST)]
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
        Ridge(),
        SVR(),
        RandomForest(),
        *_without_ppg(),
        *(kind(ALONE) for kind in (Ridge, SVR, RandomForest)),
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
    for floor in [*floors, CuffPosterior()]:
        yield floor.fit(beats).predict(test).replace(k=len(beats.subjects))


def _ablations(
    keys: Sequence[tuple[str, int]],
) -> Iterator[tuple[tuple[str, int], tuple[str, int]]]:
    """Yield each method that looks at the PPG beside itself without it."""
    for method, k in keys:
        bare = (f"{method} ({SCALARS})", k)
        if bare in keys:
            yield (method, k), bare


def _few(
    source: Source, target: Target, calibration: Calibration
) -> Iterator[Prediction]:
    """Yield the correctable floors on each draw of labels."""
    ridge = Ridge().fit(source.train[calibration])
    beats, test = target.beats[calibration], target.test(calibration)
    for drawn in target.draws:
        labels = beats.of(drawn.subjects)
        floors: list[Adaptable] = [RidgeAffine(ridge)]
        if drawn.k > 1:  # a penalty cannot be chosen on one person
            floors += [RidgeShrunk(ridge), RidgeRefit(ridge)]
        found = [floor.adapt(labels).predict(test) for floor in floors]
        local = PeripheralMinusConstant().fit(labels).predict(test)
        found.append(local.replace(method=f"{local.method}, refitted"))
        for p in found:
            name = f"{p.method}{_DRAW}{drawn.draw}"
            yield p.replace(method=name, k=drawn.k)


_DRAW: Final = ", draw "
_FIRST: Final = f"{_DRAW}0"


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
