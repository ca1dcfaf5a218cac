"""The house keeps its shape: who may import whom, and what may not exist."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LIBRARY = sorted((ROOT / "capnet").rglob("*.py"))
DOORS = sorted((ROOT / "experiments").rglob("*.py"))


def place(path):
    return str(path.relative_to(ROOT))


def imported(path):
    """Names of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")


def test_imports_go_one_way():
    pytest.importorskip("importlinter")
    code = "from importlinter.cli import lint_imports_command as main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_there_is_something_to_look_at():
    assert len(LIBRARY) > 50
    assert len(DOORS) > 5


@pytest.mark.parametrize("path", LIBRARY + DOORS, ids=place)
def test_imports_are_absolute_and_annotations_are_real(path):
    names = [*imported(path)]
    assert not [name for name in names if name.startswith(".")]
    future = "from __future__ import annotations"
    assert future not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", LIBRARY, ids=place)
def test_the_library_knows_no_configuration_framework(path):
    roots = {name.split(".")[0] for name in imported(path)}
    assert not roots & {"hydra", "omegaconf", "experiments"}


def test_there_is_no_room_for_everything():
    drawers = {"utils", "util", "helpers", "misc", "common"}
    assert [
        place(p) for p in LIBRARY + DOORS if drawers & {p.stem, p.parent.name}
    ] == []


def test_millimetres_of_mercury_have_one_home():
    found = [place(p) for p in LIBRARY if "133.3" in p.read_text(encoding="utf-8")]
    assert found == [str(Path("capnet") / "units.py")]


@pytest.mark.parametrize("path", LIBRARY, ids=place)
def test_nobody_seeds_the_world(path):
    text = path.read_text(encoding="utf-8")
    assert "np.random.seed" not in text
    assert "np.random.rand" not in text
