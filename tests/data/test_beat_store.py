"""A store of beats: exact, whole, resumed, shared, and refused when damaged."""

import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from capnet.data import beat_store
from capnet.data.beat_store import BeatStore, Source, build_store
from capnet.data.store_key import cache_folder, code_version, part_key, store_key
from capnet.data.store_part import CHUNK, is_whole
from capnet.errors import (
    CapnetError,
    ConfigError,
    RecordError,
    ShapeError,
    StorageError,
)
from capnet.records import Beats
from tests.fakes.failing_disk import failing_disk
from tests.fakes.make_beats import assert_same_beats, make_beats


def rounded(beats):
    """Waves as a store keeps them: 24 bits, in the type that they had."""

    def kept(wave):
        return None if wave is None else wave.astype(np.float32).astype(wave.dtype)

    waves = {name: kept(wave) for name, wave in beats.waves.items()}
    return beats.replace(
        ppg=kept(beats.ppg), reference=kept(beats.reference), waves=waves
    )


def source(name, *tables, domain="clinic", digest=None):
    return Source(name, domain, digest or f"digest of {name[-1]}", lambda: iter(tables))


def people(*seeds, **changes):
    """One source a person, each of another seed."""
    tables = {
        seed: make_beats(6, per_subject=6, seed=seed, **changes) for seed in seeds
    }
    return [
        source(f"person {s}", t.replace(subject=np.full(6, f"p-{s:02d}")))
        for s, t in tables.items()
    ]


def bytes_of(folder):
    """Every file of a folder by its name, without locks."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in found
        if path.suffix != ".lock"
    }


@pytest.fixture
def store(tmp_path):
    return build_store(people(0, 1, 2), tmp_path)


WITHOUT = {
    "full": {},
    "no raw": {"raw": None, "start": None, "stop": None},
    "no reference": {"reference": None, "reference_type": "none", "truth": {}},
    "no groups": {"waves": {}, "features": {}, "truth": {}},
    "catheter": {"reference_type": "catheter", "calibration": "cuff SBP/DBP"},
    "single precision": {"age": np.linspace(30, 50, 12, dtype=np.float32)},
    "half precision": {"features": {"n": np.arange(12, dtype=np.float16)}},
    "missing waves": {"waves": {"abp": np.full((12, 64), np.nan)}},
}


@pytest.mark.parametrize("changes", WITHOUT.values(), ids=WITHOUT)
def test_beats_come_back_as_they_were(tmp_path, changes):
    beats = make_beats(**changes)
    store = build_store([source("a", beats)], tmp_path)
    assert_same_beats(store.beats(), rounded(beats))
    assert len(store) == 12


@pytest.mark.parametrize("cuts", [[], [1], [5, 5, 2000], [*range(100, 4900, 100)]])
def test_how_a_source_is_divided_into_tables_does_not_matter(tmp_path, cuts):
    beats = make_beats(2 * CHUNK + 900)
    tables = [beats.take(rows) for rows in np.split(np.arange(len(beats)), cuts)]
    store = build_store([source("a", *tables)], tmp_path)
    assert_same_beats(store.beats(), rounded(beats))
    whole = build_store([source("a", beats)], tmp_path / "whole")
    assert bytes_of(store.path) == bytes_of(whole.path)


def test_words_longer_than_in_the_first_table(tmp_path):
    first = make_beats(4)
    last = make_beats(4, reason=np.array(["a much longer reason"] * 3 + [""]))
    store = build_store([source("a", first, last)], tmp_path)
    assert_same_beats(store.beats(), rounded(Beats.concatenate([first, last])))


def test_zarr_reads_a_part(store):
    import zarr
    from zarr.storage import ZipStore

    file = next((store.path / "parts").iterdir())
    zipped = ZipStore(file, mode="r")
    group = zarr.open_group(zipped, mode="r")
    digest = group.attrs["capnet"]["digest"]
    beats = store.beats(subjects=[f"p-{int(digest[-1]):02d}"])
    assert group["ppg"].shape == (6, 64)
    np.testing.assert_array_equal(group["ppg"][:], beats.ppg.astype(np.float32))
    np.testing.assert_array_equal(group["raw"][:], beats.raw)
    zipped.close()


def test_the_manifest_has_a_row_for_each_beat(store):
    frame = store.manifest()
    beats = store.beats()
    pd.testing.assert_frame_equal(
        frame, pd.read_parquet(store.path / "manifest.parquet")
    )
    for name, values in beats.to_frame().items():
        if name != "hr":
            np.testing.assert_array_equal(frame[name], values)
    assert set(frame["domain"]) == {"clinic"}
    assert set(frame["reference_type"]) == {"simulated"}
    assert set(frame["calibration"]) == {"exact"}
    assert frame["has_radial"].all()
    assert list(store.manifest(["age", "row"])) == ["age", "row"]
    with pytest.raises(RecordError, match="no column 'name'; it has subject, domain"):
        store.manifest(["name"])


def test_the_name_of_a_source_is_written_nowhere(store):
    for content in bytes_of(store.path).values():
        assert b"person" not in content


def test_rows_are_chosen(store):
    whole = store.beats()
    frame = store.manifest()
    mask = (frame["time"] > 2).to_numpy()
    assert_same_beats(store.beats(mask), whole.take(mask))
    some = np.array([17, 3, 3, 11, 0])
    assert_same_beats(store.beats(some), whole.take(some))
    assert_same_beats(store.beats(subjects=["p-01"]), whole.of(["p-01"]))
    assert_same_beats(store.beats(accepted=True), whole.usable())
    both = store.beats(some, subjects=store.subjects[:1], accepted=True)
    expected = whole.take(some)
    expected = expected.of(store.subjects[:1]).usable()
    assert_same_beats(both, expected)
    light = whole.replace(raw=None, start=None, stop=None)
    assert_same_beats(store.beats(raw=False), light)


@pytest.mark.parametrize(
    ("choice", "error", "match"),
    [
        ({"subjects": ["nobody"]}, RecordError, "no subject 'nobody'; it has 3: p-"),
        ({"domain": "moon"}, RecordError, "no domain 'moon'; it has 1: clinic"),
        ({"rows": np.array([18])}, ShapeError, "wanted numbers from 0 to 17"),
        ({"rows": np.array([-1])}, ShapeError, "wanted numbers from 0 to 17"),
        ({"rows": np.array([0.5])}, ShapeError, "type float64"),
        ({"rows": np.ones(3, bool)}, ShapeError, r"a mask of shape \(18,\)"),
        ({"rows": np.zeros(18, bool)}, ShapeError, "no row .* is left"),
    ],
)
def test_impossible_rows_are_refused(store, choice, error, match):
    with pytest.raises(error, match=match):
        store.beats(**choice)


@pytest.mark.parametrize(
    ("kind", "other"), [("calibration", "none"), ("reference_type", "catheter")]
)
def test_what_may_not_be_pooled_is_refused(tmp_path, kind, other):
    beats = make_beats()
    strange = make_beats(seed=1, **{kind: other})
    sources = [source("a", beats), source("b", strange, domain="other")]
    store = build_store(sources, tmp_path)
    with pytest.raises(ShapeError, match=rf"{kind} .* pooled; choose with domain="):
        store.beats()
    assert_same_beats(store.beats(domain="other"), rounded(strange))
    rows = (store.manifest()[kind] == other).to_numpy()
    assert_same_beats(store.beats(rows), rounded(strange))


@pytest.mark.parametrize("memory", [0, 30_000, 1 << 28])
def test_batches_are_rows(tmp_path, memory):
    plain = make_beats(70, reference=None, reference_type="none", truth={})
    sources = [source("a", make_beats(300)), source("b", plain, domain="other")]
    store = build_store(sources, tmp_path)
    names = ["reference", "ppg", "radial"]
    waves = store.arrays(names)
    frame = store.manifest()
    seen = []
    for batch in store.batches(
        channels=names,
        columns=["age", "accepted"],
        batch=32,
        seed=1,
        epoch=2,
        memory=memory,
    ):
        expected = waves[batch.rows]
        np.testing.assert_array_equal(batch.mask, np.isfinite(expected))
        np.testing.assert_array_equal(batch.waves, np.nan_to_num(expected))
        numbers = frame.loc[batch.rows, ["age", "accepted"]].astype(float)
        np.testing.assert_array_equal(batch.numbers, numbers)
        seen.append(batch.rows)
    assert [len(rows) for rows in seen] == [32] * 11 + [18]
    assert sorted(np.concatenate(seen).tolist()) == [*range(370)]
    first = next(store.batches(channels=names, seed=1, epoch=2, batch=32))
    np.testing.assert_array_equal(first.rows, seen[0])
    for other in ({"seed": 1, "epoch": 3}, {"seed": 2, "epoch": 2}):
        assert (
            next(store.batches(channels=names, batch=32, **other)).rows != seen[0]
        ).any()


def test_arrays_are_the_waves_of_the_tables(store):
    beats = store.beats()
    waves = store.arrays(["radial", "reference", "ppg"])
    for place, wave in enumerate([beats.waves["radial"], beats.reference, beats.ppg]):
        np.testing.assert_array_equal(waves[:, place], wave.astype(np.float32))


def test_impossible_batches_are_refused(store):
    with pytest.raises(RecordError, match=r"'ecg'.* has ppg, radial, reference"):
        store.batches(channels=["ppg", "ecg"], seed=0, epoch=0)
    with pytest.raises(RecordError, match="channels"):
        store.batches(channels=[], seed=0, epoch=0)
    with pytest.raises(RecordError, match="'subject' holds words"):
        store.batches(channels=["ppg"], columns=["subject"], seed=0, epoch=0)
    with pytest.raises(ShapeError, match="batches of 0 rows"):
        store.batches(channels=["ppg"], batch=0, seed=0, epoch=0)


def test_the_order_of_sources_does_not_matter(tmp_path):
    one = build_store(people(0, 1, 2), tmp_path / "one")
    other = build_store(people(2, 0, 1), tmp_path / "other")
    assert one.key == other.key
    assert bytes_of(tmp_path / "one") == bytes_of(tmp_path / "other")


def test_whatever_decides_the_content_changes_the_key(tmp_path, monkeypatch):
    keys = [build_store(people(0), tmp_path).key]
    keys.append(build_store(people(1), tmp_path).key)
    keys.append(build_store(people(0, 1), tmp_path).key)
    keys.append(build_store(people(0), tmp_path, settings={"gate": 1}).key)
    moved = [replace(people(0)[0], domain="other")]
    keys.append(build_store(moved, tmp_path).key)
    monkeypatch.setattr("capnet.data.store_key.code_version", lambda: "newer")
    keys.append(build_store(people(0), tmp_path).key)
    assert len(set(keys)) == len(keys)


def test_the_key_follows_the_code():
    assert len(code_version()) == 64
    assert part_key("d", "a", {}) != part_key("d", "b", {})
    assert store_key(["a", "b"]) == store_key(["b", "a"]) != store_key(["a"])


def test_settings_are_kept_and_must_be_plain(tmp_path):
    store = build_store(people(0), tmp_path, settings={"window": 8.0})
    assert BeatStore.open(store.path).settings == {"window": 8.0}
    for odd in (np.zeros(2), float("nan")):
        with pytest.raises(ConfigError, match="settings hold what JSON cannot"):
            build_store(people(0), tmp_path, settings={"odd": odd})


def test_nothing_is_built_twice(tmp_path, store):
    def never():
        raise AssertionError

    known = [replace(one, beats=never) for one in people(0, 1, 2)]
    assert build_store(known, tmp_path).key == store.key
    # Another store of the folder shares the parts that it has.
    larger = build_store([*known, *people(3)], tmp_path)
    shared = (
        bytes_of(store.path / "parts").keys() & bytes_of(larger.path / "parts").keys()
    )
    assert len(shared) == 3
    for name in shared:
        assert (store.path / "parts" / name).samefile(larger.path / "parts" / name)


def test_parts_are_copied_where_there_are_no_links(tmp_path, store, monkeypatch):
    def refuse(*_paths):
        raise PermissionError

    monkeypatch.setattr(os, "link", refuse)
    known = [replace(one, beats=lambda: iter(())) for one in people(0, 1, 2)]
    larger = build_store([*known, *people(3)], tmp_path)
    assert_same_beats(larger.beats(subjects=["p-01"]), store.beats(subjects=["p-01"]))


def test_the_same_source_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'b' and 'a' hold the same"):
        build_store(
            [source("a", make_beats(), digest="x"), source("b", digest="x")], tmp_path
        )
    with pytest.raises(ConfigError, match="no source"):
        build_store([], tmp_path)


def test_a_source_without_beats_leaves_an_empty_part(tmp_path):
    store = build_store([source("none"), *people(0)], tmp_path)
    assert len(store) == 6
    assert len([*(store.path / "parts").iterdir()]) == 2
    with pytest.raises(RecordError, match="none of 1 sources has a beat"):
        build_store([source("none")], tmp_path)


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (make_beats(features={}), "'odd one': tables differ in features/hr/rest"),
        (make_beats(calibration="none"), "'odd one': tables of .* one kind"),
        (make_beats(waves={"raw": np.zeros((12, 64))}), "a wave is called 'raw'"),
        (make_beats(waves={"a/b": np.zeros((12, 64))}), "a wave is called 'a/b'"),
        (
            make_beats(subject=np.array(["a"] * 12, object)),
            "'subject' is of type object",
        ),
        (make_beats(beat=np.arange(12) + 2**60 + 1), "'beat' holds numbers that"),
        (make_beats(features={"row": np.zeros(12)}), "'row', which is a column"),
    ],
)
def test_tables_that_cannot_be_stored_are_refused(tmp_path, other, match):
    tables = (other,) if "row" in other.features else (make_beats(), other)
    with pytest.raises(RecordError, match=match):
        build_store([source("odd one", *tables)], tmp_path)
    assert not [*tmp_path.rglob("store.json")]


def test_an_error_of_a_source_is_its_own_and_the_rest_is_kept(tmp_path):
    def broken():
        yield make_beats()
        raise OSError(errno.EIO, "the recording")

    bad = Source("bad", "clinic", "z", broken)
    with pytest.raises(OSError, match="the recording"):
        build_store([*people(0, 1), bad], tmp_path)
    left = bytes_of(tmp_path)
    assert all(name.endswith(".zarr.zip") for name in left)
    mended = replace(bad, beats=lambda: iter([make_beats()]))
    store = build_store([*people(0, 1), mended], tmp_path)
    assert left.items() <= bytes_of(tmp_path).items()
    assert len(store) == 24


DAMAGE = {
    "flipped": lambda b: (
        b[: len(b) // 2] + bytes([b[len(b) // 2] ^ 1]) + b[len(b) // 2 + 1 :]
    ),
    "cut": lambda b: b[: len(b) // 2],
    "empty": lambda _: b"",
    "longer": lambda b: b + b"x",
    "text": lambda _: b"{}",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["part", "manifest.parquet", "store.json"])
def test_damage_is_named_and_mended(tmp_path, store, damage, name):
    before = bytes_of(store.path)
    file = next(store.path.rglob("*.zip")) if name == "part" else store.path / name
    file.write_bytes(damage(file.read_bytes()))
    if name != "store.json" or not file.read_bytes().startswith(b"{\n"):
        with pytest.raises(RecordError, match=rf"{file.name} .*[Bb]uild"):
            BeatStore.open(store.path).beats()
    again = build_store(people(0, 1, 2), tmp_path)
    assert_same_beats(again.beats(), store.beats())
    assert bytes_of(again.path) == before


def test_only_the_damaged_part_is_built_anew(tmp_path, store):
    file = sorted((store.path / "parts").iterdir())[1]
    file.unlink()
    built = []

    def noted(one):
        def beats():
            built.append(one.name)
            return one.beats()

        return replace(one, beats=beats)

    with pytest.raises(RecordError, match="unreadable"):
        BeatStore.open(store.path).verify()
    build_store([noted(one) for one in people(0, 1, 2)], tmp_path)
    assert len(built) == 1
    assert file.exists()


def test_every_flipped_bit_of_a_part_is_found(store):
    file = next(store.path.rglob("*.zip"))
    whole = file.read_bytes()
    assert is_whole(file, key=file.name.split(".")[0])
    assert not is_whole(file, key="another")
    rng = np.random.default_rng(0)
    beats = store.beats()
    for place in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        with pytest.raises(RecordError, match="is damaged"):
            BeatStore.open(store.path).beats()
    file.write_bytes(whole)
    assert_same_beats(BeatStore.open(store.path).beats(), beats)


@pytest.mark.parametrize("again", [False, True])
def test_a_disk_that_fails_at_any_call_leaves_nothing_half(tmp_path, again):
    # Every sixth call here, all of them in benchmarks/store.py.
    expected = build_store(people(0), tmp_path / "expected")
    whole = bytes_of(expected.path)
    with failing_disk() as disk:
        build_store(people(0), tmp_path / "counted")
    assert len(disk.calls) > 50
    told = 0
    chosen = range(3 * again, len(disk.calls), 6)
    for n in chosen:
        error = (errno.ENOSPC, errno.EIO, errno.EINTR)[n // 6 % 3]
        folder = tmp_path / f"{n}"
        with failing_disk(n, error=error, again=again):
            try:
                build_store(people(0), folder)
            except CapnetError as failure:
                told += 1
                assert str(folder) in str(failure)  # noqa: PT017 - or nothing is told
        path = folder / expected.key
        if (path / "store.json").exists():
            assert bytes_of(path) == whole
        for part in path.glob("parts/[!.]*"):
            assert part.read_bytes() == whole[f"parts/{part.name}"]
        build_store(people(0), folder)
        assert bytes_of(path) == whole  # and no litter
    assert told > 0.7 * len(chosen)


def test_a_full_disk_is_explained(tmp_path):
    with failing_disk() as disk:
        build_store(people(0), tmp_path / "counted")
    first = disk.calls.index("write")
    with (
        failing_disk(first, again=True),
        pytest.raises(
            StorageError,
            match=r"\.zarr\.zip could not be .*No space left.* MB are free.*Make room",
        ),
    ):
        build_store(people(0), tmp_path / "full")


def test_a_store_that_cannot_be_written_is_explained(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError, match="could not be written"):
        build_store(people(0), tmp_path / "file")


def test_no_store_is_explained(tmp_path, store):
    with pytest.raises(RecordError, match=r"no store at .*build_store"):
        BeatStore.open(tmp_path / "nothing")
    about = json.loads((store.path / "store.json").read_bytes())
    (store.path / "store.json").write_text(json.dumps(about | {"format": 99}))
    with pytest.raises(RecordError, match="has format 99; wanted 1"):
        BeatStore.open(store.path)


def test_threads_that_want_one_store_build_it_once(tmp_path):
    built, stores = [], []

    def slow():
        built.append(threading.get_ident())
        yield make_beats()

    def want():
        stores.append(build_store([Source("slow", "clinic", "s", slow)], tmp_path))

    threads = [threading.Thread(target=want) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1
    assert {store.key for store in stores} == {stores[0].key}


CHILD = """
import os, sys, time
from pathlib import Path
from dataclasses import replace
from capnet.data.beat_store import build_store
from tests.data.test_beat_store import people
folder, mark, wait = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "wait"
def slow(one):
    def beats():
        with mark.open("a") as file:
            print(os.getpid(), one.name, file=file)
        if wait and "2" in one.name:
            yield next(one.beats())
            print("half", flush=True)
            time.sleep(60.0)
        yield from one.beats()
    return replace(one, beats=beats)
print(build_store([slow(one) for one in people(0, 1, 2)], folder).key, flush=True)
"""


def start(folder, mark, how):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), str(mark), how],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_a_process_that_is_killed_is_taken_over(tmp_path):
    expected = build_store(people(0, 1, 2), tmp_path / "expected")
    mark, folder = tmp_path / "mark", tmp_path / "shared"
    with start(folder, mark, "wait") as victim:
        assert victim.stdout.readline() == "half\n"
        with start(folder, mark, "no") as heir:
            victim.send_signal(signal.SIGKILL)
            assert heir.stdout.read() == f"{expected.key}\n"
    assert bytes_of(folder / expected.key) == bytes_of(expected.path)
    lines = mark.read_text().splitlines()
    anew = [line for line in lines if line.split()[0] != str(victim.pid)]
    begun = [line.split()[-1] for line in lines if line not in anew]
    kept = begun[: begun.index("2")]
    assert sorted(kept + [line.split()[-1] for line in anew]) == ["0", "1", "2"]


def test_a_store_goes_to_other_processes_by_its_path(store):
    sent = pickle.loads(pickle.dumps(store))
    assert_same_beats(sent.beats(), store.beats())


def test_progress_counts_sources(tmp_path):
    seen = []
    build_store(
        people(0, 1), tmp_path, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(0, 2), (1, 2), (2, 2)]


def test_without_a_folder_stores_go_to_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CAPNET_CACHE", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache"
    store = build_store(people(0), None)
    assert store.path.parent == tmp_path / "cache" / "stores"
    monkeypatch.delenv("CAPNET_CACHE")
    assert cache_folder().name == "capnet"


def test_it_says_what_it_holds(store):
    assert "18 beats of 3 subjects in 3 parts, domains clinic" in repr(store)
    assert store.domains.tolist() == ["clinic"]
    assert beat_store.__doc__
