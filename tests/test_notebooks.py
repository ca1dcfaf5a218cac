"""Notebooks run from top to bottom, and are kept without what they printed."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_is_a_notebook():
    assert NOTEBOOKS


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    read = nbformat.read(request.param, as_version=4)
    nbformat.validate(read)
    return read


def test_a_notebook_is_kept_without_outputs(notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


def test_a_notebook_names_no_place_of_one_machine(notebook):
    absolute = re.compile(r"""["'](/|~/|[A-Z]:\\)""")
    for cell in notebook.cells:
        assert not absolute.search(cell.source)


def test_a_notebook_begins_with_a_title_and_says_what_it_is_not(notebook):
    first = notebook.cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    text = "\n".join(cell.source for cell in notebook.cells)
    assert "not a medical device" in text


@pytest.mark.filterwarnings("default")  # of the client; the kernel has its own
@pytest.mark.timeout(400)
def test_a_notebook_runs_from_top_to_bottom(notebook, tmp_path, monkeypatch):
    # The kernel runs in a folder like notebooks/ and finds capnet, installed or not.
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTHONWARNINGS", "default")
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    work = tmp_path / "checkout" / "notebooks"
    work.mkdir(parents=True)
    for name in ("configs", "experiments", "tests"):  # what a notebook may look for
        (work.parent / name).symlink_to(ROOT / name)
    client = NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        resources={"metadata": {"path": str(work)}},
    )
    client.execute()
    counts = [c.execution_count for c in notebook.cells if c.cell_type == "code"]
    assert counts == [*range(1, len(counts) + 1)]
