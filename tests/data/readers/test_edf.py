"""The door of EDF: exactly the samples of the file, or one clear error."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from capnet.data.readers.edf import read_edf
from capnet.errors import RecordError, UnitError
from capnet.files import sha256_of
from tests.fakes.make_edf import Channel, Edf, content, people, write


def physical(channel):
    gain = (float(channel.high) - float(channel.low)) / (
        int(channel.most) - int(channel.least)
    )
    return (channel.digital - int(channel.least)) * gain + float(channel.low)


@pytest.mark.parametrize("kind", ["", "EDF+C", "EDF+D"])
def test_every_channel_has_its_samples_rate_and_unit(tmp_path, kind):
    made = people(kind=kind)
    path = write(tmp_path / "a.edf", made)
    record = read_edf(path)
    assert list(record.channels) == ["II", "ABP", "PLETH"]
    for channel, rate in zip(made.channels, (250, 125, 125), strict=True):
        signal = record.channels[channel.label]
        np.testing.assert_allclose(signal.values, physical(channel), rtol=1e-14)
        assert (signal.sampling_rate, signal.unit) == (rate, channel.unit)
    assert record.subject == "a"
    assert record.files == {"a.edf": sha256_of(path)}


def test_pyedflib_reads_the_same(tmp_path):
    pyedflib = pytest.importorskip("pyedflib")
    path = write(tmp_path / "a.edf", people(seed=3))
    record = read_edf(path)
    with pyedflib.EdfReader(str(path)) as witness:
        for number, name in enumerate(witness.getSignalLabels()):
            values = witness.readSignal(number)
            np.testing.assert_allclose(record.channels[name].values, values, atol=1e-9)
            rate = witness.getSampleFrequency(number)
            assert record.channels[name].sampling_rate == rate


def test_what_pyedflib_writes_is_read(tmp_path):
    pyedflib = pytest.importorskip("pyedflib")
    path = tmp_path / "written.edf"
    wave = 100 + 20 * np.sin(np.arange(1000) / 20)
    with pyedflib.EdfWriter(str(path), 1, file_type=pyedflib.FILETYPE_EDFPLUS) as file:
        file.setSignalHeader(
            0,
            {
                "label": "ABP",
                "dimension": "mmHg",
                "sample_frequency": 100,
                "physical_min": 0.0,
                "physical_max": 300.0,
                "digital_min": -32768,
                "digital_max": 32767,
            },
        )
        file.writeAnnotation(2.5, -1, "V")
        file.writeAnnotation(3.0, -1, "Jane Canary")
        file.writeSamples([wave])
    record = read_edf(path)
    np.testing.assert_allclose(record.channels["ABP"].values, wave, atol=300 / 65535)
    assert record.annotations["edf"].labels.tolist() == ["V"]
    np.testing.assert_allclose(record.annotations["edf"].times, [2.5])


def test_units_become_those_of_the_library(tmp_path):
    made = people()
    made.channels[0] = replace(made.channels[0], unit="uV", low="-9000", high="9000")
    made.channels[1] = replace(made.channels[1], unit="kPa", low="-10", high="50")
    record = read_edf(write(tmp_path / "a.edf", made))
    assert record.channels["II"].unit == "mV"
    assert record.channels["ABP"].unit == "mmHg"
    np.testing.assert_allclose(
        record.channels["ABP"].values,
        physical(made.channels[1]) * 1e3 / 133.322387415,
        rtol=1e-8,
    )


def test_gaps_of_a_discontinuous_file_are_missing_samples(tmp_path):
    made = people(kind="EDF+D", onsets=[10.0, 11.0, 14.4, 15.4])
    signal = read_edf(write(tmp_path / "a.edf", made)).channels["ABP"]
    whole = physical(made.channels[1])
    assert signal.start == 0.0
    np.testing.assert_allclose(signal.values[:250], whole[:250])
    assert np.isnan(signal.values[250:550]).all()
    np.testing.assert_allclose(signal.values[550:], whole[250:])


@pytest.mark.parametrize(
    ("kind", "onsets"),
    [
        ("EDF+C", [0.0, 1.0, 2.5, 3.5]),
        ("EDF+C", [0.0, 1.0, 1.0, 2.0]),
        ("EDF+D", [0.0, 1.0, 1.5, 3.0]),
        ("EDF+D", [3.0, 2.0, 1.0, 0.0]),
        ("EDF+D", [0.0, 1.0, 2.0, 8e8]),
    ],
)
def test_impossible_times_of_data_records_are_refused(tmp_path, kind, onsets):
    path = write(tmp_path / "a.edf", people(kind=kind, onsets=onsets))
    with pytest.raises(RecordError, match=r"a\.edf.*(data record|gaps)"):
        read_edf(path)


def test_annotations_keep_time_and_code_but_no_text(tmp_path):
    notes = [[(0.5, "N"), (0.25, "V")], [(1.5, "Jane Canary")], [], [(3.0, "N")]]
    record = read_edf(write(tmp_path / "a.edf", people(kind="EDF+C", notes=notes)))
    found = record.annotations["edf"]
    assert found.times.tolist() == [0.25, 0.5, 3.0]
    assert found.labels.tolist() == ["V", "N", "N"]
    assert "Canary" not in repr(record)


def test_nobody_is_named(tmp_path):
    made = people(kind="EDF+C")
    made.patient = "MCH-0234567 F 02-MAY-1951 Jane_Canary"
    made.recording = "Startdate 02-MAR-2002 Canary"
    record = read_edf(write(tmp_path / "a.edf", made))
    assert "anary" not in repr(record)
    assert "1951" not in repr(record)
    assert record.age is None


def test_a_channel_without_unit_is_left_out_or_refused(tmp_path):
    made = people()
    made.channels[1] = replace(made.channels[1], unit="")
    path = write(tmp_path / "a.edf", made)
    record = read_edf(path)
    assert list(record.channels) == ["II", "PLETH"]
    assert "ABP" in record.source
    with pytest.raises(UnitError, match="'ABP' declares no unit"):
        read_edf(path, channels=["abp"])


def test_only_the_channels_asked_for_are_read(tmp_path):
    path = write(tmp_path / "a.edf", people())
    assert list(read_edf(path, channels=["pleth", "II"]).channels) == ["PLETH", "II"]
    with pytest.raises(RecordError, match=r"no channel 'V5'.*'ABP'"):
        read_edf(path, channels=["V5"])


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("low", "400", UnitError),
        ("low", "500", UnitError),  # turned round
        ("low", "", UnitError),
        ("high", "nan", UnitError),
        ("high", "inf", UnitError),
        ("high", "1e400", UnitError),
        ("least", "32767", UnitError),
        ("least", "x", RecordError),
        ("most", "99999", UnitError),
        ("most", "-7000", RecordError),  # samples lie outside
        ("high", "9000000", RecordError),  # implausible pressures
        ("count", "0", RecordError),
        ("count", "124", RecordError),
        ("count", "-125", RecordError),
        ("count", "99999999", RecordError),
        ("label", "", RecordError),
        ("label", "II", RecordError),
        ("label", "\xe9", RecordError),
        ("unit", "mV", UnitError),  # no unit of a pressure
    ],
)
def test_a_damaged_signal_header_is_refused(tmp_path, field, value, error):
    made = people()
    bad = Edf(
        [
            *made.channels[:1],
            replace(made.channels[1], digital=made.channels[1].digital),
        ]
    )
    data = bytearray(content(bad))
    starts = {"label": (0, 16), "unit": (96, 8), "low": (104, 8), "high": (112, 8),
              "least": (120, 8), "most": (128, 8), "count": (216, 8)}  # fmt: skip
    start, width = starts[field]
    at = 256 + 2 * start + width
    data[at : at + width] = value.encode("latin-1").ljust(width)
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    with pytest.raises(error, match=r"a\.edf"):
        read_edf(path)


@pytest.mark.parametrize(
    ("at", "value", "error"),
    [
        (0, b"1       ", RecordError),
        (0, b"\xffBIOSEMI", RecordError),
        (184, b"99999999", RecordError),
        (184, b"-1      ", RecordError),
        (236, b"-1      ", RecordError),
        (236, b"0       ", RecordError),
        (236, b"99999999", RecordError),
        (236, b"5       ", RecordError),
        (244, b"0       ", UnitError),
        (244, b"-1      ", UnitError),
        (244, b"        ", UnitError),
        (244, b"1e-9    ", UnitError),
        (252, b"9999", RecordError),
        (252, b"0   ", RecordError),
    ],
)
def test_a_damaged_file_header_is_refused(tmp_path, at, value, error):
    data = bytearray(content(people()))
    data[at : at + len(value)] = value
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    with pytest.raises(error, match=r"a\.edf"):
        read_edf(path)


@pytest.mark.parametrize("kept", [0, 7, 100, 255, 256, 700, 1024, -1, -2])
def test_a_cut_file_is_refused(tmp_path, kept):
    path = tmp_path / "a.edf"
    path.write_bytes(content(people())[:kept])
    with pytest.raises(RecordError, match=r"a\.edf"):
        read_edf(path)


def test_a_file_with_annotations_that_is_not_marked_is_refused(tmp_path):
    data = bytearray(content(people(kind="EDF+D")))
    data[192:197] = b"     "
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    with pytest.raises(RecordError, match="may have gaps"):
        read_edf(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    for path in (tmp_path / "none.edf", tmp_path):
        with pytest.raises(RecordError, match="cannot be read"):
            read_edf(path)


def test_an_error_quotes_no_field_that_names_somebody(tmp_path):
    data = content(people())
    made = people()
    made.patient = "Jane Canary" * 8
    data = content(made)
    for shift in (1, 8, 44, 80):
        path = tmp_path / "a.edf"
        path.write_bytes(data[:100] + b"x" * shift + data[100:])
        with pytest.raises((RecordError, UnitError)) as caught:
            read_edf(path)
        assert "anary" not in str(caught.value)


def test_one_channel_alone_is_a_file(tmp_path):
    channel = Channel("ABP", np.full(100, 6000), 100)
    record = read_edf(write(tmp_path / "a.edf", Edf([channel])))
    assert record.channels["ABP"].duration == 1.0


def test_gaps_of_many_channels_are_counted_before_room_is_made(tmp_path):
    """Each channel alone would fit; all of them would take 6 GB."""
    made = people(2, kind="EDF+D", onsets=[0.0, 999999.0])
    small = replace(made.channels[1], digital=np.zeros(8, int), count=4)
    many = [replace(small, label=f"ABP {n}") for n in range(200)]
    path = write(tmp_path / "a.edf", replace(made, channels=many))
    tracemalloc.start()
    with pytest.raises(RecordError, match="samples with the gaps"):
        read_edf(path)
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()


def test_where_fields_have_moved_no_text_is_quoted(tmp_path):
    """Labels cut out: the transducers' text stands where they were."""
    data = bytearray(content(people()))
    data[256 + 48 : 256 + 48 + 80] = b"Canary 4711".ljust(80)
    del data[256 : 256 + 48]
    path = tmp_path / "a.edf"
    path.write_bytes(data)
    with pytest.raises(RecordError) as caught:
        read_edf(path)
    assert "Canary" not in str(caught.value)


def test_a_micro_sign_is_read(tmp_path):
    made = people()
    made.channels[0] = replace(
        made.channels[0], unit="\xb5V", low="-10000", high="10000"
    )
    found = read_edf(write(tmp_path / "a.edf", made)).channels["II"]
    usual = read_edf(write(tmp_path / "b.edf", people())).channels["II"]
    assert found.unit == "mV"
    np.testing.assert_allclose(found.values, usual.values, atol=1e-9)
