"""From configuration to the library's objects; an allow-list, never ``_target_``."""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

from capnet import hemodynamics
from capnet.adaptation.lora import LoRA
from capnet.adaptation.strategies import (
    LoRAReplay,
    MMDLoRAReplay,
    ShrunkAffine,
    Strategy,
)
from capnet.data.augmentation import Augmentation
from capnet.errors import ConfigError, ProtocolError
from capnet.hemodynamics import (
    Catheter,
    Clinic,
    Cohort,
    CuffModel,
    LinearSolver,
    Population,
    Priors,
    Sensor,
)
from capnet.hemodynamics.simulation import Solver
from capnet.training.pretrain import Pretraining
from capnet.types import Calibration

__all__ = [
    "augmentation",
    "calibrations",
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


def calibrations(value: Any) -> list[Calibration]:
    """Return calibrations that virtual people can have.

    Raises:
        ConfigError: If it is no list of words.
        ProtocolError: If there is another one, or none.
    """
    known: tuple[Calibration, ...] = ("exact", "cuff SBP/DBP")
    given = words(value, where="calibrations")
    if not given or not set(given) <= set(known):
        msg = f"calibrations is {given!r}; wanted some of {list(known)!r}."
        raise ProtocolError(msg)
    return [calibration for calibration in known if calibration in given]


def _fitted(value: Any, hint: Any, *, where: str) -> Any:
    """Return a setting as its type has it: lists as tuples, mappings as settings.

    Raises:
        ConfigError: If it is of the wrong kind; the message says where.
    """
    if isinstance(hint, UnionType):
        options = get_args(hint)
        if value is None and NoneType in options:
            return None
        kinds = [kind for kind in options if kind is not NoneType]
        given = set(value) if isinstance(value, Mapping) else set()
        if len(kinds) > 1 and not all(map(is_dataclass, kinds)):
            return value
        hint = next((k for k in kinds if given <= _names(k)), kinds[-1])
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        if not any(type(value) is type(part) and value == part for part in parts):
            msg = f"{where} is {value!r}; wanted one of {', '.join(map(str, parts))}."
            raise ConfigError(msg)
    elif origin is tuple:
        return _sequence(value, parts, where=where)
    elif origin is Mapping:
        found = _mapping(value, where=where)
        return {k: _fitted(v, parts[1], where=f"{where}.{k}") for k, v in found.items()}
    elif is_dataclass(hint) and isinstance(hint, type):
        group = where.rpartition(".")[2]
        if isinstance(value, str) and group in _PRESETS:
            return _preset(group, value)
        return value if isinstance(value, hint) else _make(hint, value, where=where)
    elif hint is str and not isinstance(value, str):
        msg = f"{where} is {value!r}; wanted a word."
        raise ConfigError(msg)
    elif hint is bool:
        flag(value, where=where)
    else:
        check_number(value, hint, where=where)
    return value


def _names(kind: Any) -> set[str]:
    return {f.name for f in fields(kind)} if is_dataclass(kind) else set()


def _sequence(value: Any, kinds: tuple[Any, ...], *, where: str) -> tuple[Any, ...]:
    """Return a list as the tuple of a type, such as a range of two numbers."""
    any_number = kinds[-1] is Ellipsis
    fits = isinstance(value, list | tuple) and (any_number or len(value) == len(kinds))
    if not fits:
        count = "" if any_number else f" of {len(kinds)}"
        msg = f"{where} is {value!r}; wanted a list{count}."
        raise ConfigError(msg)
    each = kinds[:1] * len(value) if any_number else kinds
    return tuple(
        _fitted(part, kind, where=f"{where}[{i}]")
        for i, (part, kind) in enumerate(zip(value, each, strict=True))
    )


def _mapping(value: Any, *, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        group = where.rpartition(".")[2]
        word = f", or one of {', '.join(_PRESETS[group])}" if group in _PRESETS else ""
        msg = f"{where} is {value!r}; wanted settings by name{word}."
        raise ConfigError(msg)
    return value


def _make(kind: type, settings: Any, *, where: str) -> Any:
    """Build a dataclass from its settings, and those that are dataclasses, too."""
    known = _names(kind)
    unknown = sorted(map(str, set(_mapping(settings, where=where)) - known))
    if unknown:
        msg = (
            f"{where} has no setting {unknown[0]!r}; it has {', '.join(sorted(known))}."
        )
        raise ConfigError(msg)
    hints = get_type_hints(kind)
    parts = {
        name: _fitted(value, hints[name], where=f"{where}.{name}")
        for name, value in settings.items()
    }
    try:
        return kind(**parts)
    except TypeError as error:
        msg = f"{where} cannot be built from {dict(settings)}: {error}"
        raise ConfigError(msg) from error


def _preset(group: str, word: str) -> Any:
    presets = _PRESETS[group]
    if word not in presets:
        msg = f"{group} {word!r} is unknown; presets are {', '.join(presets)}."
        raise ConfigError(msg)
    return presets[word]()


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
    parts = dict(settings)
    if flag(parts.pop("locked", False), where="clinic.locked") and not opening:
        msg = (
            f"clinic {parts.get('name')!r} is locked: it is opened once per release, "
            "by experiments/benchmark.py, which logs it. Choose settings on "
            "clinic=dev and report on clinic=test."
        )
        raise ConfigError(msg)
    given = _mapping(parts.get("solver", {}), where="clinic.solver")
    parts["solver"] = (
        solver(given)
        if "kind" in given
        else _make(LinearSolver, given, where="clinic.solver")
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
        return Cohort.sample(
            whole(parts["n"], least=1, where="cohort.n"),
            seed=whole(parts["seed"], least=0, where="cohort.seed"),
            population=_fitted(
                parts["population"] or {}, Population, where="cohort.population"
            ),
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


def augmentation(settings: Mapping[str, Any]) -> Augmentation:
    """Build the settings of augmentation; sensor and cuff by preset or by numbers.

    Raises:
        ConfigError: If a setting is unknown or out of its range.
    """
    made: Augmentation = _make(Augmentation, settings, where="augmentation")
    return made


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
