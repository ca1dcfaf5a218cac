"""From configuration to objects: an allow-list, and every file in configs/ builds."""

from dataclasses import asdict, fields

import numpy as np
import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from capnet.adaptation.strategies import LoRAReplay, MMDLoRAReplay, ShrunkAffine
from capnet.errors import ConfigError, ProtocolError, RecordError
from capnet.hemodynamics import (
    Apart,
    Catheter,
    Clinic,
    Cohort,
    CuffModel,
    LinearSolver,
    NonlinearSolver,
    NormalAge,
    Population,
    Priors,
    Sensor,
    Trend,
)
from capnet.training.pretrain import Pretraining
from experiments import build
from experiments.door import plain
from tests.experiments.conftest import ROOT

CONFIGS = ROOT / "configs"
DOORS = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
OPTIONS = sorted((path.parent.name, path.stem) for path in CONFIGS.glob("*/*.yaml"))
KINDS = {"affine": ShrunkAffine, "lora": LoRAReplay, "mmd_lora": MMDLoRAReplay}
CLINIC = {
    **{"name": "c", "population": "usual", "sensor": "source", "cuff": "exact"},
    **{"pep_mean": 0.08, "pep_sd": 0.01, "n": 5, "seed": 3},
}


def composed(door, *overrides):
    """Compose a door's configuration; what must be given is given."""
    with initialize_config_dir(str(CONFIGS), version_base="1.3"):
        missing = OmegaConf.missing_keys(compose(door, [*overrides]))
        given = [f"{key}=[given]" for key in sorted(missing)]
        return compose(door, [*overrides, *given])


def built(cfg):
    """Build everything in a configuration that can be built."""
    settings = plain(cfg)
    names = ("clinic", "source", "target", "dev", "test", "locked")
    clinics = [settings[k] for k in names if k in settings]
    strategies = [*settings.get("strategies", {}).values()]
    strategies += [settings["strategy"]] if "strategy" in settings else []
    made = [build.clinic(part, opening=True) for part in clinics]
    made += [build.strategy(part) for part in strategies]
    if "pretraining" in settings:
        made.append(build.pretraining(settings["pretraining"]["settings"]))
    if "augmentation" in settings:
        made.append(build.augmentation(settings["augmentation"]))
    if "solver" in settings:
        made.append(build.solver(settings["solver"]))
    if settings.get("cohort", {}).get("kind") == "sampled":
        made.append(build.cohort(settings["cohort"]))
    return made


# The files


@pytest.mark.parametrize("door", DOORS)
def test_every_configuration_composes_and_builds(door):
    cfg = composed(door)
    assert {"seed", "progress", "threads"} <= set(cfg)
    built(cfg)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_builds(group, option):
    doors = {"clinic": "observe", "strategy": "adapt", "pretraining": "pretrain"}
    doors |= {"cohort": "simulate", "solver": "simulate", "augmentation": "pretrain"}
    built(composed(doors.get(group, "pipeline"), f"{group}={option}"))


def test_every_door_has_a_configuration_and_every_configuration_a_door():
    scripts = {
        path.stem
        for path in (ROOT / "experiments").glob("*.py")
        if "hydra.main" in path.read_text(encoding="utf-8")
    }
    assert scripts == {*DOORS} - {"run"}


def test_no_configuration_names_a_class_to_be_called():
    for path in [*CONFIGS.rglob("*.yaml"), *(ROOT / "experiments").rglob("*.py")]:
        text = path.read_text(encoding="utf-8").replace("``_target_``", "")
        assert "_target_" not in text, path


def test_source_and_target_are_other_people_of_other_clinics():
    source, target = (
        build.clinic(plain(composed("observe", f"clinic={name}").clinic))
        for name in ("source", "test")
    )
    assert source.hash() != target.hash()
    assert source.seed != target.seed
    assert source.sensor != target.sensor
    assert source.cuff != target.cuff


def test_pretraining_in_the_file_sets_everything():
    given = plain(composed("pretrain").pretraining.settings)
    assert set(given) == {f.name for f in fields(Pretraining)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_strategy_in_the_file_sets_everything(kind):
    given = plain(composed("adapt", f"strategy={kind}").strategy)
    assert given["kind"] == kind
    assert set(given["settings"]) == {f.name for f in fields(KINDS[kind])} - {"name"}


# Clinics


@pytest.mark.parametrize(
    ("group", "word", "wanted"),
    [
        ("population", "usual", Population.calibrated()),
        ("population", "pwdb", Population()),
        ("population", "older_clinic", Population.older_clinic()),
        ("sensor", "source", Sensor.source()),
        ("sensor", "randomised", Sensor.randomised()),
        ("sensor", "clinic", Sensor.clinic()),
        ("sensor", "held_out", Sensor.held_out()),
        ("sensor", "wrist", Sensor.wrist()),
        ("cuff", "exact", CuffModel.exact()),
        ("cuff", "training", CuffModel.training()),
        ("cuff", "randomised", CuffModel.randomised()),
        ("cuff", "clinic", CuffModel.clinic()),
        ("cuff", "wrist", CuffModel.wrist()),
        ("catheter", "fluid_filled", Catheter()),
    ],
)
def test_a_word_names_a_preset_and_numbers_say_the_same(group, word, wanted):
    by_word = build.clinic(CLINIC | {group: word})
    assert getattr(by_word, group) == wanted
    numbers = OmegaConf.to_container(OmegaConf.create(asdict(wanted)))
    by_numbers = build.clinic(CLINIC | {group: numbers})
    assert by_numbers == by_word
    assert by_numbers.hash() == by_word.hash()


def test_some_numbers_may_stand_alone():
    clinic = build.clinic(
        CLINIC
        | {
            "population": {
                "age": {"mean": 60.0, "sd": 5.0, "low": 50.0, "high": 70.0},
                "arm": {"stiffness": 1.3},
                "deviates": {"mbp": {"mean": 0.5}},
            },
            "cuff": {"sbp_bias": -3.0},
            "solver": {"harmonics": 12},
        }
    )
    assert isinstance(clinic, Clinic)
    assert clinic.population.age == NormalAge(60.0, 5.0, 50.0, 70.0)
    assert clinic.population.arm.stiffness == 1.3
    assert clinic.population.deviate("mbp").mean == 0.5
    assert clinic.cuff == CuffModel(sbp_bias=-3.0)
    assert clinic.solver.harmonics == 12


def test_a_locked_clinic_opens_only_to_who_may():
    settings = plain(composed("observe", "clinic=locked").clinic)
    with pytest.raises(ConfigError, match=r"'locked' is locked.*once per release"):
        build.clinic(settings)
    assert build.clinic(settings, opening=True).name == "locked"


def test_moments_apart_are_given_by_numbers():
    clinic = build.clinic(CLINIC | {"apart": {"mbp_sd": 5.0}})
    assert clinic.apart == Apart(mbp_sd=5.0)


@pytest.mark.parametrize("priors", ["calibrated", {"trends": {"sv": {"at_50": 0.1}}}])
def test_priors_by_word_or_by_numbers(priors):
    made = build.clinic(CLINIC | {"population": {"priors": priors}}).population.priors
    if priors == "calibrated":
        assert made == Priors.calibrated()
    else:
        assert made == Priors({"sv": Trend(0.1)})


def test_a_clinic_may_have_any_solver():
    nonlinear = {"kind": "nonlinear", "settings": {"viscoelastic": False}}
    made = build.clinic(CLINIC | {"solver": nonlinear})
    assert made.solver == NonlinearSolver(viscoelastic=False)


def test_calibrations_are_those_of_virtual_people():
    both = ["exact", "cuff SBP/DBP"]
    assert build.calibrations(both[::-1] * 2) == both
    for wrong in (["none"], []):
        with pytest.raises(ProtocolError, match=r"wanted some of \['exact', "):
            build.calibrations(wrong)
    with pytest.raises(ConfigError, match="wanted a list of words"):
        build.calibrations("exact")


def test_building_leaves_the_settings_as_they_were():
    settings = CLINIC | {"population": {"deviates": {"mbp": {"mean": 0.5}}}}
    before = repr(settings)
    build.clinic(settings)
    assert repr(settings) == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"population": "young"}, r"population 'young' is unknown.*older_clinic"),
        ({"sensor": "eye"}, r"sensor 'eye' is unknown.*randomised"),
        ({"cuff": "ankle"}, r"cuff 'ankle' is unknown.*training"),
        ({"beds": 3}, r"clinic has no setting 'beds'.*pep_mean"),
        ({"solver": {"steps": 3}}, r"solver has no setting 'steps'.*harmonics"),
        ({"cuff": {"bias": 3}}, r"cuff has no setting 'bias'.*sbp_bias"),
        ({"sensor": {"gain": 3}}, r"sensor has no setting 'gain'.*lowpass"),
        ({"sensor": {"noise": [0.0, 1.0]}}, r"sensor cannot be built from.*missing"),
        ({"population": {"agee": 3}}, r"population has no setting 'agee'"),
        ({"population": {"age": {"average": 3}}}, r"population\.age has no setting"),
        ({"population": {"arm": {"leg": 3}}}, r"population\.arm has no setting"),
        (
            {"population": {"deviates": {"mbp": {"shift": 3}}}},
            r"population\.deviates\.mbp has no setting 'shift'",
        ),
        ({"population": {"deviates": {"iq": {}}}}, r"deviate 'iq' concerns"),
        ({"cuff": {"readings": 0}}, r"0 readings; wanted"),
        ({"n": 0}, r"n 0, seed 3.*wanted n >= 1"),
        ({"name": {"a": 1}}, r"clinic\.name is .*; wanted a word"),
        ({"sensor": None}, r"clinic\.sensor is None; wanted .*or one of source, "),
        ({"sensor": 5}, r"clinic\.sensor is 5; wanted settings by name"),
        ({"apart": "far"}, r"clinic\.apart is 'far'; wanted settings by name"),
        ({"solver": None}, r"clinic\.solver is None; wanted settings by name"),
        ({"solver": {"order": True}}, r"clinic\.solver\.order is True; wanted one of"),
        (
            {"catheter": {"natural": [10.0]}},
            r"clinic\.catheter\.natural is \[10\.0\]; wanted a list of 2",
        ),
        (
            {"catheter": {"damping": ["a", 0.5]}},
            r"clinic\.catheter\.damping\[0\] is 'a'; wanted a number",
        ),
        ({"sensor": {"lowpass": [5.0]}}, r"lowpass\[0\] is 5\.0; wanted a list of 2"),
        ({"population": 5}, r"clinic\.population is 5; wanted .*older_clinic"),
        ({"population": {"priors": []}}, r"population\.priors is \[\]; .*calibrated"),
        (
            {"population": {"deviates": {"hr": 1.0}}},
            r"population\.deviates\.hr is 1\.0; wanted settings by name",
        ),
        (
            {"population": {"deviates": {"hr": {"sd": -1.0}}}},
            r"Deviate has sd -1; wanted a number from 0 on",
        ),
        (
            {"population": {"arm": {"length_sd": float("nan")}}},
            r"Arm has length_sd nan",
        ),
        (
            {"population": {"priors": {"trends": {"sv": {"at_50": float("inf")}}}}},
            r"Trend has at_50 inf; wanted a finite number",
        ),
        (
            {"population": {"age": {"mean": 60.0, "sd": -5.0, "low": 20, "high": 80}}},
            r"NormalAge has sd -5",
        ),
    ],
)
def test_what_is_unknown_or_out_of_range_is_refused(changes, message):
    with pytest.raises(ConfigError, match=message):
        build.clinic(CLINIC | changes)


def test_a_missing_setting_is_refused():
    incomplete = {name: value for name, value in CLINIC.items() if name != "n"}
    with pytest.raises(ConfigError, match=r"clinic cannot be built from.*'n'"):
        build.clinic(incomplete)


# Strategies and pretraining


@pytest.mark.parametrize(("kind", "wanted"), KINDS.items())
def test_a_kind_names_a_strategy(kind, wanted):
    assert isinstance(build.strategy({"kind": kind, "settings": {}}), wanted)


def test_settings_and_changes_reach_the_strategy():
    settings = {"lora": {"rank": 2, "targets": ["hidden.weight"]}, "weight": 0.7}
    given = {"kind": "mmd_lora", "settings": settings}
    strategy = build.strategy(given)
    assert (strategy.weight, strategy.lora.rank) == (0.7, 2)
    control = build.strategy(given, weight=0.0, name="control")
    assert (control.weight, control.name) == (0.0, "control")
    assert control.lora == strategy.lora
    assert settings["weight"] == 0.7


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "magic", "settings": {}}, r"strategy 'magic' is unknown.*mmd_lora"),
        (
            {"kind": "lora", "settings": {"weight": 1.0}},
            r"strategy lora has no setting 'weight'.*steps",
        ),
        (
            {"kind": "lora", "settings": {"lora": {"depth": 1}}},
            r"strategy lora\.lora has no setting 'depth'.*rank",
        ),
    ],
)
def test_an_unknown_strategy_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build.strategy(settings)


def test_pretraining_is_built_and_what_is_unknown_is_refused():
    assert build.pretraining({"hidden": 7}).hidden == 7
    with pytest.raises(ConfigError, match=r"pretraining\.settings has no setting 'd'"):
        build.pretraining({"d": 1})


@pytest.mark.parametrize("value", ["abc", 3.5, True])
def test_a_whole_number_is_wanted(value):
    with pytest.raises(ConfigError, match=r"k is .*; wanted a whole number"):
        build.whole(value, least=0, where="k")
    with pytest.raises(ConfigError, match="seed = -1; wanted at least 0"):
        build.whole(-1, least=0, where="seed")


def test_a_word_is_no_number():
    with pytest.raises(ConfigError, match=r"epochs is 'many'; wanted a whole number"):
        build.pretraining({"epochs": "many"})


# Cohorts and solvers


def test_a_cohort_is_drawn_as_the_library_draws_it():
    settings = {"kind": "sampled", "n": 4, "seed": 2, "population": "older_clinic"}
    made = build.cohort(settings)
    wanted = Cohort.sample(4, seed=2, population=Population.older_clinic())
    np.testing.assert_array_equal(made["hr"], wanted["hr"])
    numbers = {"age": {"low": 50.0, "high": 51.0}}
    aged = build.cohort(settings | {"population": numbers})
    assert ((aged.age >= 50) & (aged.age <= 51)).all()


def test_a_sampled_cohort_follows_the_seed_of_the_run():
    seeds = [
        plain(composed("simulate", *given).cohort)["seed"]
        for given in ([], ["seed=5"], ["seed=5", "cohort.seed=7"])
    ]
    assert seeds == [0, 5, 7]


def test_a_solver_gets_its_settings():
    settings = {"harmonics": 12, "friction": "womersley", "threads": None}
    made = build.solver({"kind": "linear", "settings": settings})
    assert made == LinearSolver(harmonics=12, friction="womersley")


def test_the_solvers_of_the_files_are_what_they_say():
    by_name = {
        name: plain(composed("simulate", f"solver={name}").solver)
        for group, name in OPTIONS
        if group == "solver"
    }
    assert by_name["linear"]["settings"]["friction"] == "poiseuille"
    assert by_name["linear_womersley"]["settings"]["friction"] == "womersley"
    assert by_name["nonlinear"]["settings"]["protocol"] == "converged"
    assert by_name["nonlinear_pwdb"]["settings"]["protocol"] == "pwdb"
    assert {given["kind"] for given in by_name.values()} == {"linear", "nonlinear"}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "magic"}, r"cohort\.kind is 'magic'; wanted one of sampled, pwdb"),
        ({}, r"cohort\.kind is None"),
        ({"kind": "sampled", "n": 3, "seed": 0}, r"see 'population'"),
        ({"kind": "yaml", "path": "x", "n": 3}, r"kind 'yaml' has path; see 'n'"),
        ({"kind": "yaml", "path": ""}, r"cohort\.path is ''; wanted a path"),
        (
            {"kind": "sampled", "n": 0, "seed": 0, "population": "usual"},
            r"cohort\.n = 0; wanted at least 1",
        ),
        (
            {"kind": "sampled", "n": 2, "seed": -1, "population": "usual"},
            r"cohort\.seed = -1",
        ),
        (
            {"kind": "sampled", "n": 2, "seed": 0, "population": "young"},
            r"population 'young' is unknown.*older_clinic",
        ),
        (
            {"kind": "pwdb", "folder": "x", "subjects": 3},
            r"cohort\.subjects is 3; wanted a list",
        ),
        (
            {"kind": "pwdb", "folder": "x", "subjects": [0]},
            r"cohort\.subjects = 0; wanted at least 1",
        ),
    ],
)
def test_a_cohort_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build.cohort(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"kind": "pwdb", "folder": "nowhere", "subjects": [1]},
        {"kind": "yaml", "path": "nowhere.yaml"},
    ],
)
def test_people_who_are_nowhere_are_refused(settings):
    with pytest.raises(RecordError, match="nowhere"):
        build.cohort(settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "magic"}, r"solver\.kind is 'magic'; wanted one of linear, nonlin"),
        ({"kind": "linear", "harmonics": 3}, r"solver has no setting 'harmonics'"),
        (
            {"kind": "linear", "settings": {"steps": 3}},
            r"solver\.settings has no setting 'steps'.*friction",
        ),
        (
            {"kind": "linear", "settings": {"harmonics": "x"}},
            r"solver\.settings\.harmonics is 'x'; wanted a whole number",
        ),
        (
            {"kind": "linear", "settings": {"viscoelastic": "no"}},
            r"solver\.settings\.viscoelastic is 'no'; wanted true or false",
        ),
        (
            {"kind": "linear", "settings": {"friction": "none"}},
            r"friction is 'none'; wanted one of poiseuille, womersley",
        ),
    ],
)
def test_a_solver_that_cannot_be_is_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        build.solver(settings)


@pytest.mark.parametrize("value", ["yes", 1, None])
def test_a_truth_value_is_wanted(value):
    with pytest.raises(ConfigError, match=r"plausible is .*; wanted true or false"):
        build.flag(value, where="plausible")


@pytest.mark.parametrize("value", ["radial", [1], {"radial": 1}])
def test_a_list_of_words_is_wanted(value):
    with pytest.raises(ConfigError, match=r"sites is .*; wanted a list of words"):
        build.words(value, where="sites")
