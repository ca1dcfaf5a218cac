"""List the public data sets, or fetch one.

``python experiments/download.py dataset=pwdb`` fetches the files that its reader needs;
``files=[geo.zip]`` others. Without a data set it prints the catalogue. Nothing else in
capnet uses the network.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig
from rich.table import Table

from capnet.data.catalog.downloads import Progress, data_folder, download
from capnet.data.catalog.entries import CATALOG, DataSet, find_file
from capnet.errors import ConfigError
from experiments.door import advance, console, door, plain


def listed() -> Table:
    """Return the catalogue as a table for the screen."""
    table = Table(title="public data sets: dataset=<name>", show_lines=True)
    for head in ("name", "who", "truth of central pressure", "licence", "files"):
        table.add_column(head, no_wrap=head == "name")
    for entry in CATALOG.values():
        files = "\n".join(
            file.name if file.needed else f"({file.name})" for file in entry.files
        )
        table.add_row(
            *(entry.name, entry.people, entry.reference_type, entry.licence),
            files or f"by hand: {entry.url}",
        )
    return table


def wanted(name: Any, files: Any) -> tuple[DataSet, list[str]]:
    """Return the data set and the names of the files that are wanted of it.

    Raises:
        ConfigError: If the catalogue lists no such thing.
    """
    if not isinstance(name, str):
        msg = f"dataset is {name!r}; wanted one of {', '.join(CATALOG)}."
        raise ConfigError(msg)
    if files is not None and not (
        isinstance(files, list) and files and all(isinstance(f, str) for f in files)
    ):
        msg = f"files is {files!r}; wanted a list of names: [geo.zip]."
        raise ConfigError(msg)
    if name not in CATALOG or not CATALOG[name].files:
        find_file(name)  # says what there is
    entry = CATALOG[name]
    chosen = files or [file.name for file in entry.files if file.needed]
    return entry, [find_file(f"{name}/{file}")[1].name for file in chosen]


def _told(bar: Callable[[int, int], None]) -> Progress:
    return lambda done, total: bar(done, total or 0)


@hydra.main(version_base="1.3", config_path="../configs", config_name="download")
@door
def main(cfg: DictConfig) -> None:
    """List the catalogue, or fetch files of one data set."""
    given = plain(cfg)
    if given["dataset"] is None:
        console.print(listed())
        return
    if not isinstance(given["unverified"], bool):
        msg = f"unverified is {given['unverified']!r}; wanted true or false."
        raise ConfigError(msg)
    entry, files = wanted(given["dataset"], given["files"])
    folder = Path(given["folder"] or data_folder())
    if given["checksum"] is not None and len(files) > 1:
        msg = f"one checksum for {len(files)} files; name one file: files=[...]."
        raise ConfigError(msg)
    console.print(f"{entry.title}. Licence: {entry.licence}. Cite: {entry.citation}")
    for name in files:
        with advance(name, show=cfg.progress) as bar:
            path = download(
                f"{entry.name}/{name}",
                folder,
                checksum=given["checksum"],
                unverified=given["unverified"],
                progress=_told(bar),
            )
        print(path)


if __name__ == "__main__":
    main()
