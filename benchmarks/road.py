"""Figures of the whole road, each with the command that prints it.

    python benchmarks/road.py               # import time, parity of the shipped model
    python benchmarks/road.py --main-job    # its wall time and peak memory
    python benchmarks/road.py --record data/mixedsignals --refused data/03700181 ...

The last runs the main job on a real record and holds its mean pressure against that of
the record's own arterial line: a check of calibration, not an error of central
pressure, which nobody measured.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

import capnet
from capnet.export import export_folder
from capnet.export.parity import parity
from capnet.signal.beats import beats_of
from capnet.signal.line import abp_verdict, cuffs_from_abp

ROOT = Path(__file__).resolve().parents[1]


def say(what: str, figure: str) -> None:
    """Print one row."""
    print(f"{what:<66} {figure}", flush=True)


def import_time(repeats: int = 7) -> None:
    """Time `import capnet` in a new process, and see what it drags in."""
    code = (
        "import sys, time; t = time.perf_counter(); import capnet; "
        "print(time.perf_counter() - t, *(m for m in ('torch', 'pytorch_lightning', "
        "'peft', 'onnx', 'matplotlib', 'neurokit2', 'pandas') if m in sys.modules))"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        for _ in range(repeats)
    ]
    seconds = [float(run.stdout.split()[0]) for run in runs]
    heavy = runs[0].stdout.split()[1:] or ["none"]
    median, largest = np.median(seconds), max(seconds)
    say("import capnet, s (median, max)", f"{median:.3f} {largest:.3f}")
    say("heavy packages it imports", " ".join(heavy))


def shipped_parity() -> None:
    """Export the shipped model and hold it against torch."""
    model = capnet.load_model("bilstm-virtual")
    with tempfile.TemporaryDirectory() as folder:
        out = export_folder(model, Path(folder), metrics={})
        file = out / "model.onnx"
        found = parity(model, file, batches=(1, 3, 8), durations=(2.0, 3.2))
        say("ONNX against torch, mmHg (3 batches x 2 durations)", f"{found.worst:.1e}")
        others = {".json", ".py"}
        files = sorted(p.name for p in out.iterdir() if p.suffix not in others)
        say("files with weights", " ".join(files))
        size = (out / "model.onnx").stat().st_size
        say("size of model.onnx, kB", f"{size / 1000:.0f}")


def run_pipeline(*settings: str) -> tuple[Path, float, float]:
    """Run the main job; return its folder, wall seconds and peak GiB."""
    folder = Path(tempfile.mkdtemp(prefix="capnet-road-"))
    command = [sys.executable, str(ROOT / "experiments" / "pipeline.py"), *settings]
    begun = time.perf_counter()
    subprocess.run([*command, f"hydra.run.dir={folder}"], check=True, cwd=ROOT)
    wall = time.perf_counter() - begun
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return folder, wall, peak


def main_job() -> None:
    """Time the main job."""
    folder, wall, peak = run_pipeline()
    say("main job, s", f"{wall:.0f}")
    say("peak memory, GiB", f"{peak:.2f}")
    say("left in", str(folder))


def real_record(path: str, every: float) -> None:
    """Hold the estimates on a record against its own arterial line."""
    record = capnet.read_record(path)
    cuffs = cuffs_from_abp(record, every=every)
    beats = beats_of(record.with_cuffs(cuffs, "invasive SBP/DBP"))
    say(f"accepted beats of {record.subject}", f"{beats.accepted.mean():.3f}")
    folder, _, _ = run_pipeline(
        "data=wfdb", f"data.record={path}", f"data.cuff_every={every}"
    )
    table = pd.read_parquet(folder / "predictions.parquet")
    line = beats.waves["abp"]
    mean, systolic = line.mean(axis=1), line.max(axis=1)
    held = np.where(np.isfinite(beats.features["cuff_map"]), mean, np.nan)
    hold = np.abs(beats.features["cuff_map"] - held)[beats.accepted]
    hold = hold[np.isfinite(hold)]
    say(
        "the line's own MAP, held since a reading: <= 5 mmHg",
        f"{(hold <= 5).mean():.3f}",
    )
    for (site, method), rows in table.groupby(["site", "method"], sort=False):
        rows = rows.sort_values("beat")
        good = rows.accepted.to_numpy() & np.isfinite(mean)
        near = np.abs(rows.cmap.to_numpy() - mean)[good]
        over = (rows.csbp.to_numpy() - systolic)[good]
        within = "-" if np.isnan(near).all() else f"{(near <= 5).mean():.3f}"
        say(
            f"{site}: {method}",
            f"|MAP - line| <= 5: {within}  SBP <= line + 3: {(over <= 3).mean():.3f}",
        )


def refused(path: str) -> None:
    """Print why an arterial line is not used."""
    verdict = abp_verdict(capnet.read_record(path))
    say(f"arterial line of {Path(path).name}", verdict or "used")


def main() -> None:
    """Print the figures that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--main-job", action="store_true")
    parser.add_argument("--record", help="path of a WFDB record with ECG, PPG and ABP")
    parser.add_argument("--every", type=float, default=120.0, help="s between readings")
    parser.add_argument(
        "--refused", nargs="*", default=[], help="records with a bad ABP"
    )
    arguments = parser.parse_args()
    import_time()
    shipped_parity()
    if arguments.main_job:
        main_job()
    if arguments.record:
        real_record(arguments.record, arguments.every)
    for path in arguments.refused:
        refused(path)


if __name__ == "__main__":
    main()
