"""Displays show what is there, and refuse what would mislead."""

from dataclasses import replace

import numpy as np
import pytest

from capnet.data.readers import read_record
from capnet.errors import RecordError, ShapeError
from capnet.records import Record, Signal
from capnet.signal.beats import beats_of
from capnet.signal.displays import (
    _MOST,
    plot_record,
    plot_tachogram,
    plot_transit,
)
from capnet.signal.windows import judge_windows
from tests.fakes.make_record import make_record


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    made = read_record(make_record(tmp_path_factory.mktemp("record"), seconds=30.0))
    light = made.signal("ppg")
    values = light.values.copy()
    values[3000:3500] = np.nan
    values[5000:5600] = values[5000]
    channels = {**made.channels, "PLETH": replace(light, values=values)}
    return replace(made, channels=channels)


def words(axis):
    return [text.get_text() for text in axis.texts]


def test_refused_beats_and_windows_carry_their_reason(record):
    beats = beats_of(record)
    verdicts = judge_windows(record)
    figure = plot_record(record, beats=beats, verdicts=verdicts)
    axes = dict(zip(record.channels, figure.axes, strict=True))
    told = set(words(axes["PLETH"]))
    assert told == (
        set(beats.reason[~beats.accepted])
        | (set(verdicts.reason[verdicts.channels.index("PLETH")]) - {""})
    )
    labels = [t.get_text() for t in axes["PLETH"].get_legend().get_texts()]
    assert labels == ["pulse foot"]
    assert axes["PLETH"].get_ylabel() == "PLETH, NU"
    (line,) = (x for x in axes["PLETH"].lines if x.get_label() == "pulse foot")
    assert len(line.get_xdata()) == beats.accepted.sum()


def test_marks_lie_on_the_signal(record):
    times = np.array([1.0, 2.0, np.nan, 99.0])
    figure = plot_record(
        record, marks={"II": {"here": times}}, channels=("II",), start=0.5, stop=9.0
    )
    (axis,) = figure.axes
    (line,) = (x for x in axis.lines if x.get_label() == "here")
    assert line.get_xdata().tolist() == [1.0, 2.0]
    signal = record.signal("ecg")
    np.testing.assert_allclose(line.get_ydata(), signal.values[[250, 500]])
    assert axis.get_xlim() == (0.5, 9.0)


def test_a_long_channel_keeps_its_extremes():
    values = np.sin(np.arange(20 * _MOST) / 50.0)
    values[1234] = 7.0
    values[70_000:72_000] = np.nan
    figure = plot_record(Record("x", {"PPG": Signal(values, 125.0, "NU")}))
    (line, *_) = figure.axes[0].lines
    drawn = line.get_ydata()
    assert len(drawn) <= _MOST
    assert np.nanmax(drawn) == 7.0
    assert np.nanmin(drawn) == np.nanmin(values)
    assert np.isnan(drawn).any()


def test_what_cannot_be_drawn_is_said(record):
    with pytest.raises(RecordError, match="no channel 'x'"):
        plot_record(record, channels=("x",))
    with pytest.raises(RecordError, match="wanted start < stop"):
        plot_record(record, start=5.0, stop=5.0)
    with pytest.raises(RecordError, match="no channel to draw"):
        plot_record(Record("x", {}))


def test_a_tachogram_is_interrupted_by_refused_beats(record):
    beats = beats_of(record)
    (axis,) = plot_tachogram(beats).axes
    line, _, refused = axis.lines
    assert np.isnan(line.get_ydata()).sum() == (~beats.accepted).sum()
    assert len(refused.get_xdata()) == (~beats.accepted).sum() > 0
    two = replace(beats, subject=np.where(beats.beat < 3, "a", "b"))
    with pytest.raises(RecordError, match="2 subjects"):
        plot_tachogram(two)


def test_transit_against_pressure():
    rng = np.random.default_rng(0)
    time = 0.2 + 0.02 * rng.standard_normal(200)
    pressure = 120.0 - 500.0 * (time - 0.2)
    time[3], pressure[7] = np.nan, np.nan
    names = {"time_name": "PAT", "pressure_name": "SBP"}
    (axis,) = plot_transit(time, pressure, **names).axes
    assert "r = -1.00, -0.50 mmHg/ms; 198 beats" in axis.get_title()
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("PAT, ms", "SBP, mmHg")
    (axis,) = plot_transit(time, np.full(200, 120.0), **names).axes
    assert "no correlation" in axis.get_title()
    with pytest.raises(ShapeError, match="equally many"):
        plot_transit(time, pressure[1:], **names)
    with pytest.raises(ShapeError, match="at least 3"):
        plot_transit(time[:2], pressure[:2], **names)


def test_words_and_legends_do_not_lie_over_each_other(record):
    beats, verdicts = beats_of(record), judge_windows(record)
    reasons = np.where(np.arange(len(beats)) % 2, "one thing", "another thing")
    crowded = replace(beats, accepted=np.zeros(len(beats), np.bool_), reason=reasons)
    figure = plot_record(record, beats=crowded, verdicts=verdicts)
    figure.draw_without_rendering()
    page = figure.bbox
    assert any(len(axis.texts) > 3 for axis in figure.axes)
    for axis in figure.axes:
        boxes = [text.get_window_extent() for text in axis.texts]
        for k, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:k])
            assert page.x0 <= box.x0
            assert box.x1 <= page.x1
        label = axis.yaxis.label.get_window_extent()
        assert page.x0 <= label.x0
        legend = axis.get_legend()
        if legend is not None:
            assert legend.get_window_extent().y0 >= axis.get_window_extent().y1 - 5.0


def test_many_gaps_are_one_drawing():
    values = np.sin(np.arange(40_000) / 20.0)
    values[::40] = np.nan
    figure = plot_record(Record("x", {"PPG": Signal(values, 125.0, "NU")}))
    (axis,) = figure.axes
    (gaps,) = axis.collections
    assert len(gaps.get_paths()) == 1000
    assert len(axis.patches) == 0


def test_nothing_is_lost_at_the_end_of_a_long_channel():
    values = np.zeros(20 * _MOST + 7)
    values[-1] = 5.0
    figure = plot_record(Record("x", {"PPG": Signal(values, 125.0, "NU")}))
    assert np.nanmax(figure.axes[0].lines[0].get_ydata()) == 5.0
