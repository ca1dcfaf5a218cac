"""Adversarial arrays: what every public function of signals and features survives.

    python benchmarks/signal_adversarial.py            # 2,000 arrays a function
    python benchmarks/signal_adversarial.py --quick

Arrays are those of ``tests/signal/adversarial.py``: ECG- and pulse-like, torn, clipped,
scaled by 1e-30 to 1e30, of every type and layout, and what is no channel at all. A
function must answer or raise a `CapnetError`, without a warning, an infinity, a number
made of nothing, or a row of NaN without its reason.
"""

import argparse
import os
import sys
import time
import traceback
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]


def report(console: Console, *, quick: bool, data: Path) -> None:  # noqa: ARG001
    """Print a table with one row a function.

    Args:
        console: Where to.
        quick: 30 arrays instead of 2,000.
        data: Not looked at: all arrays are made.
    """
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    from tests.signal.adversarial import CALLS

    cases = 30 if quick else 2000
    table = Table(title=f"Adversarial arrays, {cases:,} a function (seed 0)")
    for column in ("function", "drawn", "answered", "refused", "s", "fault"):
        table.add_column(column)
    faults = 0
    for name, asked in CALLS.items():
        begin = time.process_time()
        answered, refused, fault = survived(name, cases=cases)
        faults += fault != ""
        used = f"{time.process_time() - begin:.1f}"
        table.add_row(name, asked.kind, f"{answered:,}", f"{refused:,}", used, fault)
    table.caption = f"{faults} functions with a fault (bar: 0)"
    console.print(table)


def survived(name: str, *, cases: int) -> tuple[int, int, str]:
    """Give arrays to a function.

    Args:
        name: A key of ``CALLS``.
        cases: How many.

    Returns:
        How many were answered, how many refused, and the first fault, or "".
    """
    from hypothesis import HealthCheck, given, seed, settings

    from tests.signal.adversarial import call, drawn

    counts = [0, 0]

    @seed(0)
    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(values=drawn(name))
    def hold_out(values: object) -> None:
        counts[call(name, values) is None] += 1

    try:
        hold_out()
    except Exception as error:  # noqa: BLE001  whatever it is, it is looked for
        own = list(traceback.extract_tb(error.__traceback__))
        at = next((f for f in reversed(own) if "/capnet/" in f.filename), own[-1])
        where = f"{Path(at.filename).name}:{at.lineno}"
        return *counts, f"{type(error).__name__}: {error} ({where})"[:120]
    return *counts, ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few cases, to try it out")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given_ = parser.parse_args()
    torch.set_num_threads(1)
    width = None if sys.stdout.isatty() else 150
    report(Console(width=width), quick=given_.quick, data=given_.data)
