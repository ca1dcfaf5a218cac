"""Nobody and nothing is shared between the clinics that judge each other's settings."""

from itertools import combinations
from typing import get_args

import numpy as np
import pytest

from capnet.hemodynamics import Apart, Catheter, Cohort, CuffModel, Sensor
from capnet.hemodynamics.cohort import stream
from capnet.hemodynamics.visits import Moment
from experiments import build
from experiments.door import plain
from tests.experiments.test_build import CONFIGS, composed

NAMES = sorted(path.stem for path in (CONFIGS / "clinic").glob("*.yaml"))


@pytest.fixture(scope="module")
def clinics():
    found = [plain(composed("observe", f"clinic={name}").clinic) for name in NAMES]
    return [build.clinic(settings, opening=True) for settings in found]


def draws(clinic):
    """Everything that chance decides in a clinic, one row a thing."""
    people = Cohort.sample(200, seed=clinic.seed, population=clinic.population)
    day = "draw 0"
    sensor = clinic.sensor.draw(200, stream(clinic.seed, day, "sensor"))
    cuff = clinic.cuff.draw(
        200,
        stream(clinic.seed, day, "cuff"),
        person=stream(clinic.seed, "person", "cuff"),
    )
    drawn = dict(people.parameters)
    del drawn["dbp"]  # follows from age alone
    return {
        "age": people.age,
        **drawn,
        "PEP": stream(clinic.seed, day, "pep").standard_normal(200),
        "catheter": stream(clinic.seed, day, "catheter").standard_normal(200),
        "contact": sensor.contact,
        "noise": sensor.noise[:, 0],
        "phase": sensor.phase,
        "cuff SBP": cuff.sbp_error,
        "cuff DBP": cuff.dbp_error,
    }


def test_no_two_clinics_share_a_person_a_sensor_or_a_cuff_reading(clinics):
    drawn = {clinic.name: draws(clinic) for clinic in clinics}
    for a, b in combinations(drawn, 2):
        for name, values in drawn[a].items():
            others = drawn[b][name]
            if np.ptp(values) == 0 or np.ptp(others) == 0:
                continue  # the same in everybody: decided, not drawn
            shared = np.intersect1d(values, others)
            # ages and deviates that were cut at a limit meet there
            limits = {values.min(), values.max(), others.min(), others.max()}
            assert set(shared) <= limits, (a, b, name)


def test_what_is_drawn_for_one_purpose_says_nothing_of_another(clinics):
    count, day = 2000, "draw 0"
    for clinic in clinics:
        seed = clinic.seed
        sensor = Sensor.wrist().draw(count, stream(seed, day, "sensor"))
        cuff = CuffModel.wrist().draw(
            count,
            stream(seed, day, "cuff"),
            person=stream(seed, "person", "cuff"),
        )
        line = Catheter().draw(count, stream(seed, day, "catheter"))
        people = Cohort.sample(count, seed=seed)  # what does not follow age
        apart = Apart(5.0, 0.1)
        later = [apart.at(people, m, seed=seed, n=count) for m in get_args(Moment)]
        groups = [
            [sensor.contact, *sensor.lowpass.T, sensor.coupling, sensor.level],
            [sensor.drift, sensor.phase, sensor.noise[:, 0], sensor.noise[:, 1]],
            [sensor.height, sensor.motion, sensor.quantum, sensor.rail],
            [cuff.sbp_error, cuff.height, line.natural, line.damping, line.zero],
            [line.level, stream(seed, day, "pep").standard_normal(count)],
            [people["hr"], people["sv"], people["arm_length"]],
            *([p["hr"] / people["hr"], p["mbp"] - people["mbp"]] for p in later),
        ]
        drawn = np.array([values for group in groups for values in group])
        # ages of people are no purpose: stroke volume follows them
        apart_from_age = drawn - np.outer(
            drawn @ (people.age - people.age.mean()) / count / people.age.var(),
            people.age - people.age.mean(),
        )
        found = np.abs(np.corrcoef(apart_from_age) - np.eye(len(drawn)))
        assert found.max() < 4.6 / np.sqrt(count), clinic.name


def test_clinics_have_names_seeds_and_hashes_of_their_own(clinics):
    for what in (
        [clinic.name for clinic in clinics],
        [clinic.seed for clinic in clinics],
        [clinic.hash() for clinic in clinics],
    ):
        assert len(set(what)) == len(clinics)


def test_dev_test_and_locked_follow_one_recipe(clinics):
    by_name = {clinic.name: clinic for clinic in clinics}
    dev = by_name["dev"]
    for other in (by_name["test"], by_name["locked"]):
        assert other.population == dev.population
        assert other.solver == dev.solver
        assert other.body == dev.body
        assert other.n == dev.n
        assert other.sensor != dev.sensor
        assert other.cuff != dev.cuff
    assert by_name["test"].sensor != by_name["locked"].sensor
    assert by_name["test"].cuff != by_name["locked"].cuff
