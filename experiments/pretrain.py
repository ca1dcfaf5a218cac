r"""Pretrain a Bi-LSTM on virtual people.

``python experiments/pretrain.py beats=<folder of observe.py>/beats_exact.npz`` leaves
model/ (weights, configuration, card) in the folder of the run. With
``augmentation=clinic`` (or wrist) the beats go through another sensor and cuff first;
what was drawn is kept in augmentation.npz. The held-out people are augmented too: they
are seen as the model will be used, and the figure on them is not comparable with that
of another augmentation. The model that comes
with the package is made by

    python experiments/observe.py hydra.run.dir=outputs/shipped
    python experiments/pretrain.py beats=outputs/shipped/beats_cuff.npz \
        out=capnet/models/weights/bilstm-virtual
"""

from dataclasses import asdict
from pathlib import Path

import hydra
from omegaconf import DictConfig

from capnet.data.augmentation import augment, draw_augmentation
from capnet.data.stores.table import load_beats
from capnet.export.card import describe, save_card
from capnet.models.checkpoint import save_model
from capnet.training.pretrain import pretrain
from experiments import build
from experiments.door import console, door, folder, plain


@hydra.main(version_base="1.3", config_path="../configs", config_name="pretrain")
@door
def main(cfg: DictConfig) -> None:
    """Train from nothing and save the model."""
    settings = build.pretraining(plain(cfg.pretraining.settings))
    augmentation = build.augmentation(plain(cfg.augmentation))
    beats = load_beats(Path(cfg.beats))
    if augmentation:
        draw = draw_augmentation(beats, augmentation, seed=cfg.seed)
        draw.save(folder() / "augmentation.npz")
        accepted = int(beats.accepted.sum())
        beats = augment(beats, draw)
        console.print(
            f"augmented: the gate accepts {int(beats.accepted.sum())} of {len(beats)} "
            f"beats, {accepted} before"
        )
    model = pretrain(
        beats, settings, seed=cfg.seed, name=cfg.name, progress=cfg.progress
    )
    if augmentation:
        model.info["augmentation"] = asdict(augmentation)
    found = model.info["held_out"]
    console.print(
        f"on {found['subjects']} held-out subjects of the source: wave RMSE "
        f"{found['wave_rmse_mmhg']:.2f}, SBP RMSE {found['sbp_rmse_mmhg']:.2f} mmHg"
    )
    home = save_model(model, folder() / "model" if cfg.out is None else Path(cfg.out))
    said = {"reference_type": beats.reference_type, **found}
    metrics = {"held_out_of_the_source": said}
    save_card(describe(model, metrics=metrics), home / "card.json")
    print(home)


if __name__ == "__main__":
    main()
