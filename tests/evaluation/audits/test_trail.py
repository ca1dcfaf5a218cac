"""Predictions and truth on disk come back as they were."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

from capnet.errors import ProtocolError, RecordError
from capnet.evaluation.audits.trail import (
    load_predictions,
    load_run,
    load_truths,
    save_predictions,
    save_run,
)
from capnet.evaluation.frame import FRAME_COLUMNS, predictions_frame
from capnet.evaluation.truth import truth_of
from tests.evaluation.conftest import make_beats, numbers, refuse, waves


def assert_same(one, other):
    for f in fields(one):
        mine, theirs = getattr(one, f.name), getattr(other, f.name)
        if isinstance(mine, np.ndarray):
            np.testing.assert_array_equal(mine, theirs, err_msg=f.name)
            assert mine.dtype.kind == theirs.dtype.kind
        elif isinstance(mine, dict):
            assert mine.keys() == theirs.keys()
            for key in mine:
                np.testing.assert_array_equal(mine[key], theirs[key])
        else:
            assert mine == theirs, f.name


@pytest.fixture
def told(beats):
    """A row with everything that a prediction can say."""
    n = len(beats)
    made = refuse(waves(beats, "net", spread=2.0, k=3), np.arange(n) % 5 == 0)
    low = np.stack([made.csbp, made.cdbp, made.cmap, made.cpp], axis=1) - 7.0
    return made.replace(
        family="net",
        inputs=("cuff", "ppg"),
        seen="0a1b",
        low=low,
        high=low + 14.0,
        coverage=0.9,
        doubt=np.linspace(0, 1, n),
    )


def test_everything_comes_back(beats, told, tmp_path):
    truth = truth_of(beats.replace(features={"quality": np.arange(float(len(beats)))}))
    site = np.where(np.arange(len(beats)) % 2, "north", "south")
    truth = replace(truth, groups={"site": site})
    rows = [told, numbers(beats, "arm - 8")]
    save_run({"exact": (rows, truth)}, tmp_path)
    (found,) = load_run(tmp_path).items()
    assert found[0] == "exact"
    for mine, theirs in zip(rows, found[1][0], strict=True):
        assert_same(mine, theirs)
    assert_same(truth, found[1][1])


def test_first_columns_are_those_of_the_frame(beats, told, tmp_path):
    rows = [told, numbers(beats, "arm - 8")]
    save_run({"exact": (rows, truth_of(beats))}, tmp_path)
    stored = pd.read_parquet(tmp_path / "predictions.parquet")
    pd.testing.assert_frame_equal(
        stored[[*FRAME_COLUMNS]], predictions_frame(rows, beats), check_dtype=False
    )


def test_calibrations_stay_apart(tmp_path):
    exact = make_beats([2] * 4)
    cuff = make_beats([1] * 3, seed=1).replace(calibration="cuff SBP/DBP")
    run = {b.calibration: ([numbers(b, "arm - 8")], truth_of(b)) for b in (exact, cuff)}
    save_run(run, tmp_path)
    found = load_run(tmp_path)
    assert [*found] == [*run]
    for name, (rows, truth) in run.items():
        assert_same(rows[0], found[name][0][0])
        assert_same(truth, found[name][1])


def test_predictions_without_a_truth_are_kept(real_predictions, tmp_path):
    path = save_predictions(real_predictions, tmp_path / "predictions.parquet")
    for mine, theirs in zip(real_predictions, load_predictions(path), strict=True):
        assert_same(mine, theirs)
    assert {*pd.read_parquet(path)["reference_type"]} == {"none"}


def test_other_beats_are_refused(beats, told, tmp_path):
    with pytest.raises(ProtocolError, match="not the"):
        save_run({"exact": ([told], truth_of(beats).take(np.arange(3)))}, tmp_path)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(RecordError, match=r"there is no truth\.parquet"):
        load_run(tmp_path)
    path = tmp_path / "truth.parquet"
    path.write_bytes(b"PAR1 not so")
    with pytest.raises(RecordError, match="is damaged"):
        load_truths(path)
    pd.DataFrame({"subject": ["a"]}).to_parquet(path)
    with pytest.raises(RecordError, match="lacks beat, calibration"):
        load_truths(path)
    with pytest.raises(RecordError, match="no prediction to save"):
        save_predictions([], path)
