"""Figures are PNG files, the same for the same numbers, and leave no state."""

import numpy as np
import pytest
from matplotlib import _pylab_helpers

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.reports import figures as draw
from capnet.records import Record, Signal
from tests.evaluation.conftest import numbers, refuse

PNG = b"\x89PNG\r\n\x1a\n"


def test_all_figures_of_a_benchmark(evaluation, beats):
    net = evaluation.prediction(("net", 10))
    for png in (
        draw.waveform_figure(net, beats),
        draw.bland_altman_figure(net, beats),
        draw.ranking_figure(evaluation),
        draw.ranking_figure(evaluation, "amplification_r2"),
        draw.k_curve_figure(evaluation),
        draw.k_curve_figure(evaluation, "wave_rmse"),
    ):
        assert png.startswith(PNG)
        assert len(png) < 300_000
    assert not _pylab_helpers.Gcf.figs


def test_same_numbers_same_bytes(evaluation):
    assert draw.ranking_figure(evaluation) == draw.ranking_figure(evaluation)


def test_all_figures_of_a_record(record, real_beats, real_predictions):
    named = {"a name": real_predictions[0]}
    for png in (
        draw.strip_figure(record, real_beats),
        draw.time_course_figure(real_beats, real_predictions),
        draw.time_course_figure(real_beats.replace(waves={}), named),
        draw.reasons_figure(34, {"flat PPG": 4, "clipped": 2}),
    ):
        assert png.startswith(PNG)
    assert not _pylab_helpers.Gcf.figs


def test_refused_beats_are_not_drawn(evaluation, beats):
    net = refuse(evaluation.prediction(("net", 10)), np.arange(len(beats)) % 2 == 0)
    assert draw.waveform_figure(net, beats).startswith(PNG)
    silent = refuse(net, np.ones(len(beats), dtype=bool))
    with pytest.raises(ProtocolError, match="answers no wave"):
        draw.waveform_figure(silent, beats)
    with pytest.raises(ProtocolError, match="fewer than two subjects"):
        draw.bland_altman_figure(silent, beats)


def test_refusals(evaluation, beats, real_beats, real_predictions):
    with pytest.raises(ProtocolError, match="answers no wave"):
        draw.waveform_figure(evaluation.prediction("arm - 8"), beats)
    with pytest.raises(ProtocolError, match="nobody measured"):
        draw.bland_altman_figure(real_predictions[0], real_beats)
    bare = evaluate([numbers(beats, "arm - 8")], beats, resamples=100)
    with pytest.raises(ProtocolError, match="no method answers 'wave_rmse'"):
        draw.ranking_figure(bare, "wave_rmse")
    with pytest.raises(ProtocolError, match="no method answers 'wave_rmse'"):
        draw.k_curve_figure(bare, "wave_rmse")
    other = Record("r", {"RESP": Signal(np.zeros(10), 10.0, "NU")})
    with pytest.raises(ProtocolError, match="has 0 of the channels"):
        draw.strip_figure(other, real_beats)
    with pytest.raises(ProtocolError, match="no beats to count"):
        draw.reasons_figure(0, {})
    with pytest.raises(ProtocolError, match="no predictions to draw"):
        draw.time_course_figure(real_beats, [])


def test_the_worst_beat_is_found_chunk_by_chunk(evaluation, beats, monkeypatch):
    net = evaluation.prediction(("net", 10))
    whole = draw.waveform_figure(net, beats)
    monkeypatch.setattr(draw, "_CHUNK", 7)
    assert draw.waveform_figure(net, beats) == whole
