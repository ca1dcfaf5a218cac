"""From configuration to objects: an allow-list, and every file in configs/ builds."""

from dataclasses import asdict, fields

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from capnet.adaptation.strategies import LoRAReplay, MMDLoRAReplay, ShrunkAffine
from capnet.errors import ConfigError
from capnet.hemodynamics import Clinic, CuffModel, NormalAge, Population, Sensor
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
    clinics = [settings[k] for k in ("clinic", "source", "target") if k in settings]
    strategies = [*settings.get("strategies", {}).values()]
    strategies += [settings["strategy"]] if "strategy" in settings else []
    made = [build.clinic(part) for part in clinics]
    made += [build.strategy(part) for part in strategies]
    if "pretraining" in settings:
        made.append(build.pretraining(settings["pretraining"]["settings"]))
    return made


# The files


@pytest.mark.parametrize("door", DOORS)
def test_every_configuration_composes_and_builds(door):
    cfg = composed(door)
    assert {"seed", "progress", "threads"} <= set(cfg)
    built(cfg)


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes_and_builds(group, option):
    doors = {"clinic": "simulate", "strategy": "adapt", "pretraining": "pretrain"}
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
        build.clinic(plain(composed("simulate", f"clinic={name}").clinic))
        for name in ("source", "target")
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
        ("population", "usual", Population()),
        ("population", "older_clinic", Population.older_clinic()),
        ("sensor", "source", Sensor.source()),
        ("sensor", "randomised", Sensor.randomised()),
        ("sensor", "clinic", Sensor.clinic()),
        ("cuff", "exact", CuffModel.exact()),
        ("cuff", "training", CuffModel.training()),
        ("cuff", "randomised", CuffModel.randomised()),
        ("cuff", "clinic", CuffModel.clinic()),
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
        ({"cuff": "wrist"}, r"cuff 'wrist' is unknown.*training"),
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
