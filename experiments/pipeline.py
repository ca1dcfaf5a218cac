"""The main job: virtual people and a real record -> adapted model -> report -> ONNX.

``python experiments/pipeline.py`` pretrains on a virtual source, adapts to a virtual
clinic, and judges everything on held-out people beside the floors.
``python experiments/pipeline.py data=wfdb data.record=<path>`` does the same road with
a real record at its end, whose central pressure nobody knows, and
``python experiments/pipeline.py data=clinic data.root=<folder>`` with somebody's own
clinic (docs/clinic.md). All leave report.html, metrics.json, predictions.parquet,
model.onnx, card.json, the configuration and the log, and print the path of the report
last.
"""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import hydra
from omegaconf import DictConfig

from capnet.data.splits import FewShotSplit
from capnet.errors import ConfigError
from capnet.evaluation import print_evaluation
from capnet.evaluation.audits.leakage import Leakage
from capnet.evaluation.budget import ErrorBudget
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.statistics.bootstrap import draw_subjects
from capnet.export import export_folder
from capnet.hemodynamics import Clinic, Visit
from capnet.models.central import CentralPressureModel
from capnet.models.checkpoint import save_model
from capnet.models.conformal import needed
from capnet.records import Beats
from capnet.training.pretrain import pretrain
from capnet.types import Calibration
from experiments import build
from experiments.beside import aligned, at_home, audited, with_intervals
from experiments.clinic_road import clinic_road
from experiments.domains import check_apart
from experiments.door import console, door, folder, plain
from experiments.judging import Judged, budget, judge, said, worse_cuff
from experiments.real import matching, real_record
from experiments.results import leave_benchmark, peak_memory
from experiments.stages import observe, people, split_of

_log = logging.getLogger(__name__)

_APART: Final = 500_000
"""Added to the source's seed: of people like them, whom nothing is learnt from."""

_HOME: Final = 0.2
"""Share of those on whom intervals are only measured."""

_LEAST_HOME: Final = 5
"""People on whom intervals can be measured."""


@dataclass(frozen=True)
class Source:
    """The virtual source and how to learn from it."""

    clinic: Clinic
    visit: Visit
    cfg: DictConfig

    def beats(self, calibration: Calibration) -> Beats:
        """Observe the source under a calibration."""
        looks = self.cfg.pretraining
        return observe(
            self.clinic,
            self.visit,
            calibration,
            draws=looks.draws,
            radial_every=looks.radial_every,
        )

    def apart(self, calibration: Calibration) -> tuple[Beats, Beats]:
        """Observe further people of the source: those to learn intervals from, others.

        Nothing else is learnt from either. Virtual pressures without error stand for an
        arterial line.
        """
        clinic, visit = self._others
        looks = self.cfg.pretraining
        # Of each site as often as in training, and not more often than that needs.
        draws = min(looks.draws, max(1, looks.radial_every))
        kind = matching(calibration)
        beats = observe(
            clinic, visit, kind, draws=draws, radial_every=looks.radial_every
        ).replace(calibration=calibration)
        first = round((1 - _HOME) * len(beats.subjects))
        return beats.of(beats.subjects[:first]), beats.of(beats.subjects[first:])

    @cached_property
    def _others(self) -> tuple[Clinic, Visit]:
        clinic = _apart(self.clinic, self.cfg)
        return clinic, people(clinic, show=self.cfg.progress)

    def model(self, beats: Beats) -> CentralPressureModel:
        """Pretrain on what was observed."""
        settings = build.pretraining(plain(self.cfg.pretraining.settings))
        begun = time.monotonic()
        model = pretrain(
            beats, settings, seed=self.cfg.seed, progress=self.cfg.progress
        )
        seconds = time.monotonic() - begun
        _log.info("pretrained on %s in %.0f s", beats.calibration, seconds)
        model.info["clinic"] = self.clinic.hash()
        return model


def _apart(clinic: Clinic, cfg: DictConfig) -> Clinic:
    """Return a clinic like the source, of other people.

    Raises:
        ConfigError: If they are too few for intervals of the coverage asked for.
    """
    coverage = cfg.intervals.coverage
    build.check_number(coverage, float, where="intervals.coverage")
    if not 0 < coverage < 1:
        msg = f"intervals.coverage is {coverage}; wanted a share between 0 and 1."
        raise ConfigError(msg)
    # A few of those drawn are no plausible people.
    least = max(needed(coverage) / (1 - _HOME), _LEAST_HOME / _HOME)
    n = build.whole(cfg.intervals.people, least=round(least), where="intervals.people")
    name, seed = f"{clinic.name}-apart", clinic.seed + _APART
    return replace(clinic, name=name, n=n, seed=seed)


def benchmark(cfg: DictConfig, source: Callable[[], Source]) -> Path:
    """Run the road on virtual people, where every error is known.

    Returns:
        Path of the report.
    """
    out = folder()
    if cfg.pretrained is not None:
        msg = (
            f"pretrained is {cfg.pretrained!r}, but virtual people pretrain their own "
            "model; leave it out, or give a record: data=wfdb data.record=<path>."
        )
        raise ConfigError(msg)
    target, own = (build.clinic(plain(c)) for c in (cfg.target, cfg.source))
    check_apart([own, _apart(own, cfg), target])
    chosen = cfg.export.strategy, cfg.export.calibration
    if chosen[0] not in cfg.strategies or chosen[1] not in cfg.calibrations:
        msg = (
            f"export is {chosen}; wanted a strategy among {[*cfg.strategies]} and a "
            f"calibration among {[*cfg.calibrations]}."
        )
        raise ConfigError(msg)
    for settings in plain(cfg.strategies).values():
        build.strategy(settings)
    draw_subjects(1, resamples=cfg.resamples, seed=cfg.seed)  # refuses too few
    visit = people(target, show=cfg.progress)
    clinics = {
        c: observe(target, visit, c, draws=1, radial_every=0) for c in cfg.calibrations
    }
    for clinic in clinics.values():  # refuse an impossible k before an hour's work
        split_of(clinic, plain(cfg.split)).draw(cfg.k, seed=cfg.seed)
    virtual = source()
    judged, judgements = {}, {}
    leakage: Leakage | None = None
    for c, clinic in clinics.items():
        beats = virtual.beats(c)
        model = virtual.model(beats)
        split = split_of(clinic, plain(cfg.split))
        apart, home = virtual.apart(c)
        finished = with_intervals(apart, cfg)
        judged[c] = judge(cfg, beats, model, clinic, split, k=cfg.k, finished=finished)
        test = clinic.of(split.test)
        # Pulses and people are the same under every calibration.
        if leakage is None:
            leakage = audited(beats, clinic, split)
        judgements[c] = judge_evaluation(
            judged[c].evaluation,
            leakage=leakage,
            alignment=aligned(judged[c], beats, test, seed=cfg.seed),
            budget=_budget(judged, clinics, target, split, cfg.export.strategy),
            noise=worse_cuff(cfg, judged[c], test) if c == "exact" else (),
            elsewhere=at_home(judged[c], home),
        )
    best = judged[chosen[1]]
    shown = best.models.get(chosen[0], best.models["source"])
    name = (shown.name, shown.k)
    scores = best.evaluation.score(name)
    metrics = {
        "calibration": chosen[1],
        "reference_type": "simulated",
        "held_out_virtual_subjects": scores.subjects,
        "units": "mmHg; *_r2 without unit; timing_ms in ms",
        "values": dict(scores.values),
    }
    save_model(shown, out / "model")
    export_folder(shown, out, metrics=metrics)
    notes = {
        "source": f"{virtual.clinic.hash()}, {len(virtual.visit)} virtual subjects",
        "target": f"{target.hash()}, {len(visit)} virtual subjects",
        "adaptation": {
            c: {n: said(m) for n, m in j.models.items() if "adaptation" in m.info}
            for c, j in judged.items()
        },
    }
    report = leave_benchmark(judgements, out, config=plain(cfg), notes=notes)
    for j in judged.values():
        print_evaluation(j.evaluation, console)
    return report


def _budget(
    judged: Mapping[Calibration, Judged],
    clinics: Mapping[Calibration, Beats],
    target: Clinic,
    split: FewShotSplit,
    strategy: str,
) -> ErrorBudget | None:
    """Split the error under a cuff, once both calibrations were judged."""
    if [*judged][-1] != "cuff SBP/DBP":
        return None
    shown = judged["cuff SBP/DBP"].models
    model = shown.get(strategy, shown["source"])
    return budget(judged, clinics, target, split, (model.name, model.k))


@hydra.main(version_base="1.3", config_path="../configs", config_name="pipeline")
@door
def main(cfg: DictConfig) -> None:
    """Walk the whole road."""
    begun = time.monotonic()
    clinic = build.clinic(plain(cfg.source))
    _apart(clinic, cfg)  # refuses what would fail after an hour's work
    build.pretraining(plain(cfg.pretraining.settings))
    source = partial(_simulated, clinic, cfg)
    roads = {"virtual": benchmark, "wfdb": real_record, "clinic": clinic_road}
    if cfg.data.kind not in roads:
        msg = f"data.kind is {cfg.data.kind!r}; wanted one of {', '.join(roads)}."
        raise ConfigError(msg)
    report = roads[cfg.data.kind](cfg, source)
    seconds = time.monotonic() - begun
    _log.info("done in %.0f s, peak %.2f GiB", seconds, peak_memory())
    print(report)


def _simulated(clinic: Clinic, cfg: DictConfig) -> Source:
    return Source(clinic, people(clinic, show=cfg.progress), cfg)


if __name__ == "__main__":
    main()
