"""The true aortic pressure, beside the beats that it belongs to."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.data.clinic.references import (
    HR_CHANGE,
    LEAST_BEATS,
    MAP_CHANGE,
    Pullback,
    arrival,
    change_between,
    pullback,
    simultaneous_waves,
    with_references,
)
from capnet.errors import RecordError
from capnet.records import Record
from capnet.signal.beats import beats_of
from tests.fakes.clinics import strip_of


@pytest.fixture(scope="module")
def strip():
    return strip_of()


def record_of(strip, *, ecg=True):
    channels = dict(strip.channels)
    channels["aortic"] = channels.pop("aortic_root")
    if not ecg:
        del channels["ecg"]
    return Record("virtual-0", channels)


@pytest.mark.parametrize("ecg", [True, False])
def test_each_beat_gets_its_own_aortic_wave(strip, ecg):
    """Held against the truth of the simulator, beat by beat."""
    record = record_of(strip, ecg=ecg)
    beats = beats_of(record)
    waves = simultaneous_waves(record, beats, aortic="aortic")
    good = np.isfinite(waves).all(axis=1) & beats.accepted
    assert good.mean() > 0.9
    true, root = strip.beats, strip.beats.row("aortic_root")
    # the beat whose flow began last before the pulse came to the finger
    row = np.searchsorted(true.onset, beats.time[good]) - 1
    np.testing.assert_allclose(
        waves[good].max(axis=1), true.systolic[root][row], atol=1
    )
    np.testing.assert_allclose(
        waves[good].min(axis=1), true.diastolic[root][row], atol=2.5
    )
    np.testing.assert_allclose(waves[good].mean(axis=1), true.mean[root][row], atol=2.5)


def test_with_and_without_an_ecg_the_waves_are_the_same(strip):
    both = []
    for ecg in (True, False):
        record = record_of(strip, ecg=ecg)
        beats = beats_of(record)
        both.append((beats.time, simultaneous_waves(record, beats, aortic="aortic")))
    (time, waves), (other, found) = both
    near = np.abs(time[:, None] - other).argmin(axis=1)
    same = np.abs(time - other[near]) < 0.02
    assert same.mean() > 0.9
    gap = waves[same] - found[near[same]]
    assert np.nanmax(np.abs(np.nanmean(gap, axis=1))) < 1.0


def test_a_reference_follows_the_pressure_and_nothing_else(strip):
    record = record_of(strip)
    beats = beats_of(record)
    waves = simultaneous_waves(record, beats, aortic="aortic")
    aorta = record.channels["aortic"]
    raised = replace(aorta, values=aorta.values + 10.0)
    light = record.channels["ppg"]
    inflated = replace(light, values=3.0 * light.values)
    other = replace(
        record, channels={**record.channels, "aortic": raised, "ppg": inflated}
    )
    found = simultaneous_waves(other, beats_of(other), aortic="aortic")
    np.testing.assert_allclose(found, waves + 10.0, atol=1e-6)


def test_a_pressure_that_no_artery_has_is_no_reference(strip):
    record = record_of(strip)
    beats = beats_of(record)
    aorta = record.channels["aortic"]
    low = replace(aorta, values=aorta.values / 7.5)  # kPa under the name of mmHg
    spoilt = replace(record, channels={**record.channels, "aortic": low})
    assert np.isnan(simultaneous_waves(spoilt, beats, aortic="aortic")).all()
    with pytest.raises(RecordError, match=r"'aortic'.*mean pressure is 1\d mmHg"):
        pullback(spoilt, aortic="aortic")
    volts = replace(record, channels={"aortic": replace(aorta, unit="mV")})
    with pytest.raises(RecordError, match="'mV', which is no unit of pressure"):
        pullback(volts, aortic="aortic")


def test_a_pullback_is_the_mean_beat(strip):
    record = record_of(strip)
    alone = replace(record, channels={k: record.channels[k] for k in ("ecg", "aortic")})
    found = pullback(alone, aortic="aortic")
    true, root = strip.beats, strip.beats.row("aortic_root")
    assert found.beats > 20
    assert found.mean == pytest.approx(true.mean[root].mean(), abs=0.5)
    assert found.hr == pytest.approx(60.0 / np.median(true.interval), rel=0.02)
    assert found.wave.max() == pytest.approx(true.systolic[root].mean(), abs=2.0)


def test_a_short_pullback_is_refused(strip):
    record = record_of(strip)
    few = {
        k: replace(s, values=s.values[: int(11 * s.sampling_rate)])
        for k, s in record.channels.items()
    }
    aorta = few["aortic"]
    gaps = np.where(aorta.times % 2.0 < 1.0, np.nan, aorta.values)
    few["aortic"] = replace(aorta, values=gaps)
    with pytest.raises(RecordError):
        pullback(replace(record, channels=few), aortic="aortic")
    assert LEAST_BEATS == 5


def pulled(strip):
    """A pullback: pressure and ECG alone."""
    record = record_of(strip)
    return replace(
        record, channels={k: record.channels[k] for k in ("ecg", "aortic", "abp")}
    )


def test_the_pulse_reaches_the_aorta_before_the_arm(strip):
    record = pulled(strip)
    aorta, arm = (arrival(record, name) for name in ("aortic", "abp"))
    assert 0.05 < aorta < arm - 0.03 < 0.3
    assert pullback(record, aortic="aortic").arrival == pytest.approx(aorta, abs=2e-3)
    assert np.isnan(arrival(record_of(strip, ecg=False), "aortic"))
    assert np.isnan(arrival(replace(record, sync="untrusted"), "aortic"))


def test_a_catheter_that_moved_is_no_reference(strip):
    """The second half is taken where the arm's line is."""
    record = pulled(strip)
    aorta, arm = record.channels["aortic"], record.channels["abp"]
    half = len(aorta.values) // 2
    both = np.concatenate([aorta.values[:half], arm.values[half:]])
    moved = {**record.channels, "aortic": replace(aorta, values=both)}
    with pytest.raises(RecordError, match="earlier or later in the second half"):
        pullback(replace(record, channels=moved), aortic="aortic")


def test_a_beat_out_of_turn_is_no_part_of_the_mean(strip):
    """Cut a third of a beat out: one interval is too short, and its wave is odd."""
    record = pulled(strip)
    whole = pullback(record, aortic="aortic")
    aorta, ecg = record.channels["aortic"], record.channels["ecg"]
    begin, less = 20.0, 0.4 * 60.0 / whole.hr

    def shortened(signal):
        first, last = (round(t * signal.sampling_rate) for t in (begin, begin + less))
        return replace(signal, values=np.delete(signal.values, np.s_[first:last]))

    cut = {"ecg": shortened(ecg), "aortic": shortened(aorta)}
    found = pullback(replace(record, channels=cut), aortic="aortic")
    assert whole.beats - 4 <= found.beats < whole.beats
    np.testing.assert_allclose(found.wave, whole.wave, atol=1.0)


@pytest.fixture(scope="module")
def beats(strip):
    return beats_of(record_of(strip))


def pullback_of(beats, *, hr=1.0, mean=0.0):
    good = beats.usable()
    level = float(np.nanmedian(good.waves["abp"].mean(axis=1)))
    wave = np.linspace(80.0, 120.0, 64)
    return Pullback(wave, 20, float(np.median(good.hr)) * hr, level + mean, 0.1)


def test_what_changed_is_stated(beats):
    change = change_between(pullback_of(beats, hr=0.95, mean=4.0), beats)
    assert change.reason == ""
    assert change.hr_share == pytest.approx(1 / 0.95 - 1)
    assert change.mean == pytest.approx(-4.0)


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_bounds_hold_on_both_sides(beats, sign):
    for size, refused in ((0.99, False), (1.01, True)):
        hr = 1.0 / (1.0 + sign * size * HR_CHANGE)
        told = change_between(pullback_of(beats, hr=hr), beats).reason
        assert ("heart rate" in told) == refused
        mean = sign * size * MAP_CHANGE
        told = change_between(pullback_of(beats, mean=mean), beats).reason
        assert ("mean pressure" in told) == refused


def test_without_an_accepted_beat_there_is_nothing_to_compare(beats):
    nobody = beats.take(np.zeros(len(beats), dtype=np.bool_))
    assert change_between(pullback_of(beats), nobody).reason == "no beat was accepted"


def test_whether_a_reference_is_simultaneous_stands_on_every_beat(beats):
    waves = np.full((len(beats), 64), 100.0)
    for flag in (True, False):
        made = with_references(beats, waves, "catheter", simultaneous=flag)
        assert made.reference_type == "catheter"
        assert {*made.truth["simultaneous"]} == {float(flag)}
