"""Fixtures of every test: where reference data lie, threads, made-up people."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_limits

from capnet.records import Beats
from tests.fakes.people import make_people


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """What is small here is slower on two threads, and differs in its last bits."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys, caches and downloads of tests are never those of the user."""
    home = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPNET_PSEUDONYM_KEY", str(home / "pseudonym.key"))
        patch.setenv("CAPNET_CACHE", str(home / "cache"))
        patch.setenv("CAPNET_DATA", str(home / "data"))
        yield


@pytest.fixture(scope="session")
def people() -> Beats:
    """Two dozen people, two beats each."""
    return make_people()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real and reference data; the test is skipped where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("CAPNET_SHARED_DATA", default))
    if not folder.is_dir():
        pytest.skip(f"reference data are not at {folder}")
    return folder
