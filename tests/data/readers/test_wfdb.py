import jaxtyping
import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.errors import CapnetError, RecordError, UnitError
from tests.fakes.make_record import channels, make_record

SECONDS = 8.0


@pytest.fixture
def header(tmp_path):
    return make_record(tmp_path, seconds=SECONDS)


def edit(header, old, new):
    text = header.read_text()
    assert old in text
    header.write_text(text.replace(old, new, 1))


def test_reads_what_was_written(header):
    record = read_record(header)
    made = channels(SECONDS, 70.0, np.random.default_rng(0))
    assert list(record.channels) == ["II", "ABP", "PLETH"]
    assert record.subject == "virtual"
    assert record.source == "WFDB virtual.hea"
    for name, step in [("II", 1 / 2000), ("ABP", 1 / 100), ("PLETH", 1 / 10000)]:
        signal = record.channels[name]
        assert signal.sampling_rate == 250.0
        np.testing.assert_allclose(signal.values, made[name], atol=0.51 * step)
    assert [s.unit for s in record.channels.values()] == ["mV", "mmHg", "NU"]


def test_with_or_without_suffix_and_by_channel(header):
    record = read_record(
        header.with_suffix(""), channels=["pleth"], subject="p1", age=70.0
    )
    assert (record.subject, record.age) == ("p1", 70.0)
    assert list(record.channels) == ["PLETH"]


FAULTS = {
    "no rate": (" 3 250 2000", " 3", UnitError, "sampling rate is missing"),
    "rate 0": (" 250 ", " 0 ", UnitError, "sampling rate is 0"),
    "rate below 0": (" 250 ", " -250 ", UnitError, "sampling rate is -250"),
    "rate no number": (" 250 ", " nan ", UnitError, "sampling rate is 'nan'"),
    "rate huge": (" 250 ", " 1e9 ", UnitError, "at most 1e5"),
    "no length": (" 250 2000", " 250", RecordError, "number of samples is missing"),
    "length 0": (" 250 2000", " 250 0", RecordError, "is empty"),
    "length huge": (" 2000\n", " 1000000000000\n", RecordError, "the file is cut"),
    "length short": (" 2000\n", " 1999\n", RecordError, "holds 12000 bytes"),
    "length long": (" 2000\n", " 2001\n", RecordError, "declares 12006"),
    "gain 0": (" 2000(0)/mV", " 0(0)/mV", UnitError, r"\(II\): the gain is 0"),
    "gain below 0": (" 2000(0)", " -2000(0)", UnitError, "gain is -2000"),
    "gain no number": (" 2000(0)", " gain(0)", UnitError, "gain is no number"),
    "gain too large": (" 2000(0)", " 1e999(0)", UnitError, "the gain is 1e999"),
    "absolute path": ("virtual.dat", "/etc/passwd", RecordError, "outside"),
    "path upwards": ("virtual.dat", "../virtual.dat", RecordError, "outside"),
    "two dots": ("virtual.dat", "virtual.v.dat", RecordError, "one dot"),
    "pattern": ("virtual.dat", "v*.dat", RecordError, "one dot"),
    "backslash": ("virtual.dat", "..\\virtual.dat", RecordError, "outside"),
    "no such file": ("virtual.dat", "other.dat", RecordError, "no file 'other.dat'"),
    "format": (".dat 16 ", ".dat 17 ", RecordError, "format '17'"),
    "no format": (".dat 16 ", ".dat x ", RecordError, "wanted a storage format"),
    "names twice": (" 0 ABP", " 0 II", RecordError, "called 'II'"),
    "signals too many": ("virtual 3", "virtual 4", RecordError, "4 are declared"),
    "signals none": ("virtual 3", "virtual 0", RecordError, "is empty"),
    "first line": ("virtual 3", "virtual", RecordError, "wanted"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_one_error(header, fault):
    old, new, kind, message = FAULTS[fault]
    edit(header, old, new)
    with pytest.raises(kind, match=f"(?i){message}") as caught:
        read_record(header)
    assert "\n" not in str(caught.value)
    assert "virtual.hea" in str(caught.value)


def test_a_missing_gain(tmp_path):
    header = make_record(tmp_path, seconds=SECONDS)
    first, _, *rest = header.read_text().splitlines()
    header.write_text("\n".join([first, "virtual.dat 16", *rest]))
    with pytest.raises(UnitError, match="gain is missing"):
        read_record(header)


@pytest.mark.filterwarnings("error")
def test_a_gain_that_is_next_to_nothing(header):
    edit(header, " 2000(0)/mV", " 1e-308(0)/mV")
    with pytest.raises(RecordError):
        read_record(header)


@pytest.mark.parametrize("line", [1, 2, 3])
@pytest.mark.parametrize("field", [5, 6])
def test_first_sample_and_checksum_are_verified(header, line, field):
    lines = header.read_text().splitlines()
    words = lines[line].split()
    words[field] = str(int(words[field]) + 1)
    lines[line] = " ".join(words)
    header.write_text("\n".join(lines))
    wanted = {5: "sample 0 is", 6: "checksum"}[field]
    with pytest.raises(RecordError, match=f"channel '{words[8]}'.*{wanted}"):
        read_record(header)


def test_every_flipped_byte_is_noticed(header):
    data = header.with_suffix(".dat")
    intact = data.read_bytes()
    for place in np.random.default_rng(0).integers(0, len(intact), 30):
        broken = bytearray(intact)
        broken[place] ^= 0x10
        data.write_bytes(bytes(broken))
        with pytest.raises(RecordError, match="damaged"):
            read_record(header)


@pytest.mark.parametrize("cut", [0, 1, 6, 5999])
def test_a_cut_file_is_noticed(header, cut):
    data = header.with_suffix(".dat")
    data.write_bytes(data.read_bytes()[: 12000 - cut - 1])
    with pytest.raises(RecordError, match="declares 12000"):
        read_record(header)


def test_a_link_out_of_the_folder_is_refused(header, tmp_path):
    outside = tmp_path.parent / "outside.dat"
    data = header.with_suffix(".dat")
    data.rename(outside)
    data.symlink_to(outside)
    with pytest.raises(RecordError, match="link out of the folder"):
        read_record(header)


def test_a_channel_without_unit_is_left_out_and_named(header):
    edit(header, "10000(0)/NU", "10000(0)")
    record = read_record(header)
    assert list(record.channels) == ["II", "ABP"]
    assert "no unit: PLETH" in record.source
    with pytest.raises(UnitError, match="'PLETH' names no unit"):
        read_record(header, channels=["PLETH"])


def test_unknown_channels_list_what_there_is(header):
    with pytest.raises(RecordError, match="no channel 'SpO2'; it has 'II', 'ABP'"):
        read_record(header, channels=["II", "SpO2"])


def test_pressure_in_other_units_becomes_mmhg(header):
    before = read_record(header).signal("abp").values
    edit(header, "/mmHg", "/cmH2O")
    signal = read_record(header).signal("abp")
    assert signal.unit == "mmHg"
    in_cm = signal.values * (133.322387415 / 98.0665)
    np.testing.assert_allclose(in_cm, before)


def rewrite(header, column, values):
    """Exchange one channel's samples, with an honest checksum."""
    data = header.with_suffix(".dat")
    table = np.frombuffer(data.read_bytes(), dtype="<i2").reshape(-1, 3).copy()
    table[:, column] = values(table[:, column])
    data.write_bytes(table.tobytes())
    lines = header.read_text().splitlines()
    words = lines[1 + column].split()
    words[5] = str(table[0, column])
    words[6] = str(int(table[:, column].sum(dtype=np.int64)) % 65536)
    lines[1 + column] = " ".join(words)
    header.write_text("\n".join(lines))


def test_invalid_samples_are_missing(header):
    rewrite(header, 1, lambda x: np.where(np.arange(len(x)) % 100 == 7, -32768, x))
    values = read_record(header).signal("abp").values
    assert np.flatnonzero(np.isnan(values)).tolist() == list(range(7, 2000, 100))


def test_a_channel_of_invalid_samples_is_one_error_when_asked_for(header):
    rewrite(header, 2, lambda x: np.full_like(x, -32768))
    record = read_record(header)
    assert list(record.channels) == ["II", "ABP"]
    assert "no valid sample: PLETH" in record.source
    with pytest.raises(RecordError, match="'PLETH' holds no valid sample"):
        read_record(header, channels=["PLETH"])


@pytest.mark.parametrize(
    ("declared", "right"), [(-32768, True), (0, True), (4711, False), (-1, False)]
)
def test_a_first_sample_that_is_missing_is_declared_as_such_or_as_0(
    header, declared, right
):
    rewrite(header, 1, lambda x: np.where(np.arange(len(x)) < 3, -32768, x))
    edit(header, " -32768 ", f" {declared} ")
    if right:
        assert np.isnan(read_record(header).signal("abp").values[:3]).all()
        return
    with pytest.raises(RecordError, match=f"0 is -32768, the header says {declared}"):
        read_record(header)


REAL = {
    "bidmc": (
        " 3 125 2000",
        "16 16384.0(-16384)/pm 16 0 {first} {sum} 0 RESP,",
        "16 16384(0)/NU 16 0 {first} {sum} 0 PLETH,",
        "16 16384(0)/mV 16 0 {first} {sum} 0 II,",
    ),
    "slpdb": (
        " 3 250 2000 23:06:00 19/01/1989",
        "16 5000/mV 12 0 {first} {sum} 0 ECG",
        "16 240(-12000)/mmHg 12 0 {first} {sum} 0 BP",
        "16 5000/l 12 0 {first} {sum} 0 Resp (sum)",
    ),
    "mimic-iv": (
        " 3 62.4725/999.56(1) 2000 19:05:25.123 01/01/2150",
        "16 200/mV 14 8192 {first} {sum} 0 II",
        "16 160(8000)/mmHg 12 2048 {first} {sum} 0 CVP",
        "16 4093(2)/Ohm 12 2048 {first} {sum} 0 Resp",
    ),
    "mimic-iii": (
        " 3 125 2000  8:39:12.811",
        "16 125(-10)/mmHg 8 0 {first} {sum} 0 ICP",
        "16 80(-1600)/mmHg 12 0 {first} {sum} 0 PAP",
        "16 2.55/% 8 0 {first} {sum} 0 SpO2",
    ),
}


@pytest.mark.parametrize("style", REAL)
def test_headers_as_databases_write_them_are_read(header, style):
    table = np.frombuffer(header.with_suffix(".dat").read_bytes(), "<i2").copy()
    table = table.reshape(-1, 3) // 64  # of any unit
    header.with_suffix(".dat").write_bytes(table.tobytes())
    first, *lines = REAL[style]
    header.write_text(
        f"virtual{first}\n"
        + "\n".join(
            "virtual.dat " + line.format(first=x[0], sum=int(x.sum()) % 65536)
            for line, x in zip(lines, table.T, strict=True)
        )
    )
    record = read_record(header)
    names = [line.split(" 0 ")[-1].split(None, 0)[0] for line in lines]
    assert list(record.channels) == names
    for signal, digital in zip(record.channels.values(), table.T, strict=True):
        assert len(signal.values) == 2000
        assert np.corrcoef(signal.values, digital)[0, 1] == pytest.approx(1.0)


def test_skew_becomes_a_start(header):
    edit(header, ".dat 16 ", ".dat 16:5 ")
    record = read_record(header)
    assert record.signal("ecg").start == pytest.approx(-5 / 250)
    assert record.signal("abp").start == 0.0
    assert len(record.signal("ecg").values) == 2000


def test_segments_are_joined_and_gaps_are_missing(tmp_path):
    for i in (1, 2):
        make_record(tmp_path, seconds=SECONDS, seed=i, name=f"part{i}")
    header = tmp_path / "whole.hea"
    header.write_text("whole/3 3 250 4500\npart1 2000\n~ 500\npart2 2000\n")
    values = read_record(header).signal("ppg").values
    parts = [read_record(tmp_path / f"part{i}").signal("ppg").values for i in (1, 2)]
    expected = np.concatenate([parts[0], np.full(500, np.nan), parts[1]])
    np.testing.assert_array_equal(values, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("whole/2 3 250 3000\npart1 2000\npart1 1000\n", "'part1' is named 2 times"),
        ("whole/1 3 125 2000\npart1 2000\n", "at 250 Hz"),
        ("whole/1 3 250 1999\npart1 2000\n", "segments hold 2000"),
        ("whole/2 3 250 2000\npart1 2000\n", "2 are declared"),
        ("whole/1 3 250 2000\n../part1 2000\n", "outside"),
        ("whole/1 3 250 2000\npart9 2000\n", "no file 'part9.hea'"),
        ("whole/1 3 250 2000\nwhole 2000\n", "in one piece"),
        ("whole/2 3 250 1000000002000\npart1 2000\n~ 1000000000000\n", "31 days"),
    ],
)
def test_faults_of_segments(tmp_path, text, message):
    make_record(tmp_path, seconds=SECONDS, name="part1")
    header = tmp_path / "whole.hea"
    header.write_text(text)
    with pytest.raises(RecordError, match=message):
        read_record(header)


@pytest.mark.parametrize("path", [None, 5, b"virtual.hea", ["virtual.hea"]])
def test_what_is_no_path_is_refused(monkeypatch, path):
    # Users run without the shape checks of these tests.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(RecordError, match=r"path is .*; wanted text or a Path"):
        read_record(path)


def test_a_folder_that_reads_like_the_address_of_a_cloud(tmp_path):
    folder = tmp_path / "simplecache::s3:"
    folder.mkdir()
    with pytest.raises(RecordError, match="'::' in its name"):
        read_record(make_record(folder, seconds=SECONDS))


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_folder_is_no_record(monkeypatch, tmp_path, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecordError):
        read_record(path)


def test_an_impossible_age_is_refused(header):
    with pytest.raises(RecordError, match="'virtual' has age -5; wanted years"):
        read_record(header, age=-5)


def test_nothing_there(tmp_path):
    with pytest.raises(RecordError, match="does not exist"):
        read_record(tmp_path / "nothing")
    other = tmp_path / "table.doc"
    other.write_text("a,b\n")
    with pytest.raises(RecordError, match="no known format"):
        read_record(other)


@pytest.mark.parametrize("content", [b"", b"# only a comment\n", b"\xff\xfe\x00", b"0"])
def test_headers_that_are_none(tmp_path, content):
    header = tmp_path / "bad.hea"
    header.write_bytes(content)
    with pytest.raises(RecordError, match=r"bad\.hea"):
        read_record(header)


def test_mutated_headers_are_refused_or_read_exactly(header):
    intact = header.read_bytes()
    truth = read_record(header)
    rng = np.random.default_rng(0)
    for _ in range(150):
        broken = bytearray(intact)
        broken[rng.integers(len(broken))] = rng.integers(32, 127)
        header.write_bytes(bytes(broken))
        try:
            record = read_record(header)
        except CapnetError:
            continue
        for signal in record.channels.values():
            assert len(signal.values) == len(truth.signal("ecg").values)
            assert np.isfinite(signal.values).all()


@pytest.mark.data
def test_real_records(shared_data):
    folder = shared_data / "wfdb_sample"
    record = read_record(folder / "mixedsignals")
    rates = {name: signal.sampling_rate for name, signal in record.channels.items()}
    assert rates["II"] == pytest.approx(4 * 62.4725)
    assert rates["ABP"] == pytest.approx(2 * 62.4725)
    assert rates["Resp"] == pytest.approx(62.4725)
    assert len(record.channels["II"].values) == 57600
    assert np.isnan(record.channels["II"].values).sum() == 1024
    assert list(read_record(folder / "041s").channels) == ["ABP", "PAP"]
    assert len(read_record(folder / "041s").signal("abp").values) == 2000
    assert "RESP" in read_record(folder / "03700181").source
    for name in ("v102s", "a103l", "s25047/3234460_0018", "s00001/3975656_0015"):
        assert read_record(folder / name).channels
