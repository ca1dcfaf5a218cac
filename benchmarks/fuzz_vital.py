"""Damaged .vital files, see `fuzz_readers`.

Half of the damage is done to the packets and compressed again with a right checksum, as
no checksum would tell it.
"""

import gzip
import shutil
import struct
import sys
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from fuzz_readers import shared

from capnet.records import Record
from tests.fakes import make_vital

NAME: Final = "VitalDB"

_FLOATS: Final = (0.0, -1.0, np.nan, np.inf, -np.inf, 1e300, 1e-300, 1e12, -0.005, 1e5)
_TYPES: Final = {
    1: "<f4",
    2: "<f8",
    3: "<i1",
    4: "<u1",
    5: "<i2",
    6: "<u2",
    7: "<i4",
    8: "<u4",
}


def originals(folder: Path) -> list[Path]:
    """Write a recording, one with a gap, and one that was packed afterwards."""
    whole = make_vital.people(6)
    gap = make_vital.people(6, seed=1)
    for track in gap.tracks[:3]:
        track.packets = [p for p in track.packets if not 2.0 <= p[0] < 4.0]
    packed = make_vital.people(4, seed=2)
    packed.packed = True
    made = {"whole": whole, "gap": gap, "packed": packed}
    found = [make_vital.write(folder / f"{n}.vital", v) for n, v in made.items()]
    real = shared("vital_sample")
    if real is not None:
        files = sorted(real.glob("*.vital"))[:3]
        found += [Path(shutil.copy(path, folder / path.name)) for path in files]
    return found


def _packets(body: bytes) -> list[tuple[int, int, int]]:
    """Return kind, first byte and end of each packet."""
    at = 10 + struct.unpack_from("<H", body, 8)[0]
    found = []
    while at + 5 <= len(body):
        kind, length = struct.unpack_from("<BL", body, at)
        found.append((kind, at, at + 5 + length))
        at += 5 + length
    return found


def _description(body: bytes, at: int) -> dict[str, int]:
    """Return where the fields of a track's declaration lie."""
    name = at + 5 + 4
    unit = name + 4 + struct.unpack_from("<L", body, name)[0]
    rest = unit + 4 + struct.unpack_from("<L", body, unit)[0]
    return {"kind": at + 7, "form": at + 8, "name": name, "unit": unit,
            "rate": rest + 12, "gain": rest + 16, "offset": rest + 24}  # fmt: skip


_KINDS: Final = (
    *(
        "bits of the file",
        "cut",
        "longer",
        "inserted",
        "random file",
        "bits of packets",
    ),
    *("bytes of packets", "packet deleted", "packet doubled", "packets swapped"),
    *(
        "packet cut",
        "length",
        "time",
        "count",
        "rate",
        "gain",
        "offset",
        "unit",
        "name",
    ),
    *("format", "kind", "header", "track deleted", "stream cut", "not gzip"),
)


def mutate(original: Path, folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """Damage the file, or its packets under a checksum that is right."""
    path = folder / "damaged.vital"
    raw = bytearray(original.read_bytes())
    kind = str(rng.choice(_KINDS))
    at = int(rng.integers(len(raw)))
    if kind == "bits of the file":
        for _ in range(int(rng.integers(1, 10))):
            raw[int(rng.integers(len(raw)))] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del raw[at:]
    elif kind == "longer":
        raw += rng.bytes(int(rng.integers(1, 200)))
    elif kind == "inserted":
        raw[at:at] = rng.bytes(int(rng.integers(1, 100)))
    elif kind == "random file":
        raw = bytearray(rng.bytes(int(rng.integers(0, 3000))))
    elif kind == "not gzip":
        raw = bytearray(gzip.decompress(raw))
    else:
        body = bytearray(gzip.decompress(raw))
        _damage(body, kind, rng)
        raw = bytearray(gzip.compress(body, 1))
    path.write_bytes(raw)
    return path, kind


def _damage(body: bytearray, kind: str, rng: np.random.Generator) -> None:
    packets = _packets(body)
    records = [p for p in packets if p[0] == 1]
    tracks = [p for p in packets if p[0] == 0]
    _, first, end = records[int(rng.integers(len(records)))]
    _, begin, stop = tracks[int(rng.integers(len(tracks)))]
    places = _description(body, begin)
    value = _FLOATS[int(rng.integers(len(_FLOATS)))]
    if kind == "bits of packets":
        for _ in range(int(rng.integers(1, 10))):
            body[int(rng.integers(len(body)))] ^= 1 << int(rng.integers(8))
    elif kind == "bytes of packets":
        at = int(rng.integers(len(body)))
        body[at : at + int(rng.integers(0, 20))] = rng.bytes(int(rng.integers(0, 20)))
    elif kind == "packet deleted":
        del body[first:end]
    elif kind == "packet doubled":
        body[first:first] = body[first:end]
    elif kind == "packets swapped":
        _, other, last = records[int(rng.integers(len(records)))]
        (a, b), (c, d) = sorted([(first, end), (other, last)])
        if b <= c:
            body[a:d] = body[c:d] + body[b:c] + body[a:b]
    elif kind == "packet cut":
        del body[end - int(rng.integers(1, end - first)) : end]
    elif kind == "length":
        _, at, _ = packets[int(rng.integers(len(packets)))]
        sizes = [0, 1, 2**31, 2**32 - 1, 10**6, 10**9, int(rng.integers(1, 500))]
        struct.pack_into("<L", body, at + 1, sizes[int(rng.integers(len(sizes)))])
    elif kind == "time":
        old = struct.unpack_from("<d", body, first + 7)[0]
        moved = [
            old - 3600,
            old + 1e12,
            0.0,
            -old,
            np.nan,
            np.inf,
            old - 0.3,
            old + 30.0,
            1e300,
        ]
        struct.pack_into("<d", body, first + 7, moved[int(rng.integers(len(moved)))])
    elif kind == "count":
        counts = [0, 1, 2**31, 2**32 - 1, 10**9]
        at = first + 5 + 12
        if at + 4 <= len(body):
            struct.pack_into("<L", body, at, counts[int(rng.integers(len(counts)))])
    elif kind == "rate":
        with np.errstate(over="ignore"):
            struct.pack_into(
                "<f", body, places["rate"], float(np.clip(value, -3e38, 3e38))
            )
    elif kind in ("gain", "offset"):
        struct.pack_into("<d", body, places[kind], value)
    elif kind in ("unit", "name"):
        words = [
            b"",
            b"mmHg",
            b"kPa",
            b"\xff\xfe",
            b"x" * 3000,
            b"a\nb",
            b"bananas",
            b"ART",
        ]
        word = words[int(rng.integers(len(words)))]
        at = places[kind]
        old = struct.unpack_from("<L", body, at)[0]
        body[at : at + 4 + old] = struct.pack("<L", len(word)) + word
        size = stop - begin - 5 + len(word) - old
        struct.pack_into("<L", body, begin + 1, size)
    elif kind in ("format", "kind"):
        body[places["form" if kind == "format" else "kind"]] = int(rng.integers(256))
    elif kind == "header":
        body[int(rng.integers(20))] = int(rng.integers(256))
    elif kind == "track deleted":
        del body[begin:stop]
    elif kind == "stream cut":
        del body[int(rng.integers(len(body))) :]


def wrongly_accepted(record: Record, original: Path, mutated: Path) -> str:
    """Walk the packets again and hold every sample against the record."""
    del original  # what was read is held against the file itself
    body = gzip.decompress(mutated.read_bytes())
    packets = _packets(body)
    if body[:4] != b"VITA" or not packets or packets[-1][2] != len(body):
        return "packets do not fill the file"
    packed = body[8] >= 27 and body[36] == 1
    tracks: dict[int, tuple[str, str, int, int, float, float, float]] = {}
    stored: dict[int, list[tuple[float, np.ndarray]]] = {}
    for kind, at, end in packets:
        if kind == 0:
            number = struct.unpack_from("<H", body, at + 5)[0]
            p = _description(body, at)
            size, width = (
                struct.unpack_from("<L", body, p[k])[0] for k in ("name", "unit")
            )
            name = body[p["name"] + 4 : p["name"] + 4 + size].decode()
            unit = body[p["unit"] + 4 : p["unit"] + 4 + width].decode().strip()
            rate = struct.unpack_from("<f", body, p["rate"])[0]
            gain, offset = struct.unpack_from("<dd", body, p["gain"])
            tracks[number] = (
                name,
                unit,
                body[p["kind"]],
                body[p["form"]],
                rate,
                gain,
                offset,
            )
        elif kind == 1:
            length, time, number = struct.unpack_from("<HdH", body, at + 5)
            if number not in tracks:
                return "samples of no track"
            if tracks[number][2] == 1:
                form = np.dtype(_TYPES[tracks[number][3]])
                start = at + 7 + length
                count = struct.unpack_from("<L", body, start)[0]
                if start + 4 + count * form.itemsize != end:
                    return "a packet of another length than it declares"
                values = np.frombuffer(body, form, count, start + 4)
                stored.setdefault(number, []).append((time, values))
    names = [t[0].lower() for k, t in tracks.items() if k in stored]
    begin = None
    for channel, signal in record.channels.items():
        mine = [
            k for k in stored
            if tracks[k][0] == channel or channel.endswith("/" + tracks[k][0])
        ]  # fmt: skip
        if len(mine) != 1:
            return f"{channel}: {len(mine)} tracks ({names})"
        name, unit, _, form, rate, gain, offset = tracks[mine[0]]
        if not (
            np.isfinite(rate) and 0.01 <= rate <= 1e5 and signal.sampling_rate == rate
        ):
            return f"{channel}: the rate is {signal.sampling_rate}, not {rate}"
        if not unit and name.lower() not in ("pleth", "ppg"):
            return f"{channel}: no unit is declared"
        if form > 2 and not (np.isfinite([gain, offset]).all() and gain > 0):
            return f"{channel}: the gain is {gain}"
        scale = {"kPa": 1e3 / 133.322387415, "uV": 1e-3}.get(unit, 1.0)
        wanted = np.concatenate([v for _, v in stored[mine[0]]]).astype(float)
        if packed and form > 2:
            info = np.iinfo(_TYPES[form])
            wanted[wanted == (info.max if form in (4, 6, 8) else info.min)] = np.nan
        wanted = (wanted * gain + offset if form > 2 else wanted) * scale
        wanted, there = (
            wanted[np.isfinite(wanted)],
            signal.values[np.isfinite(signal.values)],
        )
        if len(wanted) != len(there) or not np.allclose(wanted, there, rtol=1e-6):
            return f"{channel}: samples differ"
        if unit in ("mmHg", "kPa") and not (there.min() >= -200 and there.max() <= 600):
            return f"{channel}: pressures of {there.min():g} to {there.max():g} mmHg"
        times = np.array([t for t, _ in stored[mine[0]]])
        ends = times + np.array([len(v) / rate for _, v in stored[mine[0]]])
        if (times[1:] < ends[:-1] - 0.25).any():
            return f"{channel}: packets overlap"
        if abs(ends[-1] - times[0] - signal.duration) > 0.25:
            return f"{channel}: {signal.duration} s, not {ends[-1] - times[0]}"
        begin = times[0] - signal.start if begin is None else begin
        if abs(times[0] - signal.start - begin) > 1e-3:
            return f"{channel}: starts at another time"
    return "a name is kept" if "Canary" in repr(record) else ""


def huge(folder: Path) -> list[tuple[Path, str]]:
    """Unfold to far more than the file, or declare it."""
    found = []

    def put(name: str, content: bytes) -> None:
        path = folder / f"{name}.vital"
        path.write_bytes(content)
        found.append((path, name))

    body = make_vital.body(make_vital.people(2))
    put("zeros", gzip.compress(b"VITA" + bytes(1 << 28), 9))
    command = make_vital.packet(6, bytes(900_000))
    put("commands", gzip.compress(body + command * 300, 9))
    wave = make_vital.Vital(
        [make_vital.Track("ART", [(k, np.zeros(10**5)) for k in range(0, 160000, 800)])]
    )
    put("zero waves", gzip.compress(make_vital.body(wave) * 1, 9))
    put("a packet of 4 GB", gzip.compress(body + struct.pack("<BL", 1, 2**32 - 1)))
    packed = make_vital.people(2)
    packed.packed = True
    content = make_vital.body(packed) + struct.pack("<BL", 1, 2**32 - 1)
    put("a packed packet of 4 GB", gzip.compress(content))
    years = make_vital.people(2)
    years.tracks[0].packets.append((9e8, np.zeros(10)))
    put("a gap of years", make_vital.content(years))
    days = make_vital.people(2)
    days.tracks[0].packets.append((2.6e6, np.zeros(10)))
    put("a gap of a month", make_vital.content(days))
    many = b"".join(
        make_vital.described(k % 65536, make_vital.Track(f"T{k}"))
        for k in range(300_000)
    )
    put("tracks", gzip.compress(body + many))
    return found
