"""Make the numbers of a report again, from the files that were left beside it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import isclose
from pathlib import Path
from typing import Any, Final

from capnet.errors import RecordError
from capnet.evaluation.audits.trail import load_run
from capnet.evaluation.evaluate import Evaluation, evaluate
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.truth import Truth
from capnet.files import sha256_of
from capnet.prediction import Prediction

__all__ = ["Difference", "Verification", "hashes_of", "verify_run"]

_RELATIVE: Final = 1e-9
_SHOWN: Final = 20
_MADE: Final = ("evaluation", "methods", "refused")
"""Parts of a judgement that follow from predictions and truth alone."""


@dataclass(frozen=True)
class Difference:
    """One number that came out otherwise.

    Attributes:
        where: File, calibration and place, e.g. ``metrics.json exact
            methods[2].values.sbp_rmse``.
        stored: What stands there.
        made: What came out now; None where nothing did.
    """

    where: str
    stored: object
    made: object


@dataclass(frozen=True)
class Verification:
    """Whether a report's numbers can be made again, and from the same files.

    Attributes:
        numbers: That were compared.
        differences: Those that came out otherwise.
        same: Files whose content is as it was.
        changed: Files whose content is another one.
        missing: Files that are not where they were.
        untested: Parts of the report that these files do not make again.
    """

    numbers: int
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    untested: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether every number came out again and no file has changed."""
        return not self.differences and not self.changed

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {
            "holds": self.holds,
            "numbers": self.numbers,
            "differences": [
                {"where": d.where, "stored": d.stored, "made": d.made}
                for d in self.differences
            ],
            "same": list(self.same),
            "changed": list(self.changed),
            "missing": list(self.missing),
            "untested": list(self.untested),
        }

    def __str__(self) -> str:
        told = "holds" if self.holds else "does NOT hold"
        n = len(self.differences)
        lines = [
            f"The report {told}: {self.numbers - n} of {self.numbers} numbers came out "
            f"again; {len(self.changed)} files changed."
        ]
        lines += [
            f"- {d.where}: the file says {d.stored!r}, made again it is {d.made!r}"
            for d in self.differences[:_SHOWN]
        ]
        if n > _SHOWN:
            lines.append(f"- and {n - _SHOWN} more")
        lines += [f"- {name} has changed" for name in self.changed]
        lines += [f"? {name} is not where it was" for name in self.missing]
        if self.untested:
            lines.append(f"? not made again: {', '.join(self.untested)}")
        return "\n".join(lines)


def hashes_of(files: Mapping[str, Path]) -> dict[str, dict[str, str]]:
    """Return name and SHA-256 of files, and of what lies in folders.

    Args:
        files: Path of a file or a folder, by what it is; what does not exist is left
            out.
    """
    found = {}
    for name, path in files.items():
        if path.is_file():
            found[name] = {"file": path.name, "sha256": sha256_of(path)}
        elif path.is_dir():
            for inner in sorted(p for p in path.iterdir() if p.is_file()):
                key = f"{name}:{inner.name}"
                found[key] = {"file": inner.name, "sha256": sha256_of(inner)}
    return found


def verify_run(folder: Path, inputs: Mapping[str, Path] | None = None) -> Verification:
    """Make the numbers of a run again and compare them with what it has left.

    Predictions and truth are read from ``predictions.parquet`` and ``truth.parquet``
    and evaluated with the stored seed and resamples; ``metrics.json`` and
    ``report.json`` are compared number by number. Hashes tell whether these files, the
    configuration, and the data and weights they came from, are those of the run.

    Args:
        folder: Of the run.
        inputs: Where data and weights lie now, by their names in the provenance.

    Returns:
        What was found; printable.

    Raises:
        RecordError: If the folder holds no run, or a file of it is damaged.
    """
    metrics = _json(folder / "metrics.json")
    if not {"evaluations", "provenance"} <= metrics.keys():
        msg = (
            f"metrics.json in {folder.name!r} has no evaluations with their provenance;"
            " wanted the folder of a benchmark, e.g. one that evaluate.py has left."
        )
        raise RecordError(msg)
    twin = folder / "report.json"
    told = _json(twin) if twin.is_file() else {}
    stored = told.get("numbers", {}).get("evaluations", {})
    differences: list[Difference] = []
    untested: list[str] = []
    numbers = 0
    run: Mapping[str, tuple[list[Prediction], Truth]] = dict(load_run(folder).items())
    for name, old in metrics["evaluations"].items():
        if name not in run:
            differences.append(Difference(f"{name}: predictions", "there", None))
            continue
        made = _again(*run[name], old)
        pairs: list[tuple[str, Any, Any]] = [("metrics.json", old, made.to_dict())]
        if name in stored:
            keys = [(m["method"], m["k"]) for m in stored[name]["methods"]]
            judged = judge_evaluation(made, methods=keys).to_dict()
            pairs += [
                (f"report.json {part}", stored[name][part], judged[part])
                for part in _MADE
            ]
            given = [k for k, v in stored[name].items() if v and k not in _MADE]
            untested += [f"{name}: {part}" for part in given]
        elif twin.is_file():
            differences.append(Difference(f"report.json {name}", None, "there"))
        for file, before, after in pairs:
            for where, left, right in _leaves(before, _plain(after)):
                numbers += 1
                if not _same(left, right):
                    place = f"{file} {name} {where}"
                    differences.append(Difference(place, left, right))
    written = dict(metrics["provenance"].get("files", {}))
    if "page" in told:
        written[told["page"]["file"]] = told["page"]
    elif (folder / "report.html").is_file():
        untested.append("the text of report.html (report.json has its hash)")
    provenance = {**metrics["provenance"], "files": written}
    same, changed, missing = _files(folder, provenance, inputs or {})
    if not twin.is_file():
        missing = (*missing, twin.name)
    return Verification(
        numbers, tuple(differences), same, changed, missing, tuple(untested)
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        msg = (
            f"there is no {path.name} in {path.parent.name!r}; wanted the folder of a "
            "run with its report."
        )
        raise RecordError(msg) from error
    except (OSError, ValueError) as error:
        msg = f"{path.name} cannot be read ({type(error).__name__}); it was changed."
        raise RecordError(msg) from error
    if not isinstance(found, dict):
        msg = f"{path.name} holds no table of names; it was changed."
        raise RecordError(msg)
    return found


def _again(
    predictions: Sequence[Prediction], truth: Truth, old: Mapping[str, Any]
) -> Evaluation:
    """Evaluate as it was done, with the pairs that had been asked for."""
    resamples, seed = int(old["resamples"]), int(old["seed"])
    made = evaluate(predictions, truth, resamples=resamples, seed=seed)
    usual = [(c.method_a, c.method_b) for c in made.comparisons]
    asked = [(tuple(c["method_a"]), tuple(c["method_b"])) for c in old["comparisons"]]
    more = [pair for pair in dict.fromkeys(asked) if pair not in usual]
    if not more:
        return made
    return evaluate(predictions, truth, resamples=resamples, seed=seed, compare=more)


def _plain(made: object) -> Any:
    return json.loads(json.dumps(made))


def _leaves(left: Any, right: Any, where: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield pairs of values at the same place; None where one side has none."""
    if isinstance(left, dict):
        other = right if isinstance(right, dict) else {}
        for key in [*left, *(k for k in other if k not in left)]:
            inner = f"{where}.{key}" if where else str(key)
            yield from _leaves(left.get(key), other.get(key), inner)
    elif isinstance(left, list):
        items = right if isinstance(right, list) else []
        if len(left) != len(items):
            yield f"{where} (length)", len(left), len(items)
        for i, (a, b) in enumerate(zip(left, items, strict=False)):
            yield from _leaves(a, b, f"{where}[{i}]")
    else:
        yield where, left, right


def _same(left: object, right: object) -> bool:
    if isinstance(left, float | int) and isinstance(right, float | int):
        return isclose(left, right, rel_tol=_RELATIVE, abs_tol=1e-12)
    return left == right


def _files(
    folder: Path, provenance: Mapping[str, Any], inputs: Mapping[str, Path]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return which files are the same, changed, and not there."""
    own = {name: folder / name for name in provenance.get("files", {})}
    found = hashes_of(own) | hashes_of(inputs)
    wanted = dict(provenance.get("files", {})) | dict(provenance.get("inputs", {}))
    same, changed, missing = [], [], []
    for name, entry in wanted.items():
        if name not in found:
            missing.append(name)
        elif found[name]["sha256"] == entry["sha256"]:
            same.append(name)
        else:
            changed.append(name)
    return tuple(same), tuple(changed), tuple(missing)
