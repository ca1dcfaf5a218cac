"""One row a beat and method, with exactly these columns."""

import numpy as np

from capnet.evaluation import predictions_frame

COLUMNS = [
    *("subject", "beat", "method", "role", "k", "reference_type", "calibration"),
    *("accepted", "reason", "csbp", "cdbp", "cmap", "cpp"),
    *("csbp_ref", "cdbp_ref", "cmap_ref", "cpp_ref"),
]


def test_columns_and_truth(evaluation, predictions, beats):
    frame = evaluation.frame()
    assert list(frame.columns) == COLUMNS
    assert len(frame) == len(predictions) * len(beats)
    part = frame[(frame["method"] == "net") & (frame["k"] == 10)]
    np.testing.assert_array_equal(part["csbp"], predictions[4].csbp)
    np.testing.assert_allclose(part["csbp_ref"], beats.reference.max(axis=1))
    np.testing.assert_allclose(part["cpp_ref"], np.ptp(beats.reference, axis=1))
    assert set(frame["reference_type"]) == {"simulated"}


def test_without_a_reference_its_columns_are_empty(real_predictions, real_beats):
    frame = predictions_frame(real_predictions, real_beats)
    assert list(frame.columns) == COLUMNS
    assert frame[["csbp_ref", "cdbp_ref", "cmap_ref", "cpp_ref"]].isna().all().all()
    assert set(frame["reference_type"]) == {"none"}
    assert (frame["reason"] != "").equals(~frame["accepted"])
