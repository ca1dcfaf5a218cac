"""Look at a clinic's folder: who, how long, how good, and everything that is wrong.

``python experiments/check_data.py data.root=<folder>`` leaves check.json, check.csv
(one row a problem), check.html and a picture of each recording in the folder of the
run. The exit status is 2 if something keeps the clinic out, 0 otherwise.
"""

import logging
import sys
from io import BytesIO
from pathlib import Path
from typing import Final

import hydra
import numpy as np
from matplotlib.figure import Figure
from omegaconf import DictConfig

from capnet.data.clinic.checkup import Checkup, check_clinic
from capnet.data.clinic.manifest import ManifestRow
from capnet.errors import ConfigError
from capnet.evaluation import write_report
from capnet.evaluation.reports.content import Report, Section, TableBlock
from capnet.files import write_atomic
from capnet.records import Beats, Record
from capnet.signal import plot_record
from experiments import build
from experiments.door import advance, console, door, folder, plain
from experiments.results import provenance

__all__ = ["check_report", "main"]

_log = logging.getLogger(__name__)

_LIMITS: Final = (
    "A folder without errors can still be wrong: a delay, a gain or an offset that an "
    "artery could have is not seen.",
    "Waves are gated and cut as the estimators see them; what was refused is named, "
    "not repaired.",
)


def check_report(checkup: Checkup) -> Report:
    """Lay a checkup out as a page."""
    problems = TableBlock(
        "Errors keep the clinic out; warnings should be looked at.",
        ("level", "where", "what", "way out"),
        tuple((p.level, p.where, p.what, p.way_out) for p in checkup.problems),
        tuple(i for i, p in enumerate(checkup.problems) if p.level == "error"),
    )
    rows = []
    for r in checkup.records:
        levels = [_pressures(r.pressures.get(k)) for k in ("abp", "aortic", "femoral")]
        beats = f"{r.accepted} of {r.beats}" if r.role == "monitor" else "-"
        labelled = str(r.referenced) if r.role == "monitor" else "-"
        said = ["-", "-"]
        if r.change is not None:
            said = [_signed(r.change.hr), _signed(r.change.mean)]
        minutes = f"{r.minutes:.1f}"
        rows.append(
            (*(str(r.row), r.subject, r.role, minutes, beats, labelled), *levels, *said)
        )
    heads = (
        *("row", "subject", "role", "min", "beats accepted", "with reference"),
        *("arterial line", "aorta", "femoral line, not aortic"),
        *("HR, pulse - reference", "MAP, pulse - reference"),
    )
    people = TableBlock(
        "One row of manifest.csv each; SBP/DBP (MAP) in mmHg, heart rate in bpm.",
        heads,
        tuple(rows),
    )
    seen = [
        (
            *(str(r.row), c.name, c.kind or "-", f"{c.sampling_rate:g}", c.unit),
            f"{c.minutes:.1f}",
            f"{100 * c.present:.1f} %",
            f"{100 * c.accepted:.0f} %" if np.isfinite(c.accepted) else "-",
            c.verdict or ", ".join(f"{why} {n}" for why, n in c.reasons.items()) or "-",
        )
        for r in checkup.records
        for c in r.channels
    ]
    channels = TableBlock(
        "Channels, and the share of windows of 8 s that the gate let through.",
        (
            "row",
            "channel",
            "used as",
            "Hz",
            "unit",
            "min",
            "present",
            "good",
            "why not",
        ),
        tuple(seen),
    )
    sections = (
        Section("Problems", (), (problems,)),
        Section("People and recordings", (), (people,)),
        Section("Channels", (), (channels,)),
    )
    return Report(
        title="A clinic's folder, looked at",
        subtitle="Nothing was learned here; see docs/clinic.md for the layout.",
        verdict=(checkup.headline(),),
        sections=sections,
        provenance=provenance({}, {}),
        limits=_LIMITS,
    )


def _pressures(levels: tuple[float, float, float] | None) -> str:
    if levels is None:
        return "-"
    sbp, dbp, mean = levels
    return f"{sbp:.0f}/{dbp:.0f} ({mean:.0f})"


def _signed(value: float) -> str:
    return f"{value:+.0f}" if np.isfinite(value) else "-"


def picture(record: Record, beats: Beats | None, *, shown: float) -> Figure:
    """Draw the first seconds of a recording from its first accepted beat on."""
    start = min(signal.start for signal in record.channels.values())
    if beats is not None and beats.accepted.any():
        start = float(beats.time[beats.accepted][0])
    return plot_record(record, beats=beats, start=start, stop=start + shown)


@hydra.main(version_base="1.3", config_path="../configs", config_name="check_data")
@door
def main(cfg: DictConfig) -> None:
    """Look at everything, print it, leave it in the folder of the run."""
    root = cfg.data.root  # says which key is missing
    given = plain(cfg)
    shown = given["shown"]
    if not isinstance(root, str) or not root:
        msg = f"data.root is {root!r}; wanted the path of a clinic's folder."
        raise ConfigError(msg)
    build.check_number(shown, float, where="shown")
    if not 1.0 <= shown <= 120.0:
        msg = f"shown = {shown:g}; wanted 1 to 120 s of waves in a picture."
        raise ConfigError(msg)
    drawn = build.flag(given["pictures"], where="pictures")
    out = folder()

    def look(record: Record, beats: Beats | None, row: ManifestRow) -> None:
        if drawn:
            name = f"row{row.number:03d}_{row.subject}_{row.role}.png"
            _save(picture(record, beats, shown=shown), out / "pictures" / name)

    with advance("looking at the recordings", show=cfg.progress) as bar:
        checkup = check_clinic(root, progress=bar, look=look)
    write_atomic(out / "check.json", checkup.to_json().encode())
    write_atomic(out / "check.csv", checkup.to_csv().encode())
    report = write_report(out / "check.html", check_report(checkup))
    for table in checkup.tables():
        console.print(table)
    console.print(checkup.headline(), soft_wrap=True)
    print(report)
    if checkup.errors:
        sys.exit(2)


def _save(figure: Figure, path: Path) -> None:
    with BytesIO() as buffer:
        figure.savefig(buffer, format="png", dpi=90)
        write_atomic(path, buffer.getvalue())


if __name__ == "__main__":
    main()
