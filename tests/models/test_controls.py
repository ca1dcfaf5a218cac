"""Spoilt inputs: only the PPG changes, and only where there was one."""

from dataclasses import fields

import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.models.controls import borrowed_ppg, shuffled_ppg
from tests.fakes.people import make_people, refuse

LENDERS = make_people(9, seed=5, prefix="lender")


def shuffled(beats, seed=0):
    return shuffled_ppg(beats, seed=seed)


def borrowed(beats, seed=0):
    return borrowed_ppg(beats, LENDERS, seed=seed)


BOTH = pytest.mark.parametrize("spoil", [shuffled, borrowed])


@pytest.fixture
def spoilt_people():
    refused = refuse(make_people(), [1, 8])
    raw = np.zeros((len(refused), 200), dtype=np.float32)
    at = np.full(len(refused), 60.0)
    return refused.replace(raw=raw, start=at, stop=at + 80)


@BOTH
def test_all_but_the_ppg_stays(spoil, spoilt_people):
    after = spoil(spoilt_people)
    for f in fields(spoilt_people):
        if f.name in ("ppg", "raw", "start", "stop"):
            continue
        assert getattr(after, f.name) is getattr(spoilt_people, f.name), f.name
    assert after.raw is after.start is after.stop is None


@BOTH
def test_the_beats_given_are_not_changed(spoil, spoilt_people):
    before = spoilt_people.ppg.copy()
    spoil(spoilt_people)
    np.testing.assert_array_equal(spoilt_people.ppg, before)


@BOTH
def test_refused_beats_keep_their_wave(spoil, spoilt_people):
    after = spoil(spoilt_people)
    np.testing.assert_array_equal(after.ppg[[1, 8]], spoilt_people.ppg[[1, 8]])
    assert np.isfinite(after.ppg[after.accepted]).all()


@BOTH
def test_one_seed_one_answer(spoil, people):
    np.testing.assert_array_equal(spoil(people, 3).ppg, spoil(people, 3).ppg)
    assert (spoil(people, 3).ppg != spoil(people, 4).ppg).any()


def test_shuffling_loses_no_wave(spoilt_people):
    keep = spoilt_people.accepted
    before, after = spoilt_people.ppg[keep], shuffled(spoilt_people).ppg[keep]
    assert (before != after).any()
    np.testing.assert_array_equal(
        before[np.lexsort(before.T)], after[np.lexsort(after.T)]
    )


def test_borrowed_waves_come_from_the_lenders_usable_beats(people):
    lenders = refuse(LENDERS, [0, 2])
    after = borrowed_ppg(people, lenders, seed=0).ppg
    pool = {wave.tobytes() for wave in lenders.usable().ppg}
    assert {wave.tobytes() for wave in after} <= pool


def test_nobody_lends(people):
    nobody = refuse(LENDERS, list(range(len(LENDERS))))
    with pytest.raises(ProtocolError, match="no accepted beat to lend"):
        borrowed_ppg(people, nobody, seed=0)
