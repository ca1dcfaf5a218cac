"""The judge: agreement with the metrics, laws, pairs, JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import ttest_rel

from capnet import metrics
from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.beat_scores import INDEX_BEATS
from capnet.evaluation.paired import Paired, correct
from capnet.evaluation.scores import Ground
from capnet.evaluation.statistics.bootstrap import Interval
from capnet.evaluation.statistics.holm import holm
from capnet.evaluation.truth import truth_of
from capnet.evaluation.verdict import comparison_line, verdict_lines
from capnet.prediction import Prediction
from tests.evaluation.conftest import (
    make_beats,
    numbers,
    refuse,
    waves,
    with_controls,
)


def test_every_number_is_that_of_the_metrics(evaluation, predictions, beats):
    truth, arm = beats.reference, beats.truth["brachial_sbp"]
    for score, p in zip(evaluation.scores, predictions, strict=True):
        pair = p.csbp, truth.max(axis=1), beats.subject
        v = score.values
        assert v["sbp_bias"] == pytest.approx(metrics.per_subject_bias(*pair), rel=1e-9)
        assert v["sbp_sd"] == pytest.approx(metrics.per_subject_sd(*pair), rel=1e-9)
        assert v["sbp_mae"] == pytest.approx(metrics.per_subject_mae(*pair), rel=1e-9)
        assert v["sbp_rmse"] == pytest.approx(metrics.per_subject_rmse(*pair), rel=1e-9)
        assert v["sbp_r2"] == pytest.approx(metrics.per_subject_r2(*pair), rel=1e-9)
        amplified = metrics.per_subject_r2(arm - pair[0], arm - pair[1], pair[2])
        assert v["amplification_r2"] == pytest.approx(amplified, rel=1e-9)
        if p.waveform is None:
            assert v["wave_rmse"] is None
            assert v["dbp_rmse"] is None
            continue
        pair = p.cmap, truth.mean(axis=1), beats.subject
        assert v["map_rmse"] == pytest.approx(metrics.per_subject_rmse(*pair), rel=1e-9)
        each = metrics.waveform_rmses(p.waveform, truth)
        for name, values in each.items():
            expected = metrics.per_subject(values, beats.subject).mean()
            assert v[name] == pytest.approx(expected, rel=1e-9, abs=1e-9)
        late = metrics.timing_errors(p.waveform, truth, beats.duration)
        expected = metrics.per_subject(np.abs(late), beats.subject).mean()
        assert v["timing_ms"] == pytest.approx(expected, abs=1e-9)


def test_further_numbers_are_those_of_the_metrics(evaluation, predictions, beats):
    truth, subject, held = beats.reference.max(axis=1), beats.subject, beats.cuff[:, 0]
    moving = np.isin(subject, [s for s in beats.subjects if (subject == s).sum() > 1])
    for score, p in zip(evaluation.scores[:6], predictions, strict=False):
        v, pair = score.values, (p.csbp, truth)
        assert v["sbp_mase"] == pytest.approx(
            metrics.per_subject_mase(*pair, held, subject), rel=1e-9
        )
        assert v["sbp_explained_deviation"] == pytest.approx(
            metrics.per_subject_explained_deviation(*pair, subject), rel=1e-9
        )
        slope = metrics.tracking(*pair, subject).slope
        assert v["sbp_tracking"] == pytest.approx(slope, rel=1e-9)
        assert score.counts["sbp_tracking"] == len(np.unique(subject[moving]))
        if p.waveform is None:
            assert v["form_factor_mae"] is None
            continue
        errors = metrics.index_errors(p.waveform, beats.reference, beats.duration)
        for name in ("aix", "form_factor", "ejection_time"):
            each = np.abs(errors[f"{name}_error"])
            known = np.isfinite(each)
            assert score.counts[f"{name}_mae"] == len(np.unique(subject[known]))
            if known.any():
                expected = metrics.per_subject(each[known], subject[known]).mean()
                assert v[f"{name}_mae"] == pytest.approx(expected, rel=1e-9)


def test_indices_are_read_of_some_beats_of_each_subject():
    counts = [1, 3, INDEX_BEATS, 50]
    ground = Ground.of(truth_of(make_beats(counts)))
    found = np.bincount(ground.code[ground.looked_at])
    assert list(found) == [min(c, INDEX_BEATS) for c in counts]
    spread = np.diff(ground.looked_at[ground.code[ground.looked_at] == 3])
    assert spread.max() - spread.min() <= 1


def test_blocks_of_waves_and_single_precision_change_nothing():
    beats = make_beats([9] * 250)  # more than two blocks
    p = waves(beats, "GTF", spread=2.0, role="floor")
    single = p.replace(waveform=p.waveform.astype(np.float32))
    whole, half = (evaluate([q], beats, resamples=100).scores[0] for q in (p, single))
    each = metrics.waveform_rmses(p.waveform, beats.reference)
    for name, values in each.items():
        expected = metrics.per_subject(values, beats.subject).mean()
        assert whole.values[name] == pytest.approx(expected, abs=1e-9)
        assert half.values[name] == pytest.approx(expected, abs=1e-4)


def test_pairs_of_a_family_are_corrected_together(predictions, beats):
    asked = [("shuffled", ("ridge", 0))]
    scored = evaluate(predictions, beats, resamples=100, compare=asked)
    planned, further = scored.comparisons[:4], scored.comparisons[4:]
    for family in (planned, further):
        raw = [c.p_value for c in family]
        assert [c.p_holm for c in family] == list(holm(raw))
        assert {c.family for c in family} == {len(family)}
    alone = scored.paired(("net", 0), ("ridge", 0))
    assert (alone.p_holm, alone.family) == (None, None)


def test_what_is_unsure_after_correction_is_no_win():
    pair = Paired(
        *(("net", 0), ("ridge", 0), "sbp_rmse", 3.0, 4.0, -1.0),
        *(Interval(-1.9, -0.1), 40, 80, 0.03),
    )
    assert pair.outcome == "won"
    one, *_ = correct([pair, replace(pair, p_value=0.04)])
    assert (one.p_holm, one.outcome) == (0.06, "tied")
    neither = replace(pair, metric="sbp_bias")
    assert neither.outcome == "undecided"


def test_order_of_the_beats_does_not_matter(evaluation, predictions, beats):
    order = np.random.default_rng(0).permutation(len(beats))
    moved = []
    for p in predictions:
        fields = {
            name: value[order]
            for name, value in vars(p).items()
            if isinstance(value, np.ndarray)
        }
        moved.append(p.replace(**fields))
    other = evaluate(moved, beats.take(order), resamples=200)
    for a, b in zip(evaluation.scores, other.scores, strict=True):
        for name in a.values:
            assert a.values[name] == pytest.approx(b.values[name], abs=1e-9)
        for name, found in a.intervals.items():
            assert found == pytest.approx(b.intervals[name], abs=1e-9)


def test_reproducible_by_seed_and_by_nothing_else(predictions, beats):
    first, again, other = (
        evaluate(predictions, beats, resamples=200, seed=seed).to_dict()
        for seed in (1, 1, 2)
    )
    assert first == again
    assert first["methods"][0]["values"] == other["methods"][0]["values"]
    assert first["methods"][0]["intervals"] != other["methods"][0]["intervals"]


def test_more_beats_of_one_subject_do_not_move_the_score():
    beats = make_beats([2] * 20)
    rows = np.concatenate([np.arange(40), np.repeat([0, 1], 30)])
    more = beats.take(rows)
    more = more.replace(beat=np.arange(len(more)))
    few, many = (
        evaluate([waves(b, "GTF", spread=0, error=2.0, role="floor")], b, resamples=100)
        for b in (beats, more)
    )
    assert few.scores[0].values["sbp_r2"] == pytest.approx(
        many.scores[0].values["sbp_r2"]
    )
    assert (few.subjects, many.subjects) == (20, 20)


def test_the_pair_is_the_difference_with_its_own_interval(evaluation):
    pair = evaluation.paired(("net", 10), ("ridge", 10))
    a = evaluation.score(("net", 10)).values["sbp_rmse"]
    b = evaluation.score(("ridge", 10)).values["sbp_rmse"]
    assert pair.difference == pytest.approx(a - b)
    assert pair.interval.low < pair.difference < pair.interval.high < 0
    assert pair.outcome == "won"
    back = evaluation.paired(("ridge", 10), ("net", 10))
    assert back.outcome == "lost"
    assert back.interval == pytest.approx((-pair.interval.high, -pair.interval.low))


def test_a_method_against_itself_is_a_tie_of_zero(evaluation):
    pair = evaluation.paired("shuffled", "shuffled")
    assert (pair.difference, *pair.interval) == (0, 0, 0)
    assert pair.outcome == "tied"


def test_more_is_better_for_r2(evaluation):
    pair = evaluation.paired(("net", 10), ("ridge", 10), "amplification_r2")
    assert pair.difference > 0
    assert pair.outcome == "won"


def test_pairs_use_the_beats_that_both_answer(predictions, beats):
    deep = waves(beats, "shy", spread=3.0, seed=8)
    first = refuse(deep, beats.subject < "v010")
    floor = refuse(predictions[1], beats.subject >= "v025")
    scored = evaluate(with_controls([first, floor], beats), beats, resamples=100)
    pair = scored.paired("shy", "ridge")
    assert pair.subjects == 15
    both = (beats.subject >= "v010") & (beats.subject < "v025")
    kept = beats.take(both)
    own = [
        Prediction.from_waveform(p.method, kept, p.waveform[both], role=p.role, k=p.k)
        for p in (first, floor)
    ]
    again = evaluate(with_controls(own, kept), kept, resamples=100)
    a, b = (s.values["sbp_rmse"] for s in again.scores[:2])
    assert pair.difference == pytest.approx(a - b)
    assert scored.scores[0].accepted_fraction == pytest.approx(
        np.mean(beats.subject >= "v010")
    )
    assert scored.scores[0].subjects == 20


def test_a_floor_without_a_shared_beat_is_refused_in_a_pair_and_another_is_met(
    predictions, beats
):
    half = beats.subject < "v015"
    deep = refuse(waves(beats, "shy", spread=3.0), half)
    floor = refuse(predictions[1], ~half)
    scored = evaluate(with_controls([deep, floor], beats), beats, resamples=100)
    assert {c.method_b[0] for c in scored.comparisons} == {"made-up last"}
    with pytest.raises(ProtocolError, match="on the 0 beats that both methods answer"):
        scored.paired("shy", "ridge")


def test_a_silent_method_has_no_score(predictions, beats):
    silent = refuse(waves(beats, "silent"), np.ones(len(beats), dtype=bool))
    scored = evaluate([silent, *predictions], beats, resamples=100)
    score = scored.score("silent")
    assert (score.subjects, score.beats, score.accepted_fraction) == (0, 0, 0)
    assert set(score.values.values()) == {None}
    assert score.aami is None


def test_each_deep_row_meets_the_best_floor_with_no_more_labels(evaluation):
    assert evaluation.best_floor(0).key == ("ridge", 0)
    assert evaluation.best_floor(10).key == ("ridge", 10)
    assert evaluation.best_floor(50, "wave_rmse").key == ("ridge", 10)
    assert evaluation.best_deep(10).key == ("net", 10)
    met = {(c.metric, c.method_a): c.method_b for c in evaluation.comparisons}
    assert met == {
        ("wave_rmse", ("net", 0)): ("ridge", 0),
        ("wave_rmse", ("net", 10)): ("ridge", 10),
        ("sbp_rmse", ("net", 0)): ("ridge", 0),
        ("sbp_rmse", ("net", 10)): ("ridge", 10),
    }


def test_further_pairs_on_request(predictions, beats):
    asked = [("shuffled", ("ridge", 0)), ("arm - 8", "shuffled")]
    scored = evaluate(predictions, beats, resamples=100, compare=asked)
    met = [(c.metric, c.method_a[0]) for c in scored.comparisons]
    assert met.count(("sbp_rmse", "arm - 8")) == 1
    assert ("wave_rmse", "arm - 8") not in met
    assert ("wave_rmse", "shuffled") in met


def test_dictionary_is_strict_json(predictions, beats):
    silent = refuse(waves(beats, "silent"), np.ones(len(beats), dtype=bool))
    found = evaluate([silent, *predictions], beats, resamples=100, seed=7).to_dict()
    back = json.loads(json.dumps(found, allow_nan=False))
    assert back == found
    assert back["reference_type"] == "simulated"
    assert back["calibration"] == "exact"
    assert (back["seed"], back["resamples"], back["subjects"]) == (7, 100, 30)


def test_table_has_one_row_a_method(evaluation):
    table = evaluation.table
    assert list(table["method"]) == [s.method for s in evaluation.scores]
    assert table["sbp_rmse_low"].lt(table["sbp_rmse_high"]).all()
    assert table.loc[0, ["wave_rmse", "wave_rmse_low"]].isna().all()


def test_too_few_subjects_give_no_interval():
    beats = make_beats([3] * 4)
    scored = evaluate(
        with_controls([waves(beats, "net", spread=1.0), numbers(beats, "arm")], beats),
        beats,
        resamples=100,
    )
    assert scored.score("net").intervals["sbp_rmse"] is None
    assert scored.comparisons[0].outcome == "undecided"


def test_one_person_has_scores_but_no_spread():
    beats = make_beats([1])
    scored = evaluate([numbers(beats, "arm - 8")], beats, resamples=100)
    values = scored.scores[0].values
    assert values["sbp_rmse"] is not None
    assert values["sbp_sd"] is None
    assert values["sbp_r2"] is None


def test_beats_without_a_truth_are_not_scored(predictions, beats):
    truth = beats.reference.copy()
    truth[:3] = np.nan
    scored = evaluate(predictions, beats.replace(reference=truth), resamples=100)
    assert scored.scores[1].beats == len(beats) - 3


def test_without_a_true_brachial_pressure_there_is_no_amplification(predictions, beats):
    scored = evaluate(predictions, beats.replace(truth={}), resamples=100)
    assert {s.values["amplification_r2"] for s in scored.scores} == {None}


def test_refusals(evaluation, predictions, beats):
    with pytest.raises(ConfigError, match="resamples is 10"):
        evaluate(predictions, beats, resamples=10)
    with pytest.raises(ProtocolError, match="2 rows for 'ridge'"):
        evaluation.score("ridge")
    with pytest.raises(ProtocolError, match="no row for 'gru'"):
        evaluation.paired("gru", "ridge")
    with pytest.raises(ProtocolError, match="metric 'accuracy' is not known"):
        evaluation.paired("shuffled", "arm - 8", "accuracy")
    with pytest.raises(ProtocolError, match="neither the least nor the most"):
        evaluation.best_floor(0, "sbp_bias")
    with pytest.raises(ProtocolError, match="no deep row with k = 5"):
        evaluation.best_deep(5)
    with pytest.raises(ProtocolError, match="has no 'wave_rmse' on the"):
        evaluation.paired("shuffled", "arm - 8", "wave_rmse")
    partly = predictions[1].replace(
        cdbp=np.where(np.arange(len(beats)) < 5, np.nan, predictions[1].cdbp)
    )
    with pytest.raises(ProtocolError, match="answers the DBP on 68 of 73"):
        evaluate([partly], beats)


def shy_floor(beats):
    """A deep row, a good floor, and a bad floor that answers its best third alone."""
    generator = np.random.default_rng(5)
    size = generator.permutation(len(beats)) / len(beats)
    wave = beats.reference
    hard, easy = (wave + s * size[:, None] for s in (6.0, 9.0))
    made = Prediction.from_waveform
    deep = made("net", beats, wave + 5.0 * size[:, None], role="deep")
    good = made("ridge", beats, hard, role="floor")
    bad = made("shy", beats, easy, role="floor")
    return deep, good, refuse(bad, size > 1 / 3), size


def test_a_floor_gains_nothing_by_refusing_hard_beats(beats):
    deep, good, shy, size = shy_floor(beats)
    silent = refuse(good.replace(method="almost silent"), size > 0.02)
    rows = with_controls([deep, good, shy, silent], beats)
    scored = evaluate(rows, beats, resamples=100)
    values = {s.method: s.values["sbp_rmse"] for s in scored.scores}
    assert values["almost silent"] < values["shy"] < values["ridge"]
    assert scored.floor_of("net").method == "ridge"
    assert scored.best_floor(0).method == "ridge"
    assert [c.method_b[0] for c in scored.planned] == ["ridge", "ridge"]


def test_a_floor_that_misses_few_beats_is_still_met(beats):
    deep, good, shy, size = shy_floor(beats)
    good = refuse(good, size > 0.9)
    scored = evaluate(with_controls([deep, good, shy], beats), beats, resamples=100)
    assert scored.floor_of("net").method == "ridge"
    (pair,) = (c for c in scored.planned if c.metric == "sbp_rmse")
    assert pair.share == pytest.approx(np.mean(size <= 0.9))
    assert "% of the beats that both answer" in comparison_line(pair)


def test_a_deep_row_gains_nothing_by_refusing_hard_beats(beats):
    deep, good, _, size = shy_floor(beats)
    worse = beats.reference + 5.9 * size[:, None]
    shy = Prediction.from_waveform("shy net", beats, worse, role="deep")
    shy = refuse(shy, size > 0.3)
    scored = evaluate(with_controls([deep, shy, good], beats), beats, resamples=100)
    values = [s.values["sbp_rmse"] for s in scored.scores[:2]]
    assert values[1] < values[0]
    assert scored.best_deep(0).method == "net"
    assert "of net " in verdict_lines(scored)[0]


def test_indices_are_paired_on_the_waves_that_both_have(beats):
    turn = np.sin(2 * np.pi * np.arange(64) / 64)
    height = np.arange(len(beats))[:, None] % 5
    flat = np.arange(len(beats)) % 3 == 0
    wave = np.where(flat[:, None], 100.0, beats.reference + height * turn)
    p = Prediction.from_waveform("a", beats, wave, role="floor")
    q = beats.reference - 2 * height * turn
    q = Prediction.from_waveform("b", beats, q, role="floor")
    scored = evaluate([p, q], beats, resamples=100)
    pair = scored.paired("a", "b", "form_factor_mae")
    kept = [
        metrics.index_errors(
            x.waveform[~flat], beats.reference[~flat], beats.duration[~flat]
        )
        for x in (p, q)
    ]
    a, b = (
        metrics.per_subject(np.abs(k["form_factor_error"]), beats.subject[~flat]).mean()
        for k in kept
    )
    assert (pair.a, pair.b) == pytest.approx((a, b))
    assert pair.difference == pytest.approx(a - b)
    assert pair.subjects == len(np.unique(beats.subject[~flat]))


def test_a_pair_counts_the_subjects_behind_it(evaluation, beats):
    pair = evaluation.paired(("net", 0), ("ridge", 0), "sbp_tracking")
    assert pair.subjects == evaluation.score(("net", 0)).counts["sbp_tracking"]
    assert pair.subjects < len(beats.subjects)


def test_the_difference_of_two_r2_is_a_ratio_of_means(evaluation, predictions, beats):
    pair = evaluation.paired(("net", 0), ("ridge", 0), "amplification_r2")
    values = [
        evaluation.score(key).values["amplification_r2"]
        for key in (("net", 0), ("ridge", 0))
    ]
    assert pair.difference == pytest.approx(values[0] - values[1])
    assert pair.interval.low < pair.difference < pair.interval.high
    truth = beats.reference.max(axis=1)
    squares = [
        metrics.per_subject((p.csbp - truth) ** 2, beats.subject)
        for p in (predictions[3], predictions[1])
    ]
    assert pair.p_value == pytest.approx(ttest_rel(*squares).pvalue)


def test_few_subjects_win_nothing():
    beats = make_beats([2] * 12)
    rows = [waves(beats, "net", spread=0.1), numbers(beats, "arm", error=9.0)]
    scored = evaluate(with_controls(rows, beats), beats, resamples=100)
    (pair,) = scored.planned
    assert pair.interval.high < 0
    assert (pair.few, pair.outcome) == (True, "undecided")


def test_a_question_is_asked_once_and_never_dropped(predictions, beats):
    asked = [(("net", 0), ("ridge", 0)), ("arm - 8", "shuffled")]
    scored = evaluate(predictions, beats, resamples=100, compare=asked)
    assert [c.method_a[0] for c in scored.asked] == ["arm - 8"]
    assert scored.comparisons == scored.planned + scored.asked
    half = beats.subject < "v015"
    apart = [refuse(predictions[1], half), refuse(predictions[0], ~half)]
    with pytest.raises(ProtocolError, match="on the 0 beats that both methods answer"):
        evaluate(apart, beats, resamples=100, compare=[("ridge", "arm - 8")])


def test_scores_of_single_waves_are_given(evaluation, predictions, beats):
    scored = evaluation.scored[1]
    each = metrics.waveform_rmses(predictions[1].waveform, beats.reference)
    np.testing.assert_allclose(scored.waves["wave_rmse"], each["wave_rmse"])
    assert len(scored.waves["timing_ms"]) == scored.beats.sum()
