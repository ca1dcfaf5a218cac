"""Damaged files at every door: read exactly, or refused with one typed error.

    python benchmarks/fuzz_readers.py                          # 10,000 of each format
    python benchmarks/fuzz_readers.py --format wfdb --cases 500 --seed 7
    python benchmarks/fuzz_readers.py --format wfdb --only 123  # one case, told in full
    python benchmarks/fuzz_readers.py --data ../shared/data     # real records as well

Each format has a module ``fuzz_<format>.py`` beside this one, see `Fuzz`. A worker
process makes and reads the damaged copies, so that a crash, a hang and the memory of a
reader are seen; case number n of a seed is the same on every machine. Two more tables:
names that lead out of the folder, and files that declare more than there is.
"""

import argparse
import contextlib
import importlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final, Protocol, cast

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from capnet.data.readers import read_record
from capnet.errors import CapnetError
from capnet.records import Record

FORMATS: Final = ("wfdb", "edf", "vital", "pulsedb", "csv", "parquet", "npz")
CASES: Final = 10_000
ESCAPES: Final = 1_000
PATIENCE: Final = 5.0
"""s; a reader that takes longer hangs."""
REFUSAL: Final = 1.0
"""s that refusing a huge declaration may take."""
ROOM: Final = 200.0
"""MB, and twice the size of the file, that a reader may add to what it holds."""
CEILING: Final = 6 << 30
"""Bytes of address space of the worker: what asks for more fails."""
SECRET: Final = "CANARY-4711"
"""What stands in the file outside the folder."""


class Fuzz(Protocol):
    """What the module of a format offers.

    ``escape`` and ``huge`` are optional. Real files are found with `shared`.
    """

    NAME: str

    def originals(self, folder: Path) -> list[Path]:
        """Write small valid files into a folder of their own; return what is read."""

    def mutate(
        self, original: Path, folder: Path, rng: np.random.Generator
    ) -> tuple[Path, str]:
        """Write a damaged copy into an empty folder; return its path and the kind."""

    def wrongly_accepted(self, record: Record, original: Path, mutated: Path) -> str:
        """Say why what was read should have been refused; empty if it is right."""

    def escape(
        self, original: Path, folder: Path, outside: Path, rng: np.random.Generator
    ) -> tuple[Path, str]:
        """Write a copy that names a file in ``outside``, a folder that exists.

        The file there is put by this function. Return the path and the kind.
        """

    def huge(self, folder: Path) -> list[tuple[Path, str]]:
        """Write files that declare 1e12 samples, 1e9 signals, themselves ..."""


def shared(name: str) -> Path | None:
    """Return a folder of real records, or None where there is none."""
    root = os.environ.get("CAPNET_SHARED_DATA")
    folder = Path(root) / name if root else None
    return folder if folder is not None and folder.is_dir() else None


@dataclass(frozen=True)
class Verdict:
    """What became of one case.

    Attributes:
        kind: Of damage.
        outcome: ``refused``, ``accepted``, ``crash``, ``hang``, ``wrong type``,
            ``wrongly accepted`` or ``bench`` (an error of the benchmark itself).
        told: Message or reason.
        seconds: The reader took.
        memory: MB that it added at its peak.
        allowed: MB that it may add.
    """

    kind: str
    outcome: str
    told: str = ""
    seconds: float = 0.0
    memory: float = 0.0
    allowed: float = ROOM


def _status(pid: int) -> tuple[float, float]:
    """Return present and peak memory of a process in MB."""
    found = {"VmRSS": 0.0, "VmHWM": 0.0}
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            key, _, rest = line.partition(":")
            if key in found:
                found[key] = float(rest.split()[0]) / 1024.0
    return found["VmRSS"], found["VmHWM"]


def _family() -> list[int]:
    """Return this process and those that it started."""
    me = os.getpid()
    pids = [me]
    for task in Path(f"/proc/{me}/task").iterdir():
        with contextlib.suppress(OSError):
            pids += map(int, (task / "children").read_text().split())
    return pids


class _Memory:
    """Peak memory that a stretch of work adds, here and in child processes."""

    _NEW: Final = 150.0
    """MB that an interpreter with its libraries takes before it does anything."""

    def __init__(self) -> None:
        self._before = {}
        for pid in _family():
            with contextlib.suppress(OSError):
                Path(f"/proc/{pid}/clear_refs").write_text("5")  # resets the peak
            self._before[pid] = _status(pid)[0]

    def added(self) -> float:
        return max(
            _status(pid)[1] - self._before.get(pid, self._NEW) for pid in _family()
        )


def _size(path: Path) -> float:
    """MB of a file and its neighbours: a record may be several files."""
    files = [path] if path.is_file() else []
    files += [p for p in path.parent.iterdir() if p.is_file() and p != path]
    return sum(p.stat().st_size for p in files) / 2.0**20


def _judge(
    fuzz: Fuzz | None,
    original: Path | None,
    mutated: Path,
    kind: str,
    refuse: bool,
) -> Verdict:
    allowed = ROOM + 2.0 * _size(mutated)
    memory, began = _Memory(), time.perf_counter()
    record, outcome, told = None, "refused", ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # a door that warns has not decided
            record = read_record(mutated)
    except CapnetError as error:
        told = f"{type(error).__name__}: {error}"
        if "\n" in told or SECRET in told:
            outcome, told = "wrong type", f"message of lines or secrets: {told!r}"
    except BaseException as error:  # noqa: BLE001 (what is counted here)
        outcome, told = "wrong type", f"{type(error).__name__}: {error}"
        told += " | " + traceback.format_exc().strip().replace("\n", " / ")[-600:]
    seconds, added = time.perf_counter() - began, memory.added()
    if record is not None:
        outcome = "accepted"
        if refuse:
            outcome, told = "wrongly accepted", "nothing refused it"
        elif fuzz is not None and original is not None:
            try:
                told = fuzz.wrongly_accepted(record, original, mutated)
                outcome = "wrongly accepted" if told else outcome
            except Exception:  # noqa: BLE001 (an error of the benchmark)
                outcome, told = "bench", traceback.format_exc()
    return Verdict(kind, outcome, told, seconds, added, allowed)


def _work(pipe: Connection, name: str, section: str, seed: int, root: str) -> None:
    """Make and read cases until told to stop."""
    resource.setrlimit(resource.RLIMIT_AS, (CEILING, CEILING))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fuzz = _module(name)
    opened: list[str] = []
    outside = Path(root) / "outside"
    guard = str(outside.resolve())
    if section == "escapes":

        def heard(event: str, arguments: tuple[object, ...]) -> None:
            path = arguments[0] if event == "open" else None
            if isinstance(path, str) and os.path.realpath(path).startswith(guard):
                opened.append(path)

        sys.addaudithook(heard)
    originals = [Path(p) for p in pipe.recv()]
    warm = next((p for p in originals), None)
    if warm is not None:
        with contextlib.suppress(CapnetError):
            read_record(warm)  # what is loaded on first use is no case's
    pipe.send("ready")
    huge = fuzz.huge(Path(root) / "huge") if section == "huge" else []
    while (number := pipe.recv()) is not None:
        rng = np.random.default_rng([seed, number])
        case = Path(root) / f"case{number}"
        case.mkdir(parents=True)
        original, refuse = None, section != "cases"
        try:
            if section == "huge":
                mutated, kind = huge[number]
            else:
                original = originals[int(rng.integers(len(originals)))]
                if section == "escapes":
                    outside.mkdir(exist_ok=True)
                    mutated, kind = fuzz.escape(original, case, outside, rng)
                else:
                    mutated, kind = fuzz.mutate(original, case, rng)
        except Exception:  # noqa: BLE001 (an error of the benchmark)
            pipe.send("begin")
            pipe.send(Verdict("", "bench", traceback.format_exc()))
            continue
        opened.clear()
        pipe.send("begin")
        verdict = _judge(fuzz, original, mutated, kind, refuse)
        if opened:
            verdict = Verdict(kind, "wrongly accepted", f"opened {opened[0]}")
        pipe.send(verdict)
        shutil.rmtree(case, ignore_errors=True)
        shutil.rmtree(outside, ignore_errors=True)


def _module(name: str) -> Fuzz:
    sys.path.insert(0, str(Path(__file__).parent))
    return cast("Fuzz", importlib.import_module(f"fuzz_{name}"))


class Worker:
    """A process that reads, and is started anew when it dies or hangs."""

    def __init__(self, name: str, section: str, seed: int, root: Path) -> None:
        self._arguments = (name, section, seed, str(root))
        self._process: multiprocessing.process.BaseProcess | None = None
        self._originals = (root / "list").read_text().split("\n")

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, other = context.Pipe()
        self._process = context.Process(
            target=_work, args=(other, *self._arguments), daemon=False
        )
        self._process.start()
        other.close()
        self._pipe.send(self._originals)
        if not self._pipe.poll(120.0) or self._pipe.recv() != "ready":
            msg = "the worker does not start"
            raise RuntimeError(msg)

    def judge(self, number: int) -> Verdict:
        """Have one case judged."""
        if self._process is None:
            self._start()
        try:
            self._pipe.send(number)
            if not self._pipe.poll(60.0):
                return self._ended("bench", "making the case takes a minute")
            self._pipe.recv()
            # The check of what was accepted has its time, too.
            if not self._pipe.poll(PATIENCE + 15.0):
                return self._ended("hang", f"case {number}")
            verdict: Verdict = self._pipe.recv()
        except (EOFError, ConnectionError):
            return self._ended("crash", f"case {number}")
        if verdict.seconds > PATIENCE:
            return Verdict(verdict.kind, "hang", verdict.told, verdict.seconds)
        return verdict

    def _ended(self, outcome: str, told: str) -> Verdict:
        self.close()
        return Verdict("", outcome, told)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            with contextlib.suppress(OSError):
                self._pipe.send(None)
            self._process.join(2.0)
            if self._process.is_alive():
                self._process.kill()
                self._process.join()
            self._process = None


@dataclass
class Tally:
    """Cases of one format, counted."""

    name: str
    counts: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: float = 0.0
    memory: float = 0.0
    too_much: int = 0

    def add(self, number: int, verdict: Verdict, *, limit: float) -> None:
        """Count one."""
        self.counts[verdict.outcome] += 1
        self.kinds[f"{verdict.kind}: {verdict.outcome}"] += 1
        self.slowest = max(self.slowest, verdict.seconds)
        self.memory = max(self.memory, verdict.memory)
        over = verdict.memory > verdict.allowed
        self.too_much += over
        wrong = verdict.outcome not in ("refused", "accepted")
        if wrong or over or verdict.seconds > limit:
            self.failures.append(
                f"{self.name} {number} [{verdict.kind}] {verdict.outcome}: "
                f"{verdict.told} ({verdict.seconds:.2f} s, {verdict.memory:.0f} MB)"
            )


def run(
    name: str,
    section: str,
    numbers: Callable[[Fuzz], range] | range,
    *,
    seed: int,
    limit: float = PATIENCE,
    tell: Callable[[int, Verdict], None] | None = None,
) -> Tally:
    """Judge cases of one format in a temporary folder."""
    fuzz = _module(name)
    with tempfile.TemporaryDirectory() as text:
        root = Path(text)
        for folder in ("originals", "huge"):
            (root / folder).mkdir()
        originals = fuzz.originals(root / "originals")
        (root / "list").write_text("\n".join(map(str, originals)))
        for path in originals:
            why = fuzz.wrongly_accepted(read_record(path), path, path)
            if why:
                msg = f"{path.name} is no valid original: {why}"
                raise RuntimeError(msg)
        if not isinstance(numbers, range):
            numbers = numbers(fuzz)
        tally = Tally(name)
        worker = Worker(name, section, seed, root)
        try:
            for number in _shown(numbers, f"{section} of {name}"):
                verdict = worker.judge(number)
                tally.add(number, verdict, limit=limit)
                if tell is not None:
                    tell(number, verdict)
        finally:
            worker.close()
    return tally


def _shown(numbers: range, what: str) -> Iterator[int]:
    console = Console(stderr=True)
    yield from track(numbers, what, console=console, disable=not console.is_terminal)


_COLUMNS: Final = (
    ("crashes", "crash"),
    ("hangs > 5 s", "hang"),
    ("wrong types", "wrong type"),
    ("wrongly accepted", "wrongly accepted"),
    ("errors of the bench", "bench"),
)


def table(title: str, tallies: list[Tally], *, limit: float) -> Table:
    """Lay out the counts beside the bars."""
    shown = Table(title=title)
    for column in ("format", "cases", "refused", "accepted"):
        shown.add_column(column)
    for column, _ in _COLUMNS:
        shown.add_column(column)
    for column in ("slowest, s", "peak added, MB", "over the memory"):
        shown.add_column(column)
    for tally in tallies:
        c = tally.counts
        shown.add_row(
            tally.name,
            str(c.total()),
            str(c["refused"]),
            str(c["accepted"]),
            *(str(c[key]) for _, key in _COLUMNS),
            f"{tally.slowest:.2f}",
            f"{tally.memory:.0f}",
            str(tally.too_much),
        )
    zeros = ["0"] * len(_COLUMNS)
    room = f"{ROOM:g} + 2 x file"
    shown.add_row("bar", "", "", "", *zeros, f"{limit:g}", room, "0", style="bold")
    return shown


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--format", choices=FORMATS, action="append")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--escapes", type=int, default=ESCAPES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, help="run this case and tell all of it")
    parser.add_argument("--data", type=Path, help="folder of real records")
    parser.add_argument("--kinds", action="store_true", help="count kinds of damage")
    given = parser.parse_args()
    if given.data is not None:
        os.environ["CAPNET_SHARED_DATA"] = str(given.data.resolve())
    else:
        os.environ.pop("CAPNET_SHARED_DATA", None)
    console = Console(width=max(Console().width, 130))
    here = Path(__file__).parent
    names = given.format or [f for f in FORMATS if (here / f"fuzz_{f}.py").is_file()]
    if given.only is not None:
        numbers = range(given.only, given.only + 1)
        for name in names:
            run(name, "cases", numbers, seed=given.seed, tell=console.print)
        return
    cases = [run(name, "cases", range(given.cases), seed=given.seed) for name in names]
    console.print(table("Damaged files", cases, limit=PATIENCE))
    naming = [name for name in names if hasattr(_module(name), "escape")]
    escapes = [
        run(name, "escapes", range(-(-given.escapes // len(naming))), seed=given.seed)
        for name in naming
    ]
    console.print(table("Names that lead out", escapes, limit=PATIENCE))
    declaring = [name for name in names if hasattr(_module(name), "huge")]
    huge = [
        run(name, "huge", _declared, seed=given.seed, limit=REFUSAL)
        for name in declaring
    ]
    console.print(table("Declared sizes", huge, limit=REFUSAL))
    for tally in (*cases, *escapes, *huge):
        for failure in tally.failures[:20]:
            console.print(failure, style="red", markup=False)
        if given.kinds:
            for kind, count in sorted(tally.kinds.items()):
                console.print(f"{tally.name}  {kind}  {count}", markup=False)


def _declared(fuzz: Fuzz) -> range:
    with tempfile.TemporaryDirectory() as folder:
        return range(len(fuzz.huge(Path(folder))))


if __name__ == "__main__":
    main()
