import csv
import io
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest

from capnet.errors import ConfigError, RecordError
from capnet.hemodynamics import pwdb_release
from capnet.hemodynamics.pwdb import load_pwdb_waves, pwdb_quality
from capnet.hemodynamics.pwdb_clinic import pwdb_beats
from capnet.hemodynamics.pwdb_release import (
    RELEASE_SITES,
    read_pwdb_haemodynamics,
    read_pwdb_release,
)
from capnet.units import MMHG
from tests.fakes.make_pwdb import make_pwdb
from tests.fakes.make_pwdb_release import (
    HAEMODYNAMICS,
    SITES,
    Release,
    make_geometry,
    make_mat,
    make_release,
    people,
    rounded,
    write_tables,
    write_waves,
)

FEW = ("AorticRoot", "Brachial")
SIGNALS = ("pressure", "velocity", "area", "ppg")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def spoilt(tmp_path):
    return make_release(tmp_path, sites=FEW).folder


def _file(folder, name="PWs_Brachial_P.csv"):
    return folder / "PWs" / "csv" / name


def _read(folder, **options):
    return read_pwdb_release(folder, sites=("aortic_root", "brachial"), **options)


def _check(waves, made, numbers, *, exact=False):
    same = (lambda v: v) if exact else rounded
    groups = {"P": waves.pressure, "U": waves.velocity, "PPG": waves.ppg}
    for site, name in RELEASE_SITES.items():
        for row, number in enumerate(numbers):
            for letter, group in groups.items():
                given = same(made.waves[name, letter][number - 1])
                np.testing.assert_array_equal(group[site][row, : len(given)], given)
                assert np.isnan(group[site][row, len(given) :]).all()
            given = same(made.waves[name, "A"][number - 1]) * 1e6
            np.testing.assert_allclose(waves.area[site][row, : len(given)], given)
            lag = waves.start[site][row] - waves.start["aortic_root"][row]
            assert lag == pytest.approx(made.onset[name, "P"][number - 1])
            lag = waves.ppg_start[site][row] - waves.start["aortic_root"][row]
            assert lag == pytest.approx(made.onset[name, "PPG"][number - 1])


def test_everything_comes_back(made):
    waves = read_pwdb_release(made.folder, sites=tuple(RELEASE_SITES), signals=SIGNALS)
    assert waves.index.tolist() == [1, 2, 3, 4]
    assert waves.sampling_rate == 500.0
    assert list(waves.pressure) == list(RELEASE_SITES)
    _check(waves, made, [1, 2, 3, 4])
    velocity, area = (made.waves["AorticRoot", k][1] for k in "UA")
    flow = 1e6 * rounded(velocity) * rounded(area)
    np.testing.assert_allclose(waves.flow[1, : len(flow)], flow)
    np.testing.assert_allclose(waves.period, 60.0 / made.hr, atol=1e-3)
    assert waves.times("radial").shape == waves.flow.shape


def test_some_people_and_sites_in_the_order_wanted(made):
    whole = read_pwdb_release(made.folder)
    part = read_pwdb_release(made.folder, sites=("digital",), subjects=[4, 2])
    assert part.index.tolist() == [4, 2]
    assert list(part.pressure) == ["digital"]
    assert part.ppg == {}
    width = part.flow.shape[1]
    for ours, theirs in (
        (part.pressure["digital"], whole.pressure["digital"]),
        (part.flow, whole.flow),
    ):
        np.testing.assert_array_equal(ours, theirs[[3, 1], :width])
    np.testing.assert_array_equal(part.start["digital"], whole.start["digital"][[3, 1]])


def test_the_archive_is_the_same_as_the_folder(made, tmp_path):
    make_release(tmp_path, packed=True)
    packed, plain = read_pwdb_release(tmp_path), read_pwdb_release(made.folder)
    for site, wave in plain.pressure.items():
        np.testing.assert_array_equal(packed.pressure[site], wave)
    shutil.copytree(made.folder / "PWs", tmp_path / "PWs")
    with pytest.raises(RecordError, match=r"PWs_AorticRoot_P\.csv lies .* and .*once"):
        read_pwdb_release(tmp_path)


@pytest.mark.parametrize("compressed", [True, False])
def test_the_matlab_file_holds_the_same_waves(tmp_path, compressed):
    made = people()
    path = make_mat(tmp_path / "pwdb_data.mat", made, compressed=compressed)
    waves = read_pwdb_release(path, sites=tuple(RELEASE_SITES), signals=SIGNALS)
    _check(waves, made, [1, 2, 3, 4], exact=True)
    part = read_pwdb_release(path, sites=("radial",), subjects=[3])
    width = part.flow.shape[1]
    np.testing.assert_array_equal(
        part.pressure["radial"][0], waves.pressure["radial"][2, :width]
    )
    with pytest.raises(ConfigError, match="no subject 9 among 4 people"):
        read_pwdb_release(path, subjects=[9])


def test_empty_cells_end_a_beat_as_nan_does(spoilt):
    before = _read(spoilt).pressure["brachial"]
    path = _file(spoilt)
    path.write_text(path.read_text().replace("NaN", "").replace("\n", "\r\n"))
    np.testing.assert_array_equal(_read(spoilt).pressure["brachial"], before)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("Subject Number, pt1", "Subject, pt1", "line 1 begins with 'Subject'"),
        ("pt2, pt3", "pt3, pt2", "line 1 has columns pt1, pt3"),
        ("pt2, pt3", "pt2, pt2", "line 1 .*each column once"),
        ("pt2, pt3", "pt3", r"line 1 has columns pt1, pt3"),
        ("\n2,", "\ntwo,", "line 3: Subject Number is b'two'"),
        ("\n2,", "\n2.5,", "line 3: Subject Number is b'2.5'"),
        ("\n2,", "\n1,", "line 3 is of subject 1 again"),
        ("\n2,", "\n7,", "lacks subject 2"),
        ("\n2,75,", "\n2,seventy,", r"line 3, column 'pt1': b'seventy'; wanted a num"),
        ("\n2,75,", "\n2,7_5,", r"line 3, column 'pt1': b'7_5'"),
        ("\n2,75,", "\n2,inf,", r"line 3, column 'pt1': b'inf'"),
        ("\n2,75,", "\n2,1e999,", r"line 3, column 'pt1': b'1e999'"),
        ("\n2,75,", "\n2,7.5.1,", r"line 3, column 'pt1': b'7.5.1'"),
        ("\n2,75,", "\n2,NaN,", r"\(subject 2\): pt1 is missing within the beat"),
        ("\n2,75,", "\n2,", "line 3 has 500 cells; wanted 501"),
        ("\n2,75,", "\n2,10000,", r"Brachial_P, subject 2, pt1: 10000; wanted 20 to 4"),
    ],
)
def test_damage_is_named(spoilt, old, new, message):
    path = _file(spoilt)
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))
    with pytest.raises(RecordError, match=message) as error:
        _read(spoilt)
    assert "Brachial_P" in str(error.value)


def test_cut_files_are_refused(spoilt):
    path = _file(spoilt)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(RecordError, match=r"line 5 ends without a newline"):
        _read(spoilt)
    path.write_bytes(whole[: whole.rindex(b"\n4,") + 1])
    with pytest.raises(RecordError, match=r"lacks subject 4, .*configs\.csv does not"):
        _read(spoilt)
    path.write_bytes(b"")
    with pytest.raises(RecordError, match="line 1 begins with ''"):
        _read(spoilt)
    path.unlink()
    with pytest.raises(RecordError, match=r"PWs_Brachial_P\.csv lies nowhere; wanted"):
        _read(spoilt)


def test_a_wave_of_another_rate_or_person_is_refused(spoilt):
    path = _file(spoilt)
    lines = path.read_text().splitlines()
    cells = lines[1].split(",")
    for kept in (len(cells) // 2, len(cells) - 5):
        short = [*cells[:kept], *["NaN"] * (len(cells) - kept)]
        path.write_text("\n".join([lines[0], ",".join(short), *lines[2:]]) + "\n")
        with pytest.raises(RecordError, match=r"subject 1: \d+ samples at 500 Hz"):
            _read(spoilt)


def test_other_units_are_refused(spoilt, tmp_path):
    for letter, scale, message in (
        ("P", MMHG, "mmHg .1 mmHg is 13"),
        ("P", MMHG / 1e3, "mmHg .1 mmHg is"),
        ("U", 100.0, "m/s .1 m/s is 100 cm/s"),
        ("A", 1e6, "m2 .1 m2 is 1e6 mm2"),
    ):
        made = people(2, FEW)
        waves = {
            key: [scale * w for w in v] if key[1] == letter else v
            for key, v in made.waves.items()
        }
        folder = tmp_path / f"{letter}{scale}"
        folder.mkdir()
        write_tables(folder, made)
        write_waves(folder, Release(folder, made.hr, waves, made.onset))
        with pytest.raises(RecordError, match=message):
            _read(folder)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("pwdb_model_configs.csv", "hr [bpm]", "hr", r"lacks the columns hr \[bpm\]"),
        ("pwdb_model_configs.csv", "\n1,0,0,25,60", "\n1,0,0,25,", r"line 2 \(subject"),
        (
            "pwdb_model_configs.csv",
            "\n1,0,0,25,60",
            "\n1,0,0,25,6",
            r"1: the heart",
        ),
        ("pwdb_model_configs.csv", "\n1,0,0,25,60", "\n1,0,0,25,50", r"1: \d+ samples"),
        (
            "pwdb_onset_times.csv",
            "Brachial_P,",
            "Brachial,",
            "lacks the columns Br",
        ),
        ("pwdb_onset_times.csv", "\n1,0,", "\n1,-0.5,", "begins -0.5 s after the root"),
        ("pwdb_onset_times.csv", "\n2,", "\n9,", "lacks subject 2"),
    ],
)
def test_damaged_tables_are_named(spoilt, name, old, new, message):
    path = spoilt / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(RecordError, match=message):
        _read(spoilt)


def test_files_too_large_are_refused_before_they_are_read(spoilt, monkeypatch):
    monkeypatch.setattr(pwdb_release, "_LARGEST", 1000)
    with pytest.raises(RecordError, match=r"has \d+ bytes; wanted up to 1000"):
        _read(spoilt)


def test_a_line_that_never_ends_is_not_read_to_its_end(spoilt):
    _file(spoilt).write_bytes(b"Subject Number" + b", pt1" * 10_000_000)
    tracemalloc.start()
    with pytest.raises(RecordError, match="line 1: longer than any of PWDB's"):
        _read(spoilt)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5e6


def test_a_spoilt_archive_is_refused(tmp_path):
    made = make_release(tmp_path, sites=FEW, packed=True)
    path = tmp_path / "PWs_csv.zip"
    whole = path.read_bytes()
    rng = np.random.default_rng(1)
    expected = _read(made.folder).pressure["brachial"]
    for place in rng.integers(0, len(whole), 60):
        changed = bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        try:
            found = _read(made.folder).pressure["brachial"]
        except RecordError:
            continue
        # in a date or attribute of the archive
        np.testing.assert_array_equal(found, expected)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(RecordError, match="cannot be read"):
        _read(made.folder)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("csv/PWs_Radial_P.csv", "")
    with pytest.raises(RecordError, match="lies nowhere"):
        _read(made.folder)


def _independent(path, subjects):
    """What a file says, read by another parser; None if it is not well formed."""
    rows = list(csv.reader(io.StringIO(path.read_bytes().decode("ascii"), newline="")))
    found = {int(row[0]): [float(c or "nan") for c in row[1:]] for row in rows[1:]}
    return np.array([found[k] for k in subjects])


def _mutate(text, rng):
    """Change one thing: a byte, a cell, a line, or what is at the end."""
    kind = rng.integers(7)
    place = int(rng.integers(len(text)))
    if kind == 0:
        return text[:place] + bytes([int(rng.integers(256))]) + text[place + 1 :]
    if kind == 1:
        return text[:place] + text[place + 1 + int(rng.integers(3)) :]
    if kind == 2:
        return (
            text[:place]
            + bytes([int(rng.choice(list(b",\n-.eN59 \x00")))])
            + text[place:]
        )
    if kind == 3:
        return text[:place]
    lines = text.split(b"\n")
    row = int(rng.integers(len(lines)))
    if kind == 4:
        return b"\n".join([*lines[:row], *lines[row + 1 :]])
    if kind == 5:
        return b"\n".join([*lines[:row], lines[row], *lines[row:]])
    cells = lines[row].split(b",")
    cells[int(rng.integers(len(cells)))] = rng.choice(
        [b"", b"NaN", b"x", b"1e400", b"-", b"0x10", b"1_0", b"\xc3\xa9"]
    )
    return b"\n".join([*lines[:row], b",".join(cells), *lines[row + 1 :]])


def test_a_damaged_file_is_refused_or_read_exactly_as_it_is(spoilt):
    """Whatever is changed: an error of this library, or just what the file says."""
    path = _file(spoilt)
    whole = path.read_bytes()
    rng = np.random.default_rng(11)
    refused = 0
    for _ in range(300):
        path.write_bytes(_mutate(whole, rng))
        try:
            waves = _read(spoilt)
        except RecordError:
            refused += 1
            continue
        given = _independent(path, waves.index)
        found = waves.pressure["brachial"]
        width = found.shape[1]
        np.testing.assert_array_equal(found, given[:, :width])
        assert np.isnan(given[:, width:]).all()
    assert 150 < refused < 300


def test_a_damaged_matlab_file_is_refused(tmp_path):
    path = make_mat(tmp_path / "pwdb_data.mat", people(2, FEW))
    whole = path.read_bytes()
    rng = np.random.default_rng(12)
    for _ in range(100):
        place, changed = int(rng.integers(128, len(whole))), bytearray(whole)
        changed[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(changed))
        with pytest.raises(RecordError, match=r"pwdb_data\.mat"):
            _read(path)


def test_matlab_files_of_other_content_are_named(tmp_path):
    path = tmp_path / "pwdb_data.mat"
    made = people(2, FEW)
    make_mat(path, made)
    with pytest.raises(RecordError, match=r"lacks data\.waves\.P_Radial, .*wanted"):
        read_pwdb_release(path, sites=("radial",))
    waves = dict(made.waves)
    waves["Brachial", "P"] = waves["Brachial", "P"][:1]
    make_mat(path, Release(tmp_path, made.hr, waves, made.onset))
    with pytest.raises(RecordError, match=r"P_Brachial has 1 people; .*hr has 2"):
        _read(path)
    waves["Brachial", "P"] = [w * np.nan for w in made.waves["Brachial", "P"]]
    make_mat(path, Release(tmp_path, made.hr, waves, made.onset))
    with pytest.raises(RecordError, match=r"P_Brachial\{1\} has no samples or some"):
        _read(path)


def test_words_that_are_not_known_are_named(made):
    with pytest.raises(ConfigError, match=r"sites are \('wrist',\); wanted .*radial"):
        read_pwdb_release(made.folder, sites=("wrist",))
    with pytest.raises(ConfigError, match=r"signals are .*wanted .*pressure, vel"):
        read_pwdb_release(made.folder, signals=())
    with pytest.raises(ConfigError, match="no subject 7 among 4 people"):
        read_pwdb_release(made.folder, subjects=[7])
    assert set(RELEASE_SITES.values()) == set(SITES)


def test_haemodynamic_parameters(made):
    table = read_pwdb_haemodynamics(made.folder, [3, 1])
    assert table.index.tolist() == [3, 1]
    np.testing.assert_allclose(table["hr"], rounded(made.hr[[2, 0]]))
    # columns 4 to 33 of the fake hold 10, 11 ... and 0.1 more for each person
    names = list(table.values)
    assert len(names) == HAEMODYNAMICS.count(",")
    for k, name in enumerate(names[2:]):
        np.testing.assert_allclose(table[name], [10.2 + k, 10.0 + k])
    frame = table.to_frame()
    assert frame.shape == (2, 33)
    assert "2 people, 32 parameters" in repr(table)
    with pytest.raises(ConfigError, match="no parameter 'bmi'; there are age"):
        table["bmi"]


def test_a_landmark_may_be_missing_but_a_pressure_not(spoilt):
    table = read_pwdb_haemodynamics(spoilt)
    assert np.isnan(table["augmentation_index"]).tolist() == [False] * 3 + [True]
    path = spoilt / "pwdb_haemod_params.csv"
    lines = path.read_text().splitlines()
    cells = lines[2].split(",")
    cells[13] = "NaN"
    path.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    with pytest.raises(RecordError, match=r"line 3 \(subject 2\): SBP_b .* missing"):
        read_pwdb_haemodynamics(spoilt)


def test_the_release_alone_makes_a_table_of_beats(tmp_path):
    make_geometry(make_pwdb(tmp_path, subjects=(1, 2, 3)), packed=True)
    make_release(tmp_path, subjects=3)
    waves = read_pwdb_release(tmp_path, signals=("pressure", "ppg"))
    quality = pwdb_quality(tmp_path, waves=waves)
    beats = pwdb_beats(waves, quality, site="radial", ppg="digital")
    # the bed of the third one is narrower than its artery
    assert beats.subject.tolist() == ["pwdb-1", "pwdb-2"]
    assert beats.accepted.all()
    assert beats.ppg.max() == 1.0
    assert beats.age.tolist() == [25.0, 35.0]
    np.testing.assert_allclose(beats.truth["ptt"], 0.048, atol=2e-3)


@pytest.mark.data
def test_real_waves_survive_the_release_format(shared_data, tmp_path):
    """Waves that the release holds, written as it does, are those of the archive."""
    chosen = load_pwdb_waves(shared_data / "pwdb").index[::600].tolist()
    given = load_pwdb_waves(shared_data / "pwdb", chosen)
    sites = {k: RELEASE_SITES[k] for k in given.pressure}

    def cut(values, row):
        return values[row][np.isfinite(values[row])].astype(np.float64)

    waves, onset = {}, {}
    for site, name in sites.items():
        root = given.start["aortic_root"]
        onset[name, "P"] = onset[name, "U"] = given.start[site] - root
        onset[name, "A"] = onset[name, "P"]
        waves[name, "P"] = [cut(given.pressure[site], k) for k in range(len(chosen))]
    flow = [cut(given.flow, k) for k in range(len(chosen))]
    waves["AorticRoot", "U"] = [q * 1e-6 / 5e-4 for q in flow]
    waves["AorticRoot", "A"] = [np.full(len(q), 5e-4) for q in flow]
    hr = 60.0 / (given.period - 5e-4)
    made = Release(tmp_path, hr, waves, onset)
    write_tables(tmp_path, made)
    write_waves(tmp_path, made)
    found = read_pwdb_release(tmp_path, sites=tuple(sites))
    np.testing.assert_array_equal(found.period, given.period)
    for site in sites:
        np.testing.assert_allclose(found.start[site], given.start[site], atol=1e-9)
        width = found.flow.shape[1]
        np.testing.assert_allclose(
            found.pressure[site], given.pressure[site][:, :width], atol=6e-3
        )
    np.testing.assert_allclose(found.flow, given.flow[:, :width], atol=0.01)
