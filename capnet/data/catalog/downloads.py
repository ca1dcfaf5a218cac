"""Fetch files of public data sets: resumed where they were cut, verified, whole or not.

Nothing in capnet uses the network unless `download` is called.
"""

import json
import logging
import os
import queue
import re
import shutil
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import pooch
from filelock import FileLock
from platformdirs import user_data_dir

from capnet.data.catalog.archives import unpack
from capnet.data.catalog.entries import DataFile, find_file
from capnet.errors import ConfigError, RecordError, StorageError

if TYPE_CHECKING:
    import requests

__all__ = ["Progress", "data_folder", "download"]

_log = logging.getLogger(__name__)

Progress = Callable[[int, int | None], None]
"""Told how many bytes there are, and of how many; None where nobody knows."""

_BLOCK: Final = 1 << 20
_LARGEST: Final = 1 << 37
"""Bytes; the largest file of the catalogue has 20 GB."""
_HOPS: Final = 8
_SLOWEST: Final = 1000.0
"""Bytes a second; what comes more slowly is taken for a server that hangs."""
_RATIO: Final = 200
"""Bytes that a byte of a compressed answer may become, beside one block."""
_LONGEST_WAIT: Final = 60.0
_RETRIED: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_LOCKED: Final = frozenset({401, 403, 407})
_NUMBER: Final = re.compile(r"[0-9]{1,18}")
_RANGE: Final = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_CHECKSUM: Final = re.compile(r"(md5|sha1|sha256|sha512):[0-9a-fA-F]{32,128}")
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


def data_folder() -> Path:
    """Return where downloads go: ``CAPNET_DATA``, or the user's data folder."""
    named = os.environ.get("CAPNET_DATA")
    return Path(named) if named else Path(user_data_dir("capnet")) / "data"


class _Again(Exception):  # noqa: N818
    """Something went wrong that may go right next time.

    Args:
        why: What it was.
        wait: Seconds that the server asks for.
    """

    def __init__(self, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


@dataclass(frozen=True)
class _Fetch:
    """How pooch gets a file: with `requests`, into a part that survives.

    The part lies beside the file; it is resumed if the server says that its file is
    still the same one (ETag or date), or if a checksum will tell in the end.
    """

    name: str
    part: Path
    verified: bool
    retries: int
    timeout: float
    pause: float
    loopback: bool
    progress: Progress | None

    @property
    def note(self) -> Path:
        """What the server said of the file that the part is of."""
        return self.part.with_name(f"{self.part.name}.json")

    def __call__(self, url: str, output_file: str, pooch: Any) -> None:
        """Fetch a file; the signature is that of a downloader of pooch."""
        del pooch
        for attempt in range(self.retries + 1):
            before = self._size()
            try:
                with _session() as session:
                    self._attempt(session, url)
                break
            except _Again as again:
                if attempt == self.retries:
                    msg = (
                        f"{self.name}: {again} ({attempt + 1} attempts, {self._size()} "
                        f"bytes are kept). Try again later; it goes on from there."
                    )
                    raise RecordError(msg) from again
                _log.info("%s: %s; trying again", self.name, again)
                useless = self._size() <= before
                wait = self.pause * 2.0**attempt if useless else self.pause
                time.sleep(min(max(wait, again.wait), _LONGEST_WAIT))
        Path(self.part).replace(output_file)
        self.note.unlink(missing_ok=True)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _known(self, url: str) -> str | None:
        """Return what tells whether the file has changed since the part was begun."""
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            return str(note["validator"]) if note["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def restart(self) -> None:
        """Forget the part."""
        self.part.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)

    def _attempt(self, session: "requests.Session", url: str) -> None:
        have, validator = self._size(), self._known(url)
        if have and validator is None and not self.verified:
            self.restart()
            have = 0
        headers = {"Accept-Encoding": "identity"}
        if have:
            headers["Range"] = f"bytes={have}-"
            if validator is not None:
                headers["If-Range"] = validator
        with self._answer(session, url, headers) as answer:
            start = self._start(answer, have)
            if start is None:
                return
            self._receive(answer, start, url)

    @contextmanager
    def _answer(
        self, session: "requests.Session", url: str, headers: dict[str, str]
    ) -> Iterator["requests.Response"]:
        """Ask, following where the server sends us as long as it is safe."""
        import requests

        for _ in range(_HOPS):
            _check_address(url, loopback=self.loopback)
            try:
                asked = partial(
                    session.get,
                    url,
                    headers=headers,
                    stream=True,
                    allow_redirects=False,
                    timeout=self.timeout,
                )
                answer = _within(2.0 * self.timeout, asked)
            except (requests.RequestException, OSError) as error:
                msg = f"no answer from {urlsplit(url).hostname} ({_kind(error)})"
                raise _Again(msg) from error
            if not answer.is_redirect:
                break
            url = urljoin(url, answer.headers["Location"])
            answer.close()
        else:
            msg = f"{self.name}: the server redirects without an end. Look at its page."
            raise RecordError(msg)
        try:
            yield answer
        finally:
            answer.close()

    def _start(self, answer: "requests.Response", have: int) -> int | None:
        """Return where the answer's bytes belong; None if the part is whole."""
        code = answer.status_code
        if code == 416 and have:
            if answer.headers.get("Content-Range", "") == f"bytes */{have}":
                return None
            self.restart()
            msg = "the part does not belong to the file"
            raise _Again(msg)
        if code in _RETRIED:
            asked = answer.headers.get("Retry-After", "")
            msg = f"the server answers {code}"
            raise _Again(msg, float(asked) if _NUMBER.fullmatch(asked) else 0.0)
        if code in _LOCKED:
            msg = (
                f"{self.name}: the server answers {code}: it wants an account. Get one "
                "on its page, or fetch the file there by hand."
            )
            raise RecordError(msg)
        if code not in (200, 206):
            msg = (
                f"{self.name}: the server answers {code}; wanted the file. Its address "
                "may have changed: look at the page of the data set."
            )
            raise RecordError(msg)
        kind = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind == "text/html" and not self.name.endswith((".html", ".htm")):
            msg = (
                f"{self.name}: the server sends a page instead of the file, perhaps to "
                "log in. Look at the page of the data set."
            )
            raise RecordError(msg)
        if code == 200:
            return 0
        found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if not found or int(found.group(1)) != have:
            self.restart()
            msg = "the server sends another part than the one asked for"
            raise _Again(msg)
        return have

    def _receive(self, answer: "requests.Response", start: int, url: str) -> None:
        """Write the answer's bytes where they belong."""
        encoded = _encoding(answer) != "identity"
        length = answer.headers.get("Content-Length", "")
        told = int(length) if _NUMBER.fullmatch(length) and not encoded else None
        total = None if told is None else start + told
        part = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
        if part and part.group(2) != "*" and not encoded:
            total = int(part.group(2))
        self._check_room(told, start)
        if start == 0:
            self._write_note(answer, url, encoded=encoded)
        self.part.parent.mkdir(parents=True, exist_ok=True)
        with _storing(self.part), self.part.open("r+b" if start else "wb") as file:
            file.seek(start)
            done, since, before = start, time.monotonic(), start
            for block in _content(answer):
                done += len(block)
                if (waited := time.monotonic() - since) > self.timeout:
                    if done - before < _SLOWEST * waited:
                        msg = f"less than {_SLOWEST / 1000:g} kB a second come"
                        raise _Again(msg)
                    since, before = time.monotonic(), done
                if done > _LARGEST:
                    msg = f"{self.name} does not end; more than {_LARGEST} bytes came."
                    raise RecordError(msg)
                file.write(block)
                if self.progress is not None:
                    self.progress(done, total)
            file.flush()
            os.fsync(file.fileno())
        if total is not None and done != total:
            msg = f"{done} of {total} bytes came"
            raise _Again(msg)

    def _write_note(
        self, answer: "requests.Response", url: str, *, encoded: bool
    ) -> None:
        tag, date = answer.headers.get("ETag"), answer.headers.get("Last-Modified")
        # A weak tag does not promise the same bytes (RFC 9110, section 13.1.5).
        strong = tag if tag and not tag.startswith("W/") else date
        self.restart()
        if strong and not encoded:
            with _storing(self.note):
                self.note.write_text(json.dumps({"url": url, "validator": strong}))

    def _check_room(self, told: int | None, start: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if told is not None and told > free + (self._size() - start):
            msg = (
                f"{self.name} needs {told / 1e9:.2f} GB more, {free / 1e9:.2f} GB are "
                f"free in {self.part.parent}. Make room, or name another folder."
            )
            raise StorageError(msg)


def _session() -> "requests.Session":
    import requests

    session = requests.Session()
    # Every request its own connection: one that is kept may be closed meanwhile.
    session.headers.update({"User-Agent": "capnet", "Connection": "close"})
    # Otherwise requests sends the passwords of the user's .netrc of its own accord.
    session.auth = lambda request: request
    return session


def _kind(error: BaseException) -> str:
    """Name the innermost fault in a word: messages of requests span lines."""
    return type(error).__name__


def _within(
    seconds: float, ask: "Callable[[], requests.Response]"
) -> "requests.Response":
    """Return an answer; a server may send its head a byte at a time for ever.

    Raises:
        _Again: If it takes longer. What is still waiting ends with the connection.
    """
    told: queue.SimpleQueue[requests.Response | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            told.put(ask())
        except BaseException as error:  # noqa: BLE001
            told.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        answer = told.get(timeout=seconds)
    except queue.Empty:
        msg = f"no answer within {seconds:g} s"
        raise _Again(msg) from None
    if isinstance(answer, BaseException):
        raise answer
    return answer


def _encoding(answer: "requests.Response") -> str:
    return answer.headers.get("Content-Encoding", "identity").strip().lower()


def _content(answer: "requests.Response") -> Iterator[bytes]:
    """Give bytes as they come: what came before a cut is kept."""
    from urllib3.exceptions import HTTPError

    encoding = _encoding(answer)
    inflate = zlib.decompressobj(wbits=47) if encoding == "gzip" else None
    if inflate is None and encoding != "identity":
        msg = f"the server packs its answer as {encoding[:20]!r}, unasked."
        raise RecordError(msg)
    came = made = 0
    try:
        while block := answer.raw.read1(_BLOCK, decode_content=False):
            came += len(block)
            while inflate is not None and block:
                piece = inflate.decompress(block, _BLOCK)
                block = inflate.unconsumed_tail
                made += len(piece)
                if made > _BLOCK + _RATIO * came:
                    msg = f"the answer unpacks to more than {_RATIO} times its size."
                    raise RecordError(msg)
                yield piece
            if inflate is None:
                yield block
    except (HTTPError, OSError, zlib.error) as error:
        msg = f"the connection broke ({_kind(error)})"
        raise _Again(msg) from error
    if inflate is not None and not inflate.eof:
        msg = "the connection broke"
        raise _Again(msg)


@contextmanager
def _storing(path: Path) -> Iterator[None]:
    """Turn a fault of the disk into a message; what is there stays and is resumed."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StorageError):
            raise
        msg = (
            f"{path} cannot be written ({error.strerror}). Make room, or name another "
            "folder; the download then goes on where it stopped."
        )
        raise StorageError(msg) from error


def _check_address(url: str, *, loopback: bool) -> None:
    parts = urlsplit(url)
    here = loopback and parts.scheme == "http" and parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not here:
        msg = (
            f"address {parts.scheme}://{parts.hostname}; wanted https, so that nobody "
            "on the way can change the file."
        )
        raise RecordError(msg)


def _checked(file: DataFile, checksum: str | None, *, unverified: bool) -> str | None:
    """Return the checksum that the file will be held against."""
    if checksum is not None and not _CHECKSUM.fullmatch(checksum):
        msg = f"checksum {checksum!r}; wanted e.g. 'sha256:' and hexadecimal digits."
        raise ConfigError(msg)
    if Path(file.name).name != file.name or file.name in ("", ".", ".."):
        msg = f"file name {file.name!r}; wanted a plain name without a folder."
        raise ConfigError(msg)
    known = checksum or file.checksum
    if known is None and not unverified:
        msg = (
            f"no checksum of {file.name} is known: nobody could tell a damaged or "
            "another file. Give one (checksum='sha256:...'), or fetch it with "
            "unverified=True; its checksum is then told, so that you can pin it."
        )
        raise ConfigError(msg)
    return known


def download(
    file: str | DataFile,
    folder: str | Path | None = None,
    *,
    checksum: str | None = None,
    unverified: bool = False,
    progress: Progress | None = None,
    retries: int = 6,
    timeout: float = 30.0,
    pause: float = 1.0,
    loopback: bool = False,
) -> Path:
    """Fetch a file of a public data set, unless it is there and right.

    A cut download goes on where it stopped, also after the process was killed. Under
    its name a file appears only whole and verified. Many processes may ask for the same
    file: one fetches it, the others wait. Only https is used.

    Args:
        file: ``<data set>/<file>`` of `capnet.data.CATALOG`, or a file of your own.
        folder: Where it goes, into a folder of the data set's name if it is of the
            catalogue; `data_folder` by default.
        checksum: ``md5:...`` or ``sha256:...``; by default the one of the catalogue.
        unverified: Take the file if no checksum is known. Its SHA-256 is then logged.
        progress: Told of every piece.
        retries: How often a broken connection or a busy server is tried again.
        timeout: Longest silence of the server, s.
        pause: Seconds before the first retry; doubled while nothing comes.
        loopback: Allow http to this very machine; for tests.

    Returns:
        Path of the file; of an archive that has to be unpacked, the folder beside it.

    Raises:
        ConfigError: If the catalogue does not list it, or no checksum is known.
        RecordError: If the server does not give it, or gives another file.
        StorageError: If it cannot be written.
    """
    home = Path(folder) if folder is not None else data_folder()
    if isinstance(file, str):
        entry, file = find_file(file)
        home /= entry.name
        _log.info("%s: %s. Cite: %s", entry.title, entry.licence, entry.citation)
    known = _checked(file, checksum, unverified=unverified)
    with _storing(home):
        home.mkdir(parents=True, exist_ok=True)
    path, parts = home / file.name, home / f".{file.name}.parts"
    fetch = _Fetch(
        name=file.name,
        part=parts / "part",
        verified=known is not None,
        retries=retries,
        timeout=timeout,
        pause=pause,
        loopback=loopback,
        progress=progress,
    )
    with _storing(home), FileLock(home / f".{file.name}.lock"):
        if path.is_file() and pooch.hashes.hash_matches(str(path), known):
            return _ready(file, path)
        parts.mkdir(exist_ok=True)
        for left in parts.glob("tmp*"):  # of a process that was killed
            left.unlink()
        resumed = fetch.part.exists()
        try:
            found = _retrieve(file, known, fetch)
        except ValueError as error:
            if not resumed:
                raise _another(file, error) from error
            _log.info("%s: the part did not fit; fetching it whole", file.name)
            fetch.restart()
            try:
                found = _retrieve(file, known, fetch)
            except ValueError as again:
                raise _another(file, again) from again
        found.replace(path)
        shutil.rmtree(parts)
        if known is None:
            _log.warning(
                "%s is not verified; pin it: checksum='sha256:%s'",
                file.name,
                pooch.file_hash(str(path), alg="sha256"),
            )
        return _ready(file, path)


def _ready(file: DataFile, path: Path) -> Path:
    """Unpack an archive that the reader does not read itself."""
    folder = path.with_suffix("")
    if file.packed and not folder.is_dir():
        unpack(path, folder)
    return folder if file.packed else path


def _retrieve(file: DataFile, known: str | None, fetch: _Fetch) -> Path:
    # pooch tells in a line of its own what it does; the log has it already.
    pooch.get_logger().setLevel(logging.ERROR)
    found = pooch.retrieve(
        *(file.url, known, "whole", fetch.part.parent), downloader=fetch
    )
    return Path(found)


def _another(file: DataFile, error: ValueError) -> RecordError:
    """Say which file came instead; pooch has removed it."""
    told = re.search(r"expected (\S+) but got (\S+?)\.?(?:\s|$)", str(error))
    what = f"{told.group(2)}; wanted {told.group(1)}" if told else "another one"
    msg = (
        f"the checksum of {file.name} is {what}. What came was removed: it is damaged, "
        "or another version. Try again, or look at the page of the data set."
    )
    return RecordError(msg)
