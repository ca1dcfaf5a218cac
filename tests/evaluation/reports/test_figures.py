"""Figures are PNG files, the same for the same numbers, and leave no state."""

import numpy as np
import pytest
from matplotlib import _pylab_helpers

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.reports import figures as draw
from capnet.evaluation.reports.content import FigureBlock
from capnet.evaluation.reports.drawing import written
from capnet.evaluation.scores import Ground, Scored
from capnet.evaluation.truth import truth_of
from capnet.metrics import waveform_rmses
from capnet.records import Record, Signal
from tests.evaluation.conftest import numbers, refuse, waves

PNG = b"\x89PNG\r\n\x1a\n"


def test_all_figures_of_a_benchmark(evaluation, beats):
    net = evaluation.prediction(("net", 10))
    for png in (
        draw.waveform_figure(evaluation.scored[evaluation.position(("net", 10))]),
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
    ground = Ground.of(truth_of(beats))
    assert draw.waveform_figure(Scored(ground, net)).startswith(PNG)
    silent = refuse(net, np.ones(len(beats), dtype=bool))
    with pytest.raises(ProtocolError, match="answers no wave"):
        draw.waveform_figure(Scored(ground, silent))
    with pytest.raises(ProtocolError, match="fewer than two subjects"):
        draw.bland_altman_figure(silent, beats)


def test_refusals(evaluation, beats, real_beats, real_predictions):
    with pytest.raises(ProtocolError, match="answers no wave"):
        draw.waveform_figure(evaluation.scored[evaluation.position("arm - 8")])
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


def test_a_beat_is_drawn_as_it_is_scored(beats, monkeypatch):
    """Titles say the least, the middle and the greatest score of the table."""
    row = waves(beats, "net", role="floor", spread=4.0)
    bare = evaluate([row], beats, resamples=100)
    titles = []
    keep = draw.png_of

    def heard(figure):
        titles.extend(ax.get_title() for ax in figure.axes)
        return keep(figure)

    monkeypatch.setattr(draw, "png_of", heard)
    draw.waveform_figure(bare.scored[0])
    score = np.sort(waveform_rmses(row.waveform, beats.reference)["wave_rmse"])
    values = [score[0], score[len(score) // 2], score[-1]]
    assert [float(t.split()[-2]) for t in titles] == pytest.approx(values, abs=0.006)


ODD = [
    "a $\\frac$ b",
    "x" * 200,
    "名前 🫀 name",
    "שלום",
    "_net",
    "a\nb\tc",
    "<b>&</b>",
    "",
]


@pytest.mark.parametrize("name", ODD)
def test_any_name_can_be_drawn(beats, name):
    rows = [
        waves(beats, name, role="floor", spread=2.0, k=k, seed=k).replace(family="")
        for k in (0, 3)
    ]
    e = evaluate(rows, beats, resamples=100)
    for png in (
        draw.ranking_figure(e),
        draw.k_curve_figure(e),
        draw.waveform_figure(e.scored[0]),
        draw.bland_altman_figure(rows[0], beats),
        draw.reasons_figure(3, {name or "no": 2}),
        draw.time_course_figure(beats, {name: rows[0]}),
    ):
        width, height = FigureBlock(png, "c", "a").size
        assert width < 1300
        assert height < 900


def test_written_names_stay_short_and_told_apart():
    assert written("net") == "net"
    assert written("a  b\n c") == "a b c"
    assert written("$5") == r"\$5"
    assert len(written("long " * 50, most=30)) == 30
    assert written("x" * 60 + "1") != written("x" * 60 + "2")
    assert "□" in written("🫀")
    assert written("\u202eevil") == "□evil"


def test_ten_curves_at_most(beats):
    rows = [
        waves(beats, f"m{i}", role="floor", error=i, k=k).replace(family="")
        for i in range(30)
        for k in (range(12) if i == 0 else (0, 11))
    ]
    e = evaluate(rows, beats, resamples=100)
    width, height = FigureBlock(draw.k_curve_figure(e), "c", "a").size
    assert width < 1300
    assert height < 900
