"""Unpack archives that try to get out of their folder; none may.

    python benchmarks/archives.py [--cases 1000] [--seed 0]

Each archive (zip, tar, tar.gz) is drawn by `tests.fakes.make_archive`: names that
climb, absolute and foreign names, links, devices, names that are one file on some
disks, bombs, lies about sizes, cut and flipped ones. After each the folder around must
be as it was: nothing beside, nothing changed, nothing left. Bar: 0 escapes, 0 accepted,
0 other errors.
"""

import argparse
import hashlib
import resource
import shutil
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capnet.data.catalog.archives import unpack
from capnet.errors import RecordError
from tests.fakes.make_archive import GOOD, honest, hostile


def seen(folder: Path) -> dict[str, str]:
    """Return everything in a folder: kind, permissions, hash."""
    found = {}
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        plain = path.is_file() and not path.is_symlink()
        digest = hashlib.sha256(path.read_bytes()).hexdigest() if plain else ""
        found[str(path.relative_to(folder))] = f"{info.st_mode:o} {digest}"
    return found


def holds(folder: Path) -> dict[str, bytes]:
    """Return the content of every file."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def main() -> int:
    """Draw, unpack, look around."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    warnings.filterwarnings("ignore", "Duplicate name")  # they are made on purpose
    counts: Counter[str] = Counter()
    slowest = 0.0
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        inner = home / "a" / "b"
        inner.mkdir(parents=True)
        for path in (home / "escaped", home / "a" / "escaped", inner / "kept"):
            path.write_bytes(b"as it was")
        for case in range(given.cases):
            form, kind, content = hostile(np.random.default_rng([given.seed, case]))
            archive = inner / "archive"
            archive.write_bytes(content)
            before, begun = seen(home), time.process_time()
            outcome = "refused"
            try:
                folder = unpack(archive, inner / "target")
                # A bit may be flipped where nothing is meant.
                same = kind == "flipped" and holds(folder) == GOOD
                outcome = "refused" if same else "ACCEPTED"
                shutil.rmtree(folder)
            except RecordError:
                pass
            except BaseException as error:  # noqa: BLE001
                outcome = f"OTHER ERROR {type(error).__name__}"
            slowest = max(slowest, time.process_time() - begun)
            if outcome != "refused":
                print(f"case {case}: {form}, {kind}: {outcome}")
            if seen(home) != before:
                print(f"case {case}: {form}, {kind}: ESCAPED")
                outcome = "ESCAPED"
            counts[outcome] += 1
            counts[f"{form}: {kind}"] += outcome == "refused"
        for form in ("zip", "tar", "tar.gz"):
            archive.write_bytes(honest(form))
            folder = unpack(archive, inner / form)
            if holds(folder) != GOOD:
                counts[f"honest {form} differs"] += 1
    kinds = len([key for key in counts if ": " in key])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{counts['refused']} of {given.cases} refused, of {kinds} kinds; slowest "
        f"{slowest:.2f} s (CPU), peak {peak:.0f} MB, 3 honest ones unpacked"
    )
    return int(counts["refused"] != given.cases or any("differs" in k for k in counts))


if __name__ == "__main__":
    sys.exit(main())
