"""Draw and simulate a clinic of virtual people.

``python experiments/simulate.py clinic=source clinic.n=4374`` leaves cohort.npz,
beats_<calibration>.npz and waves.png in the folder of the run.
"""

import hydra
import numpy as np
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.table import Table

from capnet.data.store import save_beats
from capnet.hemodynamics import Clinic, Waves
from capnet.prediction import DISCLAIMER
from experiments import build
from experiments.door import console, door, folder, plain
from experiments.stages import beats_file, observe, people


def waves_by_age(waves: Waves) -> Figure:
    """Draw mean pressure of aorta and radial artery by decade of age."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    decade = (waves.cohort.age // 10 * 10).astype(int)
    steps = np.linspace(0.0, 1.0, 128, endpoint=False)
    for ax, site in zip(axes, ("aortic_root", "radial"), strict=True):
        pressure = waves.at(site, steps * waves.period[:, None])
        for age in np.unique(decade):
            ax.plot(
                steps, pressure[decade == age].mean(axis=0), label=f"{age}-{age + 9}"
            )
        ax.set(title=site.replace("_", " "), xlabel="share of the beat")
    axes[0].set_ylabel("pressure (mmHg)")
    axes[1].legend(title="age, years", fontsize=8, frameon=False)
    figure.supxlabel(f"Mean of virtual people. {DISCLAIMER}", fontsize=7)
    return figure


def summary(waves: Waves) -> Table:
    """Tabulate pressures and form factors, (MAP - DBP) / PP, by decade of age."""
    table = Table(title="Virtual people by age (mean +- SD, mmHg)")
    for name in (
        "age",
        "n",
        "aortic SBP",
        "aortic PP",
        "brachial SBP",
        "DBP",
        "PP ratio",
        "form factor: aorta",
        "brachial",
        "radial",
    ):
        table.add_column(name, justify="right")
    decade = (waves.cohort.age // 10 * 10).astype(int)
    aortic = waves.systolic("aortic_root"), waves.diastolic("aortic_root")
    arm = waves.systolic("brachial"), waves.diastolic("brachial")
    ratio = (arm[0] - arm[1]) / (aortic[0] - aortic[1])
    factors = [
        (waves.mean(site) - waves.diastolic(site))
        / (waves.systolic(site) - waves.diastolic(site))
        for site in ("aortic_root", "brachial", "radial")
    ]
    for age in np.unique(decade):
        rows = decade == age
        columns = (aortic[0], aortic[0] - aortic[1], arm[0], arm[1])
        cells = [f"{c[rows].mean():.0f} +- {c[rows].std():.0f}" for c in columns]
        shares = [f"{share[rows].mean():.2f}" for share in (ratio, *factors)]
        table.add_row(f"{age}-{age + 9}", str(rows.sum()), *cells, *shares)
    return table


@hydra.main(version_base="1.3", config_path="../configs", config_name="simulate")
@door
def main(cfg: DictConfig) -> None:
    """Simulate a clinic and observe it."""
    clinic: Clinic = build.clinic(plain(cfg.clinic))
    waves = people(clinic, show=cfg.progress)
    looks = {"draws": cfg.draws, "radial_every": cfg.radial_every}
    seen = {c: observe(clinic, waves, c, **looks) for c in cfg.calibrations}
    out = folder()
    waves.cohort.save(out / "cohort.npz")
    for calibration, beats in seen.items():
        path = save_beats(beats, out / beats_file(calibration))
        print(f"{beats!r}\n  {path}")
    waves_by_age(waves).savefig(out / "waves.png", dpi=150)
    console.print(summary(waves))
    print(out / "waves.png")


if __name__ == "__main__":
    main()
