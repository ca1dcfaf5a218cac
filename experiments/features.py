"""Gate a recording and compute the features of every beat.

``python experiments/features.py record=<recording>`` leaves features.parquet (one row
a beat), windows.csv (what the gate said of each window and channel), features.json (how
much of each group is known, and why not the rest), record.png, tachogram.png and, with
an arterial pressure, transit.png in the folder of the run.
"""

import logging
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import hydra
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from matplotlib.figure import Figure
from omegaconf import DictConfig
from rich.table import Table

from capnet.data.privacy.pseudonyms import pseudonym_key, unnamed
from capnet.data.readers import read_record
from capnet.errors import RecordError
from capnet.features import FEATURES, feature_tables
from capnet.files import replacing, write_atomic
from capnet.records import Record
from capnet.signal import judge_windows, plot_record, plot_transit
from capnet.signal.pieces import LENGTH
from experiments import build
from experiments.door import advance, console, door, folder, plain
from experiments.results import provenance, save_csv, save_json

_log = logging.getLogger(__name__)

_KEPT: Final = ("time", "duration", "accepted", "reason", "hr", "pat", "sbp")
"""Columns that the pictures need."""


def save_tables(tables: Iterator[pd.DataFrame], path: Path) -> pd.DataFrame:
    """Write tables as they come to one parquet file, whole or not at all.

    Args:
        tables: Of one record, at least one.
        path: The file.

    Returns:
        The columns that pictures need and the groups' reasons, of all rows.

    Raises:
        RecordError: If there is no table.
    """
    kept, columns = [], [*_KEPT, *(f"{group}_reason" for group in FEATURES.groups)]
    first = next(tables, None)
    if first is None:
        msg = "no heart beat was found in the record; nothing was written."
        raise RecordError(msg)
    schema = pa.Schema.from_pandas(first, preserve_index=False)
    with replacing(path) as temporary, pq.ParquetWriter(temporary, schema) as writer:
        for table in _chain(first, tables):
            content = pa.Table.from_pandas(table, schema=schema, preserve_index=False)
            writer.write_table(content)
            kept.append(table[list(dict.fromkeys(columns))])
    return pd.concat(kept, ignore_index=True)


def _chain(
    first: pd.DataFrame, others: Iterator[pd.DataFrame]
) -> Iterator[pd.DataFrame]:
    yield first
    yield from others


def known(frame: pd.DataFrame) -> dict[str, Any]:
    """Say how much of each group is known, and what keeps the rest away."""
    answer: dict[str, Any] = {}
    for group in FEATURES.groups:
        reasons = frame[f"{group}_reason"].value_counts(normalize=True)
        answer[group] = {
            "features": FEATURES.of_group(group),
            "known": float(reasons.get("", 0.0)),
            "reasons": {str(k): float(v) for k, v in reasons.items() if k},
        }
    return answer


def printed(groups: dict[str, Any]) -> Table:
    """Return the groups as a table for the screen."""
    table = Table(title="features by group, share of all beats")
    table.add_column("group")
    table.add_column("known", justify="right")
    table.add_column("most frequent reason otherwise")
    for name, group in groups.items():
        most = max(group["reasons"].items(), key=lambda item: item[1], default=("", 0))
        why = f"{most[0]} ({100 * most[1]:.0f} %)" if most[0] else ""
        table.add_row(name, f"{100 * group['known']:.1f} %", why)
    return table


def _save(figure: Figure, path: Path) -> None:
    with BytesIO() as buffer:
        figure.savefig(buffer, format="png", dpi=110)
        write_atomic(path, buffer.getvalue())


def tachogram(frame: pd.DataFrame, subject: str) -> Figure:
    """Draw heart rate of accepted beats against time."""
    figure = Figure(figsize=(10.0, 3.0), layout="constrained")
    axis = figure.subplots()
    good = frame[frame["accepted"]]
    axis.plot(good["time"] / 60.0, good["hr"], ".", markersize=2.0)
    axis.set_xlabel("time, min")
    axis.set_ylabel("heart rate, bpm")
    axis.set_title(f"{subject}: {len(good)} of {len(frame)} beats", fontsize="medium")
    return figure


def pictures(
    record: Record, frame: pd.DataFrame, verdicts: Any, *, shown: float, out: Path
) -> None:
    """Leave what can be seen of the record."""
    good = frame[frame["accepted"]]
    start = float((good if len(good) else frame)["time"].iloc[0])
    names = (record.find(kind) for kind in ("ecg", "ppg", "abp"))
    seen = tuple(name for name in names if name)
    feet = {str(record.find("ppg")): {"pulse foot": good["time"].to_numpy()}}
    figure = plot_record(
        record,
        verdicts=verdicts,
        marks=feet,
        channels=seen,
        start=start,
        stop=start + shown,
    )
    _save(figure, out / "record.png")
    _save(tachogram(frame, record.subject), out / "tachogram.png")
    both = good[np.isfinite(good["pat"]) & np.isfinite(good["sbp"])]
    if len(both) >= 3:
        figure = plot_transit(
            both["pat"].to_numpy(),
            both["sbp"].to_numpy(),
            time_name="PAT",
            pressure_name="SBP of the arterial line",
        )
        _save(figure, out / "transit.png")


@hydra.main(version_base="1.3", config_path="../configs", config_name="features")
@door
def main(cfg: DictConfig) -> None:
    """Gate a record, compute its features, leave tables and pictures."""
    given = plain(cfg)
    for name in ("window", "shown"):
        build.check_number(given[name], float, where=name)
    named = read_record(given.pop("record"), age=given["age"])
    record = unnamed(named, key=pseudonym_key())
    channels = {name: given[name] for name in ("ecg", "ppg", "abp")}
    out = folder()
    more = {name: given[name] for name in ("near", "far", "distance", "height")}
    tables = feature_tables(record, **channels, **more)
    longest = max(signal.duration for signal in record.channels.values())
    title = f"{longest / 3600:.2f} h of {record.subject}"
    with advance(title, show=cfg.progress) as bar:

        def counted() -> Iterator[pd.DataFrame]:
            for table in tables:
                yield table
                done = min(table["time"].iloc[-1] + LENGTH, longest)
                bar(round(done), round(longest))

        frame = save_tables(counted(), out / "features.parquet")
    verdicts = judge_windows(
        record, **channels, window=given["window"], step=given["window"]
    )
    save_csv(verdicts.to_frame(), out / "windows.csv")
    console.print(repr(verdicts))
    groups = known(frame)
    whole = dict(zip(verdicts.channels, verdicts.record_reason.tolist(), strict=True))
    notes = {"beats": len(frame), "files": dict(record.files)}
    save_json(
        {
            "groups": groups,
            "channels": whole,
            "provenance": provenance(given, notes),
        },
        out / "features.json",
    )
    console.print(printed(groups))
    pictures(record, frame, verdicts, shown=given["shown"], out=out)
    print(out / "features.parquet")


if __name__ == "__main__":
    main()
