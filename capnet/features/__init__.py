"""Features: beats or records in, a named and ordered table out.

Names are loaded on first use, so that importing this room costs no pandas.
"""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.features.breathing import (
        Breathing,
        breathing_of_beats,
        breathing_of_channel,
    )
    from capnet.features.hrv import (
        Nonlinear,
        Spectrum,
        Variability,
        nonlinear,
        normal_intervals,
        spectrum,
        variability,
    )
    from capnet.features.impedance import PreEjection, b_points, pre_ejection
    from capnet.features.morphology import Morphology, pulse_morphology
    from capnet.features.oximetry import Oximetry, oximetry_of_beats, saturation
    from capnet.features.registry import FEATURES, Feature, Features
    from capnet.features.shapes import Widths, augmentation_of_beats, pulse_widths
    from capnet.features.table import (
        feature_table,
        feature_tables,
        features_of,
        to_xarray,
    )

__all__ = [
    "FEATURES",
    "Breathing",
    "Feature",
    "Features",
    "Morphology",
    "Nonlinear",
    "Oximetry",
    "PreEjection",
    "Spectrum",
    "Variability",
    "Widths",
    "augmentation_of_beats",
    "b_points",
    "breathing_of_beats",
    "breathing_of_channel",
    "feature_table",
    "feature_tables",
    "features_of",
    "nonlinear",
    "normal_intervals",
    "oximetry_of_beats",
    "pre_ejection",
    "pulse_morphology",
    "pulse_widths",
    "saturation",
    "spectrum",
    "to_xarray",
    "variability",
]

_HOMES = {
    "Breathing": "breathing",
    "FEATURES": "registry",
    "Feature": "registry",
    "Features": "registry",
    "Morphology": "morphology",
    "Nonlinear": "hrv",
    "Oximetry": "oximetry",
    "PreEjection": "impedance",
    "Spectrum": "hrv",
    "Variability": "hrv",
    "Widths": "shapes",
    "augmentation_of_beats": "shapes",
    "b_points": "impedance",
    "breathing_of_beats": "breathing",
    "breathing_of_channel": "breathing",
    "feature_table": "table",
    "feature_tables": "table",
    "features_of": "table",
    "nonlinear": "hrv",
    "normal_intervals": "hrv",
    "oximetry_of_beats": "oximetry",
    "pre_ejection": "impedance",
    "pulse_morphology": "morphology",
    "pulse_widths": "shapes",
    "saturation": "oximetry",
    "spectrum": "hrv",
    "to_xarray": "table",
    "variability": "hrv",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
