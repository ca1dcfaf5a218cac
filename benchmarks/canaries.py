"""Plant canaries in every field of every format; no artefact may hold one.

    python benchmarks/canaries.py [--formats wfdb edf] [--keep FOLDER] [--light]

A canary is a word that stands where a name, a date or a remark could stand. Each field
of each format gets one of its own. Every file goes the whole way: reader, record
without names, store, adapted model, ONNX folder, report, logs, and errors of damaged
copies. Then everything that was left is searched by `capnet.data.scan`
(decompressed, in many encodings) and, independently, by the plain bytes. Bar: 0.

A message on the screen may repeat what a user has to correct: names of files and
channels, units, numbers of a header. The files of logs may hold what the user typed on
the command line, nothing from inside a file. Everything else may hold none at all.
"""

import argparse
import gzip
import json
import os
import re
import shutil
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capnet.data.clinic.examples import write_example_clinic
from capnet.data.privacy.pseudonyms import deidentified, pseudonym_key
from capnet.data.privacy.search import scan
from capnet.data.readers import read_record
from capnet.data.stores.beat_store import build_store
from capnet.data.stores.sources import source_of_record
from capnet.errors import CapnetError
from capnet.records import Record
from tests.experiments.conftest import TINY, open_door
from tests.fakes import make_edf, make_pulsedb, make_record, make_vital

SECONDS = 60.0
TYPED = ("name of the file", "name of the record")
"""What the user types to open a file."""
SHOWN = (
    *TYPED,
    *("label of a channel", "unit of a channel", "unit of a column or sidecar"),
    *("technical field", "time_column of a column or sidecar"),
)
"""What messages on the screen may repeat, so that it can be corrected."""


@dataclass(frozen=True)
class Canary:
    """One planted word."""

    word: str
    format: str
    field: str


class Cage:
    """All canaries; gives out new ones."""

    def __init__(self) -> None:
        self.birds: list[Canary] = []

    def plant(self, form: str, field: str) -> str:
        """Return a word of 8 characters that is found nowhere else."""
        word = f"Knry{len(self.birds):03d}q"
        self.birds.append(Canary(word, form, field))
        return word


def waves() -> dict[str, np.ndarray]:
    """Return a minute of made-up ECG, pressure and PPG at 250 Hz."""
    return make_record.channels(SECONDS, 70.0, np.random.default_rng(0))


def wfdb(folder: Path, cage: Cage) -> Path:
    """Remarks, descriptions, annotations, the name, a channel of its own."""
    name = cage.plant("wfdb", "name of the record")
    header = make_record.make_record(folder, seconds=SECONDS, name=name)
    lines = header.read_text().splitlines()
    lines[0] += " 12:34:56 14/03/1951"
    lines.insert(1, f"# {cage.plant('wfdb', 'remark before the signals')}")
    lines += [
        f"# <name>: {cage.plant('wfdb', 'name in a remark')} <age>: 61 <sex>: F",
        f"#{cage.plant('wfdb', 'remark after the signals')}",
        f"# Age {cage.plant('wfdb', 'age that is none')}",
    ]
    label = cage.plant("wfdb", "label of a channel")
    unit = cage.plant("wfdb", "unit of a channel")
    lines[0] = lines[0].replace(f"{name} 3", f"{name} 4")
    size = round(SECONDS * make_record.RATE)
    (folder / f"{name}_x.dat").write_bytes(np.zeros(size, "<i2").tobytes())
    lines.insert(5, f"{name}_x.dat 16 100(0)/{unit} 16 0 0 0 0 {label}")
    header.write_text("\n".join(lines) + "\n")
    # An annotation of 22 (a note) with text, as annot(5) of WFDB has it.
    text = cage.plant("wfdb", "text of an annotation").encode()
    words = [(1 << 10) | 100, (22 << 10) | 50, (63 << 10) | len(text)]
    raw = b"".join(word.to_bytes(2, "little") for word in words)
    (folder / f"{name}.atr").write_bytes(raw + text + b"\0\0")
    return header


def edf(folder: Path, cage: Cage) -> Path:
    """Patient, recording, annotations, transducers, filters, reserved fields."""
    seconds = round(SECONDS)
    signals = waves()
    note = [[] for _ in range(seconds)]
    note[3] = [(3.5, cage.plant("edf", "text of an annotation"))]
    patient = (
        f"{cage.plant('edf', 'code of the patient')} F 14-MAR-1951 "
        f"{cage.plant('edf', 'name of the patient')}"
    )
    recording = " ".join(
        ["Startdate 02-MAR-2002"]
        + [cage.plant("edf", f) for f in ("admission", "technician", "equipment")]
    )
    scales = {"II": ("mV", -8.0, 8.0), "ABP": ("mmHg", -100.0, 400.0)}
    scales["PLETH"] = ("NU", -2.0, 2.0)
    channels = []
    for name, wave in signals.items():
        unit, low, high = scales[name]
        digital = np.round((wave - low) / (high - low) * 65535 - 32768)
        channel = make_edf.Channel(name, digital, 250, unit, f"{low:g}", f"{high:g}")
        channels.append(channel)
    unit = cage.plant("edf", "unit of a channel")
    other = make_edf.Channel(
        cage.plant("edf", "label of a channel"), digital, 250, unit
    )
    made = make_edf.Edf(
        [*channels, other],
        kind="EDF+C",
        patient=patient,
        recording=recording,
        onsets=[float(second) for second in range(seconds)],
        notes=note,
    )
    path = folder / f"{cage.plant('edf', 'name of the file')}.edf"
    content = bytearray(make_edf.content(made))
    count = len(made.channels) + 1
    for field, start, width in (
        ("transducer", 256 + 16 * count, 80),
        ("filter", 256 + (16 + 80 + 8 * 5) * count, 80),
        ("reserved", 256 + (16 + 80 + 8 * 5 + 80 + 8) * count, 32),
    ):
        word = cage.plant("edf", field).encode()
        content[start : start + width] = word.ljust(width)
    path.write_bytes(content)
    return path


def vital(folder: Path, cage: Cage) -> Path:
    """Devices, tracks, events, and fields nobody reads."""
    signals = waves()
    scaled = {
        "ECG_II": (signals["II"], "mV", 0.001, 0.0, 1),
        "ART": (signals["ABP"], "mmHg", 0.01, 0.0, 4),
        "PLETH": (signals["PLETH"], "", 0.0001, 0.0, 8),
    }
    tracks = []
    for name, (wave, unit, gain, offset, monitor) in scaled.items():
        digital = np.round((wave - offset) / gain).astype(np.int16)
        packets = make_vital.cut_up(digital, 250)
        more = {"form": 5, "unit": unit, "rate": 250.0, "gain": gain, "offset": offset}
        tracks.append(make_vital.Track(name, packets, monitor=monitor, **more))
    event = cage.plant("vital", "event")
    tracks.append(make_vital.Track("EVENT", [(1.0, event)], 5, 0, "", 0.0, 1.0, 0.0))
    label = cage.plant("vital", "label of a channel")
    word = cage.plant("vital", "text of a track")
    tracks.append(make_vital.Track(label, [(1.0, word)], 5, 0, "", 0.0, 1.0, 0.0))
    device = {1: cage.plant("vital", "name of the device")}
    path = folder / f"{cage.plant('vital', 'name of the file')}.vital"
    return make_vital.write(path, make_vital.Vital(tracks, device))


def pulsedb(folder: Path, cage: Cage) -> Path:
    """Who it is, which case, MATLAB's text at the head, fields nobody knows."""
    signals = {name: wave[::2] for name, wave in waves().items()}
    made = make_pulsedb.windows(6)
    for kind, name in (("ECG", "II"), ("PPG", "PLETH"), ("ABP", "ABP")):
        parts = signals[name].reshape(6, -1)
        scaled = parts if kind == "ABP" else (parts - parts.min()) / np.ptp(parts)
        made[f"{kind}_Raw"] = made[f"{kind}_F"] = list(scaled)
    made["T"] = [np.arange(1250) / 125 + 10.0 * k for k in range(6)]
    made["SubjectID"] = [cage.plant("pulsedb", "SubjectID")] * 6
    made["CaseID"] = [cage.plant("pulsedb", "CaseID")] * 6
    made["Physician"] = [cage.plant("pulsedb", "an unknown field")] * 6
    path = folder / f"{cage.plant('pulsedb', 'name of the file')}.mat"
    make_pulsedb.write(path, made)
    head = cage.plant("pulsedb", "text at the head").encode()
    with path.open("r+b") as file:
        file.write(head + b" MATLAB 7.3 MAT-file")
    return path


def _tables(folder: Path, cage: Cage, form: str) -> Iterator[tuple[Path, pd.DataFrame]]:
    """Write sidecars and give what their tables hold: one is right, others are not."""
    units = {"II": "mV", "ABP": "mmHg", "PLETH": "NU"}
    given = ("head", "words", "field", "value", "unit", "note", "covariate", "cuff")
    for kind in ("", *given, "reference_type", "sync", "time_column", "sha256", "also"):
        inner = folder / (kind or "right")
        inner.mkdir()
        path = inner / f"{cage.plant(form, 'name of the file')}.{form}"
        label = cage.plant(form, "label of a channel")
        channels = {n: {"unit": unit} for n, unit in (units | {label: "NU"}).items()}
        sidecar = {"sampling_rate": 250, "channels": channels, "age": 61}
        frame = pd.DataFrame(waves()).astype("float64")
        frame[label] = 0.5 * frame["PLETH"]
        word = cage.plant(form, f"{kind} of a column or sidecar") if kind else ""
        if kind == "head":
            frame[word] = 1.0
        if kind == "words":
            frame[label] = word
        if kind == "field":
            sidecar[word] = word
        if kind == "value":
            sidecar["age"] = word
        if kind == "unit":
            channels["ABP"] = {"unit": word}
        if kind in ("reference_type", "sync", "time_column", "sha256", "covariate"):
            sidecar["covariates" if kind == "covariate" else kind] = (
                {word: 1.0} if kind == "covariate" else word
            )
        if kind == "cuff":
            sidecar["cuffs"] = [{"sbp": 120.0, "dbp": 80.0, "site": word}]
        if kind == "also":
            sidecar["also"] = [{"file": word, "sampling_rate": 1.0, "channels": {}}]
        if kind == "note":
            sidecar["annotations"] = {"atr": {"times": [0.1], "labels": [word]}}
        path.with_suffix(".json").write_text(json.dumps(sidecar))
        yield path, frame


def csv(folder: Path, cage: Cage) -> Iterator[Path]:
    """Heads and words of columns, and all of the sidecar."""
    for path, frame in _tables(folder, cage, "csv"):
        frame.to_csv(path, index=False)
        yield path


def parquet(folder: Path, cage: Cage) -> Iterator[Path]:
    """As CSV, and the file's own remarks."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for path, frame in _tables(folder, cage, "parquet"):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        remarks = {b"author": cage.plant("parquet", "remark of the file").encode()}
        pq.write_table(table.replace_schema_metadata(remarks), path)
        yield path


def npz(folder: Path, cage: Cage) -> Iterator[Path]:
    """As CSV, and the archive's own remark."""
    for path, frame in _tables(folder, cage, "npz"):
        arrays = {name: frame[name].to_numpy() for name in frame}
        arrays = {
            n: a.astype(str) if a.dtype == object else a for n, a in arrays.items()
        }
        np.savez_compressed(path, **arrays)
        with zipfile.ZipFile(path, "a") as archive:
            archive.comment = cage.plant("npz", "remark of the archive").encode()
        yield path


def clinic(folder: Path, cage: Cage) -> Iterator[Path]:
    """Subjects, licence, names and remarks of recordings; columns nobody knows."""
    yield _clinic(folder / "right", cage, columns=())
    yield _clinic(folder / "wrong", cage, columns=("patient_name", "date_of_birth"))
    for number in (1, 2, 3):
        yield _cells(folder / f"cells {number}", cage, number)


def _clinic(root: Path, cage: Cage, *, columns: tuple[str, ...]) -> Path:
    write_example_clinic("catheter_lab", root, people=10, seed=0)
    manifest = pd.read_csv(root / "manifest.csv", dtype=str, keep_default_na=False)
    who = {n: cage.plant("clinic", "subject") for n in manifest["subject"].unique()}
    for column in columns:
        manifest[column] = cage.plant("clinic", f"column {column}")
        manifest[cage.plant("clinic", "head of a column")] = "x"
    for old, new in who.items():
        for path in sorted((root / "records").glob(f"{old}*")):
            content = path.read_bytes()
            if path.suffix == ".hea":
                content = content.replace(old.encode(), new.encode())
                remark = cage.plant("clinic", "remark of a recording")
                content += f"# <name>: {remark}\n".encode()
            path.with_name(path.name.replace(old, new)).write_bytes(content)
            path.unlink()
        manifest["record"] = manifest["record"].str.replace(old, new)
    manifest["subject"] = manifest["subject"].map(who)
    manifest.to_csv(root / "manifest.csv", index=False)
    settings = json.loads((root / "clinic.json").read_text())
    # The name of the clinic is what reports call it: no canary there.
    settings["licence"] = cage.plant("clinic", "licence")
    (root / "clinic.json").write_text(json.dumps(settings))
    return root


def _cells(root: Path, cage: Cage, number: int) -> Path:
    """Put a word into every cell of a row of every table, and every setting."""
    write_example_clinic("catheter_lab", root, people=10, seed=0)
    for path in (root / "manifest.csv", root / "cuffs.csv"):
        if number < 3 and path.is_file():
            table = pd.read_csv(path, dtype=str, keep_default_na=False)
            for column in table:
                row = 2 * number
                table.loc[row, column] = cage.plant("clinic", f"cell of {column}")
            table.to_csv(path, index=False)
    if number > 1:
        path = root / "clinic.json"
        settings = json.loads(path.read_text())
        for key in [*settings] if number == 2 else ["names", "licence", "notes"]:
            word = cage.plant("clinic", f"setting {key}")
            settings[key] = {word: word} if key == "names" else word
        settings[cage.plant("clinic", "name of a setting")] = "x"
        path.write_text(json.dumps(settings))
    return root


def visit(root: Path, out: Path, *, light: bool) -> None:
    """Send a clinic's folder through its doors."""
    (out / "screen").mkdir(parents=True)
    doors = {"check_data": (), "pipeline": ("data=clinic", "k=1", *TINY[:-1])}
    for door in list(doors)[: 1 if light else 2]:
        given = (f"data.root={root}", *doors[door])
        run = open_door(door, *given, folder=out / door)
        (out / "screen" / f"{door}.txt").write_text(run.out + run.err)
        print(f"{out.name}: {door} ends with {run.status}: {run.last_line[:200]}")


MAKERS = {f.__name__: f for f in (wfdb, edf, vital, pulsedb, csv, parquet, npz, clinic)}


# Roads


def told(record: Record) -> str:
    """Return all that a record says but its samples."""
    notes = {key: a.labels.tolist() for key, a in record.annotations.items()}
    units = [s.unit for s in record.channels.values()]
    parts = (record, record.source, dict(record.files), notes, units, record.covariates)
    return "\n".join(map(str, parts))


def fields(path: Path, folder: Path, cage: Cage) -> Iterator[Path]:
    """Put a word into each field of a header in turn: all of WFDB, numbers of EDF."""
    home = folder / "fields"
    shutil.copytree(path.parent, home)
    content = path.read_bytes()
    if path.suffix == ".hea":
        places = [
            match.span()
            for match in re.finditer(rb"[^\s/()]+", content)
            if b"#" not in content[content.rfind(b"\n", 0, match.start()) + 1 :][:1]
        ]
    else:
        # Version, date, time, size of the header ... (EDF, edfplus.info/specs/edf).
        count = int(content[252:256])
        starts = [0, 168, 176, 184, 236, 244]
        starts += [256 + count * (16 + 80 + 8) + 8 * n for n in range(4 * count)]
        places = [(start, start + 8) for start in starts]
    for start, stop in places:
        word = cage.plant(path.suffix[1:], "technical field").encode()
        word = word if path.suffix == ".hea" else word.ljust(8)
        (home / path.name).write_bytes(content[:start] + word + content[stop:])
        yield home / path.name
    shutil.rmtree(home)


def damaged(path: Path, folder: Path) -> list[str]:
    """Return what the reader says of damaged copies: cut, bitten, with wrong fields."""
    content = path.read_bytes()
    copies = [content[: len(content) // n] for n in (2, 3, 20)]
    rng = np.random.default_rng(0)
    for _ in range(40):
        bitten = bytearray(content)
        for at in rng.integers(0, min(len(content), 3000), 3):
            bitten[at] = rng.integers(256)
        copies.append(bytes(bitten))
    if content[:2] == b"\x1f\x8b":
        inner = gzip.decompress(content)
        copies += [gzip.compress(inner[: len(inner) // n]) for n in (2, 50)]
    said = []
    home = folder / "damaged"
    shutil.copytree(path.parent, home)
    for copy in copies:
        (home / path.name).write_bytes(copy)
        try:
            said.append(told(deidentified(read_record(home / path.name), key=KEY)))
        except CapnetError as error:
            said.append(f"{type(error).__name__}: {error}")
    shutil.rmtree(home)
    return said


KEY = bytes(range(32))


def through_door(name: str, path: Path, out: Path, *more: str) -> None:
    """Send a file through a door, right or not."""
    typed = {"pipeline": "data.record", "features": "record"}[name]
    run = open_door(name, f"{typed}={path}", *more, folder=out / name)
    with (out / "screen" / f"{name}.txt").open("a") as file:
        file.write(run.out + run.err)
    if run.status and out.parent.name != "fields":
        print(f"{out.name}: {name} ends with {run.status}: {run.out[-300:]}")


def travel(path: Path, out: Path, cage: Cage, *, light: bool) -> None:
    """Send one file every way; what is left lies in folders by artefact."""
    out.mkdir(parents=True)
    logs = out / "screen"
    logs.mkdir()
    if path.suffix in (".hea", ".edf"):
        # Fields are planted after the others; some are right with another word, too.
        for number, wrong in enumerate(fields(path, out, cage)):
            inner = out / "fields" / str(number)
            (inner / "screen").mkdir(parents=True)
            try:
                said = told(deidentified(read_record(wrong), key=KEY))
                (inner / "deidentified.txt").write_text(said)
            except CapnetError as error:
                (inner / "screen" / "error.txt").write_text(str(error))
                if not light:
                    through_door("features", wrong, inner)
    try:
        record = read_record(path)
    except CapnetError as error:
        (logs / "refused.txt").write_text(str(error))
        print(f"{out.name}: refused ({type(error).__name__})")
        if not light:
            through_door("features", path, out)
        return
    (logs / "record.txt").write_text(told(record))
    (out / "deidentified.txt").write_text(told(deidentified(record, key=KEY)))
    (logs / "errors.txt").write_text("\n".join(damaged(path, out)))
    try:
        source = source_of_record(path, domain="clinic", key=KEY)
        store = build_store([source], out / "store")
        store.manifest().to_csv(out / "manifest.csv")
        (out / "store.txt").write_text(f"{store!r} {store.subjects}")
    except CapnetError as error:
        (logs / "store.txt").write_text(str(error))
        print(f"{out.name}: no store: {error}")
    if light:
        return
    through_door("pipeline", path, out, "data=wfdb", "data.cuff=[120,75]", *TINY)
    through_door("features", path, out)


def artefact(file: str) -> str:
    """Name the artefact that a file belongs to."""
    parts = file.split("/")[1:]
    if parts[0] == "fields":
        parts = parts[2:]
    if parts[0] in ("pipeline", "check_data", "features"):
        config = parts[1] == ".hydra" or parts[-1].endswith(".log")
        return "logs" if config else "/".join(parts)
    return parts[0]


def by_bytes(root: Path, cage: Cage) -> set[tuple[str, str]]:
    """Search without any of capnet: plain bytes, with gzip and UTF-16, UTF-32."""
    found = set()
    for path in sorted(p for p in root.rglob("*") if p.is_file()):
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content += gzip.decompress(content)
        for bird in cage.birds:
            for codec in ("utf-8", "utf-16-le", "utf-32-le"):
                if bird.word.encode(codec) in content:
                    found.add((bird.word, str(path.relative_to(root))))
    return found


def main() -> int:
    """Plant, travel, search, print; the number of hits decides the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", default=list(MAKERS), choices=MAKERS)
    parser.add_argument("--keep", type=Path, help="where to leave everything")
    parser.add_argument("--light", action="store_true", help="without the pipeline")
    given = parser.parse_args()
    torch.set_num_threads(1)
    home = given.keep or Path(tempfile.mkdtemp(prefix="canaries-"))
    os.environ["CAPNET_PSEUDONYM_KEY"] = str(home / "secret" / "a.key")
    os.environ["CAPNET_CACHE"] = str(home / "left" / "cache" / "cache")
    pseudonym_key()
    cage, left = Cage(), home / "left"
    for form in given.formats:
        folder = home / "records" / form
        folder.mkdir(parents=True)
        made = MAKERS[form](folder, cage)
        paths = [made] if isinstance(made, Path) else made
        for number, path in enumerate(paths, start=1):
            out = left / f"{form}-{number}"
            if form == "clinic":
                visit(path, out, light=given.light)
            else:
                travel(path, out, cage, light=given.light)
    by_word = {f"word {n}": bird for n, bird in enumerate(cage.birds, start=1)}
    hits = scan([left], words=[bird.word for bird in cage.birds], patterns=[])
    seen = {(by_word[h.what], h.file) for h in hits if h.what in by_word}
    words = {bird.word: bird for bird in cage.birds}
    plain = {(words[word], file) for word, file in by_bytes(left, cage)}
    both = seen | plain
    print(f"{len(cage.birds)} canaries; {len(plain - seen)} seen by plain bytes alone")
    unread = [hit for hit in hits if hit.what not in by_word]
    for hit in unread:
        print(f"not searched: {hit}")
    may = {"logs": TYPED, "screen": SHOWN}
    allowed = [b for b in both if b[0].field in may.get(artefact(b[1]), ())]
    wrong = Counter(
        (bird.format, bird.field, artefact(file))
        for bird, file in both
        if (bird, file) not in allowed
    )
    for (form, field, where), times in sorted(wrong.items()):
        print(f"FOUND {form:8} {field:28} {where} ({times} files)")
    print(f"{sum(wrong.values())} hits (bar 0); {len(allowed)} that may be told")
    if given.keep is None:
        shutil.rmtree(home)
    return min(1, sum(wrong.values()) + len(unread) + len(plain - seen))


if __name__ == "__main__":
    sys.exit(main())
