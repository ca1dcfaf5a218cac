import dataclasses

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics.pwdb import (
    PwdbQuality,
    PwdbWaves,
    load_pwdb_waves,
    pwdb_quality,
)
from capnet.hemodynamics.pwdb_clinic import pwdb_beats
from capnet.models.classical import Ridge

RATE = 500.0
PERIOD = np.array([0.8, 0.9, 1.0, 0.7])
DELAY = {"aortic_root": 0.01, "carotid": 0.03, "brachial": 0.065, "femoral": 0.1}
HEIGHT = {"aortic_root": 40.0, "carotid": 42.0, "brachial": 50.0, "femoral": 55.0}
N = len(PERIOD)


def _pulse(site, t):
    """Pressure t seconds after aortic inflow began, smooth and periodic, mmHg."""
    phase = ((t - DELAY[site]) / PERIOD[:, None]) % 1.0
    rise = np.where(phase < 0.2, np.sin(np.pi * phase / 0.4) ** 2, 0.0)
    fall = np.cos(np.pi * np.clip(phase - 0.2, 0.0, None) / 1.6) ** 2
    return 75.0 + HEIGHT[site] * np.where(phase < 0.2, rise, fall)


def _stored(site, start):
    """One beat from a time on, NaN after its end."""
    time = start[:, None] + np.arange(600) / RATE
    kept = np.arange(600) < np.round(PERIOD * RATE)[:, None]
    return np.where(kept, _pulse(site, time), np.nan)


def _waves(offset=0.0, sites=tuple(DELAY)):
    start = {site: np.full(N, DELAY[site] + offset) for site in sites}
    return PwdbWaves(
        index=np.array([3, 1, 8, 5]),
        sampling_rate=RATE,
        period=PERIOD,
        pressure={site: _stored(site, start[site]) for site in sites},
        flow=np.zeros((N, 600)),
        start=start,
        ppg={"digital": _stored("femoral", start["femoral"])},
        ppg_start={"digital": start["femoral"]},
    )


def _quality(**changed):
    zeros, no = np.zeros(N), np.zeros(N, dtype=np.bool_)
    given = {
        "index": np.array([1, 3, 5, 8]),
        "age": np.array([25.0, 35.0, 45.0, 55.0]),
        "mbp": np.full(N, 90.0),
        "settled": np.full(N, 90.0),
        "deficit": zeros,
        "root_mean": np.full(N, 90.0),
        "brachial_mean": np.full(N, 90.0),
        "earlier": no,
        "negative_distal": no,
    }
    return PwdbQuality(**(given | changed))


def test_a_row_is_one_person_from_foot_to_foot():
    beats = pwdb_beats(_waves(), _quality(), site="femoral")
    assert beats.subject.tolist() == ["pwdb-3", "pwdb-1", "pwdb-8", "pwdb-5"]
    assert beats.age.tolist() == [35.0, 25.0, 55.0, 45.0]
    assert beats.accepted.all()
    assert beats.calibration == "exact"
    assert beats.reference_type == "simulated"
    assert set(beats.waves) == {"femoral"}
    np.testing.assert_array_equal(beats.duration, PERIOD)
    np.testing.assert_allclose(beats.features["hr"], 60.0 / PERIOD)
    # the tangent meets the base at a fixed phase of this pulse, 0.2 (1/2 - 1/pi)
    foot = 0.2 * (0.5 - 1.0 / np.pi) * PERIOD
    steps = foot[:, None] + np.arange(64) / 64 * PERIOD[:, None]
    for site, wave in (
        ("aortic_root", beats.reference),
        ("femoral", beats.waves["femoral"]),
    ):
        np.testing.assert_allclose(wave, _pulse(site, DELAY[site] + steps), atol=0.15)
    np.testing.assert_allclose(beats.truth["ptt"], 0.09, atol=2e-4)


def test_the_cuff_reads_the_true_pressures_of_the_arm():
    beats = pwdb_beats(_waves(), _quality(), site="carotid")
    assert (beats.cuff_site == "brachial").all()
    np.testing.assert_allclose(beats.cuff, np.tile([125.0, 75.0], (N, 1)), atol=0.02)
    np.testing.assert_array_equal(beats.truth["brachial_sbp"], beats.cuff[:, 0])


def test_the_shape_is_in_pulse_heights():
    beats = pwdb_beats(_waves(), _quality(), site="carotid")
    wave = beats.waves["carotid"]
    assert (beats.ppg[:, 0] == 0).all()
    np.testing.assert_allclose(beats.ppg.max(axis=1), 1.0)
    height = wave.max(axis=1) - wave[:, 0]
    np.testing.assert_allclose(beats.ppg, (wave - wave[:, :1]) / height[:, None])


def test_the_ppg_can_be_that_of_another_site():
    shape = pwdb_beats(_waves(), _quality(), site="femoral").ppg
    beats = pwdb_beats(_waves(), _quality(), site="carotid", ppg="digital")
    np.testing.assert_allclose(beats.ppg, shape)
    with pytest.raises(ConfigError, match="no PPG at 'radial'; there is at digital"):
        pwdb_beats(_waves(), _quality(), site="carotid", ppg="radial")


def test_it_does_not_matter_where_the_stored_beat_begins():
    straight = pwdb_beats(_waves(), _quality(), site="brachial")
    for offset in (-0.05, 0.026, 0.3):
        moved = pwdb_beats(_waves(offset), _quality(), site="brachial")
        np.testing.assert_allclose(moved.reference, straight.reference, atol=1e-6)
        np.testing.assert_allclose(moved.ppg, straight.ppg, atol=1e-6)
        np.testing.assert_allclose(moved.truth["ptt"], straight.truth["ptt"], atol=1e-9)


def test_who_is_not_sound_is_left_out():
    low = np.array([90.0, 90.0, 80.0, 90.0])
    beats = pwdb_beats(_waves(), _quality(root_mean=low), site="carotid")
    assert beats.subject.tolist() == ["pwdb-3", "pwdb-1", "pwdb-8"]
    earlier = np.array([True, False, False, False])
    beats = pwdb_beats(_waves(), _quality(earlier=earlier), site="carotid")
    assert beats.subject.tolist() == ["pwdb-3", "pwdb-8", "pwdb-5"]
    with pytest.raises(RecordError, match="none of 4 people has sound waves"):
        pwdb_beats(_waves(), _quality(root_mean=low - 20), site="carotid")


def test_a_wave_without_a_foot_is_refused_with_its_reason():
    waves = _waves()
    flat = {k: v.copy() for k, v in waves.pressure.items()}
    flat["carotid"][1] = np.where(np.isfinite(flat["carotid"][1]), 80.0, np.nan)
    beats = pwdb_beats(
        dataclasses.replace(waves, pressure=flat), _quality(), site="carotid"
    )
    assert beats.reason.tolist() == ["", "no foot of the carotid pulse", "", ""]
    assert np.isnan(beats.ppg[1]).all()
    flat["carotid"][1] = np.nan
    with pytest.raises(RecordError, match="subject 1 has a wave without any sample"):
        pwdb_beats(
            dataclasses.replace(waves, pressure=flat), _quality(), site="carotid"
        )


def test_unknown_sites_and_people_are_named():
    with pytest.raises(ConfigError, match="no pressure at 'radial'; there is at aort"):
        pwdb_beats(_waves(), _quality(), site="radial")
    few = _waves(sites=("aortic_root", "carotid", "femoral"))
    with pytest.raises(ConfigError, match="no pressure at 'brachial'"):
        pwdb_beats(few, _quality(), site="carotid")
    other = _quality(index=np.array([1, 3, 5, 9]))
    with pytest.raises(RecordError, match=r"waves of subject 8 \(1 such"):
        pwdb_beats(_waves(), other, site="carotid")


@pytest.mark.data
def test_the_real_database_is_nearly_linear(shared_data):
    folder = shared_data / "pwdb"
    waves = load_pwdb_waves(folder)
    chosen = waves.index[::4].tolist()
    waves, quality = load_pwdb_waves(folder, chosen), pwdb_quality(folder, chosen)
    table = {s: pwdb_beats(waves, quality, site=s) for s in ("carotid", "brachial")}
    for beats in table.values():
        assert len(beats) == 581
        assert beats.accepted.all()
        # PWDB's own feet (the stored beats) begin at the same place to some ms
        assert (beats.truth["ptt"] > 0.005).all()
    ptt = {site: 1e3 * beats.truth["ptt"].mean() for site, beats in table.items()}
    assert 17 < ptt["carotid"] < 20
    assert 52 < ptt["brachial"] < 60
    beats = table["brachial"]
    train, test = np.arange(581) % 4 > 0, np.arange(581) % 4 == 0
    error = Ridge("brachial").fit(beats.take(train)).waves(beats.take(test))
    error = error - beats.take(test).reference
    assert np.sqrt((error**2).mean(axis=1)).mean() < 0.35
    young, old = beats.age <= 45, beats.age >= 65
    error = Ridge("brachial").fit(beats.take(young)).waves(beats.take(old))
    error = error - beats.take(old).reference
    assert 0.5 < np.sqrt((error**2).mean(axis=1)).mean() < 3.0
