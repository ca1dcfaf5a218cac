"""A store of beats that survives: built once, whole or not at all, read by many.

A store is a folder that is named by a hash of all that decides its content: the
sources, the settings and the code. In it lie ``parts``, one file of waves for each
source (`capnet.data.store_part`), ``manifest.parquet`` with one row a beat, and
``store.json``, which is written last and holds the hash of every other file.

For one small table that an experiment hands on, `capnet.data.save_beats` is the simpler
way; a store is for recordings: it grows beyond memory, goes on where it was
interrupted, and shares the parts that another store of the same folder already has.
"""

import json
import logging
import os
import shutil
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from jaxtyping import Bool, Float, Float32

from capnet.data.sources import Source, source_of_record
from capnet.data.store_key import cache_folder, code_version, part_key, store_key
from capnet.data.store_part import Part, is_whole, write_part
from capnet.data.window_rows import WindowRows
from capnet.errors import (
    CapnetError,
    ConfigError,
    RecordError,
    ShapeError,
    StorageError,
)
from capnet.files import replacing, sha256_of, write_atomic
from capnet.records import Beats
from capnet.types import N_POINTS, Indices

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = ["Batch", "BeatStore", "Source", "build_store", "source_of_record"]

_log = logging.getLogger(__name__)

_FORMAT: Final = 1
_STORE, _MANIFEST, _PARTS = "store.json", "manifest.parquet", "parts"
_FIRST: Final = (
    *("subject", "domain", "reference_type", "calibration", "accepted", "reason"),
    *("beat", "time", "duration", "age", "cuff_sbp", "cuff_dbp", "cuff_site"),
    *("part", "row"),
)
"""Columns that the manifest begins with."""
_KINDS: Final = ("calibration", "reference_type")
"""What may not be pooled."""
_CHOOSING: Final = ("part", "subject", "domain", *_KINDS)
"""Columns of words that choose rows."""
_GROUP: Final = 1 << 16
"""Rows of the manifest that are written at once."""
_OPEN: Final = 1 << 14
"""Parts that are mapped at once: Linux allows four times as many maps to a process."""
_MEMORY: Final = 1 << 28
"""Bytes of waves that are read at once for batches."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Rows of a store, ready to be learned from.

    Attributes:
        rows: Their numbers in the manifest. Shape (beat,).
        waves: Channels as they were asked for, 0 where missing.
        mask: Where ``waves`` is not missing.
        numbers: Columns of the manifest as they were asked for, NaN where unknown.
    """

    rows: Indices
    waves: Float32[np.ndarray, "beat channel 64"]
    mask: Bool[np.ndarray, "beat channel 64"]
    numbers: Float[np.ndarray, "beat column"]

    def __len__(self) -> int:
        return len(self.rows)


def build_store(
    sources: Sequence[Source],
    folder: str | Path | None = None,
    *,
    settings: Mapping[str, object] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> "BeatStore":
    """Make a store of beats, or open it where it is there already.

    One process builds; others that want the same store wait for it. A build that was
    interrupted (a full disk, a power cut) goes on where it was; a damaged part is built
    anew. Parts of other stores in the same folder are shared where they hold the same.

    Args:
        sources: What it is made of; their order does not matter.
        folder: Where stores are kept; the cache of the system by default
            (`capnet.data.store_key.cache_folder`). The store becomes a folder in it.
        settings: What else decides the content, kept in the store in clear words: no
            names of people, files or places.
        progress: Called with how many sources are done, and of how many.

    Returns:
        The store.

    Raises:
        ConfigError: If there is no source, two hold the same, or JSON cannot hold the
            settings.
        RecordError: If a recording cannot be read, or no source has a beat.
        StorageError: If the disk is full or fails.
    """
    given = dict(settings or {})
    planned = _planned(sources, given)
    key = store_key([*planned])
    root = cache_folder() / "stores" if folder is None else Path(folder)
    path = root / key
    store = _verified(path)
    if store is not None:
        return store
    with _alone(path):
        store = _verified(path)  # another process may have built it meanwhile
        if store is None:
            _build(path, planned, given, progress)
    return store or BeatStore.open(path)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Say what the system refused in the folder of a store."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        msg = (
            f"the store {path} could not be written: {error.strerror or error}. See to "
            "the permissions and the disk, or choose another folder."
        )
        raise StorageError(msg) from error


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Make the folder of a store, and wait until no other process builds in it."""
    from filelock import FileLock, Timeout

    lock = FileLock(path.with_name(f"{path.name}.lock"))
    with _explained(path):
        (path / _PARTS).mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0.0)
        except Timeout:
            _log.info("another process builds the store %s: waiting for it", path)
            lock.acquire()
    try:
        yield
    finally:
        with suppress(OSError):  # closed is closed, whatever the disk says
            lock.release()


def _planned(
    sources: Sequence[Source], settings: Mapping[str, object]
) -> dict[str, Source]:
    """Return the sources by the keys of their parts, sorted by these."""
    if not sources:
        msg = "no source was given; wanted at least one recording to take beats from."
        raise ConfigError(msg)
    planned: dict[str, Source] = {}
    for source in sources:
        key = part_key(source.digest, source.domain, settings)
        twin = planned.setdefault(key, source)
        if twin is not source:
            msg = (
                f"{source.name!r} and {twin.name!r} hold the same; wanted each "
                "recording once. Leave one of them out."
            )
            raise ConfigError(msg)
    return dict(sorted(planned.items()))


def _verified(path: Path) -> "BeatStore | None":
    """Return a store that is whole, with every file as it was written, or None."""
    with suppress(CapnetError):
        store = BeatStore.open(path)
        store.verify()
        return store
    return None


def _build(
    path: Path,
    planned: Mapping[str, Source],
    settings: Mapping[str, object],
    progress: Callable[[int, int], None] | None,
) -> None:
    with _explained(path):
        # What a process that was killed left: nobody else writes now.
        for litter in (*path.glob(".*"), *(path / _PARTS).glob(".*")):
            litter.unlink(missing_ok=True)
        _drop_damaged(path)
    files = {key: path / _PARTS / f"{key}.zarr.zip" for key in planned}
    for done, (key, source) in enumerate(planned.items()):
        if progress is not None:
            progress(done, len(planned))
        if not (is_whole(files[key], key=key) or _shared(files[key], key=key)):
            write_part(files[key], source, key=key)
    with _explained(path):
        rows = _write_manifest(path / _MANIFEST, files)
        about = {
            "format": _FORMAT,
            "key": path.name,
            "code": code_version(),
            "settings": settings,
            "manifest": sha256_of(path / _MANIFEST),
            "rows": sum(rows.values()),
            "parts": [
                {"key": key, "rows": rows[key], "sha256": sha256_of(file)}
                for key, file in files.items()
            ],
        }
        write_atomic(path / _STORE, json.dumps(about, indent=1).encode())
    if progress is not None:
        progress(len(planned), len(planned))
    _log.info("store %s: %d beats of %d sources", path, about["rows"], len(planned))


def _drop_damaged(path: Path) -> None:
    """Remove the files of a finished store that are not as they were written."""
    with suppress(CapnetError):
        for file, expected in BeatStore.open(path).hashes().items():
            if file.exists() and sha256_of(file) != expected:
                file.unlink()


def _shared(path: Path, *, key: str) -> bool:
    """Take a part from another store in the folder, as one file where possible."""
    for other in sorted(path.parents[2].glob(f"*/{_PARTS}/{path.name}")):
        if other == path or not is_whole(other, key=key):
            continue
        with replacing(path) as temporary:
            temporary.unlink()
            try:
                os.link(other, temporary)
            except OSError:  # another disk, or a system without links
                shutil.copyfile(other, temporary)
        return True
    return False


def _write_manifest(path: Path, files: Mapping[str, Path]) -> dict[str, int]:
    """Join what is known of every row.

    Returns:
        The number of rows of each part.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows: dict[str, int] = {}
    schema: dict[str, pa.Field] = {}
    for key, file in files.items():
        part = Part(file)
        rows[key] = len(part)
        if len(part):
            table = _rows_of(part, key, np.arange(0))
            schema |= {field.name: field for field in table.schema}
    if not schema:
        msg = (
            f"none of {len(files)} sources has a beat; wanted at least one. Look at "
            "the recordings with `python experiments/record.py record=...`."
        )
        raise RecordError(msg)
    whole = pa.schema([*schema.values()])
    with (
        replacing(path) as temporary,
        temporary.open("wb") as sink,
        pq.ParquetWriter(sink, whole) as writer,
    ):
        waiting: list[pa.Table] = []
        for key, source in files.items():
            part = Part(source)
            for first in range(0, len(part), _GROUP):
                some = np.arange(first, min(first + _GROUP, len(part)))
                waiting.append(_rows_of(part, key, some))
            if sum(map(len, waiting)) >= _GROUP:
                writer.write_table(_joined(waiting, whole))
                waiting = []
        if waiting:
            writer.write_table(_joined(waiting, whole))
    return rows


def _joined(tables: Sequence["pa.Table"], schema: "pa.Schema") -> "pa.Table":
    """Join tables under one schema, empty where one has no such column."""
    import pyarrow as pa
    import pyarrow.compute as pc

    parts = [schema.empty_table(), *tables]
    table = pa.concat_tables(parts, promote_options="default").select(schema.names)
    for place, field in enumerate(schema):
        if pa.types.is_boolean(field.type):  # a wave that a part has not
            known = pc.fill_null(table.column(place), fill_value=False)
            table = table.set_column(place, field, known)
    return table


def _rows_of(part: Part, key: str, rows: Indices) -> "pa.Table":
    """Return what the manifest says of rows of a part."""
    import pyarrow as pa

    found = {name: np.full(len(rows), part.about[name]) for name in ("domain", *_KINDS)}
    found |= {"part": np.full(len(rows), key), "row": rows}
    for name, values in part.columns(rows).items():
        group, _, inner = name.partition("/")
        plain = inner if group in ("features", "truth") else name.replace("/", "_")
        if plain in found:
            msg = (
                f"a source of domain {part.about['domain']!r} has a feature or truth "
                f"{plain!r}, which is a column of every store; wanted another name."
            )
            raise RecordError(msg)
        found[plain] = values
    return pa.table({name: found.pop(name) for name in _FIRST} | found)


def _batch(rows: Indices, waves: np.ndarray, table: np.ndarray) -> Batch:
    mask = np.isfinite(waves)
    waves[~mask] = 0.0
    return Batch(rows, waves, mask, table[rows])


class BeatStore:
    """A store of beats; any number of processes may read it.

    Make one with `build_store`, or open one with `BeatStore.open`. Rows are numbered as
    in the manifest. What is read is held against its hash when it is first touched.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path: Final = path
        self.key: Final[str] = about["key"]
        self.settings: Final[Mapping[str, object]] = about["settings"]
        self._rows = int(about["rows"])
        self._hashes = {part["key"]: part["sha256"] for part in about["parts"]}
        self._manifest_hash: str = about["manifest"]
        self._seen: set[Path] = set()
        self._parts: OrderedDict[str, Part] = OrderedDict()

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a store.

        Args:
            path: Its folder.

        Raises:
            RecordError: If there is none, or it is of another format.
        """
        path = Path(path)
        try:
            about = json.loads((path / _STORE).read_bytes())
            if about["format"] != _FORMAT:
                msg = (
                    f"the store {path} has format {about['format']!r}; wanted "
                    f"{_FORMAT}. Build it again."
                )
                raise RecordError(msg)
            return cls(path, about)
        except FileNotFoundError as error:
            msg = (
                f"there is no store at {path}, or it was never finished. Make it with "
                "capnet.data.build_store or `python experiments/build_store.py`; what "
                "is there is kept."
            )
            raise RecordError(msg) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            msg = (
                f"{path / _STORE} is damaged ({type(error).__name__}). Build the store "
                "again: parts that are whole are kept."
            )
            raise RecordError(msg) from error

    def verify(self) -> None:
        """Hold every file against its hash.

        Raises:
            RecordError: Names the first one that is damaged or missing.
        """
        for file, expected in self.hashes().items():
            self._check(file, expected)

    def hashes(self) -> dict[Path, str]:
        """Return the SHA-256 that each file should have."""
        parts = {self._file(key): hashed for key, hashed in self._hashes.items()}
        return {self.path / _MANIFEST: self._manifest_hash} | parts

    def _file(self, key: str) -> Path:
        return self.path / _PARTS / f"{key}.zarr.zip"

    def _check(self, file: Path, expected: str) -> None:
        """Verify a file once."""
        if file in self._seen:
            return
        try:
            found = sha256_of(file)
        except OSError as error:
            found = f"unreadable ({error.strerror})"
        if found != expected:
            msg = (
                f"{file} is damaged: its SHA-256 is {found}; wanted {expected}. Build "
                "the store again: only what is damaged is made anew."
            )
            raise RecordError(msg)
        self._seen.add(file)

    def _part(self, number: int) -> Part:
        key = self._keys[number]
        part = self._parts.pop(key, None)
        if part is None:
            file = self._file(key)
            self._check(file, self._hashes[key])
            part = Part(file)
        self._parts[key] = part
        if len(self._parts) > _OPEN:
            self._parts.popitem(last=False)
        return part

    def __len__(self) -> int:
        return self._rows

    def __reduce__(self) -> tuple[Callable[[Path], "BeatStore"], tuple[Path]]:
        """Give another process the path: maps of files cannot be sent."""
        return BeatStore.open, (self.path,)

    @cached_property
    def _keys(self) -> list[str]:
        return [*self._hashes]

    def manifest(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Return one row a beat: all that is known of it but its waves.

        Args:
            columns: Those wanted; all by default. Numbers that a source does not have
                are NaN.

        Raises:
            RecordError: If the manifest is damaged, or has no such column.
        """
        frame: pd.DataFrame = self._table(columns).to_pandas()
        return frame

    def _table(self, columns: Sequence[str] | None, words: Sequence[str] = ()) -> Any:
        import pyarrow.parquet as pq

        file = self.path / _MANIFEST
        self._check(file, self._manifest_hash)
        known = pq.read_schema(file).names
        lacking = [name for name in columns or () if name not in known]
        if lacking:
            msg = (
                f"the store {self.path} has no column {lacking[0]!r}; it has "
                f"{', '.join(known)}."
            )
            raise RecordError(msg)
        return pq.read_table(
            file,
            columns=None if columns is None else [*columns],
            read_dictionary=[*words],
            use_threads=False,
        )

    @cached_property
    def _choice(self) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Codes of the columns of words that choose rows, and their words."""
        table = self._table(_CHOOSING, _CHOOSING).unify_dictionaries()
        found = {}
        for name in _CHOOSING:
            column = table[name].combine_chunks()
            words = np.array(column.dictionary.to_pylist(), dtype=str)
            found[name] = (column.indices.to_numpy().astype(np.int32), words)
        return found

    @cached_property
    def _place(self) -> tuple[np.ndarray, np.ndarray]:
        """Number of the part of each row, and of the row in it."""
        codes, words = self._choice["part"]
        numbers = {key: number for number, key in enumerate(self._keys)}
        part = np.array([numbers[key] for key in words.tolist()], dtype=np.int32)
        return part[codes], self._table(["row"])["row"].to_numpy()

    @cached_property
    def _accepted(self) -> np.ndarray:
        return np.asarray(self._table(["accepted"])["accepted"].to_numpy())

    def _words(self, name: str) -> np.ndarray:
        return self._choice[name][1]

    @property
    def subjects(self) -> np.ndarray:
        """Distinct subjects, in the order of their first row. Shape (subject,)."""
        return self._words("subject")

    @property
    def domains(self) -> np.ndarray:
        """Distinct domains, in the order of their first row. Shape (domain,)."""
        return self._words("domain")

    def rows(
        self,
        rows: np.ndarray | None = None,
        *,
        subjects: Sequence[str] | np.ndarray | None = None,
        domain: str | None = None,
        accepted: bool | None = None,
    ) -> Indices:
        """Return the numbers of rows.

        Args:
            rows: Numbers, or a mask with a value for every row; all by default.
            subjects: Of these alone.
            domain: Of this alone.
            accepted: Those that the gate let through, or those that it did not.

        Raises:
            RecordError: If the store has no such subject or domain.
            ShapeError: If there is no such row.
        """
        chosen = np.arange(len(self)) if rows is None else np.asarray(rows)
        if chosen.dtype == np.bool_ and chosen.shape == (len(self),):
            chosen = np.flatnonzero(chosen)
        whole = chosen.ndim == 1 and (chosen.dtype.kind in "iu" or not len(chosen))
        if not whole or ((chosen < 0) | (chosen >= len(self))).any():
            msg = (
                f"rows are of type {chosen.dtype} and shape {chosen.shape}; wanted "
                f"numbers from 0 to {len(self) - 1}, or a mask of shape "
                f"({len(self)},)."
            )
            raise ShapeError(msg)
        chosen = chosen.astype(np.int64)
        if subjects is not None:
            chosen = chosen[self._is("subject", subjects)[chosen]]
        if domain is not None:
            chosen = chosen[self._is("domain", [domain])[chosen]]
        if accepted is not None:
            chosen = chosen[self._accepted[chosen] == accepted]
        return chosen

    def _is(self, name: str, wanted: Sequence[str] | np.ndarray) -> np.ndarray:
        codes, words = self._choice[name]
        given = np.asarray(wanted, dtype=str)
        unknown = given[~np.isin(given, words)]
        if len(unknown):
            msg = (
                f"the store {self.path} has no {name} {str(unknown[0])!r}; it has "
                f"{len(words)}: {', '.join(words[:5])}{' ...' * (len(words) > 5)}."
            )
            raise RecordError(msg)
        answer: np.ndarray = np.isin(words, given)[codes]
        return answer

    def beats(
        self,
        rows: np.ndarray | None = None,
        *,
        subjects: Sequence[str] | np.ndarray | None = None,
        domain: str | None = None,
        accepted: bool | None = None,
        raw: bool = True,
    ) -> Beats:
        """Return rows as a table of beats, in memory.

        Every field is as the source gave it; waves (not ``raw``) were rounded to 24
        bits (relative error up to 6e-8).

        Args:
            rows: See `rows`.
            subjects: See `rows`.
            domain: See `rows`.
            accepted: See `rows`.
            raw: Whether to read the windows of raw samples, which are three quarters of
                a store.

        Raises:
            ShapeError: If no row is left, or their calibrations or reference types
                differ.
            RecordError: If a part is damaged.
        """
        chosen = self.rows(rows, subjects=subjects, domain=domain, accepted=accepted)
        if not len(chosen):
            msg = f"no row of the store {self.path} is left; wanted at least one beat."
            raise ShapeError(msg)
        for name in _KINDS:
            codes, words = self._choice[name]
            found = words[np.unique(codes[chosen])]
            if len(found) > 1:
                msg = (
                    f"the rows are of {name} {sorted(found.tolist())}, which may not "
                    "be pooled; choose with domain=..., or with "
                    f"rows=manifest[{name!r}] == {str(found[0])!r}."
                )
                raise ShapeError(msg)
        tables, order = [], []
        for number, places in self._by_part(chosen):
            inside = self._place[1][chosen[places]]
            tables.append(self._part(number).beats(inside, raw=raw))
            order.append(places)
        return Beats.concatenate(tables).take(np.argsort(np.concatenate(order)))

    def _by_part(self, rows: Indices) -> Iterator[tuple[int, Indices]]:
        """Group rows by part: yields its number and positions in ``rows``."""
        part = self._place[0][rows]
        order = np.argsort(part, kind="stable")
        ends = np.flatnonzero(np.diff(part[order])) + 1
        for places in np.split(order, ends):
            if len(places):
                yield int(part[places[0]]), places

    def arrays(
        self, channels: Sequence[str], rows: np.ndarray | None = None
    ) -> Float32[np.ndarray, "beat channel 64"]:
        """Return waves of rows, in memory; NaN where missing.

        Args:
            channels: ``ppg``, ``reference``, and the names of other waves.
            rows: See `rows`.

        Raises:
            RecordError: If the store has no such channel, or a part is damaged.
        """
        self._check_channels(channels)
        chosen = self.rows(rows)
        shape = (len(chosen), len(channels), N_POINTS)
        answer = np.empty(shape, dtype=np.float32)
        for number, places in self._by_part(chosen):
            inside = self._place[1][chosen[places]]
            answer[places] = self._part(number).waves(inside, channels)
        return answer

    def batches(
        self,
        rows: np.ndarray | None = None,
        *,
        channels: Sequence[str],
        columns: Sequence[str] = (),
        batch: int = 256,
        seed: int,
        epoch: int,
        memory: int = _MEMORY,
    ) -> Iterator[Batch]:
        """Give rows in an order that depends on seed and epoch alone.

        Every row comes once; the last batch may be smaller. Rows are read from the
        files as many at once as fit into ``memory``: a store may be larger than that,
        and its order is still that of one shuffle of all rows.

        Args:
            rows: See `rows`.
            channels: See `arrays`.
            columns: Columns of numbers of the manifest, e.g. ``age`` or ``cuff_sbp``.
            batch: Rows at once.
            seed: Of all orders.
            epoch: Another one is another order.
            memory: Bytes of waves that may be held at once.

        Yields:
            The batches; with torch, ``torch.from_numpy(batch.waves)``.

        Raises:
            RecordError: If there is no such channel or column, or a part is damaged.
            ShapeError: If the batch or a row is impossible.
        """
        chosen = self.rows(rows)
        self._check_channels(channels)
        if batch < 1:
            msg = f"batches of {batch} rows; wanted at least 1."
            raise ShapeError(msg)
        table = self._numbers(columns)
        order = np.random.default_rng([seed, epoch]).permutation(len(chosen))
        mixed = chosen[order]
        most = memory // (len(channels) * N_POINTS * 4)
        block = max(most - most % batch, batch)

        def made() -> Iterator[Batch]:
            for first in range(0, len(mixed), block):
                some = mixed[first : first + block]
                waves = self.arrays(channels, some)
                for place in range(0, len(some), batch):
                    part = slice(place, place + batch)
                    yield _batch(some[part], waves[part], table)

        return made()

    def _numbers(self, columns: Sequence[str]) -> Float[np.ndarray, "row column"]:
        if not columns:
            return np.empty((len(self), 0))
        frame = self.manifest(columns)
        odd = [name for name in columns if frame[name].dtype.kind not in "biuf"]
        if odd:
            msg = f"column {odd[0]!r} holds words; wanted columns of numbers."
            raise RecordError(msg)
        return frame.to_numpy(dtype=np.float64)

    @cached_property
    def channels(self) -> list[str]:
        """Names of all waves, the PPG first."""
        import pyarrow.parquet as pq

        self._check(self.path / _MANIFEST, self._manifest_hash)
        names = pq.read_schema(self.path / _MANIFEST).names
        return [n.removeprefix("has_") for n in names if n.startswith("has_")]

    def _check_channels(self, channels: Sequence[str]) -> None:
        unknown = [name for name in channels if name not in self.channels]
        if unknown or not channels:
            msg = (
                f"channels {[*channels]} were asked for; the store {self.path} has "
                f"{', '.join(self.channels)}."
            )
            raise RecordError(msg)

    def windows(self) -> Iterator[tuple[str, str, WindowRows]]:
        """Give the windows of 8 s of one source after the other, where there are any.

        Yields:
            Subject, domain and windows.
        """
        for number in range(len(self._keys)):
            part = self._part(number)
            rows = part.windows()
            if rows is not None and len(part):
                subject = str(part.columns(np.arange(1))["subject"][0])
                yield subject, part.about["domain"], rows

    def __repr__(self) -> str:
        return (
            f"BeatStore({len(self)} beats of {len(self.subjects)} subjects in "
            f"{len(self._keys)} parts, domains {', '.join(self.domains)}, channels "
            f"{', '.join(self.channels)}: {self.path})"
        )
