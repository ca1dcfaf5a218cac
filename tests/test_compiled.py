"""What has been compiled may be kept only while no source of the room changes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numba
import numpy as np
import pytest
from numba.core import caching

from capnet import compiled as module
from capnet.compiled import compiled
from capnet.hemodynamics.fused import run, run_second
from capnet.hemodynamics.products import multiply
from capnet.hemodynamics.spectra import turn
from capnet.hemodynamics.staggered import beat

KERNEL = """
import sys
from constants import FACTOR
from typing import no_type_check
from compiled import compiled

@compiled()
@no_type_check
def scale(x):
    return FACTOR * x

print(scale(10), sum(scale.stats.cache_hits.values()))
"""


def _say(folder: Path) -> Sequence[str]:
    """Run the kernel in a process of its own; return its answer and hits."""
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run(  # of a file that was written here
        [sys.executable, "-B", "kernel.py"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_a_constant_of_another_file_is_not_answered_from_the_cache(tmp_path):
    (tmp_path / "compiled.py").write_bytes(Path(str(module.__file__)).read_bytes())
    (tmp_path / "kernel.py").write_text(KERNEL)
    (tmp_path / "constants.py").write_text("FACTOR = 3\n")
    assert _say(tmp_path) == ["30", "0"]
    assert _say(tmp_path) == ["30", "1"]
    (tmp_path / "constants.py").write_text("FACTOR = 4\n")
    assert _say(tmp_path) == ["40", "0"]
    assert _say(tmp_path) == ["40", "1"]


@pytest.mark.parametrize("kernel", [run, run_second, multiply, turn, beat])
def test_kernels_are_kept_by_all_sources(kernel):
    stamp = kernel._cache._cache_file._source_stamp
    room = Path(kernel.py_func.__code__.co_filename).parent
    assert stamp[1] == module._stamp(room)


def test_the_stamp_knows_names_and_contents(tmp_path):
    def stamp(**sources):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, text in sources.items():
            (folder / f"{name}.py").write_text(text)
        (folder / "other.txt").write_text(folder.name)
        return module._stamp(folder)

    usual = stamp(a="x = 1", b="")
    assert usual == stamp(b="", a="x = 1")
    others = [
        stamp(a="x = 2", b=""),
        stamp(a="x = 1"),
        stamp(a="", b="x = 1"),
        stamp(a="x = 1", b="", c=""),
    ]
    assert len({usual, *others}) == 5


def _double(x):
    return 2.0 * x


def test_where_nothing_can_be_written_kernels_are_compiled_all_the_same(monkeypatch):
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", [])
    with pytest.raises(RuntimeError, match="no locator available"):
        numba.njit(cache=True)(_double)
    kernel = compiled()(_double)
    assert kernel(4.0) == 8.0
    assert not kernel.stats.cache_path


def test_an_unknown_numba_keeps_nothing(monkeypatch):
    """Where a kernel could not be told from a stale one, it is compiled anew."""

    class Odd(caching.FunctionCache):
        def __init__(self, function):
            super().__init__(function)
            del self._cache_file._source_stamp

    monkeypatch.setattr("numba.core.dispatcher.FunctionCache", Odd)
    kernel = compiled()(_double)
    assert kernel(4.0) == 8.0
    assert not kernel.stats.cache_path


def test_division_and_flags_are_those_of_the_kernels():
    kernel = compiled(fastmath={"contract"})(lambda x: 1.0 / x)
    assert kernel(0.0) == np.inf
    assert kernel.targetoptions["nogil"]
    assert kernel.targetoptions["fastmath"] == {"contract"}
