"""What is inside a file: the bytes of every layer, decompressed, within limits.

Archives (zip and with it npz, docx, zarr.zip), compressed streams (gzip, bz2, xz, zstd,
lz4, blosc chunks), tables (parquet), HDF5, texts in pictures and pictures in pages.
What cannot be unpacked is reported, never passed over in silence. Not seen are chunks
of blosc within a shard of zarr (they have no mark), streams within PDF, and what is
encrypted in a way of its own.
"""

import base64
import bz2
import io
import lzma
import re
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from capnet.errors import RecordError

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Budget", "Part", "unpacked"]

_BLOCK: Final = 1 << 20
_DEEPEST: Final = 6
_MOST_MEMBERS: Final = 100_000
_IN_MEMORY: Final = 1 << 26
_LARGEST_PAGE: Final = 1 << 27
_ROWS: Final = 1 << 15


_File = IO[bytes] | io.BytesIO
"""What can be read and searched; Python's own types hold the latter for no IO."""


class Part(NamedTuple):
    """One layer of a file.

    Attributes:
        member: Where in the file, ``a.zip!b.npy``; empty for the file as it is.
        blocks: Its bytes; to be used before the next part is asked for.
        problem: Why it could not be unpacked; empty if it could.
        kind: ``date`` where the layer is known to hold dates, else empty.
    """

    member: str
    blocks: Iterator[bytes]
    problem: str = ""
    kind: str = ""


@dataclass
class Budget:
    """Bytes that may still be unpacked from a file: what makes a bomb harmless."""

    left: int

    def take(self, n: int) -> None:
        """Count bytes.

        Raises:
            RecordError: If they are too many.
        """
        self.left -= n
        if self.left < 0:
            msg = "more is packed in the file than the limit; raise the limit."
            raise RecordError(msg)


def unpacked(
    file: _File, *, budget: Budget, member: str = "", depth: int = 0
) -> Iterator[Part]:
    """Give a file as it is, then everything that is packed in it.

    Args:
        file: Open for reading, seekable.
        budget: What may be unpacked.
        member: Where it lies.
        depth: How many layers lie above.
    """
    yield Part(member, _blocks(file))
    file.seek(0)
    head = file.read(64)
    for opens in _KINDS:
        file.seek(0)
        unpack = opens(head, file)
        if unpack is None:
            continue
        if depth >= _DEEPEST:
            yield Part(member, iter(()), "too many layers")
            return
        file.seek(0)
        try:
            yield from unpack(file, member, budget, depth + 1)
        except RecordError:
            yield Part(member, iter(()), "more is packed than the limit")
        except _faults() as error:
            # The text of the error may quote the content.
            yield Part(member, iter(()), f"cannot be unpacked ({type(error).__name__})")


_Unpack = Callable[[_File, str, Budget, int], Iterator[Part]]
_Opens = Callable[[bytes, _File], _Unpack | None]


def _faults() -> tuple[type[Exception], ...]:
    return (
        *(OSError, EOFError, ValueError, RuntimeError, LookupError),
        *(zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error),
    )


def _blocks(file: _File) -> Iterator[bytes]:
    file.seek(0)
    while block := file.read(_BLOCK):
        yield block


def _inside(member: str, name: str) -> str:
    return f"{member}!{name}" if member else name


def _spool(stream: Any, budget: Budget) -> _File:
    """Unpack a stream to where it can be read again."""
    spool = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
    try:
        while block := stream.read(_BLOCK):
            budget.take(len(block))
            spool.write(block)
    except BaseException:
        spool.close()
        raise
    return spool


# Archives


def _zip(head: bytes, _: _File) -> _Unpack | None:
    return _unzip if head[:4] in (b"PK\3\4", b"PK\5\6") else None


def _unzip(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    with zipfile.ZipFile(file) as archive:
        found = archive.infolist()
        if len(found) > _MOST_MEMBERS:
            yield Part(member, iter(()), f"{len(found)} members")
            return
        for info in found:
            inner = _inside(member, info.filename)
            if info.flag_bits & 1:
                yield Part(inner, iter(()), "encrypted")
                continue
            with archive.open(info) as stream, _spool(stream, budget) as spool:
                yield from unpacked(spool, budget=budget, member=inner, depth=depth)


# Streams


def _stream(name: str, magic: bytes, open_: Callable[[_File], Any]) -> _Opens:
    def unpack(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
        with open_(file) as stream, _spool(stream, budget) as spool:
            inner = _inside(member, name)
            yield from unpacked(spool, budget=budget, member=inner, depth=depth)

    return lambda head, _: unpack if head.startswith(magic) else None


class _Gzip(io.RawIOBase):
    """The members of a gzip file one after another, in small steps.

    The standard one hides trailing bytes that are no gzip; those are in the raw file.
    """

    def __init__(self, file: _File) -> None:
        self._file, self._rest = file, b""
        self._inflate = zlib.decompressobj(wbits=31)

    def read(self, size: int = -1) -> bytes:
        size = _BLOCK if size < 0 else size
        while True:
            data = self._rest or self._file.read(1 << 16)
            if not data:
                if self._inflate.eof:
                    return b""
                msg = "the stream is cut"
                raise EOFError(msg)
            if self._inflate.eof:
                if data[:2] != b"\x1f\x8b":
                    return b""
                self._inflate = zlib.decompressobj(wbits=31)
            out = self._inflate.decompress(data, size)
            self._rest = self._inflate.unconsumed_tail or self._inflate.unused_data
            if out:
                return out


def _arrow_stream(codec: str) -> Callable[[_File], Any]:
    def open_(file: _File) -> Any:
        import pyarrow as pa

        return pa.CompressedInputStream(pa.PythonFile(file, mode="r"), codec)

    return open_


_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def _zstd(head: bytes, file: _File) -> _Unpack | None:
    """A frame at the start, or many one after another as in a shard of zarr."""
    if head.startswith(_ZSTD):
        return _unzstd
    return _unzstd if _next_frame(file, 0) >= 0 else None


def _unzstd(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    start = 0
    while (start := _next_frame(file, start)) >= 0:
        stop = _frame_end(file, start)
        if stop < 0 and start == 0:
            yield Part(member, iter(()), "cut within a frame of zstd")
        if stop < 0:  # four bytes that look like the mark of a frame by chance
            start += 4
            continue
        file.seek(start)
        frame = io.BytesIO(file.read(stop - start))
        inner = _inside(member, f"zstd at {start}")
        with _arrow_stream("zstd")(frame) as stream, _spool(stream, budget) as spool:
            yield from unpacked(spool, budget=budget, member=inner, depth=depth)
        start = stop


def _next_frame(file: _File, start: int) -> int:
    """Return where the next mark of a frame is, -1 if there is none."""
    file.seek(start)
    tail = b""
    while block := file.read(_BLOCK):
        data = tail + block
        found = data.find(_ZSTD)
        if found >= 0:
            return start - len(tail) + found
        start, tail = start + len(block), data[-3:]
    return -1


def _frame_end(file: _File, start: int) -> int:
    """Return where a frame ends, -1 if it is none (RFC 8878, section 3.1.1)."""
    file.seek(start + 4)
    about = file.read(1)
    if not about:
        return -1
    flags = about[0]
    single, size = flags >> 5 & 1, flags >> 6
    header = (0 if single else 1) + (0, 1, 2, 4)[flags & 3]
    header += single if size == 0 else 1 << size
    file.seek(header, io.SEEK_CUR)
    while len(block := file.read(3)) == 3:
        told = int.from_bytes(block, "little")
        kind = told >> 1 & 3
        if kind == 3:
            return -1
        file.seek(1 if kind == 1 else told >> 3, io.SEEK_CUR)
        if told & 1:
            stop = file.tell() + (4 if flags & 4 else 0)
            return stop if stop <= file.seek(0, io.SEEK_END) else -1
    return -1


def _blosc(head: bytes, file: _File) -> _Unpack | None:
    """A blosc chunk has no mark, but says how long it is (c-blosc, README_HEADER)."""
    if len(head) < 16 or head[0] != 2 or head[1] not in (1, 2):
        return None
    size = file.seek(0, io.SEEK_END)
    return _unblosc if struct.unpack("<I", head[12:16])[0] == size else None


def _unblosc(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    from numcodecs import blosc

    packed = file.read()
    budget.take(struct.unpack("<I", packed[4:8])[0])
    content = io.BytesIO(bytes(blosc.decompress(packed)))
    inner = _inside(member, "blosc")
    yield from unpacked(content, budget=budget, member=inner, depth=depth)


# Tables


def _parquet(head: bytes, _: _File) -> _Unpack | None:
    return _unparquet if head.startswith(b"PAR1") else None


def _unparquet(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    """Give names, remarks, and the words and whole numbers of every column."""
    del depth  # a column holds values, no files
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetFile(file) as table:
        budget.take(sum(_group_bytes(table)))
        remarks = table.schema_arrow.metadata or {}
        about = [*table.schema_arrow.names, *(b for kv in remarks.items() for b in kv)]
        text = b"\n".join(a.encode() if isinstance(a, str) else a for a in about)
        yield Part(_inside(member, "schema"), iter((text,)))
        for number, field in enumerate(table.schema_arrow, start=1):
            inner = _inside(member, f"column {number}")
            if pa.types.is_temporal(field.type) and not pa.types.is_duration(
                field.type
            ):
                yield Part(inner, iter(()), kind="date")
            if not pa.types.is_floating(field.type):
                yield Part(inner, _column(table, field.name))


def _group_bytes(table: Any) -> Iterator[int]:
    for group in range(table.num_row_groups):
        yield table.metadata.row_group(group).total_byte_size


def _column(table: Any, name: str) -> Iterator[bytes]:
    batch: pa.RecordBatch
    for batch in table.iter_batches(_ROWS, columns=[name]):
        for values in batch.columns:
            words = (_bytes_of(value) for value in values.to_pylist())
            yield b"\n".join(words) + b"\n"


def _bytes_of(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _hdf5(head: bytes, file: _File) -> _Unpack | None:
    mark = b"\x89HDF\r\n\x1a\n"
    if head.startswith(mark):
        return _unhdf5
    file.seek(512)  # MATLAB's version 7.3 puts a text of its own before it
    return _unhdf5 if file.read(8) == mark else None


def _unhdf5(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    del depth
    import h5py

    names: list[str] = []
    with h5py.File(file, "r") as content:
        names.append("/")
        content.visit(names.append)
        text = "\n".join(names).encode("utf-8", "surrogateescape")
        yield Part(_inside(member, "names"), iter((text,)))
        for number, name in enumerate(names):
            node = content[name]
            inner = _inside(member, f"node {number}")
            yield Part(_inside(inner, "attributes"), _attributes(node.attrs))
            if isinstance(node, h5py.Dataset):
                size = node.size or 0
                budget.take(size * max(node.dtype.itemsize, 1))
                yield Part(inner, _dataset(node))


def _attributes(attributes: Any) -> Iterator[bytes]:
    import numpy as np

    for key in attributes:
        yield key.encode("utf-8", "surrogateescape") + b"\n"
        value = np.asarray(attributes[key])
        yield _array_bytes(value) + b"\n"


def _dataset(node: Any) -> Iterator[bytes]:
    """Give a data set in pieces along its first axis."""
    import numpy as np

    if node.shape is None:
        return
    if node.shape == ():
        yield _array_bytes(np.asarray(node[()]))
        return
    per_row = max(1, node.dtype.itemsize * int(np.prod(node.shape[1:], dtype=np.int64)))
    step = max(1, _BLOCK // per_row)
    for start in range(0, node.shape[0], step):
        yield _array_bytes(np.asarray(node[start : start + step]))


def _array_bytes(values: Any) -> bytes:
    """Return an array's bytes; MATLAB's text is columns of UTF-16."""
    if values.dtype.kind == "O":
        return b"\n".join(_bytes_of(value) for value in values.ravel().tolist())
    if values.dtype.kind == "u" and values.dtype.itemsize == 2 and values.ndim == 2:
        return bytes(values.tobytes()) + b"\n\0" + bytes(values.T.tobytes())
    return bytes(values.tobytes())


# Pictures and pages


def _png(head: bytes, _: _File) -> _Unpack | None:
    return _unpng if head.startswith(b"\x89PNG\r\n\x1a\n") else None


def _unpng(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    """Give the compressed texts; plain ones are in the raw bytes."""
    del depth
    file.seek(8)
    while len(start := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", start)
        if kind not in (b"zTXt", b"iTXt", b"iCCP"):
            file.seek(length + 4, io.SEEK_CUR)
            continue
        content = file.read(length)
        file.seek(4, io.SEEK_CUR)
        for at in [
            found.start() for found in re.finditer(b"\x78[\x01\x5e\x9c\xda]", content)
        ]:
            inflate = zlib.decompressobj()
            try:
                text = inflate.decompress(content[at:], _BLOCK)
            except zlib.error:
                continue
            budget.take(len(text))
            yield Part(_inside(member, kind.decode()), iter((text,)))


_INLINE: Final = re.compile(rb'(?:base64,\s*|")([A-Za-z0-9+/]{64,}={0,2})')


def _page(head: bytes, file: _File) -> _Unpack | None:
    """Pages, notebooks and JSON hold pictures in base64."""
    if b"\0" in head or file.seek(0, io.SEEK_END) > _LARGEST_PAGE:
        return None
    file.seek(0)
    return _unpage if _INLINE.search(file.read()) else None


def _unpage(file: _File, member: str, budget: Budget, depth: int) -> Iterator[Part]:
    for number, found in enumerate(_INLINE.finditer(file.read()), start=1):
        digits = found.group(1)
        try:
            content = base64.b64decode(digits[: len(digits) // 4 * 4])
        except ValueError:
            continue
        budget.take(len(content))
        inner = _inside(member, f"base64 {number}")
        with io.BytesIO(content) as spool:
            yield from unpacked(spool, budget=budget, member=inner, depth=depth)


_KINDS: Final[tuple[_Opens, ...]] = (
    _zip,
    _stream("gzip", b"\x1f\x8b\x08", _Gzip),
    _stream("bz2", b"BZh", bz2.open),
    _stream("xz", b"\xfd7zXZ\0", lzma.open),
    _stream("lz4", b"\x04\x22\x4d\x18", _arrow_stream("lz4")),
    _zstd,
    _blosc,
    _parquet,
    _hdf5,
    _png,
    _page,
)
