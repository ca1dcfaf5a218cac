"""Write an example clinic: a folder of virtual people in the layout of docs/clinic.md.

``python experiments/example_clinics.py kind=catheter_lab root=<folder>``; then look at
it with experiments/check_data.py and learn from it with experiments/pipeline.py.
"""

import hydra
from omegaconf import DictConfig

from capnet.data.clinic.examples import write_example_clinic
from experiments import build
from experiments.door import door, plain

__all__ = ["main"]


@hydra.main(version_base="1.3", config_path="../configs", config_name="example_clinics")
@door
def main(cfg: DictConfig) -> None:
    """Draw people and write their recordings."""
    given = plain(cfg)
    people = build.whole(given["people"], least=1, where="people")
    kind, root = str(given["kind"]), str(given["root"])
    print(write_example_clinic(kind, root, people=people, seed=cfg.seed))


if __name__ == "__main__":
    main()
