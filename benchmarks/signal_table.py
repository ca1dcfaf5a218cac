"""Make the table of beats of a recording on disk, and say what it cost, as JSON.

    python benchmarks/signal_table.py FOLDER HOURS beats|features

`benchmarks/signal_day.py` writes the recording and runs this in a fresh process that
has loaded nothing else, so that its memory is what a user needs.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from capnet.features import feature_tables
from capnet.records import Beats, Record, Signal
from capnet.signal.beats import beats_in

HOUR: Final = 3600.0
RATES: Final = {"ecg": 250.0, "ppg": 125.0}
UNITS: Final = {"ecg": "mV", "ppg": "NU"}
PART: Final = 60.0
"""s that are read at a time."""


def parts(folder: Path, hours: float) -> Iterator[Record]:
    """Read it again, a minute at a time."""
    for k in range(round(hours * HOUR / PART)):
        channels = {}
        for name, rate in RATES.items():
            count = round(PART * rate)
            offset = 4 * k * count
            values = np.fromfile(
                folder / f"{name}.f32", dtype="<f4", count=count, offset=offset
            )
            channels[name] = Signal(values, rate, UNITS[name], k * PART)
        yield Record("virtual", channels)


def _memory() -> dict[str, float]:
    """MB that this process has in memory: most ever, and what of it no file backs.

    `getrusage` would not do: a child inherits the maximum of its parent.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    known = {line.split(":")[0]: line.split()[1] for line in lines if "kB" in line}
    return {
        "peak": float(known["VmHWM"]) / 1024,
        "own": float(known["RssAnon"]) / 1024,
    }


def work(folder: Path, hours: float, what: str) -> dict[str, float]:
    """Make the table of beats in this process, and say what it cost."""
    base = _memory()["peak"]
    begin, used, rows, accepted = time.perf_counter(), time.process_time(), 0, 0
    for part in (
        beats_in(parts(folder, hours))
        if what == "beats"
        else feature_tables(parts(folder, hours))
    ):
        rows += len(part)
        good = part.accepted if isinstance(part, Beats) else part["accepted"]
        accepted += int(np.asarray(good).sum())
    return {
        "seconds": time.perf_counter() - begin,
        "cpu": time.process_time() - used,
        "rows": rows,
        "accepted": accepted / max(rows, 1),
        "base": base,
        **_memory(),
    }


if __name__ == "__main__":
    cost = work(Path(sys.argv[1]), float(sys.argv[2]), sys.argv[3])
    sys.stdout.write(json.dumps(cost) + "\n")
