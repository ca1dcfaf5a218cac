"""What stands beside the scores of a run: intervals, domains, audits."""

from typing import Final

import numpy as np
import torch
from omegaconf import DictConfig

from capnet.adaptation.prior import prior_weights
from capnet.data.splits import FewShotSplit
from capnet.evaluation.alignment import DomainAlignment, domain_alignment
from capnet.evaluation.audits.circular import Circularity, circularity
from capnet.evaluation.audits.leakage import Leakage, audit_leakage
from capnet.evaluation.cases.shown import shown_row
from capnet.evaluation.uncertainty.coverage import Coverage, coverage
from capnet.models.central import BeatTensors, CentralPressureModel
from capnet.models.estimator import answerable
from capnet.models.uncertainty import calibrate_intervals, learn_doubt
from capnet.records import Beats
from experiments.judging import Finish, Judged

__all__ = [
    "aligned",
    "at_home",
    "audited",
    "first_beats",
    "reproduced",
    "with_intervals",
]

_SHOWN: Final = 300
"""People of each domain, at most, between whom the MMD is taken."""

_ADAPTED: Final = ("mmd_lora", "lora")
"""Strategies that change features, the one that aligns them first."""

_PERIPHERAL: Final = ("abp", "radial")
"""Peripheral pressure waves, the first that is there."""

_ASKED: Final = 5
"""People of whom it can be asked whether a filter makes their reference."""

_DOUBTED: Final = 50
"""People from whom a doubt can be learnt; with fewer none is answered."""

_PEOPLE: Final = (
    "Target: the held-out people, inputs alone. Source: as many of the virtual people "
    "learnt from, drawn by how much they resemble the target in heart rate, age and "
    "cuff, as the adaptation weights them (weights worth {effective:.0f} people). One "
    "beat of each."
)


def with_intervals(apart: Beats, cfg: DictConfig) -> Finish:
    """Return what gives a model intervals, and a doubt where enough people are there.

    Args:
        apart: People whom nothing was learnt from.
        cfg: ``intervals.coverage`` and ``seed``, of the drawn beats.
    """
    people = len(np.unique(apart.subject[answerable(apart)]))

    def finished(model: CentralPressureModel) -> CentralPressureModel:
        found: CentralPressureModel = calibrate_intervals(
            model, apart, coverage=cfg.intervals.coverage, seed=cfg.seed
        )
        return learn_doubt(found, apart) if people >= _DOUBTED else found

    return finished


def at_home(judged: Judged, home: Beats) -> dict[str, Coverage]:
    """Measure the intervals of the best deep row among people of the source.

    Beside their coverage in the target this tells what the shift costs.

    Args:
        judged: With the models.
        home: People of the source whom nothing was learnt from.

    Returns:
        Coverage by who they are; empty where that row's model was not kept.
    """
    evaluation = judged.evaluation
    row = shown_row(evaluation.predictions, evaluation.reference)
    kept = {(m.name, m.k): m for m in judged.models.values()}
    model = kept.get((row.method, row.k))
    if model is None:
        return {}
    return {
        "virtual people like those learnt from": coverage(model.predict(home), home)
    }


def first_beats(beats: Beats) -> Beats:
    """Return the first beat of each subject that a network can eat."""
    beats = beats.take(answerable(beats))
    _, first = np.unique(beats.subject, return_index=True)
    return beats.take(np.sort(first))


def aligned(
    judged: Judged, source: Beats, target: Beats, *, seed: int
) -> DomainAlignment | None:
    """Compare both domains in the features of a network before and after adaptation.

    Args:
        judged: With the models; the adapted one is the first that aligns features.
        source: Virtual people that were learnt from.
        target: Of whom no label is read.
        seed: Of who is drawn, and of the exchanges of labels.

    Returns:
        None where nothing was adapted, or a domain has fewer than two people who can
        be asked.
    """
    adapted = [judged.models[n] for n in _ADAPTED if n in judged.models]
    if not adapted:
        return None
    before, after = judged.models["source"], adapted[0]
    source, target = first_beats(source), first_beats(target)
    if min(len(source), len(target)) < 2:
        return None
    rng = np.random.default_rng(seed)
    n = min(_SHOWN, len(source), len(target))
    target = target.take(np.sort(rng.choice(len(target), n, replace=False)))
    weights = prior_weights(source, target)
    likely = np.log(weights.values + np.finfo(float).tiny)
    # The largest of log weight + Gumbel noise: a weighted draw without replacement.
    order = np.argsort(-(likely + rng.gumbel(size=len(source))))
    source = source.take(np.sort(order[:n]))
    return domain_alignment(
        (_features(before, source), _features(before, target)),
        (_features(after, source), _features(after, target)),
        names=(before.name, f"{after.name}, k = {after.k}"),
        people=_PEOPLE.format(effective=weights.effective),
        seed=seed,
    )


@torch.no_grad()
def _features(model: CentralPressureModel, beats: Beats) -> np.ndarray:
    """Return what domains are aligned on, one row a beat."""
    eaten = BeatTensors.of(beats)
    model.eval()
    return model.net.features(eaten.ppg, eaten.covariates)[1].double().numpy()


def audited(source: Beats, clinic: Beats, split: FewShotSplit) -> Leakage:
    """Look for people and beats that are both learnt from and judged on.

    Args:
        source: Virtual people that were learnt from.
        clinic: The target.
        split: Who of the target is used for what.
    """
    seen = clinic.of(np.concatenate([split.pool, split.unlabelled]))
    learnt = Beats.concatenate([_unlabelled(source), _unlabelled(seen)])
    return audit_leakage(learnt, _unlabelled(clinic.of(split.test)))


def reproduced(beats: Beats) -> Circularity | None:
    """Ask whether a filter of a peripheral wave gives the reference.

    Args:
        beats: With a reference.

    Returns:
        None where no peripheral pressure was recorded beside it, or of too few people.
    """
    for name in _PERIPHERAL:
        wave = beats.waves.get(name)
        if wave is None or beats.reference is None:
            continue
        both = np.isfinite(wave).all(axis=1) & np.isfinite(beats.reference).all(axis=1)
        rows = both & beats.accepted
        if len(np.unique(beats.subject[rows])) < _ASKED:
            continue
        return circularity(
            wave[rows], beats.reference[rows], subject=beats.subject[rows]
        )
    return None


def _unlabelled(beats: Beats) -> Beats:
    """Return beats without their truth, so that kinds of reference do not mix."""
    return beats.replace(calibration="none", reference=None, reference_type="none")
