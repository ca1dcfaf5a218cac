"""What a run leaves behind: numbers, tables, report, and where they came from."""

import hashlib
import json
import platform
import resource
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pandas as pd

from capnet.evaluation import Evaluation, MethodScore, benchmark_report, write_report
from capnet.evaluation.reports.figures import ranking_figure
from capnet.files import write_atomic

__all__ = [
    "leave_benchmark",
    "peak_memory",
    "provenance",
    "save_csv",
    "save_frame",
    "save_json",
    "sha256",
    "table",
]

_STATISTICS: Final = ("wave_rmse", "sbp_rmse", "amplification_r2")
_COLUMNS: Final = ("wave RMSE", "SBP RMSE [95 %]", "ampl. R2")
_PACKAGES: Final = ("capnet", "torch", "numpy", "scipy", "peft", "pytorch-lightning")


def provenance(config: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, Any]:
    """Say what made the numbers of a run.

    Args:
        config: The composed configuration.
        notes: Hashes and whatever else belongs to the run.
    """
    versions = {name: metadata.version(name).split("+")[0] for name in _PACKAGES}
    versions["python"] = platform.python_version()
    return {"notes": dict(notes), "versions": versions, "config": dict(config)}


def sha256(path: Path) -> str:
    """Return the hash of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def peak_memory() -> float:
    """Return the peak memory of this process, GiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)  # bytes or KiB


def table(evaluations: Mapping[str, Evaluation]) -> str:
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
    evaluations: Mapping[str, Evaluation],
    out: Path,
    *,
    config: Mapping[str, Any],
    notes: Mapping[str, Any],
) -> Path:
    """Leave metrics.json, predictions.parquet, table.md, pictures and report.html.

    Args:
        evaluations: One a calibration.
        out: Folder of the run.
        config: The composed configuration.
        notes: Hashes and whatever else belongs to the run.

    Returns:
        Path of the report.
    """
    made = provenance(config, notes)
    numbers = {name: e.to_dict() for name, e in evaluations.items()}
    save_json({"evaluations": numbers, "provenance": made}, out / "metrics.json")
    frames = pd.concat([e.frame() for e in evaluations.values()], ignore_index=True)
    save_frame(frames, out / "predictions.parquet")
    write_atomic(out / "table.md", table(evaluations).encode())
    for name, evaluation in evaluations.items():
        picture = out / f"ranking_{name.split()[0].lower()}.png"
        write_atomic(picture, ranking_figure(evaluation))
    return write_report(out / "report.html", benchmark_report(evaluations, made))
