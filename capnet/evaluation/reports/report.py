"""One self-contained HTML file, and its twin for programs: no request leaves it."""

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from math import isfinite
from pathlib import Path
from typing import Final

from jinja2 import Environment, StrictUndefined, Template

from capnet.errors import ProtocolError
from capnet.evaluation.reports.content import Report, TableBlock
from capnet.evaluation.wording import DASH
from capnet.files import write_atomic
from capnet.prediction import DISCLAIMER

__all__ = ["MAX_BYTES", "render_report", "twin_of", "write_report"]

MAX_BYTES: Final = 5_000_000
"""A report that is larger does not travel by mail."""

_SHORT: Final = 12
"""Rows of provenance that stand open; what has more is folded by its first name."""


_TURNING: Final = dict.fromkeys(
    [0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)], "□"
)
"""Characters that turn the reading direction of what follows: a name with one could
show other numbers than it has (Unicode Technical Report 36)."""


def _visible(value: object) -> object:
    return value.translate(_TURNING) if type(value) is str else value


@cache
def _template() -> Template:
    source = (
        files("capnet.evaluation.reports")
        .joinpath("template.html.j2")
        .read_text("utf-8")
    )
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_visible,
    )
    environment.filters["base64"] = lambda png: base64.b64encode(png).decode("ascii")
    return environment.from_string(source)


def _flat(entries: Mapping[str, object], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for name, value in entries.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            rows.append(
                (f"{prefix}{name}", f"{value:.6g}" if isfinite(value) else DASH)
            )
        elif isinstance(value, list | tuple):
            rows.append((f"{prefix}{name}", ", ".join(map(str, value))))
        else:
            rows.append((f"{prefix}{name}", str(value)))
    return rows


def _provenance(entries: Mapping[str, object]) -> list[TableBlock]:
    """Lay out what made a report: what is short in one table, the rest folded."""
    short: list[tuple[str, str]] = []
    tables = []
    for name, value in entries.items():
        rows = _flat({str(name): value})
        if len(rows) <= _SHORT:
            short += rows
            continue
        caption = f"What made this report: {name}"
        table = TableBlock(caption, ("what", "value"), tuple(rows), folded=True)
        tables.append(table)
    first = TableBlock("What made this report", ("what", "value"), tuple(short))
    return [first, *tables] if short or not tables else tables


def render_report(report: Report) -> str:
    """Lay a report out as one HTML page.

    Images are inline, all text is escaped, nothing is fetched from elsewhere, no script
    is needed.

    Args:
        report: What to say.

    Returns:
        The page.
    """
    return _template().render(
        report=report,
        provenance=_provenance(report.provenance),
        disclaimer=DISCLAIMER,
    )


def twin_of(path: Path) -> Path:
    """Return where the JSON twin of a page lies.

    ``report.html`` has ``report.json``; any other page, such as ``case.html``, has
    ``case.report.json``, so that it takes no other file's place.
    """
    name = path.stem if path.stem == "report" else f"{path.stem}.report"
    return path.with_name(f"{name}.json")


def write_report(path: Path | str, report: Report) -> Path:
    """Write a report as a page and, beside it, as JSON (`twin_of`, `report_schema`).

    A reader sees the old file or the new one, never half; the twin is written first,
    so that a new page always has one. It holds the page's SHA-256, so that a page that
    somebody changed is told from the one that was written.

    Args:
        path: Of the HTML file; its folder is made when missing.
        report: What to say.

    Returns:
        The path of the page.

    Raises:
        ProtocolError: If the page is larger than `MAX_BYTES`.
    """
    path = Path(path)
    page = render_report(report).encode("utf-8")
    if len(page) > MAX_BYTES:
        msg = (
            f"the report {report.title!r} has {len(page) / 1e6:.1f} MB; wanted at most "
            f"{MAX_BYTES / 1e6:g}. Leave out figures."
        )
        raise ProtocolError(msg)
    entry = {"file": path.name, "sha256": hashlib.sha256(page).hexdigest()}
    said = report.to_dict() | {"page": entry}
    twin = json.dumps(said, indent=1, allow_nan=False, ensure_ascii=False)
    write_atomic(twin_of(path), twin.encode("utf-8"))
    return write_atomic(path, page)
