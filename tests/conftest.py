"""Fixtures of every test: where reference data lie, and seeds."""

import os
from pathlib import Path

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Small nets gain nothing from a second thread, and lose much on a busy machine."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real and reference data; the test is skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CAPNET_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"reference data are not at {folder}")
    return folder
