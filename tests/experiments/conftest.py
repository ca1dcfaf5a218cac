"""Doors opened in this process, as a shell would open them."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
import torch

from capnet.evaluation.audits.seal import faults_of, read_seal
from tests.conftest import forget_training

ROOT = Path(__file__).resolve().parents[2]

NET = ("pretraining.settings.epochs=1", "pretraining.settings.batch=32")
NET += ("pretraining.settings.hidden=6", "pretraining.settings.head=5")
PEOPLE = ("source.n=60", "target.n=60", "pretraining.draws=2", "resamples=100")
PEOPLE += ("intervals.people=30",)
STEPS = tuple(f"strategies.{name}.settings.steps=2" for name in ("lora", "mmd_lora"))
TINY = (*PEOPLE, *NET, *STEPS, "k=3")
"""The main job on a handful of people: seconds instead of minutes."""


@dataclass(frozen=True)
class Opened:
    """What a door left behind.

    Attributes:
        status: Exit status.
        out: Standard output.
        err: Standard error.
        folder: Of the run.
    """

    status: int
    out: str
    err: str
    folder: Path

    @property
    def last_line(self) -> str:
        """What a script would read."""
        return self.out.rstrip("\n").rsplit("\n", 1)[-1]

    @property
    def files(self) -> set[str]:
        """Every file of the run, relative to its folder."""
        found = self.folder.rglob("*")
        return {str(p.relative_to(self.folder)) for p in found if p.is_file()}

    def check(self) -> "Opened":
        """Return itself, or fail with what the door said."""
        assert self.status == 0, self.out + self.err
        return self


@contextmanager
def _as_it_was() -> Iterator[None]:
    """Give back what a door takes over: torch and its threads, the root logger."""
    root = logging.getLogger()
    handlers, level, threads = [*root.handlers], root.level, torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        forget_training()
        for handler in [*root.handlers]:
            if handler not in handlers:
                root.removeHandler(handler)
                handler.close()
        for handler in handlers:
            if handler not in root.handlers:
                root.addHandler(handler)
        root.setLevel(level)


def open_door(name: str, *overrides: str, folder: Path) -> Opened:
    """Run ``python experiments/<name>.py <overrides>`` without a new interpreter."""
    module = import_module(f"experiments.{name}")
    sweep = (f"hydra.sweep.dir={folder}",) if "-m" in overrides else ()
    run = () if sweep else (f"hydra.run.dir={folder}",)
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, _as_it_was():
        patch.setattr(sys, "argv", [f"{name}.py", *overrides, *run, *sweep])
        # Hydra then finds ../configs beside the file, as in a script.
        patch.setenv("HYDRA_MAIN_MODULE", "__main__")
        with redirect_stdout(out), redirect_stderr(err):
            try:
                module.main()
                status = 0
            except SystemExit as stop:
                status = stop.code if isinstance(stop.code, int) else 1
    return Opened(status, out.getvalue(), err.getvalue(), folder)


@pytest.fixture
def door(tmp_path: Path) -> Callable[..., Opened]:
    """Open a door into a folder of its own."""
    return lambda name, *overrides: open_door(
        name, *overrides, folder=tmp_path / f"run-{len([*tmp_path.iterdir()])}"
    )


def assert_refused(run: Opened, *words: str, error: str = "ConfigError") -> None:
    """Demand one line that says why, and a folder of configuration and log alone."""
    assert run.status not in (0, None)
    assert "Traceback" not in run.out + run.err
    lines = [line for line in run.out.splitlines() if "[ERROR]" in line]
    assert len(lines) == 1, run.out + run.err
    assert error in lines[0]
    for word in words:
        assert word in lines[0]
    left = {name for name in run.files if not name.startswith(".hydra")}
    assert {Path(name).suffix for name in left} <= {".log"}, left


def assert_sealed(run: Opened) -> None:
    """Demand that nothing was written after the seal of a run."""
    same, faults = faults_of(run.folder, read_seal(run.folder))
    assert same
    assert not faults
