"""Figures of signals and features, each beside its bar.

    python benchmarks/signal.py                         # everything
    python benchmarks/signal.py --only pulses,gate --quick

Peers run in the same process, on the same arrays, and only for the same outputs.
Virtual people are virtual; real recordings are looked for in ``--data`` and left out
where they are absent. Speed means something on a quiet machine only.
"""

import sys

if __name__ != "__main__":
    # Scripts find their own folder before the standard library: who imports `signal`
    # from here wants the library's module of that name.
    import sysconfig
    from importlib.machinery import PathFinder
    from importlib.util import module_from_spec

    spec = PathFinder.find_spec("signal", [sysconfig.get_path("stdlib")])
    assert spec is not None
    assert spec.loader is not None
    sys.modules["signal"] = module_from_spec(spec)
    spec.loader.exec_module(sys.modules["signal"])
else:
    import argparse
    import os
    import time
    from pathlib import Path

    import signal_adversarial
    import signal_day
    import signal_features
    import signal_filters
    import signal_gate
    import signal_pulses
    import torch
    from rich.console import Console

    PARTS = {
        "filters": signal_filters.report,
        "adversarial": signal_adversarial.report,
        "pulses": signal_pulses.report,
        "gate": signal_gate.report,
        "features": signal_features.report,
        "day": signal_day.report,
    }

    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas")
    parser.add_argument("--quick", action="store_true", help="few cases, to try it out")
    default = os.environ.get("CAPNET_SHARED_DATA", "../shared/data")
    parser.add_argument("--data", type=Path, default=Path(default))
    given = parser.parse_args()
    unknown = set(given.only.split(",")) - set(PARTS)
    if unknown:
        parser.error(f"no part {', '.join(sorted(unknown))}; there are {list(PARTS)}")
    console = Console(width=None if sys.stdout.isatty() else 170)
    torch.set_num_threads(1)
    for name in given.only.split(","):
        begin = time.perf_counter()
        console.rule(name)
        PARTS[name](console, quick=given.quick, data=given.data)
        console.print(f"{name}: {time.perf_counter() - begin:.0f} s")
