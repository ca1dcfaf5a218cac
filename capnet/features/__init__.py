"""Features: beats in, a named and ordered table out.

Names are loaded on first use, so that importing this room costs no pandas.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.features.hrv import Variability, variability
    from capnet.features.table import FEATURES, Feature, features_of

__all__ = ["FEATURES", "Feature", "Variability", "features_of", "variability"]

_HOMES = {
    "FEATURES": "table",
    "Feature": "table",
    "Variability": "hrv",
    "features_of": "table",
    "variability": "hrv",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
