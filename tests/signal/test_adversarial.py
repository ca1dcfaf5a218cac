import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from capnet.errors import ShapeError
from capnet.signal.checks import checked_numbers, checked_rows
from tests.signal.adversarial import CALLS, WITHOUT, call, drawn, public, survives

FAST = [name for name, asked in CALLS.items() if not asked.slow]
SLOW = [name for name, asked in CALLS.items() if asked.slow]

# `benchmarks/signal_adversarial.py` takes 2,000 arrays a function.
few = settings(deadline=None, suppress_health_check=list(HealthCheck), max_examples=20)


def test_every_public_function_is_called():
    called = {name.split(",")[0] for name in CALLS}
    assert called | WITHOUT == public()
    assert not called & WITHOUT


@pytest.mark.parametrize("name", FAST)
@few
@given(data=st.data())
def test_every_function_survives(name, data):
    call(name, data.draw(drawn(name)))


@pytest.mark.parametrize("name", SLOW)
@settings(few, max_examples=5)
@given(data=st.data())
def test_every_slow_function_survives(name, data):
    call(name, data.draw(drawn(name)))


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


def test_doors_keep_what_is_a_number():
    single = np.ones((2, 3), dtype=np.float32)
    assert checked_rows(single, where="x") is single
    whole = checked_rows(np.array([[200, 100]], dtype=np.uint8), where="x")
    assert whole.dtype == np.float64
    assert whole[0, 1] - whole[0, 0] == -100.0
    found = checked_numbers(np.array([1.0, np.inf]), where="x")
    np.testing.assert_array_equal(found, [1.0, np.nan])
    with pytest.raises(ShapeError, match="time >= 4"):
        checked_rows(single, where="x", least=4)
