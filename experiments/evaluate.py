"""Judge models on held-out people of a clinic, beside the floors.

``python experiments/evaluate.py models=[<folder>] source_beats=<npz>
target_beats=<npz>`` leaves metrics.json, predictions.parquet and report.html.
"""

from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.data.stores.table import load_beats
from capnet.errors import ConfigError
from capnet.evaluation import evaluate, print_evaluation
from capnet.models.zoo import load_model
from experiments.door import console, door, folder, plain
from experiments.results import leave_benchmark, sha256
from experiments.stages import check_unseen, floors, shots_of, shuffled, split_of


@hydra.main(version_base="1.3", config_path="../configs", config_name="evaluate")
@door
def main(cfg: DictConfig) -> None:
    """Predict with models and floors, evaluate, report."""
    chosen = plain(cfg)["models"]
    if not isinstance(chosen, list) or not chosen:
        msg = f"models is {chosen!r}; wanted a list of one or more: models=[path]."
        raise ConfigError(msg)
    models = [load_model(name_or_path) for name_or_path in chosen]
    source = load_beats(Path(cfg.source_beats))
    target = load_beats(Path(cfg.target_beats))
    split = split_of(target, plain(cfg.split))
    test = target.of(split.test)
    shots = shots_of(source, target, split, k=cfg.k, seed=cfg.seed)
    for model in models:
        check_unseen(model, test)
    rows = [
        *floors(source, test, shots),
        *(model.predict(test) for model in models),
        *shuffled(models[:1], test, seed=cfg.seed),
    ]
    evaluation = evaluate(rows, test, resamples=cfg.resamples, seed=cfg.seed)
    files = {"source_beats": cfg.source_beats, "target_beats": cfg.target_beats}
    notes = {f"{name}_sha256": sha256(Path(path)) for name, path in files.items()}
    report = leave_benchmark(
        {str(test.calibration): evaluation}, folder(), config=plain(cfg), notes=notes
    )
    print_evaluation(evaluation, console)
    print(report)


if __name__ == "__main__":
    main()
