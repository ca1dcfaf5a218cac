"""The child process: whatever a decoder does to it, the caller gets one clear error."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from capnet.data.readers.child import Child, Limits
from capnet.errors import MissingExtraError, RecordError, UnitError
from tests.fakes import foreign

ROOT = Path(__file__).resolve().parents[3]
NAMES = (
    *("echo", "crash", "leave", "hang", "spin", "swell", "much", "words"),
    *("stumble", "refuse", "no_unit", "lack", "write"),
)


def named(name):
    return f"tests.fakes.foreign:{name}"


@pytest.fixture(scope="module")
def child():
    made = Child([named(name) for name in NAMES])
    yield made
    made.close()


def ask(child, name, *arguments, memory=50_000_000, seconds=60.0):
    limits = Limits(memory, seconds)
    return child.call(named(name), *arguments, where="x.edf", limits=limits)


def test_arguments_and_arrays_travel_unchanged_despite_noise(child):
    facts, arrays = ask(child, "echo", 1, 2.5, "ä", [None, True])
    assert facts["arguments"] == [1, 2.5, "ä", [None, True]]
    np.testing.assert_array_equal(arrays["ramp"], np.arange(12.0).reshape(3, 4)[:, ::2])
    assert arrays["none"].shape == (0, 3)
    assert arrays["none"].dtype == np.dtype("<i2")
    np.testing.assert_array_equal(arrays["flags"], [True, False])


def test_one_child_serves_many_calls(child):
    pids = {ask(child, "echo")[0]["process"] for _ in range(5)}
    assert len(pids) == 1
    assert pids != {os.getpid()}


@pytest.mark.parametrize(
    ("name", "limits", "said"),
    [
        ("crash", {}, "crashed"),
        ("leave", {}, "crashed"),
        ("hang", {"seconds": 0.2}, "more than 0.2 s"),
        ("spin", {"seconds": 0.2}, "more than 0.2 s"),
        ("swell", {}, "more memory"),
        ("much", {"memory": 1_000_000}, r"crashed|more memory"),
        ("words", {}, "crashed"),
        ("stumble", {}, "ValueError"),
        ("refuse", {}, r"x\.edf: byte 8 is 9\."),
        ("write", {}, "OSError|crashed"),
    ],
)
def test_a_fault_is_one_error_and_the_next_call_works(
    child, tmp_path, name, limits, said
):
    arguments = [str(tmp_path / "written")] if name == "write" else []
    with pytest.raises(RecordError, match=said) as caught:
        ask(child, name, *arguments, **limits)
    assert str(caught.value).startswith("x.edf")
    assert foreign.SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert ask(child, "echo", 7)[0]["arguments"] == [7]


def test_errors_keep_their_kind(child):
    with pytest.raises(UnitError, match="unit is missing"):
        ask(child, "no_unit")
    with pytest.raises(MissingExtraError, match="a_package_that_nobody_has"):
        ask(child, "lack")


@pytest.mark.parametrize("name", ["os:system", "tests.fakes.foreign:unlisted"])
def test_nothing_else_may_be_called(child, name):
    with pytest.raises(RecordError, match="may not be called"):
        child.call(name, "true", where="x", limits=Limits(10_000_000))


def test_a_limit_is_of_one_call_and_not_of_the_next(child):
    with pytest.raises(RecordError, match=r"memory|crashed"):
        ask(child, "much", memory=1_000_000)
    assert ask(child, "much")[1]["zeros"].shape == (1 << 20,)


def test_threads_take_turns(child):
    found = {}

    def work(number):
        for _ in range(5):
            found[number] = ask(child, "echo", number)[0]["arguments"]

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: [k] for k in range(4)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_its_own():
    # In a process without threads of its own, as fork wants.
    program = f"""
import os, json
from capnet.data.readers.child import Child, Limits
child = Child([{named("echo")!r}])
def ask():
    return child.call({named("echo")!r}, where="x", limits=Limits(50_000_000))[0]
first = ask()["process"]
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, json.dumps(ask()["process"]).encode())
    child.close()
    os._exit(0)
other = json.loads(os.read(read, 100))
os.wait()
print(json.dumps([first, other, ask()["process"]]))
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    first, other, again = json.loads(done.stdout)
    assert first == again != other
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs /proc")
def test_the_child_ends_with_its_parent():
    program = f"""
import os, signal
from capnet.data.readers.child import Child, Limits
child = Child([{named("echo")!r}])
facts, _ = child.call({named("echo")!r}, where="x", limits=Limits(50_000_000))
print(facts["process"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, check=False
    )
    state = f"/proc/{int(done.stdout)}/stat"

    def alive():
        try:
            with open(state) as file:  # noqa: PTH123
                return file.read().split()[2] != "Z"
        except OSError:
            return False

    end = time.monotonic() + 60.0
    while alive() and time.monotonic() < end:
        time.sleep(0.02)
    assert not alive()
