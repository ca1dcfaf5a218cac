"""Cut recordings into beats and keep them in a store.

``python experiments/build_store.py 'records=[<record>,...]'`` or ``data.root=<clinic>``
prints the store's folder; running it again goes on where it was interrupted. People get
pseudonyms, and names of files stay outside.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hydra
import pandas as pd
from omegaconf import DictConfig
from rich.table import Table

from capnet.data.stores.beat_store import BeatStore, build_store
from capnet.data.stores.sources import Source, source_of_record
from capnet.errors import ConfigError
from experiments import build
from experiments.door import advance, console, door, plain

_log = logging.getLogger(__name__)


def sources(given: Mapping[str, Any]) -> list[Source]:
    """Return the sources that a configuration names.

    Raises:
        ConfigError: If it names none, or both kinds, a value is of another type, or
            an option of recordings is given for a clinic.
    """
    records, root = given["records"], given["data"]["root"]
    fits = isinstance(records, list) and isinstance(root, str | None)
    if bool(records) == bool(root) or not fits:
        msg = (
            f"records is {records!r} and data.root is {root!r}; wanted either a list "
            "of recordings, 'records=[a.hea,b.edf]', or the folder of a clinic."
        )
        raise ConfigError(msg)
    windows = build.flag(given["windows"], where="windows")
    channels = {name: given[name] for name in ("ecg", "ppg", "abp")}
    for name, value in {"domain": given["domain"], **channels}.items():
        if not isinstance(value, str) and (name == "domain" or value is not None):
            msg = f"{name} is {value!r}; wanted a text: '{name}=\"{value}\"'."
            raise ConfigError(msg)
    if root:
        if windows or any(channels.values()):
            msg = (
                "windows, ecg, ppg and abp are options of records; a clinic's channels "
                "are named in its clinic.json, and its store has beats alone."
            )
            raise ConfigError(msg)
        from capnet.data.clinic.folder import read_clinic, sources_of

        return sources_of(read_clinic(root))
    return [
        source_of_record(
            path,
            domain=given["domain"],
            key=None,
            windows=windows,
            **channels,
        )
        for path in records
    ]


def summary(store: BeatStore) -> pd.DataFrame:
    """Return one row a domain: people, beats, accepted share, and why not the rest."""
    frame = store.manifest(["domain", "subject", "accepted", "reason", "duration"])
    rows = []
    for domain, group in frame.groupby("domain", sort=False):
        why = group.loc[~group["accepted"], "reason"].value_counts().head(3)
        rows.append(
            {
                "domain": domain,
                "people": group["subject"].nunique(),
                "beats": len(group),
                "accepted": group["accepted"].mean(),
                "refused for": ", ".join(f"{k} {n}" for k, n in why.items()),
            }
        )
    return pd.DataFrame(rows)


def printed(rows: pd.DataFrame) -> Table:
    """Return the summary as a table for the screen."""
    table = Table(title="beats by domain")
    for name in rows:
        table.add_column(str(name), justify="left" if name == "domain" else "right")
    for row in rows.itertuples(index=False):
        domain, people, beats, accepted, why = row
        table.add_row(domain, str(people), f"{beats:,}", f"{100 * accepted:.1f} %", why)
    return table


@hydra.main(version_base="1.3", config_path="../configs", config_name="build_store")
@door
def main(cfg: DictConfig) -> None:
    """Build a store, or find it built, and say what it holds."""
    given = plain(cfg)
    found = sources(given)
    with advance(f"{len(found)} sources", show=cfg.progress) as bar:
        folder = None if given["store"] is None else Path(given["store"])
        store = build_store(found, folder, progress=bar)
    console.print(printed(summary(store)))
    _log.info("%d beats of %d people", len(store), len(store.subjects))
    print(store.path)


if __name__ == "__main__":
    main()
