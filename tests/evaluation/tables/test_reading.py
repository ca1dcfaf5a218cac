"""Anybody's tables: good ones are read as they are, others are refused by name."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from capnet.errors import ProtocolError, RecordError, UnitError
from capnet.evaluation.tables.predictions import read_predictions
from capnet.evaluation.tables.references import read_truth

CENTRAL = ["csbp", "cdbp", "cmap", "cpp"]


def tables(n=12, beats=3, seed=0):
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(n), beats)
    dbp = rng.uniform(62, 92, n)[who]
    pulse = rng.uniform(30, 52, n)[who] + rng.normal(0, 0.5, len(who))
    reference = pd.DataFrame(
        {
            "subject": [f"{i:03d}" for i in who],
            "beat": np.tile(np.arange(beats), n),
            "reference_type": "catheter",
            "calibration": "cuff SBP/DBP",
            "csbp": dbp + pulse,
            "cdbp": dbp,
            "cmap": dbp + 0.42 * pulse,
            "cpp": pulse,
            "cuff_sbp": dbp + pulse + 8.0,
            "cuff_dbp": dbp + 1.0,
            "age": rng.uniform(20, 80, n)[who],
            "sex": np.where(who % 2, "f", "male"),
        }
    )
    parts = []
    for method, off in (("net", 2.0), ("ridge", -5.0)):
        part = reference[["subject", "beat", *CENTRAL]].assign(method=method)
        part[["csbp", "cdbp", "cmap"]] += off
        parts.append(part)
    return pd.concat(parts, ignore_index=True), reference


def write(folder, predictions, reference, *, form="csv", **how):
    paths = []
    for name, frame in (("p", predictions), ("r", reference)):
        path = folder / f"{name}.{form}"
        if form == "csv":
            frame.to_csv(path, index=False, **how)
        else:
            frame.to_parquet(path, index=False)
        paths.append(path)
    return paths


def read(folder, predictions, reference, **how):
    p, r = write(folder, predictions, reference, **how)
    truth = read_truth(r)
    return truth, read_predictions(p, truth=truth)


@pytest.mark.parametrize(
    "how",
    [{}, {"form": "parquet"}, {"lineterminator": "\r\n"}, {"encoding": "utf-8-sig"}],
)
def test_tables_come_back_as_they_were(tmp_path, how):
    predictions, reference = tables()
    truth, answers = read(tmp_path, predictions, reference, **how)
    assert (truth.reference_type, truth.calibration) == ("catheter", "cuff SBP/DBP")
    np.testing.assert_array_equal(truth.subject, reference["subject"])
    np.testing.assert_allclose(truth.pressures, reference[CENTRAL], rtol=1e-14)
    assert {*truth.sex} == {"female", "male"}
    assert [p.method for p in answers] == ["net", "ridge"]
    for p in answers:
        mine = predictions[predictions["method"] == p.method]
        np.testing.assert_allclose(p.csbp, mine["csbp"], rtol=1e-14)
        assert (p.role, p.k, p.calibration) == ("deep", 0, "cuff SBP/DBP")
        assert p.accepted.all()


@pytest.mark.parametrize("form", ["{} (mmHg)", "{} [mmHg]", "{}_mmHg", " {} "])
def test_the_wanted_unit_may_stand_in_a_name(tmp_path, form):
    predictions, reference = tables()
    named = {c: form.format(c.upper()) for c in (*CENTRAL, "cuff_sbp", "cuff_dbp")}
    plain = read(tmp_path, predictions, reference)[1]
    both = (frame.rename(columns=named) for frame in (predictions, reference))
    for one, other in zip(plain, read(tmp_path, *both)[1], strict=True):
        for column in CENTRAL:
            np.testing.assert_array_equal(getattr(one, column), getattr(other, column))
    twice = predictions.assign(**{"csbp (mmHg)": 1.0})
    with pytest.raises(RecordError, match="two columns 'csbp'"):
        read(tmp_path, twice, reference)


def test_words_of_every_kind_of_text_are_read(tmp_path):
    predictions, reference = tables()
    p, r = write(tmp_path, predictions, reference, form="parquet")
    table = parquet.read_table(p)
    for kind in (pa.string(), pa.large_string(), pa.string_view()):
        place = table.schema.get_field_index("subject")
        column = table["subject"].cast(kind)
        parquet.write_table(table.set_column(place, "subject", column), p)
        assert len(read_predictions(p, truth=read_truth(r))) == 2


def test_a_pulse_pressure_that_nobody_gives_is_the_difference(tmp_path):
    predictions, reference = tables()
    predictions["accepted"] = np.arange(len(predictions)) % 7 > 0
    for answer in read(tmp_path, predictions.drop(columns="cpp"), reference)[1]:
        there = answer.accepted
        assert np.isnan(answer.cpp[~there]).all()
        np.testing.assert_array_equal(answer.cpp, answer.csbp - answer.cdbp)
    alone = predictions.drop(columns=["cdbp", "cpp"])
    assert np.isnan(read(tmp_path, alone, reference)[1][0].cpp).all()


def test_the_truth_is_no_answer_of_a_method(tmp_path):
    predictions, reference = tables()
    first = predictions["method"] == "net"
    predictions.loc[first, CENTRAL] = reference[CENTRAL].to_numpy()
    with pytest.raises(RecordError, match=r"'net' .* the last digit"):
        read(tmp_path, predictions, reference)
    predictions["role"] = np.where(first, "control", "deep")
    assert len(read(tmp_path, predictions, reference)[1]) == 2


def test_nobody_is_female_and_male(tmp_path):
    predictions, reference = tables()
    reference.loc[4, "sex"] = "m" if reference.loc[3, "sex"] == "f" else "f"
    with pytest.raises(RecordError, match=r"row 4 .*'sex': .* female and male"):
        read(tmp_path, predictions, reference)
    reference.loc[3:5, "sex"] = ["", "f", "F"]
    assert len(read(tmp_path, predictions, reference)[1]) == 2


def test_a_folder_is_no_table(tmp_path):
    with pytest.raises(RecordError, match="is a folder; wanted a table"):
        read_truth(tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_order_of_rows_and_columns_does_not_matter(tmp_path, seed):
    predictions, reference = tables()
    _, wanted = read(tmp_path, predictions, reference)
    mixed = predictions.sample(frac=1.0, random_state=seed)
    _, found = read(tmp_path, mixed[mixed.columns[::-1]], reference)
    by_name = {p.method: p for p in found}
    for p in wanted:
        np.testing.assert_array_equal(p.csbp, by_name[p.method].csbp)
        np.testing.assert_array_equal(p.cpp, by_name[p.method].cpp)


def test_one_table_with_the_truth_beside_is_enough(tmp_path):
    predictions, reference = tables()
    both = predictions.merge(
        reference, on=["subject", "beat"], suffixes=("", "_ref")
    ).drop(columns=["cuff_sbp", "cuff_dbp"])
    path = tmp_path / "both.parquet"
    both.to_parquet(path)
    truth = read_truth(path)
    wanted = reference.set_index(["subject", "beat"])["csbp"]
    index = pd.MultiIndex.from_arrays([truth.subject, truth.beat])
    np.testing.assert_array_equal(truth.pressures[:, 0], wanted[index])
    assert len(read_predictions(path, truth=truth)) == 2


def test_refused_beats_intervals_and_families_are_read(tmp_path):
    predictions, reference = tables()
    predictions["accepted"] = predictions["beat"] > 0
    predictions["reason"] = np.where(predictions["beat"] > 0, "", "flat PPG")
    predictions.loc[predictions["beat"] == 0, CENTRAL] = np.nan
    predictions["csbp_low"] = predictions["csbp"] - 9
    predictions["csbp_high"] = predictions["csbp"] + 9
    predictions["coverage"] = 0.9
    predictions["doubt"] = 0.5
    predictions["inputs"] = "cuff+ppg"
    predictions["family"] = np.where(predictions["method"] == "net", "", "ridge")
    predictions["role"] = np.where(predictions["method"] == "net", "deep", "floor")
    _, (net, ridge) = read(tmp_path, predictions, reference)
    assert {*net.reason[~net.accepted]} == {"flat PPG"}
    assert np.isnan(net.csbp[~net.accepted]).all()
    assert net.coverage == 0.9
    np.testing.assert_allclose((net.high - net.low)[net.accepted, 0], 18.0)
    assert np.isnan(net.low[:, 1:]).all()
    assert (ridge.family, ridge.role) == ("ridge", "floor")
    assert ridge.inputs == ("cuff", "ppg")


def change(frame, row, column, value):
    frame = frame.astype({column: object})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("which", "row", "column", "value", "words"),
    [
        (0, 4, "csbp", None, r"p\.csv, row 5 .*'csbp'.*blank"),
        (1, 4, "csbp", "NaN", r"r\.csv, row 5 .*'csbp'.*blank"),
        (1, 4, "cdbp", None, r"r\.csv, row 5 .*'cdbp'.*everywhere"),
        (1, 7, "csbp", "inf", r"row 8 .*'csbp'.*infinite"),
        (0, 7, "cmap", "98,5", r"row 8 .*'cmap'.*'98,5' is not a number.*a point"),
        (0, 7, "cmap", "#DIV/0!", r"row 8 .*spreadsheet"),
        (0, 7, "beat", 0.5, r"row 8 .*'beat'.*0\.5; wanted a whole number"),
        (1, 7, "subject", None, r"row 8, column 'subject'.*blank"),
        (1, 7, "subject", "a ", r"row 8, column 'subject'.*blanks around"),
        (1, 7, "age", 640, r"row 8 .*'age'.*640 is no age"),
        (1, 7, "sex", "x", r"row 8 .*'sex'.*'x' is not known"),
        (1, 7, "reference_type", "gold", r"row 8 .*'gold' is not known"),
        (1, 7, "cuff_sbp", None, r"row 8 .*'cuff_sbp'.*blank"),
        (0, 7, "csbp", 16.1, r"row 8 .*not below SBP 16\.1"),
        (1, 7, "cpp", 20.0, r"row 8 .*'cpp'.*SBP - DBP differs"),
    ],
)
def test_the_cell_at_fault_is_named(tmp_path, which, row, column, value, words):
    both = [*tables()]
    both[which] = change(both[which], row, column, value)
    with pytest.raises((RecordError, ProtocolError), match=words):
        read(tmp_path, *both)


@pytest.mark.parametrize("unit", ["kPa", "Pa", "cmH2O"])
@pytest.mark.parametrize("which", [(0,), (1,), (0, 1)])
def test_other_units_are_refused_and_never_converted(tmp_path, unit, which):
    factor = {"kPa": 0.133322, "Pa": 133.322, "cmH2O": 1.35951}[unit]
    both = [*tables()]
    for i in which:
        columns = [c for c in both[i] if c in (*CENTRAL, "cuff_sbp", "cuff_dbp")]
        both[i][columns] *= factor
    with pytest.raises(UnitError, match=r"(p|r)\.csv.*(mmHg|mmHg\.)"):
        read(tmp_path, *both)


def test_a_unit_that_is_said_is_believed_or_refused(tmp_path):
    predictions, reference = tables()
    high = [c for c in reference if c in (*CENTRAL, "cuff_sbp", "cuff_dbp")]
    reference[high] *= 1.3
    predictions[CENTRAL] *= 1.3
    with pytest.raises(UnitError, match="not usual in mmHg"):
        read(tmp_path, predictions, reference)
    said = (predictions.assign(unit="mmHg"), reference.assign(unit="mmHg"))
    assert len(read(tmp_path, *said)[0]) == len(reference)
    with pytest.raises(UnitError, match=r"row 1 .*'unit'.*'kPa'; wanted mmHg"):
        read(tmp_path, predictions.assign(unit="kPa"), said[1])
    with pytest.raises(UnitError, match="'csbp_kpa' carries the unit 'kpa'"):
        read(tmp_path, predictions.rename(columns={"csbp": "csbp_kpa"}), said[1])


@pytest.mark.parametrize(
    "pair",
    [(a, b) for i, a in enumerate(CENTRAL) for b in CENTRAL[i + 1 :]],
)
@pytest.mark.parametrize("which", [0, 1])
def test_exchanged_columns_are_refused(tmp_path, pair, which):
    both = [*tables()]
    both[which] = both[which].rename(columns=dict(zip(pair, pair[::-1], strict=True)))
    with pytest.raises((RecordError, UnitError), match=r"(p|r)\.csv"):
        read(tmp_path, *both)


def test_dbp_and_pp_exchanged_are_seen_against_the_truth(tmp_path):
    predictions, reference = tables()
    bare = predictions.drop(columns=["cmap"])
    bare[["cdbp", "cpp"]] = bare[["cpp", "cdbp"]].to_numpy()
    bare[["cdbp", "cpp"]] += [8.0, -8.0]  # still a plausible DBP
    with pytest.raises(RecordError, match="exchanged"):
        read(tmp_path, bare, reference)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda p, r: (pd.concat([p, p[3:4]]), r), "row 73 .*same .* as in row 4"),
        (lambda p, r: (p, pd.concat([r, r[3:4]])), "row 37 .*same .* as in row 4"),
        (lambda p, r: (p[p["subject"] != "004"], r), "'004' .*missing as a whole"),
        (lambda p, r: (p, r[r["subject"] != "004"]), "row 13 .*not in the reference"),
        (lambda p, r: (p.drop(index=5), r), "does not answer 1 beats of 1 subjects"),
        (
            lambda p, r: (p.assign(subject=p["subject"].astype(int)), r),
            "'0' may be '000': spreadsheets",
        ),
        (lambda p, r: (r, p), "looks like a table of predictions"),
        (lambda p, r: (p.assign(calibration="exact"), r), "says calibration 'exact'"),
        (lambda p, r: (p, r.drop(columns="calibration")), "never guessed"),
        (lambda p, r: (p, r.drop(columns="reference_type")), "never guessed"),
        (lambda p, r: (p, r.assign(reference_type="none")), "nobody measured"),
        (lambda p, r: (p.drop(columns="method"), r), "no column 'method'"),
        (lambda p, r: (p, r.drop(columns="cuff_dbp")), "no column 'cuff_dbp'"),
        (lambda p, r: (p.assign(role="best"), r), "'best' is not known"),
        (lambda p, r: (p.assign(csbp_low=1.0), r), "no column 'csbp_high'"),
    ],
)
def test_tables_that_do_not_fit_are_refused(tmp_path, spoil, words):
    with pytest.raises((RecordError, ProtocolError), match=words):
        read(tmp_path, *spoil(*tables()))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"subject,beat,csbp\n", "no row"),
        (b"subject;beat;csbp\n1;0;120\n", "separated by ';'"),
        (b"1,0,120\n1,1,121\n", "names no column"),
        (b"subject,beat,csbp\n1,0\n", "row 1 has 2 cells; wanted 3"),
        (b"subject,beat,csbp,csbp\n1,0,120,121\n", "two columns 'csbp'"),
        ("subject,beat,csbp\n1,0,120\n".encode("utf-16"), "zero bytes"),
        (b"subject,beat,csbp\n\xe9,0,120\n", "UTF-8"),
    ],
)
def test_files_that_are_no_table_are_refused(tmp_path, content, words):
    path = tmp_path / "r.csv"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=words):
        read_truth(path, reference_type="catheter", calibration="exact")


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "r.parquet"
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(RecordError, match="no Parquet table, or damaged"):
        read_truth(path)
    with pytest.raises(RecordError, match="there is no file"):
        read_truth(tmp_path / "nowhere.csv")
    (tmp_path / "r.xlsx").write_bytes(b"x")
    with pytest.raises(RecordError, match=r"ends in '\.xlsx'"):
        read_truth(tmp_path / "r.xlsx")
    _, reference = tables()
    reference["csbp"] = reference["csbp"].astype(str)
    reference.to_parquet(path)
    with pytest.raises(RecordError, match=r"'csbp' has type .*string; wanted numbers"):
        read_truth(path)


def test_a_column_without_a_number_is_as_if_it_were_not_there(tmp_path):
    predictions, reference = tables()
    late = predictions["method"] == "ridge"
    predictions.loc[late, ["cdbp", "cmap", "cpp"]] = np.nan
    predictions["accepted"] = predictions["beat"] > 0
    blank = reference.assign(cuff_sbp=np.nan, cuff_dbp=np.nan, cmap=np.nan)
    truth, (net, ridge) = read(tmp_path, predictions, blank)
    assert np.isnan(truth.cuff).all()
    assert np.isfinite(net.cmap[net.accepted]).all()
    assert np.isnan(ridge.cmap).all()
    assert np.isfinite(ridge.csbp[ridge.accepted]).all()


def test_refused_beats_of_a_reference_may_be_blank(tmp_path):
    predictions, reference = tables()
    reference["accepted"] = reference["beat"] > 0
    lost = reference["beat"] == 0
    reference.loc[lost, [*CENTRAL, "cuff_sbp", "cuff_dbp"]] = np.nan
    truth, _ = read(tmp_path, predictions, reference)
    np.testing.assert_array_equal(truth.accepted, ~lost)
    reference["accepted"] = False
    with pytest.raises(RecordError, match=r"r\.csv refuses every beat"):
        read(tmp_path, predictions, reference)


def test_one_method_s_refusal_does_not_hide_a_beat_from_others(tmp_path):
    predictions, reference = tables()
    both = predictions.merge(
        reference, on=["subject", "beat"], suffixes=("", "_ref")
    ).drop(columns=["cuff_sbp", "cuff_dbp"])
    both["accepted"] = (both["method"] != "net") | (both["beat"] > 0)
    both.to_parquet(tmp_path / "both.parquet")
    truth = read_truth(tmp_path / "both.parquet")
    assert truth.accepted.all()


def test_a_cuff_in_another_unit_is_refused_without_a_true_dbp(tmp_path):
    predictions, reference = tables()
    bare = reference.drop(columns=["cdbp", "cmap", "cpp"])
    bare["cuff_dbp"] *= 0.133322
    with pytest.raises(UnitError, match=r"'cuff_dbp'.*read as kPa it is 8\d mmHg"):
        read(tmp_path, predictions[["subject", "beat", "method", "csbp"]], bare)


@pytest.mark.parametrize(
    "ends",
    [
        lambda v: (0.133322 * v - 1.0, 0.133322 * v + 1.0),  # kPa
        lambda v: (v * 0.0 + 9.0, v * 0.0 + 9.5),  # distances
    ],
)
def test_intervals_that_hold_no_answer_are_refused(tmp_path, ends):
    predictions, reference = tables()
    low, high = ends(predictions["csbp"])
    said = predictions.assign(csbp_low=low, csbp_high=high, coverage=0.9)
    with pytest.raises(RecordError, match=r"0 of 36 values of 'csbp' lie between"):
        read(tmp_path, said, reference)


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_table_of_several_calibrations_is_read_one_at_a_time(tmp_path, form):
    predictions, reference = tables()
    kinds = ("exact", "cuff SBP/DBP")
    both = [
        pd.concat([t.assign(calibration=k) for k in kinds], ignore_index=True)
        for t in (predictions, reference)
    ]
    p, r = write(tmp_path, *both, form=form)
    for kind in kinds:
        truth = read_truth(r, calibration=kind)
        answers = read_predictions(p, truth=truth)
        assert len(truth) == len(reference)
        assert {truth.calibration, *(a.calibration for a in answers)} == {kind}
        np.testing.assert_allclose(truth.pressures, reference[CENTRAL], rtol=1e-14)
    with pytest.raises(
        ProtocolError, match=r"never pooled\. Say .* calibration='exact'"
    ):
        read_truth(r)
    spoilt = both[1].copy()
    spoilt.loc[len(reference) + 4, "csbp"] = np.nan  # row 41 of the file
    _, r = write(tmp_path, both[0], spoilt, form=form)
    with pytest.raises(RecordError, match=f"row {len(reference) + 5} "):
        read_truth(r, calibration="cuff SBP/DBP")


@pytest.mark.parametrize("role", ["deep", "control"])
def test_a_bad_control_may_answer_the_impossible_now_and_then(tmp_path, role):
    predictions, reference = tables()
    shuffled = predictions[predictions["method"] == "ridge"].assign(role=role)
    shuffled.loc[shuffled.index[3], ["cdbp", "cpp"]] = (
        shuffled["csbp"].iloc[3] + 0.5,
        -0.5,
    )
    if role == "deep":
        with pytest.raises(RecordError, match="is not below SBP"):
            read(tmp_path, shuffled, reference)
        return
    _, (answer,) = read(tmp_path, shuffled, reference)
    assert answer.accepted.all()
    shuffled[["csbp", "cdbp"]] = shuffled[["cdbp", "csbp"]].to_numpy()
    with pytest.raises(RecordError, match="look exchanged"):
        read(tmp_path, shuffled, reference)
