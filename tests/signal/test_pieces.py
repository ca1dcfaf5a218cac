"""Pieces lie on the recording's clock, however the recording comes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import ConfigError, RecordError
from capnet.records import Cuff, Record, Signal
from capnet.signal.pieces import Piece, pieces_of

RATES = {"ecg": 50.0, "ppg": 25.0}


def _record(start: float = 0.0, seconds: float = 100.0, skew: float = 0.32) -> Record:
    channels = {
        name: Signal(
            np.arange(round(seconds * rate)) + 0.5, rate, "NU", start + (skew * k)
        )
        for k, (name, rate) in enumerate(RATES.items())
    }
    return Record("a", channels, cuffs=(Cuff(3.0, 120, 80), Cuff(70.0, 118, 79)))


def _parts(record: Record, cuts: list[int]) -> list[Record]:
    """Cut a record at fractions of its length, the cuffs to where they belong."""
    edges = [0, *sorted(cuts), 1000]
    parts = []
    for low, high in pairwise(edges):
        channels = {}
        for name, signal in record.channels.items():
            n = len(signal.values)
            begin, end = n * low // 1000, n * high // 1000
            start = signal.start + begin / signal.sampling_rate
            if end > begin:
                part = signal.values[begin:end]
                channels[name] = Signal(part, signal.sampling_rate, "NU", start)
        if len(channels) == len(RATES):
            parts.append(Record("a", channels, cuffs=record.cuffs))
    return parts


def _told(piece: Piece) -> list[object]:
    told: list[object] = [piece.start, piece.stop, piece.first, piece.last]
    for name, signal in piece.record.channels.items():
        told += [name, signal.start, signal.values.tolist()]
    return told


@settings(max_examples=30, deadline=None)
@given(
    cuts=st.lists(st.integers(50, 950), max_size=12, unique=True),
    start=st.sampled_from([0.0, -3.0, 17.4, 1234.5]),
)
def test_parts_of_any_lengths_give_the_pieces_of_the_whole(cuts, start):
    record = _record(start)
    cuts = [cut // 4 * 4 for cut in cuts]  # whole samples of both channels
    whole = list(pieces_of(record, length=20.0, margin=4.0))
    parts = list(pieces_of(iter(_parts(record, cuts)), length=20.0, margin=4.0))
    assert [_told(piece) for piece in parts] == [_told(piece) for piece in whole]


def test_every_moment_belongs_to_one_piece():
    pieces = list(pieces_of(_record(7.0), length=20.0, margin=4.0))
    times = np.linspace(-10.0, 130.0, 2001)
    assert (sum(piece.holds(times).astype(int) for piece in pieces) == 1).all()
    assert [piece.start for piece in pieces] == [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]
    for piece in pieces:
        for signal in piece.record.channels.values():
            assert signal.times[0] >= piece.start - 4.0
            assert signal.times[-1] < piece.stop + 4.0


def test_a_short_record_is_one_piece_with_all_of_it():
    record = _record()
    (piece,) = pieces_of(record, length=600.0, margin=15.0)
    for name, signal in record.channels.items():
        np.testing.assert_array_equal(piece.record.channels[name].values, signal.values)
    assert piece.record.cuffs == record.cuffs


def test_a_channel_that_ends_early_is_missing_afterwards():
    record = _record()
    ecg = record.channels["ecg"]
    short = Signal(ecg.values[:1000], 50.0, "NU", ecg.start)  # 20 s
    channels = {**record.channels, "ecg": short}
    pieces = list(pieces_of(Record("a", channels), length=30.0, margin=2.0))
    assert [len(p.record.channels["ecg"].values) for p in pieces] == [1000, 1, 1, 1]
    assert np.isnan(pieces[1].record.channels["ecg"].values).all()


def test_no_more_is_held_than_a_piece_needs():
    """The parts that were read can be forgotten: a day needs what an hour needs."""
    alive = []

    def parts():
        for k in range(200):
            values = np.full(25, float(k))
            alive.append(values)
            yield Record("a", {"ppg": Signal(values, 25.0, "NU", float(k))})

    for piece in pieces_of(parts(), length=10.0, margin=2.0):
        assert len(piece.record.channels["ppg"].values) <= 14 * 25
        assert len(alive) <= piece.stop + 2.0 + 2


def test_parts_that_do_not_follow_each_other_are_refused():
    a, b = _parts(_record(), [500])
    with pytest.raises(RecordError, match="follow each other"):
        list(pieces_of([b, a]))
    with pytest.raises(RecordError, match="the same in each"):
        list(pieces_of([a, Record("a", {"ppg": b.channels["ppg"]})]))
    ppg = b.channels["ppg"]
    other = {**b.channels, "ppg": Signal(ppg.values, 50.0, "NU", ppg.start)}
    with pytest.raises(RecordError, match="parts of one recording"):
        list(pieces_of([a, Record("a", other)]))
    with pytest.raises(RecordError, match="at least one"):
        pieces_of([])


@pytest.mark.parametrize(("length", "margin"), [(10.0, 10.0), (10.0, -1.0), (0, 0)])
def test_pieces_that_cannot_be_are_refused(length, margin):
    with pytest.raises(ConfigError, match="margins"):
        pieces_of(_record(), length=length, margin=margin)


def test_years_between_two_channels_are_skipped():
    channels = {
        "a": Signal(np.ones(1000), 1.0, "NU"),
        "b": Signal(np.ones(1000), 1.0, "NU", start=1e9),
    }
    found = list(pieces_of(Record("x", channels), length=100.0, margin=10.0))
    assert len(found) < 25
    assert [piece.first for piece in found].count(True) == 1
    assert [piece.last for piece in found] == [False] * (len(found) - 1) + [True]
    inner = [piece.record.channels["b"] for piece in found if piece.start >= 1e9]
    assert sum(np.isfinite(part.values[:100]).sum() for part in inner) >= 1000
