"""What a run leaves behind: numbers, tables, report, and where they came from."""

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import pandas as pd

from capnet.evaluation import Evaluation, benchmark_report, write_report
from capnet.evaluation.figures import ranking_figure
from capnet.files import write_atomic

__all__ = ["leave_benchmark", "provenance", "save_frame", "save_json"]

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


def save_json(content: Mapping[str, Any], path: Path) -> Path:
    """Write JSON whole or not at all; NaN is refused."""
    text = json.dumps(content, indent=1, allow_nan=False)
    return write_atomic(path, text.encode())


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
    """Leave metrics.json, predictions.parquet, ranking_*.png and report.html.

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
    for name, evaluation in evaluations.items():
        picture = out / f"ranking_{name.split()[0].lower()}.png"
        write_atomic(picture, ranking_figure(evaluation))
    return write_report(out / "report.html", benchmark_report(evaluations, made))
