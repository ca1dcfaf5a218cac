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

from capnet.data.stores.beat_store import BeatStore, Source, build_store
from capnet.data.stores.key import cache_folder, code_version, part_key, store_key
from capnet.data.stores.part import CHUNK, is_whole, part_file, write_part
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


def never():
    """Beats that nobody should ask for."""
    raise AssertionError


def noted(sources, names):
    """Sources that say when they are read."""

    def heard(one):
        def beats():
            names.append(one.name)
            return one.beats()

        return replace(one, beats=beats)

    return [heard(one) for one in sources]


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


def test_zarr_and_parquet_alone_read_a_store(store):
    import zarr

    group = zarr.open_group(store.path / "waves.zarr", mode="r")
    beats = store.beats()
    np.testing.assert_array_equal(group["ppg"][:], beats.ppg.astype(np.float32))
    np.testing.assert_array_equal(group["raw"][:], beats.raw)
    names = ["manifest.parquet", "store.json", "waves.zarr"]
    assert sorted(path.name for path in store.path.iterdir()) == names


def test_the_manifest_has_a_row_for_each_beat(store):
    frame = store.manifest()
    beats = store.beats()
    pd.testing.assert_frame_equal(
        frame, pd.read_parquet(store.path / "manifest.parquet")
    )
    frame = frame.rename(columns=lambda name: name.split("/", 1)[-1])
    for name, values in (
        beats.replace(features={"pat": beats.features["pat"]}).to_frame().items()
    ):
        if name != "hr":
            np.testing.assert_array_equal(frame[name], values)
    frame = store.manifest()
    assert set(frame["domain"]) == {"clinic"}
    assert set(frame["reference_type"]) == {"simulated"}
    assert set(frame["calibration"]) == {"exact"}
    assert frame["has/radial"].all()
    assert list(store.manifest(["beat", "age"])) == ["beat", "age"]
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


@pytest.mark.parametrize("seed", range(12))
def test_whatever_a_table_holds_comes_back(tmp_path, seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    holes = np.where(rng.random((n, 64)) < 0.3, np.nan, rng.normal(0.0, 1e3, (n, 64)))
    words = np.array(["", "é", "a longer word", "漢字"])
    beats = make_beats(
        n,
        refused=0,
        subject=rng.choice(words, n),
        beat=rng.integers(-(2**62), 2**62, n).astype(rng.choice([">i8", "<i8", "u8"])),
        time=rng.normal(size=n).astype(rng.choice(["f2", "f4", "f8"])),
        age=np.full(n, rng.choice([np.nan, np.inf, 1e-320])),
        waves={str(k): holes.astype(rng.choice(["f2", "f4", "f8"])) for k in range(2)},
        features={f"a.b/{k}": rng.normal(size=n) for k in range(rng.integers(3))},
    )
    beats = beats.replace(raw=None, start=None, stop=None) if seed % 3 else beats
    store = build_store([source("a", beats)], tmp_path)
    back = beats.beat.astype(beats.beat.dtype.newbyteorder("="))
    assert_same_beats(store.beats(), rounded(beats.replace(beat=back)))


def test_sources_with_other_columns_keep_their_own(tmp_path):
    one = make_beats(features={"pat": np.arange(12.0)}, waves={})
    other = make_beats(
        reference=None, reference_type="none", raw=None, start=None, stop=None
    )
    store = build_store(
        [source("a", one, domain="one"), source("b", other, domain="other")], tmp_path
    )
    assert_same_beats(store.beats(domain="one"), rounded(one))
    assert_same_beats(store.beats(domain="other"), rounded(other))
    known = store.rows(domain="one")
    assert np.isnan(store.arrays(["radial"], known)).all()
    frame = store.manifest()
    assert frame.loc[known, "features/hr/rest"].isna().all()
    assert not frame.loc[known, "has/radial"].any()
    assert frame["has/ppg"].dtype == bool


def test_a_person_in_two_sources_is_one_subject(tmp_path):
    tables = [make_beats(4, per_subject=4, seed=k) for k in range(2)]
    store = build_store(
        [source(f"{k}", table) for k, table in enumerate(tables)], tmp_path
    )
    assert len(store.subjects) == 1
    assert len(store.beats(subjects=store.subjects)) == 8
    assert store.manifest()["source"].nunique() == 2


def test_sources_that_do_not_fit_are_refused(tmp_path):
    one, short = make_beats(), make_beats(raw=np.zeros((12, 20), np.float32))
    with pytest.raises(RecordError, match=r"do not fit|other numbers of samples"):
        build_store([source("a", one), source("b", short)], tmp_path)
    words = make_beats(beat=np.full(12, "first"))
    with pytest.raises(RecordError, match=r"do not fit together: .*beat"):
        build_store([source("a", one), source("c", words)], tmp_path)


def test_a_store_may_be_moved_and_kept_where_nobody_writes(tmp_path, store):
    expected = store.beats()
    moved = store.path.rename(tmp_path / "elsewhere")
    assert_same_beats(BeatStore.open(moved).beats(), expected)
    moved.rename(store.path)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("mkdir", "replace", "unlink", "rmdir", "fsync"):
            patch.setattr(os, name, never)
        again = build_store(
            [replace(one, beats=never) for one in people(0, 1, 2)], tmp_path
        )
    assert again.path == store.path


def test_another_version_of_the_code_is_told(store, monkeypatch, caplog):
    BeatStore.open(store.path)
    assert not caplog.records
    monkeypatch.setattr("capnet.data.stores.beat_store.code_version", lambda: "newer")
    BeatStore.open(store.path)
    assert "another version of the code; build it again" in caplog.text


def test_a_disk_without_locks_is_explained(tmp_path, monkeypatch):
    def refuse(*_args, **_more):
        msg = "no locks here"
        raise NotImplementedError(msg)

    monkeypatch.setattr("filelock.FileLock.acquire", refuse)
    with pytest.raises(StorageError, match="no locks here"):
        build_store(people(0), tmp_path)


def test_what_a_killed_builder_left_at_the_end_goes(tmp_path, store):
    before = bytes_of(store.path)
    (store.path / "parts").mkdir()
    (store.path / "parts" / ".half").write_bytes(b"x")
    build_store([replace(one, beats=never) for one in people(0, 1, 2)], tmp_path)
    assert bytes_of(store.path) == before


def test_a_store_is_read_after_a_fork(store):
    wanted = store.arrays(["ppg"]).sum()
    child = os.fork()
    if not child:
        os._exit(int(store.arrays(["ppg"]).sum() != wanted))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


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
    with pytest.raises(RecordError, match=r"'ecg'.* has ppg, reference, radial"):
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
    monkeypatch.setattr("capnet.data.stores.key.code_version", lambda: "newer")
    keys.append(build_store(people(0), tmp_path).key)
    assert len(set(keys)) == len(keys)


def test_the_key_follows_the_code():
    assert len(code_version()) == 64
    assert part_key("d", "a", {}) != part_key("d", "b", {})
    assert store_key(["a", "b"]) == store_key(["b", "a"]) != store_key(["a"])


def test_settings_are_kept_and_must_be_plain(tmp_path):
    store = build_store(people(0), tmp_path, settings={"a": {"b": (1, 2.5, None)}})
    plain = {"a": {"b": [1, 2.5, None]}}
    assert store.settings == BeatStore.open(store.path).settings == plain
    assert build_store(people(0), tmp_path, settings=plain).key == store.key
    for odd in (np.zeros(2), float("nan")):
        with pytest.raises(ConfigError, match="settings hold what JSON cannot"):
            build_store(people(0), tmp_path, settings={"odd": odd})


def test_nothing_is_built_twice(tmp_path, store):
    known = [replace(one, beats=never) for one in people(0, 1, 2)]
    assert build_store(known, tmp_path).key == store.key


def test_the_same_source_twice_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'b' and 'a' hold the same"):
        build_store(
            [source("a", make_beats(), digest="x"), source("b", digest="x")], tmp_path
        )
    with pytest.raises(ConfigError, match="no source"):
        build_store([], tmp_path)


def test_a_source_without_beats_adds_nothing(tmp_path):
    store = build_store([source("none"), *people(0)], tmp_path)
    assert len(store) == 6
    empty = build_store([source("no row", make_beats(0)), *people(0)], tmp_path)
    assert_same_beats(empty.beats(), store.beats())
    with pytest.raises(RecordError, match="none of 1 sources has a beat"):
        build_store([source("none")], tmp_path)


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (make_beats(features={}), "'odd one': tables differ in features/hr/rest"),
        (make_beats(waves={"raw": np.zeros((12, 64))}), "a wave is called 'raw'"),
        (make_beats(waves={"a/b": np.zeros((12, 64))}), "a wave is called 'a/b'"),
        (
            make_beats(subject=np.array(["a"] * 12, object)),
            "'subject' is of type object",
        ),
        (
            make_beats(beat=np.arange(12, dtype=np.longdouble)),
            "'beat' cannot be stored",
        ),
        (make_beats(reason=np.array(["\ud800"] * 3 + [""] * 9)), "'reason' cannot be"),
        (make_beats(ppg=np.full((12, 64), 1e39)), "'ppg' is 1e.39 at point 0 of row 0"),
        (make_beats(ppg=np.full((12, 64), np.inf)), "'ppg' is inf at point 0 of row 0"),
        (make_beats(age=np.full(12, 50.0, np.float32)), "tables differ in age"),
    ],
)
def test_tables_that_cannot_be_stored_are_refused(tmp_path, other, match):
    with pytest.raises(RecordError, match=match):
        build_store([source("odd one", make_beats(), other)], tmp_path)
    assert not [*tmp_path.rglob("store.json")]


@pytest.mark.parametrize(
    ("error", "told", "match"),
    [
        (
            OSError(errno.EIO, "broken"),
            RecordError,
            "source 'bad' cannot be read: broken",
        ),
        (RecordError("its own"), RecordError, "its own"),
        (StorageError("a copy of it"), StorageError, "a copy of it"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_an_error_of_a_source_is_its_own_and_the_rest_is_kept(
    tmp_path, error, told, match
):
    def broken():
        yield make_beats()
        raise error

    bad = Source("bad", "clinic", "z", broken)
    with pytest.raises(told, match=match):
        build_store([*people(0, 1), bad], tmp_path)
    assert not [*tmp_path.rglob("*/.*")]
    assert not [*tmp_path.rglob("store.json")]
    built = []
    mended = replace(bad, beats=lambda: iter([make_beats()]))
    store = build_store(noted([*people(0, 1), mended], built), tmp_path)
    assert len(store) == 24
    assert "bad" in built
    kept = [one for one in people(0, 1) if one.name not in built]
    assert kept == [] or len(built) < 3


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
@pytest.mark.parametrize(
    "name",
    ["manifest.parquet", "store.json", "waves.zarr/ppg/c/0/0", "waves.zarr/zarr.json"],
)
def test_damage_is_named_and_mended(tmp_path, store, damage, name):
    before = bytes_of(store.path)
    file = store.path / name
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(RecordError, match=rf"{file.name} .*[Bb]uild"):
        BeatStore.open(store.path).verify()
    again = build_store(people(0, 1, 2), tmp_path)
    assert_same_beats(again.beats(), store.beats())
    assert bytes_of(again.path) == before


@pytest.mark.parametrize("name", ["manifest.parquet", "waves.zarr/ppg/c/0/0"])
def test_a_file_that_is_lost_is_missed(store, name):
    (store.path / name).unlink()
    with pytest.raises(RecordError, match=r"unreadable .No such file"):
        BeatStore.open(store.path).beats()


def test_a_wave_that_is_lost_while_it_is_read_gives_no_numbers(store):
    store.verify()
    (store.path / "waves.zarr/ppg/c/0/0").unlink()
    with pytest.raises(RecordError, match=r"ppg has lost files\. Build"):
        store.arrays(["ppg"])
    (store.path / "waves.zarr/radial/zarr.json").unlink()
    with pytest.raises(RecordError, match=r"cannot be read .* build the store again"):
        store.arrays(["radial"])


def test_every_flipped_bit_of_a_store_is_found(store):
    rng = np.random.default_rng(0)
    for file in (path for path in store.path.rglob("*") if path.is_file()):
        whole = file.read_bytes()
        for place in rng.integers(0, len(whole), 8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(8))
            file.write_bytes(damaged)
            with pytest.raises(RecordError, match=r"damaged|has format"):
                BeatStore.open(store.path).verify()
        file.write_bytes(whole)
    BeatStore.open(store.path).verify()


def test_a_part_that_is_not_whole_is_made_anew(tmp_path):
    (one,) = people(0)
    write_part(tmp_path, one, key="a")
    file = part_file(tmp_path, "a", "beats")
    whole = file.read_bytes()
    for damage in DAMAGE.values():
        file.write_bytes(damage(whole))
        assert not is_whole(file)
        write_part(tmp_path, one, key="a")
        assert file.read_bytes() == whole
    write_part(tmp_path, replace(one, beats=never), key="a")


@pytest.mark.parametrize("again", [False, True])
def test_a_disk_that_fails_at_any_call_leaves_nothing_half(tmp_path, again):
    # Every 24th call here, all of them in benchmarks/store.py.
    expected = build_store(people(0), tmp_path / "expected")
    whole = bytes_of(expected.path)
    with failing_disk() as disk:
        build_store(people(0), tmp_path / "counted")
    assert len(disk.calls) > 50
    told = 0
    chosen = range(12 * again, len(disk.calls), 24)
    for n in chosen:
        error = (errno.ENOSPC, errno.EIO, errno.EINTR)[n // 24 % 3]
        folder = tmp_path / f"{n}"
        with failing_disk(n, error=error, again=again):
            try:
                build_store(people(0), folder)
            except CapnetError as failure:
                told += 1
                assert str(folder) in str(failure)  # noqa: PT017 - or nothing is told
        path = folder / expected.key
        if (path / "store.json").exists():
            BeatStore.open(path).verify()
        parts = [*path.glob("parts/*.sha256")]
        assert all(is_whole(part.with_suffix(".parquet")) for part in parts)
        build_store(people(0), folder)
        assert bytes_of(path) == whole  # and no litter
    assert told > 0.7 * len(chosen)


def test_a_full_disk_is_explained(tmp_path):
    with (
        failing_disk("write", again=True),
        pytest.raises(
            StorageError,
            match=r"beats\.parquet could not .*No space left.* MB are free.*Make room",
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
    with pytest.raises(RecordError, match="has format 99; wanted 2"):
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
from capnet.data.stores.beat_store import build_store
from tests.data.stores.test_beat_store import people
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
        cwd=Path(__file__).parents[3],
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
    assert "18 beats of 3 subjects, domains clinic" in repr(store)
    assert store.domains.tolist() == ["clinic"]
