"""The table: the same columns always, NaN exactly where there is a reason."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import CapnetError, ConfigError, RecordError
from capnet.features import (
    FEATURES,
    feature_table,
    feature_tables,
    features_of,
    to_xarray,
)
from capnet.features.table import IDENTITY
from capnet.hemodynamics.cohort import Cohort
from capnet.hemodynamics.oximetry import ratio_of_saturation, transmit
from capnet.hemodynamics.rhythm import Rhythm
from capnet.hemodynamics.trains import Train
from capnet.records import Beats, Record, Signal
from capnet.signal.beats import beats_of
from capnet.signal.transit import pulse_arrival

COLUMNS = [*IDENTITY, *FEATURES.columns()]
RATES = {"ecg": 250.0, "ppg": 125.0, "abp": 125.0}


def beats(rr, accepted=None, subject="a", pat=0.25):
    n = len(rr)
    accepted = np.ones(n, dtype=bool) if accepted is None else accepted
    rr = np.asarray(rr, dtype=float)
    return Beats(
        subject=np.full(n, subject),
        beat=np.arange(n),
        time=np.cumsum(rr) - rr,
        duration=rr,
        ppg=np.zeros((n, 64)),
        age=np.full(n, np.nan),
        cuff=np.full((n, 2), np.nan),
        cuff_site=np.full(n, "brachial"),
        calibration="none",
        accepted=accepted,
        reason=np.where(accepted, "", "flat"),
        features={"rr": rr, "pat": np.full(n, pat)},
    )


def part(record, start, stop):
    """What a recorder would have written between two moments."""
    channels = {}
    for name, signal in record.channels.items():
        low, high = (
            round((t - signal.start) * signal.sampling_rate) for t in (start, stop)
        )
        channels[name] = Signal(
            signal.values[low:high],
            signal.sampling_rate,
            signal.unit,
            signal.start + low / signal.sampling_rate,
        )
    return Record(record.subject, channels)


@pytest.fixture(scope="module")
def strip():
    """A virtual person's 11 minutes."""
    train = Train.draw(Cohort.sample(2, seed=4), seed=9, rhythm=Rhythm())
    return train.strip(0, duration=660.0, rates=RATES)


@pytest.fixture(scope="module")
def record(strip):
    """The same with an icg and two colours of light, and a hole in the ppg."""
    channels = dict(strip.record().channels)
    ppg = channels["ppg"]
    height = np.ptp(ppg.values[1000:5000])
    volume = (ppg.values - ppg.values.min())[None] / height
    light = transmit(
        volume.astype(np.float64),
        saturation=np.array([[0.9]]),
        perfusion=np.array([0.02]),
    )
    time = np.arange(len(channels["ecg"].values)) / 250.0
    c_wave = strip.beats.r_peak + 0.07 + 0.03 * np.sqrt(3.0)
    dzdt = np.zeros(len(time))
    for at in c_wave:
        near = slice(max(round((at - 0.3) * 250), 0), max(round((at + 0.3) * 250), 0))
        dzdt[near] += np.exp(-0.5 * ((time[near] - at) / 0.03) ** 2)
    holed = ppg.values.astype(np.float64)
    holed[(200 * 125) : (204 * 125)] = np.nan
    channels |= {
        "ppg": Signal(holed, 125.0, "NU"),
        "red": Signal(light.red[0], 125.0, "NU"),
        "ir": Signal(light.infrared[0], 125.0, "NU"),
        "icg": Signal(dzdt, 250.0, "Ohm/s"),
    }
    return Record("p", channels)


@pytest.fixture(scope="module")
def table(record):
    return feature_table(record, near="abp", far="ppg", distance=0.1, height=1.8)


def assert_nan_where_there_is_a_reason(table):
    for group in FEATURES.groups:
        if f"{group}_reason" not in table:
            continue
        names = [name for name in FEATURES.of_group(group) if name in table]
        lacking = table[names].isna().any(axis=1)
        assert (lacking == (table[f"{group}_reason"] != "")).all(), group


def same(one, other):
    assert [*one.columns] == [*other.columns]
    assert len(one) == len(other)
    for name in one.columns:
        np.testing.assert_array_equal(one[name].to_numpy(), other[name].to_numpy())


# features of beats


def test_columns_are_those_of_the_registry_in_its_order():
    table = features_of(beats([0.8] * 6))
    assert [*table.columns] == [*IDENTITY, *FEATURES.of_beats().columns()]


def test_formulas_against_the_definitions():
    rr = np.tile([0.80, 0.90, 0.84, 0.88, 0.81, 0.83], 20)
    row = features_of(beats(rr)).iloc[0]
    step = np.diff(rr)
    assert row["sdnn"] == pytest.approx(1e3 * np.std(rr, ddof=1))
    assert row["rmssd"] == pytest.approx(1e3 * np.sqrt(np.mean(step**2)))
    assert row["hr"] == pytest.approx(75.0)
    assert row["pat"] == 0.25


def test_a_refused_beat_counts_nowhere():
    rr = np.full(120, 0.8)
    rr[5] = 1.9
    accepted = np.arange(120) != 5
    table = features_of(beats(rr, accepted))
    assert (table["sdnn"] < 1e-9).all()
    assert (table["rmssd"] < 1e-9).all()
    assert np.isnan(table["hr"][5])
    assert np.isnan(table["pat"][5])
    assert table["pat_reason"][5] == "flat"


def test_a_selection_of_rows_breaks_the_succession():
    rr = np.tile([0.79, 0.81], 100)
    # Nine of ten rows: successive pairs are left, none of them across a lost row.
    some = np.flatnonzero(np.arange(200) % 10 != 9)
    table = features_of(beats(rr).take(some))
    assert table["rmssd"].to_numpy() == pytest.approx(20.0)
    table = features_of(beats(rr).take(np.arange(0, 200, 2)))
    assert np.isnan(table["rmssd"]).all()
    (reason,) = set(table["hrv_reason"])
    assert reason.endswith("% normal intervals, wanted 80")


def test_an_ecg_tells_variability_however_bad_the_pulse_is(record):
    """Only intervals between pulses need both pulses."""
    rng = np.random.default_rng(4)
    whole = dict(part(record, 0.0, 300.0).channels)
    good = feature_table(Record("p", whole))
    ppg = whole["ppg"]
    noise = Signal(rng.standard_normal(len(ppg.values)), 125.0, "NU")
    bad = feature_table(Record("p", whole | {"ppg": noise}))
    assert not bad["accepted"].any()
    for name in ("sdnn", "rmssd", "lf", "hf"):
        assert bad[name].iloc[0] == pytest.approx(good[name].iloc[0], rel=0.02)
    alone = feature_table(Record("p", {"ppg": noise}))
    assert alone["sdnn"].isna().all()
    assert_nan_where_there_is_a_reason(bad)


def test_refused_pulses_do_not_thin_out_the_intervals_of_an_ecg():
    rng = np.random.default_rng(5)
    rr = 0.8 + 0.02 * rng.standard_normal(300)
    accepted = rng.random(300) < 0.5
    pulses = beats(rr, accepted)
    heart = np.concatenate([[0.0], np.cumsum(rr)[:-1]])
    with_ecg = replace(pulses, features=dict(pulses.features) | {"r_peak": heart})
    whole = features_of(beats(rr))
    assert np.isnan(features_of(pulses)["rmssd"]).all()
    np.testing.assert_allclose(features_of(with_ecg)["rmssd"], whole["rmssd"])
    np.testing.assert_allclose(features_of(with_ecg)["lf_hf"], whole["lf_hf"])


def test_subjects_do_not_mix():
    rng = np.random.default_rng(1)
    calm = beats(rng.normal(0.9, 0.05, 100))
    quick = beats([0.6] * 120, subject="b")
    both = features_of(Beats.concatenate([calm, quick]))
    assert (both["sdnn"][:100] > 20.0).all()
    assert (both["sdnn"][100:] < 1e-9).all()
    np.testing.assert_array_equal(
        both["sdnn"][:100].to_numpy(), features_of(calm)["sdnn"].to_numpy()
    )


def test_every_segment_has_its_own_variability():
    rng = np.random.default_rng(2)
    rr = np.concatenate([np.full(375, 0.8), 0.8 + 0.05 * rng.standard_normal(300)])
    table = features_of(beats(rr))
    assert (table["sdnn"][:375] < 1e-9).all()
    assert (table["sdnn"][375:] > 40.0).all()
    assert table["sdnn"][375:].nunique() == 1


def test_no_beats_have_the_same_columns():
    none = features_of(beats([0.8] * 6).take(np.zeros(0, dtype=np.int64)))
    assert len(none) == 0
    some = features_of(beats([0.8] * 6))
    assert [*none.columns] == [*some.columns]
    assert [*none.dtypes] == [*some.dtypes]


# features of records


def test_the_same_columns_for_every_record(record, table):
    plain = Record("q", {"ppg": record.channels["ppg"], "ecg": record.channels["ecg"]})
    other = feature_table(plain)
    assert [*table.columns] == [*other.columns] == COLUMNS
    assert [*table.dtypes] == [*other.dtypes]
    for group in ("pep", "ptt", "pwv", "pressure", "aix", "ratio", "spo2"):
        assert other[FEATURES.of_group(group)].isna().all(axis=None)


def test_rows_are_those_of_beats(record, table):
    found = beats_of(record)
    np.testing.assert_array_equal(table["time"], found.time)
    np.testing.assert_array_equal(table["accepted"], found.accepted)
    np.testing.assert_array_equal(table["reason"], found.reason)
    np.testing.assert_array_equal(table["beat"], np.arange(len(found)))


def test_numbers_are_lacking_exactly_where_there_is_a_reason(record, table):
    assert_nan_where_there_is_a_reason(table)
    assert_nan_where_there_is_a_reason(features_of(beats_of(record)))
    assert_nan_where_there_is_a_reason(feature_table(record))


def test_a_refused_row_has_its_reason_and_no_number_of_a_beat(table):
    refused = table[~table["accepted"]]
    assert len(refused) >= 4
    per_beat = [
        group
        for group in FEATURES.groups
        if group
        not in ("hrv", "spectrum", "nonlinear", "respiration", "respiration_channel")
    ]
    for group in per_beat:
        assert refused[FEATURES.of_group(group)].isna().all(axis=None)
        assert (refused[f"{group}_reason"] == refused["reason"]).all()
    assert refused["sdnn"][refused["time"] < 600.0].notna().all()


def test_what_beats_give_is_not_computed_twice(record, table):
    alone = features_of(beats_of(record))
    same(table[alone.columns], alone)


def test_the_tables_of_parts_are_that_of_the_whole(record, table):
    cuts = [0.0, 100.0, 333.2, 640.0, 660.0]
    parts = [part(record, a, b) for a, b in pairwise(cuts)]
    found = list(
        feature_tables(iter(parts), near="abp", far="ppg", distance=0.1, height=1.8)
    )
    assert len(found) == 2
    rows = 0
    for piece in found:
        same(piece.reset_index(drop=True), table.iloc[rows : rows + len(piece)])
        rows += len(piece)
    assert rows == len(table)


def test_a_clock_that_starts_later_shifts_times_alone(strip):
    whole = strip.record()
    late = Record(
        "p",
        {
            name: Signal(s.values, s.sampling_rate, s.unit, s.start + 1200.0)
            for name, s in whole.channels.items()
        },
    )
    one, other = feature_table(whole), feature_table(late)
    np.testing.assert_allclose(one["time"] + 1200.0, other["time"], atol=1e-6)
    for name in FEATURES.names:
        np.testing.assert_allclose(one[name], other[name], rtol=1e-4, atol=1e-6)


def test_channels_without_one_clock_give_no_time_between_them(record, table):
    apart = replace(record, sync="untrusted")
    assert np.isfinite(table["pat"]).mean() > 0.9  # or nothing would be shown
    assert np.isnan(beats_of(apart).features["pat"]).all()
    found = feature_table(apart, near="abp", far="ppg", distance=0.1, height=1.8)
    for group in ("pat", "pep", "ptt", "pwv"):
        assert found[FEATURES.of_group(group)].isna().all().all()
        why = found[f"{group}_reason"][found["accepted"]]
        assert (why == "not synchronous: the record says so").all()
    others = [c for c in table if c not in ("pat", "pat_reason") and "_reason" not in c]
    others = [c for c in others if c not in ("pep", "ptt", "pwv")]
    changed = [c for c in others if not found[c].equals(table[c])]
    assert changed == []


def test_gain_and_offset_of_the_ppg_change_nothing_but_its_level(strip):
    whole = strip.record()
    ppg = whole.channels["ppg"]
    gained = Signal(12.5 * ppg.values.astype(np.float64) + 7.0, 125.0, "NU")
    other = feature_table(Record("p", dict(whole.channels) | {"ppg": gained}))
    one = feature_table(whole)
    np.testing.assert_array_equal(one["accepted"], other["accepted"])
    for name in FEATURES.names:
        np.testing.assert_allclose(one[name], other[name], rtol=2e-3, atol=1e-4)


def test_features_of_a_virtual_person_against_the_truth(strip, table):
    truth = strip.beats
    rr = np.diff(truth.r_peak)
    inside = (truth.r_peak[:-1] > 2.0) & (truth.r_peak[:-1] < 650.0)
    assert table["hr"].median() == pytest.approx(np.median(60 / rr[inside]), rel=0.005)
    assert table["pep"].median() == pytest.approx(0.07, abs=0.004)
    assert table["ratio"].median() == pytest.approx(
        ratio_of_saturation(np.array([0.9]))[0], rel=0.01
    )
    # The volume is scaled to the highest pulse and its breathing, not to a usual one.
    assert 0.8 < table["perfusion_index"].median() < 2.2
    assert table["form_factor"].between(0.25, 0.55).mean() > 0.8
    assert table["pwv"].dropna().to_numpy() == pytest.approx(
        0.1 / table["ptt"].dropna().to_numpy()
    )


def test_respiration_of_a_virtual_person_against_the_truth(strip, table):
    phase = np.unwrap(2 * np.pi * strip.beats.respiration) / (2 * np.pi)
    checked = 0
    for minute in range(10):
        ends = np.interp(
            [60.0 * minute, 60.0 * minute + 60.0], strip.beats.r_peak, phase
        )
        found = table["respiration"][table["time"] // 60 == minute].iloc[0]
        if np.isfinite(found):
            assert found == pytest.approx(ends[1] - ends[0], abs=1.5)
            checked += 1
    assert checked >= 5


def test_no_arrival_time_where_the_delay_of_the_channels_jumps(strip):
    whole = part(strip.record(), 0.0, 600.0)
    ppg = whole.channels["ppg"]
    values = np.delete(ppg.values, slice(40000, 40019))  # 152 ms are lost at 320 s
    broken = dict(whole.channels) | {"ppg": Signal(values, 125.0, "NU")}
    found, one = feature_table(Record("p", broken)), feature_table(whole)
    assert one["pat"].notna().mean() > 0.95
    assert found["pat"].isna().all()
    accepted = found[found["accepted"]]
    (reason,) = set(accepted["pat_reason"])
    assert reason.startswith("not synchronous: delay jumps by -1")
    assert accepted["width_50"].notna().all()
    assert_nan_where_there_is_a_reason(found)


def test_without_an_ecg_there_is_no_arrival_time_but_a_rate(record):
    alone = feature_table(Record("p", {"ppg": record.channels["ppg"]}))
    assert alone["pat"].isna().all()
    assert set(alone["pat_reason"][alone["accepted"]]) == {"no R peak"}
    assert alone["hr"].notna().mean() > 0.9
    assert_nan_where_there_is_a_reason(alone)


def test_what_is_wrong_with_the_question_is_said(record):
    with pytest.raises(ConfigError, match="near is 'abp' and far None"):
        feature_table(record, near="abp")
    with pytest.raises(ConfigError, match="height of the body is 180"):
        feature_table(record, height=180.0)
    with pytest.raises(ConfigError, match="distance between the sites is 0"):
        feature_table(record, near="abp", far="ppg", distance=0.0)
    with pytest.raises(RecordError, match="no channel 'ear'"):
        feature_table(record, near="ear", far="ppg")
    empty = Record("q", {"ppg": Signal(np.full(5000, np.nan), 125.0, "NU")})
    with pytest.raises(RecordError, match="'q' has no heart beats"):
        feature_table(empty)
    assert list(feature_tables(empty)) == []


# xarray


def test_xarray_has_the_units_and_the_numbers(table):
    data = to_xarray(table)
    assert data.sizes == {"row": len(table)}
    assert [*data.data_vars] == COLUMNS
    for feature in FEATURES:
        np.testing.assert_array_equal(data[feature.name], table[feature.name])
        assert data[feature.name].attrs["units"] == feature.unit
        assert data[feature.name].attrs["source"] == feature.source
    assert data["pat_reason"].dtype.kind == "U"


def test_xarray_and_back_is_the_same_table(table, tmp_path):
    data = to_xarray(table)
    same(data.to_dataframe()[COLUMNS], table)
    data.to_netcdf(tmp_path / "features.nc", engine="h5netcdf")
    import xarray as xr

    with xr.open_dataset(tmp_path / "features.nc", engine="h5netcdf") as read:
        same(read.to_dataframe()[COLUMNS], table)
        assert read["lf"].attrs["units"] == "ms^2"


# whatever a recorder writes


@settings(deadline=None, derandomize=True, database=None, max_examples=20)
@given(data=st.data())
def test_any_damage_gives_numbers_or_reasons(strip, data):
    whole = part(strip.record(), 0.0, 40.0)
    channels = dict(whole.channels)
    for name in channels:
        values = channels[name].values.astype(np.float64)
        for _ in range(data.draw(st.integers(0, 3))):
            low = data.draw(st.integers(0, len(values) - 1))
            high = low + data.draw(st.sampled_from([1, 50, 500, 5000]))
            kind = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, 0.0, 1e6]))
            values[low:high] = kind
        signal = channels[name]
        channels[name] = Signal(values, signal.sampling_rate, signal.unit, signal.start)
    channels |= {"red": channels["ppg"], "ir": channels["abp"], "icg": channels["ecg"]}
    channels["resp"] = channels["ppg"]
    try:
        table = feature_table(Record("p", channels), near="abp", far="ppg", height=1.7)
    except CapnetError:  # no heart beats left, or no ECG that could be read
        return
    assert [*table.columns] == COLUMNS
    assert_nan_where_there_is_a_reason(table)
    assert not np.isinf(table[FEATURES.names].to_numpy()).any()


def test_channels_sampled_too_slowly_are_lacking_and_not_an_error(record):
    slow = {
        name: Signal(np.ones(660 * 3), 3.0, "NU")
        for name in ("red", "ir", "icg", "resp")
    }
    found = feature_table(part(Record("p", dict(record.channels) | slow), 0.0, 60.0))
    accepted = found[found["accepted"]]
    assert set(accepted["pep_reason"]) == {"sampled below 100 Hz"}
    assert set(accepted["ratio_reason"]) == {"sampled below 25 Hz"}
    assert set(found["respiration_channel_reason"]) == {"sampled below 4 Hz"}
    assert_nan_where_there_is_a_reason(found)


def test_pat_of_a_virtual_person_is_the_same_by_both_ways(record, table):
    """The column and `pulse_arrival` from the found peaks and feet."""
    found = beats_of(record)
    feet = np.where(found.accepted, found.time, np.nan)
    arrival = pulse_arrival(found.features["r_peak"], feet)
    known = table["pat"].notna().to_numpy()
    assert known.mean() > 0.95
    np.testing.assert_allclose(arrival.seconds[known], table["pat"][known], atol=1e-9)
