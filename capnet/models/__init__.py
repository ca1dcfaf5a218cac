"""Estimators of central pressure: the deep one, its floors, its controls."""

from typing import TYPE_CHECKING

from capnet.lazy import on_first_use

if TYPE_CHECKING:
    from capnet.models.anchor import anchor_mean
    from capnet.models.bilstm import BiLSTM
    from capnet.models.central import CentralPressureModel
    from capnet.models.checkpoint import save_model
    from capnet.models.classical import (
        OLS,
        FittedGTF,
        MovingAverage,
        PeripheralMinusConstant,
        PublishedGTF,
        Ridge,
        RidgeAffine,
        RidgeRefit,
        RidgeShrunk,
    )
    from capnet.models.doubt import Doubt
    from capnet.models.estimator import Adaptable, Estimator
    from capnet.models.forest import RandomForest
    from capnet.models.intervals import Intervals
    from capnet.models.last_cuff import LastCuff
    from capnet.models.limit import CuffLimit, cuff_limit
    from capnet.models.mean import Mean
    from capnet.models.posterior import CuffPosterior, ReadingPosterior, cuff_posterior
    from capnet.models.published import gtf, moving_average_csbp
    from capnet.models.shuffled_labels import ShuffledLabels, exchanged_labels
    from capnet.models.svr import SVR
    from capnet.models.uncertainty import (
        Uncertain,
        Uncertainty,
        calibrate_intervals,
        learn_doubt,
    )
    from capnet.models.zoo import load_model

__all__ = [
    "OLS",
    "SVR",
    "Adaptable",
    "BiLSTM",
    "CentralPressureModel",
    "CuffLimit",
    "CuffPosterior",
    "Doubt",
    "Estimator",
    "FittedGTF",
    "Intervals",
    "LastCuff",
    "Mean",
    "MovingAverage",
    "PeripheralMinusConstant",
    "PublishedGTF",
    "RandomForest",
    "ReadingPosterior",
    "Ridge",
    "RidgeAffine",
    "RidgeRefit",
    "RidgeShrunk",
    "ShuffledLabels",
    "Uncertain",
    "Uncertainty",
    "anchor_mean",
    "calibrate_intervals",
    "cuff_limit",
    "cuff_posterior",
    "exchanged_labels",
    "gtf",
    "learn_doubt",
    "load_model",
    "moving_average_csbp",
    "save_model",
]

_HOMES = {
    "Adaptable": "estimator",
    "BiLSTM": "bilstm",
    "CentralPressureModel": "central",
    "CuffLimit": "limit",
    "CuffPosterior": "posterior",
    "Estimator": "estimator",
    "FittedGTF": "classical",
    "MovingAverage": "classical",
    "OLS": "classical",
    "PeripheralMinusConstant": "classical",
    "PublishedGTF": "classical",
    "RandomForest": "forest",
    "Ridge": "classical",
    "RidgeAffine": "classical",
    "RidgeRefit": "classical",
    "RidgeShrunk": "classical",
    "SVR": "svr",
    "anchor_mean": "anchor",
    "cuff_limit": "limit",
    "gtf": "published",
    "load_model": "zoo",
    "moving_average_csbp": "published",
    "Mean": "mean",
    "LastCuff": "last_cuff",
    "ShuffledLabels": "shuffled_labels",
    "exchanged_labels": "shuffled_labels",
    "ReadingPosterior": "posterior",
    "cuff_posterior": "posterior",
    "Uncertain": "uncertainty",
    "Uncertainty": "uncertainty",
    "calibrate_intervals": "uncertainty",
    "learn_doubt": "uncertainty",
    "Intervals": "intervals",
    "Doubt": "doubt",
    "save_model": "checkpoint",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
