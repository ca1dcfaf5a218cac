"""Adapt a pretrained model to k labelled people of a target clinic, and judge it.

``python experiments/adapt.py -m strategy=affine,lora,mmd_lora k=5,10,20 seed=0,1,2``
reproduces a table; ``experiments/repeats.py`` averages its runs over the seeds. Every
run leaves model/, split.json, and what every judged run leaves (report.html,
metrics.json, predictions.parquet, truth.parquet ...). Without paths, source, target and
model are made once and kept in ``cache``, by the hash of what they follow from.
"""

import hashlib
import json
from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.data.stores.table import load_beats, save_beats
from capnet.errors import ConfigError
from capnet.evaluation import evaluate, print_evaluation
from capnet.models.checkpoint import save_model
from capnet.models.zoo import load_model
from capnet.training.pretrain import pretrain
from experiments import build
from experiments.door import console, door, folder, plain
from experiments.judging import said
from experiments.results import leave_benchmark, save_json
from experiments.stages import (
    adapted,
    check_unseen,
    floors,
    observe,
    people,
    shots_of,
    split_of,
)


def prepared(cfg: DictConfig) -> tuple[Path, Path, Path]:
    """Return model, source and target: as given, or made once and kept.

    Raises:
        ConfigError: If some of the paths are given and others are not.
    """
    given = (cfg.model, cfg.source_beats, cfg.target_beats)
    if all(path is not None for path in given):
        return Path(cfg.model), Path(cfg.source_beats), Path(cfg.target_beats)
    if any(path is not None for path in given):
        msg = (
            f"model, source_beats, target_beats are {given}; give all three (what "
            "observe.py and pretrain.py left) or none."
        )
        raise ConfigError(msg)
    source, target = (build.clinic(plain(c)) for c in (cfg.source, cfg.target))
    settings = plain(cfg.pretraining)
    content = [source.hash(), target.hash(), settings, cfg.calibration, cfg.seed]
    key = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
    home = Path(cfg.cache) / key
    paths = home / "model", home / "source.npz", home / "target.npz"
    if not (paths[0] / "model.json").exists():
        looks = {"draws": settings["draws"], "radial_every": settings["radial_every"]}
        seen = people(source, show=cfg.progress)
        beats = observe(source, seen, cfg.calibration, **looks)
        save_beats(beats, paths[1])
        met = people(target, show=cfg.progress)
        clinic = observe(target, met, cfg.calibration, draws=1, radial_every=0)
        save_beats(clinic, paths[2])
        chosen = build.pretraining(settings["settings"])
        model = pretrain(beats, chosen, seed=cfg.seed, progress=cfg.progress)
        # Last: a folder without a model is not finished and made again.
        save_model(model, paths[0])
    return paths


@hydra.main(version_base="1.3", config_path="../configs", config_name="adapt")
@door
def main(cfg: DictConfig) -> None:
    """Adapt, predict on held-out people, judge."""
    kind = plain(cfg.strategy)
    build.strategy(kind)
    model_path, source_path, target_path = prepared(cfg)
    model = load_model(model_path)
    source, target = load_beats(source_path), load_beats(target_path)
    split = split_of(target, plain(cfg.split))
    shots = shots_of(source, target, split, k=cfg.k, seed=cfg.seed)
    test = target.of(split.test)
    check_unseen(model, test)
    models = adapted(model, shots, {kind["kind"]: kind}, seed=cfg.seed)
    if not models:
        msg = f"strategy {kind['kind']!r} needs labels: k is {cfg.k}, wanted k >= 1."
        raise ConfigError(msg)
    rows = [model.predict(test), *(m.predict(test) for m in models.values())]
    evaluation = evaluate(
        [*floors(source, test, shots), *rows],
        test,
        resamples=cfg.resamples,
        seed=cfg.seed,
    )
    out = folder()
    groups = {"pool": split.pool, "unlabelled": split.unlabelled, "test": split.test}
    who = {name: sorted(map(str, subjects)) for name, subjects in groups.items()}
    who["labelled"] = [] if shots.labelled is None else sorted(shots.labelled.subjects)
    save_json(who, out / "split.json")
    left = save_model(models[kind["kind"]], out / "model")
    leave_benchmark(
        {test.calibration: evaluation},
        out,
        config=plain(cfg),
        notes={"adaptation": {name: said(m) for name, m in models.items()}},
        inputs={
            "model": model_path,
            "source_beats": source_path,
            "target_beats": target_path,
        },
    )
    print_evaluation(evaluation, console)
    print(left)


if __name__ == "__main__":
    main()
