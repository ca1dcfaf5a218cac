"""Laws of predictions: what is answered, what is refused, and how it is shown."""

import jaxtyping
import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from capnet.errors import ShapeError
from capnet.prediction import DISCLAIMER, NO_CUFF, Prediction, pressures
from tests.fakes.make_beats import make_beats

CALM = settings(deadline=None, derandomize=True, database=None, max_examples=50)

NUMBERS = ("csbp", "cdbp", "cmap", "cpp")


@pytest.fixture(autouse=True)
def _without_a_window():
    mpl.use("Agg")
    yield
    plt.close("all")


def answer(beats, **changes):
    wave = changes.pop("waveform", beats.reference)
    return Prediction.from_waveform("net", beats, wave, role="deep", k=3, **changes)


def sbp_only(beats, sbp=110.0):
    values = np.full((len(beats), 4), np.nan)
    values[:, 0] = sbp
    return Prediction.from_pressures("arm - 8", beats, values, role="floor")


# pressures


@CALM
@given(shift=st.floats(-100, 100), scale=st.floats(0.01, 100))
def test_pressures_follow_shift_and_scale(shift, scale):
    wave = make_beats(5).reference
    plain, moved = pressures(wave), pressures(shift + scale * wave)
    np.testing.assert_allclose(moved[:, :3], shift + scale * plain[:, :3], atol=1e-9)
    np.testing.assert_allclose(moved[:, 3], scale * plain[:, 3], atol=1e-9)


def test_pressures_do_not_depend_on_where_the_beat_begins():
    wave = make_beats(5).reference
    turned = pressures(np.roll(wave, 17, axis=1))
    np.testing.assert_allclose(turned, pressures(wave), rtol=1e-12)


def test_pressures_of_a_batch_are_those_of_its_beats():
    wave = make_beats(5).reference
    alone = np.concatenate([pressures(row[None]) for row in wave])
    np.testing.assert_array_equal(pressures(wave), alone)


def test_pressures_keep_their_order():
    sbp, dbp, mean, pulse = pressures(make_beats(5).reference).T
    assert (dbp < mean).all()
    assert (mean < sbp).all()
    np.testing.assert_array_equal(pulse, sbp - dbp)


# answers


def test_a_wave_is_answered_with_its_own_numbers():
    beats = make_beats(8, refused=0)
    said = answer(beats)
    np.testing.assert_array_equal(
        np.stack([getattr(said, name) for name in NUMBERS], axis=1),
        pressures(beats.reference),
    )
    np.testing.assert_array_equal(said.waveform, beats.reference)
    assert said.accepted.all()
    assert (said.role, said.k, said.calibration) == ("deep", 3, "exact")


def test_a_refused_beat_keeps_its_reason_and_gets_no_number():
    beats = make_beats(8, refused=3)
    said = answer(beats)
    assert [*said.accepted] == [False] * 3 + [True] * 5
    assert [*said.reason] == ["flat"] * 3 + [""] * 5
    for name in NUMBERS:
        assert np.isnan(getattr(said, name)[:3]).all()
    assert np.isnan(said.waveform[:3]).all()


def test_a_beat_without_a_wave_is_refused_by_the_method():
    beats = make_beats(8, refused=0)
    wave = beats.reference.copy()
    wave[2, 40] = np.nan
    wave[5] = np.inf
    said = answer(beats, waveform=wave)
    assert [*np.flatnonzero(~said.accepted)] == [2, 5]
    assert {*said.reason[[2, 5]]} == {"net gave no answer"}
    assert np.isnan(said.waveform[[2, 5]]).all()


def test_a_beat_without_a_reading_says_so():
    beats = make_beats(8, refused=0)
    cuff = beats.cuff.copy()
    cuff[1] = np.nan
    wave = np.where(np.isfinite(cuff[:, :1]), beats.reference, np.nan)
    said = answer(beats.replace(cuff=cuff), waveform=wave)
    assert said.reason[1] == NO_CUFF
    assert (said.reason[2:] == "").all()


def test_exactly_the_refused_beats_have_a_reason():
    for refused in (0, 3, 8):
        said = sbp_only(make_beats(8, refused=refused))
        np.testing.assert_array_equal(said.accepted, said.reason == "")


def test_numbers_alone_are_an_answer():
    said = sbp_only(make_beats(8, refused=2))
    assert said.waveform is None
    assert said.accepted.sum() == 6
    np.testing.assert_array_equal(np.isnan(said.csbp), ~said.accepted)
    assert np.isnan(said.cmap).all()


def test_answers_one_by_one_are_those_of_the_batch():
    beats = make_beats(8, refused=2)
    together = answer(beats).to_frame()
    for row in range(8):
        one = beats.take(np.array([row]))
        alone = answer(one).to_frame()
        np.testing.assert_array_equal(
            alone[[*NUMBERS]].to_numpy()[0], together[[*NUMBERS]].to_numpy()[row]
        )


def test_numbers_of_another_shape_are_refused():
    with pytest.raises(ShapeError, match=r"shape \(8, 3\); wanted \(8, 4\)"):
        Prediction.from_pressures(
            "m", make_beats(8), np.zeros((8, 3)), role="floor", k=0
        )


def test_an_accepted_beat_must_have_a_systolic_pressure():
    said = answer(make_beats(8, refused=2))
    with pytest.raises(ShapeError, match=r"'net' accepted beat 2 without a systolic"):
        said.replace(csbp=np.full(8, np.nan))


def test_rows_must_be_equally_many(monkeypatch):
    # Users run without the shape checks of these tests.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    said = answer(make_beats(8))
    with pytest.raises(ShapeError, match="cdbp has 7 rows; subject has 8"):
        said.replace(cdbp=said.cdbp[:7])


def test_replace_leaves_the_prediction_as_it_was():
    said = answer(make_beats(8))
    renamed = said.replace(method="other", k=9)
    assert (renamed.method, renamed.k) == ("other", 9)
    assert (said.method, said.k) == ("net", 3)


# shown


def test_a_prediction_becomes_a_frame_with_one_row_a_beat():
    beats = make_beats(8, refused=2)
    frame = answer(beats).to_frame()
    assert [*frame.columns] == [
        *("subject", "beat", "time", "method", "role", "k", "calibration"),
        *("accepted", "reason", *NUMBERS),
    ]
    assert len(frame) == 8
    assert frame["csbp"].isna().sum() == 2


def test_a_prediction_says_its_means():
    beats = make_beats(8, refused=2)
    said = answer(beats)
    text = repr(said)
    assert "6 of 8 beats accepted" in text
    assert f"SBP {np.nanmean(said.csbp):.0f}" in text
    assert f"MAP {np.nanmean(said.cmap):.0f}" in text
    assert "calibration 'exact'" in text


def test_a_prediction_of_sbp_alone_says_no_more():
    # Warnings are errors: a mean of nothing would raise here.
    text = repr(sbp_only(make_beats(8, refused=2)))
    assert "SBP 110" in text
    assert "MAP" not in text
    assert "nan" not in text


@pytest.mark.parametrize("n", [0, 4])
def test_a_prediction_without_an_answer_says_so(n):
    text = repr(sbp_only(make_beats(n, refused=n)))
    assert text == f"Prediction('arm - 8', {n} beats, none accepted)"


@pytest.mark.parametrize("refused", [0, 3, 8])
def test_a_plot_says_what_it_is_and_what_it_is_not(refused):
    ax = Figure().subplots()
    said = answer(make_beats(8, refused=refused))
    assert said.plot(ax=ax) is ax
    ax.figure.canvas.draw()
    labels = {line.get_label() for line in ax.get_lines()}
    assert {"central SBP", "MAP", "central DBP"} <= labels
    assert ("refused" in labels) == bool(refused)
    assert DISCLAIMER in {text.get_text() for text in ax.texts}
    titles = [ax.get_title(loc=where) for where in ("left", "center", "right")]
    assert "net; calibration: exact" in titles
    assert "mmHg" in ax.get_ylabel()


def test_a_plot_makes_its_own_figure():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    ax = sbp_only(make_beats(8)).plot()
    try:
        assert len(plt.get_fignums()) == len(before) + 1
        ax.figure.canvas.draw()
    finally:
        plt.close(ax.figure)


# intervals


def with_interval(beats, *, width=10.0, coverage=0.9):
    said = answer(beats)
    middle = np.stack([getattr(said, name) for name in NUMBERS], axis=1)
    return said.replace(low=middle - width, high=middle + width, coverage=coverage)


def test_an_interval_is_in_the_table_and_in_the_picture():
    said = with_interval(make_beats(5))
    frame = said.to_frame()
    width = (frame.csbp_high - frame.csbp_low)[frame.accepted]
    np.testing.assert_allclose(width, 20.0)
    assert (frame.coverage == 0.9).all()
    assert "doubt" not in frame
    ax = said.plot()
    assert "90 % intervals" in ax.get_title(loc="left")
    assert len(ax.collections) == len(answer(make_beats(5)).plot().collections) + 2


@pytest.mark.parametrize("missing", ["low", "high", "coverage"])
def test_half_an_interval_is_refused(missing):
    said = with_interval(make_beats(5))
    with pytest.raises(ShapeError, match=f"without {missing}"):
        said.replace(**{missing: None})


def test_an_interval_that_ends_below_its_start_is_refused():
    with pytest.raises(ShapeError, match="interval of beat 3"):
        with_interval(make_beats(5), width=-1.0)


def test_a_coverage_is_a_share():
    with pytest.raises(ShapeError, match=r"wanted a share such as 0\.9"):
        with_interval(make_beats(5), coverage=90.0)


def test_doubt_is_in_the_table():
    beats = make_beats(5)
    frame = answer(beats).replace(doubt=np.arange(len(beats)) / 10).to_frame()
    np.testing.assert_allclose(frame.doubt, np.arange(len(beats)) / 10)
