"""Damaged PulseDB files (MATLAB 7.3, HDF5), see `fuzz_readers`.

A third of the damage is done through h5py, so that the file is whole HDF5 that means
something impossible: other shapes, kinds and filters, links out, references in circles.
"""

import multiprocessing
import resource
import shutil
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from capnet.records import Record
from tests.fakes import make_pulsedb

NAME: Final = "PulseDB"
_WINDOW: Final = 1250


def originals(folder: Path) -> list[Path]:
    """Write files of one person, packed and plain, of one window, and a subset."""
    made = [
        make_pulsedb.write(folder / "packed.mat", make_pulsedb.windows(3)),
        make_pulsedb.write(
            folder / "plain.mat", make_pulsedb.windows(2, seed=1), compression=None
        ),
        make_pulsedb.write(folder / "single.mat", make_pulsedb.windows(1, seed=2)),
    ]
    subset, _ = make_pulsedb.write_subset(folder / "subset.mat", people=("p000001_0",))
    return [*made, subset]


def _head(content: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 6))):
        content[512 + int(rng.integers(min(3000, len(content) - 512)))] = int(
            rng.integers(256)
        )


def _bits(content: bytearray, rng: np.random.Generator) -> None:
    for _ in range(int(rng.integers(1, 30))):
        content[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(8))


def _metadata(content: bytearray, rng: np.random.Generator) -> None:
    """Damage the neighbourhood of what HDF5 calls its objects."""
    marks = [b"TREE", b"HEAP", b"SNOD", b"GCOL", b"\x89HDF", b"OHDR"]
    mark = marks[int(rng.integers(len(marks)))]
    places, at = [], content.find(mark)
    while at >= 0:
        places.append(at)
        at = content.find(mark, at + 1)
    if places:
        place = places[int(rng.integers(len(places)))] + int(rng.integers(64))
        content[place : place + 1] = rng.bytes(1)


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[int(rng.integers(len(content))) :]


def _insert(content: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(content)))
    content[at:at] = rng.bytes(int(rng.integers(1, 200)))


def _delete(content: bytearray, rng: np.random.Generator) -> None:
    at = int(rng.integers(len(content)))
    del content[at : at + int(rng.integers(1, 200))]


def _zeros(content: bytearray, rng: np.random.Generator) -> None:
    at, count = int(rng.integers(len(content))), int(rng.integers(1, 2000))
    content[at : at + count] = bytes(len(content[at : at + count]))


def _sizes(content: bytearray, rng: np.random.Generator) -> None:
    """Write an extreme length somewhere among the metadata."""
    sizes = [2**63 - 1, 2**64 - 1, 10**12, 10**9, 2**32, 0]
    at = 512 + 8 * int(rng.integers(max(1, (len(content) - 520) // 8)))
    size = sizes[int(rng.integers(len(sizes)))]
    content[at : at + 8] = size.to_bytes(8, "little")


_BYTES: Final[dict[str, Callable[[bytearray, np.random.Generator], None]]] = {
    "bits": _bits,
    "first bytes": _head,
    "metadata": _metadata,
    "cut": _cut,
    "inserted": _insert,
    "deleted": _delete,
    "zeros": _zeros,
    "sizes": _sizes,
}


def _group(file: h5py.File) -> h5py.Group:
    return file["Subj_Wins"] if "Subj_Wins" in file else file["Subset"]


def _any(file: h5py.File, rng: np.random.Generator) -> str:
    return str(rng.choice(sorted(_group(file))))


def _point(file: h5py.File, name: str, made: Any, rng: np.random.Generator) -> None:
    """Let a field, or one of its references, be something else."""
    group = _group(file)
    links = group[name]
    if h5py.check_ref_dtype(links.dtype) is h5py.Reference:
        values = links[()]
        values[0, int(rng.integers(values.shape[1]))] = made.ref
        links[...] = values
    else:
        del group[name]
        group[name] = made


def _shape(file: h5py.File, rng: np.random.Generator) -> None:
    shapes = [(1249,), (1, 1251), (0,), (1, 0), (1250, 1250), (), (10, 125), (5,)]
    shape = shapes[int(rng.integers(len(shapes)))]
    made = file.create_dataset("made", data=np.ones(shape) * 100)
    _point(file, _any(file, rng), made, rng)


def _kind(file: h5py.File, rng: np.random.Generator) -> None:
    kinds = ["S10", "i1", "c16", "O", h5py.ref_dtype, [("a", "f8")], "u2", "f2", "f4"]
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "O":
        kind = h5py.string_dtype()
    made = file.create_dataset("made", shape=(1, _WINDOW), dtype=kind, chunks=(1, 50))
    _point(file, _any(file, rng), made, rng)


def _values(file: h5py.File, rng: np.random.Generator) -> None:
    extremes = [np.nan, np.inf, -np.inf, 1e300, -1e300, 1e5, 13332.2, -5000.0]
    name = str(rng.choice(["ABP_Raw", "PPG_Raw", "ECG_Raw", "T", "Age", "Height"]))
    values = np.full((1, _WINDOW), extremes[int(rng.integers(len(extremes)))])
    if rng.random() < 0.5:
        values[0, 10:] = 100.0
    if name in _group(file):
        one = name in ("Age", "Height")
        made = file.create_dataset("made", data=values[:, :1] if one else values)
        _point(file, name, made, rng)


def _huge(file: h5py.File, rng: np.random.Generator) -> None:
    sizes = [10**12, 10**9, 2**31, 2**40]
    size = sizes[int(rng.integers(len(sizes)))]
    kind = h5py.ref_dtype if rng.random() < 0.5 else "f8"
    name = _any(file, rng)
    del _group(file)[name]
    _group(file).create_dataset(name, shape=(1, size), dtype=kind, chunks=(1, 1024))


def _circle(file: h5py.File, rng: np.random.Generator) -> None:
    group, name = _group(file), _any(file, rng)
    _point(file, name, group[name] if rng.random() < 0.5 else group, rng)


def _link(file: h5py.File, rng: np.random.Generator) -> None:
    group, name = _group(file), _any(file, rng)
    del group[name]
    group[name] = [
        h5py.ExternalLink("/etc/passwd", "/"),
        h5py.ExternalLink("../other.mat", "/Subj_Wins/ABP_Raw"),
        h5py.SoftLink(f"{group.name}/{name}"),
        h5py.SoftLink("/nowhere"),
    ][int(rng.integers(4))]


def _outside(file: h5py.File, rng: np.random.Generator) -> None:
    made = file.create_dataset(
        "made", shape=(1, _WINDOW), dtype="f8", external=[("/dev/zero", 0, 10000)]
    )
    _point(file, _any(file, rng), made, rng)


def _virtual(file: h5py.File, rng: np.random.Generator) -> None:
    layout = h5py.VirtualLayout(shape=(1, _WINDOW), dtype="f8")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", shape=(1, _WINDOW))
    _point(file, _any(file, rng), file.create_virtual_dataset("made", layout), rng)


def _bomb(file: h5py.File, rng: np.random.Generator) -> None:
    made = file.create_dataset(
        "made",
        shape=(1, _WINDOW),
        maxshape=(None, _WINDOW),
        dtype="f8",
        chunks=(int(rng.integers(100, 3000)), _WINDOW),
        compression=str(rng.choice(["gzip", "lzf"])),
    )
    made[...] = 100.0
    _point(file, _any(file, rng), made, rng)


def _deleted(file: h5py.File, rng: np.random.Generator) -> None:
    del _group(file)[_any(file, rng)]


def _person(file: h5py.File, rng: np.random.Generator) -> None:
    word = str(rng.choice(["p000002", "Jane Canary", "", "x" * 500]))
    made = file.create_dataset("made", data=make_pulsedb.characters(word or "\0"))
    group = _group(file)
    names = [n for n in ("SubjectID", "CaseID", "Gender", "Subject") if n in group]
    _point(file, str(rng.choice(names)), made, rng)


_STRUCTURE: Final[dict[str, Callable[[h5py.File, np.random.Generator], None]]] = {
    "shape": _shape,
    "kind": _kind,
    "values": _values,
    "huge": _huge,
    "circle": _circle,
    "link": _link,
    "outside": _outside,
    "virtual": _virtual,
    "bomb": _bomb,
    "field deleted": _deleted,
    "person": _person,
}


def mutate(original: Path, folder: Path, rng: np.random.Generator) -> tuple[Path, str]:
    """Damage the bytes, or what the file says as HDF5."""
    path = folder / "damaged.mat"
    kind = str(rng.choice([*_BYTES, *_STRUCTURE]))
    if kind in _BYTES:
        content = bytearray(original.read_bytes())
        _BYTES[kind](content, rng)
        path.write_bytes(content)
    else:
        shutil.copy(original, path)
        with h5py.File(path, "r+") as file:
            _STRUCTURE[kind](file, rng)
    return path, kind


def wrongly_accepted(record: Record, original: Path, mutated: Path) -> str:
    """Read the file once more with h5py, in a process of its own as it may crash."""
    if "Canary" in repr(record):
        return "a name is kept"
    for name, signal in record.channels.items():
        rows = np.append(signal.values, np.full(_WINDOW, np.nan)).reshape(-1, _WINDOW)
        if signal.sampling_rate != 125.0 or not np.isnan(rows[1::2]).all():
            return f"{name}: windows are joined"
        found = rows[::2][~np.isnan(rows[::2])]
        if signal.unit == "mmHg" and not (-200 <= found.min() <= found.max() <= 600):
            return f"{name}: pressures of {found.min():g} to {found.max():g} mmHg"
        if not np.isfinite(found).all():
            return f"{name}: infinite samples"
    if original == mutated:
        return ""
    context = multiprocessing.get_context("fork")
    mine, other = context.Pipe()
    wanted = {name: signal.values for name, signal in record.channels.items()}
    process = context.Process(target=_compare, args=(other, str(mutated), wanted))
    process.start()
    other.close()
    try:
        return str(mine.recv()) if mine.poll(10.0) else "another reader dies of it"
    except EOFError:
        return "another reader dies of it"
    finally:
        process.kill()
        process.join()


def _compare(pipe: Connection, path: str, wanted: dict[str, np.ndarray]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))
    try:
        pipe.send(_differs(path, wanted))
    except Exception as error:  # noqa: BLE001 (h5py raises anything)
        pipe.send(f"another reader refuses it: {type(error).__name__}: {error}")


def _differs(path: str, wanted: dict[str, np.ndarray]) -> str:
    with h5py.File(path, "r") as file:
        for name, values in wanted.items():
            if "Subj_Wins" in file:
                field = file["Subj_Wins"][f"{name}_Raw"]
                many = field.dtype == object
                parts = [file[r] for r in field[()].reshape(-1)] if many else [field]
                rows = np.array([np.ravel(part[()]) for part in parts])
            else:
                at = ["ECG", "PPG", "ABP"].index(name)
                rows = file["Subset/Signals"][:, at, :].T
            values = np.append(values, np.full(_WINDOW, np.nan)).reshape(-1, _WINDOW)
            if not np.array_equal(values[::2], rows, equal_nan=True):
                return f"{name}: samples differ"
    return ""


def escape(
    original: Path, folder: Path, outside: Path, rng: np.random.Generator
) -> tuple[Path, str]:
    """Let a signal lie in another file: by a link, as raw bytes, or put together."""
    target = make_pulsedb.write(outside / "other.mat", make_pulsedb.windows(1))
    raw = outside / "other.bin"
    np.full(3 * _WINDOW, 100.0).tofile(raw)
    path = folder / "escape.mat"
    shutil.copy(original, path)
    absolute = bool(rng.random() < 0.5)
    up = "/".join([".."] * int(rng.integers(1, 5)))

    def named(file: Path) -> str:
        return str(file) if absolute else f"{up}/{outside.name}/{file.name}"

    kind = str(rng.choice(["link", "struct", "raw bytes", "put together"]))
    with h5py.File(path, "r+") as file:
        group = _group(file)
        name = "Signals" if "Signals" in group else "ABP_Raw"
        if kind == "struct":
            whole = group.name
            del file[whole]
            file[whole] = h5py.ExternalLink(named(target), "/Subj_Wins")
        elif kind == "link":
            del group[name]
            group[name] = h5py.ExternalLink(named(target), "/Subj_Wins/ABP_Raw")
        else:
            shape = group[name].shape if name == "Signals" else (1, _WINDOW)
            if kind == "raw bytes":
                place = [(named(raw), 0, h5py.h5f.UNLIMITED)]
                made = file.create_dataset("made", shape, "f8", external=place)
            else:
                layout = h5py.VirtualLayout(shape, "f8")
                source = h5py.VirtualSource(named(target), "Subj_Wins/ABP_Raw", shape)
                layout[:] = source
                made = file.create_virtual_dataset("made", layout)
            _point(file, name, made, rng)
    return path, f"{kind}, {'absolute' if absolute else 'relative'}"


def huge(folder: Path) -> list[tuple[Path, str]]:
    """Declare 1e12 samples or references; fill a small file with zeros, deflated."""
    found = []
    for name, kind in (("references", h5py.ref_dtype), ("samples", "f8")):
        path = make_pulsedb.write(folder / f"{name}.mat", make_pulsedb.windows(2))
        with h5py.File(path, "r+") as file:
            del file["Subj_Wins/ABP_Raw"]
            file["Subj_Wins"].create_dataset(
                "ABP_Raw", shape=(1, 10**12), dtype=kind, chunks=(1, 1024)
            )
        found.append((path, name))
    path = make_pulsedb.write(folder / "links.mat", make_pulsedb.windows(2))
    with h5py.File(path, "r+") as file:
        one = file["Subj_Wins/ABP_Raw"][0, 0]
        group = file["Subj_Wins"]
        for name in list(group):
            del group[name]
            links = np.full((1, 500_000), one, dtype=h5py.ref_dtype)
            group.create_dataset(name, data=links, compression="gzip")
    found.append((path, "half a million windows that are one"))
    path, _ = make_pulsedb.write_subset(folder / "zeros.mat")
    with h5py.File(path, "r+") as file:
        del file["Subset/Signals"]
        file["Subset"].create_dataset(
            "Signals", shape=(_WINDOW, 3, 10**9), dtype="f8", chunks=(_WINDOW, 3, 1)
        )
    found.append((path, "a subset of 1e9 windows"))
    return found
