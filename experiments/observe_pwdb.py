"""The Pulse Wave Database as a clinic: carotid, brachial or femoral pulse to the aorta.

``python experiments/observe_pwdb.py folder=<folder> site=brachial`` leaves
beats_exact.npz, which the doors that take beats by path can use as source or target,
and quality.csv: who was left out because the database's wave is not what it seems.
``release=<folder of the CSV files or pwdb_data.mat>`` reads the official release.
"""

import hydra
from omegaconf import DictConfig

from capnet.data.stores.table import save_beats
from capnet.errors import ConfigError
from capnet.hemodynamics import (
    load_pwdb_waves,
    pwdb_beats,
    pwdb_quality,
    read_pwdb_release,
)
from experiments.door import door, folder, plain
from experiments.results import save_csv
from experiments.stages import beats_file

_LEAST = ("aortic_root", "brachial")


@hydra.main(version_base="1.3", config_path="../configs", config_name="observe_pwdb")
@door
def main(cfg: DictConfig) -> None:
    """Read the database, judge its waves, cut them into beats."""
    given = plain(cfg)
    home, site = given["folder"], given["site"]
    for name in ("folder", "site", "release", "ppg"):
        optional = name in ("release", "ppg") and given[name] is None
        if not optional and not isinstance(given[name], str):
            msg = f"{name} is {given[name]!r}; wanted a word."
            raise ConfigError(msg)
    if given["release"] is None:
        waves = load_pwdb_waves(home)
    else:
        ppg = given["ppg"]
        waves = read_pwdb_release(
            given["release"],
            sites=[*dict.fromkeys((*_LEAST, site, *([ppg] if ppg else [])))],
            signals=("pressure", "ppg") if ppg else ("pressure",),
        )
    quality = pwdb_quality(home, waves=waves)
    beats = pwdb_beats(waves, quality, site=site, ppg=given["ppg"])
    out = folder()
    save_csv(quality.to_frame(), out / "quality.csv")
    path = save_beats(beats, out / beats_file("exact"))
    print(f"{quality!r}\n{beats!r}")
    print(path)


if __name__ == "__main__":
    main()
