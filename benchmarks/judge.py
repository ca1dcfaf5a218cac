"""Figures of the judge, each beside its bar.

    python benchmarks/judge.py                              # everything
    python benchmarks/judge.py --only metrics,leakage --share 0.1

Virtual people are virtual. Reference data are looked for in ``--data``; what needs them
is left out, and says so, where they are absent. Times mean something on a quiet machine
only.
"""

import argparse
import importlib
import os
import sys
import time
from pathlib import Path
from typing import Final

import torch
from rich.console import Console
from rich.table import Table

PARTS: Final = (
    *("metrics", "circularity", "recorded", "leakage", "coverage", "refusal"),
    *("shuffled", "bootstrap", "tables", "report"),
)

parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
parser.add_argument("--share", type=float, default=1.0, help="of the draws, 0 to 1")
known = Path(os.environ.get("CAPNET_SHARED_DATA", "../shared/data"))
parser.add_argument("--data", type=Path, default=known)
given = parser.parse_args()
unknown = set(given.only.split(",")) - set(PARTS)
if unknown:
    parser.error(f"no part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
if not 0 < given.share <= 1:
    parser.error(f"--share is {given.share:g}; wanted more than 0 and at most 1")
console = Console(width=None if sys.stdout.isatty() else 150)
torch.set_num_threads(1)
missed = 0
for name in given.only.split(","):
    begin, used = time.perf_counter(), time.process_time()
    table = Table("what", "figure", "bar", "", title=name, title_justify="left")
    part = importlib.import_module(f"judge_{name}")
    for row in part.rows(
        share=given.share, data=given.data if given.data.is_dir() else None
    ):
        said = {None: "", True: "yes", False: "NO"}[row.met]
        table.add_row(row.what, row.figure, row.bar, said)
        missed += row.met is False
    console.print(table)
    seconds, cpu = time.perf_counter() - begin, time.process_time() - used
    console.print(f"{name}: {seconds:.0f} s, {cpu:.0f} s of one processor\n")
console.print(f"{missed} bars missed")
