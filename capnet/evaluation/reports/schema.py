"""The JSON Schema of ``report.json``, the twin of a report's page."""

from typing import Any, Final

__all__ = ["report_schema"]

_TEXT: Final = {"type": "string"}
_COUNT: Final = {"type": "integer", "minimum": 0}
_NUMBER: Final = {"type": ["number", "null"]}
_RESULT: Final = {"type": ["object", "null"]}


def _list(items: object, **more: object) -> dict[str, Any]:
    return {"type": "array", "items": items, **more}


def _object(properties: dict[str, Any], *, closed: bool = True) -> dict[str, Any]:
    """Return an object that has all these properties, and no other if closed."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": not closed,
    }


def _by_name(values: object) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


_KEY: Final = _list({"type": ["string", "integer"]}, minItems=2, maxItems=2)
_INTERVAL: Final = {
    "anyOf": [{"type": "null"}, _list({"type": "number"}, minItems=2, maxItems=2)]
}


def _definitions() -> dict[str, Any]:
    figure = _object(
        {
            "caption": _TEXT,
            "alt": {"type": "string", "minLength": 1},
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        }
    )
    table = _object(
        {
            "caption": _TEXT,
            "columns": _list(_TEXT),
            "rows": _list(_list(_TEXT)),
            "emphasis": _list(_COUNT),
        }
    )
    section = {
        "title": _TEXT,
        "paragraphs": _list(_TEXT),
        "tables": _list({"$ref": "#/$defs/table"}),
        "figures": _list({"$ref": "#/$defs/figure"}),
    }
    score = _object(
        {
            "method": _TEXT,
            "role": {"enum": ["deep", "floor", "control"]},
            "k": _COUNT,
            "subjects": _COUNT,
            "beats": _COUNT,
            "accepted_fraction": {"type": "number", "minimum": 0, "maximum": 1},
            "values": _by_name(_NUMBER),
            "intervals": _by_name(_INTERVAL),
        },
        closed=False,
    )
    comparison = _object(
        {
            "method_a": _KEY,
            "method_b": _KEY,
            "metric": _TEXT,
            "a": {"type": "number"},
            "b": {"type": "number"},
            "difference": {"type": "number"},
            "interval": _INTERVAL,
            "subjects": _COUNT,
            "beats": _COUNT,
            "outcome": {"enum": ["won", "lost", "tied", "undecided"]},
        },
        closed=False,
    )
    evaluation = _object(
        {
            "reference_type": {
                "enum": ["catheter", "tonometry", "device", "simulated"]
            },
            "calibration": _TEXT,
            "subjects": _COUNT,
            "beats": _COUNT,
            "seed": {"type": "integer"},
            "resamples": _COUNT,
            "averaging": _TEXT,
            "methods": _list({"$ref": "#/$defs/score"}),
            "comparisons": _list({"$ref": "#/$defs/comparison"}),
        },
        closed=False,
    )
    method = _object(
        {
            "method": _TEXT,
            "k": _COUNT,
            "comparisons": _list({"type": "object"}),
            "strata": _list({"type": "object"}),
            "coverage": _RESULT,
            "risk_coverage": _RESULT,
        }
    )
    reasons = _by_name(_COUNT)
    refused = _object(
        {
            "beats": _COUNT,
            "subjects": _COUNT,
            "gate": reasons,
            "silent_subjects": _COUNT,
            "methods": _list(
                _object({"method": _TEXT, "k": _COUNT, "reasons": reasons})
            ),
        }
    )
    noise = _object(
        {
            "sd": {"type": "number"},
            "bias": {"type": "number"},
            "methods": _list({"$ref": "#/$defs/score"}),
        }
    )
    judgement = _object(
        {
            "evaluation": {"$ref": "#/$defs/evaluation"},
            "methods": _list({"$ref": "#/$defs/method"}),
            "refused": {"$ref": "#/$defs/refused"},
            "leakage": _RESULT,
            "circularity": _RESULT,
            "budget": _RESULT,
            "alignment": _RESULT,
            "repeats": _RESULT,
            "shift": _RESULT,
            "noise": _list(noise),
            "elsewhere": _by_name({"type": "object"}),
        }
    )
    return {
        "figure": figure,
        "table": table,
        "part": _object(section | {"parts": _list(False, maxItems=0)}),
        "section": _object(section | {"parts": _list({"$ref": "#/$defs/part"})}),
        "score": score,
        "comparison": comparison,
        "evaluation": evaluation,
        "method": method,
        "refused": refused,
        "judgement": judgement,
    }


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of ``report.json``.

    The page and its twin say the same: titles, paragraphs, cells and captions as text
    (pictures by their SHA-256), and under ``numbers`` the unrounded values. A benchmark
    has ``numbers.evaluations``, by calibration.

    Returns:
        A new dictionary; changing it changes nothing here.
    """
    evaluations = _by_name({"$ref": "#/$defs/judgement"})
    page = _object(
        {
            "schema": {"const": "capnet.report.v1"},
            "disclaimer": _TEXT,
            "title": _TEXT,
            "subtitle": _TEXT,
            "verdict": _list(_TEXT),
            "sections": _list({"$ref": "#/$defs/section"}),
            "limits": _list(_TEXT),
            "provenance": {"type": "object"},
            "numbers": {"type": "object", "properties": {"evaluations": evaluations}},
            "page": _object({"file": _TEXT, "sha256": _TEXT}),
        }
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "capnet report",
        "$defs": _definitions(),
        **page,
    }
