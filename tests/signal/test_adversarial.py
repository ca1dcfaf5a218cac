import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from tests.signal.adversarial import (
    arrays,
    bad_shapes,
    call,
    existing_calls,
    survives,
)

MAX_EXAMPLES = 30
"""Arrays a function; `benchmarks/signal_filters.py` takes 2,000."""


@pytest.mark.parametrize("name", existing_calls())
@settings(
    max_examples=MAX_EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.differing_executors],
)
@given(values=st.one_of(arrays(), arrays(), arrays(), bad_shapes()))
def test_every_function_survives(name, values):
    call(name, values)


BAD_FUNCTIONS = {
    "IndexError": lambda x: x[10**9],
    "not refused": lambda x: np.full(3, np.nan),
    "no sample at all": lambda x: np.zeros(len(x)),
    "invented": lambda x: np.nan_to_num(x),
    "became": lambda x: x[:-1],
    "infinite": lambda x: np.where(np.isnan(x), np.nan, np.inf),
}


def test_survives_finds_every_fault():
    torn = np.array([1.0, np.nan, 2.0])
    cases = {
        "not refused": np.zeros((2, 2)),
        "no sample at all": np.full(4, np.nan),
    }
    for fault, function in BAD_FUNCTIONS.items():
        wanted = IndexError if fault == "IndexError" else AssertionError
        match = None if wanted is IndexError else fault
        with pytest.raises(wanted, match=match):
            survives(function, cases.get(fault, torn), per_sample=True)


def test_survives_finds_writing_warnings_and_missing_reasons():
    def write(x):
        x[0] = 7.0
        return x * np.nan

    class Answer(tuple):
        reason = np.array(["", "flat"])

    with pytest.raises(AssertionError, match="written to"):
        survives(write, np.ones(3))
    with pytest.raises(RuntimeWarning):
        survives(lambda x: np.log(x), np.array([-1.0]))
    with pytest.raises(AssertionError, match="without a reason"):
        survives(lambda x: Answer([np.full(2, np.nan)]), np.ones(3))


def test_a_refusal_is_an_answer():
    def refuse(x):
        msg = "no."
        raise ShapeError(msg)

    assert survives(refuse, np.zeros(0)) is None
