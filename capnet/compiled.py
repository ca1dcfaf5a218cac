"""How kernels are compiled, and when what was compiled may be kept.

numba keeps machine code on disk and holds it for fresh as long as the file of the
function is the same. But kernels freeze constants and functions of other files too, so
here all sources of the kernel's room must be the same: a kernel calls kernels of its
own room only. Where there is no place to write to (an
installation that is read-only, no home), kernels are compiled in every process.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

__all__ = ["compiled"]

Kernel = TypeVar("Kernel", bound=Callable[..., object])


def compiled(*, fastmath: bool | set[str] = False) -> Callable[[Kernel], Kernel]:
    """Return a decorator that compiles a function for numba, without Python's lock.

    It goes above `typing.no_type_check`, or checkers of types change the function
    before it is compiled.

    Args:
        fastmath: What the compiler may assume of numbers, see `numba.njit`.
    """
    from numba import njit  # the ground floor loads nothing heavy

    def decorate(function: Kernel) -> Kernel:
        compiler = njit(nogil=True, fastmath=fastmath, error_model="numpy")
        kernel: Any = compiler(function)
        if not _keep(kernel):
            kernel = compiler(function)  # one that has never been told to keep
        answer: Kernel = kernel
        return answer

    return decorate


def _keep(kernel: Any) -> bool:
    """Keep what is compiled for as long as no source of the room changes.

    Returns:
        False where it cannot be, or this numba cannot be told when it is stale.
    """
    try:
        kernel.enable_caching()
        file = kernel._cache._cache_file
        room = Path(kernel.py_func.__code__.co_filename).parent
        rooms = _stamp(room), Path(__file__).read_bytes()
        file._source_stamp = (file._source_stamp, *rooms)
    except (AttributeError, OSError, RuntimeError):
        return False  # RuntimeError: numba finds no place to write to
    return True


@lru_cache
def _stamp(folder: Path) -> str:
    """Return a digest of all sources in a folder, as they are when first asked."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.iterdir() if path.suffix == ".py"):
        source = path.read_bytes()
        digest.update(f"{path.name} {len(source)} ".encode())
        digest.update(source)
    return digest.hexdigest()
