"""The door of tables: read exactly as declared, or refused with the cell at fault."""

import gzip
import hashlib
import io
import json
import re
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from capnet.data.readers import csv_table, read_record
from capnet.data.readers.tables import read_table
from capnet.errors import CapnetError, RecordError, UnitError

SECRET = "Erika Mustermann"
NAMES = {"PLETH": "NU", "ABP": "mmHg"}


def declare(path, *, channels=None, **said):
    channels = (
        {n: {"unit": u} for n, u in NAMES.items()} if channels is None else channels
    )
    said = {"sampling_rate": 125, "channels": channels} | said
    path.with_name(f"{path.name.split('.')[0]}.json").write_text(json.dumps(said))
    return path


def csv_of(folder, content, **said):
    path = folder / "a.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return declare(path, **said)


def columns(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    found = {"PLETH": rng.normal(size=n), "ABP": rng.uniform(60.0, 140.0, n)}
    found["PLETH"][5:9] = np.nan
    return found


def as_csv(path, table):
    rows = zip(*(values.tolist() for values in table.values()), strict=True)
    lines = [",".join(table), *(",".join(map(repr, row)) for row in rows)]
    path.write_text("\n".join([*lines, ""]))


def as_gz(path, table):
    as_csv(path, table)
    path.write_bytes(gzip.compress(path.read_bytes()))


def as_parquet(path, table):
    parquet.write_table(pa.table(table), path, row_group_size=300)


def as_npz(path, table):
    np.savez_compressed(path, **table)


WRITERS = {".csv": as_csv, ".csv.gz": as_gz, ".parquet": as_parquet, ".npz": as_npz}


@pytest.mark.parametrize("suffix", WRITERS)
def test_every_sample_is_the_one_that_was_written(tmp_path, suffix):
    table = columns()
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, table)
    record = read_record(declare(path))
    assert record.subject == "a"
    assert [*record.channels] == [*NAMES]
    for name, values in table.items():
        signal = record.channels[name]
        assert (signal.unit, signal.sampling_rate) == (NAMES[name], 125.0)
        np.testing.assert_array_equal(signal.values, values)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record.files[path.name] == digest
    assert set(record.files) == {path.name, "a.json"}
    assert path.name in record.source


@pytest.mark.parametrize("suffix", WRITERS)
def test_what_is_asked_for_is_read(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns())
    record = read_table(declare(path, age=60), channels=["abp"], subject="b", age=61)
    assert [*record.channels] == ["ABP"]
    assert (record.subject, record.age) == ("b", 61)
    with pytest.raises(RecordError, match="no channel 'ecg'; it has 'PLETH', 'ABP'"):
        read_table(path, channels=["ecg"])


@pytest.mark.parametrize("suffix", WRITERS)
def test_columns_are_exactly_the_declared_ones(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns() | {SECRET: np.zeros(1000)})
    with pytest.raises(RecordError, match="does not declare column 3") as caught:
        read_table(declare(path))
    assert SECRET not in str(caught.value)
    WRITERS[suffix](path, {"PLETH": columns()["PLETH"]})
    with pytest.raises(RecordError, match="has no column 'ABP', which the sidecar"):
        read_table(path)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_table_cut_short_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns())
    content = path.read_bytes()
    declare(path, sha256=hashlib.sha256(content).hexdigest())
    assert len(read_table(path).channels) == 2
    declare(path, samples=1000)
    assert len(read_table(path).channels) == 2
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(RecordError):
        read_table(path)
    declare(path, sha256=hashlib.sha256(content).hexdigest())
    with pytest.raises(RecordError, match="is not the file that its sidecar"):
        read_table(path)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_number_of_rows_is_held_to(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns())
    with pytest.raises(RecordError, match="1000 rows, its sidecar declares 1001"):
        read_table(declare(path, samples=1001))


@pytest.mark.parametrize("suffix", WRITERS)
def test_units_are_converted_and_impossible_values_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    table = {"ABP": np.array([10.0, 16.0]), "ECG": np.array([100.0, -200.0])}
    WRITERS[suffix](path, table)
    channels = {"ABP": {"unit": "kPa"}, "ECG": {"unit": "uV"}}
    record = read_table(declare(path, channels=channels))
    np.testing.assert_allclose(
        record.channels["ABP"].values, [75.00616, 120.00986], 1e-6
    )
    np.testing.assert_allclose(record.channels["ECG"].values, [0.1, -0.2])
    channels["ECG"]["unit"] = "V"
    with pytest.raises(RecordError, match="channel 'ECG': sample 1 is -200000 mV"):
        read_table(declare(path, channels=channels))


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_channel_without_any_sample_is_left_out_and_named(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns() | {"PLETH": np.full(1000, np.nan)})
    record = read_table(declare(path))
    assert [*record.channels] == ["ABP"]
    assert record.source.endswith("left out, as they hold no sample: PLETH")
    with pytest.raises(RecordError, match="'PLETH' holds no valid sample"):
        read_table(path, channels=["PLETH"])


@pytest.mark.data
def test_a_real_table_of_bidmc(shared_data, tmp_path):
    original = shared_data / "bidmc_sample" / "bidmc_01_Signals.csv"
    path = tmp_path / "a.csv"
    path.write_bytes(original.read_bytes())
    channels = {name: {"unit": "NU"} for name in ("RESP", "PLETH", "V", "AVR", "II")}
    record = read_table(declare(path, channels=channels, time_column="Time [s]"))
    assert [*record.channels] == [*channels]
    wanted = np.loadtxt(original, delimiter=",", skiprows=1)
    for column, name in enumerate(channels, start=1):
        np.testing.assert_array_equal(record.channels[name].values, wanted[:, column])
    declare(path, channels=channels, time_column="Time [s]", sampling_rate=125.1)
    with pytest.raises(RecordError, match="time of row"):
        read_table(path)


ACCEPTED = {
    "blanks": "PLETH , ABP\n 1 , 80\n , 81.5\n3,   nan\n",
    "byte order mark": "\ufeffPLETH,ABP\n1,80\n,81.5\n3,nan\n",
    "ends": "PLETH,ABP\r\n1,80\r\n,81.5\r\n3,NA\r\n",
    "no last end": "PLETH,ABP\n1,80\n,81.5\n3,",
    "quotes": '"PLETH", "ABP"\n"1",80\n"",81.5\n3,"NaN"\n',
    "order": "ABP,PLETH\n80,1\n81.5,\nNaN,3\n",
    "a blank column": "PLETH,ABP,\n1,80,\n,81.5,\n3,nan, \n",
    "missing code": "PLETH,ABP\n1,80\n-9999,81.5\n3,-9999.0\n",
    "forms": "PLETH,ABP\n1.,8e1\n,+81.5\n.3E1,\n",
}


@pytest.mark.parametrize("content", ACCEPTED.values(), ids=ACCEPTED)
def test_forms_that_mean_the_same(tmp_path, content):
    record = read_table(csv_of(tmp_path, content, missing=-9999))
    assert record.channels["PLETH"].values.tolist() == pytest.approx(
        [1.0, np.nan, 3.0], nan_ok=True
    )
    assert record.channels["ABP"].values.tolist() == pytest.approx(
        [80.0, 81.5, np.nan], nan_ok=True
    )


CELLS = {
    "text": SECRET,
    "decimal comma in quotes": '"1,5"',
    "semicolon": "12;3",
    "hexadecimal": "0x10",
    "underscore": "1_000",
    "nan of": "nan(1)",
    "two numbers": "1 2",
    "word": "NULL",
    "formula": "=1+1",
    "Arabic digit": "\u0661",
    "a sign": "-",
    "zero byte": "\0",
}


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
def test_a_cell_that_is_no_number_is_named_but_not_quoted(tmp_path, monkeypatch, cell):
    monkeypatch.setattr(csv_table, "_BLOCK", 100)  # lines are counted over blocks
    content = "PLETH,ABP\n" + "0.125,80\n" * 50 + f"1,{cell}\n2,81\n"
    with pytest.raises(RecordError) as caught:
        read_table(csv_of(tmp_path, content))
    assert str(caught.value) == (
        "a.csv: line 52, column 2 ('ABP') is no number; wanted a number with a decimal "
        "point, or nothing."
    )


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_blocks_make_no_difference(tmp_path, monkeypatch, block):
    path = tmp_path / "a.csv.gz"
    table = columns(50)
    as_gz(path, table)
    monkeypatch.setattr(csv_table, "_BLOCK", block)
    record = read_table(declare(path))
    for name, values in table.items():
        np.testing.assert_array_equal(record.channels[name].values, values)


REFUSED = {
    "cells lacking": ("PLETH,ABP\n1,2\n1\n", "line 3 has 1 cells, the header 2"),
    "cells in excess": ("PLETH,ABP\n1,2,3\n", "line 2 has 3 cells, the header 2"),
    "decimal comma": ("PLETH,ABP\n1,5,80\n", "line 2 has 3 cells"),
    "blank line": ("PLETH,ABP\n1,2\n\n3,4\n", "line 3 has 1 cells"),
    "blank line at the end": ("PLETH,ABP\n1,2\n\n", "line 3 has 1 cells"),
    "blank first": ("PLETH,ABP\n\n1,2\n", "line 2 has 1 cells"),
    "semicolons": ("PLETH;ABP\n1;2\n", "does not declare column 1"),
    "twice": ("PLETH,ABP,PLETH\n1,2,3\n", "column 'PLETH' stands twice"),
    "unnamed with values": (
        "PLETH,ABP,\n1,2,3\n",
        "column 3 is no number; wanted nothing, as it has no name",
    ),
    "old ends": ("PLETH,ABP\r1,2\r", "line 1 is no header"),
    "an old end": ("PLETH,ABP\n1,2\r3,4\n", "cannot be read|line 2"),
    "no row": ("PLETH,ABP\n", "no row below its header"),
    "nothing": ("", "does not declare|has no column"),
    "open quote": ('PLETH,ABP\n"1,2\n3,4\n', "line"),
    "no text": (b"PLETH\xff,ABP\n1,2\n", "no header in UTF-8"),
    "sixteen bits": ("PLETH,ABP\n1,2\n".encode("utf-16"), "no header in UTF-8"),
    "too large": ("PLETH,ABP\n1,2\n1e999,3\n", "sample 1 is inf"),
    "infinite": ("PLETH,ABP\ninf,80\n", "sample 0 is inf"),
}


@pytest.mark.parametrize(("content", "words"), REFUSED.values(), ids=REFUSED)
def test_lines_that_are_no_table_are_refused(tmp_path, content, words):
    with pytest.raises(RecordError, match=words):
        read_table(csv_of(tmp_path, content))


def test_one_column_may_have_blank_lines(tmp_path):
    path = csv_of(tmp_path, "PLETH\n1\n\n2\n", channels={"PLETH": {"unit": "NU"}})
    values = read_table(path).channels["PLETH"].values
    assert values.tolist() == pytest.approx([1.0, np.nan, 2.0], nan_ok=True)


STEPS = np.arange(500) / 125.0
TIMES = {
    "exact": (STEPS, None),
    "from any time": (1.6e9 + STEPS, None),
    "rounded": (STEPS.round(2), None),
    "a gap": (STEPS + 0.1 * (STEPS >= 2.4), "time of row 301 is 0.1 s off"),
    "drift": (np.arange(500) / 124.5, r"time of row \d+ is"),
    "another rate": (np.arange(500) / 250.0, "time of row 3 is 0.008 s off"),
    "back": (STEPS[::-1], "time of row 2 is 0.016 s off"),
    "missing": (np.where(STEPS[7] == STEPS, np.nan, STEPS), "time of row 8 is missing"),
    "milliseconds": (1e3 * STEPS, "time of row 2 is 7.992 s off"),
}


@pytest.mark.parametrize(("times", "words"), TIMES.values(), ids=TIMES)
def test_times_are_held_against_the_rate(tmp_path, times, words):
    path = tmp_path / "a.parquet"
    as_parquet(path, {"t": times} | columns(500))
    declare(path, time_column="t")
    if words is None:
        assert [*read_table(path).channels] == [*NAMES]
    else:
        with pytest.raises(RecordError, match=words):
            read_table(path)


def test_a_slower_channel_has_blanks_between(tmp_path):
    content = "PLETH,ABP\n1,80\n2,\n3,\n4,81\n5,\n"
    channels = {
        "PLETH": {"unit": "NU"},
        "ABP": {"unit": "mmHg", "every": 3},
    }
    record = read_table(csv_of(tmp_path, content, channels=channels))
    assert record.channels["ABP"].values.tolist() == [80.0, 81.0]
    assert record.channels["ABP"].sampling_rate == pytest.approx(125.0 / 3.0)
    channels["ABP"]["every"] = 2
    with pytest.raises(
        RecordError, match=r"'ABP' has a value in row 4; the sidecar says"
    ):
        read_table(csv_of(tmp_path, content, channels=channels))


def test_several_tables_are_one_record(tmp_path):
    as_npz(tmp_path / "b.npz", {"ECG": np.linspace(-1.0, 1.0, 50)})
    other = {"file": "b.npz", "sampling_rate": 500, "start": 0.25}
    other["channels"] = {"ECG": {"unit": "mV"}}
    path = csv_of(tmp_path, "PLETH,ABP\n1,80\n2,81\n", also=[other])
    record = read_table(path)
    assert [*record.channels] == ["PLETH", "ABP", "ECG"]
    ecg = record.channels["ECG"]
    assert (ecg.sampling_rate, ecg.start, len(ecg.values)) == (500.0, 0.25, 50)
    assert set(record.files) == {"a.csv", "a.json", "b.npz"}
    assert [*read_table(path, channels=["ECG"]).channels] == ["ECG"]
    with pytest.raises(RecordError, match="declared twice"):
        read_table(
            csv_of(tmp_path, "PLETH,ABP\n1,80\n", also=[other | {"file": "a.csv"}])
        )


def test_times_of_several_tables_are_one_clock(tmp_path):
    as_npz(tmp_path / "b.npz", {"ECG": np.ones(3), "t": 7.5 + np.arange(3) / 500})
    other = {"file": "b.npz", "sampling_rate": 500, "start": 0.5, "time_column": "t"}
    other["channels"] = {"ECG": {"unit": "mV"}}
    content = "t,PLETH,ABP\n7.0,1,80\n7.008,2,81\n"
    record = read_table(csv_of(tmp_path, content, time_column="t", also=[other]))
    assert record.channels["ECG"].start == 0.5
    other["start"] = 0.0
    with pytest.raises(RecordError, match=r"starts 0\.5 s later, beside a\.csv"):
        read_table(csv_of(tmp_path, content, time_column="t", also=[other]))


@pytest.mark.parametrize(
    "name",
    ["../b.npz", "/etc/passwd", "sub/../../b.npz", "C:b.npz", "..\\b.npz", "l.npz"],
)
def test_tables_outside_the_folder_are_refused(tmp_path, name):
    as_npz(tmp_path / "b.npz", {"ECG": np.ones(3)})
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "l.npz").symlink_to(tmp_path / "b.npz")
    other = {"file": name, "sampling_rate": 1, "channels": {"ECG": {"unit": "mV"}}}
    with pytest.raises(RecordError, match=r"outside the folder|out of the folder"):
        read_table(csv_of(folder, "PLETH,ABP\n1,80\n", also=[other]))


def test_a_table_without_a_sidecar_is_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("PLETH,ABP\n1,80\n")
    with pytest.raises(RecordError, match=r"no a\.json beside a\.csv.*sampling_rate"):
        read_table(path)
    with pytest.raises(RecordError, match="does not exist"):
        read_table(tmp_path / "b.csv")


@pytest.mark.parametrize("rate", [0, -125, 1e-3, 1e9])
def test_impossible_rates_are_refused(tmp_path, rate):
    with pytest.raises(UnitError, match="Correct sampling_rate"):
        read_table(csv_of(tmp_path, "PLETH,ABP\n1,80\n", sampling_rate=rate))


def test_a_packed_bomb_is_refused(tmp_path):
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"PLETH,ABP\n" + b"0,80\n" * 40_000_000, 1))
    with pytest.raises(RecordError, match=r"unfolds to \d+ or more"):
        read_table(declare(path))


def test_parquet_that_unfolds_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    many = {name: np.zeros(10_000_000) for name in NAMES}
    parquet.write_table(pa.table(many), path, compression="zstd")
    assert path.stat().st_size < 500_000
    with pytest.raises(RecordError, match="unfolds to 160000000"):
        read_table(declare(path))


@pytest.mark.parametrize(
    "values",
    [
        pa.array(["1"] * 3),
        pa.array([True] * 3),
        pa.array([[1.0]] * 3),
        pa.array([0, 1, 2], pa.timestamp("s")),
        pa.array([{"x": 1.0}] * 3),
    ],
    ids=["text", "truth", "list", "dates", "structure"],
)
def test_parquet_holds_numbers_alone(tmp_path, values):
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"PLETH": [1.0, 2.0, 3.0], "ABP": values}), path)
    with pytest.raises(RecordError, match=r"does not hold numbers|columns within"):
        read_table(declare(path))


def test_a_damaged_page_of_parquet_is_seen(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(columns())
    options = {"compression": "none", "use_dictionary": False}
    parquet.write_table(table, path, write_page_checksum=True, **options)
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RecordError, match="is damaged"):
        read_table(declare(path))


@pytest.mark.parametrize("suffix", [".parquet", ".npz"])
def test_integers_are_numbers_as_far_as_floats_hold_them(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, {"PLETH": np.arange(3), "ABP": np.array([80, 81, 82], "i2")})
    assert read_table(declare(path)).channels["ABP"].values.tolist() == [
        80.0,
        81.0,
        82.0,
    ]
    WRITERS[suffix](path, {"PLETH": np.arange(3) + 2**53, "ABP": np.arange(3)})
    with pytest.raises(RecordError):
        read_table(path)


def npz_of(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)


def npy_of(values, **changes):
    file = io.BytesIO()
    np.save(file, values, allow_pickle=True)
    content = file.getvalue()
    for old, new in changes.values():
        content = content.replace(old, new)
    return content


def good(name):
    return (f"{name}.npy", npy_of(np.array([80.0, 81.0])))


ARCHIVES = {
    "objects": (
        [good("ABP"), ("PLETH.npy", npy_of(np.array([{}, 1])))],
        "'PLETH' is none",
    ),
    "two axes": (
        [good("ABP"), ("PLETH.npy", npy_of(np.ones((2, 1))))],
        "'PLETH' is none",
    ),
    "text": (
        [good("ABP"), ("PLETH.npy", npy_of(np.array(["a", "b"])))],
        "PLETH' is none",
    ),
    "more declared": (
        [good("ABP"), ("PLETH.npy", npy_of(np.ones(2), n=(b"(2,)", b"(9,)")))],
        "'PLETH' declares 9 samples and has 16 bytes",
    ),
    "other lengths": (
        [good("ABP"), ("PLETH.npy", npy_of(np.ones(3)))],
        "have 2, 3 sam",
    ),
    "no array": ([good("ABP"), good("PLETH"), ("notes.txt", b"x")], "holds what is no"),
    "pickle": ([good("ABP"), ("PLETH.npy", b"cos\nsystem\n")], "'PLETH' is none"),
    "empty": ([], "has no column"),
    "nothing within": (
        [(f"{n}.npy", npy_of(np.ones(0))) for n in NAMES],
        "have 0 samp",
    ),
}


@pytest.mark.parametrize(("members", "words"), ARCHIVES.values(), ids=ARCHIVES)
def test_archives_hold_arrays_of_numbers_alone(tmp_path, members, words):
    path = tmp_path / "a.npz"
    npz_of(path, members)
    with pytest.raises(RecordError, match=re.escape(words)):
        read_table(declare(path))


def test_an_archive_with_a_name_twice_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    with pytest.warns(UserWarning, match="Duplicate"):
        npz_of(path, [good("ABP"), good("PLETH"), good("ABP")])
    with pytest.raises(RecordError, match="column 'ABP' stands twice"):
        read_table(declare(path))


def test_an_archive_s_checksum_is_verified(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, **columns())
    content = bytearray(path.read_bytes())
    content[3000] ^= 1
    path.write_bytes(bytes(content))
    with pytest.raises(RecordError, match=r"a\.npz is damaged"):
        read_table(declare(path))


def test_an_archive_that_unfolds_is_refused(tmp_path):
    path = tmp_path / "a.npz"
    many = [(f"{name}.npy", npy_of(np.zeros(6_000_000))) for name in NAMES]
    npz_of(path, many, compression=zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    with pytest.raises(RecordError, match="unfolds to 96"):
        read_table(declare(path))


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("seed", range(2))
def test_damage_is_an_error_of_the_library_or_none(tmp_path, suffix, seed):
    rng = np.random.default_rng(seed)
    path = tmp_path / f"a{suffix}"
    WRITERS[suffix](path, columns(200))
    content = path.read_bytes()
    declare(path, sha256=hashlib.sha256(content).hexdigest())
    for _ in range(40):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=int(rng.integers(1, 6))):
            damaged[place] = (damaged[place] + int(rng.integers(1, 256))) % 256
        path.write_bytes(bytes(damaged))
        with pytest.raises(RecordError, match="is not the file"):
            read_table(path)
        declare(path)
        try:
            record = read_table(path)
        except CapnetError as error:
            assert "\n" not in str(error)  # noqa: PT017 (either is right)
        else:
            assert set(record.channels) <= set(NAMES)
        declare(path, sha256=hashlib.sha256(content).hexdigest())
