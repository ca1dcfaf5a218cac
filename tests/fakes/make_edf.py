"""Write tiny EDF and EDF+ files of people who do not exist.

    python tests/fakes/make_edf.py FOLDER

Written from the text of the standard, without any library: a witness for the reader.
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass
class Channel:
    """One signal: digital samples, data record by data record, and its header."""

    label: str
    digital: np.ndarray
    count: int
    unit: str = "mmHg"
    low: str = "-100"
    high: str = "400"
    least: str = "-32768"
    most: str = "32767"


@dataclass
class Edf:
    """A file: fields are text, so that a test can write anything."""

    channels: list[Channel]
    duration: str = "1"
    kind: str = ""
    records: str = ""
    patient: str = "X X X X"
    recording: str = "Startdate X X X X"
    onsets: list[float] = field(default_factory=list)
    notes: list[list[tuple[float, str]]] = field(default_factory=list)
    note_bytes: int = 60


def people(seconds=4, *, kind="", seed=0, notes=None, onsets=None):
    """Make an ECG at 250 Hz and a pressure at 125 Hz."""
    rng = np.random.default_rng(seed)
    time = np.arange(250 * seconds) / 250
    ecg = 1000 * np.sin(7 * time) + rng.normal(0, 50, len(time))
    abp = -6554 + 3000 * np.sin(7 * time[::2]) + rng.normal(0, 50, len(time) // 2)
    return Edf(
        [
            Channel("II", ecg.astype(int), 250, "mV", "-10", "10"),
            Channel("ABP", abp.astype(int), 125),
            Channel("PLETH", abp.astype(int) // 2, 125, "NU", "0", "1"),
        ],
        kind=kind,
        onsets=onsets or list(map(float, range(seconds))),
        notes=notes or [[] for _ in range(seconds)],
    )


def content(edf):
    """Return the bytes of a file."""
    records = len(edf.channels[0].digital) // edf.channels[0].count
    channels = list(edf.channels)
    plus = edf.kind.startswith("EDF+")
    lines = []
    if plus:
        for number in range(records):
            line = f"{edf.onsets[number]:+g}\x14\x14\0".encode("latin-1")
            for time, text in edf.notes[number]:
                line += f"{time:+g}\x14{text}\x14\0".encode("latin-1")
            lines.append(line.ljust(2 * edf.note_bytes, b"\0"))
        channels.append(
            Channel("EDF Annotations", np.zeros(0), edf.note_bytes, "", "-1", "1")
        )
    ns = len(channels)
    head = [
        *(("0", 8), (edf.patient, 80), (edf.recording, 80), ("01.01.85", 8)),
        *(("00.00.00", 8), (str(256 * (ns + 1)), 8), (edf.kind, 44)),
        *((edf.records or str(records), 8), (edf.duration, 8), (str(ns), 4)),
    ]
    fields = (
        *(("label", 16), ("", 80), ("unit", 8), ("low", 8), ("high", 8)),
        *(("least", 8), ("most", 8), ("", 80), ("count", 8), ("", 32)),
    )
    for name, width in fields:
        head += [(str(getattr(c, name)) if name else "", width) for c in channels]
    text = b"".join(t.encode("latin-1").ljust(w)[:w] for t, w in head)
    body = b""
    for number in range(records):
        for c in edf.channels:
            part = c.digital[number * c.count : (number + 1) * c.count]
            body += part.astype("<i2").tobytes()
        body += lines[number] if plus else b""
    return text + body


def write(path, edf):
    """Write a file and return its path."""
    path.write_bytes(content(edf))
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "virtual.edf", people(60))
