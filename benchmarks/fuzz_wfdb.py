"""Damaged WFDB records for `fuzz_readers`: every storage format, layout and file.

Valid records are written here by a small encoder; what was accepted is read a second
time by a small decoder, which is not that of the door, and by a naive look at the
header's fields.
"""

import re
import shutil
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np
import soundfile
from fuzz_readers import SECRET, shared

from capnet.data.readers import read_record, stream_record
from capnet.records import Record

__all__ = ["NAME", "escape", "huge", "mutate", "originals", "wrongly_accepted"]

NAME: Final = "wfdb"

_BITS: Final = {
    **{"8": 8, "16": 16, "24": 24, "32": 32, "80": 8, "160": 16},
    **{"212": 12, "310": 10, "311": 10, "508": 8, "516": 16, "524": 24},
}
_SIZE: Final = {
    **{"8": 1.0, "16": 2.0, "24": 3.0, "32": 4.0, "80": 1.0, "160": 2.0},
    **{"212": 1.5, "310": 4 / 3, "311": 4 / 3},
}


@dataclass(frozen=True)
class Line:
    """One signal of a record that is written."""

    name: str
    unit: str
    form: str
    per_frame: int = 1
    skew: int = 0
    file: str = ""
    offset: int = 0


def _wave(line: Line, frames: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Return something like a pulse in the middle of what the format can hold."""
    n = frames * line.per_frame
    t = np.arange(n) / (rate * line.per_frame)
    half = 2 ** (min(_BITS[line.form], 16) - 1) - 1
    wave = np.sin(2 * np.pi * 1.2 * t) + 0.3 * np.sin(2 * np.pi * 2.4 * t + 0.5)
    steps = 0.4 * half * wave + 0.01 * half * rng.standard_normal(n)
    if line.form == "8":
        steps *= 0.1
    digital = np.round(steps).astype(np.int64)
    if line.form != "8" and rng.random() < 0.5:
        digital[n // 3 : n // 3 + 7] = -(2 ** (_BITS[line.form] - 1))
    return digital


def _gain(line: Line) -> tuple[float, int]:
    """Return gain and baseline that make a plausible signal of the wave."""
    half = 2 ** (min(_BITS[line.form], 16) - 1)
    middle = {"mmHg": (90.0, 90.0), "mV": (0.0, 2.0)}.get(line.unit, (0.5, 0.5))
    gain = half / middle[1] / 1.5
    return float(f"{gain:.6g}"), -round(middle[0] * gain)


def _pack_310(x: np.ndarray) -> bytes:
    a, b, c = (np.pad(x, (0, -len(x) % 3)).reshape(-1, 3) & 0x3FF).T
    pairs = np.stack([(a << 1) | (c & 0x1F) << 11, (b << 1) | (c >> 5) << 11], axis=1)
    return pairs.astype("<u2").tobytes()


def _pack_311(x: np.ndarray) -> bytes:
    a, b, c = (np.pad(x, (0, -len(x) % 3)).reshape(-1, 3) & 0x3FF).T
    return (a | b << 10 | c << 20).astype("<u4").tobytes()


def _pack_212(x: np.ndarray) -> bytes:
    a, b = (np.pad(x, (0, -len(x) % 2)).reshape(-1, 2) & 0xFFF).T
    group = np.stack([a & 0xFF, a >> 8 | (b >> 8) << 4, b & 0xFF], axis=1)
    return group.astype(np.uint8).tobytes()


def _pack_24(x: np.ndarray) -> bytes:
    return x.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


_PACK: Final[Mapping[str, Callable[[np.ndarray], bytes]]] = {
    "8": lambda x: x.astype("i1").tobytes(),
    "16": lambda x: x.astype("<i2").tobytes(),
    "24": _pack_24,
    "32": lambda x: x.astype("<i4").tobytes(),
    "80": lambda x: (x + 128).astype(np.uint8).tobytes(),
    "160": lambda x: (x + 32768).astype("<u2").tobytes(),
    "212": _pack_212,
    "310": _pack_310,
    "311": _pack_311,
}


def _write_samples(path: Path, lines: list[Line], digital: list[np.ndarray]) -> None:
    form = lines[0].form
    if form in ("508", "516", "524"):
        bits = _BITS[form]
        table = np.stack(digital, axis=1)
        wide = (table << (32 - bits)).astype(np.int32)
        soundfile.write(
            path,
            wide,
            4000,
            subtype={8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}[bits],
            format="FLAC",
        )
        return
    if form == "8":
        digital = [np.diff(x, prepend=x[0]) for x in digital]
    frames = [
        x.reshape(-1, line.per_frame) for x, line in zip(digital, lines, strict=True)
    ]
    content = _PACK[form](np.concatenate(frames, axis=1).reshape(-1))
    path.write_bytes(b"\x7f" * lines[0].offset + content)


def write(
    folder: Path,
    name: str,
    lines: list[Line],
    *,
    frames: int,
    rate: float,
    rng: np.random.Generator,
    clock: str = "",
    comments: str = "",
) -> Path:
    """Write a record in one piece."""
    digital = {line.name: _wave(line, frames, rate, rng) for line in lines}
    for file, group in groupby(lines, key=lambda line: line.file or f"{name}.dat"):
        members = list(group)
        _write_samples(folder / file, members, [digital[m.name] for m in members])
    text = [f"{name} {len(lines)} {rate:g} {frames}{clock}"]
    for line in lines:
        gain, baseline = _gain(line)
        form = line.form + (f"x{line.per_frame}" if line.per_frame > 1 else "")
        form += f":{line.skew}" if line.skew else ""
        form += f"+{line.offset}" if line.offset else ""
        x = digital[line.name]
        total = int(x.sum()) % 65536
        total -= 65536 if total > 32767 else 0
        unit = f"/{line.unit}" if line.unit else ""
        text.append(
            f"{line.file or f'{name}.dat'} {form} {gain:.6g}({baseline}){unit} "
            f"{min(_BITS[line.form], 16)} 0 {x[0]} {total} 0 {line.name}"
        )
    header = folder / f"{name}.hea"
    header.write_text("\n".join(text) + "\n" + comments, encoding="ascii")
    return header


def _annotate(path: Path, frames: int) -> None:
    note = b"## time resolution: 500"
    words = struct.pack("<HH", 22 << 10, 63 << 10 | len(note)) + note
    words += b"\0" * (len(note) % 2)
    words += struct.pack("<HHHH", 59 << 10, 0, 130, 1 << 10)
    for at in range(60, frames // 2, 60):
        words += struct.pack("<H", (5 if at % 3 else 1) << 10 | 60)
    words += struct.pack("<HH", 28 << 10 | 2, 63 << 10 | 3) + b"(N\0\0"
    path.write_bytes(words + b"\0\0")


def originals(folder: Path) -> list[Path]:
    """Write one record of every kind."""
    rng = np.random.default_rng(20_26)
    made: list[Path] = []

    def place(name: str) -> Path:
        where = folder / name
        where.mkdir(parents=True, exist_ok=True)
        return where

    def simple(name: str, lines: list[Line], **more: str) -> Path:
        header = write(
            place(name), name, lines, frames=499, rate=125.0, rng=rng, **more
        )
        made.append(header)
        return header

    def three(form: str, *, ecg: int = 1) -> list[Line]:
        return [
            Line("II", "mV", form, ecg),
            Line("ABP", "mmHg", form),
            Line("PLETH", "NU", form),
        ]

    plain = simple("plain", three("16"), comments="# <age>: 61 <sex>: F\n")
    _annotate(plain.with_suffix(".atr"), 499)
    for form in ("80", "160", "24", "32", "310", "311", "8"):
        simple(f"f{form}", three(form), clock=" 17:27:45 15/08/1994")
    simple(
        "multirate",
        [
            Line("MCL1", "mV", "212", 4),
            Line("ART", "mmHg", "212"),
            Line("RESP", "NU", "212", 1, 4),
        ],
        clock=" 8:39:12.811",
    )
    simple(
        "flac",
        [
            Line("II", "mV", "516", 4, file="flac_e.dat"),
            Line("V", "mV", "516", 4, file="flac_e.dat"),
            Line("ABP", "mmHg", "516", 2, file="flac_p.dat"),
            Line("Pleth", "NU", "524", 2, file="flac_q.dat"),
            Line("Resp", "Ohm", "508", file="flac_r.dat"),
        ],
    )
    simple(
        "mat",
        [Line(x.name, x.unit, "16", file="mat.mat", offset=24) for x in three("16")],
    )
    simple("unitless", [Line("II", "mV", "16"), Line("x", "", "16")])
    bare = simple("bare", three("16"))  # no names, no checksums
    rows = [line.split() for line in bare.read_text().splitlines()]
    bare.write_text(
        "\n".join(" ".join(row[: 4 if i == 0 else 3]) for i, row in enumerate(rows))
    )
    # Segments of one layout, and of several.
    fixed = place("fixed")
    for i in (1, 2):
        write(fixed, f"fixed{i}", three("212"), frames=250, rate=125.0, rng=rng)
    (fixed / "fixed.hea").write_text(
        "fixed/3 3 125 600 10:00:00\nfixed1 250\n~ 100\nfixed2 250\n"
    )
    made.append(fixed / "fixed.hea")
    _annotate(fixed / "fixed.qrs", 600)
    varied = place("varied")
    first, second = three("80")[:2], three("80")[1:]
    write(varied, "v_0001", first, frames=250, rate=125.0, rng=rng)
    write(varied, "v_0002", second, frames=125, rate=125.0, rng=rng)
    (varied / "v_layout.hea").write_text(
        "v_layout 3 125 0\n~ 0 200/mV 0 0 0 0 0 II\n~ 0 2/mmHg 0 0 0 0 0 ABP\n"
        "~ 0 128/NU 0 0 0 0 0 PLETH\n"
    )
    (varied / "v.hea").write_text(
        "v/4 3 125 500\nv_layout 0\nv_0001 250\n~ 125\nv_0002 125\n"
        "# <age>: 81 <sex>: M <diagnoses> (none)\n"
    )
    made.append(varied / "v.hea")
    real = shared("wfdb_sample")
    if real is not None:
        for header in sorted(real.rglob("*.hea")):
            stem = header.stem
            target = place(f"real_{stem}")
            for file in header.parent.iterdir():
                if file.is_file() and file.name.startswith(stem):
                    shutil.copyfile(file, target / file.name)
            made.append(target / header.name)
    return made


# ---- damage ------------------------------------------------------------------------

_NUMBERS: Final = (
    *("0", "-1", "1", "nan", "inf", "-inf", "1e400", "1e-400", "0x10", "1_000", "+"),
    *("1000000000000", "1000000000", "99999999999999999999", "2147483648", "-"),
    *("65536", "1e9", "1e-9", "1e30", "0.5", "250.0.0", "", "\u0661\u0662", "\uff12"),
    *("1e5", "100001", "0.001", "3.14159", "1/0", "1000000", "4", "NaN", "None", "1,5"),
    "-2147483649",
)
_UNITS: Final = ("", "/", "/mmHq", "/kPa", "/mV", "/%", "/bpm", "/NU", "/V", "/cmH2O")
_PATHS: Final = (
    *("/etc/passwd", "../x.dat", "..", ".", "-", "~", "a/b.dat", "..\\x.dat", "C:x"),
    *("%2e%2e/x.dat", "http://localhost/x.dat", "file:///etc/passwd", "x" * 300),
    *("/dev/zero", "/dev/stdin", "//server/x.dat", "x.dat\0", "...", "~/x.dat", "nul"),
)


def _text(data: bytes) -> list[list[str]]:
    return [line.split(" ") for line in data.decode("latin-1").split("\n")]


def _join(rows: list[list[str]]) -> bytes:
    return "\n".join(" ".join(row) for row in rows).encode("utf-8")


def _damage_bytes(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    raw = bytearray(data)
    kinds = (
        "flip",
        "byte",
        "cut",
        "insert",
        "remove",
        "zero",
        "swap",
        "tail",
        "random",
    )
    kind = str(rng.choice(kinds))
    n = len(raw)
    at, to = sorted(int(i) for i in rng.integers(0, max(n, 1), 2))
    to = min(to, at + 64)
    if kind == "flip" and n:
        for i in rng.integers(0, n, int(rng.integers(1, 4))):
            raw[i] ^= 1 << int(rng.integers(8))
    elif kind == "byte" and n:
        raw[at] = int(rng.integers(256))
    elif kind == "cut":
        del raw[at:]
    elif kind == "insert":
        raw[at:at] = rng.bytes(int(rng.integers(1, 40)))
    elif kind == "remove":
        del raw[at : to + 1]
    elif kind == "zero":
        raw[at:to] = bytes(to - at)
    elif kind == "swap" and n > 8:
        a, b = (int(i) for i in rng.integers(0, n - 4, 2))
        raw[a : a + 4], raw[b : b + 4] = raw[b : b + 4], raw[a : a + 4]
    elif kind == "tail":
        raw += rng.bytes(int(rng.integers(1, 5000)))
    else:
        raw = bytearray(rng.bytes(int(rng.integers(0, 3000))))
    return bytes(raw), f"bytes {kind}"


def _damage_fields(data: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    rows = _text(data)
    kinds = (
        *("delete", "duplicate", "swap", "number", "number", "number", "unit", "unit"),
        *("path", "line off", "line twice", "lines swapped", "rate", "gain", "gain"),
        *("length", "signals", "format", "space", "crlf", "cr", "tab", "comment"),
        *("segment itself", "digits", "sign", "name", "checksum"),
    )
    kind = str(rng.choice(kinds))
    i = int(rng.integers(len(rows)))
    body = [k for k, row in enumerate(rows) if len(row) > 2 and k > 0] or [i]
    b = int(rng.choice(body))
    row = rows[i]
    j = int(rng.integers(len(row)))
    if kind == "delete":
        del row[j]
    elif kind == "duplicate":
        row.insert(j, row[j])
    elif kind == "swap":
        k = int(rng.integers(len(row)))
        row[j], row[k] = row[k], row[j]
    elif kind == "number":
        row[j] = str(rng.choice(_NUMBERS))
    elif kind == "unit" and len(rows[b]) > 2:
        rows[b][2] = rows[b][2].split("/")[0] + str(rng.choice(_UNITS))
    elif kind == "path":
        rows[b][0] = str(rng.choice(np.array(_PATHS, dtype=object)))
    elif kind == "line off":
        del rows[i]
    elif kind == "line twice":
        rows.insert(i, list(row))
    elif kind == "lines swapped":
        k = int(rng.integers(len(rows)))
        rows[i], rows[k] = rows[k], rows[i]
    elif kind in ("rate", "length", "signals"):
        place = {"signals": 1, "rate": 2, "length": 3}[kind]
        if len(rows[0]) > place:
            rows[0][place] = str(rng.choice(_NUMBERS))
    elif kind == "gain" and len(rows[b]) > 2:
        gain = re.sub(r"^[^(/]*", str(rng.choice(_NUMBERS)), rows[b][2])
        if rng.random() < 0.4:
            gain = re.sub(r"\([^)]*\)", f"({rng.choice(_NUMBERS)})", rows[b][2])
        rows[b][2] = gain
    elif kind == "format" and len(rows[b]) > 1:
        ends = (
            "x0",
            "x2",
            "x999999",
            ":5",
            ":999999999",
            "+1",
            "+999999999999",
            "x",
            "",
        )
        form = str(rng.choice([*_BITS, rows[b][1], "0", "17", "-16"]))
        rows[b][1] = form + str(rng.choice(ends))
    elif kind in ("space", "tab"):
        row[j] += " " if kind == "space" else "\t"
    elif kind == "crlf":
        return _join(rows).replace(b"\n", b"\r\n"), f"header {kind}"
    elif kind == "cr":
        return _join(rows).replace(b"\n", b"\r"), f"header {kind}"
    elif kind == "comment":
        row[0] = "#" + row[0]
    elif kind == "segment itself":
        rows[b][0] = rows[0][0].split("/")[0]
    elif kind == "digits":
        row[j] = row[j].translate({48 + d: 0xFF10 + d for d in range(10)})
    elif kind == "sign":
        row[j] = "-" + row[j]
    elif kind == "name":
        rows[b][-1] = str(rng.choice([rows[body[0]][-1], "", "\u202e", "a\x07b", "#"]))
    elif kind == "checksum" and len(rows[b]) > 6:
        rows[b][int(rng.choice([5, 6]))] = str(rng.integers(-40000, 70000))
    return _join(rows), f"header {kind}"


def mutate(original: Path, folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """Copy a record and damage one to three of its files."""
    for file in original.parent.iterdir():
        shutil.copyfile(file, folder / file.name)
    kinds: list[str] = []
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        files = sorted(folder.iterdir())
        headers = [file for file in files if file.suffix == ".hea"]
        others = [file for file in files if file.suffix != ".hea"]
        if rng.random() < 0.6 or not others:
            file = headers[int(rng.integers(len(headers)))]
            fields = rng.random() < 0.7
        else:
            file, fields = others[int(rng.integers(len(others)))], False
        if not fields and rng.random() < 0.05 and len(others) > 1:
            other = others[int(rng.integers(len(others)))]
            data, kind = other.read_bytes(), "another file"
        else:
            damage = _damage_fields if fields else _damage_bytes
            data, kind = damage(file.read_bytes(), rng)
        file.write_bytes(data)
        kinds.append(kind if fields else f"{file.suffix} {kind}")
    return folder / original.name, " + ".join(sorted(set(kinds)))


# ---- what was accepted, looked at again --------------------------------------------


def _fields(header: Path) -> tuple[list[str], list[list[str]]]:
    text = header.read_bytes().decode("utf-8")
    lines = [line.strip() for line in text.split("\n")]
    rows = [line.split() for line in lines if line and line[0] != "#"]
    return rows[0], rows[1:]


def _number(text: str) -> float:
    if not re.fullmatch(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?", text, re.ASCII):
        return float("nan")
    return float(text)


def _groups(raw: np.ndarray, size: int) -> np.ndarray:
    """Return whole groups of bytes, one a row, as wide numbers."""
    padded = np.pad(raw, (0, -len(raw) % size)).reshape(-1, size)
    return padded.astype(np.int64)


def _unpack(raw: np.ndarray, form: str) -> np.ndarray:
    bits = _BITS[form]
    if form == "212":
        a, b, c = _groups(raw, 3).T
        found = np.stack([a | (b & 15) << 8, c | (b >> 4) << 8], axis=1)
    elif form in ("310", "311"):
        word = _groups(raw, 4) @ (1 << np.array([0, 8, 16, 24]))
        found = np.stack([word, word >> 10, word >> 20], axis=1)
        if form == "310":
            third = (word >> 11 & 31) | (word >> 27 & 31) << 5
            found = np.stack([word >> 1, word >> 17, third], axis=1)
    else:
        size = bits // 8
        found = _groups(raw, size) @ (1 << 8 * np.arange(size))
        found -= (1 << bits - 1) * (form in ("80", "160"))
    half = 1 << bits - 1
    return (found.reshape(-1) + half) % (2 * half) - half


def _digital(header: Path, rows: list[list[str]], length: int) -> list[np.ndarray]:
    """Decode every sample of a record in one piece."""
    found: list[np.ndarray] = []
    for file, group in groupby(rows, key=lambda row: row[0]):
        members = list(group)
        word = members[0][1]
        form, offset = word.split("x")[0].split(":")[0].split("+")[0], 0
        if "+" in word:
            offset = int(word.split("+")[1])
        each = [
            int((re.match(r"\d+x(\d+)", row[1]) or ["", "1"])[1]) for row in members
        ]
        path, width = header.parent / file, sum(each)
        if form in ("508", "516", "524"):
            wide = soundfile.read(path, dtype="int32", always_2d=True)[0]
            found += list(wide[offset:].T.astype(np.int64) >> 32 - _BITS[form])
            continue
        raw = np.fromfile(path, dtype=np.uint8)[offset:]
        frames = _unpack(raw, form)[: length * width].reshape(length, width)
        for i, (row, n) in enumerate(zip(members, each, strict=True)):
            signal = frames[:, sum(each[:i]) : sum(each[:i]) + n].reshape(-1)
            found.append(signal.cumsum() + int(row[5]) if form == "8" else signal)
    return found


def _plain_values(header: Path) -> tuple[str, dict[str, tuple[np.ndarray, str]]]:
    """Return what is wrong with a plain record, and its channels' values."""
    first, rows = _fields(header)
    if len(first) < 4:
        return f"{header.name}: rate or length missing", {}
    rate, length = _number(first[2].split("/")[0]), first[3]
    if not rate > 0.0 or not length.isdigit() or int(first[1]) != len(rows):
        return f"{header.name}: first line {first}", {}
    digitals = _digital(header, rows, int(length))
    found: dict[str, tuple[np.ndarray, str]] = {}
    sizes: dict[str, float] = {}
    for row, digital in zip(rows, digitals, strict=True):
        form = re.match(r"(\d+)(?:x(\d+))?(?::\d+)?(?:\+(\d+))?$", row[1])
        scale = re.match(r"([^(/]+)(?:\(([^)]*)\))?(?:/(.*))?$", row[2])
        if form is None or scale is None:
            return f"{header.name}: {row[:3]}", {}
        per_frame = int(form[2] or 1)
        if len(digital) != int(length) * per_frame:
            return f"{header.name}: {len(digital)} samples", {}
        if form[1] in _SIZE:
            start = sizes.get(row[0], float(form[3] or 0))
            sizes[row[0]] = start + int(length) * per_frame * _SIZE[form[1]]
        gain = _number(scale[1])
        if not (gain > 0.0 and np.isfinite(gain)):
            return f"{header.name}: gain {scale[1]}", {}
        name = " ".join(row[8:])
        missing = digital == -(2 ** (_BITS[form[1]] - 1))
        missing &= form[1] != "8"
        # Converters to FLAC declare 0 where the first sample is missing.
        zero_too = (0,) if missing[0] else ()
        if len(row) > 5 and int(row[5]) not in (digital[0], *zero_too):
            return f"{header.name}: first sample of {name!r}", {}
        if len(row) > 6 and (int(row[6]) - int(digital.sum())) % 65536:
            return f"{header.name}: checksum of {name!r}", {}
        zero = int(
            scale[2] if scale[2] is not None else (row[4] if len(row) > 4 else 0)
        )
        values = (digital - float(zero)) / gain
        values[missing] = np.nan
        found[name or f"signal {len(found)}"] = (values, scale[3] or "")
    for file, size in sizes.items():
        if not 0 <= (header.parent / file).stat().st_size - size < 4:
            return f"{file}: wrong length", {}
    return "", found


_PASCAL: Final = {"mmhg": 133.322387415, "cmh2o": 98.0665, "hpa": 1e2, "kpa": 1e3}
_FACTOR: Final = {
    **{unit: pascal / _PASCAL["mmhg"] for unit, pascal in _PASCAL.items()},
    **{"pa": 1.0 / _PASCAL["mmhg"], "v": 1e3, "uv": 1e-3, "mv": 1.0},
}


def _expected(header: Path) -> tuple[str, dict[str, tuple[np.ndarray, str]]]:
    first, rows = _fields(header)
    if "/" not in first[0]:
        return _plain_values(header)
    rate, total = _number(first[2].split("/")[0]), int(first[3])
    joined: dict[str, tuple[np.ndarray, str]] = {}
    begin = 0
    for name, text in rows:
        n = int(text)
        if name != "~" and n:
            why, values = _plain_values(header.parent / f"{name}.hea")
            inner = _fields(header.parent / f"{name}.hea")[0]
            if why or _number(inner[2].split("/")[0]) != rate or int(inner[3]) != n:
                return why or f"segment {name}", {}
            for channel, (x, unit) in values.items():
                k = len(x) // n
                whole, _ = joined.setdefault(
                    channel, (np.full(total * k, np.nan), unit)
                )
                whole[begin * k : (begin + n) * k] = x
        begin += n
    return ("" if begin == total else "lengths of segments"), joined


def _implausible(name: str, unit: str, values: np.ndarray) -> str:
    present = values[~np.isnan(values)]
    if not len(present) or not np.isfinite(present).all():
        return f"{name}: no valid sample, or an infinite one"
    low, high = present.min(), present.max()
    if unit == "mmHg" and not (low >= -200 and high <= 600):
        return f"{name}: {low:g} to {high:g} mmHg"
    if unit == "mV" and name in ("II", "V", "MCL1", "MLII") and max(-low, high) > 1000:
        return f"{name}: {low:g} to {high:g} mV"
    return ""


def wrongly_accepted(record: Record, original: Path, mutated: Path) -> str:
    """Read again what was accepted, by other means."""
    del original  # the damaged header says all that can be checked
    try:
        why, expected = _expected(mutated)
    except Exception as error:  # noqa: BLE001 (what was accepted may be anything)
        return f"it cannot be decoded: {type(error).__name__} {error}"
    if why:
        return why
    for name, signal in record.channels.items():
        if name not in expected:
            return f"there is no channel {name!r}"
        values, unit = expected[name]
        if not unit or not signal.sampling_rate > 0.0:
            return f"{name}: no unit or rate"
        factor = _FACTOR.get(unit.lower(), 1.0)
        same = np.allclose(signal.values, values * factor, rtol=1e-8, equal_nan=True)
        if len(signal.values) != len(values) or not same:
            return f"{name}: other values than are stored"
        why = _implausible(name, signal.unit, signal.values)
        if why:
            return why
    for note in record.annotations.values():
        if len(note.times) and (np.diff(note.times) < 0).any():
            return "annotations go back in time"
    parts = list(stream_record(mutated, length=0.9))
    for name, signal in record.channels.items():
        joined = np.concatenate([part.channels[name].values for part in parts])
        if not np.array_equal(joined, signal.values, equal_nan=True):
            return f"{name}: read in parts it is another"
    return ""


# ---- names that lead out, and what is declared -------------------------------------


def escape(
    original: Path, folder: Path, outside: Path, rng: np.random.Generator
) -> tuple[Path, str]:
    """Copy a record whose header names one of its files outside the folder."""
    for file in original.parent.iterdir():
        shutil.copyfile(file, folder / file.name)
        shutil.copyfile(file, outside / file.name)
    (outside / "secret.txt").write_text(SECRET)
    header = folder / original.name
    rows = _text(header.read_bytes())
    body = [
        k
        for k, row in enumerate(rows)
        if k > 0 and len(row) > 1 and row[0][:1] not in "#~"
    ]
    k = int(rng.choice(body))
    name = rows[k][0]
    segment = "/" in rows[0][0]
    file = f"{name}.hea" if segment else name
    kind = str(rng.choice(["up", "absolute", "link", "folder link", "odd", "loop"]))
    ways = {
        "up": f"../{outside.name}/{name}",
        "absolute": str(outside / name),
        "folder link": f"sub/{name}",
        "odd": str(
            rng.choice(
                [
                    f"./../{outside.name}/{name}",
                    f"..\\{outside.name}\\{name}",
                    f"sub/../../{outside.name}/{name}",
                    f"file://{outside}/{name}",
                    f"....//{outside.name}/{name}",
                    f"~/../{outside}/{name}",
                    f"/proc/self/cwd/{outside}/{name}",
                    f"//{outside}/{name}",
                ]
            )
        ),
    }
    if kind == "folder link":
        (folder / "sub").symlink_to(outside, target_is_directory=True)
    if kind in ("link", "loop"):
        target = folder / file
        target.unlink()
        target.symlink_to(outside / file if kind == "link" else target)
    else:
        rows[k][0] = ways[kind]
        if not segment:  # every signal of the file
            for row in rows[1:]:
                row[0] = ways[kind] if row[0] == name else row[0]
    header.write_bytes(_join(rows))
    return header, kind


def huge(folder: Path) -> list[tuple[Path, str]]:
    """Write records that declare more than there is."""
    made: list[tuple[Path, str]] = []
    line = "x.dat 16 200(0)/mV 16 0 0 0 0 II"

    def of_form(form: str) -> str:
        return line.replace("16", form, 1) + "\n"

    def record(kind: str, text: str, data: bytes = bytes(2000)) -> None:
        place = folder / kind.replace(" ", "_")
        place.mkdir(exist_ok=True)
        (place / "x.dat").write_bytes(data)
        (place / "x.hea").write_text(text)
        made.append((place / "x.hea", kind))

    record("1e12 samples", f"x 1 250 1000000000000\n{line}\n")
    record(
        "1e12 samples a frame",
        f"x 1 250 1000\n{of_form('16x999999')}",
    )
    record("1e9 signals", f"x 1000000000 250 1000\n{line}\n")
    record("1e9 segments", "x/1000000000 1 250 1000\nx 1000\n")
    record("itself", "x/1 1 250 1000\nx 1000\n")
    record("itself 1000 times", "x/1000 1 250 1000000\n" + "x 1000\n" * 1000)
    record("huge skew", f"x 1 250 1000\n{of_form('16:999999999')}")
    record("huge offset", f"x 1 250 1000\n{of_form('16+999999999999')}")
    record("huge baseline", f"x 1 250 1000\n{line.replace('(0)', '(999999999999)')}\n")
    record("gap of 1e12", "x/2 1 250 1000000001000\nx1 1000\n~ 1000000000000\n")
    place = made[-1][0].parent
    (place / "x1.hea").write_text(f"x1 1 250 1000\n{line}\n")
    record("gap of 31 days", "x/2 1 250 669600000\nx1 1000\n~ 669599000\n")
    place = made[-1][0].parent
    text = f"x1 1 250 1000\n{line.replace(' 0 0 0 II', ' 0 1 0 II')}\n"
    data = np.zeros(1000, dtype="<i2")
    data[1] = 1
    (place / "x1.hea").write_text(text)
    (place / "x.dat").write_bytes(data.tobytes())
    record("header of a megabyte", "x 60000 250 1\n" + f"{line}\n" * 30000)
    record("header of a gigabyte", "x 1 250 1000\n")
    with (made[-1][0]).open("r+b") as file:
        file.truncate(1 << 30)
    names = "".join(f"x.dat 16 1/mV 16 0 0 0 0 s{i}\n" for i in range(25000))
    record("25000 signals", f"x 25000 250 1\n{names}", bytes(50000))
    record("two in a ring", "x/1 1 250 1000\ny 1000\n")
    (made[-1][0].parent / "y.hea").write_text("y/1 1 250 1000\nx 1000\n")
    stream = bytearray(b"fLaC\x80\0\0\x22" + bytes(34))
    stream[8:12] = b"\x10\0\x10\0"
    packed = 4000 << 44 | 0 << 41 | 15 << 36 | 60_000_000_000
    stream[18:26] = packed.to_bytes(8, "big")
    record(
        "flac of 6e10",
        f"x 1 100000 60000000000\n{line.replace('16', '516', 1)}\n",
        bytes(stream),
    )
    stream[18:26] = (4000 << 44 | 15 << 36 | 4_000_000).to_bytes(8, "big")
    record(
        "flac of 4e6",
        f"x 1 1000 4000000\n{line.replace('16', '516', 1)}\n",
        bytes(stream),
    )
    return made


if __name__ == "__main__":  # a look at the originals
    import tempfile

    with tempfile.TemporaryDirectory() as text:
        for path in originals(Path(text)):
            found = read_record(path)
            print(path.name, list(found.channels), found.annotations.keys())
