"""Search what a run left behind for names, numbers and dates of people.

``python experiments/scan_privacy.py path=outputs words_file=names.txt`` looks into
every file and all that is packed in it. It leaves hits.json and ends with status 2 if
anything was found. What was found is never shown, only where.
"""

import logging
import sys
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import hydra
from omegaconf import DictConfig
from rich.markup import escape
from rich.table import Table

from capnet.data.privacy.needles import PATTERNS
from capnet.data.privacy.search import Hit, read_words, scan
from capnet.errors import ConfigError
from experiments import build
from experiments.door import advance, console, door, folder, plain
from experiments.results import save_json

_log = logging.getLogger(__name__)

_SHOWN: Final = 40
"""Rows of the table on the screen; the file has all."""


def printed(hits: list[Hit]) -> Table:
    """Return hits as a table for the screen, one row a layer and kind."""
    counts = Counter((hit.file, hit.member, hit.what, hit.encoding) for hit in hits)
    table = Table(title=f"{len(hits)} hits; the text found is not shown")
    for head in ("file", "in it", "what", "how", "times"):
        table.add_column(head)
    for row, times in list(counts.items())[:_SHOWN]:
        table.add_row(*map(escape, row), str(times))
    return table


def _texts(given: Any, where: str) -> list[str]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        msg = f"{where} is {given!r}; wanted a text or a list of texts."
        raise ConfigError(msg)
    return texts


@hydra.main(version_base="1.3", config_path="../configs", config_name="scan_privacy")
@door
def main(cfg: DictConfig) -> None:
    """Scan files and folders, leave hits.json; status 2 if there are any."""
    given = plain(cfg)
    paths = [Path(path) for path in _texts(given["path"], "path")]
    build.check_number(given["limit"], float, where="limit")
    if not 0.0 < given["limit"] < float("inf"):
        msg = f"limit = {given['limit']:g}; wanted GB that may be unpacked, above 0."
        raise ConfigError(msg)
    words = [] if given["words_file"] is None else read_words(given["words_file"])
    names = list(PATTERNS) if given["patterns"] is None else given["patterns"]
    out = folder()
    with advance("files", show=cfg.progress) as bar:
        hits = scan(
            paths,
            words=words,
            patterns=_texts(names, "patterns"),
            limit=round(given["limit"] * 1e9),
            exclude=[out],
            progress=lambda done: bar(done, 0),
        )
    save_json(
        {"words": len(words), "hits": [asdict(h) for h in hits]}, out / "hits.json"
    )
    if hits:
        console.print(printed(hits))
        _log.error("%d hits; see %s", len(hits), out / "hits.json")
        sys.exit(2)
    print(out / "hits.json")


if __name__ == "__main__":
    main()
