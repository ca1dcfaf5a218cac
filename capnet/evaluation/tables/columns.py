"""Columns that are understood, and arrays of their rows."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from capnet.evaluation.beat_scores import PRESSURES

__all__ = [
    "CENTRAL",
    "ENDS",
    "PREDICTION_COLUMNS",
    "PREFIXES",
    "TRUTH_COLUMNS",
    "Chosen",
    "Column",
    "Columns",
    "Mask",
    "Rows",
    "Words",
]

Column = Float[np.ndarray, " row"]
"""A number a row, NaN where a cell is blank."""
Columns = Mapping[str, Column]
"""Several of them by their names."""
Rows = Int[np.ndarray, " row"]
"""A whole number a row."""
Words = Shaped[np.ndarray, " row"]
"""A word a row."""
Chosen = Int[np.ndarray, " _"]
"""Positions of some rows."""
Mask = Bool[np.ndarray, " row"]
"""Which rows."""

CENTRAL: Final = tuple(f"c{name}" for name in PRESSURES)
"""Central pressures, as the columns of a truth are ordered."""
ENDS: Final = tuple(f"{name}_{end}" for name in CENTRAL for end in ("low", "high"))
"""Ends of their intervals."""

PREDICTION_COLUMNS: Final = (
    *("subject", "beat", "method", "role", "k", "calibration", "accepted", "reason"),
    *("time", "duration", "family", "inputs", "seen", "unit", "units"),
    *(*CENTRAL, *ENDS, "coverage", "doubt"),
)
"""Columns of a table of predictions that are understood."""

TRUTH_COLUMNS: Final = (
    *("subject", "beat", "method", "k", "reference_type", "calibration", "time"),
    *("duration", "accepted", "reason", "unit", "units", "age", "hr", "sex"),
    *("cuff_sbp", "cuff_dbp", "brachial_sbp", "site", "group"),
    *(*CENTRAL, *(f"{name}_ref" for name in CENTRAL)),
)
"""Columns of a table of references that are understood."""

PREFIXES: Final = ("truth.", "groups.", "features.")
"""Further columns of a reference are understood if they begin so."""
