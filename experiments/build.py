"""From configuration to the library's objects; an allow-list, never ``_target_``."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from capnet import hemodynamics
from capnet.adaptation.lora import LoRA
from capnet.adaptation.strategies import (
    LoRAReplay,
    MMDLoRAReplay,
    ShrunkAffine,
    Strategy,
)
from capnet.errors import ConfigError
from capnet.hemodynamics import (
    Apart,
    Arm,
    Catheter,
    Clinic,
    Cohort,
    CuffModel,
    Deviate,
    LinearSolver,
    NormalAge,
    Population,
    Priors,
    Sensor,
    Trend,
    UniformAge,
)
from capnet.hemodynamics.simulation import Solver
from capnet.training.pretrain import Pretraining

__all__ = [
    "check_number",
    "clinic",
    "cohort",
    "flag",
    "pretraining",
    "solver",
    "split",
    "strategy",
    "whole",
    "words",
]

_PRESETS: Final[Mapping[str, Mapping[str, Callable[[], Any]]]] = {
    "population": {
        "usual": Population.calibrated,
        "pwdb": Population,
        "older_clinic": Population.older_clinic,
    },
    "priors": {"calibrated": Priors.calibrated, "pwdb": Priors},
    "sensor": {
        "source": Sensor.source,
        "randomised": Sensor.randomised,
        "clinic": Sensor.clinic,
        "held_out": Sensor.held_out,
        "wrist": Sensor.wrist,
    },
    "catheter": {"perfect": Catheter.perfect, "fluid_filled": Catheter},
    "cuff": {
        "exact": CuffModel.exact,
        "training": CuffModel.training,
        "randomised": CuffModel.randomised,
        "clinic": CuffModel.clinic,
        "wrist": CuffModel.wrist,
    },
}
_STRATEGIES: Final = {
    "affine": ShrunkAffine,
    "lora": LoRAReplay,
    "mmd_lora": MMDLoRAReplay,
}


_SOLVERS: Final = {"linear": "LinearSolver", "nonlinear": "NonlinearSolver"}
_COHORTS: Final = {
    "sampled": {"n", "seed", "population"},
    "pwdb": {"folder", "subjects"},
    "yaml": {"path"},
}


def check_number(value: Any, kind: Any, *, where: str) -> None:
    """Refuse what is no number where a number is wanted.

    Args:
        value: What was given.
        kind: ``int`` or ``float``; anything else is not looked at.
        where: Name of the setting, for the message.

    Raises:
        ConfigError: If the value is not of that kind.
    """
    fits = {int: int, float: int | float}.get(kind)
    if fits is not None and (isinstance(value, bool) or not isinstance(value, fits)):
        word = "a whole number" if kind is int else "a number"
        msg = f"{where} is {value!r}; wanted {word}."
        raise ConfigError(msg)


def whole(value: Any, *, least: int, where: str) -> int:
    """Return a whole number that is large enough.

    Raises:
        ConfigError: If it is none, or too small.
    """
    check_number(value, int, where=where)
    number = int(value)
    if number < least:
        msg = f"{where} = {number}; wanted at least {least}."
        raise ConfigError(msg)
    return number


def flag(value: Any, *, where: str) -> bool:
    """Return a truth value.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(value, bool):
        msg = f"{where} is {value!r}; wanted true or false."
        raise ConfigError(msg)
    return value


def words(value: Any, *, where: str) -> list[str]:
    """Return a list of words.

    Raises:
        ConfigError: If it is none.
    """
    if not isinstance(value, list) or not all(isinstance(w, str) for w in value):
        msg = f"{where} is {value!r}; wanted a list of words: [radial]."
        raise ConfigError(msg)
    return value


def _check_setting(value: Any, hint: Any, *, where: str) -> None:
    """Refuse numbers, words and truth values of the wrong kind."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    kinds = [option for option in options if option is not type(None)]
    if len(kinds) > 1 or (value is None and len(options) > 1):
        return
    check_number(value, kinds[0], where=where)
    if kinds[0] is bool:
        flag(value, where=where)
    known = get_args(kinds[0]) if get_origin(kinds[0]) is Literal else (value,)
    if value not in known:
        msg = f"{where} is {value!r}; wanted one of {', '.join(map(str, known))}."
        raise ConfigError(msg)


def _make(kind: type, settings: Mapping[str, Any], *, where: str) -> Any:
    known = {f.name for f in fields(kind)}
    unknown = sorted(set(settings) - known)
    if unknown:
        msg = (
            f"{where} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}."
        )
        raise ConfigError(msg)
    hints = get_type_hints(kind)
    for name, value in settings.items():
        _check_setting(value, hints[name], where=f"{where}.{name}")
    try:
        return kind(**settings)
    except TypeError as error:
        msg = f"{where} cannot be built from {dict(settings)}: {error}"
        raise ConfigError(msg) from error


def _preset(group: str, word: str) -> Any:
    presets = _PRESETS[group]
    if word not in presets:
        msg = f"{group} {word!r} is unknown; presets are {', '.join(presets)}."
        raise ConfigError(msg)
    return presets[word]()


def _priors(given: Any) -> Priors:
    """Build priors from a preset's name, or from their trends."""
    if isinstance(given, str):
        by_word: Priors = _preset("priors", given)
        return by_word
    trends = {
        name: _make(Trend, trend, where=f"population.priors.trends.{name}")
        for name, trend in given.get("trends", {}).items()
    }
    made: Priors = _make(Priors, {**given, "trends": trends}, where="population.priors")
    return made


def _population(settings: Mapping[str, Any]) -> Population:
    parts = dict(settings)
    if "priors" in parts:
        parts["priors"] = _priors(parts["priors"])
    if "age" in parts:
        age = parts["age"]
        parts["age"] = _make(
            NormalAge if "mean" in age else UniformAge, age, where="population.age"
        )
    if "arm" in parts:
        parts["arm"] = _make(Arm, parts["arm"], where="population.arm")
    parts["deviates"] = {
        name: _make(Deviate, deviate, where=f"population.deviates.{name}")
        for name, deviate in parts.get("deviates", {}).items()
    }
    made: Population = _make(Population, parts, where="population")
    return made


def _sensor(settings: Mapping[str, Any]) -> Sensor:
    parts = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    if "lowpass" in parts:
        parts["lowpass"] = tuple(tuple(stage) for stage in parts["lowpass"])
    made: Sensor = _make(Sensor, parts, where="sensor")
    return made


def _catheter(settings: Mapping[str, Any]) -> Catheter:
    parts = {k: tuple(v) if isinstance(v, list) else v for k, v in settings.items()}
    made: Catheter = _make(Catheter, parts, where="catheter")
    return made


def clinic(settings: Mapping[str, Any], *, opening: bool = False) -> Clinic:
    """Build a clinic; population, sensor, cuff and catheter by preset or by numbers.

    Args:
        settings: As in configs/clinic. ``solver`` is settings of the linear solver, or
            a kind (linear, nonlinear) and its settings. ``locked: true`` marks a
            clinic that is kept for releases.
        opening: Whether a locked clinic may be built.

    Raises:
        ConfigError: If a setting or a preset is unknown or out of its range, or the
            clinic is locked and is not to be opened.
    """
    makers: dict[str, Callable[[Mapping[str, Any]], Any]] = {
        "population": _population,
        "sensor": _sensor,
        "cuff": lambda s: _make(CuffModel, s, where="cuff"),
        "catheter": _catheter,
        "apart": lambda s: _make(Apart, s, where="apart"),
    }
    parts = dict(settings)
    if flag(parts.pop("locked", False), where="clinic.locked") and not opening:
        msg = (
            f"clinic {parts.get('name')!r} is locked: it is opened once per release, "
            "by experiments/benchmark.py, which logs it. Choose settings on "
            "clinic=dev and report on clinic=test."
        )
        raise ConfigError(msg)
    for group, make in makers.items():
        given = parts.get(group)
        if isinstance(given, str):
            parts[group] = _preset(group, given)
        elif given is not None:
            parts[group] = make(given)
    given = parts.get("solver", {})
    parts["solver"] = (
        solver(given) if "kind" in given else _make(LinearSolver, given, where="solver")
    )
    made: Clinic = _make(Clinic, parts, where="clinic")
    return made


def solver(settings: Mapping[str, Any]) -> Solver:
    """Build a solver from its kind and settings.

    Args:
        settings: ``kind`` (linear, nonlinear) and its ``settings``.

    Raises:
        ConfigError: If the kind or a setting is unknown or out of its range.
    """
    kind = _kind(settings, _SOLVERS, group="solver")
    unknown = sorted(set(settings) - {"kind", "settings"})
    if unknown:
        msg = f"solver has no setting {unknown[0]!r}; it has kind and settings."
        raise ConfigError(msg)
    made: Solver = _make(
        getattr(hemodynamics, _SOLVERS[kind]),
        settings.get("settings") or {},
        where="solver.settings",
    )
    return made


def _kind(
    settings: Mapping[str, Any], known: Mapping[str, object], *, group: str
) -> str:
    kind = settings.get("kind")
    if kind not in known:
        msg = f"{group}.kind is {kind!r}; wanted one of {', '.join(known)}."
        raise ConfigError(msg)
    return str(kind)


def cohort(settings: Mapping[str, Any]) -> Cohort:
    """Draw or read a cohort.

    Args:
        settings: ``kind``, and ``n``, ``seed``, ``population`` (a preset's name, or
            numbers) of a sampled one, ``folder`` and ``subjects`` of PWDB, or ``path``
            of a YAML file.

    Raises:
        ConfigError: If a setting is unknown, missing or out of its range.
        RecordError: If a file is missing or damaged.
    """
    kind = _kind(settings, _COHORTS, group="cohort")
    parts = {name: value for name, value in settings.items() if name != "kind"}
    odd = sorted(set(parts) ^ _COHORTS[kind])
    if odd:
        wanted = ", ".join(sorted(_COHORTS[kind]))
        msg = f"cohort of kind {kind!r} has {wanted}; see {odd[0]!r}."
        raise ConfigError(msg)
    if kind == "sampled":
        population = parts["population"]
        given = isinstance(population, str)
        return Cohort.sample(
            whole(parts["n"], least=1, where="cohort.n"),
            seed=whole(parts["seed"], least=0, where="cohort.seed"),
            population=_preset("population", population)
            if given
            else _population(population or {}),
        )
    if kind == "pwdb":
        subjects = parts["subjects"]
        if subjects is not None and not isinstance(subjects, list):
            msg = f"cohort.subjects is {subjects!r}; wanted a list of numbers: [1, 7]."
            raise ConfigError(msg)
        for number in subjects or []:
            whole(number, least=1, where="cohort.subjects")
        return Cohort.from_pwdb(_path(parts["folder"], "cohort.folder"), subjects)
    return Cohort.from_yaml(_path(parts["path"], "cohort.path"))


def _path(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        msg = f"{where} is {value!r}; wanted a path."
        raise ConfigError(msg)
    return value


def pretraining(settings: Mapping[str, Any]) -> Pretraining:
    """Build the settings of pretraining."""
    made: Pretraining = _make(Pretraining, settings, where="pretraining.settings")
    return made


def split(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Check the settings of a split: shares of pool and unlabelled, and a seed.

    Raises:
        ConfigError: If one is unknown, missing or no number.
    """
    wanted = {"pool": float, "unlabelled": float, "seed": int}
    if set(settings) != set(wanted):
        odd = sorted(set(settings) ^ set(wanted))
        msg = f"split has {sorted(settings)}; wanted {[*wanted]}: see {odd[0]!r}."
        raise ConfigError(msg)
    for name, kind in wanted.items():
        check_number(settings[name], kind, where=f"split.{name}")
    whole(settings["seed"], least=0, where="split.seed")
    return dict(settings)


def strategy(settings: Mapping[str, Any], **changes: Any) -> Strategy:
    """Build a strategy from its kind and settings.

    Args:
        settings: ``kind`` (affine, lora, mmd_lora) and its ``settings``.
        changes: Settings to exchange, for example ``weight=0.0`` for a control.

    Raises:
        ConfigError: If the kind or a setting is unknown.
    """
    kind = settings["kind"]
    if kind not in _STRATEGIES:
        msg = f"strategy {kind!r} is unknown; there are {', '.join(_STRATEGIES)}."
        raise ConfigError(msg)
    parts = dict(settings["settings"]) | changes
    if "lora" in parts:
        parts["lora"] = _make(LoRA, parts["lora"], where=f"strategy {kind}.lora")
    made: Strategy = _make(_STRATEGIES[kind], parts, where=f"strategy {kind}")
    return made
