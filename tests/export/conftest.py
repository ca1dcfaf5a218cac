"""One tiny model, exported once for all tests of this folder."""

import pytest
import torch

from capnet.export.folder import export_folder
from capnet.models.bilstm import BiLSTM
from capnet.models.central import CentralPressureModel


def tiny_model(seed: int = 0) -> CentralPressureModel:
    """An untrained network whose answers spread over tens of mmHg."""
    torch.manual_seed(seed)
    model = CentralPressureModel(
        BiLSTM(hidden=5, head=4), name="tiny", k=3, info={"seed": seed}
    )
    with torch.no_grad():
        for parameter in model.net.lstm.parameters():
            parameter.mul_(3)
        model.net.output.weight.mul_(10)
        model.offset.fill_(1.5)
        model.gain.fill_(1.2)
    return model.eval()


@pytest.fixture(scope="session")
def model():
    return tiny_model()


@pytest.fixture(scope="session")
def folder(model, tmp_path_factory):
    metrics = {"virtual": {"wave_rmse_mmhg": 3.0, "undefined": float("nan")}}
    home = tmp_path_factory.mktemp("exported")
    return export_folder(model, home, metrics=metrics)
