"""Damaged EDF files, see `fuzz_readers`."""

import shutil
import sys
from pathlib import Path
from typing import Final

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capnet.records import Record
from tests.fakes import make_edf

NAME: Final = "EDF"

_NUMBERS: Final = (
    *(
        b"",
        b"0",
        b"-1",
        b"nan",
        b"inf",
        b"-inf",
        b"1e300",
        b"1e-300",
        b"1E99",
        b"99999999",
    ),
    *(
        b"-9999999",
        b"0x10",
        b"1,5",
        b"1.5.2",
        b"\xff\xff",
        b"1 2",
        b"1e12",
        b"+5",
        b"32767",
    ),
    *(b"-32768", b"65536", b"0.001", b"1000000", b"1_000", b"\xd9\xa1"),
)
_UNITS: Final = (
    b"",
    b"kPa",
    b"mmHg",
    b"V",
    b"uV",
    b"\xb5V",
    b"bananas",
    b"\x00\x00",
    b"mV",
    b"Pa",
)
_FILE: Final = ((0, 8), (8, 80), (88, 80), (168, 8), (176, 8), (184, 8), (192, 44),
                (236, 8), (244, 8), (252, 4))  # fmt: skip
_SIGNAL: Final = {
    **{"label": (0, 16), "maker": (16, 80), "unit": (96, 8), "low": (104, 8)},
    **{"high": (112, 8), "least": (120, 8), "most": (128, 8), "filter": (136, 80)},
    **{"count": (216, 8), "reserved": (224, 32)},
}


def originals(folder: Path) -> list[Path]:
    """Write files of each kind: plain, continuous with notes, with gaps."""
    notes = [[(0.5, "N"), (0.7, "V")], [(1.5, "Jane Canary")], [], [(3.2, "N")]]
    made = {
        "plain": make_edf.people(4),
        "continuous": make_edf.people(4, kind="EDF+C", notes=notes, seed=1),
        "gaps": make_edf.people(4, kind="EDF+D", onsets=[0.0, 1.0, 4.4, 5.4], seed=2),
        "short": make_edf.people(1, seed=3),
    }
    made["plain"].duration = "1.0"
    made["short"].channels[0].unit = "uV"
    return [make_edf.write(folder / f"{n}.edf", edf) for n, edf in made.items()]


def _signals(content: bytes) -> int:
    return (len(content[252:256].strip()) and int(content[252:256])) or 1


def mutate(original: Path, folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """Damage header fields, samples, annotations or the length."""
    content = bytearray(original.read_bytes())
    ns = _signals(content)
    header = 256 * (ns + 1)
    path = folder / "damaged.edf"
    kind = str(rng.choice(_KINDS))

    def put(place: int, width: int, value: bytes) -> None:
        content[place : place + width] = value.ljust(width)[:width]

    def field(name: str, number: int | None = None) -> tuple[int, int]:
        start, width = _SIGNAL[name]
        number = int(rng.integers(ns)) if number is None else number
        return 256 + start * ns + width * number, width

    if kind == "bits in the header":
        for _ in range(int(rng.integers(1, 6))):
            content[int(rng.integers(header))] ^= 1 << int(rng.integers(8))
    elif kind == "bits anywhere":
        for _ in range(int(rng.integers(1, 20))):
            content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))
    elif kind == "cut":
        del content[int(rng.integers(len(content))) :]
    elif kind == "longer":
        content += rng.bytes(int(rng.integers(1, 5000)))
    elif kind == "inserted":
        at = int(rng.integers(len(content)))
        content[at:at] = rng.bytes(int(rng.integers(1, 300)))
    elif kind == "deleted":
        at = int(rng.integers(len(content)))
        del content[at : at + int(rng.integers(1, 300))]
    elif kind == "number in the file header":
        place, width = _FILE[int(rng.integers(len(_FILE)))]
        put(place, width, _NUMBERS[int(rng.integers(len(_NUMBERS)))])
    elif kind == "number in a signal header":
        name = str(rng.choice(["low", "high", "least", "most", "count"]))
        put(*field(name), _NUMBERS[int(rng.integers(len(_NUMBERS)))])
    elif kind == "unit":
        put(*field("unit"), _UNITS[int(rng.integers(len(_UNITS)))])
    elif kind == "label":
        words = [
            b"",
            b"II",
            b"ABP",
            b"EDF Annotations",
            b"\xff",
            b"a\nb",
            rng.bytes(16),
        ]
        put(*field("label"), words[int(rng.integers(len(words)))])
    elif kind == "fields swapped":
        one, other = rng.choice(["low", "high", "least", "most", "count"], 2)
        number = int(rng.integers(ns))
        (a, width), (b, _) = field(str(one), number), field(str(other), number)
        content[a : a + width], content[b : b + width] = (
            content[b : b + width],
            content[a : a + width],
        )
    elif kind == "signals swapped":
        name = str(rng.choice(list(_SIGNAL)))
        (a, width), (b, _) = field(name, 0), field(name, ns - 1)
        content[a : a + width], content[b : b + width] = (
            content[b : b + width],
            content[a : a + width],
        )
    elif kind == "kind":
        words = [b"", b"EDF+C", b"EDF+D", b"EDF+X", b"BIOSEMI"]
        put(192, 44, words[int(rng.integers(len(words)))])
    elif kind == "annotations":
        at = header + int(rng.integers(max(1, len(content) - header)))
        junk = [
            b"+1e9\x14\x14\0",
            b"+-\x14",
            b"\x14\x14\x14",
            b"+nan\x14\x14\0",
            b"\0" * 40,
        ]
        chosen = junk[int(rng.integers(len(junk)))]
        content[at : at + len(chosen)] = chosen
    elif kind == "times":
        # The onset of a data record, where there are annotations.
        places = [
            i
            for i in range(header, len(content) - 1)
            if content[i : i + 2] == b"\x14\x14"
        ]
        if places:
            at = places[int(rng.integers(len(places)))]
            content[at - 1] = 48 + int(rng.integers(10))
    elif kind == "random file":
        content = bytearray(rng.bytes(int(rng.integers(0, 4000))))
    elif kind == "random body":
        content[header:] = rng.bytes(len(content) - header)
    path.write_bytes(content)
    return path, kind


_KINDS: Final = (
    *("bits in the header", "bits anywhere", "cut", "longer", "inserted", "deleted"),
    *("number in the file header", "number in a signal header", "unit", "label"),
    *("fields swapped", "signals swapped", "kind", "annotations", "times"),
    *("random file", "random body"),
)
_SCALE: Final = {
    **{"mmHg": 1.0, "kPa": 1e3 / 133.322387415, "Pa": 1 / 133.322387415},
    **{"mV": 1.0, "uV": 1e-3, "V": 1e3, "\xb5V": 1e-3, "NU": 1.0},
}


def wrongly_accepted(record: Record, original: Path, mutated: Path) -> str:
    """Read the file again, by the standard's table of fields and nothing else."""
    del original  # what was read is held against the file itself
    data = mutated.read_bytes()
    try:
        return _differs(record, data)
    except (ValueError, IndexError, ZeroDivisionError) as error:
        return f"the header has a field that is no number: {error}"


def _differs(record: Record, data: bytes) -> str:
    ns, records = int(data[252:256]), int(data[236:244])
    seconds = float(data[244:252])
    plus = data[192:197] in (b"EDF+C", b"EDF+D")

    def of(name: str) -> list[bytes]:
        start, width = _SIGNAL[name]
        first = 256 + start * ns
        return [data[first + width * k : first + width * (k + 1)] for k in range(ns)]

    counts = [int(c) for c in of("count")]
    if int(data[184:192]) != 256 * (ns + 1) or min(counts) < 1 or records < 1:
        return "lengths of the header are impossible"
    if len(data) != 256 * (ns + 1) + 2 * records * sum(counts):
        return "the length is not what the header declares"
    if not 0 < seconds < 1e9:
        return "the duration is impossible"
    labels = [label.decode("latin-1").strip() for label in of("label")]
    frames = np.frombuffer(data[256 * (ns + 1) :], "<i2").reshape(records, -1)
    onsets = None
    if plus:
        if "EDF Annotations" not in labels:
            return "EDF+ without annotations"
        at = labels.index("EDF Annotations")
        first = sum(counts[:at])
        lines = [f[first : first + counts[at]].tobytes() for f in frames]
        onsets = np.array([float(line.split(b"\x14")[0]) for line in lines])
        steps = np.diff(onsets) - seconds
        if (steps < -0.0011).any() or not np.isfinite(onsets).all():
            return "data records overlap"
        if data[192:197] == b"EDF+C" and (steps > 0.0011).any():
            return "a continuous file with gaps"
    for name, signal in record.channels.items():
        k = labels.index(name)
        rate = counts[k] / seconds
        if signal.sampling_rate != rate or not 0.01 <= rate <= 1e5:
            return f"{name}: the rate is {signal.sampling_rate}, not {rate}"
        unit = of("unit")[k].decode("latin-1").strip()
        if not unit:
            return f"{name}: no unit is declared"
        low, high = float(of("low")[k]), float(of("high")[k])
        least, most = int(of("least")[k]), int(of("most")[k])
        if not (low < high and least < most and np.isfinite([low, high]).all()):
            return f"{name}: no gain follows from the ranges"
        first = sum(counts[:k])
        digital = frames[:, first : first + counts[k]].astype(float)
        if digital.min() < least or digital.max() > most:
            return f"{name}: samples leave the digital range"
        wanted = low + (high - low) * (digital - least) / (most - least)
        wanted = (wanted * _SCALE.get(unit, 1.0)).reshape(-1)
        there = np.isfinite(signal.values)
        if not np.allclose(
            signal.values[there], wanted, rtol=1e-9, atol=1e-9 * (high - low)
        ):
            return f"{name}: samples differ"
        if onsets is not None:
            span = round((onsets[-1] - onsets[0]) * rate) + counts[k]
            if abs(span - len(signal.values)) > 1 + 0.002 * rate:
                return f"{name}: the gaps are not as long as the times say"
        pressure = unit in ("mmHg", "kPa", "Pa")
        if pressure and not (wanted.min() >= -200 and wanted.max() <= 600):
            return f"{name}: pressures of {wanted.min():g} to {wanted.max():g} mmHg"
        if unit in ("mV", "uV", "V") and np.abs(wanted).max() > 1e4:
            return f"{name}: {np.abs(wanted).max():g} mV"
    for notes in record.annotations.values():
        if any(len(label) > 1 for label in notes.labels):
            return "an annotation has text"
    return "a name is kept" if "Canary" in repr(record) else ""


def huge(folder: Path) -> list[tuple[Path, str]]:
    """Declare far more records, samples and signals than there are."""
    original = make_edf.write(folder / "whole.edf", make_edf.people(2))
    found = []
    for name, place, width, value in (
        ("records", 236, 8, b"99999999"),
        ("signals", 252, 4, b"9999"),
        ("header", 184, 8, b"99999999"),
        ("samples", 256 + 216 * 3, 8, b"99999999"),
    ):
        path = folder / f"{name}.edf"
        shutil.copy(original, path)
        data = bytearray(path.read_bytes())
        data[place : place + width] = value
        path.write_bytes(data)
        found.append((path, name))
    sparse = folder / "gap.edf"
    edf = make_edf.people(4, kind="EDF+D", onsets=[0.0, 1.0, 2.0, 9e8])
    make_edf.write(sparse, edf)
    return [*found, (sparse, "a gap of years")]
