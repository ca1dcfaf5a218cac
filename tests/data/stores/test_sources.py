"""A recording as a source: a pseudonym, covariates, and a digest of what decides."""

import numpy as np
import pytest

from capnet.data import readers
from capnet.data.privacy.pseudonyms import pseudonym
from capnet.data.readers import read_record
from capnet.data.stores import beat_store
from capnet.data.stores.beat_store import build_store
from capnet.data.stores.sources import source_of_record
from capnet.records import Beats
from capnet.signal.beats import beats_in, beats_of
from tests.fakes.make_record import make_record

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make_record(tmp_path_factory.mktemp("record"), seconds=60.0)


def source(path, **changes):
    return source_of_record(path, **({"domain": "ward", "key": KEY} | changes))


def test_the_beats_are_those_of_the_record(path, tmp_path):
    stored = build_store([source(path)], tmp_path).beats()
    record = read_record(path)
    expected = beats_of(record)
    assert stored.reason.tolist() == expected.reason.tolist()
    np.testing.assert_array_equal(stored.time, expected.time)
    np.testing.assert_array_equal(stored.raw, expected.raw)
    np.testing.assert_array_equal(stored.features["pat"], expected.features["pat"])
    np.testing.assert_array_equal(stored.ppg, expected.ppg.astype(np.float32))
    assert set(stored.subject) == {pseudonym(record.subject, key=KEY)}


def test_the_source_may_be_read_again(path):
    one = source(path)
    first, again = (Beats.concatenate([*one.beats()]) for _ in range(2))
    np.testing.assert_array_equal(first.ppg, again.ppg)


@pytest.mark.parametrize(("age", "stored"), [(40.0, 40.0), (89.0, 89.0), (97.0, 90.0)])
def test_ages_that_tell_who_it_is_are_not_stored(path, age, stored):
    beats = next(source(path, age=age).beats())
    assert set(beats.age) == {stored}


def test_covariates_are_features(path, monkeypatch):
    plain = next(source(path).beats())
    assert np.isnan(plain.features["height"]).all()
    stream = readers.stream_record

    def known(*args, **more):
        for part in stream(*args, **more):
            yield part.__class__(
                **{**vars(part), "covariates": {"height": 1.8, "male": 1.0}}
            )

    monkeypatch.setattr(readers, "stream_record", known)
    beats = next(source(path).beats())
    assert set(beats.features["height"]) == {1.8}
    assert set(beats.features["male"]) == {1.0}
    assert np.isnan(beats.features["weight"]).all()


def test_the_digest_follows_what_decides_and_not_the_place(path, tmp_path):
    moved = make_record(tmp_path / "moved", seconds=60.0)
    assert source(path).digest == source(moved).digest
    others = [
        source(make_record(tmp_path / "other", seconds=61.0)),
        source(path, age=50.0),
        source(path, subject="b"),
        source(path, key=bytes(32)),
        source(path, windows=True),
        source(path, ppg="PLETH"),
        source(path, names={"PLETH": "light"}, ppg="light"),
    ]
    digests = {one.digest for one in (source(path), *others)}
    assert len(digests) == len(others) + 1


def test_names_of_files_and_people_stay_outside(path, tmp_path):
    known = make_record(tmp_path / "Jane_Doe", seconds=60.0)
    given = {"subject": "Erika Mustermann", "names": {"PLETH": "light_of_Jane"}}
    one = source(known, ppg="light_of_Jane", windows=True, **given)
    store = build_store([one], tmp_path / "stores")
    for word in (b"Jane", b"Doe", b"Erika", b"Mustermann", b"light_of", b"virtual"):
        for file in store.path.rglob("*"):
            assert file.is_dir() or word not in file.read_bytes()
            assert word.decode() not in file.name
    assert beat_store.Source is type(one)


def test_an_hour_is_read_in_parts(path, tmp_path):
    long = make_record(tmp_path, seconds=700.0)
    stored = build_store([source(long)], tmp_path / "stores").beats()
    whole = Beats.concatenate([*beats_in(read_record(long))])
    np.testing.assert_allclose(stored.time, whole.time, atol=1e-9)
    assert stored.reason.tolist() == whole.reason.tolist()
