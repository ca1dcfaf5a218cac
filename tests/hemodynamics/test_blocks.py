import threading

import pytest

from capnet.hemodynamics.blocks import in_blocks, usable_cores


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize(("count", "size"), [(0, 4), (1, 4), (8, 4), (9, 4)])
def test_everyone_is_done_once_and_in_order(count, size, threads):
    done = [0] * count

    def work(rows):
        for i in range(rows.start, rows.stop):
            done[i] += 1

    rows = list(in_blocks(work, count, size=size, threads=threads))
    assert [i for block in rows for i in range(block.start, block.stop)] == [
        *range(count)
    ]
    assert done == [1] * count


def test_threads_work_side_by_side():
    """Each waits for the other one: a single thread would never end."""
    meeting = threading.Barrier(2, timeout=120)
    assert len(list(in_blocks(lambda _: meeting.wait(), 2, size=1, threads=2))) == 2


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_ends_the_work(threads):
    begun = []

    def work(rows):
        begun.append(rows.start)
        message = f"block {rows.start}"
        raise ValueError(message)

    with pytest.raises(ValueError, match="block 0"):
        list(in_blocks(work, 1000, size=1, threads=threads))
    assert len(begun) < 1000


def test_there_is_a_core():
    assert usable_cores() >= 1
