"""Trains: continuous, as asked for, the same however they are made."""

import dataclasses

import numpy as np
import pytest
from matplotlib.figure import Figure

from capnet.errors import ConfigError, ShapeError, UnitError
from capnet.hemodynamics.catheters import Catheter
from capnet.hemodynamics.episodes import Episode, Vasomotion, draw_episodes
from capnet.hemodynamics.linear import LinearSolver
from capnet.hemodynamics.rhythm import Respiration, Rhythm
from capnet.hemodynamics.sensors import Sensor
from capnet.hemodynamics.spectra import evaluate
from capnet.hemodynamics.trains import Train
from capnet.signal.beats import beats_of
from capnet.signal.feet import pulse_feet
from capnet.units import MMHG
from tests.hemodynamics.people import textbook

CALM = {
    "rhythm": Rhythm.regular(),
    "respiration": Respiration.held(),
    "vasomotion": Vasomotion.none(),
}
FINE = {"aortic_root": 500.0, "radial": 500.0, "ppg": 500.0}
MONITOR = {"ecg": 250.0, "ppg": 100.0, "abp": 125.0, "aortic_root": 125.0}


@pytest.fixture(scope="module")
def people():
    return textbook((30.0, 60.0))


@pytest.fixture(scope="module")
def train(people):
    often = dataclasses.replace(Rhythm(), ectopic_rate=(200.0, 200.0))
    return Train.draw(people, seed=5, rhythm=often, threads=1)


def _mean(strip, site="aortic_root"):
    beats = strip.beats
    gap = np.diff(beats.onset)
    return (beats.mean[beats.row(site)][:-1] * gap).sum() / gap.sum()


@pytest.mark.parametrize("row", [0, 1])
def test_a_regular_train_is_the_solvers_periodic_wave(people, row):
    train = Train.draw(people, seed=0, threads=1, **CALM)
    strip = train.strip(row, duration=3.0, rates=FINE)
    found = LinearSolver(order=1, harmonics=60).solve(people, ("aortic_root", "radial"))
    late = strip.channels["radial"].times - strip.beats.onset[0]
    for k, site in enumerate(found.sites):
        wave = evaluate(
            found.pressure[row : row + 1, k],
            period=found.period[row : row + 1],
            times=late[None],
        )[0]
        error = strip.channels[site].values - wave / MMHG
        assert np.sqrt(np.mean(error**2)) < 0.1


def test_a_record_does_not_depend_on_its_strips(people):
    train = Train.draw(
        people, seed=1, sensor=Sensor.clinic(), catheter=Catheter(), threads=1
    )
    whole = train.strip(1, duration=90.0, rates=MONITOR)
    cut = list(train.strips(1, duration=90.0, rates=MONITOR, strip=13.37))
    joined = type(whole).concatenate(cut)
    for name, signal in whole.channels.items():
        np.testing.assert_array_equal(signal.values, joined.channels[name].values)
        assert signal.start == joined.channels[name].start == 0.0
        assert signal.values.dtype == np.float32
        assert len(signal.values) == round(90.0 * MONITOR[name])
    for name, values in vars(whole.beats).items():
        np.testing.assert_array_equal(values, getattr(joined.beats, name))
    assert np.isfinite(whole.channels["ppg"].values).all()


def test_no_piece_is_without_a_sample(train):
    asked = {"duration": 3.0, "rates": {"abp": 100.0, "aortic_root": 1.0}}
    parts = list(train.strips(0, **asked, strip=1.3))
    assert [len(p.channels["aortic_root"].values) for p in parts] == [2, 1]
    assert sum(len(p.channels["abp"].values) for p in parts) == 300


def test_a_record_does_not_depend_on_threads_or_company(people, train):
    def read(strip):
        return strip.channels["aortic_root"].values

    asked = {"duration": 20.0, "rates": {"aortic_root": 100.0}}
    one = list(train.each(read, threads=1, **asked))
    two = list(train.each(read, threads=2, **asked))
    np.testing.assert_array_equal(one, two)
    last = people.take(np.array([1]))
    often = dataclasses.replace(Rhythm(), ectopic_rate=(200.0, 200.0))
    alone = Train.draw(last, seed=5, rhythm=often, threads=1)
    np.testing.assert_allclose(read(alone.strip(0, **asked)), one[1], atol=1e-3)


def test_nothing_jumps_where_beats_meet(train):
    """The curvature at an onset is that of a wave, as anywhere else."""
    strip = train.strip(0, duration=120.0, rates=FINE)
    beats = strip.beats
    for name in ("aortic_root", "radial"):
        signal = strip.channels[name]
        bend = np.abs(np.diff(signal.values, 2))
        joint = np.zeros(len(bend), dtype=np.bool_)
        # transients begin 60 ms before the onset of flow
        at = np.round((beats.onset - 0.06) * signal.sampling_rate).astype(int)
        for step in (-2, -1, 0):
            joint[np.clip(at + step, 0, len(bend) - 1)] = True
        assert bend[joint].max() < 0.5 * bend[~joint].max()
        assert bend[joint].max() < 0.3


def test_mean_pressure_is_flow_through_resistance(people):
    """Over minutes, however irregular: what is pumped must run off."""
    train = Train.draw(
        *(people,), seed=2, threads=1, respiration=Respiration.held(),
        vasomotion=Vasomotion.none(),
    )  # fmt: skip
    strip = train.strip(0, duration=300.0, rates={"aortic_root": 10.0})
    beats, answers = strip.beats, train.transients
    output = beats.volume[:-1].sum() / (beats.onset[-1] - beats.onset[0])
    rest = answers.sv[0] / answers.interval[0]
    regular = Train.draw(people, seed=2, threads=1, **CALM)
    usual = _mean(regular.strip(0, duration=60.0, rates={"aortic_root": 10.0}))
    wanted = answers.outflow[0] + (usual - answers.outflow[0]) * output / rest
    assert _mean(strip) == pytest.approx(wanted, abs=0.3)


def test_feet_and_levels_are_those_of_the_clean_wave(train):
    strip = train.strip(1, duration=60.0, rates=FINE)
    beats = strip.beats
    for name in ("aortic_root", "radial", "ppg"):
        wave = strip.channels[name].values
        inner = np.flatnonzero((beats.onset > 1.0) & (beats.onset < 58.0))
        first = np.floor((beats.onset[inner] - 0.25) * 500.0).astype(int)
        rows = wave[first[:, None] + np.arange(350)].astype(np.float64)
        after = beats.onset[inner] * 500.0 - first
        found = pulse_feet(rows, after, sampling_rate=500.0, earliest=0.0, latest=0.32)
        true = beats.foot[beats.row(name)][inner]
        gap = (first + found) / 500.0 - true
        assert np.isfinite(gap).mean() > 0.95
        assert np.nanmax(np.abs(gap)) < 2.5e-3
        assert np.nanmedian(np.abs(gap)) < 5e-4
    root = strip.channels["aortic_root"].values
    k = len(beats) // 2
    begin, end = (round(t * 500.0) for t in beats.onset[k : k + 2])
    row = beats.row("aortic_root")
    assert root[begin:end].max() == pytest.approx(beats.systolic[row, k], abs=0.05)
    assert root[begin - 20 : begin + 20].min() == pytest.approx(
        beats.diastolic[row, k], abs=0.05
    )


def test_an_ectopic_beat_is_weak_and_the_next_one_strong(train):
    beats = train.strip(0, duration=600.0, rates={"abp": 100.0}).beats
    odd = np.flatnonzero(beats.ectopic[1:-1]) + 1
    assert len(odd) > 10
    usual = np.median(beats.volume)
    assert beats.volume[odd].mean() < 0.75 * usual
    assert beats.volume[odd + 1].mean() > 1.05 * usual
    line = beats.row("radial")
    assert (beats.systolic[line, odd] < np.median(beats.systolic[line])).all()
    assert (beats.label[odd] == "V").all()
    assert (beats.onset > beats.r_peak + 0.03 - 1e-9).all()


def test_episodes_move_pressure_as_flow_and_resistance_do(people):
    drug = Episode("drug", 60.0, 200.0, 30.0, 30.0, 0.9, 1.1, 1.3, spread=0.0)
    train = Train.draw(people, seed=3, episodes=[drug], threads=1, **CALM)
    beats = train.strip(0, duration=250.0, rates={"abp": 50.0}).beats
    pressure = beats.mean[0]
    before, during = beats.onset < 55.0, beats.onset > 150.0
    np.testing.assert_allclose(beats.tone[during], 1.3, rtol=1e-9)
    outflow = train.transients.outflow[0]
    factor = (pressure[during] - outflow).mean() / (pressure[before] - outflow).mean()
    assert factor == pytest.approx(0.9 * 1.1 * 1.3, rel=0.01)
    pace = np.diff(beats.onset[during]).mean() / np.diff(beats.onset[before]).mean()
    assert pace == pytest.approx(1.0 / 0.9, rel=1e-6)
    # stiffer, so that the pulse is faster
    way = beats.foot[beats.row("radial")] - beats.foot[0]
    assert way[during].mean() < way[before].mean() - 1e-3


# mean pressure as a part of that at rest, from the docstrings; mmHg of peripheral and
# central systolic pressure, which must at least have the sign
SIZES = [
    (Episode.exercise, 0.11, 20.0, 12.0),
    (Episode.cold_pressor, 0.175, 15.0, 15.0),
    (Episode.vasopressor, 1.0 / 6.0, 15.0, 15.0),
    (Episode.nitroglycerin, -0.1, -13.0, -12.0),
    (Episode.sleep, -0.1, -7.0, -8.0),
]


@pytest.fixture(scope="module")
def calm(people):
    return Train.draw(people, seed=3, threads=1, **CALM)


@pytest.mark.parametrize(("kind", "mean", "arm", "aorta"), SIZES)
def test_episodes_move_central_and_peripheral_pressure(calm, kind, mean, arm, aorta):
    times = {"duration": 150.0, "rise": 20.0, "fall": 20.0}
    episode = dataclasses.replace(kind(20.0, 5000.0), **times, spread=0.0)
    drawn = draw_episodes([episode], 2, np.random.default_rng(0))
    train = dataclasses.replace(calm, episodes=drawn)
    for row in range(2):
        beats = train.strip(row, duration=160.0, rates={"abp": 50.0}).beats
        before, during = beats.onset < 18.0, beats.onset > 120.0
        rest, now = (beats.mean[0][part].mean() for part in (before, during))
        assert now / rest - 1.0 == pytest.approx(mean, abs=0.015)
        for site, wanted in (("radial", arm), ("aortic_root", aorta)):
            top = beats.systolic[beats.row(site)]
            moved = top[during].mean() - top[before].mean()
            assert moved == pytest.approx(wanted, abs=6.0)
            assert np.sign(moved) == np.sign(wanted)
        rate = beats.interval[before].mean() / beats.interval[during].mean()
        assert rate == pytest.approx(episode.hr, rel=1e-3)
        # what a finger holds on average stays within what a sensor can see
        level = beats.mean[-1]
        assert level[during].mean() == pytest.approx(level[before].mean(), abs=0.08)


def test_vasomotion_moves_pressure_as_much_as_resistance(people):
    waves = Vasomotion(mayer=(0.0, 0.0), slow=(0.03, 0.03))
    steady = CALM | {"vasomotion": waves}
    train = Train.draw(people, seed=8, threads=1, **steady)
    beats = train.strip(0, duration=1200.0, rates={"abp": 10.0}).beats
    excess = beats.mean[0] - train.transients.outflow[0]
    assert np.log(beats.tone).std() == pytest.approx(0.03, rel=0.25)
    swing, tone = np.log(excess), np.log(beats.tone)
    assert np.corrcoef(swing[2:], tone[:-2])[0, 1] > 0.9
    assert swing.std() == pytest.approx(tone.std(), rel=0.15)


@pytest.mark.parametrize(
    "episodes",
    [[], [Episode.cold_pressor(-100.0, 400.0)], [Episode.exercise(20.0, 400.0)]],
    ids=["rest", "cold", "exercise"],
)
def test_the_signal_room_accepts_sinus_beats_and_refuses_ectopic_ones(people, episodes):
    """The road of a real record: R peaks, feet, gate, pressure of the line."""
    train = Train.draw(
        people, seed=10, rhythm=Rhythm(ectopic_rate=(120.0, 120.0)), episodes=episodes,
        sensor=Sensor.clinic(), catheter=Catheter(), threads=1,
    )  # fmt: skip
    rates = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}
    for row in range(2):
        strip = train.strip(row, duration=150.0, rates=rates)
        true, found = strip.beats, beats_of(strip.record())
        gap = np.abs(found.features["r_peak"][:, None] - true.r_peak)
        which = gap.argmin(axis=1)
        assert gap.min(axis=1).max() < 8e-3
        # an ectopic beat within 0.3 s escapes the detector, a sinus beat at the ends
        missed = np.setdiff1d(np.arange(2, len(true) - 2), which)
        assert true.ectopic[missed].all()
        following = np.minimum(which + 1, len(true) - 1)
        odd = true.ectopic[which] | true.ectopic[following]
        # the one after an ectopic beat begins late and is large
        clean = ~odd & ~true.ectopic[np.maximum(which - 1, 0)]
        assert odd.sum() >= 4
        assert found.accepted[clean].mean() > 0.97
        assert not found.accepted[odd].any()
        line = found.waves["abp"][clean]
        systolic = line.max(axis=1) - true.systolic[1][which[clean]]
        assert np.isfinite(systolic).mean() > 0.97
        # a line adds its offset and rings, for everybody alike
        assert np.nanstd(systolic) < 2.0


def test_respiration_moves_pressure_and_the_baseline(people):
    chest = Respiration(
        *((0.25, 0.25), (0.0, 0.0), (0.0, 0.0)),
        thoracic=(2.0, 2.0),
        baseline=(0.2, 0.2),
    )
    steady = {"rhythm": Rhythm.regular(), "vasomotion": Vasomotion.none()}
    moved = Train.draw(people, seed=4, respiration=chest, threads=1, **steady)
    held = dataclasses.replace(
        moved,
        respiration=dataclasses.replace(
            moved.respiration, thoracic=np.zeros(2), baseline=np.zeros(2)
        ),
    )
    asked = {"duration": 40.0, "rates": {"aortic_root": 50.0, "ppg": 50.0}}
    with_, without = moved.strip(0, **asked), held.strip(0, **asked)
    for name, size in (("aortic_root", 2.0), ("ppg", 0.2)):
        apart = with_.channels[name].values - without.channels[name].values
        assert apart.std() * 2.0**0.5 == pytest.approx(size, rel=0.01)
        # pressure falls with inspiration, the first half of a cycle
        turns = 0.25 * with_.channels[name].times + moved.respiration.phase[0]
        sign = np.corrcoef(apart, np.sin(2.0 * np.pi * turns))[0, 1]
        assert sign * (1.0 if name == "ppg" else -1.0) > 0.99


def test_a_strip_becomes_a_record_a_figure_and_a_file(train, tmp_path):
    strip = train.strip(0, duration=12.0, rates=MONITOR)
    record = strip.record()
    assert set(record.channels) == {"ecg", "ppg", "abp"}
    assert record.signal("abp").unit == "mmHg"
    assert record.signal("ppg").sampling_rate == 100.0
    assert record.age == 30.0
    assert isinstance(strip.plot(), Figure)
    assert "beats" in repr(strip)
    assert "sdnn" in repr(train)
    strip.save(tmp_path / "strip.npz")
    with np.load(tmp_path / "strip.npz", allow_pickle=False) as file:
        np.testing.assert_array_equal(
            file["channel_abp"], record.channels["abp"].values
        )
        np.testing.assert_array_equal(file["beat_foot"], strip.beats.foot)
    same = train.record(0, duration=12.0, rates=MONITOR)
    np.testing.assert_array_equal(
        same.channels["ecg"].values, record.channels["ecg"].values
    )


def test_pressure_is_had_at_any_site_and_comes_later_further_away(people):
    sites = ("carotid", "brachial", "digital", "femoral")
    train = Train.draw(people, seed=6, sites=sites, threads=1)
    strip = train.strip(0, duration=20.0, rates=dict.fromkeys(sites, 100.0))
    assert strip.beats.sites == ("aortic_root", "radial", *sites, "ppg")
    way = (strip.beats.foot - strip.beats.foot[0]).mean(axis=1)
    arm = [strip.beats.row(s) for s in ("aortic_root", "brachial", "radial", "digital")]
    assert (np.diff(way[arm]) > 5e-3).all()
    assert way[strip.beats.row("femoral")] > way[strip.beats.row("carotid")] > 0.0
    last = strip.beats.row("digital")
    wave = strip.channels["digital"].values
    assert wave.max() == pytest.approx(strip.beats.systolic[last].max(), abs=0.5)


def test_what_cannot_be_is_refused(people, train):
    with pytest.raises(ConfigError, match="channel 'carotid'"):
        train.strip(0, duration=5.0, rates={"carotid": 100.0})
    with pytest.raises(UnitError, match="sampling rate"):
        train.strip(0, duration=5.0, rates={"ppg": 0.0})
    for row in (7, -1):
        with pytest.raises(ConfigError, match=f"person {row}"):
            train.strips(row, duration=5.0, rates={"ppg": 100.0})
    with pytest.raises(ConfigError, match="at least one channel"):
        train.strip(0, duration=5.0, rates={})
    with pytest.raises(ConfigError, match="wanted more than 0"):
        train.strip(0, duration=-1.0, rates={"ppg": 100.0})
    with pytest.raises(ConfigError, match="wanted one of ecg"):
        train.record(0, duration=1e12, rates={"aortic_root": 100.0})
    with pytest.raises(ShapeError, match="rhythm is of 1 people"):
        dataclasses.replace(train, rhythm=train.rhythm.take(np.arange(1)))
    with pytest.raises(ConfigError, match="seed -1"):
        Train.draw(people, seed=-1)
