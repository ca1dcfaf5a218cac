"""One part of a store: the beats of one source in one zip file of zarr arrays.

The file is zarr (version 3), readable by anything that reads zarr; its group says in
``attributes["capnet"]`` what the arrays hold. ``ppg``, ``reference`` and every other
wave are float32 of shape (beat, 64) and lie in the file as they are, so that rows can
be taken from it at random through a memory map, by many processes at once; ``raw``,
``numbers`` (one column a number of a row, float64) and ``words`` (numbers of words in
the vocabulary) are compressed. The same beats give the same bytes.

Reading takes the file apart without zarr: there are no threads to survive a fork, and
nothing but the rows wanted is touched.
"""

import json
import math
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

import numpy as np
from jaxtyping import Float32

from capnet.data.sources import Source
from capnet.data.window_rows import WindowRows
from capnet.errors import RecordError
from capnet.files import replacing
from capnet.records import Beats
from capnet.types import N_POINTS, Indices

if TYPE_CHECKING:
    import zarr

__all__ = ["CHUNK", "Part", "is_whole", "write_part"]

CHUNK: Final = 2048
"""Rows of a chunk, 512 KB of a wave; a part with fewer has one chunk of them all."""

_WINDOW_CHUNK: Final = 256
"""Windows of a chunk: 1 MB of a channel."""

_GROUPS: Final = ("features", "truth")
_OWN: Final = ("ppg", "reference")
"""Waves that are fields of a table themselves."""
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]+")
_DATE: Final = (1980, 1, 1, 0, 0, 0)
"""The first that zip knows, of every file: the same beats give the same bytes."""
_UNIX: Final = 3
_LOCAL_HEADER: Final = 30
"""Bytes before the name of a file in a zip."""
_LEVEL: Final = 1
"""Of zstd: windows of raw samples overlap, which it finds as well as higher ones."""


_DAMAGED: Final = (
    *(OSError, ValueError, LookupError, TypeError, RuntimeError, ArithmeticError),
    *(EOFError, MemoryError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What damaged zips raise: no part of one is believed."""


def is_whole(path: Path, *, key: str) -> bool:
    """Say whether a file is a part of that key, with every byte as it was written."""
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return False
            found = json.loads(archive.read("zarr.json"))["attributes"]["capnet"]["key"]
            return bool(found == key)
    except _DAMAGED:
        return False


def write_part(path: Path, source: Source, *, key: str) -> None:
    """Write the beats of one source, whole or not at all.

    Args:
        path: The file.
        source: Its tables are taken one by one, in constant memory.
        key: Name of the part.

    Raises:
        StorageError: If the disk is full or fails.
        RecordError: If the source's tables do not fit together, or hold what cannot be
            stored.
    """
    with _Writer(path, source, key=key) as writer:
        for beats in source.beats():
            writer.add(beats)
        if source.windows is not None:
            for rows in source.windows():
                writer.add_windows(rows)


class _Growing:
    """An array that gets longer; whole chunks leave the memory at once."""

    def __init__(
        self,
        group: "zarr.Group",
        name: str,
        *,
        dtype: str,
        chunk: int,
        packed: bool,
    ) -> None:
        self._group, self._name, self._packed = group, name, packed
        self._chunk, self._dtype = chunk, np.dtype(dtype)
        self._array: zarr.Array[Any] | None = None
        self._waiting: list[np.ndarray] = []
        self._held = self._rows = 0

    @property
    def missing(self) -> int:
        """Rows that complete a chunk."""
        return self._chunk - self._held

    def add(self, values: np.ndarray) -> None:
        """Add no more rows than are missing."""
        self._waiting.append(values.astype(self._dtype))
        self._held += len(values)
        if self._held == self._chunk:
            self.write()

    def write(self) -> None:
        if not self._held:
            return
        block = np.concatenate(self._waiting)
        if self._array is None:
            self._array = self._created(*block.shape)
        first, last = self._rows, self._rows + self._held
        self._array.resize((last, block.shape[1]))
        self._array[first:last] = block
        self._waiting, self._held, self._rows = [], 0, last

    def _created(self, chunk: int, width: int) -> "zarr.Array[Any]":
        from zarr.codecs import ZstdCodec

        return self._group.create_array(
            self._name,
            shape=(0, width),
            chunks=(chunk, width),
            dtype=self._dtype,
            compressors=[ZstdCodec(level=_LEVEL)] if self._packed else None,
            fill_value=np.nan if self._dtype.kind == "f" else 0,
        )


class _Columns:
    """Columns of rows as they become arrays: numbers, words and waves.

    Attributes:
        numbers: Type of each column of ``numbers`` by name.
        words: Type of each column of ``words``.
        waves: Type of each wave in the table that it came from.
        vocabulary: The words of each column, in the order of their first use.
    """

    def __init__(self, where: str) -> None:
        self.where = where
        self.numbers: dict[str, str] = {}
        self.words: dict[str, str] = {}
        self.waves: dict[str, str] = {}
        self.vocabulary: dict[str, dict[str, int]] = {}

    def sort(
        self, columns: Mapping[str, np.ndarray], waves: Mapping[str, np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the columns as one array of numbers and one of codes."""
        numbers = {k: v for k, v in columns.items() if v.dtype.kind in "biuf"}
        words = {k: v for k, v in columns.items() if v.dtype.kind == "U"}
        for name in columns.keys() - numbers.keys() - words.keys():
            msg = (
                f"{self.where}: column {name!r} is of type {columns[name].dtype}; "
                "wanted numbers or numpy strings (dtype 'U')."
            )
            raise RecordError(msg)
        self._agree(numbers, words, waves)
        rows = len(next(iter(columns.values())))
        plain = [self._float(name, v) for name, v in numbers.items()]
        codes = [self._codes(name, v) for name, v in words.items()]
        return (
            np.stack(plain, axis=1) if plain else np.empty((rows, 0)),
            np.stack(codes, axis=1) if codes else np.empty((rows, 0), np.int32),
        )

    def _agree(self, *given: Mapping[str, np.ndarray]) -> None:
        for have, new in zip(
            (self.numbers, self.words, self.waves), given, strict=True
        ):
            types = {name: v.dtype.str for name, v in new.items()}
            if not self.vocabulary:
                have.update(types)
            if list(have) != list(types):
                odd = sorted(have.keys() ^ types.keys()) or list(types)
                msg = (
                    f"{self.where}: tables differ in {', '.join(odd)}; wanted the same "
                    "columns in the same order in every table of a source."
                )
                raise RecordError(msg)
            for name, kind in types.items():
                have[name] = np.promote_types(have[name], kind).str
        for name in given[1]:
            self.vocabulary.setdefault(name, {})

    def _float(self, name: str, values: np.ndarray) -> np.ndarray:
        wide = values.astype(np.float64)
        with np.errstate(invalid="ignore"):
            back = wide.astype(values.dtype)
        if not np.array_equal(back, values, equal_nan=values.dtype.kind == "f"):
            msg = (
                f"{self.where}: column {name!r} holds numbers that 64-bit floating "
                "point cannot; wanted smaller ones."
            )
            raise RecordError(msg)
        return wide

    def _codes(self, name: str, values: np.ndarray) -> np.ndarray:
        known = self.vocabulary[name]
        found, first, inverse = np.unique(
            values, return_index=True, return_inverse=True
        )
        for word in found[np.argsort(first)].tolist():
            known.setdefault(word, len(known))
        new = [known[word] for word in found.tolist()]
        return np.array(new, dtype=np.int32)[inverse]

    def described(self) -> dict[str, Any]:
        return {
            "numbers": self.numbers,
            "words": self.words,
            "waves": self.waves,
            "vocabulary": {name: [*words] for name, words in self.vocabulary.items()},
        }


class _GivenUp(Exception):  # noqa: N818 - nothing has failed
    """Leaves no file behind."""


class _Writer:
    """Writes a part piece by piece; used in a ``with`` statement."""

    def __init__(self, path: Path, source: Source, *, key: str) -> None:
        self._path, self._source, self._key = path, source, key
        self._where = f"source {source.name!r}"
        self._kinds: dict[str, str] = {}
        self._arrays: dict[str, _Growing] = {}
        self._beats = _Columns(self._where)
        self._windows = _Columns(self._where)
        self._raw_type = ""
        self._failure: OSError | None = None

    def __enter__(self) -> Self:
        import zarr
        from zarr.storage import MemoryStore

        self._memory: dict[str, Any] = {}
        self._group = zarr.create_group(MemoryStore(self._memory), zarr_format=3)
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self._path))
            file = stack.enter_context(_written(temporary))
            self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            with self._stack:
                try:
                    self._finish()
                except BaseException:
                    self._give_up()
                    raise
            return
        self._give_up()
        if error is self._failure:
            self._stack.__exit__(kind, error, traceback)  # `replacing` explains it
        else:  # the source's own, which has nothing to do with our file
            self._stack.__exit__(_GivenUp, _GivenUp(), None)

    def _give_up(self) -> None:
        """Close the zip; its list of contents may fail as what came before it."""
        with suppress(OSError, ValueError):
            self._archive.close()

    def add(self, beats: Beats) -> None:
        kinds = {
            name: getattr(beats, name) for name in ("calibration", "reference_type")
        }
        if kinds != (self._kinds or kinds):
            msg = (
                f"{self._where}: tables of {self._kinds} and {kinds}; wanted one kind "
                "in a source. Make a source of each."
            )
            raise RecordError(msg)
        self._kinds = kinds
        columns, waves = _columns_of(beats, where=self._where)
        numbers, words = self._beats.sort(columns, waves)
        arrays = {**waves, "numbers": numbers, "words": words}
        if beats.raw is not None:
            self._raw_type = beats.raw.dtype.str
            arrays["raw"] = beats.raw
        self._append(arrays, {"numbers": "<f8", "words": "<i4", "raw": "<f4"}, CHUNK)

    def add_windows(self, rows: WindowRows) -> None:
        columns = {"start": rows.start}
        columns |= {f"reason/{name}": v for name, v in rows.reason.items()}
        numbers, words = self._windows.sort(columns, rows.waves)
        arrays = {f"windows.{name}": wave for name, wave in rows.waves.items()}
        arrays |= {"windows.numbers": numbers, "windows.words": words}
        packed = {"windows.numbers": "<f8", "windows.words": "<i4"}
        self._append(arrays, packed, _WINDOW_CHUNK)

    def _append(
        self, arrays: Mapping[str, np.ndarray], packed: Mapping[str, str], chunk: int
    ) -> None:
        """Add rows, chunk by chunk: the file does not tell how they came."""
        for name in arrays:
            if name not in self._arrays:
                self._arrays[name] = _Growing(
                    self._group,
                    name,
                    dtype=packed.get(name, "<f4"),
                    chunk=chunk,
                    packed=name in packed,
                )
        rows, first = len(next(iter(arrays.values()))), 0
        while first < rows:
            last = first + min(self._arrays[name].missing for name in arrays)
            for name, values in arrays.items():
                self._arrays[name].add(values[first:last])
            self._drain()
            first = last

    def _finish(self) -> None:
        for array in self._arrays.values():
            array.write()
        self._group.attrs["capnet"] = {
            "key": self._key,
            "digest": self._source.digest,
            "domain": self._source.domain,
            **self._kinds,
            "raw": self._raw_type,
            "beats": self._beats.described(),
            "windows": self._windows.described(),
        }
        self._drain(everything=True)
        self._archive.close()

    def _drain(self, *, everything: bool = False) -> None:
        """Move what zarr has encoded to the file; what describes arrays at the end."""
        for name in sorted(self._memory):
            if everything or not name.endswith("zarr.json"):
                info = zipfile.ZipInfo(name, _DATE)
                info.create_system = _UNIX
                content = self._memory.pop(name).to_bytes()
                try:
                    self._archive.writestr(info, content)
                except OSError as error:
                    self._failure = error
                    raise


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file


def _columns_of(
    beats: Beats, *, where: str
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Take a table apart into columns and waves."""
    columns, waves = {}, dict(beats.waves)
    for f in fields(beats):
        value = getattr(beats, f.name)
        if isinstance(value, np.ndarray) and value.ndim == 1:
            columns[f.name] = value
        elif f.name in _GROUPS:
            columns |= {f"{f.name}/{name}": v for name, v in value.items()}
    columns |= {"cuff/sbp": beats.cuff[:, 0], "cuff/dbp": beats.cuff[:, 1]}
    odd = [n for n in waves if not _NAME.fullmatch(n) or n in _RESERVED or "." in n]
    if odd:
        msg = (
            f"{where}: a wave is called {odd[0]!r}; wanted letters, digits, - and _, "
            f"and none of {', '.join(sorted(_RESERVED))}."
        )
        raise RecordError(msg)
    waves = {"ppg": beats.ppg, **waves}
    if beats.reference is not None:
        waves["reference"] = beats.reference
    for name, wave in waves.items():
        columns[f"has/{name}"] = np.isfinite(wave).any(axis=1)
    return columns, waves


_RESERVED: Final = frozenset({*_OWN, "raw", "numbers", "words"})


@dataclass(frozen=True)
class _Layout:
    """Where the chunks of an array lie in the file."""

    shape: tuple[int, int]
    chunk: int
    dtype: np.dtype[Any]
    packed: bool
    places: Mapping[int, tuple[int, int]]


class Part:
    """The beats of one source, mapped into memory.

    Args:
        path: The file, which has been verified.

    Raises:
        RecordError: If it cannot be read all the same.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._open(path)
        except _DAMAGED as error:
            why = error.__context__ or error  # zipfile hides what the disk says
            msg = (
                f"{path} cannot be read ({type(why).__name__}: {why}). Look at the "
                "disk, and build the store again: only what is damaged is made anew."
            )
            raise RecordError(msg) from error

    def _open(self, path: Path) -> None:
        import pyarrow as pa

        # A map of Python's own would keep the file open: no more than some hundred.
        with pa.memory_map(str(path)) as file:
            self._map = memoryview(file.read_buffer())
        with zipfile.ZipFile(path) as archive:
            places = {info.filename: info for info in archive.infolist()}
            about = {
                name.removesuffix("zarr.json").rstrip("/"): json.loads(
                    archive.read(name)
                )
                for name in places
                if name.endswith("zarr.json")
            }
        self.about: Mapping[str, Any] = about.pop("")["attributes"]["capnet"]
        chunks: dict[str, dict[int, tuple[int, int]]] = {name: {} for name in about}
        for name, info in places.items():
            array, _, place = name.partition("/c/")
            if place:
                number = int(place.split("/")[0])
                chunks[array][number] = (self._data(info), info.file_size)
        self._layouts = {
            name: _layout(one, chunks[name]) for name, one in about.items()
        }

    def _data(self, info: zipfile.ZipInfo) -> int:
        head = info.header_offset
        lengths = struct.unpack_from("<HH", self._map, head + 26)
        place: int = head + _LOCAL_HEADER + sum(lengths)
        return place

    def __len__(self) -> int:
        return self._layouts["numbers"].shape[0] if "numbers" in self._layouts else 0

    @property
    def channels(self) -> list[str]:
        """Names of the waves."""
        return [*self.about["beats"]["waves"]]

    @cached_property
    def has_raw(self) -> bool:
        """Whether raw windows were kept."""
        return "raw" in self._layouts

    def chunk(self, name: str, number: int) -> np.ndarray:
        """Return one chunk of an array, not copied where it is not compressed."""
        layout = self._layouts[name]
        shape = (layout.chunk, layout.shape[1])
        place = layout.places.get(number)
        if place is None:  # zarr leaves out what holds the filling alone
            fill = np.nan if layout.dtype.kind == "f" else 0
            return np.full(shape, fill, dtype=layout.dtype)
        offset, size = place
        if not layout.packed:
            return np.ndarray(shape, layout.dtype, self._map, offset)
        import pyarrow as pa

        content = pa.decompress(
            self._map[offset : offset + size],
            decompressed_size=math.prod(shape) * layout.dtype.itemsize,
            codec="zstd",
        )
        return np.frombuffer(content, layout.dtype).reshape(shape)

    def take(self, name: str, rows: Indices) -> np.ndarray:
        """Return rows of an array, in that order."""
        layout = self._layouts[name]
        answer = np.empty((len(rows), layout.shape[1]), layout.dtype)
        number = rows // layout.chunk
        for one in np.unique(number):
            some = number == one
            answer[some] = self.chunk(name, int(one))[rows[some] - one * layout.chunk]
        return answer

    def waves(
        self, rows: Indices, channels: Sequence[str]
    ) -> Float32[np.ndarray, "beat channel 64"]:
        """Return waves of rows; NaN where the part has no such channel."""
        shape = (len(rows), len(channels), N_POINTS)
        answer = np.full(shape, np.nan, dtype=np.float32)
        for place, name in enumerate(channels):
            if name in self._layouts:
                answer[:, place] = self.take(name, rows)
        return answer

    def columns(self, rows: Indices, of: str = "beats") -> dict[str, np.ndarray]:
        """Return everything but waves, by name, each of shape (row,)."""
        about, prefix = self.about[of], "" if of == "beats" else f"{of}."
        numbers = self.take(f"{prefix}numbers", rows)
        codes = self.take(f"{prefix}words", rows)
        found = {
            name: numbers[:, place].astype(kind)
            for place, (name, kind) in enumerate(about["numbers"].items())
        }
        for place, (name, kind) in enumerate(about["words"].items()):
            words = np.array(about["vocabulary"][name], dtype=kind)
            found[name] = words[codes[:, place]]
        return found

    def beats(self, rows: Indices, *, raw: bool) -> Beats:
        """Return rows as a table, in that order."""
        columns = self.columns(rows)
        cuff = np.stack([columns.pop("cuff/sbp"), columns.pop("cuff/dbp")], axis=1)
        waves = {
            name: self.take(name, rows).astype(kind)
            for name, kind in self.about["beats"]["waves"].items()
        }
        single: dict[str, Any] = {k: v for k, v in columns.items() if "/" not in k}
        single |= {name: waves.pop(name) for name in _OWN if name in waves}
        for group in _GROUPS:
            inside = f"{group}/"
            single[group] = {
                name.removeprefix(inside): values
                for name, values in columns.items()
                if name.startswith(inside)
            }
        if self.has_raw and raw:
            single["raw"] = self.take("raw", rows).astype(self.about["raw"])
        elif not raw:
            single |= {"start": None, "stop": None}
        return Beats(
            cuff=cuff,
            waves=waves,
            calibration=self.about["calibration"],
            reference_type=self.about["reference_type"],
            **single,
        )

    def windows(self) -> WindowRows | None:
        """Return all windows; None where none are stored."""
        if "windows.numbers" not in self._layouts:
            return None
        rows = np.arange(self._layouts["windows.numbers"].shape[0])
        columns = self.columns(rows, "windows")
        waves = {
            name: self.take(f"windows.{name}", rows)
            for name in self.about["windows"]["waves"]
        }
        start = columns.pop("start")
        reason = {name.removeprefix("reason/"): v for name, v in columns.items()}
        return WindowRows(start, waves, reason)


def _layout(about: Mapping[str, Any], places: Mapping[int, tuple[int, int]]) -> _Layout:
    rows, width = about["shape"]
    chunk = about["chunk_grid"]["configuration"]["chunk_shape"][0]
    kind = np.dtype(about["data_type"]).newbyteorder("<")
    packed = len(about["codecs"]) > 1
    return _Layout((rows, width), chunk, kind, packed, places)
