"""Make the numbers of a report again, from the files that were left beside it."""

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from math import isclose
from pathlib import Path
from typing import Any, Final

from capnet.errors import CapnetError, RecordError
from capnet.evaluation.audits.seal import (
    SEAL,
    Fault,
    fault_of,
    faults_of,
    read_seal,
)
from capnet.evaluation.audits.trail import load_run
from capnet.evaluation.budget import ErrorBudget, error_budget
from capnet.evaluation.evaluate import Evaluation, evaluate
from capnet.evaluation.judgement import judge_evaluation
from capnet.evaluation.truth import Truth
from capnet.files import sha256_of
from capnet.prediction import Prediction
from capnet.types import Calibration

__all__ = ["Difference", "Verification", "compare_runs", "hashes_of", "verify_run"]

_CLOSE: Final = 1e-9
_SHOWN: Final = 20
_MADE: Final = ("evaluation", "methods", "refused")
"""Parts of a judgement that follow from predictions and truth alone."""
_METRICS: Final = "metrics.json"
_TWIN: Final = "report.json"
_ALIKE: Final = 1e-3
"""How far two runs of one configuration may lie apart. Kernels that were compiled anew
move virtual waves by 1e-12 mmHg; the solver of support vectors stops at a tolerance and
makes 1e-4 of the numbers out of it."""
_BROKEN: Final = (
    *(CapnetError, ArithmeticError, AttributeError, LookupError),
    *(MemoryError, OSError, RecursionError, TypeError, ValueError),
)
"""What reading numbers may raise where somebody has changed a file."""


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
        missing: Files that are not where they were; inputs among them, which may lie
            elsewhere.
        untested: Parts of the report that these files do not make again.
        faults: Every file of the run that changed, is lost or was added, and inputs
            that changed.
        versions: Packages that are not those of the run: then, now.
    """

    numbers: int
    differences: tuple[Difference, ...]
    same: tuple[str, ...]
    changed: tuple[str, ...]
    missing: tuple[str, ...]
    untested: tuple[str, ...]
    faults: tuple[Fault, ...] = ()
    versions: tuple[tuple[str, str, str | None], ...] = ()

    @property
    def holds(self) -> bool:
        """Whether every number came out again and every file is as it was."""
        return not self.differences and not self.faults

    def to_dict(self) -> dict[str, object]:
        """Return everything, ready for strict JSON."""
        return {
            "holds": self.holds,
            "numbers": self.numbers,
            "differences": [vars(d) for d in self.differences],
            "same": list(self.same),
            "changed": list(self.changed),
            "missing": list(self.missing),
            "untested": list(self.untested),
            "faults": [vars(fault) for fault in self.faults],
            "versions": [list(version) for version in self.versions],
        }

    def __str__(self) -> str:
        told = "holds" if self.holds else "does NOT hold"
        n = len(self.differences)
        lines = [
            f"The report {told}: {self.numbers - n} of {self.numbers} numbers came out "
            f"again; {len(self.same)} files are as they were, {len(self.faults)} are "
            "not."
        ]
        lines += [f"- {fault}" for fault in self.faults]
        lines += [
            f"- {d.where}: found {d.stored!r:.80}; wanted {d.made!r:.80}, as made again"
            for d in self.differences[:_SHOWN]
        ]
        if n > _SHOWN:
            lines.append(f"- and {n - _SHOWN} more numbers")
        broken = {fault.file for fault in self.faults}
        lines += [
            f"? {name} is not where it was, so nothing was compared with it"
            for name in self.missing
            if name not in broken
        ]
        lines += [
            f"? {name} was {then} in that run and is {now or 'not installed'} here"
            for name, then, now in self.versions
        ]
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
    ``report.json`` are compared number by number. The seal
    (`capnet.evaluation.audits.seal`) and the hashes in the provenance tell whether
    every file of the run, and the data and weights it came from, are those of then.
    Nothing is written. What was learnt from is not left, so parts that look at it
    (leakage, alignment and others) are named as untested: `compare_runs` holds them
    against a second run.

    Args:
        folder: Of the run.
        inputs: Where data and weights lie now, by their names in the provenance.

    Returns:
        What was found; printable.

    Raises:
        RecordError: If the folder holds no run.
    """
    if not (folder / SEAL).is_file():
        _metrics(folder)  # or there is no run at all
    same, faults = _sealed(folder)
    made = _Made()
    missing: list[str] = []
    versions: list[tuple[str, str, str | None]] = []
    try:
        metrics = _metrics(folder)
        versions += _versions(metrics["provenance"].get("versions", {}))
        more, others, missing = _traced(folder, metrics["provenance"], inputs or {})
        same, faults = [*same, *more], [*faults, *others]
        twin = folder / _TWIN
        told = _json(twin) if twin.is_file() else {}
        if "page" in told:
            page = str(told["page"]["file"])
            fault = fault_of(page, folder / page, told["page"]["sha256"])
            faults += [fault] if fault else []
        _remake(folder, metrics, told, made)
    except _BROKEN as error:
        said = f"{type(error).__name__}: {error}"
        if not faults and isinstance(error, CapnetError):
            raise
        if not faults:
            msg = (
                f"the numbers in {folder.name!r} cannot be made again ({said}), though "
                "the seal fits; wanted what a benchmark leaves. Take the folder from "
                "where the run was made."
            )
            raise RecordError(msg) from error
        made.untested.append(f"what cannot be read any more ({said})")
    faults = [*dict.fromkeys(faults)]
    lost = [fault.file for fault in faults if fault.kind == "missing"]
    return Verification(
        numbers=made.numbers,
        differences=tuple(made.differences),
        same=tuple(dict.fromkeys(same)),
        changed=tuple(dict.fromkeys(f.file for f in faults if f.kind == "changed")),
        missing=tuple(dict.fromkeys([*lost, *missing])),
        untested=tuple(made.untested),
        faults=tuple(faults),
        versions=tuple(versions),
    )


def compare_runs(folder: Path, again: Path) -> Verification:
    """Hold a run against one that was made again from its configuration.

    Numbers may differ by a thousandth (of themselves, or of their unit): the last bits
    are those of a compiler and a processor.

    Args:
        folder: Of the run.
        again: Of the other.

    Returns:
        Every number of both reports, audits among them, and which files are alike to
        the byte; printable. Files that differ are no fault: times and paths stand in
        some.

    Raises:
        RecordError: If one of them is no run with a report and a seal.
    """
    made = _Made(_ALIKE)
    metrics = [_metrics(each)["evaluations"] for each in (folder, again)]
    made.compare(_METRICS, *metrics)
    made.compare(_TWIN, *(_json(each / _TWIN)["numbers"] for each in (folder, again)))
    mine, theirs = read_seal(folder), read_seal(again)
    return Verification(
        numbers=made.numbers,
        differences=tuple(made.differences),
        same=tuple(name for name in mine if theirs.get(name) == mine[name]),
        changed=tuple(n for n in mine if n in theirs and theirs[n] != mine[n]),
        missing=tuple(name for name in mine if name not in theirs),
        untested=(),
    )


@dataclass
class _Made:
    """What has been compared so far, and how closely."""

    tolerance: float = _CLOSE
    numbers: int = 0
    differences: list[Difference] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)

    def compare(self, where: str, stored: Any, made: Any) -> None:
        """Compare everything inside, place by place."""
        for inner, left, right in _leaves(stored, _plain(made)):
            self.numbers += 1
            if not _same(left, right, self.tolerance):
                self.differences.append(Difference(f"{where} {inner}", left, right))


def _remake(
    folder: Path, metrics: Mapping[str, Any], told: Mapping[str, Any], made: _Made
) -> None:
    """Evaluate and judge again, and compare."""
    run = load_run(folder)
    old = metrics["evaluations"]
    stored = told["numbers"]["evaluations"] if told else {}
    for file, names in ((_METRICS, old), (_TWIN, stored if told else old)):
        for name in sorted({*names} ^ {*run}):
            known = ("there", None) if name in names else (None, "there")
            made.differences.append(Difference(f"{file} {name}", *known))
    if told:
        made.compare(f"{_TWIN} provenance", told["provenance"], metrics["provenance"])
    fresh = {name: _again(*run[name], old[name]) for name in run if name in old}
    for name, evaluation in fresh.items():
        made.compare(f"{_METRICS} {name}", old[name], evaluation.to_dict())
        if name not in stored:
            continue
        judged = judge_evaluation(
            evaluation,
            methods=[(m["method"], m["k"]) for m in stored[name]["methods"]],
            budget=_budget(stored[name]["budget"], fresh, name),
        ).to_dict()
        parts = [*_MADE, *(["budget"] if judged["budget"] else [])]
        for part in parts:
            made.compare(f"{_TWIN} {name} {part}", stored[name][part], judged[part])
        given = [k for k, v in stored[name].items() if v and k not in parts]
        given += ["budget.limit"] if judged["budget"] else []
        made.untested += [f"{name}: {part}" for part in given]


def _budget(
    old: Mapping[str, Any] | None,
    fresh: Mapping[Calibration, Evaluation],
    name: Calibration,
) -> ErrorBudget | None:
    """Split the error again; its limit and the reference's own error were given."""
    if not old or old["seeds"] != 1 or "exact" not in fresh:
        return None
    return error_budget(
        fresh["exact"],
        fresh[name],
        (old["method"], old["k"]),
        quantity=old["quantity"],
        reference_sd=old["reference"],
        limit=old["limit"],
    )


def _sealed(folder: Path) -> tuple[list[str], list[Fault]]:
    """Hold the folder against its seal; a seal that cannot be read is a fault."""
    wanted = "the hashes of all files that the run left"
    if not (folder / SEAL).is_file():
        return [], [Fault(SEAL, "missing", "no file", wanted)]
    try:
        sealed = read_seal(folder)
    except RecordError as error:
        return [], [Fault(SEAL, "changed", str(error), wanted)]
    return faults_of(folder, sealed)


def _traced(
    folder: Path, provenance: Mapping[str, Any], inputs: Mapping[str, Path]
) -> tuple[list[str], list[Fault], list[str]]:
    """Return which files of the provenance are the same, changed, or not at hand."""
    same, faults, away = [], [], []
    for name, entry in provenance.get("files", {}).items():
        fault = fault_of(name, folder / name, entry["sha256"])
        if fault is None:
            same.append(name)
        else:
            faults.append(fault)
    named = provenance.get("inputs", {})
    used = {name.partition(":")[0] for name in named}
    found = hashes_of({k: path for k, path in inputs.items() if k in used})
    for name, entry in named.items():
        now, wanted = found.get(name, {}).get("sha256"), entry["sha256"]
        if now is None:
            away.append(name)
        elif now == wanted:
            same.append(name)
        else:
            fault = Fault(name, "changed", f"SHA-256 {now}", f"SHA-256 {wanted}")
            faults.append(fault)
    return same, faults, away


def _versions(then: Mapping[str, str]) -> Iterator[tuple[str, str, str | None]]:
    """Yield packages that have another version here: name, then, now."""
    for name, version in then.items():
        try:
            found = platform.python_version()
            if name != "python":
                found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            yield name, version, None
            continue
        if found != version:
            yield name, version, found


def _metrics(folder: Path) -> dict[str, Any]:
    """Return what a benchmark has left."""
    found = _json(folder / _METRICS)
    if not {"evaluations", "provenance"} <= found.keys():
        msg = (
            f"{_METRICS} in {folder.name!r} has no evaluations with their provenance; "
            "wanted the folder of a benchmark, e.g. one that evaluate.py has left."
        )
        raise RecordError(msg)
    return found


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
    if isinstance(left, dict) and isinstance(right, dict):
        for key in [*left, *(k for k in right if k not in left)]:
            inner = f"{where}.{key}" if where else str(key)
            yield from _leaves(left.get(key), right.get(key), inner)
    elif isinstance(left, list) and isinstance(right, list):
        if len(left) != len(right):
            yield f"{where} (length)", len(left), len(right)
        for i, (a, b) in enumerate(zip(left, right, strict=False)):
            yield from _leaves(a, b, f"{where}[{i}]")
    else:
        yield where, left, right


def _same(left: object, right: object, tolerance: float) -> bool:
    if isinstance(left, float | int) and isinstance(right, float | int):
        return isclose(left, right, rel_tol=tolerance, abs_tol=tolerance)
    return left == right
