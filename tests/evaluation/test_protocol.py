"""What is refused, and with which words."""

from dataclasses import replace

import jaxtyping
import numpy as np
import pytest

from capnet.errors import ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.truth import truth_of
from tests.evaluation.conftest import make_beats, waves


def test_no_reference_no_error(real_predictions, real_beats):
    with pytest.raises(ProtocolError, match=r"no error can be computed.*record_report"):
        evaluate(real_predictions, real_beats)


def test_deep_rows_want_a_floor(predictions, beats):
    deep = [p for p in predictions if p.role != "floor"]
    with pytest.raises(ProtocolError, match=r"deep rows \('net'\) .* lack"):
        evaluate(deep, beats)


def test_deep_rows_want_a_floor_with_no_more_labels(predictions, beats):
    late = [p for p in predictions if p.role != "floor" or p.k == 10]
    with pytest.raises(ProtocolError, match=r"lack .* at k = 0"):
        evaluate(late, beats)


def test_floors_and_controls_may_stand_alone(predictions, beats):
    rest = [p for p in predictions if p.role != "deep"]
    assert evaluate(rest, beats, resamples=100).comparisons == ()


def test_calibrations_are_not_mixed(predictions, beats):
    mixed = [*predictions[:-1], predictions[-1].replace(calibration="cuff SBP/DBP")]
    with pytest.raises(
        ProtocolError, match=r"'cuff SBP/DBP', the reference .* 'exact'"
    ):
        evaluate(mixed, beats)


@pytest.mark.parametrize("name", ["reference_type", "calibration"])
@pytest.mark.parametrize("word", ["catheter+tonometry", "measured", "", None])
def test_a_truth_is_of_one_known_kind(beats, name, word, monkeypatch):
    # Outside of tests nobody checks types.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    with pytest.raises(ProtocolError, match=rf"{name} is .*; wanted one of"):
        replace(truth_of(beats), **{name: word})


def test_other_beats_are_refused(predictions, beats):
    with pytest.raises(ProtocolError, match="answers 73 beats that are not the 70"):
        evaluate(predictions, beats.take(np.arange(70)))
    swapped = predictions[1].replace(subject=predictions[1].subject[::-1].copy())
    with pytest.raises(ProtocolError, match="in their order"):
        evaluate([predictions[0], swapped], beats)
    other = make_beats([73])
    with pytest.raises(ProtocolError, match="not the 73 reference beats"):
        evaluate([waves(other, "GTF", role="floor")], beats)


def test_names_are_told_apart(predictions, beats):
    with pytest.raises(
        ProtocolError, match=r"two predictions are called 'net' \(k = 0\)"
    ):
        evaluate([*predictions, waves(beats, "net")], beats)


def test_nothing_to_evaluate(beats):
    with pytest.raises(ProtocolError, match="no predictions"):
        evaluate([], beats)
