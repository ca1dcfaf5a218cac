"""Fixtures of every test: where reference data lie, threads, made-up people."""

import os
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

from capnet.records import Beats
from tests.fakes.people import make_people

# The same examples in every run, however loaded the machine is; others are looked for
# with --hypothesis-profile=default.
settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

POINT = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5E"
    "rkJggg=="
)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> Iterator[None]:
    """What is small here is slower on two threads, and differs in its last bits."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield


def forget_training() -> None:
    """Take back what Lightning sets for the whole process, and torch's dice."""
    torch.use_deterministic_algorithms(mode=False)
    torch.default_generator.manual_seed(0)
    for name in ("CUBLAS_WORKSPACE_CONFIG", "PL_GLOBAL_SEED", "PL_SEED_WORKERS"):
        os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test, and no fixture that outlives one, hands another a trained torch."""
    forget_training()
    yield
    forget_training()


@pytest.fixture(scope="session", autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keys, caches and downloads of tests are never those of the user."""
    home = tmp_path_factory.mktemp("own")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CAPNET_PSEUDONYM_KEY", str(home / "pseudonym.key"))
        patch.setenv("CAPNET_CACHE", str(home / "cache"))
        patch.setenv("CAPNET_DATA", str(home / "data"))
        yield


@pytest.fixture
def unpainted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture is of one point, where what is said matters: painting is slow."""

    def save(_figure: object, to: Any, **_settings: object) -> None:
        (to.write if hasattr(to, "write") else to.write_bytes)(POINT)

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)


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
