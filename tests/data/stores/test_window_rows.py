"""Windows of 8 s: on one grid, however the recording comes in, with the gate's word."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.data.stores.window_rows import windows_in
from capnet.errors import RecordError
from capnet.records import Signal
from capnet.signal.grid import on_grid
from capnet.signal.windows import judge_windows
from tests.fakes.make_record import make_record


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    return read_record(make_record(tmp_path_factory.mktemp("record"), seconds=650.0))


def rows_of(records, **names):
    tables = list(windows_in(records, **names))
    waves = {k: np.concatenate([t.waves[k] for t in tables]) for k in tables[0].waves}
    reason = {k: np.concatenate([t.reason[k] for t in tables]) for k in waves}
    return np.concatenate([t.start for t in tables]), waves, reason


def test_windows_lie_on_the_grid(record):
    start, waves, reason = rows_of(record)
    np.testing.assert_array_equal(start, 8.0 * np.arange(81))
    light = record.signal("ppg")
    whole = on_grid(light, sampling_rate=125.0, start=0.0, stop=648.0)
    np.testing.assert_allclose(waves["ppg"].ravel(), whole, atol=1e-9)
    gate = judge_windows(record)
    for kind, name in (("ecg", "II"), ("ppg", "PLETH"), ("abp", "ABP")):
        assert reason[kind].tolist() == gate.of(name).tolist()


def test_a_channel_that_is_not_there_is_missing(record):
    alone = replace(record, channels={"PLETH": record.signal("ppg")})
    _, waves, reason = rows_of(alone)
    assert np.isnan(waves["ecg"]).all()
    assert set(reason["abp"]) == {"missing"}
    assert set(reason["ppg"]) == {""}
    with pytest.raises(RecordError, match="no channel 'ppg'"):
        list(windows_in(replace(record, channels={"x": record.signal("ppg")})))


def test_channels_that_start_and_end_elsewhere(record):
    light = record.signal("ppg")
    values = light.values[203 * 250 : 503 * 250]
    late = Signal(values, 250.0, light.unit, start=203.0)
    channels = {**record.channels, "PLETH": late}
    start, waves, reason = rows_of(replace(record, channels=channels))
    assert len(start) == 81
    known = np.isfinite(waves["ppg"]).all(axis=1)
    assert (known == ((start >= 203.0) & (start + 8.0 <= 503.0))).all()
    assert (reason["ppg"][known] == "").all()
    assert (reason["ppg"][~known] != "").all()


def test_pressures_are_in_mmhg(record):
    line = record.signal("abp")
    pascal = Signal(line.values / 7.50061683, line.sampling_rate, "kPa")
    _, expected, _ = rows_of(record)
    channels = {**record.channels, "ABP": pascal}
    _, found, _ = rows_of(replace(record, channels=channels))
    np.testing.assert_allclose(found["abp"], expected["abp"], atol=1e-3)


def test_less_than_a_window_gives_none(record):
    light = record.signal("ppg")
    short = Signal(light.values[: 7 * 250], 250.0, light.unit)
    assert list(windows_in(replace(record, channels={"PLETH": short}))) == []
