"""One thread: what is small here is slower on two, and differs in its last bits."""

import pytest
import torch
from threadpoolctl import threadpool_limits

from capnet.records import Beats
from tests.fakes.people import make_people


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def people() -> Beats:
    """Two dozen people, two beats each."""
    return make_people()
