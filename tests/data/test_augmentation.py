"""Drawn first, applied after: replayed bit by bit, and what is not asked for stays."""

import numpy as np
import pytest

from capnet.data.augmentation import (
    MODALITIES,
    Augmentation,
    AugmentationDraw,
    augment,
    draw_augmentation,
)
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.hemodynamics import CuffModel, Sensor
from capnet.hemodynamics.catheters import COLUMN
from capnet.signal.frontend import beats_of_windows
from tests.fakes.make_beats import assert_same_beats, make_beats
from tests.fakes.people import make_people, refuse

PERFECT = Sensor(0.0, 0.0, (), (0.0, 0.0), (0.0, 0.0), 0.0)
ALL = Augmentation(
    sensor=Sensor.clinic(), cuff=CuffModel.clinic(), dropout={"age": 0.3, "pat": 0.2}
)


def with_pat(beats):
    return beats.replace(features={"pat": np.full(len(beats), 0.2)})


@pytest.fixture(scope="module")
def table():
    """60 people, three beats each, without raw samples; two beats are refused."""
    return refuse(with_pat(make_people(60, beats=3)), [0, 5])


@pytest.fixture(scope="module")
def windows(table):
    """The same with raw samples, as a sensor without faults gives them."""
    return augment(table, draw_augmentation(table, Augmentation(PERFECT), seed=0))


def applied(beats, settings, seed=0):
    return augment(beats, draw_augmentation(beats, settings, seed=seed))


# Draws


def test_nothing_is_nothing(table):
    nothing = Augmentation()
    assert not nothing
    assert not Augmentation(dropout={"age": 0.0})
    assert applied(table, nothing) is table


def test_a_replay_is_bit_by_bit_the_same(table, tmp_path):
    draw = draw_augmentation(table, ALL, seed=4)
    once = augment(table, draw)
    assert_same_beats(augment(table, draw), once)
    back = AugmentationDraw.load(draw.save(tmp_path / "draw.npz"))
    assert_same_beats(augment(table, back), once)
    assert_same_beats(applied(table, ALL, seed=4), once)
    assert (applied(table, ALL, seed=5).cuff != once.cuff).any()


def test_augmenting_leaves_what_was_given_as_it_was(windows):
    before = windows.take(np.arange(len(windows)))
    applied(windows, ALL)
    assert_same_beats(windows, before)


def test_a_draw_is_for_its_beats(table):
    draw = draw_augmentation(table, ALL, seed=0)
    with pytest.raises(ProtocolError, match="drawn for other beats than these 177"):
        augment(table.take(np.arange(3, 180)), draw)
    with pytest.raises(ProtocolError, match="same order"):
        augment(table.take(np.arange(180)[::-1]), draw)


@pytest.mark.parametrize("text", [b"", b"nonsense", b"PK\x03\x04"])
def test_what_is_no_draw_is_refused(tmp_path, text):
    path = tmp_path / "draw.npz"
    path.write_bytes(text)
    with pytest.raises(RecordError, match=r"draw\.npz cannot be read"):
        AugmentationDraw.load(path)
    with pytest.raises(RecordError, match="cannot be read"):
        AugmentationDraw.load(tmp_path / "nowhere.npz")


def test_no_kind_of_augmentation_moves_the_draws_of_another(table):
    alone = applied(table, Augmentation(cuff=CuffModel.clinic()))
    assert (alone.cuff == applied(table, ALL).cuff).all()
    hidden = applied(table, Augmentation(dropout={"age": 0.3}))
    np.testing.assert_array_equal(hidden.age, applied(table, ALL).age)


@pytest.mark.parametrize(
    ("dropout", "words"),
    [
        ({"ppg": 0.1}, "dropout of 'ppg' is unknown; wanted some of age, cuff_map"),
        ({"age": 1.1}, r"dropout of 'age' is 1\.1; wanted a share"),
        ({"age": np.nan}, "dropout of 'age' is nan"),
    ],
)
def test_impossible_settings_are_refused(dropout, words):
    with pytest.raises(ConfigError, match=words):
        Augmentation(dropout=dropout)


def test_what_cannot_be_drawn_is_refused(table):
    with pytest.raises(ConfigError, match=r"no such feature .*features: pat"):
        draw_augmentation(table, Augmentation(dropout={"cuff_map": 0.1}), seed=0)
    with pytest.raises(ConfigError, match="seed is -1"):
        draw_augmentation(table, ALL, seed=-1)
    lost = table.replace(calibration="none")
    with pytest.raises(ProtocolError, match="calibrated by 'none'"):
        draw_augmentation(lost, ALL, seed=0)


# Modalities


@pytest.mark.parametrize("name", MODALITIES)
def test_a_share_of_a_modality_is_hidden_and_nothing_else(name):
    beats = make_people(500, beats=4)
    beats = beats.replace(features={k: np.ones(2000) for k in ("pat", "cuff_map", "x")})
    shown = applied(beats, Augmentation(dropout={name: 0.2}))
    read = lambda b: b.age if name == "age" else b.features[name]
    hidden = np.isnan(read(shown))
    assert hidden.mean() == pytest.approx(0.2, abs=0.04)  # four standard errors
    np.testing.assert_array_equal(read(shown)[~hidden], read(beats)[~hidden])
    back = shown.replace(age=beats.age, features=beats.features)
    assert_same_beats(back, beats)


# Sensors


def test_a_perfect_sensor_shows_the_beat_as_it_was(table, windows):
    kept = table.accepted
    assert (windows.accepted == kept).all()
    np.testing.assert_allclose(windows.duration[kept], table.duration[kept], atol=2e-3)
    again = applied(windows, Augmentation(PERFECT))
    np.testing.assert_allclose(again.ppg[kept], windows.ppg[kept], atol=2e-3)
    np.testing.assert_allclose(again.start[kept], windows.start[kept], atol=0.02)


def test_shapes_are_what_the_front_end_makes_of_the_windows(windows):
    seen = applied(windows, ALL)
    rows = seen.accepted
    made = beats_of_windows(seen.raw[rows], seen.start[rows], seen.stop[rows])
    np.testing.assert_allclose(seen.ppg[rows], made, atol=1e-4)
    measured = (seen.stop - seen.start)[rows] / 125.0
    np.testing.assert_allclose(seen.duration[rows], measured, rtol=1e-12)


def test_a_low_pass_delays_the_foot_and_with_it_pat(windows):
    slow = Sensor(0.0, 0.0, ((8.0, 8.0),), (0.0, 0.0), (0.0, 0.0), 0.0)
    seen = applied(windows, Augmentation(slow))
    rows = seen.accepted & windows.accepted
    later = (seen.start - windows.start)[rows] / 125.0
    assert rows.mean() > 0.9
    # A first-order low-pass delays what is slow by 1 / (2 pi corner) = 20 ms.
    assert 0.005 < np.median(later) < 0.025
    moved = (seen.features["pat"] - windows.features["pat"])[rows]
    np.testing.assert_allclose(moved, later, atol=1e-12)
    np.testing.assert_allclose((seen.time - windows.time)[rows], later, atol=1e-9)


def test_gain_and_offset_of_the_samples_make_no_difference(windows):
    scaled = windows.replace(raw=(40 * windows.raw - 7).astype(np.float32))
    one, other = applied(windows, ALL), applied(scaled, ALL)
    np.testing.assert_allclose(one.ppg, other.ppg, atol=2e-3)


def test_all_beats_of_a_session_see_one_sensor(table):
    draw = draw_augmentation(table, ALL, seed=0).sensor
    for values in (draw.contact, draw.height, draw.coupling):
        assert (values.reshape(60, 3) == values[::3, None]).all()
    assert len({*draw.contact}) == 60
    assert len({*draw.seed}) == 180  # noise is new with each beat
    twice = table.take(np.repeat(np.arange(180), 2))  # the same beats on two days
    days = draw_augmentation(twice, ALL, seed=0).sensor.contact
    assert len({*days}) == 120


def test_refused_beats_stay_and_new_ones_say_why(windows):
    seen = applied(windows, Augmentation(Sensor.held_out()))
    old = ~windows.accepted
    assert (seen.reason[old] == windows.reason[old]).all()
    np.testing.assert_array_equal(seen.raw[old], windows.raw[old])
    assert ((seen.reason == "") == seen.accepted).all()
    assert seen.reference is windows.reference


def test_a_table_without_usable_beats_stays(table):
    none = refuse(table, [*range(180)])
    seen = applied(none, Augmentation(Sensor.clinic()))
    assert not seen.accepted.any()
    np.testing.assert_array_equal(seen.ppg, none.ppg)


# Cuffs


def test_errors_are_those_of_the_cuff():
    beats = make_people(4000, beats=1)
    seen = applied(beats, Augmentation(cuff=CuffModel.clinic()))
    assert seen.calibration == "cuff SBP/DBP"
    error = seen.cuff - beats.cuff
    # SBP -4 +- 7, DBP +4 +- 6 mmHg; four standard errors.
    np.testing.assert_allclose(error.mean(axis=0), [-4, 4], atol=0.45)
    np.testing.assert_allclose(error.std(axis=0), [7, 6], rtol=0.05)


def test_a_person_keeps_half_of_the_error():
    beats = make_people(2000, beats=2)
    error = applied(beats, Augmentation(cuff=CuffModel.clinic())).cuff - beats.cuff
    sbp = error[:, 0].reshape(2000, 2)
    assert np.corrcoef(sbp.T)[0, 1] == pytest.approx(0.5, abs=0.07)


def test_all_beats_of_a_reading_have_its_error():
    beats = make_people(20, beats=3)
    held = beats.cuff.reshape(20, 3, 2)[:, :1]
    beats = beats.replace(cuff=np.broadcast_to(held, (20, 3, 2)).reshape(60, 2))
    error = applied(beats, Augmentation(cuff=CuffModel.training())).cuff - beats.cuff
    assert np.ptp(error.reshape(20, 3, 2), axis=1).max() < 1e-9
    assert np.ptp(error[::3, 0]) > 5


def test_the_truth_is_read_where_it_is_known():
    beats = make_people(30, beats=1)
    truth = {"brachial_sbp": np.full(30, 130.0), "brachial_dbp": np.full(30, 70.0)}
    seen = applied(beats.replace(truth=truth), Augmentation(cuff=CuffModel.exact()))
    np.testing.assert_allclose(seen.cuff, [[130.0, 70.0]] * 30)


def test_only_a_wrist_is_high_or_low():
    beats = make_beats(40, per_subject=1)
    cuff = CuffModel(height_sd=5.0, least_pulse=0.0)
    draw = draw_augmentation(beats, Augmentation(cuff=cuff), seed=0)
    lost = beats.cuff - augment(beats, draw).cuff
    wrist = beats.cuff_site == "radial"
    np.testing.assert_allclose(lost[~wrist], 0.0, atol=1e-12)
    expected = COLUMN * draw.cuff.height[wrist]
    np.testing.assert_allclose(lost[wrist], np.stack([expected] * 2, 1), atol=1e-9)


def test_a_beat_before_the_first_reading_has_none():
    beats = make_people(10, beats=1)
    cuff = beats.cuff.copy()
    cuff[3] = np.nan
    seen = applied(beats.replace(cuff=cuff), Augmentation(cuff=CuffModel.clinic()))
    assert np.isnan(seen.cuff[3]).all()
    assert np.isfinite(np.delete(seen.cuff, 3, axis=0)).all()


def test_errors_of_a_cuff_are_not_laid_on_those_of_a_real_one():
    beats = make_people(30, beats=1, calibration="cuff SBP/DBP")
    settings = Augmentation(cuff=CuffModel.clinic())
    with pytest.raises(ProtocolError, match="come on top of its own"):
        draw_augmentation(beats, settings, seed=0)
    truth = {"brachial_sbp": np.full(30, 130.0), "brachial_dbp": np.full(30, 70.0)}
    virtual = beats.replace(truth=truth)
    once = applied(virtual, settings)
    twice = applied(once, settings)  # the truth is read again: errors do not add up
    np.testing.assert_array_equal(once.cuff, twice.cuff)
    line = beats.replace(calibration="invasive SBP/DBP")
    assert (applied(line, settings).cuff != line.cuff).any()
