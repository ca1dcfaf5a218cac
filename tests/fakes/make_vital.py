"""Write tiny .vital files of people who do not exist.

    python tests/fakes/make_vital.py FOLDER

Written from the published description of the format, without any library.
"""

import gzip
import struct
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

TYPES = {1: "<f4", 2: "<f8", 3: "<i1", 4: "<u1", 5: "<i2", 6: "<u2", 7: "<i4", 8: "<u4"}
DEVICE, TRACK, RECORD, COMMAND = 9, 0, 1, 6


@dataclass
class Track:
    """One track: its packets as (seconds, samples or number or text)."""

    name: str
    packets: list = field(default_factory=list)
    kind: int = 1
    form: int = 6
    unit: str = "mmHg"
    rate: float = 125.0
    gain: float = 0.0625
    offset: float = -50.0
    monitor: int = 0
    device: int = 1
    short: int = 0  # bytes that the description lacks at its end


@dataclass
class Vital:
    """A file."""

    tracks: list
    devices: dict = field(default_factory=lambda: {1: "Monitor"})
    begin: float = 1.5e9
    packed: bool = False
    extra: bytes = b""


def text(word):
    """Return a string as it is stored."""
    raw = word.encode()
    return struct.pack("<L", len(raw)) + raw


def packet(kind, content):
    """Return one packet."""
    return struct.pack("<BL", kind, len(content)) + content


def described(number, track):
    """Return the packet that declares a track."""
    content = struct.pack("<HBB", number, track.kind, track.form)
    content += text(track.name) + text(track.unit)
    content += struct.pack("<ffL", 0.0, 200.0, 0xFFFFFF)
    content += struct.pack("<fdd", track.rate, track.gain, track.offset)
    content += struct.pack("<BL", track.monitor, track.device)
    return packet(TRACK, content[: len(content) - track.short])


def recorded(number, track, time, value, begin):
    """Return one packet of samples, a number or text."""
    content = struct.pack("<HdH", 10, begin + time, number)
    if track.kind == 1:
        samples = np.asarray(value).astype(TYPES[track.form])
        content += struct.pack("<L", len(samples)) + samples.tobytes()
    elif track.kind == 2:
        content += np.asarray(value).astype(TYPES[track.form]).tobytes()
    else:
        content += struct.pack("<L", 0) + text(value)
    return packet(RECORD, content)


def body(vital):
    """Return the bytes before compression."""
    head = struct.pack("<hLL", -540, 0, 0x2A070801)
    if vital.packed:
        head += struct.pack("<ddB", vital.begin, vital.begin + 1.0, 1)
    content = b"VITA" + struct.pack("<LH", 3, len(head)) + head
    for number, name in vital.devices.items():
        device = struct.pack("<L", number) + text("type") + text(name) + text("COM1")
        content += packet(DEVICE, device)
    for number, track in enumerate(vital.tracks, 1):
        content += described(number, track)
    content += packet(COMMAND, struct.pack("<BHH", 5, 1, 1))
    content += vital.extra
    packets = [
        (time, number, track, value)
        for number, track in enumerate(vital.tracks, 1)
        for time, value in track.packets
    ]
    if not vital.packed:
        packets.sort(key=lambda p: (p[0], p[1]))
    for time, number, track, value in packets:
        content += recorded(number, track, time, value, vital.begin)
    return content


def cut_up(samples, rate, *, start=0.0, length=0.5):
    """Return packets of about so many seconds."""
    size = max(1, round(length * rate))
    return [
        (start + at / rate, samples[at : at + size])
        for at in range(0, len(samples), size)
    ]


def people(seconds=6, *, seed=0):
    """Make ECG, a pressure and PPG, one of each storage form, and cuff readings."""
    rng = np.random.default_rng(seed)
    time = np.arange(500 * seconds) / 500
    beat = np.sin(7 * time)
    ecg = (8192 + 200 * beat + rng.normal(0, 9, len(time))).astype(np.uint16)
    abp = (100 + 25 * beat[::4] + rng.normal(0, 1, len(time[::4]))).astype(np.float32)
    ppg = (2000 + 1000 * beat[::4]).astype(np.int16)
    tracks = [
        Track("ECG_II", cut_up(ecg, 500), unit="mV", rate=500.0, gain=0.005,
              offset=-40.96, monitor=1),
        Track("ART", cut_up(abp, 125, start=0.1), form=1, monitor=4),
        Track("PLETH", cut_up(ppg, 125), form=5, unit="", gain=0.02, offset=0.0,
              monitor=8),
    ]  # fmt: skip
    for name, value in (("SBP", 120.0), ("DBP", 70.0), ("MBP", 90.0)):
        numbers = [(t, value + 4 * (t > 2.5)) for t in (1.0, 2.0, 3.0, 4.0)]
        tracks.append(Track(f"NIBP_{name}", numbers, 2, 1, "mmHg", 0.0, 1.0, 0.0))
    tracks.append(Track("HR", [(1.0, 72.0)], 2, 1, "/min", 0.0, 1.0, 0.0))
    tracks.append(Track("EVENT", [(1.0, "Jane Canary")], 5, 0, "", 0.0, 1.0, 0.0))
    return Vital(tracks)


def content(vital):
    """Return the bytes of a file."""
    return gzip.compress(body(vital), 5, mtime=0)


def write(path, vital):
    """Write a file and return its path."""
    path.write_bytes(content(vital))
    return path


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "virtual.vital", people(60))
