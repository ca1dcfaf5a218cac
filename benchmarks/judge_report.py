"""The report of ten thousand made-up subjects: time, memory, size, Chromium's word.

Each page is made in a process of its own, so that its peak memory is that of the judge
with all that it was given: predictions, truth, scores, and the page.
"""

import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from judge_table import Row

from capnet.evaluation import benchmark_report, evaluate, write_report
from capnet.evaluation.floors import missing_floors
from capnet.evaluation.truth import Truth
from capnet.prediction import Prediction

__all__ = ["rows"]

SUBJECTS, BEATS = 10_000, 100
SECONDS, MEMORY, SIZE = 60.0, 2.0, 5_000_000
GIB = 2**30


@dataclass(frozen=True)
class Cost:
    """What one page has cost.

    Attributes:
        subjects: That were judged.
        methods: Rows of the table.
        given: GiB of memory before the judge was called: inputs and libraries.
        seconds: From `evaluate` to the written page, wall.
        busy: Likewise, seconds of processor time.
        peak: GiB, of the whole process.
        size: Bytes of the page.
    """

    subjects: int
    methods: int
    given: float
    seconds: float
    busy: float
    peak: float
    size: int


def _peak() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (GIB if sys.platform == "darwin" else 2**20)


def _wave() -> np.ndarray:
    """A pulse from 0 to 1 with a second bump. Shape (64,)."""
    phase = np.arange(64) / 64
    shape = np.exp(-(((phase - 0.25) / 0.15) ** 2))
    shape = shape + 0.3 * np.exp(-(((phase - 0.55) / 0.12) ** 2))
    return ((shape - shape.min()) / np.ptp(shape)).astype(np.float32)


def _truth(subjects: int, *, waves: bool) -> Truth:
    """Draw people, their beats, an arm reading each, and what the gate refuses."""
    rng = np.random.default_rng(0)
    n = subjects * BEATS
    person = np.repeat(np.arange(subjects), BEATS)
    sbp = rng.normal(120, 15, subjects)[person] + rng.normal(0, 4, n)
    pp = rng.normal(45, 8, subjects).clip(25)[person] + rng.normal(0, 2, n)
    arm = sbp + rng.normal(9, 4, subjects)[person]
    shape = _wave()
    mean = sbp - pp + float(shape.mean()) * pp
    reference = None
    if waves:
        reference = pp.astype(np.float32)[:, None] * shape
        reference += (sbp - pp).astype(np.float32)[:, None]
    gone = rng.random(n) < 0.05
    why = np.array(["", "the PPG is clipped", "the ECG is flat"])
    return Truth(
        subject=np.array([f"v{i:05d}" for i in range(subjects)])[person],
        beat=np.tile(np.arange(BEATS), subjects),
        time=np.tile(np.arange(BEATS) * 0.85, subjects),
        duration=np.full(n, 0.85),
        pressures=np.stack([sbp, sbp - pp, mean, pp], axis=1),
        reference=reference,
        reference_type="simulated",
        calibration="cuff SBP/DBP",
        cuff=np.stack([arm, sbp - pp], axis=1)[person * BEATS],
        age=rng.uniform(20, 80, subjects)[person],
        hr=rng.normal(70, 10, subjects)[person],
        sex=np.where(rng.random(subjects) < 0.5, "female", "male")[person],
        accepted=~gone,
        reason=why[np.where(gone, rng.integers(1, 3, n), 0)],
        truth={"brachial_sbp": arm},
        features={"quality": rng.random(n)},
    )


def _answer(
    truth: Truth, method: str, *, spread: float, seed: int, waves: bool, **more: Any
) -> Prediction:
    """Say the truth with an error of each person (mmHg, SD ``spread``) and beat."""
    rng = np.random.default_rng(seed)
    n = len(truth)
    error = np.repeat(rng.normal(0, spread, n // BEATS), BEATS) + rng.normal(0, 2, n)
    values = np.where(truth.accepted[:, None], truth.pressures, np.nan)
    values[:, :3] += error[:, None]
    wave = None
    if waves and truth.reference is not None:
        wave = truth.reference + error.astype(np.float32)[:, None]
        wave[~truth.accepted] = np.nan
    return Prediction(
        method=method,
        calibration=truth.calibration,
        subject=truth.subject,
        beat=truth.beat,
        time=truth.time,
        duration=truth.duration,
        waveform=wave,
        csbp=values[:, 0],
        cdbp=values[:, 1],
        cmap=values[:, 2],
        cpp=values[:, 3],
        accepted=truth.accepted,
        reason=truth.reason,
        **more,
    )


def _rows(truth: Truth, *, waves: bool) -> list[Prediction]:
    """One deep row with intervals and doubt, and what the gate demands beside it."""
    deep = _answer(truth, "net", spread=4.0, seed=1, waves=waves, role="deep", k=0)
    values = np.stack([deep.csbp, deep.cdbp, deep.cmap, deep.cpp], axis=1)
    doubt = np.abs(deep.csbp - truth.pressures[:, 0])
    doubt += np.random.default_rng(2).normal(0, 3, len(truth))
    deep = deep.replace(
        # Less is demanded beside a row that looks at the reading alone.
        inputs=("cuff",) if waves else ("cuff", "ppg"),
        low=values - 7.4,
        high=values + 7.4,
        coverage=0.9,
        doubt=doubt,
    )
    found = [deep]
    for seed, demand in enumerate(missing_floors([deep], truth), start=3):
        row = _answer(
            truth,
            demand.family,
            spread=6.0,
            seed=seed,
            waves=waves and demand.family == "cuff posterior",
            role="floor" if demand.inputs else "control",
            k=0,
            family=demand.family,
            inputs=tuple(sorted(demand.inputs)),
        )
        found.append(row)
    return found


def _make(subjects: int, waves: bool, page: Path) -> Cost:
    """Judge and report; run in a process of its own."""
    truth = _truth(subjects, waves=waves)
    predictions = _rows(truth, waves=waves)
    given = _peak()
    wall, busy = time.perf_counter(), time.process_time()
    evaluation = evaluate(predictions, truth, seed=0)
    report = benchmark_report({truth.calibration: evaluation}, {"seed": 0})
    write_report(page, report)
    return Cost(
        subjects=subjects,
        methods=len(predictions),
        given=given,
        seconds=time.perf_counter() - wall,
        busy=time.process_time() - busy,
        peak=_peak(),
        size=page.stat().st_size,
    )


def _cost(subjects: int, *, waves: bool, page: Path) -> Cost:
    # A program of its own: multiprocessing would run the harness once more in it.
    asked = [sys.executable, __file__, str(subjects), "waves" * waves, str(page)]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        msg = f"the page of {subjects} subjects was not made: {done.stderr[-2000:]}"
        raise RuntimeError(msg)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def _opened(page: Path) -> tuple[list[str], list[str]] | None:
    """Return the requests and console messages of a page; None without Chromium."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        return None
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu"):
        options.add_argument(word)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    service = webdriver.ChromeService(executable_path=driver)
    with webdriver.Chrome(options=options, service=service) as chromium:
        chromium.get(page.as_uri())
        events = [
            json.loads(entry["message"])["message"]
            for entry in chromium.get_log("performance")
        ]
        said = [entry["message"] for entry in chromium.get_log("browser")]
    asked = [
        event["params"]["request"]["url"]
        for event in events
        if event["method"] == "Network.requestWillBeSent"
    ]
    inside = ("data:", page.as_uri())
    return [url for url in asked if not url.startswith(inside)], said


def _told(cost: Cost, what: str) -> Iterator[Row]:
    whole = f"report, {cost.subjects} subjects x {BEATS} beats, {what}"
    yield Row(
        f"{whole}, {cost.methods} methods: evaluate to written page",
        f"{cost.seconds:.1f} s wall, {cost.busy:.1f} s of one processor",
        f"<= {SECONDS:g} s",
        cost.seconds <= SECONDS,
    )
    yield Row(
        f"{whole}: peak memory of the process",
        f"{cost.peak:.2f} GiB, {cost.given:.2f} of it inputs and libraries",
        f"<= {MEMORY:g} GiB",
        cost.peak <= MEMORY,
    )
    yield Row(
        f"{whole}: page",
        f"{cost.size / 1e6:.2f} MB",
        f"<= {SIZE / 1e6:g} MB",
        cost.size <= SIZE,
    )


def rows(*, share: float, data: Path | None) -> Iterator[Row]:  # noqa: ARG001
    """Make two pages, one of numbers and one of waves, and open the second.

    Args:
        share: Of the subjects.
        data: Not needed: everybody here is made up.
    """
    subjects = max(50, round(share * SUBJECTS))
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        yield from _told(_cost(subjects, waves=False, page=page), "numbers")
        cost = _cost(subjects, waves=True, page=page)
        yield from _told(cost, "float32 waves of the truth and of 2 methods")
        opened = _opened(page)
    if opened is None:
        yield Row("report: headless Chromium", "not installed")
        return
    asked, said = opened
    yield Row(
        "report: errors in the console, requests to the outside",
        f"{len(said)}, {len(asked)}",
        "0, 0",
        not asked and not said,
    )


if __name__ == "__main__":
    subjects, waves, page = sys.argv[1:]
    print(json.dumps(asdict(_make(int(subjects), bool(waves), Path(page)))))
