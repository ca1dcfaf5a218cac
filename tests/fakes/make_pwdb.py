"""Write a folder in the format of the Pulse Wave Database, with made-up people."""

from pathlib import Path

import numpy as np

from capnet.hemodynamics.network import load_network
from capnet.hemodynamics.population import age_statistics

HEADER = (
    "Subject Number, age [years], hr [bpm], sv [ml], pft [ms], rfv [ml], dbp [mmHg], "
    "mbp [mmHg], viscosity [Pa s], alpha [-], pvc [scaling factor], p_out [mmHg], "
    "density [kg /m^3], lvet [ms], b0 [g/s], b1 [g cm/s], k1 [g/s^2/cm], k2 [/cm], "
    "k3 [g/s^2/cm]"
)


def template() -> np.ndarray:
    """Flow at 1 kHz: 52 ms of rest, ejection, backflow, a ripple, the next onset."""
    time = np.arange(880.0) - 52.0
    ejected = 500.0 * np.sin(np.pi * np.clip(time / 282.0, 0.0, 1.0)) ** 2 + 0.1
    ejected = np.where(time < 282.0, ejected, 0.0)
    back = -80.0 * np.sin(np.pi * np.clip((time - 281.0) / 27.0, 0.0, 1.0))
    ripple = np.where(time >= 309.0, 1.5, 0.0) + np.where(time < 0.0, 0.9, 0.0)
    return ejected * (time >= 0.0) + back * (time >= 282.0) + ripple


def make_pwdb(folder: Path, *, subjects: tuple[int, ...] = (3, 1, 7)) -> Path:
    """Write geometry, parameters and template of a few people.

    Args:
        folder: Where to write.
        subjects: Their numbers, in the order of the files. The last one's bed at
            segment 26 is narrower than its artery.
    """
    network, n = load_network(), len(subjects)
    ages = np.linspace(25.0, 75.0, n)
    geo = np.zeros((n, len(network), 8))
    geo[:, :, 0] = np.arange(len(network)) + 1
    geo[:, :, 1], geo[:, :, 2] = network.inlet, network.outlet
    geo[:, :, 3] = network.length
    geo[:, :, 4], geo[:, :, 5] = network.inlet_radius, network.outlet_radius
    geo[:, network.terminals, 6] = 2e-10
    share = network.outlet_radius[network.terminals] ** 2
    geo[:, network.terminals, 7] = 2e8 * share.sum() / share
    geo[-1, 25, 7] = 1e6
    np.savez(folder / "pwdb_geometry.npz", geo=geo, subject=np.array(subjects))
    means = {
        k: age_statistics(k, ages)[0] for k in ("hr", "sv", "dbp", "mbp", "lvet", "pvc")
    }
    lines = [HEADER]
    for i, subject in enumerate(subjects):
        m = {name: values[i] for name, values in means.items()}
        lines.append(
            f"{subject},{ages[i]:g},{m['hr']:.3f},{m['sv']:.3f},79,0.73,{m['dbp']:.4f},"
            f"{m['mbp']:.4f},0.0025,1.3333,{m['pvc']:.4f},33.2,1060,{m['lvet']:.2f},"
            f"600,150,3e+06,-13.5,{5e5 * (1 + i):g}"
        )
    (folder / "pwdb_model_configs.csv").write_text("\n".join(lines) + "\n")
    np.savetxt(folder / "Q_template.csv", template(), header="mL/s")
    return folder


def make_pwdb_waves(folder: Path, *, shift: float = 0.0) -> Path:
    """Write waves of everyone but the first: sines at 500 Hz, no ramp.

    Args:
        folder: From `make_pwdb`.
        shift: What the brachial mean lacks, mmHg.
    """
    subject = np.load(folder / "pwdb_geometry.npz")["subject"][1:]
    phase = np.arange(600) / 400.0
    wave = 90.0 + 20.0 * np.sin(2 * np.pi * phase) * np.ones((len(subject), 1))
    wave[:, 400:] = np.nan
    names = ("Asc_Ao", "L_Carotid", "L_Brachial", "L_Femoral")
    pressures = {f"{name}_P_mmHg": wave.astype(np.float32) for name in names}
    pressures["L_Brachial_P_mmHg"] -= np.float32(shift)
    np.savez(
        folder / "pwdb_waves_500Hz.npz",
        subject=subject.astype(np.int32),
        start_sample=np.tile(np.array([1, 11, 31, 48], np.int16), (len(subject), 1)),
        Asc_Ao_Q_mlps=wave.astype(np.float32),
        **pressures,
    )
    return folder
