"""The door of .vital: exactly the samples of the file, or one clear error."""

import gc
import gzip
import struct
import warnings

import numpy as np
import pytest

from capnet.data.readers.vital import read_vital
from capnet.errors import RecordError, UnitError
from capnet.files import sha256_of
from tests.fakes.make_vital import (
    TYPES,
    Track,
    Vital,
    body,
    content,
    cut_up,
    packet,
    people,
    write,
)


def witness_of(path):
    """Return what vitaldb reads, which leaves files open."""
    vitaldb = pytest.importorskip("vitaldb")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        found = vitaldb.VitalFile(str(path))
        gc.collect()
    return found


def stored(track):
    """Return the samples of a track in its unit."""
    values = np.concatenate([v for _, v in track.packets]).astype(float)
    return values * track.gain + track.offset if track.form > 2 else values


def test_every_channel_has_its_samples_rate_unit_and_start(tmp_path):
    made = people()
    path = write(tmp_path / "a.vital", made)
    record = read_vital(path)
    assert list(record.channels) == ["ECG_II", "ART", "PLETH"]
    for track, start in zip(made.tracks, (0.0, 0.1, 0.0), strict=False):
        signal = record.channels[track.name]
        np.testing.assert_allclose(signal.values, stored(track), rtol=1e-12)
        assert signal.sampling_rate == track.rate
        assert signal.start == pytest.approx(start, abs=1e-6)
    assert record.channels["ECG_II"].unit == "mV"
    assert record.channels["PLETH"].unit == "NU"
    assert record.files == {"a.vital": sha256_of(path)}
    assert record.sync == "unknown"


@pytest.mark.parametrize("form", sorted(TYPES))
def test_every_storage_format_is_read(tmp_path, form):
    values = np.arange(100) + (20 if form in (4, 6, 8) else 10)
    track = Track("ART", cut_up(values, 100.0), form=form, rate=100.0, gain=0.5)
    record = read_vital(write(tmp_path / "a.vital", Vital([track])))
    wanted = values * 0.5 - 50.0 if form > 2 else values
    np.testing.assert_allclose(record.channels["ART"].values, wanted)


def test_vitaldb_reads_the_same(tmp_path):
    path = write(tmp_path / "a.vital", people(seed=4))
    record = read_vital(path)
    witness = witness_of(path)
    for name, signal in record.channels.items():
        track = witness.trks[f"Monitor/{name}"]
        values = np.concatenate([rec["val"] for rec in track.recs]).astype(float)
        values = values * track.gain + track.offset if track.fmt > 2 else values
        np.testing.assert_allclose(signal.values, values, rtol=1e-6)
        assert signal.sampling_rate == track.srate


@pytest.mark.data
@pytest.mark.parametrize("name", ["test_data_demo", "test_intelliue_demo2"])
def test_recordings_of_a_monitor_are_read_as_vitaldb_does(shared_data, name):
    path = shared_data / "vital_sample" / f"{name}.vital"
    record = read_vital(path)
    witness = witness_of(path)
    for channel, signal in record.channels.items():
        track = witness.trks[f"Intellivue/{channel}"]
        values = np.concatenate([rec["val"] for rec in track.recs])
        values = values * track.gain + track.offset
        np.testing.assert_allclose(signal.values, values, atol=1e-9)
    assert [(c.sbp, c.dbp, c.map) for c in record.cuffs] == [(120.0, 80.0, 90.0)]
    assert record.calibration == "cuff SBP/DBP"


def test_gaps_between_packets_are_missing_samples(tmp_path):
    made = people()
    track = made.tracks[1]
    track.packets = [p for p in track.packets if not 2.0 < p[0] < 4.0]
    signal = read_vital(write(tmp_path / "a.vital", made)).channels["ART"]
    values = stored(track)
    before = sum(len(v) for t, v in track.packets if t < 3.0)
    after = round((next(t for t, _ in track.packets if t > 3.0) - 0.1) * 125)
    np.testing.assert_allclose(signal.values[:before], values[:before])
    assert np.isnan(signal.values[before:after]).all()
    np.testing.assert_allclose(signal.values[after:], values[before:])


def test_late_stamps_are_no_gaps(tmp_path):
    made = people()
    rng = np.random.default_rng(0)
    wanted = {track.name: stored(track) for track in made.tracks[:3]}
    late = [0.05 * rng.random() for _ in range(20)]
    for track in made.tracks[:3]:
        track.packets = [(t + late[k], v) for k, (t, v) in enumerate(track.packets)]
    record = read_vital(write(tmp_path / "a.vital", made))
    for name, values in wanted.items():
        np.testing.assert_allclose(record.channels[name].values, values)
    assert record.sync == "unknown"  # all are late together


def test_a_channel_that_is_late_alone_makes_delays_untrusted(tmp_path):
    made = people()
    first, *others = made.tracks[1].packets
    made.tracks[1].packets = [first, *((t + 0.03, v) for t, v in others)]
    record = read_vital(write(tmp_path / "a.vital", made))
    np.testing.assert_allclose(record.channels["ART"].values, stored(made.tracks[1]))
    assert record.sync == "untrusted"


def test_empty_packets_are_passed_over(tmp_path):
    made = people()
    made.extra = record_of(1, [])
    record = read_vital(write(tmp_path / "a.vital", made))
    np.testing.assert_allclose(record.channels["ECG_II"].values, stored(made.tracks[0]))


def test_the_filled_gaps_of_a_packed_file_are_missing_samples(tmp_path):
    made = people()
    made.packed = True
    values = made.tracks[0].packets[0][1]
    values[3:9] = 65535
    signal = read_vital(write(tmp_path / "a.vital", made)).channels["ECG_II"]
    assert np.flatnonzero(np.isnan(signal.values)).tolist() == list(range(3, 9))


def test_cuff_readings_are_kept_once_each(tmp_path):
    record = read_vital(write(tmp_path / "a.vital", people()))
    assert [(c.sbp, c.dbp, c.map) for c in record.cuffs] == [
        (120.0, 70.0, 90.0),
        (124.0, 74.0, 94.0),
    ]
    np.testing.assert_allclose([c.time for c in record.cuffs], [1.0, 3.0], atol=1e-6)
    assert record.calibration == "cuff SBP/DBP"


def test_cuff_readings_that_are_none_are_counted(tmp_path):
    made = people()
    made.tracks[3].packets = [(t, 0.0) for t, _ in made.tracks[3].packets]
    record = read_vital(write(tmp_path / "a.vital", made))
    assert record.cuffs == ()
    assert record.calibration == "none"
    assert "2 cuff readings" in record.source


def test_nobody_is_named(tmp_path):
    made = people()
    made.devices = {1: "Canary"}
    record = read_vital(write(tmp_path / "a.vital", made))
    assert "Canary" not in repr(record)
    assert str(int(made.begin))[:5] not in repr(record)


def test_two_devices_with_one_track_name_are_told_apart(tmp_path):
    made = people()
    made.devices = {1: "SNUADC", 2: "Canary"}
    other = Track("ART", cut_up(np.full(500, 2000), 125.0), device=2)
    made.tracks.append(other)
    path = write(tmp_path / "a.vital", made)
    assert list(read_vital(path).channels) == [
        *("ECG_II", "SNUADC/ART", "PLETH", "device 2/ART"),
    ]
    assert list(read_vital(path, channels=["canary/art"]).channels) == ["device 2/ART"]
    one = write(tmp_path / "b.vital", people())
    assert list(read_vital(one, channels=["Monitor/ART"]).channels) == ["ART"]
    with pytest.raises(RecordError, match=r"no channel 'FEM'.*'ART'"):
        read_vital(one, channels=["FEM"])


def test_a_channel_without_unit_is_left_out_or_refused(tmp_path):
    made = people()
    made.tracks[1].unit = ""
    path = write(tmp_path / "a.vital", made)
    assert "ART" not in read_vital(path).channels
    assert "ART" in read_vital(path).source
    with pytest.raises(UnitError, match="'ART' declares no unit"):
        read_vital(path, channels=["ART"])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("rate", 0.0, UnitError),
        ("rate", -125.0, UnitError),
        ("rate", float("nan"), UnitError),
        ("rate", float("inf"), UnitError),
        ("rate", 1e7, UnitError),
        ("rate", 1e-4, RecordError),
        ("gain", 0.0, UnitError),
        ("gain", -1.0, UnitError),
        ("gain", float("nan"), UnitError),
        ("gain", 1e300, RecordError),
        ("gain", 1e9, RecordError),
        ("offset", float("inf"), UnitError),
        ("short", 13, UnitError),  # offset is missing
        ("short", 21, UnitError),  # gain is missing
        ("short", 25, UnitError),  # rate is missing
        ("short", 6, RecordError),
        ("form", 9, RecordError),
        ("kind", 7, RecordError),
        ("name", "", RecordError),
        ("name", "a\nb", RecordError),
        ("name", "x" * 100, RecordError),
    ],
)
def test_a_damaged_declaration_is_refused(tmp_path, field, value, error):
    track = people().tracks[2]
    setattr(track, field, value) if field not in ("form", "kind") else None
    data = body(Vital([track]))
    if field in ("form", "kind"):
        at = data.index(b"PLETH") - 4 - (1 if field == "form" else 2)
        data = data[:at] + bytes([value]) + data[at + 1 :]
    path = tmp_path / "a.vital"
    path.write_bytes(gzip.compress(data))
    with pytest.raises(error, match=r"a\.vital"):
        read_vital(path)


@pytest.mark.parametrize(
    ("time", "said"),
    [
        (float("nan"), "no possible time"),
        (float("inf"), "no possible time"),
        (-1.6e9, "no possible time"),
        (0.2, "before the one before"),
        (4e6, "31 days"),
        (2e6, "gaps"),
    ],
)
def test_a_packet_at_an_impossible_time_is_refused(tmp_path, time, said):
    made = people()
    packets = made.tracks[1].packets
    packets[-1] = (time, packets[-1][1])
    made.packed = True  # keeps the order
    with pytest.raises(RecordError, match=rf"a\.vital.*{said}"):
        read_vital(write(tmp_path / "a.vital", made))


def record_of(number, samples, declared=None, info=10):
    count = len(samples) if declared is None else declared
    head = struct.pack("<HdHL", info, 1.5e9 + 100.0, number, count)
    return packet(1, head + np.asarray(samples, dtype="<u2").tobytes())


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        (record_of(77, [1, 2]), "nothing declares"),
        (record_of(1, [1, 2], declared=3), "declares 3 samples"),
        (record_of(1, [1, 2], declared=1), "declares 1 samples"),
        (record_of(1, [1, 2], declared=2**32 - 1), "declares 4294967295 samples"),
        (record_of(1, [1], info=60000), "too short"),
        (record_of(1, [1], info=2), "too short"),
        (packet(1, b"\x0a"), "too short"),
        (packet(0, b"\x01\x00\x01\x06" + b"\xff" * 8), "too short or no text"),
        (packet(0, struct.pack("<HBBL2s", 1, 1, 6, 2, b"II")), "declared twice"),
        (packet(9, struct.pack("<LL", 1, 2**31)), "too short"),
        (packet(3, b""), "of kind 3"),
        (b"\x01", "cut"),
        (struct.pack("<BL", 1, 2**32 - 1), "4294967295 bytes"),
        (struct.pack("<BL", 6, 100), "cut"),
    ],
)
def test_a_damaged_packet_is_refused(tmp_path, extra, said):
    made = people()
    made.extra = extra
    path = tmp_path / "a.vital"
    data = body(made)
    if extra in (b"\x01", struct.pack("<BL", 6, 100)):
        made.extra = b""
        data = body(made) + extra
    path.write_bytes(gzip.compress(data))
    with pytest.raises(RecordError, match=rf"a\.vital.*{said}"):
        read_vital(path)


def test_a_damaged_stream_is_refused(tmp_path):
    whole = content(people())
    path = tmp_path / "a.vital"
    for data in (
        *(whole[:n] for n in (0, 5, 100, len(whole) // 2, len(whole) - 1)),
        whole[:-8] + b"\0\0\0\0" + whole[-4:],  # the checksum
        whole[:-4] + b"\0\0\0\0",  # the length
        whole + b"more",
        b"VITA" + whole,
        body(people()),
        gzip.compress(b"VITA"),
        gzip.compress(b"ATIV" + body(people())[4:]),
    ):
        path.write_bytes(data)
        with pytest.raises(RecordError, match=r"a\.vital"):
            read_vital(path)


def test_a_file_that_unfolds_to_far_more_is_refused(tmp_path):
    path = tmp_path / "a.vital"
    data = body(people()) + packet(6, bytes(900_000)) * 60
    path.write_bytes(gzip.compress(data))
    with pytest.raises(RecordError, match="unfolds"):
        read_vital(path)


def test_missing_and_empty_files_are_refused(tmp_path):
    with pytest.raises(RecordError, match="cannot be read"):
        read_vital(tmp_path / "none.vital")
    empty = people()
    empty.tracks = empty.tracks[3:]
    with pytest.raises(RecordError, match="is empty"):
        read_vital(write(tmp_path / "a.vital", empty))


def test_far_more_packets_than_bytes_are_refused(tmp_path):
    made = people()
    made.extra = packet(10, b"") * 150_000
    path = write(tmp_path / "a.vital", made)
    assert path.stat().st_size < 100_000
    with pytest.raises(RecordError, match="far more packets"):
        read_vital(path)


def test_a_word_that_is_no_unit_is_neither_kept_nor_quoted(tmp_path):
    made = people()
    made.tracks[1].unit = "Canary"
    path = write(tmp_path / "a.vital", made)
    record = read_vital(path)
    assert list(record.channels) == ["ECG_II", "PLETH"]
    assert "Canary" not in repr(record)
    with pytest.raises(UnitError, match="'ART' declares no unit") as caught:
        read_vital(path, channels=["ART"])
    assert "Canary" not in str(caught.value)
