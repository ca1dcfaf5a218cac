"""Work on many subjects, block by block, on all cores."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

__all__ = ["in_blocks", "usable_cores"]


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # not on every system
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_blocks(
    work: Callable[[slice], None], count: int, *, size: int, threads: int | None = None
) -> Iterator[slice]:
    """Do the work for all subjects; yield each block, in order, when it is done.

    Threads help where the work leaves the interpreter (compiled kernels, numpy). An
    error ends the iteration and what has not begun.

    Args:
        work: What is done for a slice of the subjects.
        count: Number of subjects.
        size: Subjects of a block.
        threads: How many; all usable cores by default.
    """
    blocks = [slice(i, min(i + size, count)) for i in range(0, count, size)]
    workers = min(threads or usable_cores(), len(blocks))
    if workers <= 1:
        for block in blocks:
            work(block)
            yield block
        return
    with ThreadPoolExecutor(workers) as pool:
        for block, _ in zip(blocks, pool.map(work, blocks), strict=True):
            yield block
