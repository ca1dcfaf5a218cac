"""capnet: central (aortic) arterial pressure without a catheter.

Research software, not a medical device. The names below and the rooms (``metrics``,
``records``, ...) are loaded on first use, so that ``import capnet`` stays fast and
imports no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capnet import adaptation as adaptation
    from capnet import compiled as compiled
    from capnet import data as data
    from capnet import errors as errors
    from capnet import evaluation as evaluation
    from capnet import export as export
    from capnet import features as features
    from capnet import files as files
    from capnet import hemodynamics as hemodynamics
    from capnet import lazy as lazy
    from capnet import metrics as metrics
    from capnet import models as models
    from capnet import prediction as prediction
    from capnet import records as records
    from capnet import signal as signal
    from capnet import training as training
    from capnet import types as types
    from capnet import units as units
    from capnet.data.readers import read_record
    from capnet.models.predict import predict
    from capnet.models.published import gtf, moving_average_csbp
    from capnet.models.zoo import load_model

__version__ = "0.1.0"

__all__ = ["gtf", "load_model", "moving_average_csbp", "predict", "read_record"]

_HOMES = {
    "gtf": "capnet.models.published",
    "load_model": "capnet.models.zoo",
    "moving_average_csbp": "capnet.models.published",
    "predict": "capnet.models.predict",
    "read_record": "capnet.data.readers",
}


_ROOMS = (
    *("adaptation", "compiled", "data", "errors", "evaluation", "export", "features"),
    *("files", "hemodynamics", "lazy", "metrics", "models", "prediction", "records"),
    *("signal", "training", "types", "units"),
)


def _load(name: str) -> object:
    if name in _ROOMS:
        return import_module(f"capnet.{name}")
    value: object = getattr(import_module(_HOMES[name]), name)
    return value


def __getattr__(name: str) -> object:
    """Load a room, or a convenience from the room it lives in (PEP 562)."""
    if name not in _HOMES and name not in _ROOMS:
        msg = f"module 'capnet' has no attribute {name!r}"
        raise AttributeError(msg)
    try:
        value = _load(name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("capnet"):
            raise
        from capnet.errors import MissingExtraError

        what = f"capnet.{name}"
        raise MissingExtraError(what, error.name) from error
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_ROOMS})
