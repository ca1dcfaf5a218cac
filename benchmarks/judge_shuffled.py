"""Shuffled labels on the frozen test clinic: nothing may be left but the cuff.

Estimators are fitted on the frozen virtual source with the labels of other people and
asked about the held-out people of the test clinic, under each calibration. They stand
beside the best row that looks at the cuff alone, and beside the cuff posterior. That
one shrinks a noisy reading towards the people of the source; where those of the clinic
are others, whatever leans less on them can be better without knowing anything of a
pulse, and the second row then misses the bar. The network is a small one: with true
labels it has to learn something, with those of others nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from judge_clinics import clinic, target
from judge_table import Row

from capnet.evaluation import Evaluation, evaluate
from capnet.models.classical import OLS, PeripheralMinusConstant, Ridge
from capnet.models.estimator import Estimator
from capnet.models.last_cuff import LastCuff
from capnet.models.mean import Mean
from capnet.models.posterior import CuffPosterior
from capnet.models.shuffled_labels import ShuffledLabels, exchanged_labels
from capnet.models.svr import SVR
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.training.pretrain import Pretraining, pretrain
from capnet.types import Calibration

_CALIBRATIONS: Final[tuple[Calibration, ...]] = ("exact", "cuff SBP/DBP")
_SEEDS: Final = 10
_SMALL: Final = Pretraining(hidden=16, head=24, epochs=6, batch=64)


def rows(*, share: float, data: Path | None) -> Iterator[Row]:
    """Yield the figures of shuffled labels; nothing is read from disk.

    Args:
        share: Of people and of exchanges.
        data: Not needed.
    """
    del data
    seeds = range(max(1, round(_SEEDS * share)))
    people = clinic("source")
    learnt = replace(people, n=max(300, round(people.n * share)))
    visit = learnt.simulate()
    for c in _CALIBRATIONS:
        source = learnt.observe(visit, calibration=c, cuff_site="brachial", draw=0)
        test = target("test", share=share, calibration=c)
        yield from _linear(source, test, seeds)
        yield from _network(source, test)


def _linear(source: Beats, test: Beats, seeds: Sequence[int]) -> Iterator[Row]:
    """Yield what is left of the ridge, the SVR and the scalars, over exchanges."""
    floors = _cuff_alone(source, test)
    for kind in (Ridge, SVR, OLS):
        said = [_shuffled(kind(), source, seed).predict(test) for seed in seeds]
        said = [p.replace(method=f"exchange {i}") for i, p in enumerate(said)]
        found = evaluate([*floors, *said], test, resamples=1000)
        yield from _compared(found, kind().name, [p.method for p in said])


def _shuffled(estimator: Estimator, source: Beats, seed: int) -> Estimator:
    return ShuffledLabels(estimator, seed=seed).fit(source)


def _network(source: Beats, test: Beats) -> Iterator[Row]:
    """Yield what is left of a small network, and that it learns from true labels."""
    floors = _cuff_alone(source, test)
    settings = _SMALL
    own, other = (
        pretrain(beats, settings, seed=0, progress=False)
        for beats in (source.usable(), exchanged_labels(source, seed=0))
    )
    said = [
        own.predict(test).replace(method="true labels", role="control"),
        other.predict(test).replace(method="exchange 0", role="control"),
    ]
    found = evaluate([*floors, *said], test, resamples=1000)
    pair = found.paired("true labels", "exchange 0")
    ends = "no interval" if pair.interval is None else _ends(*pair.interval)
    yield Row(
        f"small Bi-LSTM, {found.calibration}: true labels less shuffled ones, SBP RMSE",
        f"{pair.a:.2f} - {pair.b:.2f} = {pair.difference:+.2f} {ends} mmHg",
        "interval below 0",
        pair.outcome == "won",
    )
    yield from _compared(found, "small Bi-LSTM", ["exchange 0"])


def _cuff_alone(source: Beats, test: Beats) -> list[Prediction]:
    floors: list[Estimator] = [
        LastCuff(),
        PeripheralMinusConstant(),
        CuffPosterior(),
        Mean(),
    ]
    return [floor.fit(source).predict(test) for floor in floors]


def _compared(found: Evaluation, name: str, methods: Sequence[str]) -> Iterator[Row]:
    """Yield the worst of the exchanges: against the cuff, and of the amplification."""
    cuff = [p for p in found.predictions if p.inputs == ("cuff",)]
    errors = {p.method: found.score(p.method).values["sbp_rmse"] or 0.0 for p in cuff}
    best = min(errors, key=lambda method: errors[method])
    where = f"{name}, labels shuffled, {found.calibration}, {len(methods)} exchanges"
    for floor in dict.fromkeys((best, "cuff posterior")):
        pairs = [found.paired(method, floor) for method in methods]
        least = min(pairs, key=lambda p: p.difference)
        ends = "no interval" if least.interval is None else _ends(*least.interval)
        better = sum(p.outcome == "won" for p in pairs)
        yield Row(
            f"{where}: SBP RMSE less that of {floor!r}, the least",
            f"{least.a:.2f} - {least.b:.2f} = {least.difference:+.2f} {ends} mmHg; "
            f"better in {better}",
            "not better than the best row of the cuff alone"
            if floor == best
            else "not better than this row of the cuff",
            better == 0,
        )
    r2 = [found.score(m).values["amplification_r2"] for m in methods]
    most = float(np.max([np.nan if v is None else v for v in r2]))
    yield Row(
        f"{where}: amplification R2, the largest", f"{most:.2f}", "<= 0", most <= 0
    )


def _ends(low: float, high: float) -> str:
    return f"[{low:+.2f}, {high:+.2f}]"
