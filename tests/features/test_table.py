import numpy as np
import pytest

from capnet.features import FEATURES, features_of, variability
from capnet.records import Beats


def beats(rr, accepted=None, subject="a", pat=0.25):
    n = len(rr)
    accepted = np.ones(n, dtype=bool) if accepted is None else accepted
    rr = np.asarray(rr, dtype=float)
    return Beats(
        subject=np.full(n, subject),
        beat=np.arange(n),
        time=np.cumsum(rr),
        duration=rr,
        ppg=np.zeros((n, 64)),
        age=np.full(n, np.nan),
        cuff=np.full((n, 2), np.nan),
        cuff_site=np.full(n, "brachial"),
        calibration="none",
        accepted=accepted,
        reason=np.where(accepted, "", "flat"),
        features={"rr": rr, "pat": np.full(n, pat)},
    )


def test_columns_are_those_of_the_registry_in_its_order():
    table = features_of(beats([0.8] * 6))
    names = [feature.name for feature in FEATURES]
    assert list(table.columns) == ["subject", "beat", *names, "hrv_reason"]
    assert all(f.unit and f.formula and f.source for f in FEATURES)


def test_formulas_against_the_definitions():
    rr = np.array([0.80, 0.90, 0.84, 0.88, 0.81, 0.83])
    row = features_of(beats(rr)).iloc[0]
    step = np.diff(rr)
    assert row["sdnn"] == pytest.approx(1e3 * np.std(rr, ddof=1))
    assert row["rmssd"] == pytest.approx(1e3 * np.sqrt(np.mean(step**2)))
    assert row["pnn50"] == pytest.approx(100 * 3 / 5)
    assert row["hr"] == pytest.approx(75.0)
    assert row["pat"] == 0.25


def test_order_reversed_in_time_changes_nothing():
    rr = np.random.default_rng(0).uniform(0.7, 0.9, 40)
    everything = np.ones(40, dtype=bool)
    before, after = variability(rr, everything), variability(rr[::-1], everything)
    np.testing.assert_allclose(before[:3], after[:3])


def test_a_refused_beat_counts_nowhere():
    rr = np.full(12, 0.8)
    rr[5] = 1.9
    accepted = np.arange(12) != 5
    table = features_of(beats(rr, accepted))
    assert (table["sdnn"] < 1e-9).all()
    assert (table["rmssd"] < 1e-9).all()
    assert np.isnan(table["hr"][5])
    assert np.isnan(table["pat"][5])


def test_a_selection_of_rows_breaks_the_succession():
    rr = np.tile([0.7, 0.9], 10)
    every_other = beats(rr).take(np.arange(0, 20, 2))
    table = features_of(every_other)
    assert np.isnan(table["rmssd"]).all()
    assert set(table["hrv_reason"]) == {"no two accepted beats follow each other"}


@pytest.mark.parametrize(
    ("rr", "reason"),
    [
        ([0.8] * 4, "4 accepted beats, wanted at least 5"),
        ([0.8] * 6 + [3.0], "RR intervals reach from 0.80 to 3.00 s"),
        ([0.4, 1.6] * 5, "SDNN is"),
    ],
)
def test_what_cannot_be_measured_says_why(rr, reason):
    table = features_of(beats(rr))
    assert np.isnan(table[["sdnn", "rmssd", "pnn50"]].to_numpy()).all()
    assert table["hrv_reason"][0].startswith(reason)


def test_subjects_do_not_mix():
    rng = np.random.default_rng(1)
    calm, quick = beats(rng.normal(0.9, 0.05, 30)), beats([0.6] * 30, subject="b")
    both = features_of(Beats.concatenate([calm, quick]))
    assert (both["sdnn"][:30] > 20.0).all()
    assert (both["sdnn"][30:] < 1e-9).all()
    np.testing.assert_array_equal(
        both["sdnn"][:30].to_numpy(), features_of(calm)["sdnn"].to_numpy()
    )
