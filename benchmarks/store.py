"""A store of beats: speed, and what a kill, a full disk and a crowd leave of it.

    python benchmarks/store.py                     # all; twelve minutes
    python benchmarks/store.py --only day batches  # day, batches, kill, disk, crowd
    python benchmarks/store.py --quick             # smaller numbers; one minute

The day is a virtual person's, written as WFDB. Times are this machine's.
"""

import argparse
import errno
import hashlib
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from rich.console import Console

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for the failing disk

from capnet.data.stores import beat_store
from capnet.data.stores import key as store_key
from capnet.data.stores.beat_store import Source, build_store
from capnet.data.stores.part import is_whole
from capnet.data.stores.sources import source_of_record
from capnet.errors import CapnetError, StorageError
from capnet.records import Beats
from tests.fakes.failing_disk import failing_disk

SEED: Final = 43
RATES: Final = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}
CHANNELS: Final = ("ppg", "abp", "reference")
MEANT: Final = multiprocessing.get_context("forkserver")
"""Children start from a process that has loaded everything and used nothing."""


# Somebody who works on the library meanwhile does not change the key.
store_key.code_version = beat_store.code_version = lambda: "benchmark"


def table(n: int, seed: int) -> Beats:
    """Return beats of one person who is noise."""
    rng = np.random.default_rng(seed)
    return Beats(
        subject=np.full(n, f"p-{seed:012x}"),
        beat=np.arange(n),
        time=0.8 * np.arange(n),
        duration=np.full(n, 0.8),
        ppg=rng.standard_normal((n, 64)),
        age=np.full(n, 50.0),
        cuff=rng.uniform(60.0, 120.0, (n, 2)),
        cuff_site=np.full(n, "brachial"),
        calibration="exact",
        accepted=np.ones(n, np.bool_),
        reason=np.full(n, ""),
        waves={"abp": rng.standard_normal((n, 64))},
        features={"pat": rng.uniform(0.1, 0.3, n)},
        raw=rng.standard_normal((n, 100)).astype(np.float32),
        start=np.full(n, 20.0),
        stop=np.full(n, 80.0),
        reference=rng.standard_normal((n, 64)),
        reference_type="simulated",
    )


def people(count: int, beats: int, log: Path | None = None) -> list[Source]:
    """Return sources; who makes the beats of one is written into a log."""

    def made(seed: int) -> Callable[[], Iterator[Beats]]:
        def tables() -> Iterator[Beats]:
            if log is not None:
                with log.open("a") as file:
                    file.write(f"{seed}\n")
            for _ in range(4):
                yield table(beats // 4, seed)

        return tables

    return [Source(f"{k}", "virtual", f"{k}", made(k)) for k in range(count)]


def content(folder: Path) -> dict[str, str]:
    """Hash of every file of a store."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def write_day(path: Path, hours: float) -> None:
    """Write one virtual person's ECG, PPG and arterial line as WFDB."""
    from capnet.data.writers.records import RecordWriter
    from capnet.hemodynamics.cohort import Cohort
    from capnet.hemodynamics.sensors import Sensor
    from capnet.hemodynamics.trains import Train

    cohort = Cohort.sample(n=2, seed=SEED)
    train = Train.draw(cohort, seed=SEED, sensor=Sensor.clinic(), sites=())
    names = {"ecg": "II", "ppg": "PLETH", "abp": "ABP"}
    with RecordWriter(path) as writer:
        for strip in train.strips(0, duration=3600.0 * hours, rates=RATES):
            record = strip.record()
            writer.add({names[k]: record.channels[k] for k in names})


def _one(path: Path, folder: Path) -> None:
    """Build the store of a record, say what it cost."""
    begun, used = time.perf_counter(), time.process_time()
    key = bytes(32)
    store = build_store([source_of_record(path, domain="day", key=key)], folder)
    spent, cpu = time.perf_counter() - begun, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    size = (
        sum(file.stat().st_size for file in store.path.rglob("*") if file.is_file())
        / 1e6
    )
    print(
        f"  {len(store):,} beats: {spent:.1f} s, {cpu:.1f} s of CPU, peak {peak:.0f} "
        f"MB of memory, {size:.0f} MB on disk",
        flush=True,
    )


def day(console: Console, home: Path, *, quick: bool) -> None:
    """Print how long a day takes from WFDB to a store."""
    for hours in (1.0,) if quick else (24.0,):
        begun = time.perf_counter()
        write_day(home / "day" / "virtual", hours)
        told = time.perf_counter() - begun
        console.print(
            f"WFDB to store, {hours:g} h of 3 channels (written in {told:.0f} s)"
        )
        for _ in range(2):  # the first may compile
            shutil.rmtree(home / "stores", ignore_errors=True)
            child = MEANT.Process(
                target=_one, args=(home / "day" / "virtual.hea", home / "stores")
            )
            child.start()
            child.join()
    console.print("  bar: 24 h <= 90 s")


def _rate(batches: Iterator[Any], limit: int) -> float:
    """Rows a second, without the first look at the files."""
    begun, rows = time.perf_counter(), 0
    for batch in batches:
        rows += len(batch)
        if rows >= limit:
            break
    return rows / (time.perf_counter() - begun)


def _peers(home: Path, waves: np.ndarray, order: np.ndarray) -> dict[str, float]:
    """Rows a second of the same rows from one memory map, and from one HDF5 file."""
    import h5py  # here: children that build need not load it

    waves.tofile(home / "waves.f32")
    mapped = np.memmap(home / "waves.f32", dtype=np.float32, mode="r").reshape(
        waves.shape
    )
    batches = [order[k : k + 256] for k in range(0, len(order), 256)]
    found = {
        "np.memmap": _rate((mapped[rows] for rows in batches), len(order)),
    }
    with h5py.File(home / "waves.h5", "w") as file:
        file.create_dataset("waves", data=waves, chunks=(256, *waves.shape[1:]))
    with h5py.File(home / "waves.h5", "r") as file:
        rows = batches[: max(len(batches) // 50, 4)]
        found["h5py, rows in order"] = _rate(
            (file["waves"][np.sort(some)] for some in rows), len(order)
        )
    return found


def batches(console: Console, home: Path, *, quick: bool) -> None:
    """Print shuffled batches a second, of several shapes of store."""
    total = 40_000 if quick else 200_000
    for parts in (1, 50) if quick else (1, 100, 1000):
        sources = people(parts, total // parts)
        store = build_store(sources, home / f"parts-{parts}")
        n = len(store)
        told = []
        # All rows at once, and a store eight times as large as what may be held.
        for memory in (1 << 28, n * 3 * 64 * 4 // 8):
            for epoch in range(2):
                found = store.batches(
                    channels=CHANNELS, seed=SEED, epoch=epoch, memory=memory
                )
                speed = _rate(found, n)
            told.append(f"{speed:,.0f} beats/s with {memory / 1e6:.0f} MB")
        console.print(f"{n:,} beats x 3 channels in {parts} parts: {', '.join(told)}")
    order = np.random.default_rng(SEED).permutation(n)
    waves = store.arrays(CHANNELS)
    for name, speed in _peers(home, waves, order).items():
        console.print(f"  peer, {name}: {speed:,.0f} beats/s")
    console.print("  bar: >= 50,000 beats/s in batches of 256, warm, 2 cores")


def _build(folder: Path, count: int, beats: int, log: Path | None = None) -> None:
    build_store(people(count, beats, log), folder)


def kill(console: Console, home: Path, *, quick: bool) -> None:
    """Print what kill -9 at random moments leaves."""
    rng = np.random.default_rng(SEED)
    count, beats, kills = 12, 800, 10 if quick else 50
    for name in ("first", "whole"):  # the first start loads the libraries
        begun = time.perf_counter()
        child = MEANT.Process(target=_build, args=(home / name, count, beats))
        child.start()
        child.join()
        length = time.perf_counter() - begun
    (store,) = (path for path in (home / "whole").iterdir() if path.is_dir())
    wanted = content(store)
    corrupt = half = resumed = 0
    for k in range(kills):
        folder, log = home / f"killed-{k}", home / f"log-{k}"
        child = MEANT.Process(target=_build, args=(folder, count, beats, log))
        child.start()
        time.sleep(rng.uniform(0.0, length))
        child.kill()
        child.join()
        parts = [p.with_suffix(".parquet") for p in folder.glob("*/parts/*.sha256")]
        done = (folder / store.name / "store.json").exists()
        half += bool(parts) and not done
        if done:  # the parts are on their way out; the store itself must be whole
            left = content(folder / store.name)
            odd = [name for name in wanted if left.get(name) != wanted[name]]
        else:
            odd = [part.name for part in parts if not is_whole(part)]
        corrupt += len(odd)
        if odd:
            state = "finished" if done else "unfinished"
            console.print(f"  after kill {k}, {state}: {odd} are damaged")
        kept = count if done else sum(".beats." in part.name for part in parts)
        log.write_text("")
        child = MEANT.Process(target=_build, args=(folder, count, beats, log))
        child.start()
        child.join()
        found = content(folder / store.name)
        corrupt += found != wanted
        if found != wanted:
            differ = sorted(dict(found.items() ^ wanted.items()))
            console.print(f"  after kill {k}: {differ} differ")
        resumed += len(log.read_text().split()) == count - kept
        shutil.rmtree(folder, ignore_errors=True)
    console.print(
        f"kill -9 at {kills} moments of {length:.1f} s: {corrupt} corrupt, {half} left "
        f"some of {count} parts, {resumed} built only what was missing "
        f"(bars: 0 corrupt, all {kills})"
    )


def _limited(folder: Path, limit: int, count: int, beats: int, answer: Any) -> None:
    """Build where no file may be larger than some bytes."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        build_store(people(count, beats), folder)
        answer.send("built")
    except StorageError as error:
        answer.send("told" if "could not be written" in str(error) else str(error))
    except Exception as error:  # noqa: BLE001 - what is not typed is counted
        answer.send(f"{type(error).__name__}: {error}")


def _swept(folder: Path, wanted: dict[str, str], key: str) -> tuple[bool, bool]:
    """Say whether what a failure left is old or new, and is completed."""
    path = folder / key
    done = (path / "store.json").exists()
    seals = [*path.glob("parts/*.sha256")]
    good = all(done or is_whole(seal.with_suffix(".parquet")) for seal in seals)
    if done:
        left = content(path)
        good &= all(left.get(name) == digest for name, digest in wanted.items())
    build_store(people(1, 40), folder)
    return good, content(path) == wanted


def disk(console: Console, home: Path, *, quick: bool) -> None:
    """Print what failing calls and limits of size leave."""
    store = build_store(people(1, 40), home / "whole")
    wanted = content(store.path)
    with failing_disk() as counted:
        build_store(people(1, 40), home / "counted")
    calls = len(counted.calls)
    bad = silent = other = runs = 0
    kinds: dict[str, int] = {}
    once = [(errno.ENOSPC, False), (errno.EIO, False), (errno.EINTR, False)]
    for error, again in [*once, (errno.ENOSPC, True)]:
        for n in range(0, calls, 7 if quick else 1):
            folder, runs = home / "failing", runs + 1
            with failing_disk(n, error=error, again=again) as failing:
                try:
                    build_store(people(1, 40), folder)
                    silent += 1
                except CapnetError as told:
                    other += str(folder) not in str(told)
                except Exception as told:  # noqa: BLE001 - counted
                    name = type(told).__name__
                    kinds[name] = kinds.get(name, 0) + 1
            assert failing.calls
            bad += _swept(folder, wanted, store.key) != (True, True)
            shutil.rmtree(folder, ignore_errors=True)
    console.print(
        f"{runs:,} failures (each of {calls} calls x ENOSPC, EIO, EINTR, and a full "
        f"disk from then on): {bad} half or not completed, {sum(kinds.values())} of a "
        f"wrong type {kinds or ''}, {other} without the place; {silent} did no "
        "harm (bars: 0)"
    )
    sizes = [p.stat().st_size for p in store.path.rglob("*") if p.is_file()]
    limits = np.unique(np.linspace(0, max(sizes) + 1, 8 if quick else 30).astype(int))
    answers: dict[str, int] = {}
    bad = 0
    for limit in limits:
        here, there = MEANT.Pipe()
        folder = home / "limited"
        child = MEANT.Process(target=_limited, args=(folder, int(limit), 1, 40, there))
        child.start()
        said = here.recv()
        child.join()
        answers[said] = answers.get(said, 0) + 1
        bad += _swept(folder, wanted, store.key) != (True, True)
        shutil.rmtree(folder)
    console.print(
        f"RLIMIT_FSIZE at {len(limits)} sizes: {answers}, {bad} half or not completed "
        "(bar: 0)"
    )


def _wanted(folder: Path, log: Path, start: Any, answer: Any) -> None:
    start.wait()
    try:
        store = build_store(people(4, 400, log), folder)
        answer.put(f"{store.key} {len(store.beats())}")
    except Exception as error:  # noqa: BLE001 - counted
        answer.put(f"{type(error).__name__}: {error}")


def crowd(console: Console, home: Path, *, quick: bool) -> None:
    """Print what processes make that want one store at once."""
    rounds, size = (5, 8) if quick else (50, 16)
    errors = twice = odd = 0
    seen: set[str] = set()
    for k in range(rounds):
        folder, log = home / f"cold-{k}", home / f"log-{k}"
        start, answer = MEANT.Barrier(size), MEANT.Queue()
        children = [
            MEANT.Process(target=_wanted, args=(folder, log, start, answer))
            for _ in range(size)
        ]
        for child in children:
            child.start()
        said = [answer.get() for _ in children]
        for child in children:
            child.join()
        errors += sum(":" in word for word in said)
        odd += len(set(said)) != 1
        twice += sorted(log.read_text().split()) != ["0", "1", "2", "3"]
        seen |= {str(content(path)) for path in folder.iterdir() if path.is_dir()}
        shutil.rmtree(folder)
    console.print(
        f"{size} processes on one cold folder, {rounds} rounds: {errors} errors, "
        f"{twice} rounds in which a part was built twice, {odd} with other answers, "
        f"{len(seen)} contents (bars: 0, 0, 0, 1)"
    )


PARTS: Final = {
    "day": day,
    "batches": batches,
    "kill": kill,
    "disk": disk,
    "crowd": crowd,
}


def main() -> None:
    """Run the benchmarks asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="smaller numbers")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=[*PARTS])
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "2"
    MEANT.set_forkserver_preload(
        ["capnet.data.stores.beat_store", "capnet.data.stores.gather"]
    )
    console = Console(width=None if sys.stdout.isatty() else 120)
    for name in given.only:
        with tempfile.TemporaryDirectory() as home:
            PARTS[name](console, Path(home), quick=given.quick)


if __name__ == "__main__":
    main()
