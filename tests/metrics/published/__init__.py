"""Measurements as the papers print them; see README.md for which and where."""

from pathlib import Path

import numpy as np


def published(name: str) -> np.ndarray:
    """Read one table. Shape (row, column)."""
    path = Path(__file__).parent / f"bland_altman_{name}.csv"
    return np.loadtxt(path, delimiter=",", skiprows=1)
