"""Features: beats in, a named and ordered table out.

Names are loaded on first use, so that importing this room costs no pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capnet.features.hrv import Variability, variability
    from capnet.features.table import FEATURES, Feature, features_of

__all__ = ["FEATURES", "Feature", "Variability", "features_of", "variability"]


def __getattr__(name: str) -> object:
    """Load a name from the file it lives in (PEP 562)."""
    if name not in __all__:
        msg = f"module 'capnet.features' has no attribute {name!r}"
        raise AttributeError(msg)
    home = "table" if "eature" in name or name == "FEATURES" else "hrv"
    return getattr(import_module(f"capnet.features.{home}"), name)
