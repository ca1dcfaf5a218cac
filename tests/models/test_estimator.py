"""What every estimator says of itself beside its numbers."""

import numpy as np
import pytest

from capnet.evaluation.floors import REQUIRED, check_floors
from capnet.models.classical import (
    OLS,
    FittedGTF,
    MovingAverage,
    PeripheralMinusConstant,
    PublishedGTF,
    Ridge,
    RidgeAffine,
    RidgeRefit,
    RidgeShrunk,
)
from capnet.models.estimator import seen_by
from capnet.models.forest import RandomForest
from capnet.models.inputs import ALONE, SCALARS
from capnet.models.last_cuff import LastCuff
from capnet.models.mean import Mean
from capnet.models.posterior import CuffPosterior, ReadingPosterior
from capnet.models.shuffled_labels import ShuffledLabels
from capnet.models.svr import SVR
from tests.models.fake_beats import harmonics, make_beats


def people(n, seed=0):
    made = make_beats(n, seed=seed)
    arm = {"brachial_sbp": made.cuff[:, 0], "brachial_dbp": made.cuff[:, 1]}
    line = 80 + 40 * harmonics(np.random.default_rng(seed), n)
    features = {"pat": np.random.default_rng(seed).uniform(0.1, 0.3, n)}
    return made.replace(truth=arm, waves={"abp": line}, features=features)


SAID = [
    (Mean(), "mean", ()),
    (LastCuff(), "last cuff", ("cuff",)),
    (CuffPosterior(), "cuff posterior", ("cuff",)),
    (ReadingPosterior(), "cuff posterior", ("cuff",)),
    (PeripheralMinusConstant(), "peripheral - constant", ("cuff",)),
    (OLS(), "OLS", ("cuff", "age", "hr")),
    (Ridge(), "ridge", ("cuff", "age", "hr", "ppg")),
    (Ridge("abp"), "ridge", ("age", "hr", "pressure wave")),
    (SVR(SCALARS), "SVR", ("cuff", "age", "hr")),
    (SVR(), "SVR", ("cuff", "age", "hr", "ppg")),
    (RandomForest(ALONE), "random forest", ("age", "hr", "ppg", "ecg")),
    (RidgeAffine(), "ridge", ("cuff", "age", "hr", "ppg")),
    (RidgeShrunk(Ridge("abp")), "ridge", ("age", "hr", "pressure wave")),
    (FittedGTF(), "GTF", ("cuff", "ppg")),
    (FittedGTF("abp"), "GTF", ("pressure wave",)),
    (PublishedGTF(), "GTF", ("cuff", "ppg")),
    (MovingAverage(), "moving average", ("cuff", "ppg")),
    (
        ShuffledLabels(Ridge()),
        "shuffled labels",
        ("cuff", "age", "hr", "ppg"),
    ),
]


@pytest.mark.parametrize(("estimator", "family", "inputs"), SAID)
def test_every_answer_says_its_family_and_inputs(estimator, family, inputs):
    answer = estimator.fit(people(20)).predict(people(4, seed=1))
    assert (answer.family, answer.inputs) == (family, inputs)
    assert (answer.k, answer.seen) == (0, "")


@pytest.mark.parametrize("kind", [RidgeAffine, RidgeShrunk, RidgeRefit])
def test_an_adapted_answer_says_whose_labels_it_saw(kind):
    source, test, few = people(20), people(4, seed=1), people(6, seed=2)
    adapted = kind(Ridge().fit(source)).adapt(few)
    answer = adapted.predict(test)
    assert (answer.k, answer.seen) == (6, seen_by(few.subjects))
    assert answer.seen != seen_by(few.subjects[1:])
    # Learning the source anew forgets them.
    assert adapted.fit(source).predict(test).seen == ""


def test_a_fingerprint_knows_no_order_and_no_name():
    names = np.array(["anna", "bert", "carl"])
    assert seen_by(names) == seen_by(names[::-1]) == seen_by([*names, "anna"])
    assert len({seen_by(names), seen_by(names[:2]), seen_by(["annabert", "carl"])}) == 3
    assert seen_by([]) == ""
    assert "anna" not in seen_by(names)


def test_the_estimators_of_the_library_open_the_gate():
    source, test = people(40), people(12, seed=1)
    by_family = {family: e for e, family, _ in SAID}
    wanted = ("cuff", "age", "hr", "ppg")
    by_family |= {e.family: e for e, _, i in SAID if i in (wanted, ("cuff", "ppg"))}
    rows = [by_family[f].fit(source).predict(test) for f in REQUIRED]
    deep = rows[-1].replace(method="net", role="deep", family="network", inputs=wanted)
    check_floors([*rows, deep], test)
