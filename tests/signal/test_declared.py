from dataclasses import replace

import numpy as np
import pytest

from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.episodes import Episode
from capnet.hemodynamics.trains import Train
from capnet.records import Record
from capnet.signal.declared import implausible
from capnet.signal.faults import look_at
from capnet.signal.windows import judge_windows
from tests.signal.trains import made, virtual

KINDS = ("ecg", "ppg", "abp")


def told(record):
    verdicts = judge_windows(record)
    return dict(zip(verdicts.channels, verdicts.record_reason.tolist(), strict=True))


def declared(record, factor, kinds):
    changed = {
        k: replace(s, sampling_rate=s.sampling_rate * (factor if k in kinds else 1.0))
        for k, s in record.channels.items()
    }
    return replace(record, channels=changed)


@pytest.mark.parametrize("row", range(3))
def test_people_are_what_they_are(row):
    record = virtual()[row].record()
    assert set(told(record).values()) == {""}
    for kind in KINDS:
        alone = replace(record, channels={kind: record.channels[kind]})
        assert told(alone) == {kind: ""}


@pytest.mark.parametrize("factor", [2.0, 0.5])
@pytest.mark.parametrize("kinds", [("ecg",), ("ppg",), ("abp",), KINDS])
def test_a_wrong_rate_is_told_of_the_right_channel(factor, kinds):
    for strip in virtual():
        found = told(declared(strip.record(), factor, kinds))
        wanted = {kind: "wrong rate" if kind in kinds else "" for kind in KINDS}
        assert found == wanted


def test_a_rate_no_ecg_has_is_wrong_without_looking():
    record = virtual()[0].record()
    slow = declared(record, 0.38, ("ecg",))
    assert told(slow)["ecg"] == "wrong rate"


@pytest.mark.parametrize(
    "turn", [(1, 0, 2), (2, 1, 0), (0, 2, 1), (1, 2, 0), (2, 0, 1)]
)
def test_swapped_channels_are_told(turn):
    record = virtual()[1].record()
    signals = [record.channels[kind] for kind in KINDS]
    swapped = {
        kind: replace(signals[turn[k]], unit=signals[k].unit)
        for k, kind in enumerate(KINDS)
    }
    found = told(Record("swapped", swapped))
    for k, kind in enumerate(KINDS):
        rightly = {""} if turn[k] == k else {"swapped", "implausible pressure"}
        assert found[kind] in rightly


def test_units_count_for_a_pressure_alone():
    record = virtual()[0].record()
    abp = record.channels["abp"]
    kilo = replace(abp, values=0.133322 * abp.values)
    lying = replace(record, channels=dict(record.channels) | {"abp": kilo})
    assert told(lying)["abp"] == "implausible pressure"
    honest = replace(kilo, unit="kPa")
    said = replace(record, channels=dict(record.channels) | {"abp": honest})
    assert told(said)["abp"] == ""


def test_limits_of_pressure():
    wave = made(8.0, rate=125.0).reshape(1, -1)
    wave = (wave - wave.min()) / np.ptp(wave)
    for low, height, wrong in [
        (80.0, 40.0, False),
        (80.0, 10.0, True),
        (5.0, 40.0, True),
        (180.0, 100.0, True),
    ]:
        look = look_at(low + height * wave, rate=125.0, kind="pulse")
        assert implausible(look)[0] == wrong


def test_exercise_is_no_wrong_rate_and_a_wrong_rate_is_told_in_exercise():
    train = Train.draw(
        Cohort.sample(3, seed=41),
        seed=41,
        episodes=(Episode.exercise(10.0, 90.0),),
    )
    rates = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}
    for row in range(3):
        record = train.strip(row, duration=100.0, rates=rates).record()
        assert set(told(record).values()) == {""}
        two = {k: record.channels[k] for k in ("ppg", "abp")}
        assert set(told(replace(record, channels=two)).values()) == {""}
        for kind in KINDS:
            found = told(declared(record, 2.0, (kind,)))
            wanted = {k: "wrong rate" if k == kind else "" for k in KINDS}
            assert found == wanted
