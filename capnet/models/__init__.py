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
    from capnet.models.estimator import Adaptable, Estimator
    from capnet.models.forest import RandomForest
    from capnet.models.limit import CuffLimit, cuff_limit
    from capnet.models.posterior import CuffPosterior
    from capnet.models.published import gtf, moving_average_csbp
    from capnet.models.svr import SVR
    from capnet.models.zoo import load_model

__all__ = [
    "OLS",
    "SVR",
    "Adaptable",
    "BiLSTM",
    "CentralPressureModel",
    "CuffLimit",
    "CuffPosterior",
    "Estimator",
    "FittedGTF",
    "MovingAverage",
    "PeripheralMinusConstant",
    "PublishedGTF",
    "RandomForest",
    "Ridge",
    "RidgeAffine",
    "RidgeRefit",
    "RidgeShrunk",
    "anchor_mean",
    "cuff_limit",
    "gtf",
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
    "save_model": "checkpoint",
}

__getattr__, __dir__ = on_first_use(__name__, _HOMES)
