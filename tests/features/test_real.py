"""Features of people: times from given fiducials, the table of a real record."""

import numpy as np
import pytest

from capnet.data.readers.wfdb import read_wfdb
from capnet.features import FEATURES, feature_table, pre_ejection
from capnet.records import Record
from capnet.signal.transit import pulse_arrival, pulse_transit

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def events(shared_data):
    """One table an event of a person, times in s."""
    pd = pytest.importorskip("pandas")
    path = shared_data / "ptt_beats" / "beats.csv.gz"
    if not path.is_file():
        pytest.skip(f"no {path}")
    beats = pd.read_csv(path)
    columns = [name for name in beats if name.endswith("_ms")]
    beats[columns] /= 1e3
    return [part for _, part in beats.groupby(["subject", "event_no"])]


def of(part, name):
    return part[f"{name}_ms"].to_numpy()


@pytest.mark.parametrize(
    ("site", "mean", "spread"),
    [("finger", 231, 26), ("ear", 122, 26), ("toe", 232, 30)],
)
def test_arrival_times_of_fifteen_people(events, site, mean, spread):
    """What the data's description gives, to half of the spread that it gives.

    It has a spread for the finger alone; the others are what these data have.
    """
    found = [
        pulse_arrival(of(part, "ecg_R"), of(part, f"ppg_{site}_foot"))
        for part in events
    ]
    ms = 1e3 * np.concatenate([transit.seconds for transit in found])
    reasons = np.concatenate([transit.reason for transit in found])
    assert ((reasons == "") == np.isfinite(ms)).all()
    assert np.nanmean(ms) == pytest.approx(mean, abs=0.5 * spread)
    assert np.nanstd(ms) == pytest.approx(spread, abs=6.0)


def test_the_heart_takes_65_ms_to_open_its_valve(events):
    found = [pre_ejection(of(part, "ecg_R"), of(part, "icg_Bpoint")) for part in events]
    seconds = np.concatenate([one.seconds for one in found])
    reasons = np.concatenate([one.reason for one in found])
    assert 1e3 * np.nanmedian(seconds) == pytest.approx(65.0, abs=5.0)
    assert (reasons == "implausible").any()
    assert ((reasons == "") == np.isfinite(seconds)).all()


def test_the_toe_is_further_than_the_finger_and_that_than_the_ear(events):
    medians = []
    for near, far in [("ear", "finger"), ("ear", "toe")]:
        found = [
            pulse_transit(of(part, f"ppg_{near}_foot"), of(part, f"ppg_{far}_foot"))
            for part in events
        ]
        medians.append(np.nanmedian(np.concatenate([one.seconds for one in found])))
    assert 0.08 < medians[0] < medians[1] < 0.14


def test_pulses_arrive_earlier_at_higher_pressure(events):
    by_person = {}
    for part in events:
        found = pulse_arrival(of(part, "ecg_R"), of(part, "ppg_finger_foot"))
        rows = np.stack([found.seconds, part["sbp_mmHg"].to_numpy()])
        by_person.setdefault(part["subject"].iloc[0], []).append(rows)
    correlation = []
    for rows in by_person.values():
        both = np.concatenate(rows, axis=1)
        both = both[:, np.isfinite(both).all(axis=0)]
        correlation.append(np.corrcoef(both)[0, 1])
    assert len(correlation) == 15
    assert np.median(correlation) < -0.2


def test_the_table_of_a_patient(shared_data):
    header = shared_data / "wfdb_sample" / "mixedsignals.hea"
    if not header.is_file():
        pytest.skip(f"no {header}")
    table = feature_table(read_wfdb(header.with_suffix("")))
    accepted = table[table["accepted"]]
    assert len(accepted) > 0.9 * len(table)
    for group in FEATURES.groups:
        lacking = table[FEATURES.of_group(group)].isna().any(axis=1)
        assert (lacking == (table[f"{group}_reason"] != "")).all()
    counted = 60.0 * len(table) / (table["time"].iloc[-1] - table["time"].iloc[0])
    assert accepted["hr"].median() == pytest.approx(counted, rel=0.05)
    # Given with the data: ABP 79 to 162 mmHg.
    assert 79.0 < accepted["dbp"].median() < accepted["sbp"].median() < 162.0
    assert accepted["notch_time"].notna().mean() > 0.95


def minutes(table):
    return table.groupby(table["time"] // 60.0)[
        ["respiration", "respiration_channel"]
    ].first()


def test_breaths_of_a_ventilated_patient_are_read(shared_data):
    """Six breaths a minute, clipped by the monitor; counted by eye in its channel."""
    header = shared_data / "wfdb_sample" / "mixedsignals.hea"
    if not header.is_file():
        pytest.skip(f"no {header}")
    found = minutes(feature_table(read_wfdb(header.with_suffix(""))))
    assert len(found) == 4
    np.testing.assert_allclose(found["respiration_channel"], 6.2, atol=0.5)
    known = found["respiration"].dropna()
    assert len(known) >= 2
    np.testing.assert_allclose(known, found["respiration_channel"][known.index], atol=1)


def test_respiration_from_pulses_and_hearts_is_that_of_the_chest(shared_data):
    pd = pytest.importorskip("pandas")
    path = shared_data / "bidmc_sample" / "bidmc_01_Signals.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    record = Record.from_frame(
        pd.read_csv(path, skipinitialspace=True),
        sampling_rate=125.0,
        units={"II": "mV", "PLETH": "NU", "RESP": "NU"},
        subject="bidmc_01",
    )
    table = feature_table(record)
    found = minutes(table)
    assert found["respiration_channel"].between(20.0, 23.0).all()
    known = found["respiration"].dropna()
    assert len(known) >= 4
    np.testing.assert_allclose(known, found["respiration_channel"][known.index], atol=1)
    # Premature beats are few, and do not belong to sinus rhythm.
    assert table["sdnn"].max() < 12.0
    assert table["nn_share"].min() > 0.9


def test_a_good_ecg_beside_a_bad_pulse_has_variability(shared_data):
    header = shared_data / "wfdb_sample" / "a103l.hea"
    if not header.is_file():
        pytest.skip(f"no {header}")
    table = feature_table(read_wfdb(header.with_suffix("")))
    first = table[table["time"] < 300.0]
    assert first["sdnn"].between(3.0, 10.0).all()
