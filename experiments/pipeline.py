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
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.errors import ConfigError
from capnet.evaluation import print_evaluation
from capnet.evaluation.statistics.bootstrap import draw_subjects
from capnet.export import export_folder
from capnet.hemodynamics import Clinic, Visit
from capnet.models.central import CentralPressureModel
from capnet.models.checkpoint import save_model
from capnet.records import Beats
from capnet.training.pretrain import pretrain
from capnet.types import Calibration
from experiments import build
from experiments.clinic_road import clinic_road
from experiments.door import console, door, folder, plain
from experiments.judging import judge, said
from experiments.real import real_record
from experiments.results import leave_benchmark, peak_memory
from experiments.stages import observe, people, split_of

_log = logging.getLogger(__name__)


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
    target = build.clinic(plain(cfg.target))
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
    judged = {}
    for c, clinic in clinics.items():
        beats = virtual.beats(c)
        model = virtual.model(beats)
        split = split_of(clinic, plain(cfg.split))
        judged[c] = judge(cfg, beats, model, clinic, split, k=cfg.k)
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
    report = leave_benchmark(
        {c: j.evaluation for c, j in judged.items()},
        out,
        config=plain(cfg),
        notes=notes,
    )
    for j in judged.values():
        print_evaluation(j.evaluation, console)
    return report


@hydra.main(version_base="1.3", config_path="../configs", config_name="pipeline")
@door
def main(cfg: DictConfig) -> None:
    """Walk the whole road."""
    begun = time.monotonic()
    clinic = build.clinic(plain(cfg.source))
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
