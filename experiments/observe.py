"""Simulate a clinic of virtual people and observe it with its sensors and cuffs.

``python experiments/observe.py clinic=source clinic.n=4374`` leaves cohort.npz,
beats_<calibration>.npz and waves.png in the folder of the run.
"""

import hydra
from omegaconf import DictConfig

from capnet.data.stores.table import save_beats
from capnet.hemodynamics import Clinic
from experiments import build
from experiments.ages import printed, summary, waves_by_age
from experiments.door import console, door, folder, plain
from experiments.stages import beats_file, cuff_sites, observe, people


@hydra.main(version_base="1.3", config_path="../configs", config_name="observe")
@door
def main(cfg: DictConfig) -> None:
    """Simulate a clinic and observe it."""
    clinic: Clinic = build.clinic(plain(cfg.clinic))
    looks = {"draws": cfg.draws, "radial_every": cfg.radial_every}
    cuff_sites(**looks)  # refuses before people are simulated
    asked = build.calibrations(plain(cfg.calibrations))
    visit = people(clinic, show=cfg.progress)
    seen = {c: observe(clinic, visit, c, **looks) for c in asked}
    out = folder()
    visit.cohort.save(out / "cohort.npz")
    for calibration, beats in seen.items():
        path = save_beats(beats, out / beats_file(calibration))
        print(f"{beats!r}\n  {path}")
    waves_by_age(visit.pulse).savefig(out / "waves.png", dpi=150)
    console.print(printed(summary(visit.pulse)))
    print(out / "waves.png")


if __name__ == "__main__":
    main()
