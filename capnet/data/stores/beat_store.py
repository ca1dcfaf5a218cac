"""A store of beats that survives: built once, whole or not at all, read by many.

A store is a folder that is named by a hash of all that decides its content: the
sources, the settings and the code. In it lie

- ``manifest.parquet``: one row a beat, with all that is known of it but its waves;
- ``waves.zarr``: ``ppg``, ``reference``, ``raw`` and every other wave as float32 of
  shape (beat, time), in the rows of the manifest, NaN where a source has none;
- ``windows.parquet`` and ``windows.zarr``: likewise for windows of 8 s, if wanted;
- ``store.json``: written last, with the SHA-256 of every other file.

While it is built, ``parts`` holds what was read of each source
(`capnet.data.stores.part`): that is what an interrupted build goes on with.

For one small table that an experiment hands on, `capnet.data.save_beats` is the simpler
way.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
from jaxtyping import Bool, Float, Float32

from capnet.data.stores.key import (
    cache_folder,
    code_version,
    digest_of,
    part_key,
    plain_settings,
    store_key,
)
from capnet.data.stores.sources import Source, source_of_record
from capnet.errors import (
    CapnetError,
    ConfigError,
    RecordError,
    ShapeError,
    StorageError,
)
from capnet.files import explained, sha256_of, write_atomic
from capnet.records import Beats
from capnet.types import N_POINTS, Indices

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from capnet.data.stores.window_rows import WindowRows

__all__ = ["Batch", "BeatStore", "Source", "build_store", "source_of_record"]

_log = logging.getLogger(__name__)

_FORMAT: Final = 2
_STORE, _PARTS = "store.json", "parts"
_BEATS: Final = ("manifest.parquet", "waves.zarr")
_WINDOWS: Final = ("windows.parquet", "windows.zarr")
_KINDS: Final = ("calibration", "reference_type")
"""What may not be pooled."""
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
    interrupted (a full disk, a power cut) goes on where it was; a damaged store is
    built anew.

    Args:
        sources: What it is made of; their order does not matter.
        folder: Where stores are kept; the cache of the system by default
            (`capnet.data.stores.key.cache_folder`). The store becomes a folder in it.
        settings: What else decides the content, kept in the store in clear words as
            JSON has them: no names of people, files or places.
        progress: Called with how many sources are done, and of how many.

    Returns:
        The store.

    Raises:
        ConfigError: If there is no source, two hold the same, or JSON cannot hold the
            settings.
        RecordError: If a recording cannot be read, no source has a beat, or sources do
            not fit together.
        StorageError: If the disk is full or fails.
    """
    given = plain_settings(settings or {})
    planned = _planned(sources, given)
    key = store_key([*planned])
    root = cache_folder() / "stores" if folder is None else Path(folder)
    path = root / key
    store = _finished(path)
    if store is None:
        with explained(path), _alone(path):
            store = _finished(path)  # another process may have built it meanwhile
            if store is None:
                store = _build(path, planned, given, progress)
    return store


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process builds a store; a lock ends with its process."""
    from filelock import FileLock, Timeout

    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0.0)
    except NotImplementedError as error:
        msg = (
            f"the disk of {path.parent} has no locks ({error}). Choose another folder."
        )
        raise StorageError(msg) from error
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


def _whole(path: Path) -> "BeatStore | None":
    """Return a store with every file as it was written, or None."""
    with suppress(CapnetError):
        store = BeatStore.open(path)
        store.verify()
        return store
    return None


def _finished(path: Path) -> "BeatStore | None":
    """Return a store that is whole and has nothing left over from its making."""
    return None if (path / _PARTS).exists() else _whole(path)


def _build(
    path: Path,
    planned: Mapping[str, Source],
    settings: Mapping[str, object],
    progress: Callable[[int, int], None] | None,
) -> "BeatStore":
    # pyarrow loads when something is built or read.
    from capnet.data.stores.gather import gather
    from capnet.data.stores.part import write_part

    parts = path / _PARTS
    store = _whole(path)
    if store is None:
        parts.mkdir(parents=True, exist_ok=True)
        for left in path.iterdir():  # of a process that was killed, or damaged
            if left.is_dir() and left != parts:
                shutil.rmtree(left)
            elif left != parts:
                left.unlink()
        for done, (key, source) in enumerate(planned.items()):
            if progress is not None:
                progress(done, len(planned))
            write_part(parts, source, key=key)
        types = {
            "beats": gather(parts, planned, "beats", *(path / n for n in _BEATS)),
            "windows": gather(parts, planned, "windows", *(path / n for n in _WINDOWS)),
        }
        if not types["beats"]:
            msg = (
                f"none of {len(planned)} sources has a beat; wanted at least one. Look "
                "at the recordings with `python experiments/features.py record=...`."
            )
            raise RecordError(msg)
        about = {
            "format": _FORMAT,
            "key": path.name,
            "code": code_version(),
            "settings": settings,
            "types": types,
            "files": _hashes(path),
        }
        sealed = about | {"digest": digest_of(about)}
        write_atomic(path / _STORE, json.dumps(sealed, indent=1).encode())
        store = BeatStore(path, about)
        _log.info("store %s: %d beats of %d sources", path, len(store), len(planned))
    shutil.rmtree(parts)
    if progress is not None:
        progress(len(planned), len(planned))
    return store


def _hashes(path: Path) -> dict[str, str]:
    """Hash the files of a store when they are on the disk for good."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and not name.startswith(f"{_PARTS}/"):
            with file.open("rb+") as settled:
                os.fsync(settled.fileno())
            found[name] = sha256_of(file)
    return found


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Say what could not be read in the folder of a store."""
    try:
        yield
    except (OSError, ValueError, LookupError) as error:
        msg = (
            f"the store {path} cannot be read ({type(error).__name__}: {error}). Look "
            "at the disk, and build the store again."
        )
        raise RecordError(msg) from error


class BeatStore:
    """A store of beats; any number of processes may read it.

    Make one with `build_store`, or open one with `BeatStore.open`; it may be moved and
    copied. Rows are numbered as in the manifest. A file is held against its hash when
    it is first touched.
    """

    def __init__(self, path: Path, about: Mapping[str, Any]) -> None:
        self.path: Final = path
        self.key: Final[str] = about["key"]
        self.settings: Final[Mapping[str, object]] = about["settings"]
        self._types: Mapping[str, Mapping[str, str]] = about["types"]
        self._unseen: dict[str, str] = dict(about["files"])

    @classmethod
    def open(cls, path: str | Path) -> Self:
        """Open a store.

        Args:
            path: Its folder.

        Raises:
            RecordError: If there is none, it is damaged or of another format.
        """
        path = Path(path)
        try:
            about = json.loads((path / _STORE).read_bytes())
            digest, found = about.pop("digest"), about["format"]
            whole = digest == digest_of(about)
        except FileNotFoundError as error:
            msg = (
                f"there is no store at {path}, or it was never finished. Make it with "
                "capnet.data.build_store or `python experiments/build_store.py`; what "
                "is there is kept."
            )
            raise RecordError(msg) from error
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            found, whole = _FORMAT, False
        if found != _FORMAT:
            msg = (
                f"the store {path} has format {found!r}; wanted {_FORMAT}. Build it "
                "again."
            )
            raise RecordError(msg)
        if not whole:
            msg = f"{path / _STORE} is damaged. Build the store again."
            raise RecordError(msg)
        if about["code"] != code_version():
            _log.warning(
                "the store %s was made by another version of the code; build it again "
                "to have the beats of this one",
                path,
            )
        return cls(path, about)

    def verify(self, prefix: str = "") -> None:
        """Hold files against their hashes, each of them once.

        Args:
            prefix: Of those files alone whose path in the store begins like that.

        Raises:
            RecordError: Names the first one that is damaged or missing.
        """
        for name in [name for name in self._unseen if name.startswith(prefix)]:
            file, expected = self.path / name, self._unseen[name]
            try:
                found = sha256_of(file)
            except OSError as error:
                found = f"unreadable ({error.strerror})"
            if found != expected:
                msg = (
                    f"{file} is damaged: its SHA-256 is {found}; wanted {expected}. "
                    "Build the store again."
                )
                raise RecordError(msg)
            del self._unseen[name]

    def __len__(self) -> int:
        return len(self._choice)

    def __reduce__(self) -> tuple[Callable[[Path], "BeatStore"], tuple[Path]]:
        """Give another process the path: it opens its own files."""
        return BeatStore.open, (self.path,)

    def manifest(self, columns: Sequence[str] | None = None) -> "pd.DataFrame":
        """Return one row a beat: all that is known of it but its waves.

        Args:
            columns: Those wanted; all by default. Features and truths are called
                ``features/pat`` and ``truth/pwv``, ``has/abp`` says where a wave is not
                missing, ``source`` tells recordings apart. Numbers that a source does
                not have are NaN.

        Raises:
            RecordError: If the manifest is damaged, or has no such column.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        table = self._manifest(columns)
        for place, field in enumerate(table.schema):
            if pa.types.is_boolean(field.type):  # a wave that a source has not
                known = pc.fill_null(table.column(place), fill_value=False)
                table = table.set_column(place, field.name, known)
        frame: pd.DataFrame = table.to_pandas()
        return frame

    def _manifest(self, columns: Sequence[str] | None) -> "pa.Table":
        import pyarrow.parquet as pq

        known = self._columns
        lacking = [name for name in columns or () if name not in known]
        if lacking:
            msg = (
                f"the store {self.path} has no column {lacking[0]!r}; it has "
                f"{', '.join(known)}."
            )
            raise RecordError(msg)
        with _reading(self.path):
            return pq.read_table(
                self.path / _BEATS[0],
                columns=None if columns is None else [*columns],
                use_threads=False,
            )

    @cached_property
    def _columns(self) -> list[str]:
        import pyarrow.parquet as pq

        self.verify(_BEATS[0])
        with _reading(self.path):
            return list(pq.read_schema(self.path / _BEATS[0]).names)

    @cached_property
    def _choice(self) -> "pd.DataFrame":
        """What rows are chosen by."""
        return self.manifest(["subject", "domain", "accepted"]).astype(
            {"subject": "category", "domain": "category"}
        )

    def _distinct(self, name: str) -> np.ndarray:
        return np.asarray(self._choice[name].unique(), dtype=str)

    @cached_property
    def subjects(self) -> np.ndarray:
        """Distinct subjects, in the order of their first row. Shape (subject,)."""
        return self._distinct("subject")

    @cached_property
    def domains(self) -> np.ndarray:
        """Distinct domains, in the order of their first row. Shape (domain,)."""
        return self._distinct("domain")

    @property
    def channels(self) -> list[str]:
        """Names of all waves of 64 points, the PPG first."""
        names = [n.removeprefix("has/") for n in self._columns if n.startswith("has/")]
        return [name for name in names if name != "raw"]

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
            chosen = chosen[self._choice["accepted"].to_numpy()[chosen] == accepted]
        return chosen

    def _is(self, name: str, wanted: Sequence[str] | np.ndarray) -> np.ndarray:
        known, given = self._distinct(name), np.asarray(wanted, dtype=str)
        unknown = given[~np.isin(given, known)]
        if len(unknown):
            msg = (
                f"the store {self.path} has no {name} {str(unknown[0])!r}; it has "
                f"{len(known)}: {', '.join(known[:5])}{' ...' * (len(known) > 5)}."
            )
            raise RecordError(msg)
        answer: np.ndarray = self._choice[name].isin(given).to_numpy()
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

        Every column is as the source gave it; waves and raw samples were rounded to 24
        bits (relative error up to 6e-8). As `Beats.concatenate` does it, what not every
        row has is left out: waves, features and truths of some sources alone. A column
        that sources have in several types comes in the widest.

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
            RecordError: If the store is damaged.
        """
        chosen = self.rows(rows, subjects=subjects, domain=domain, accepted=accepted)
        if not len(chosen):
            msg = f"no row of the store {self.path} is left; wanted at least one beat."
            raise ShapeError(msg)
        table = self._rows_of(chosen)
        kinds = {name: self._kind(table, name) for name in _KINDS}
        have = [n for n in table.column_names if not table.column(n).null_count]
        columns = {
            name: _typed(table.column(name), self._types["beats"][name])
            for name in have
            if name not in (*_KINDS, "domain", "source") and not name.startswith("has/")
        }
        waves = {
            name: self._take(_BEATS[1], name, chosen).astype(self._types["beats"][name])
            for name in (n.removeprefix("has/") for n in have if n.startswith("has/"))
            if raw or name != "raw"
        }
        own = {n: waves.pop(n) for n in ("ppg", "reference", "raw") if n in waves}
        if "raw" not in own:
            columns = {n: v for n, v in columns.items() if n not in ("start", "stop")}
        cuff = np.stack([columns.pop("cuff_sbp"), columns.pop("cuff_dbp")], axis=1)
        # Any: mypy matches each mapping with every field of `Beats`.
        groups: dict[str, Any] = {
            group: {
                name.removeprefix(f"{group}/"): columns.pop(name)
                for name in [*columns]
                if name.startswith(f"{group}/")
            }
            for group in ("features", "truth")
        }
        single: dict[str, Any] = {**columns, **own, **kinds}
        return Beats(cuff=cuff, waves=waves, **groups, **single)

    def _rows_of(self, rows: Indices) -> "pa.Table":
        """Return rows of the manifest, in that order."""
        import pyarrow.parquet as pq

        from capnet.data.stores.part import CHUNK

        groups, place = np.unique(rows // CHUNK, return_inverse=True)
        with _reading(self.path), pq.ParquetFile(self.path / _BEATS[0]) as file:
            table = file.read_row_groups(groups.tolist(), use_threads=False)
        return table.take(place * CHUNK + rows % CHUNK)

    def _kind(self, table: "pa.Table", name: str) -> str:
        found = sorted(table.column(name).unique().to_pylist())
        if len(found) > 1:
            msg = (
                f"the rows are of {name} {found}, which may not be pooled; choose with "
                f"domain=..., or with rows=manifest[{name!r}] == {found[0]!r}."
            )
            raise ShapeError(msg)
        return str(found[0])

    def _take(self, folder: str, name: str, rows: Indices) -> np.ndarray:
        import zarr

        self.verify(f"{folder}/{name}/")
        with _reading(self.path):
            array: Any = zarr.open_array(self.path / folder / name, mode="r")
            answer: np.ndarray = array.oindex[rows] if len(rows) else array[:0]
        if np.isinf(answer).any():  # how zarr reads a file that is gone
            msg = f"{self.path / folder / name} has lost files. Build the store again."
            raise RecordError(msg)
        return answer

    def arrays(
        self, channels: Sequence[str], rows: np.ndarray | None = None
    ) -> Float32[np.ndarray, "beat channel 64"]:
        """Return waves of rows, in memory; NaN where missing.

        Args:
            channels: ``ppg``, ``reference``, and the names of other waves.
            rows: See `rows`.

        Raises:
            RecordError: If the store has no such channel, or is damaged.
        """
        unknown = [name for name in channels if name not in self.channels]
        if unknown or not channels:
            msg = (
                f"channels {[*channels]} were asked for; the store {self.path} has "
                f"{', '.join(self.channels)}."
            )
            raise RecordError(msg)
        chosen = self.rows(rows)
        shape = (len(chosen), len(channels), N_POINTS)
        answer = np.empty(shape, dtype=np.float32)
        for place, name in enumerate(channels):
            answer[:, place] = self._take(_BEATS[1], name, chosen)
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
            RecordError: If there is no such channel or column, or the store is damaged.
            ShapeError: If the batch or a row is impossible.
        """
        chosen = self.rows(rows)
        self.arrays(channels, chosen[:0])  # says what there is
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

    def windows(self) -> Iterator[tuple[str, str, "WindowRows"]]:
        """Give the windows of 8 s of one source after the other, where there are any.

        Yields:
            Subject, domain and windows.

        Raises:
            RecordError: If the store is damaged.
        """
        import pyarrow.parquet as pq

        from capnet.data.stores.window_rows import WindowRows

        types = self._types["windows"]
        if not types:
            return
        self.verify(_WINDOWS[0])
        with _reading(self.path):
            table = pq.read_table(self.path / _WINDOWS[0], use_threads=False)
        source = np.array(table.column("source").to_pylist())
        for rows in np.split(
            np.arange(len(source)), np.flatnonzero(source[1:] != source[:-1]) + 1
        ):
            some = table.take(rows)
            columns = {n: _typed(some.column(n), types[n]) for n in table.column_names}
            reason = {
                n.removeprefix("reason/"): v
                for n, v in columns.items()
                if n.startswith("reason/")
            }
            waves = {
                n: self._take(_WINDOWS[1], n, rows).astype(types[n]) for n in reason
            }
            subject, domain = columns["subject"], str(columns["domain"][0])
            found = WindowRows(subject, columns["start"], waves, reason)
            yield str(subject[0]), domain, found

    def __repr__(self) -> str:
        return (
            f"BeatStore({len(self)} beats of {len(self.subjects)} subjects, domains "
            f"{', '.join(self.domains)}, channels {', '.join(self.channels)}: "
            f"{self.path})"
        )


def _typed(column: "pa.ChunkedArray", kind: str) -> np.ndarray:
    """Return a column as the source had it."""
    if np.dtype(kind).kind == "U":
        return np.array(column.to_pylist(), dtype=kind)
    plain: np.ndarray = column.to_numpy().astype(kind)
    return plain


def _batch(rows: Indices, waves: np.ndarray, table: np.ndarray) -> Batch:
    mask = np.isfinite(waves)
    waves[~mask] = 0.0
    return Batch(rows, waves, mask, table[rows])
