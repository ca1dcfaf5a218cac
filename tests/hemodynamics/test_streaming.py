"""Streaming: parts on disk are the waves of one go, whatever happened in between."""

import json
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError, ShapeError, UnitError
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.simulation import simulate
from capnet.hemodynamics.storage import fingerprint
from capnet.hemodynamics.streaming import WavesFolder, simulate_to
from capnet.hemodynamics.waves import Waves
from tests.hemodynamics.swing import Swing

RATE = 200.0
SITES = ("aortic_root", "radial")


class KilledError(Exception):
    """What stops a job in the middle."""


@dataclass(frozen=True)
class Counting:
    """Says whom it was asked for, and dies after some people."""

    asked: list = field(metadata={"content": False})
    most: int = field(default=10**9, metadata={"content": False})
    tolerance: float = 1.0

    def solve(self, cohort, sites, *, progress=None):
        if len(self.asked) >= self.most:
            raise KilledError
        self.asked.append(cohort.index.tolist())
        return Swing().solve(cohort, sites, progress=progress)


@pytest.fixture
def cohort():
    """Eleven people of twenty: their index is not their row."""
    return Cohort.sample(20, seed=3).take(np.arange(1, 20)[::-1][:11])


def assert_same(found, wanted):
    assert fingerprint(found.cohort) == fingerprint(wanted.cohort)
    np.testing.assert_array_equal(found.spectra.pressure, wanted.spectra.pressure)


def test_parts_are_the_waves_of_one_go(cohort, tmp_path):
    wanted = simulate(cohort, Swing(), SITES, sampling_rate=RATE)
    folder = simulate_to(
        tmp_path / "w", cohort, Swing(), SITES, sampling_rate=RATE, part_size=4
    )
    assert (len(folder), folder.missing) == (11, ())
    parts = [*folder]
    assert [len(part) for part in parts] == [4, 4, 3]
    assert all(isinstance(part, Waves) for part in parts)
    for (first, last), part in zip(pairwise(folder.edges), parts, strict=True):
        assert_same(part, wanted.take(slice(first, last)))
    assert_same(folder[:], wanted)
    for rows in (slice(2, 5), slice(4, 8), slice(-2, None), slice(0, 1)):
        assert_same(folder[rows], wanted.take(rows))
    again = WavesFolder.open(tmp_path / "w")
    assert again == folder
    assert "11 people in 3 parts" in repr(again)


def test_a_killed_job_goes_on_where_it_stopped(cohort, tmp_path):
    job = {"sites": SITES, "sampling_rate": RATE, "part_size": 4}
    asked = []
    with pytest.raises(KilledError):
        simulate_to(tmp_path, cohort, Counting(asked, most=2), **job)
    assert len(asked) == 2
    half = WavesFolder.open(tmp_path)
    assert half.missing == (2,)
    assert "1 still missing" in repr(half)
    assert len(half[:8]) == 8
    with pytest.raises(RecordError, match=r"lacks 1 of 3 parts.*goes on where it"):
        half[7:9]
    before = [half.part(n).read_bytes() for n in (0, 1)]
    asked = []
    whole = simulate_to(tmp_path, cohort, Counting(asked), **job)
    assert asked == [cohort.index[8:].tolist()]
    assert [whole.part(n).read_bytes() for n in (0, 1)] == before
    assert_same(whole[:], simulate(cohort, Swing(), SITES, sampling_rate=RATE))
    asked.clear()
    simulate_to(tmp_path, cohort, Counting(asked), **job)
    assert asked == []


@pytest.mark.parametrize(
    "change",
    [
        {"sites": ("aortic_root",)},
        {"sampling_rate": 100.0},
        {"part_size": 5},
        {"solver": Swing(tolerance=2.0)},
        {"cohort": Cohort.sample(11, seed=4)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_parts_of_another_job_are_never_mixed_in(cohort, tmp_path, change):
    job = {
        **{"cohort": cohort, "solver": Swing(), "sites": SITES},
        **{"sampling_rate": RATE, "part_size": 4},
    }
    folder = simulate_to(tmp_path, **job)
    before = folder.part(0).read_bytes()
    with pytest.raises(RecordError, match=r"another job.*Choose an empty folder"):
        simulate_to(tmp_path, **(job | change))
    assert folder.part(0).read_bytes() == before
    assert_same(folder[:], simulate(cohort, Swing(), SITES, sampling_rate=RATE))


def test_a_part_from_elsewhere_is_found_out(cohort, tmp_path):
    job = {"sites": SITES, "sampling_rate": RATE, "part_size": 4}
    here = simulate_to(tmp_path / "a", cohort, Swing(), **job)
    other = Cohort.sample(11, seed=4)
    there = simulate_to(tmp_path / "b", other, Swing(), **job)
    here.part(1).write_bytes(there.part(1).read_bytes())
    with pytest.raises(RecordError, match=r"part-00001\.nc was left by another job"):
        here[:]
    with pytest.raises(RecordError, match=r"part-00001\.nc was left by another job"):
        simulate_to(tmp_path / "a", cohort, Swing(), **job)
    here.part(1).write_bytes(b"half a part")
    with pytest.raises(RecordError, match=r"part-00001\.nc cannot be read"):
        simulate_to(tmp_path / "a", cohort, Swing(), **job)


def test_progress_counts_all_people(cohort, tmp_path):
    seen = []
    simulate_to(
        *(tmp_path, cohort, Swing(), SITES),
        sampling_rate=RATE,
        part_size=4,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen[-1] == (11, 11)
    assert seen == sorted(seen)


def test_what_is_impossible_is_refused_before_anything_is_written(cohort, tmp_path):
    folder = tmp_path / "w"
    for error, match, change in (
        (ConfigError, "part_size is 0", {"part_size": 0}),
        (ConfigError, "elbow", {"sites": ["elbow"]}),
        (UnitError, "positive number", {"sampling_rate": 0.0}),
    ):
        job = {"sites": SITES, "sampling_rate": RATE} | change
        with pytest.raises(error, match=match):
            simulate_to(folder, cohort, Swing(), **job)
    assert not folder.exists()


def test_rows_that_are_not_there_are_refused(cohort, tmp_path):
    folder = simulate_to(tmp_path, cohort, Swing(), SITES, sampling_rate=RATE)
    for rows in (slice(0, 11, 2), slice(5, 5), slice(20, 30)):
        with pytest.raises(ShapeError, match="wanted some, with step 1"):
            folder[rows]


def test_a_folder_that_is_none_is_refused(tmp_path):
    with pytest.raises(RecordError, match=r"holds no readable waves\.json"):
        WavesFolder.open(tmp_path)
    (tmp_path / "waves.json").write_text(json.dumps({"format": "x", "edges": [0, 1]}))
    with pytest.raises(RecordError, match="wanted a folder that simulate_to wrote"):
        WavesFolder.open(tmp_path)
    said = {"format": "another", "identity": "", "edges": [0, 1]}
    (tmp_path / "waves.json").write_text(json.dumps(said))
    with pytest.raises(RecordError, match="has format 'another'"):
        WavesFolder.open(tmp_path)
    for edges in ([], [1, 2], [0, 4, 4], [0, 4, 2]):
        said = {"format": "capnet waves folder 1", "identity": "", "edges": edges}
        (tmp_path / "waves.json").write_text(json.dumps(said))
        with pytest.raises(RecordError, match=r"edges \[.*wanted rising rows from 0"):
            WavesFolder.open(tmp_path)


def test_given_bodies_stream_too(tmp_path):
    derived = Cohort.sample(5, seed=1)
    given = replace(derived, bodies=derived.arteries())
    folder = simulate_to(
        tmp_path, given, Swing(), SITES, sampling_rate=RATE, part_size=2
    )
    assert_same(folder[:], simulate(given, Swing(), SITES, sampling_rate=RATE))
