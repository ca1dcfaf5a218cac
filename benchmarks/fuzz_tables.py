"""Damaged tables: CSV, Parquet and NumPy files, and the sidecars beside them.

``fuzz_csv``, ``fuzz_parquet`` and ``fuzz_npz`` are the modules that `fuzz_readers.py`
loads; what they share is here. A copy is damaged in the table, in the sidecar, or in
both. Half of the damaged tables lose the hash that the sidecar has of them, as what
people write by hand has none: then it is for the table's own form to tell.
"""

import csv
import gzip
import hashlib
import io
import json
import shutil
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from capnet.data.writers.tables import write_table
from capnet.records import Annotations, Cuff, Record, Signal

__all__ = ["Tables"]

_EXTREME: Final = (
    *(0, -1, 1e12, -1e12, 1e308, -1e-308, 1e-9, 9_007_199_254_740_993, 10**30),
    *("", "abc", "1e5", None, True, [], {}, [1], {"a": 1}),
)
_UNITS: Final = (
    "",
    " ",
    "mmHg",
    "mV",
    "kPa",
    "NU",
    "furlong",
    "mmHg\n",
    "\ud800",
    "m" * 99,
)
_PRESSURE: Final = ("ABP", "AOP")


def _people(seed: int) -> Record:
    rng = np.random.default_rng(seed)
    t = np.arange(1500) / 125.0
    ecg = np.exp(-(((t * 1.2) % 1.0 - 0.3) ** 2) / 2e-4) + 0.02 * rng.normal(size=1500)
    ppg = 0.5 + 0.3 * np.sin(2 * np.pi * 1.2 * t) + 0.01 * rng.normal(size=1500)
    abp = 95.0 + 22.0 * np.sin(2 * np.pi * 1.2 * t + 0.4) + rng.normal(size=1500)
    ppg[200:230] = np.nan
    return Record(
        "somebody",
        {
            "II": Signal(ecg.round(4), 125.0, "mV"),
            "PLETH": Signal(ppg.round(5), 125.0, "NU"),
            "ABP": Signal(abp.round(2), 125.0, "mmHg"),
            "AOP": Signal(abp[::2].round(1), 62.5, "mmHg", 0.1),
        },
        age=61.0,
        cuffs=(Cuff(0.0, 121.0, 74.0), Cuff(6.0, 124.0, 77.0, map=93.0)),
        calibration="cuff SBP/DBP",
        covariates={"height": 1.71, "male": 1.0},
        annotations={"atr": Annotations(np.array([0.3, 1.1]), np.array(["N", "V"]))},
        reference_type="simulated",
        sync="trusted",
    )


@dataclass(frozen=True)
class Tables:
    """What `fuzz_readers.Fuzz` asks for, for tables of one or two suffixes.

    Attributes:
        suffixes: How the tables end.
    """

    suffixes: tuple[str, ...]

    def originals(self, folder: Path) -> list[Path]:
        """Write valid tables: of several rates, of one, by hand without a hash."""
        several = _people(0)
        one = {n: s for n, s in several.channels.items() if s.start == 0.0}
        kinds = {"several": several, "one": Record("x", one), "hand": Record("x", one)}
        found = []
        for suffix in self.suffixes:
            for kind, record in kinds.items():
                # One folder each, as tables of one name share the sidecar.
                home = folder / f"{kind}{suffix.replace('.', '_')}"
                found.append(write_table(record, home / f"{kind}{suffix}"))
                if kind == "hand":
                    _by_hand(found[-1])
        return found

    def mutate(
        self, original: Path, folder: Path, rng: np.random.Generator
    ) -> tuple[Path, str]:
        """Copy table, sidecar and further tables, and damage one or two of them."""
        table = _copy(original, folder)
        beside = _sidecar_of(table)
        kinds: list[str] = []
        if rng.random() < 0.6:
            victims = [p for p in sorted(folder.iterdir()) if p != beside]
            victim = victims[int(rng.integers(len(victims)))]
            kinds.append(_damage_table(victim, rng))
            if rng.random() < 0.5:
                _forget(beside, rng)
                kinds.append("no hash")
        if not kinds or rng.random() < 0.15:
            kinds.append(_damage_sidecar(beside, rng))
        return table, " + ".join(kinds)

    def wrongly_accepted(self, record: Record, original: Path, mutated: Path) -> str:
        """Judge what was read by the files alone, with Python's own tools."""
        del original
        try:
            said = json.loads(_sidecar_of(mutated).read_text(encoding="utf-8-sig"))
        except ValueError:
            return "the sidecar is no JSON"
        tables = [(mutated, said)]
        tables += [(mutated.parent / t["file"], t) for t in said.get("also", [])]
        names: list[str] = []
        for path, table in tables:
            content = path.read_bytes()
            digest = table.get("sha256")
            if digest is not None and hashlib.sha256(content).hexdigest() != digest:
                return f"{path.name}: the hash is another"
            rate = table.get("sampling_rate")
            if type(rate) not in (int, float) or not 0.01 <= rate <= 1e5:
                return f"{path.name}: the rate is {rate!r}"
            units = {n: c.get("unit") for n, c in table["channels"].items()}
            bad = [
                n for n, unit in units.items() if not isinstance(unit, str) or not unit
            ]
            if bad:
                return f"{path.name}: {bad} have no unit"
            try:
                columns = _SEEN[path.suffix](path, content)
            except Exception as error:  # noqa: BLE001 (others cannot read it at all)
                return f"{path.name}: {type(error).__name__}: {error}"
            wanted = {*units} | {table.get("time_column")} - {None}
            if {n.strip() for n in columns} != {n.strip() for n in wanted}:
                return f"{path.name} has columns {[*columns]}; declared {wanted}"
            lengths = {len(v) for v in columns.values()}
            if len(lengths) != 1:
                return f"{path.name}: columns of {lengths} rows"
            if table.get("samples") not in (None, *lengths):
                return f"{path.name} has {lengths} rows; {table['samples']} declared"
            names += units
            why = self._values(
                record, {n.strip(): v for n, v in columns.items()}, table
            )
            if why:
                return f"{path.name}: {why}"
        lost = [n for n in names if n not in record.channels]
        if any(not _all_missing(n, tables) for n in lost):
            return f"channels {lost} were lost"
        return ""

    def _values(
        self,
        record: Record,
        columns: Mapping[str, np.ndarray],
        table: Mapping[str, Any],
    ) -> str:
        for name, facts in table["channels"].items():
            if name not in record.channels:
                continue
            signal = record.channels[name]
            every = facts.get("every", 1)
            values = columns[name.strip()].astype(np.float64)
            if table.get("missing") is not None:
                values[values == table["missing"]] = np.nan
            values = values[::every]
            factor = {"kPa": 7.500615758456564, "uV": 1e-3, "V": 1e3}
            wanted = values * factor.get(facts["unit"].strip(), 1.0)
            rate = table["sampling_rate"] / every
            if len(wanted) != len(signal.values) or signal.sampling_rate != rate:
                return f"{name} has {len(signal.values)} samples; wanted {len(wanted)}"
            if not np.allclose(signal.values, wanted, 1e-12, 0.0, equal_nan=True):
                return f"{name} has other values"
            if signal.start != table.get("start", 0.0):
                return f"{name} has another start"
            seen = wanted[~np.isnan(wanted)]
            most = {"mmHg": 600.0, "mV": 1e4}.get(signal.unit, 1e12)
            if not (np.abs(seen) <= most).all() or not len(seen):
                return f"{name} holds impossible values"
            if name in _PRESSURE and signal.unit not in ("mmHg", "NU", "counts", "au"):
                return f"{name} is in {signal.unit}"
        return ""

    def escape(
        self, original: Path, folder: Path, outside: Path, rng: np.random.Generator
    ) -> tuple[Path, str]:
        """Declare a further table outside, or be a link to one."""
        table = _copy(original, folder)
        beside = _sidecar_of(table)
        secret = outside / f"secret{table.suffix}"
        shutil.copy(original, secret)
        said = json.loads(beside.read_text())
        units = said["channels"]
        kind = str(rng.choice(["relative", "absolute", "odd", "link", "sidecar link"]))
        if kind == "sidecar link":
            beside.replace(outside / beside.name)
            beside.symlink_to(outside / beside.name)
            return table, kind
        name = {
            "relative": "../" * int(rng.integers(1, 9)) + f"outside/{secret.name}",
            "absolute": str(secret),
            "odd": str(
                rng.choice(
                    [
                        f"./x/../../outside/{secret.name}",
                        f"..\\outside\\{secret.name}",
                        f"C:{secret.name}",
                        f"//{secret}",
                        f"file://{secret}",
                        f"{secret.name}\0.csv",
                        f"~/../{secret}",
                        "..",
                        ".",
                        "",
                        f"%2e%2e/outside/{secret.name}",
                        "/proc/self/environ",
                    ]
                )
            ),
            "link": f"link{table.suffix}",
        }[kind]
        if kind == "link":
            (folder / name).symlink_to(secret)
        other = {"file": name, "sampling_rate": said["sampling_rate"]}
        other["channels"] = {f"{n}_2": unit for n, unit in units.items()}
        said["also"] = [other]
        beside.write_text(json.dumps(said))
        return table, kind

    def huge(self, folder: Path) -> list[tuple[Path, str]]:
        """Write small files that declare or unfold to far more."""
        found = []
        for suffix in self.suffixes:
            for kind, content in _HUGE[suffix].items():
                home = folder / f"{kind.replace(' ', '_')}{suffix.replace('.', '_')}"
                home.mkdir(parents=True, exist_ok=True)
                path = home / f"x{suffix}"
                path.write_bytes(content())
                said = {"sampling_rate": 125, "channels": {"a": {"unit": "NU"}}}
                _sidecar_of(path).write_text(json.dumps(said))
                found.append((path, f"{suffix}: {kind}"))
            for kind, text in _huge_sidecars().items():
                home = folder / f"{kind.replace(' ', '_')}{suffix.replace('.', '_')}"
                home.mkdir(parents=True, exist_ok=True)
                path = write_table(_people(1), home / f"x{suffix}")
                _sidecar_of(path).write_bytes(text)
                found.append((path, f"{suffix}: {kind}"))
        return found


def _by_hand(path: Path) -> None:
    """Turn a sidecar into what a person would write."""
    beside = _sidecar_of(path)
    said = json.loads(beside.read_text())
    del said["sha256"]
    del said["samples"]
    said["missing"] = -9999
    beside.write_text(json.dumps(said, indent=2))


def _sidecar_of(table: Path) -> Path:
    name = table.name.removesuffix(".gz")
    return table.with_name(f"{name.rsplit('.', 1)[0]}.json")


def _copy(original: Path, folder: Path) -> Path:
    """Copy a table, its sidecar and the tables that this declares."""
    beside = _sidecar_of(original)
    also = json.loads(beside.read_text()).get("also", [])
    for name in (original.name, beside.name, *(table["file"] for table in also)):
        shutil.copy(original.parent / name, folder / name)
    return folder / original.name


def _forget(beside: Path, rng: np.random.Generator) -> None:
    """Take the hashes out of a sidecar, and at times the numbers of rows."""
    said = json.loads(beside.read_text())
    rows = rng.random() < 0.5
    for table in (said, *said.get("also", [])):
        table.pop("sha256", None)
        if rows:
            table.pop("samples", None)
    beside.write_text(json.dumps(said))


def _bytes(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    """Damage bytes, whatever they are."""
    data = bytearray(content)
    size = max(len(data), 1)
    at = int(rng.integers(size))
    length = int(rng.integers(1, 1 + min(size, 300)))
    kind = int(rng.integers(9))
    if kind == 0:
        for place in rng.integers(size, size=int(rng.integers(1, 9))):
            data[place] ^= 1 << int(rng.integers(8))
        return bytes(data), "bits"
    if kind == 1:
        return bytes(data[:at]), "cut"
    if kind == 2:
        return bytes(data[:at] + data[at + length :]), "hole"
    if kind == 3:
        return bytes(data[:at] + rng.bytes(length) + data[at:]), "random bytes in"
    if kind == 4:
        data[at : at + length] = rng.bytes(min(length, size - at))
        return bytes(data), "random bytes over"
    if kind == 5:
        data[at : at + length] = bytes([int(rng.choice([0, 255]))]) * min(
            length, size - at
        )
        return bytes(data), "zeros or ones"
    if kind == 6:
        return bytes(data + data[at:]), "end twice"
    if kind == 7:
        # Where the facts of Parquet and zip stand.
        tail = min(size, 400)
        for _ in range(int(rng.integers(1, 6))):
            data[size - 1 - int(rng.integers(tail))] = int(rng.integers(256))
        return bytes(data), "tail"
    if rng.random() < 0.2:
        return rng.bytes(int(rng.integers(0, 2000))), "random"
    head = min(size, 200)
    for _ in range(int(rng.integers(1, 6))):
        data[int(rng.integers(head))] = int(rng.integers(256))
    return bytes(data), "head"


def _damage_table(path: Path, rng: np.random.Generator) -> str:
    content = path.read_bytes()
    if rng.random() < 0.45:
        changed, kind = _bytes(content, rng)
    else:
        changed, kind = _DAMAGE[path.suffix](content, rng)
    path.write_bytes(changed)
    return f"table {kind}"


def _damage_csv(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    lines = content.split(b"\n")
    row = int(rng.integers(1, len(lines) - 1))
    cells = lines[row].split(b",")
    place = int(rng.integers(len(cells)))
    kind = int(rng.integers(8))
    words = (
        *(b"abc", b"1,5", b"12;3", b"1 2", b"0x10", b"1e999", b"-inf", b"nan(x)"),
        *(b"NULL", b"1_0", b"--1", b"1e", b'"', b'"1', b"1\r2", b"\xff", b"\x00"),
        *(b"", b" ", b"NaN", b"NA", b" 1.5 ", b'"1.5"', b"+2", b".5", b"5.", b"1E2"),
        *(b"9" * 400, b"-9999", b"=1+1", "\u0661".encode(), "1\u00a0".encode()),
    )
    if kind == 0:
        cells[place] = words[int(rng.integers(len(words)))]
        lines[row] = b",".join(cells)
        return b"\n".join(lines), "cell"
    if kind == 1:
        lines[row] = b",".join(cells[:-1]) if rng.random() < 0.5 else lines[row] + b","
        return b"\n".join(lines), "cells"
    if kind == 2:
        other = int(rng.integers(1, len(lines) - 1))
        many = int(rng.integers(0, 4))
        lines[row:row] = [lines[other]] * many if many else [b""]
        return b"\n".join(lines), "rows in"
    if kind == 3:
        del lines[row : row + int(rng.integers(1, 50))]
        return b"\n".join(lines), "rows out"
    if kind == 4:
        names = lines[0].split(b",")
        change = int(rng.integers(5))
        if change == 0:
            names[-1] = names[0]
        elif change == 1:
            names.reverse()
        elif change == 2:
            names[int(rng.integers(len(names)))] = b"Dr. X"
        elif change == 3:
            names = [b' "' + name + b'" ' for name in names]
        else:
            names.append(b"")
            lines[1:] = [line and line + b"," for line in lines[1:]]
        lines[0] = b",".join(names)
        return b"\n".join(lines), "header"
    if kind == 5:
        old, new = [(b",", b";"), (b".", b","), (b",", b"\t"), (b"\n", b"\r")][
            int(rng.integers(4))
        ]
        return content.replace(old, new), "separators"
    if kind == 6:
        ends = (b"\xef\xbb\xbf" + content, content.replace(b"\n", b"\r\n"))
        more = (content[:-1], content + b"\n", content.decode().encode("utf-16"))
        options = (*ends, *more)
        return options[int(rng.integers(len(options)))], "encoding"
    return lines[0] + b"\n", "no rows"


def _damage_gz(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    changed, kind = _damage_csv(gzip.decompress(content), rng)
    return gzip.compress(changed, 1), f"packed {kind}"


def _frame(content: bytes) -> dict[str, Any]:
    table = parquet.read_table(pa.BufferReader(content))
    return {name: table.column(name).to_numpy().copy() for name in table.column_names}


def _odd_columns(columns: dict[str, Any], rng: np.random.Generator) -> str:
    """Change what a table holds, in place."""
    name = str(rng.choice([*columns]))
    values = columns[name]
    kind = int(rng.integers(9))
    if kind == 0:
        odd = float(rng.choice([np.inf, -np.inf, 1e300, 1e7, -1e7, np.nan, -9999]))
        values[int(rng.integers(len(values)))] = odd
        return "value"
    if kind == 1:
        columns[name] = values * float(rng.choice([1e4, -1e4, 1e-3, 0.0, np.nan]))
        return "scale"
    if kind == 2:
        types = ("i1", "i4", "u2", "f4", "f2", "?", "U5", "M8[s]", "c16", "S3", "O")
        with np.errstate(all="ignore"):
            plain = np.nan_to_num(values)
            chosen = str(rng.choice(types))
            whole = plain.astype("i8") if chosen in ("M8[s]", "u2", "i1") else plain
            columns[name] = whole.astype(chosen)
        return "type"
    if kind == 3:
        columns["Patient X"] = values
        return "column in"
    if kind == 4:
        del columns[name]
        return "column out"
    if kind == 5:
        stop = int(rng.integers(len(values)))
        for key in [*columns]:
            columns[key] = columns[key][:stop]
        return "rows out"
    if kind == 6:
        columns[name.lower()] = columns.pop(name)
        return "renamed"
    if kind == 7:
        columns[name] = (2**53 + 1 + np.arange(len(values))).astype("i8")
        return "integers"
    columns[f" {name} "] = columns.pop(name)
    return "blanks"


def _damage_parquet(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    if rng.random() < 0.4:  # lengths and numbers of the footer
        size = int.from_bytes(content[-8:-4], "little")
        data = bytearray(content)
        if rng.random() < 0.2:
            new = int(rng.choice([0, size + 1, 2**31, 2**32 - 1, len(content)]))
            data[-8:-4] = new.to_bytes(4, "little")
            return bytes(data), "length of the footer"
        for _ in range(int(rng.integers(1, 4))):
            data[len(data) - 8 - 1 - int(rng.integers(size))] = int(rng.integers(256))
        return bytes(data), "footer"
    columns = _frame(content)
    kind = _odd_columns(columns, rng)
    if rng.random() < 0.1 and columns:
        first = next(iter(columns))
        columns[first] = [[1.0]] * len(columns[first])
        kind = "lists"
    sink = io.BytesIO()
    packing = str(rng.choice(["none", "snappy", "gzip", "zstd", "brotli"]))
    try:
        table = pa.table(columns)
        parquet.write_table(table, sink, compression=packing, row_group_size=400)
    except (pa.ArrowException, TypeError, ValueError):
        return content[:-1], "cut"
    return sink.getvalue(), kind


def _damage_npz(content: bytes, rng: np.random.Generator) -> tuple[bytes, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    kind = "members"
    change = int(rng.integers(7))
    names = [*parts]
    name = names[int(rng.integers(len(names)))]
    if change <= 1:
        columns = {
            n.removesuffix(".npy"): np.load(io.BytesIO(p)) for n, p in parts.items()
        }
        kind = _odd_columns(columns, rng)
        parts = {}
        for key, values in columns.items():
            file = io.BytesIO()
            np.save(file, values, allow_pickle=True)
            parts[f"{key}.npy"] = file.getvalue()
    elif change == 2:
        old = parts[name]
        shapes = (
            b"(1000000000000,)",
            b"(-1,)",
            b"(1500, 1)",
            b"()",
            b"(0,)",
            b"(1499,)",
        )
        text = old[:128].replace(b"(1500,)", shapes[int(rng.integers(len(shapes)))])
        parts[name] = (text + b" " * 128)[:127] + b"\n" + old[128:]
        kind = "shape"
    elif change == 3:
        old = parts[name]
        types = (
            b"'|O'",
            b"'<f4'",
            b"'>f8'",
            b"'<U2'",
            b"'<i8'",
            b"'<f9'",
            b"[('a','<f8')]",
        )
        text = old[:128].replace(b"'<f8'", types[int(rng.integers(len(types)))])
        parts[name] = (text + b" " * 128)[:127] + b"\n" + old[128:]
        kind = "descr"
    elif change == 4:
        data = bytearray(parts[name])
        data[int(rng.integers(128))] = int(rng.integers(256))
        parts[name] = bytes(data)
        kind = "header"
    elif change == 5:
        parts[name] = parts[name][: int(rng.integers(len(parts[name])))]
        kind = "short"
    else:
        odd = ("../x.npy", "x.txt", "/etc/x.npy", ".npy", "a\\b.npy", name.upper())
        parts[odd[int(rng.integers(len(odd)))]] = parts.pop(name)
    sink = io.BytesIO()
    method = int(rng.choice([0, 8, 8, 12, 14]))
    with zipfile.ZipFile(sink, "w", method) as archive:
        for key, part in parts.items():
            archive.writestr(key, part)
        if rng.random() < 0.1 and parts:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                archive.writestr(next(iter(parts)), parts[next(iter(parts))])
            kind += ", twice"
    return sink.getvalue(), kind


def _damage_sidecar(path: Path, rng: np.random.Generator) -> str:
    content = path.read_bytes()
    if rng.random() < 0.35:
        changed, kind = _bytes(content, rng)
        path.write_bytes(changed)
        return f"sidecar {kind}"
    said = json.loads(content)
    if rng.random() < 0.1:
        text = content.decode()
        old, new = [
            ("125", "NaN"),
            ("125", "Infinity"),
            ("125", "-125"),
            ("125", "1e999"),
            ("125", "125" + "0" * 5000),
            ('"unit"', '"unit": "mV", "unit"'),
            ("{", "[" * 5000),
            ('"NU"', "'NU'"),
        ][int(rng.integers(8))]
        path.write_text(text.replace(old, new, 1))
        return "sidecar text"
    places: list[tuple[Any, Any]] = []

    def walk(node: Any) -> None:
        keys = node.keys() if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                walk(node[key])

    walk(said)
    node, key = places[int(rng.integers(len(places)))]
    kind = int(rng.integers(6))
    if kind == 0:
        node.pop(key)
        what = "out"
    elif kind == 1:
        node[key] = _EXTREME[int(rng.integers(len(_EXTREME)))]
        what = "extreme"
    elif kind == 2 and isinstance(node, dict):
        node[f"{key}_2"] = node.pop(key)
        what = "renamed"
    elif kind == 3:
        columns = said["channels"]
        column = columns[str(rng.choice([*columns]))]
        column["unit"] = _UNITS[int(rng.integers(len(_UNITS)))]
        what = "unit"
    elif kind == 4:
        rates = (0, -125, 1e-6, 1e9, 62.5, 250, "125", None, 124.9, True)
        said["sampling_rate"] = rates[int(rng.integers(len(rates)))]
        what = "rate"
    else:
        options = {
            "time_column": "II",
            "start": 1e300,
            "every": 3,
            "samples": 1499,
            "missing": 0.5,
            "also": [{"file": path.name, "sampling_rate": 1, "channels": {"x": 1}}],
            "format": 2,
            "name": "Dr. X",
            "cuffs": [{"time": 0, "sbp": 80, "dbp": 120}],
            "age": 300,
            "covariates": {"height": 171},
            "annotations": {"atr": {"times": [2, 1], "labels": ["N", "N"]}},
        }
        word = str(rng.choice([*options]))
        target = next(iter(said["channels"].values())) if word == "every" else said
        target[word] = options[word]
        what = "field"
    path.write_text(json.dumps(said))
    return f"sidecar {what}"


def _seen_csv(path: Path, content: bytes) -> dict[str, np.ndarray]:
    text = content.decode("utf-8-sig")
    rows = [*csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)]
    header = rows[0]
    # A blank line in a table of one column is a missing value.
    body = [row or [""] if len(header) == 1 else row for row in rows[1:]]
    if any(len(row) != len(header) for row in body):
        msg = f"{path.name} is ragged"
        raise ValueError(msg)

    def number(cell: str) -> float:
        cell = cell.strip()
        return float("nan") if cell in ("", "nan", "NaN", "NAN", "NA") else float(cell)

    found = {
        name: np.array([number(row[i]) for row in body])
        for i, name in enumerate(header)
    }
    return {n: v for n, v in found.items() if n.strip() or not np.isnan(v).all()}


def _seen_gz(path: Path, content: bytes) -> dict[str, np.ndarray]:
    return _seen_csv(path, gzip.decompress(content))


def _seen_parquet(path: Path, content: bytes) -> dict[str, np.ndarray]:
    del path
    return {n: np.asarray(v, dtype=np.float64) for n, v in _frame(content).items()}


def _seen_npz(path: Path, content: bytes) -> dict[str, np.ndarray]:
    del path
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
        if archive.testzip() is not None or len(set(names)) != len(names):
            msg = "a checksum is wrong, or a name stands twice"
            raise ValueError(msg)
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name].astype(np.float64) for name in archive.files}


def _all_missing(name: str, tables: list[tuple[Path, Any]]) -> bool:
    for path, table in tables:
        if name in table["channels"]:
            values = _SEEN[path.suffix](path, path.read_bytes())[name].copy()
            if table.get("missing") is not None:
                values[values == table["missing"]] = np.nan
            return bool(
                np.isnan(values[:: table["channels"][name].get("every", 1)]).all()
            )
    return False


def _huge_sidecars() -> dict[str, bytes]:
    deep = b"[" * 200_000 + b"]" * 200_000
    wide = json.dumps({f"c{i}": {"unit": "NU"} for i in range(90_000)}).encode()
    start = b'{"sampling_rate": 125, "channels": '
    unit = b'{"a": {"unit": "NU"}}'
    return {
        "deep sidecar": deep,
        "wide sidecar": start + wide + b"}",
        "long sidecar": start + unit + b', "cuffs": [' + b"0," * 5_000_000 + b"0]}",
        "many notes": start
        + unit
        + b', "annotations": {"atr": {"labels": [], "times": ['
        + b"0," * 1_900_000
        + b"0]}}}",
        "itself": start
        + unit
        + b', "also": [{"file": "x.json", "sampling_rate": 1, "channels": '
        + b'{"b": {"unit": "NU"}}}]}',
        "rows declared": b'{"samples": 1000000000000, ' + start[1:] + unit + b"}",
    }


def _zeros(count: int) -> bytes:
    """Return a CSV of so many rows, packed."""
    sink = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, sink, mtime=0) as file:
        file.write(b"a\n")
        block = b"0\n" * 1_000_000
        for _ in range(count // 1_000_000):
            file.write(block)
    return sink.getvalue()


def _long_parquet(rows: int) -> bytes:
    sink = io.BytesIO()
    schema = pa.schema([("a", pa.float64())])
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        for _ in range(rows // 10_000_000):
            part = pa.table({"a": np.zeros(10_000_000)})
            writer.write_table(part, row_group_size=10_000_000)
    return sink.getvalue()


def _npz(rows: int, declared: int | None = None) -> bytes:
    sink = io.BytesIO()
    with (
        zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("a.npy", "w", force_zip64=True) as part,
    ):
        np.lib.format.write_array_header_1_0(
            part,
            {"descr": "<f8", "fortran_order": False, "shape": (declared or rows,)},
        )
        for _ in range(0, rows, 1_000_000):
            part.write(bytes(8 * min(rows, 1_000_000)))
    return sink.getvalue()


def _many_members() -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for number in range(60_000):
            archive.writestr(f"{number}.npy", b"")
    return sink.getvalue()


def _patched_parquet() -> bytes:
    """Return a footer that declares 1e12 rows: the varints of 1,500 are replaced."""
    content = bytearray(_long_parquet(10_000_000))
    old = _varint(2 * 10_000_000)
    new = _varint(2 * 10**12)
    size = int.from_bytes(content[-8:-4], "little")
    footer = bytes(content[-8 - size : -8]).replace(old, new)
    return (
        bytes(content[: -8 - size]) + footer + struct.pack("<I", len(footer)) + b"PAR1"
    )


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


_Content = Callable[[], bytes]
_HUGE: Final[Mapping[str, Mapping[str, _Content]]] = {
    ".csv": {
        "one line": lambda: b"a\n" + b"1" * 50_000_000,
        "header": lambda: b"a," * 9_999_999,
    },
    ".csv.gz": {"rows": lambda: _zeros(500_000_000)},
    ".parquet": {
        "rows": lambda: _long_parquet(300_000_000),
        "declared": _patched_parquet,
    },
    ".npz": {
        "rows": lambda: _npz(100_000_000),
        "declared": lambda: _npz(10, 10**12),
        "members": _many_members,
    },
}
_SEEN: Final[Mapping[str, Callable[[Path, bytes], dict[str, np.ndarray]]]] = {
    ".csv": _seen_csv,
    ".gz": _seen_gz,
    ".parquet": _seen_parquet,
    ".npz": _seen_npz,
}
_DAMAGE: Final[
    Mapping[str, Callable[[bytes, np.random.Generator], tuple[bytes, str]]]
] = {
    ".csv": _damage_csv,
    ".gz": _damage_gz,
    ".parquet": _damage_parquet,
    ".npz": _damage_npz,
}
