"""A child process in which foreign decoders run under limits.

What decodes a foreign file (HDF5, say) may crash, hang, or ask for all memory there is.
It does so here: in a fresh interpreter that is started on first use and serves one call
after another, with a limit on memory and time for each. What it breaks is its own; the
caller gets one `RecordError`, and the next call a new child.

The two talk in frames over pipes: JSON, and arrays as plain bytes. Nothing is pickled.
The child calls only the functions that it was started with. What a library prints, and
what it says in its exceptions (which may quote the file), stays in the child.
"""

import atexit
import contextlib
import json
import math
import os
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, NamedTuple

import numpy as np

from capnet.errors import CapnetError, MissingExtraError, RecordError, UnitError

__all__ = ["FUNCTIONS", "Answer", "Child", "Limits", "call"]

FUNCTIONS: Final = ("capnet.data.readers.pulsedb_decoder:decode_pulsedb",)
"""What may be called in the child: ``(*JSON) -> Answer``, each ``module:function``."""

_LENGTH: Final = struct.Struct("<Q")
_LONGEST_WORDS: Final = 1 << 24
"""Bytes of JSON in a frame."""
_STARTING: Final = 60.0
"""Seconds in which the child must have started and imported a decoder."""
_ERRORS: Final[Mapping[str, type[CapnetError]]] = {
    kind.__name__: kind for kind in (RecordError, UnitError)
}


class Answer(NamedTuple):
    """What a decoder found.

    Attributes:
        facts: What JSON can hold.
        arrays: Numbers by name.
    """

    facts: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Limits:
    """What one call may take.

    Attributes:
        memory: Bytes beyond what the child holds when the call begins.
        seconds: Of the clock, and of the processor.
    """

    memory: int
    seconds: float = 5.0

    @classmethod
    def of(cls, path: Path, *, growth: float = 2.0) -> "Limits":
        """Return limits for a file: 200 MB and 5 s, more for a large one.

        Args:
            path: The file.
            growth: Bytes of memory a byte of the file may need.
        """
        size = path.stat().st_size
        return cls(int(200e6 + growth * size), 5.0 + size * growth / 100e6)


class _Broken(Exception):  # noqa: N818 - not an error that a caller sees
    """The child ended within a call."""


class Child:
    """A process that is started on first use, and again after it was killed.

    Safe to use from several threads, which wait for each other, and after a fork.

    Args:
        functions: What may be called in it, each ``module:function``.
    """

    def __init__(self, functions: Sequence[str] = FUNCTIONS) -> None:
        self._functions = tuple(functions)
        self._process: subprocess.Popen[bytes] | None = None
        self._loaded: set[str] = set()
        self._lock = threading.Lock()
        atexit.register(self.close)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def call(
        self, function: str, *arguments: object, where: str, limits: Limits
    ) -> Answer:
        """Call a function in the child.

        Args:
            function: One of those that the child may call.
            *arguments: What JSON can hold.
            where: What is decoded, for messages.
            limits: What the call may take.

        Raises:
            RecordError: If the function raised it, raised anything unforeseen, ended
                the process, or went over a limit.
            UnitError: If the function raised it.
            MissingExtraError: If a package that the function needs is not installed.
        """
        request = {
            "function": function,
            "arguments": arguments,
            "memory": limits.memory,
            "seconds": limits.seconds,
        }
        with self._lock:
            process = self._started()
            try:
                _write(_pipe(process.stdin), request)
                if function not in self._loaded:
                    self._answer(process, where, Limits(limits.memory, _STARTING))
                    self._loaded.add(function)
                return self._answer(process, where, limits)
            except (CapnetError, MissingExtraError):
                raise
            except BaseException:  # an interrupt: the next frame would be this answer
                self._end()
                raise

    def close(self) -> None:
        """End the child; a later call starts another."""
        with self._lock:
            self._end()

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._end()
        # Without the folder in which it is run (-P), but where capnet itself is found.
        home = str(Path(__file__).resolve().parents[3])
        paths = [*filter(None, sys.path), home]
        changed = {
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
            "HDF5_PLUGIN_PRELOAD": "::",  # no filter from a foreign library
            "HDF5_USE_FILE_LOCKING": "BEST_EFFORT",
            "OMP_NUM_THREADS": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __spec__.name, *self._functions],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | changed,
        )
        return self._process

    def _answer(
        self, process: subprocess.Popen[bytes], where: str, limits: Limits
    ) -> Answer:
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        watch = threading.Timer(limits.seconds, stop)
        watch.daemon = True
        watch.start()
        try:
            words, arrays = _read(_pipe(process.stdout), most=limits.memory)
        except (OSError, ValueError, KeyError, TypeError, _Broken):
            self._end()
            reason = _reason(process.returncode, late=late.is_set(), limits=limits)
            msg = f"{where} cannot be decoded: {reason}. The file is damaged."
            raise RecordError(msg) from None
        finally:
            watch.cancel()
        if words.get("spent"):
            self._end()
        if words.get("package"):
            what = f"reading {where}"
            raise MissingExtraError(what, words["package"])
        if words.get("error"):
            kind = _ERRORS.get(words["error"], RecordError)
            msg = f"{where}{words['message']}"
            raise kind(msg)
        return Answer(words.get("facts", {}), arrays)

    def _end(self) -> None:
        process, self._process = self._process, None
        self._loaded = set()
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            with contextlib.suppress(OSError):
                _pipe(pipe).close()
        process.kill()
        process.wait()

    def _forget(self) -> None:
        """Leave the child to the process that this one was forked from."""
        process, self._process = self._process, None
        self._lock, self._loaded = threading.Lock(), set()
        if process is not None:
            process.returncode = 0  # nothing to wait for
            for pipe in (process.stdin, process.stdout):
                # The descriptor alone: what another thread was writing is not ours.
                os.close(_pipe(pipe).fileno())
                with contextlib.suppress(OSError):
                    _pipe(pipe).close()


_CHILD: Final = Child()


def call(function: str, *arguments: object, where: str, limits: Limits) -> Answer:
    """Call one of `FUNCTIONS` in the child of this process; see `Child.call`.

    Raises:
        RecordError: See `Child.call`.
        UnitError: See `Child.call`.
        MissingExtraError: See `Child.call`.
    """
    return _CHILD.call(function, *arguments, where=where, limits=limits)


def _pipe(pipe: Any) -> BinaryIO:
    return pipe  # type: ignore[no-any-return]


def _reason(status: int | None, *, late: bool, limits: Limits) -> str:
    if late or (status is not None and -status == getattr(signal, "SIGXCPU", None)):
        return f"its decoder took more than {limits.seconds:.3g} s and was stopped"
    ended = "" if status is None else f" (status {status})"
    return f"its decoder crashed{ended}"


def _write(
    pipe: BinaryIO, words: object, arrays: Mapping[str, np.ndarray] | None = None
) -> None:
    """Write a frame: length, JSON, and the bytes of the arrays it names."""
    plain = {name: np.ascontiguousarray(v) for name, v in (arrays or {}).items()}
    shapes = [[name, v.dtype.str, v.shape] for name, v in plain.items()]
    head = json.dumps([words, shapes]).encode()
    # A child that has just died is noticed by who waits for its answer.
    with contextlib.suppress(BrokenPipeError):
        pipe.write(_LENGTH.pack(len(head)) + head)
        for values in plain.values():
            pipe.write(values.reshape(-1).view(np.uint8).data)
        pipe.flush()


def _read(pipe: BinaryIO, *, most: int) -> tuple[Any, dict[str, np.ndarray]]:
    """Read a frame; arrays of numbers alone, ``most`` bytes of them."""
    (length,) = _LENGTH.unpack(_exactly(pipe, _LENGTH.size))
    if length > _LONGEST_WORDS:
        raise _Broken
    words, shapes = json.loads(_exactly(pipe, length))
    arrays = {}
    for name, kind, shape in shapes:
        form = np.dtype(kind)
        most -= math.prod(shape) * form.itemsize
        if form.kind not in "biuf" or min(shape, default=0) < 0 or most < 0:
            raise _Broken
        values = np.empty(shape, form)
        _fill(pipe, values.reshape(-1).view(np.uint8).data)
        arrays[name] = values
    return words, arrays


def _exactly(pipe: BinaryIO, count: int) -> bytes:
    content = pipe.read(count)
    if len(content) < count:
        raise _Broken
    return content


def _fill(pipe: BinaryIO, buffer: memoryview) -> None:
    done = 0
    while done < len(buffer):
        count = pipe.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not count:
            raise _Broken
        done += count


# What follows runs in the child.


def _limit(memory: int, seconds: float) -> None:
    """Bound what this process may take from now on."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock is the only limit
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    processor = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    wanted = {
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CPU: processor,
    }
    sizes = Path("/proc/self/statm")
    if sizes.is_file():
        pages = int(sizes.read_text().split()[0])
        wanted[resource.RLIMIT_AS] = pages * resource.getpagesize() + memory
    for what, soft in wanted.items():
        _, hard = resource.getrlimit(what)
        if hard != resource.RLIM_INFINITY:
            soft = min(soft, hard)
        resource.setrlimit(what, (soft, hard))


def _free() -> None:
    """Lift what would keep a package from being imported."""
    with contextlib.suppress(ImportError):
        import resource

        for what in (resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_CPU):
            hard = resource.getrlimit(what)[1]
            resource.setrlimit(what, (hard, hard))


def _failure(error: BaseException) -> dict[str, object]:
    """Say what went wrong, in our own words: a library's may quote the file."""
    if isinstance(error, ModuleNotFoundError) and error.name:
        return {"package": error.name.partition(".")[0]}
    if isinstance(error, CapnetError):
        return {"error": type(error).__name__, "message": f": {error}"}
    why = type(error).__name__
    # A library that lacked memory may not be sound any more.
    spent = isinstance(error, MemoryError)
    if spent:
        why = "it needs more memory than a file of its size may"
    return {
        "spent": spent,
        "error": "RecordError",
        "message": f" cannot be decoded ({why}). The file is damaged; fetch it again.",
    }


def _load(function: str, allowed: Sequence[str]) -> Callable[..., Answer]:
    if function not in allowed:
        msg = f"{function!r} may not be called here."
        raise RecordError(msg)
    module, _, name = function.partition(":")
    found: Callable[..., Answer] = getattr(import_module(module), name)
    return found


def _serve(requests: BinaryIO, answers: BinaryIO, allowed: Sequence[str]) -> None:
    """Answer one request after another until the parent is gone."""
    loaded: dict[str, Callable[..., Answer]] = {}
    while True:
        try:
            request, _ = _read(requests, most=0)
        except _Broken:
            return
        name = request["function"]
        try:
            if name not in loaded:
                _free()
                loaded[name] = _load(name, allowed)
                _write(answers, {})
            _limit(request["memory"], request["seconds"])
            facts, arrays = loaded[name](*request["arguments"])
            _write(answers, {"facts": facts}, arrays)
        except Exception as error:  # noqa: BLE001 - foreign decoders raise anything
            _write(answers, _failure(error))


def _main() -> None:
    """Serve on the standard streams, out of reach of what a library prints."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent's to handle
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    _serve(requests, answers, sys.argv[1:])
    os._exit(0)  # without the clean-up of libraries


if __name__ == "__main__":
    _main()
