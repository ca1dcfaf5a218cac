r"""Teach a model to say how sure it is: a doubt and intervals beside each answer.

``python experiments/uncertainty.py model=bilstm-virtual`` simulates two groups of
virtual people whom no training has met, learns a doubt from the errors on the first and
calibrates intervals on the second, for each calibration, and leaves model/ (the same
weights, and uncertainty.json) in the folder of the run. What the model that comes with
the package says of itself is made by

    python experiments/uncertainty.py model=bilstm-virtual \
        out=capnet/models/weights/bilstm-virtual

which leaves its weights as they are.
"""

import shutil
from pathlib import Path

import hydra
import numpy as np
from omegaconf import DictConfig

from capnet.evaluation.uncertainty.coverage import coverage
from capnet.models.checkpoint import save_model
from capnet.models.uncertainty import calibrate_intervals, learn_doubt
from capnet.models.zoo import load_model, shelf_of
from experiments import build
from experiments.door import console, door, folder, plain
from experiments.stages import cuff_sites, observe, people


@hydra.main(version_base="1.3", config_path="../configs", config_name="uncertainty")
@door
def main(cfg: DictConfig) -> None:
    """Learn a doubt, calibrate intervals, save the model with both."""
    looks = {"draws": cfg.draws, "radial_every": cfg.radial_every}
    cuff_sites(**looks)  # refuses before people are simulated
    asked = build.calibrations(plain(cfg.calibrations))
    model = load_model(cfg.model)
    learning, calibrating = (build.clinic(plain(cfg[n])) for n in ("doubt", "interval"))
    visit = people(learning, show=cfg.progress)
    model = learn_doubt(model, observe(learning, visit, cfg.doubt_from, **looks))
    visit = people(calibrating, show=cfg.progress)
    for calibration in asked:
        beats = observe(calibrating, visit, calibration, **looks)
        model = calibrate_intervals(
            model,
            beats,
            coverage=cfg.coverage,
            kind=cfg.kind,
            by=cfg.by,
            seed=cfg.seed,
        )
        sites = np.asarray(beats.cuff_site)
        console.print(f"{calibration}: {model.uncertainty.found(beats)}")
        console.print("on the people calibrated with, so not a test:")
        console.print(str(coverage(model.predict(beats), beats, groups=sites)))
    home = Path(cfg.out) if cfg.out is not None else folder() / "model"
    save_model(model, home)
    with shelf_of(cfg.model) as shelf:
        card, kept = shelf / "card.json", home / "card.json"
        if card.is_file() and not kept.exists():
            shutil.copyfile(card, kept)
    print(home)


if __name__ == "__main__":
    main()
