"""Write small networks as YAML, with the inflow beside them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import yaml

BED = {"R1": 6.8e7, "R2": 3.1e9, "Cc": 3.7e-10}


def artery(label: str, sn: int, tn: int, **more: Any) -> dict[str, Any]:
    """One artery of constant radius and thickness, elastic, nearly flat profile."""
    usual = {"L": 0.086, "R0": 7.6e-3, "h0": 0.9e-3, "E": 5e5, "gamma_profile": 9}
    return {"label": label, "sn": sn, "tn": tn, **usual, **more}


def make_network(
    folder: Path, *, change: Callable[[dict[str, Any]], object] | None = None
) -> Path:
    """Write an aorta that divides in two.

    Args:
        folder: Where to write ``fork.yaml`` and ``fork_inlet.dat``.
        change: What is changed in the case before it is written.
    """
    case: dict[str, Any] = {
        "project_name": "fork",
        "inlet_file": "fork_inlet.dat",
        "blood": {"rho": 1060.0, "mu": 4e-3},
        "solver": {"Ccfl": 0.9},
        "network": [
            artery("parent", 1, 2),
            artery("left", 2, 3, R0=5.5e-3, **BED),
            artery("right", 2, 4, R0=5.5e-3, M=5, **BED),
        ],
    }
    if change is not None:
        change(case)
    time = np.linspace(0.0, 1.1, 100)
    flow = 8e-6 + 3e-5 * np.maximum(np.sin(2 * np.pi * time / 1.1), 0.0)
    flow[-1] = flow[0]
    np.savetxt(folder / "fork_inlet.dat", np.stack([time, flow], axis=1))
    path = folder / "fork.yaml"
    path.write_text(yaml.safe_dump(case, sort_keys=False))
    return path
