"""The budget of an error: planted parts are found again, and add up."""

import json

import numpy as np
import pytest

from capnet.errors import ConfigError, ProtocolError
from capnet.evaluation import evaluate
from capnet.evaluation.budget import (
    error_budget,
    under_cuff_noise,
    with_cuff_noise,
)
from capnet.evaluation.reports.budget_section import budget_section, noise_section
from capnet.prediction import Prediction
from tests.evaluation.conftest import make_beats, numbers


def said(beats, error, method="net"):
    """A floor that answers SBP with these errors."""
    values = np.full((len(beats), 4), np.nan)
    values[:, 0] = beats.reference.max(axis=1) + error
    return Prediction.from_pressures(method, beats, values, role="floor")


def judged(beats, error, **changes):
    beats = beats.replace(**changes)
    return evaluate([said(beats, error)], beats, resamples=100)


def planted(people, each, *, seeds, seed=0):
    """Evaluations whose errors are sums of known parts, exact ones and read ones."""
    rng = np.random.default_rng(seed)
    beats = make_beats([each] * people, seed=seed)
    code = np.repeat(np.arange(people), each)
    person = 4.0 * rng.standard_normal(people)[code]
    shape = 3.0 * rng.standard_normal(len(beats))
    cuff = -2.0 + 6.0 * rng.standard_normal(people)[code]
    exact, read = [], []
    for _ in range(seeds):
        model = 2.0 * rng.standard_normal(len(beats)) if seeds > 1 else 0.0
        error = 1.5 + person + shape + model
        exact.append(judged(beats, error))
        read.append(judged(beats, error + cuff, calibration="cuff SBP/DBP"))
    return exact, read


def test_planted_parts_are_found_again():
    exact, read = planted(600, 3, seeds=4)
    found = error_budget(exact, read, "net", limit=5.0)
    assert found.person == pytest.approx(4.0, rel=0.1)
    assert found.shape == pytest.approx(3.0, rel=0.1)
    assert found.cuff == pytest.approx(6.0, rel=0.1)
    assert found.model == pytest.approx(2.0, rel=0.1)
    assert found.reference == 0.0
    assert abs(found.cross) < 0.15 * found.total**2
    assert found.bias == pytest.approx(1.5, abs=0.5)
    assert found.cuff_bias == pytest.approx(-2.0, abs=0.7)
    assert (found.subjects, found.beats, found.seeds, found.limit) == (600, 1800, 4, 5)
    for name in ("shape", "cuff", "person", "model", "total"):
        low, high = found.intervals[name]
        assert low < getattr(found, name) < high


def test_the_parts_add_up_to_the_total():
    exact, read = planted(40, 3, seeds=2)
    found = error_budget(exact, read, "net")
    parts = [found.shape, found.cuff, found.reference, found.person, found.model]
    added = sum(v**2 for v in parts) + (found.bias + found.cuff_bias) ** 2
    assert added + found.cross == pytest.approx(found.total**2, rel=1e-9)
    scores = [e.score("net").values["sbp_rmse"] ** 2 for e in read]
    assert found.total == pytest.approx(np.sqrt(np.mean(scores)), rel=1e-9)
    scores = [e.score("net").values["sbp_rmse"] ** 2 for e in exact]
    assert found.exact == pytest.approx(np.sqrt(np.mean(scores)), rel=1e-9)


def test_what_cannot_be_separated_is_none_and_said():
    exact, read = planted(200, 1, seeds=1)
    found = error_budget(exact[0], read[0], "net")
    assert found.person is None
    assert found.model is None
    assert found.shape == pytest.approx(5.0, rel=0.15)  # 3 and 4 in quadrature
    text = " ".join(found.notes)
    assert "both are in the shape" in text
    assert "One training alone" in text
    back = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert back["person"] is None
    assert back["intervals"]["person"] is None
    assert "person –" in str(found)


def test_the_reference_is_taken_off_the_person():
    exact, read = planted(300, 3, seeds=1)
    bare = error_budget(exact, read, "net")
    found = error_budget(exact, read, "net", reference_sd=2.0)
    assert found.person**2 == pytest.approx(bare.person**2 - 4.0)
    assert found.shape == bare.shape
    assert found.reference == 2.0
    all_of_it = error_budget(exact, read, "net", reference_sd=50.0)
    assert all_of_it.person == 0.0


def test_a_measured_reference_has_an_error_that_nobody_said():
    beats = make_beats([2] * 10).replace(reference_type="catheter")
    error = np.random.default_rng(0).standard_normal(len(beats))
    exact = judged(beats, error, calibration="invasive SBP/DBP")
    read = judged(beats, 2 * error, calibration="cuff SBP/DBP")
    found = error_budget(exact, read, "net")
    assert found.reference is None
    assert "(catheter) errs: its error is in the person" in " ".join(found.notes)


def test_other_people_are_refused():
    beats, other = make_beats([2] * 10), make_beats([2] * 10, seed=1)
    zero = np.zeros(len(beats))
    exact = judged(beats, zero)
    read = judged(other, zero, calibration="cuff SBP/DBP")
    with pytest.raises(ProtocolError, match="the same ones under exact pressures"):
        error_budget(exact, read, "net")
    with pytest.raises(ProtocolError, match="calibrated by 'cuff SBP/DBP'"):
        error_budget(read, read, "net")
    with pytest.raises(ProtocolError, match="as many of either"):
        error_budget([exact, exact], [read], "net")
    with pytest.raises(ConfigError, match="quantity is 'aix'"):
        error_budget(exact, exact, "net", quantity="aix")
    with pytest.raises(ConfigError, match="limit is -1"):
        error_budget(exact, exact, "net", limit=-1.0)


# Injected noise ---------------------------------------------------------------


def test_no_noise_changes_no_reading():
    beats = make_beats([1, 3, 2])
    same = with_cuff_noise(beats, 0.0, 0.0, seed=1)
    np.testing.assert_allclose(same.cuff, beats.cuff)
    assert same.calibration == "cuff SBP/DBP"


def test_noise_has_the_bias_and_the_spread_that_were_asked_for():
    beats = make_beats([1] * 4000)
    noisy = with_cuff_noise(beats, (-4.0, 4.0), (7.0, 6.0), seed=1)
    error = noisy.cuff - beats.cuff
    np.testing.assert_allclose(error.mean(axis=0), [-4, 4], atol=0.4)
    np.testing.assert_allclose(error.std(axis=0), [7, 6], rtol=0.05)
    assert np.corrcoef(error.T)[0, 1] == pytest.approx(0.4, abs=0.05)
    np.testing.assert_array_equal(noisy.ppg, beats.ppg)
    np.testing.assert_array_equal(noisy.reference, beats.reference)


def test_a_reading_errs_once_in_whatever_order_its_beats_come():
    beats = make_beats([4, 4, 4])
    cuff = np.repeat([[120.0, 80.0], [120.0, 80.0], [130.0, 75.0]], 4, axis=0)
    cuff[2:4] = [118.0, 79.0]  # a second reading of the first person
    cuff[7] = np.nan
    beats = beats.replace(cuff=cuff)
    noisy = with_cuff_noise(beats, 0.0, 5.0, seed=3)
    error = (noisy.cuff - beats.cuff).round(9)
    assert len(np.unique(error[np.isfinite(error[:, 0])], axis=0)) == 4
    assert np.isnan(error[7]).all()
    order = np.random.default_rng(0).permutation(len(beats))
    moved = with_cuff_noise(beats.take(order), 0.0, 5.0, seed=3)
    np.testing.assert_array_equal(moved.cuff, noisy.cuff[order])


def test_a_measured_mean_moves_with_its_reading():
    beats = make_beats([1] * 5)
    beats = beats.replace(features={"cuff_map": np.full(5, 95.0)})
    noisy = with_cuff_noise(beats, (3.0, 6.0), 0.0, seed=0)
    np.testing.assert_allclose(noisy.features["cuff_map"], 95.0 + 5.0)


def test_without_a_reading_there_is_nothing_to_disturb():
    beats = make_beats([2, 2])
    beats = beats.replace(cuff=np.full((4, 2), np.nan))
    with pytest.raises(ProtocolError, match="no reading that could err"):
        with_cuff_noise(beats, 0.0, 5.0, seed=0)


@pytest.mark.parametrize("correlation", [0.0, 0.4, 1.0])
def test_errors_of_both_pressures_go_together_as_asked(correlation):
    beats = make_beats([1] * 2000, seed=4)
    spoilt = with_cuff_noise(beats, 0.0, 3.0, correlation=correlation, seed=5)
    sbp, dbp = (spoilt.cuff - beats.cuff).T
    assert np.corrcoef(sbp, dbp)[0, 1] == pytest.approx(correlation, abs=0.06)


def test_more_noise_more_error():
    beats = make_beats([2] * 40)
    levels = under_cuff_noise(
        lambda b: [numbers(b, "arm - 8")], beats, sds=(0.0, 4.0, 12.0), resamples=100
    )
    found = [v.evaluation.score("arm - 8").values["sbp_rmse"] for v in levels]
    assert found == sorted(found)
    assert found[2] > 9
    kinds = [v.evaluation.calibration for v in levels]
    assert kinds == ["exact", "cuff SBP/DBP", "cuff SBP/DBP"]
    with pytest.raises(ConfigError, match="sds is empty"):
        under_cuff_noise(lambda b: [numbers(b, "arm - 8")], beats, sds=())


# Sections ----------------------------------------------------------------------


def test_the_section_shows_every_part():
    exact, read = planted(40, 3, seeds=2)
    section = budget_section(error_budget(exact, read, "net", limit=4.2))
    (table,) = section.tables
    names = [row[0] for row in table.rows]
    assert len(names) == 9
    cells = " ".join(cell for row in table.rows for cell in row)
    assert "4.20" in cells
    assert "nan" not in cells
    assert section.figures[0].alt
    text = " ".join(section.paragraphs)
    assert "simulated" in text
    assert "40 subjects" in text


def test_the_section_of_noise_has_a_row_a_method():
    beats = make_beats([2] * 10)
    levels = under_cuff_noise(
        lambda b: [numbers(b, "arm - 8"), numbers(b, "arm", error=8.0)],
        beats,
        sds=(0.0, 5.0),
        resamples=100,
    )
    (table,) = noise_section(levels).tables
    assert [row[0] for row in table.rows] == ["arm - 8 (k = 0)", "arm (k = 0)"]
    assert len(table.columns) == 3
