"""Every public name exists, is documented, and is listed in order."""

import ast
import importlib
import inspect
import pkgutil
import re
from itertools import pairwise
from pathlib import Path

import pytest

import capnet

MODULES = sorted(
    {"capnet"} | {m.name for m in pkgutil.walk_packages(capnet.__path__, "capnet.")}
)


def load(name):
    return importlib.import_module(name)


def source_of(module):
    return Path(module.__file__).read_text(encoding="utf-8")


def own(value, module):
    """Whether a public function or class is defined in a module, not re-exported."""
    thing = inspect.isfunction(value) or inspect.isclass(value)
    return thing and value.__module__ == module.__name__


def documented(value):
    """Whether a docstring was written; dataclasses and protocols make one up."""
    doc = vars(value).get("__doc__") if inspect.isclass(value) else value.__doc__
    made_up = inspect.isclass(value) and re.match(rf"{value.__name__}\(", doc or "")
    return bool(doc and doc.strip()) and not made_up


def test_every_module_is_seen():
    files = Path(capnet.__file__).parent.rglob("*.py")
    assert len(MODULES) == len([*files])


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_it_is(name):
    assert load(name).__doc__


@pytest.mark.parametrize("name", MODULES)
def test_every_module_lists_its_public_names(name):
    module = load(name)
    listed = getattr(module, "__all__", None)
    if listed is None:  # a room without a public face of its own
        assert not [word for word, value in vars(module).items() if own(value, module)]
        return
    assert len(set(listed)) == len(listed)
    assert not [word for word in listed if word.startswith("_")]
    missing = [word for word in listed if not hasattr(module, word)]
    assert missing == []


@pytest.mark.parametrize("name", MODULES)
def test_public_functions_and_classes_are_documented(name):
    module = load(name)
    bare = []
    for word, value in vars(module).items():
        if word.startswith("_") or not own(value, module):
            continue
        bare += [] if documented(value) else [word]
        if inspect.isclass(value):
            bare += [f"{word}.{method}" for method in undocumented_methods(value)]
    assert bare == []


def undocumented_methods(kind):
    """Public methods and properties that a class defines without a docstring."""
    for word, value in vars(kind).items():
        if word.startswith("_"):
            continue
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if isinstance(value, property):
            value = value.fget
        if inspect.isfunction(value) and not inspect.getdoc(getattr(kind, word)):
            yield word


@pytest.mark.parametrize("name", MODULES)
def test_public_constants_are_explained(name):
    """A listed constant has a sentence below it or a comment beside it."""
    module = load(name)
    lines, body = source_of(module).splitlines(), ast.parse(source_of(module)).body
    listed = set(getattr(module, "__all__", ()))
    bare = []
    for statement, after in pairwise([*body, None]):
        targets = getattr(statement, "targets", [getattr(statement, "target", None)])
        words = {t.id for t in targets if isinstance(t, ast.Name)} & listed
        below = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        near = lines[statement.lineno - 2 : statement.end_lineno]
        if words and not below and not any("#" in line for line in near):
            bare += sorted(words)
    assert bare == []


def is_error(value):
    return inspect.isclass(value) and issubclass(value, Exception)


@pytest.mark.parametrize("name", MODULES)
def test_nobody_assumes_a_sampling_rate(name):
    module = load(name)
    guilty = []
    for word in getattr(module, "__all__", ()):
        value = getattr(module, word)
        home = getattr(value, "__module__", "")
        if not callable(value) or not home.startswith("capnet") or is_error(value):
            continue
        for parameter in inspect.signature(value).parameters.values():
            rate = parameter.name in {"sampling_rate", "fs", "rate"}
            # None is "not known", which is no assumption.
            if rate and parameter.default not in (inspect.Parameter.empty, None):
                guilty.append(f"{word}({parameter.name}={parameter.default})")
    assert guilty == []
