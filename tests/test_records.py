"""Laws of records and of tables of beats."""

from dataclasses import replace

import jaxtyping
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capnet.errors import RecordError, ShapeError, UnitError
from capnet.records import COVARIATES, Annotations, Beats, Cuff, Record, Signal
from tests.fakes.make_beats import assert_same_beats, make_beats

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=50)


def signal(n=50, rate=25.0, unit="mV", start=0.0):
    return Signal(np.arange(n, dtype=float), rate, unit, start)


def record(*names, **changes):
    return Record("p", {name: signal() for name in names}, **changes)


@pytest.fixture
def unchecked(monkeypatch):
    """Users run without the shape checks of these tests."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


# Signal


def test_duration_and_times_follow_from_the_sampling_rate():
    one = signal(50, rate=25.0, start=3.0)
    assert one.duration == 2.0
    assert one.times[0] == 3.0
    np.testing.assert_allclose(np.diff(one.times), 1 / 25.0, rtol=1e-12)
    assert one.times[-1] + 1 / 25.0 == pytest.approx(3.0 + one.duration)


@pytest.mark.parametrize("rate", [0.0, -125.0, float("nan"), float("inf")])
def test_an_impossible_sampling_rate_is_refused(rate):
    with pytest.raises(UnitError, match=r"sampling rate is .* Hz; wanted a positive"):
        signal(rate=rate)


@pytest.mark.parametrize("unit", ["", "  "])
def test_an_empty_unit_is_refused(unit):
    with pytest.raises(UnitError, match="unit is empty"):
        signal(unit=unit)


def test_empty_values_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(0,\); wanted \(time,\)"):
        signal(n=0)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("rate", [None, "125", True, [125.0]])
def test_a_sampling_rate_that_is_no_number_is_refused(rate):
    with pytest.raises(UnitError, match=r"sampling rate is .* Hz; wanted a positive"):
        signal(rate=rate)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("unit", [None, 5])
def test_a_unit_that_is_no_word_is_refused(unit):
    with pytest.raises(UnitError, match=f"unit is {unit!r}; wanted a word"):
        signal(unit=unit)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("start", [None, "0", float("nan"), float("inf")])
def test_a_start_that_is_no_time_is_refused(start):
    with pytest.raises(ShapeError, match=r"start is .* s; wanted a finite number"):
        signal(start=start)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("values", [[1, 2], (1.0, 2.0), np.array([1, 2])])
def test_numbers_become_an_array_of_floats(values):
    one = Signal(values, 25.0, "mV")
    assert isinstance(one.values, np.ndarray)
    assert one.values.dtype == np.float64
    np.testing.assert_array_equal(one.values, [1.0, 2.0])


def test_an_array_of_floats_is_kept_as_it_is():
    values = np.arange(5, dtype=np.float32)
    assert Signal(values, 25.0, "mV").values is values


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    "values", [None, "12", ["1", "2"], [1.0, None], [1j], [True], {"a": 1}]
)
def test_values_that_are_no_numbers_are_refused(values):
    with pytest.raises(ShapeError, match=r"values are .* wanted real numbers"):
        Signal(values, 25.0, "mV")


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize(
    ("values", "words"),
    [([[1.0], [1.0, 2.0]], "no array"), (3.0, "shape"), ([[1.0]], "shape"), ([], "0,")],
)
def test_values_of_another_shape_are_refused(values, words):
    with pytest.raises(ShapeError, match=rf"{words}.*wanted .*\(time,\)"):
        Signal(values, 25.0, "mV")


# Cuff


@pytest.mark.parametrize(("sbp", "dbp"), [(300, 20), (21, 20), (120, 80)])
def test_possible_readings(sbp, dbp):
    cuff = Cuff(time=0, sbp=sbp, dbp=dbp)
    assert (cuff.sbp, cuff.dbp, cuff.site) == (sbp, dbp, "brachial")


@pytest.mark.parametrize(
    ("sbp", "dbp"),
    [
        (80, 120),
        (120, 120),
        (301, 80),
        (120, 19),
        (float("nan"), 80),
        (120, float("nan")),
    ],
)
def test_impossible_readings_are_refused(sbp, dbp):
    with pytest.raises(ShapeError, match=r"cuff reading at 7 s .* wanted 20 <= DBP"):
        Cuff(time=7, sbp=sbp, dbp=dbp)


@pytest.mark.parametrize("mean", [75.0, 120.0, 60.0, float("nan")])
def test_a_mean_pressure_outside_its_reading_is_refused(mean):
    assert Cuff(time=7, sbp=120, dbp=75, map=90.0).map == 90.0
    with pytest.raises(ShapeError, match=r"at 7 s has MAP .* between DBP 75 and SBP"):
        Cuff(time=7, sbp=120, dbp=75, map=mean)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", ["time", "sbp", "dbp", "map"])
@pytest.mark.parametrize("value", ["a", None, True])
def test_a_reading_that_is_no_number_is_refused(name, value):
    values = {"time": 7, "sbp": 120, "dbp": 80, "map": 90} | {name: value}
    if (name, value) == ("map", None):
        assert Cuff(**values).map is None
        return
    with pytest.raises(ShapeError, match=rf"has {name} {value!r}; wanted a number in"):
        Cuff(**values)


def test_a_reading_without_a_time_is_refused():
    with pytest.raises(ShapeError, match="time nan; wanted seconds"):
        Cuff(time=float("nan"), sbp=120, dbp=80)


# Record


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("ecg", "II"),
        ("ecg", "MLII"),
        ("ppg", "PLETH"),
        ("abp", "ART"),
        ("spo2", "SpO2"),
    ],
)
def test_channels_are_found_by_the_names_monitors_use(kind, name):
    found = record("RESP", name)
    assert found.find(kind) == name
    assert found.signal(kind) is found.channels[name]


def test_the_best_name_wins_and_the_exact_name_wins_over_all():
    both = record("V", "II", "ecg")
    assert both.find("ecg") == "ecg"
    assert record("V", "II").find("ecg") == "II"
    assert both.signal("V") is both.channels["V"]


def test_a_missing_channel_is_an_error_that_lists_what_there_is():
    with pytest.raises(RecordError, match=r"'p' has no channel 'ppg'.*'II', 'RESP'"):
        record("II", "RESP").signal("ppg")
    with pytest.raises(RecordError, match="no channel at all"):
        record().signal("ppg")


def test_readings_are_put_in_the_order_of_time_and_the_record_stays_as_it_was():
    plain = record("II")
    late, early = Cuff(time=9, sbp=120, dbp=80), Cuff(time=1, sbp=130, dbp=85)
    calibrated = plain.with_cuffs([late, early], "cuff SBP/DBP")
    assert calibrated.cuffs == (early, late)
    assert calibrated.calibration == "cuff SBP/DBP"
    assert plain.cuffs == ()
    assert plain.calibration == "none"
    assert calibrated.channels is plain.channels


@pytest.mark.parametrize("start", [-4.0, 0.0, 3.0])
def test_one_reading_holds_from_the_first_sample_on(start):
    late = Record("p", {"II": signal(start=start), "PLETH": signal(start=5.0)})
    calibrated = late.with_cuff(120, 75)
    (cuff,) = calibrated.cuffs
    assert (cuff.sbp, cuff.dbp, cuff.site) == (120, 75, "brachial")
    assert cuff.time <= min(s.times[0] for s in calibrated.channels.values())
    assert calibrated.calibration == "cuff SBP/DBP"
    assert late.cuffs == ()


def test_one_impossible_reading_is_refused():
    with pytest.raises(ShapeError, match="75/120 mmHg"):
        record("II").with_cuff(75, 120)


@pytest.mark.usefixtures("unchecked")
def test_one_reading_that_is_no_number_is_refused():
    with pytest.raises(ShapeError, match="has sbp 'a'; wanted a number in mmHg"):
        record("II").with_cuff("a", 80)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("age", [-5, 0, 120, 300.0, float("nan"), "50", True])
def test_an_impossible_age_is_refused(age):
    with pytest.raises(RecordError, match=r"'p' has age .*; wanted years above 0"):
        record("II", age=age)


@pytest.mark.parametrize("age", [None, 0.5, 61, np.float64(119.0)])
def test_a_possible_age_is_kept(age):
    assert record("II", age=age).age == age


def test_a_record_says_what_it_holds():
    text = repr(record("II", "PLETH"))
    assert "Record('p', age unknown, 0 cuff readings)" in text
    assert text.count("25.00 Hz") == 2
    assert "age 61.5" in repr(record("II", age=61.5))


# Record.from_frame


def frame(n=500, **columns):
    pd = pytest.importorskip("pandas")
    time = np.arange(n) / 125.0
    return pd.DataFrame({"PLETH": np.sin(time), "II": np.cos(time), **columns})


def test_a_frame_becomes_a_record_with_the_columns_that_have_units():
    one = Record.from_frame(
        frame(note=["x"] * 500),
        sampling_rate=125.0,
        units={"PLETH": "NU", "II": "mV"},
        subject="p",
        age=61,
        start=3.0,
    )
    assert [*one.channels] == ["PLETH", "II"]
    assert one.find("ppg") == "PLETH"
    assert (one.subject, one.age) == ("p", 61)
    ecg = one.signal("ecg")
    assert (ecg.sampling_rate, ecg.unit, ecg.start) == (125.0, "mV", 3.0)
    np.testing.assert_array_equal(ecg.values, frame()["II"])


def test_whole_numbers_and_missing_samples_come_through():
    values = np.arange(500.0)
    values[7] = np.nan
    table = frame(count=np.arange(500, dtype=np.int16), holed=values)
    table["own"] = table["holed"].astype("Float32").convert_dtypes()
    units = {"count": "NU", "holed": "mV", "own": "mV"}
    one = Record.from_frame(table, sampling_rate=125.0, units=units, subject="p")
    assert one.channels["count"].values.dtype == np.float64
    for name in ("holed", "own"):
        np.testing.assert_array_equal(one.channels[name].values, values)


@pytest.mark.parametrize(
    ("units", "words"),
    [({}, "given for no column"), ({"pleth": "NU"}, "'pleth'; the table has 'PLETH'")],
)
def test_units_say_which_columns_are_channels(units, words):
    with pytest.raises(RecordError, match=words):
        Record.from_frame(frame(), sampling_rate=125.0, units=units, subject="p")


def test_a_column_of_words_and_an_empty_frame_are_refused():
    words = frame(note=["x"] * 500)
    with pytest.raises(ShapeError, match="wanted real numbers"):
        Record.from_frame(words, sampling_rate=125.0, units={"note": "NU"}, subject="p")
    with pytest.raises(ShapeError, match="shape"):
        Record.from_frame(
            frame().iloc[:0], sampling_rate=125.0, units={"II": "mV"}, subject="p"
        )


@pytest.mark.parametrize("resolution", ["ns", "us", "ms"])
def test_an_index_of_times_is_held_against_the_sampling_rate(resolution):
    pd = pytest.importorskip("pandas")
    units = {"II": "mV"}
    step = pd.to_timedelta(np.arange(500) * 8, unit="ms").as_unit(resolution)
    for index in (step, pd.Timestamp("2024-01-01") + step):
        table = frame().set_index(index)
        one = Record.from_frame(table, sampling_rate=125.0, units=units, subject="p")
        assert len(one.channels["II"].values) == 500
        with pytest.raises(UnitError, match=r"wanted 0.004 s for 250 Hz"):
            Record.from_frame(table, sampling_rate=250.0, units=units, subject="p")
        holed = table.drop(table.index[100:140])
        with pytest.raises(UnitError, match="row of NaN for each sample"):
            Record.from_frame(holed, sampling_rate=125.0, units=units, subject="p")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("icg", "dZ/dt"),
        ("resp", "RESP"),
        ("red", "PPG_RED"),
        ("infrared", "IR"),
        ("ear", "PPG_ear"),
        ("toe", "toe"),
        ("finger", "PPG_finger"),
    ],
)
def test_channels_of_other_kinds_are_found_and_are_no_ppg(kind, name):
    one = record("II", name)
    assert one.find(kind) == name
    assert one.find("ppg") is None
    assert one.find("abp") is None


# Beats: what is refused


@pytest.mark.usefixtures("unchecked")
def test_rows_must_be_equally_many():
    beats = make_beats(6)
    with pytest.raises(ShapeError, match="duration has 5 rows; subject has 6"):
        beats.replace(duration=beats.duration[:5])
    with pytest.raises(ShapeError, match=r"features\['pat'\] has 5 rows"):
        beats.replace(features={"pat": np.zeros(5)})


@pytest.mark.usefixtures("unchecked")
def test_beats_have_64_points():
    beats = make_beats(6)
    with pytest.raises(ShapeError, match=r"ppg has shape \(6, 63\); wanted .beat, 64"):
        beats.replace(ppg=beats.ppg[:, :63])
    with pytest.raises(ShapeError, match=r"reference has shape \(6, 1\)"):
        beats.replace(reference=beats.ppg[:, :1])


def test_a_cuff_has_two_columns():
    beats = make_beats(6)
    with pytest.raises(ShapeError, match=r"cuff has shape \(6, 3\); wanted \(6, 2\)"):
        beats.replace(cuff=np.ones((6, 3)))


def test_a_refused_beat_needs_a_reason():
    beats = make_beats(6, refused=2)
    with pytest.raises(ShapeError, match=r"beat 0 is accepted=False with reason ''"):
        beats.replace(reason=np.full(6, ""))


def test_an_accepted_beat_has_no_reason():
    beats = make_beats(6, refused=2)
    with pytest.raises(ShapeError, match=r"beat 2 is accepted=True .*'flat'"):
        beats.replace(reason=np.full(6, "flat"))


def test_a_reference_and_its_type_come_together():
    beats = make_beats(6)
    with pytest.raises(ShapeError, match=r"'simulated' but reference is absent"):
        beats.replace(reference=None)
    with pytest.raises(ShapeError, match=r"'none' but reference is present"):
        beats.replace(reference_type="none")


# Beats: take, of, usable, concatenate


@CALM
@given(rows=st.lists(st.integers(0, 11), max_size=20))
def test_take_keeps_rows_together_in_the_order_asked(rows):
    beats = make_beats(12)
    taken = beats.take(np.array(rows, dtype=np.int64))
    assert len(taken) == len(rows)
    for position, row in enumerate(rows):
        one = beats.take(np.array([row]))
        assert_same_beats(taken.take(np.array([position])), one)


def test_take_by_mask_is_take_by_index():
    beats = make_beats(12)
    mask = np.arange(12) % 3 == 1
    assert_same_beats(beats.take(mask), beats.take(np.flatnonzero(mask)))


def test_of_all_subjects_is_everyone_and_of_nobody_is_empty():
    beats = make_beats(12)
    assert_same_beats(beats.of(beats.subjects), beats)
    assert len(beats.of([])) == 0
    assert len(beats.of(["a stranger"])) == 0


def test_of_parts_the_table_by_subject():
    beats = make_beats(12, per_subject=3)
    some, others = beats.of(beats.subjects[:1]), beats.of(beats.subjects[1:])
    assert len(some) + len(others) == len(beats)
    assert not set(some.subject) & set(others.subject)


def test_usable_is_idempotent_and_keeps_the_accepted_alone():
    usable = make_beats(12, refused=5).usable()
    assert len(usable) == 7
    assert usable.accepted.all()
    assert_same_beats(usable.usable(), usable)


def test_subjects_stand_in_the_order_of_their_first_beat():
    beats = make_beats(4).replace(subject=np.array(["z", "a", "z", "m"]))
    assert [*beats.subjects] == ["z", "a", "m"]


@CALM
@given(cut=st.integers(0, 12))
def test_concatenate_puts_parts_together_again(cut):
    beats = make_beats(12)
    parts = [beats.take(np.arange(cut)), beats.take(np.arange(cut, 12))]
    assert_same_beats(Beats.concatenate(parts), beats)


def test_concatenate_of_one_is_that_one():
    beats = make_beats(5)
    assert_same_beats(Beats.concatenate([beats]), beats)


def test_concatenate_is_associative():
    a, b, c = (make_beats(4, seed=seed) for seed in range(3))
    left = Beats.concatenate([Beats.concatenate([a, b]), c])
    right = Beats.concatenate([a, Beats.concatenate([b, c])])
    assert_same_beats(left, right)


def test_concatenate_keeps_what_every_part_has():
    full = make_beats(4)
    bare = make_beats(
        4, waves={}, features={"pat": np.ones(4)}, raw=None, start=None, stop=None
    )
    for parts in ([full, bare], [bare, full]):
        joined = Beats.concatenate(parts)
        assert [*joined.features] == ["pat"]
        assert [*joined.waves] == []
        assert joined.raw is None
        assert joined.start is None
        assert len(joined) == 8


def test_concatenate_keeps_long_words_whole():
    short, long = make_beats(4, refused=4), make_beats(4, refused=4)
    long = long.replace(
        reason=np.full(4, "a much longer reason"),
        subject=np.full(4, "a-much-longer-name"),
    )
    joined = Beats.concatenate([short, long])
    assert joined.reason[-1] == "a much longer reason"
    assert joined.subject[-1] == "a-much-longer-name"


def test_calibrations_and_references_are_never_pooled():
    exact = make_beats(4)
    cuff = make_beats(4, calibration="cuff SBP/DBP")
    with pytest.raises(ShapeError, match=r"calibration \['cuff SBP/DBP', 'exact'\]"):
        Beats.concatenate([exact, cuff])
    catheter = make_beats(4, reference_type="catheter")
    with pytest.raises(ShapeError, match=r"reference_type \['catheter', 'simulated'\]"):
        Beats.concatenate([exact, catheter])


def test_nothing_cannot_be_joined():
    with pytest.raises(ShapeError, match="at least one"):
        Beats.concatenate([])


def test_heart_rate_is_sixty_over_duration():
    beats = make_beats(4, duration=np.array([0.5, 0.75, 1.0, 1.5]))
    np.testing.assert_allclose(beats.hr, [120, 80, 60, 40])


def test_a_table_becomes_a_frame_with_one_row_a_beat():
    beats = make_beats(6)
    frame = beats.to_frame()
    assert len(frame) == 6
    assert [*frame.columns][:5] == ["subject", "beat", "time", "duration", "hr"]
    assert {"pat", "hr/rest", "pwv", "cuff_sbp", "cuff_dbp"} <= set(frame.columns)
    np.testing.assert_array_equal(frame["cuff_sbp"], beats.cuff[:, 0])


def test_a_table_says_what_it_holds():
    assert repr(make_beats(12, refused=3)) == (
        "Beats(12 beats of 6 subjects, 9 accepted, calibration 'exact', "
        "reference 'simulated')"
    )


def test_separators_around_a_name_do_not_hide_a_channel():
    """As the WFDB files of BIDMC have them."""
    one = record("II,", "PLETH,", " RESP ")
    assert one.find("ecg") == "II,"
    assert one.find("ppg") == "PLETH,"
    assert one.find("resp") == " RESP "
    assert one.signal("ppg") is one.channels["PLETH,"]


def test_a_column_that_is_there_twice_is_refused():
    pd = pytest.importorskip("pandas")
    twice = pd.concat([frame(), frame()], axis=1)
    levels = pd.concat({"one": frame()}, axis=1)
    units = {"II": "mV"}
    for table in (twice, levels):
        with pytest.raises(RecordError, match="names of their own"):
            Record.from_frame(table, sampling_rate=125.0, units=units, subject="p")
    for key, table in (("II", twice), ("one", levels)):
        with pytest.raises(RecordError):
            Record.from_frame(
                table, sampling_rate=125.0, units={key: "mV"}, subject="p"
            )


def test_a_time_that_is_missing_and_no_rate_are_refused():
    pd = pytest.importorskip("pandas")
    units = {"II": "mV"}
    index = pd.Series(pd.to_timedelta(np.arange(500) * 8, unit="ms"))
    index[7] = pd.NaT
    table = frame().set_index(pd.TimedeltaIndex(index))
    with pytest.raises(UnitError, match="s apart"):
        Record.from_frame(table, sampling_rate=125.0, units=units, subject="p")
    with pytest.raises(UnitError, match=r"0\.0 Hz"):
        Record.from_frame(table, sampling_rate=0.0, units=units, subject="p")


def test_the_column_that_holds_no_numbers_is_named():
    words = frame(note=["x"] * 500)
    units = {"II": "mV", "note": "NU"}
    with pytest.raises(ShapeError, match="column 'note'"):
        Record.from_frame(words, sampling_rate=125.0, units=units, subject="p")


def test_a_channel_gets_the_name_that_it_is_given():
    one = record("SPO2W", "II")
    new = one.renamed({"SPO2W": "ppg"})
    assert [*new.channels] == ["ppg", "II"]
    assert new.channels["ppg"] is one.channels["SPO2W"]
    assert [*one.channels] == ["SPO2W", "II"]
    assert [*one.renamed({"SPO2W": "II", "II": "SPO2W"}).channels] == ["II", "SPO2W"]


def test_a_channel_that_is_not_there_cannot_be_renamed():
    with pytest.raises(RecordError, match=r"'x'.*'SPO2W', 'II'"):
        record("SPO2W", "II").renamed({"x": "ppg"})
    # "ecg" is found as II elsewhere, but it is no name in the record
    with pytest.raises(RecordError, match="a name of its own"):
        record("SPO2W", "II").renamed({"ecg": "lead"})


def test_two_channels_cannot_share_a_name():
    with pytest.raises(RecordError, match="a name of its own"):
        record("SPO2W", "II").renamed({"SPO2W": "II"})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("height", 178.0), ("height", float("nan")), ("weight", 0.0)),
        *(("male", 2.0), ("shoe size", 42.0)),
    ],
)
def test_an_impossible_covariate_is_refused(name, value):
    with pytest.raises(RecordError, match=f"covariate '{name}'"):
        replace(record("II"), covariates={name: value})


def test_a_possible_covariate_is_kept():
    known = {"height": 1.78, "weight": 70.0, "male": 1.0}
    assert replace(record("II"), covariates=known).covariates == known
    assert set(known) == set(COVARIATES)


def test_annotations_are_in_the_order_of_time():
    notes = Annotations(np.array([0.0, 1.0, 1.0]), np.array(["N", "V", "N"]))
    assert len(notes.times) == len(notes.labels)
    for times, labels in (
        ([1.0, 0.0], ["N", "N"]),
        ([0.0, np.nan], ["N", "N"]),
        ([0.0, 1.0], ["N"]),
    ):
        with pytest.raises(ShapeError):
            Annotations(np.array(times), np.array(labels))
