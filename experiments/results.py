"""What a run leaves behind: numbers, tables, report, and where they came from."""

import json
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pandas as pd

from capnet.evaluation import (
    Evaluation,
    MethodScore,
    Report,
    benchmark_report,
    write_report,
)
from capnet.evaluation.audits.seal import seal_run
from capnet.evaluation.audits.trail import save_run
from capnet.evaluation.judgement import Judgement
from capnet.evaluation.reports.figures import ranking_figure
from capnet.evaluation.verification import hashes_of
from capnet.files import write_atomic
from capnet.types import Calibration

__all__ = [
    "git_state",
    "leave_benchmark",
    "peak_memory",
    "provenance",
    "save_csv",
    "save_frame",
    "save_json",
    "table",
]

_STATISTICS: Final = ("wave_rmse", "sbp_rmse", "amplification_r2")
_COLUMNS: Final = ("wave RMSE", "SBP RMSE [95 %]", "ampl. R2")
_CONFIG: Final = ".hydra/config.yaml"
_PACKAGES: Final = ("capnet", "torch", "numpy", "scipy", "peft", "pytorch-lightning")


def provenance(
    config: Mapping[str, Any],
    notes: Mapping[str, Any],
    *,
    inputs: Mapping[str, Path] | None = None,
    files: Mapping[str, Path] | None = None,
) -> dict[str, Any]:
    """Say what made the numbers of a run.

    Args:
        config: The composed configuration; folders of the user are left out of paths.
        notes: Whatever else belongs to the run.
        inputs: Data and weights (files or folders) by name, to be hashed.
        files: What the run has left, likewise.
    """
    versions = {name: metadata.version(name).split("+")[0] for name in _PACKAGES}
    versions["python"] = platform.python_version()
    return {
        "notes": dict(notes),
        "versions": versions,
        "git": git_state(),
        "inputs": hashes_of(inputs or {}),
        "files": hashes_of(files or {}),
        "config": _impersonal(dict(config)),
    }


def git_state() -> dict[str, Any]:
    """Return commit and whether files differ from it; None outside a repository."""
    home = Path(__file__).resolve().parents[1]

    def said(*words: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", "-C", str(home), *words],
                capture_output=True,
                text=True,
                check=True,
                timeout=20,
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    status = said("status", "--porcelain", "--untracked-files=no")
    return {
        "commit": said("rev-parse", "HEAD"),
        "dirty": None if status is None else bool(status),
    }


def _impersonal(value: Any) -> Any:
    """Return a configuration whose paths do not tell where its user keeps files."""
    if isinstance(value, Mapping):
        return {key: _impersonal(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_impersonal(inner) for inner in value]
    if isinstance(value, str) and (Path(value).is_absolute() or value[:1] == "~"):
        here = Path.cwd()
        path = Path(value)
        return str(path.relative_to(here)) if path.is_relative_to(here) else path.name
    return value


def peak_memory() -> float:
    """Return the peak memory of this process, GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)  # bytes or KiB


def table(evaluations: Mapping[Calibration, Evaluation]) -> str:
    """Lay the calibrations side by side in Markdown, as the README shows them."""
    each = [{s.key: s for s in e.scores} for e in evaluations.values()]
    heads = [f"{c}: {what}" for c in evaluations for what in _COLUMNS]
    rows = [["k", "row", "role", *heads], ["---"] * (3 + len(heads))]
    order = {"floor": 0, "control": 1, "deep": 2}
    found = sorted(each[0].values(), key=lambda s: (s.k, order[s.role]))
    for score in found:
        cells = [str(score.k), score.method, score.role]
        for scores in each:
            cells += _cells(scores.get(score.key))
        rows.append(cells)
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


def _cells(score: MethodScore | None) -> list[str]:
    if score is None:
        return ["-"] * len(_COLUMNS)
    said = ["-" if (v := score.values[n]) is None else f"{v:.2f}" for n in _STATISTICS]
    interval = score.intervals["sbp_rmse"]
    if interval is not None:
        said[1] += f" [{interval.low:.2f}, {interval.high:.2f}]"
    return said


def save_json(content: Mapping[str, Any], path: Path) -> Path:
    """Write JSON whole or not at all; NaN is refused."""
    text = json.dumps(content, indent=1, allow_nan=False)
    return write_atomic(path, text.encode())


def save_csv(frame: pd.DataFrame, path: Path) -> Path:
    """Write a table whole or not at all."""
    return write_atomic(path, frame.to_csv(index=False).encode())


def save_frame(frame: pd.DataFrame, path: Path) -> Path:
    """Write a parquet file whole or not at all."""
    return write_atomic(path, frame.to_parquet(index=False))


def leave_benchmark(
    evaluations: Mapping[Calibration, Evaluation | Judgement],
    out: Path,
    *,
    config: Mapping[str, Any],
    notes: Mapping[str, Any],
    inputs: Mapping[str, Path] | None = None,
    page: Callable[[Report], Report] = lambda report: report,
) -> Path:
    """Leave all that a report can be traced to, and the report.

    That is report.html with report.json, metrics.json, predictions.parquet and
    truth.parquet (`capnet.evaluation.audits.trail`), table.md and pictures. The
    provenance in both JSON files and on the page has the hashes of predictions, truth,
    configuration, inputs, and of the model that the run has already left (``model/``,
    ``model.onnx``). SHA256SUMS, the seal, is written last and has those of all files:
    what a run leaves after this it has not left. `capnet.evaluation.verification`
    checks them.

    Args:
        evaluations: One a calibration; a judgement shows more of it.
        out: Folder of the run.
        config: The composed configuration.
        notes: Whatever else belongs to the run.
        inputs: Data and weights (files or folders), by their keys in the configuration.
        page: What a road adds to the report of its numbers.

    Returns:
        Path of the report.
    """
    bare: dict[Calibration, Evaluation] = {
        name: e.evaluation if isinstance(e, Judgement) else e
        for name, e in evaluations.items()
    }
    left = save_run({n: (e.predictions, e.reference) for n, e in bare.items()}, out)
    files = {path.name: path for path in left}
    files[_CONFIG] = out / _CONFIG
    for path in (out / "model.onnx", *sorted((out / "model").glob("*"))):
        if path.is_file():
            files[path.relative_to(out).as_posix()] = path
    made = provenance(config, notes, inputs=inputs, files=files)
    numbers = {name: e.to_dict() for name, e in bare.items()}
    save_json({"evaluations": numbers, "provenance": made}, out / "metrics.json")
    write_atomic(out / "table.md", table(bare).encode())
    for name, evaluation in bare.items():
        picture = out / f"ranking_{name.split()[0].lower()}.png"
        write_atomic(picture, ranking_figure(evaluation))
    report = benchmark_report(dict(evaluations.items()), made)
    left_page = write_report(out / "report.html", page(report))
    seal_run(out)
    return left_page
