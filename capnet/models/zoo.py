"""Models by name or by path."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from capnet.errors import RecordError
from capnet.models.central import CentralPressureModel
from capnet.models.checkpoint import load

__all__ = ["load_model", "names", "shelf_of"]


def names() -> list[str]:
    """Return the names of the models that come with the package."""
    shelf = resources.files("capnet.models") / "weights"
    if not shelf.is_dir():
        return []
    return sorted(entry.name for entry in shelf.iterdir() if entry.is_dir())


def load_model(name_or_path: str | Path) -> CentralPressureModel:
    """Load a model: one that comes with the package, or a folder on disk.

    Args:
        name_or_path: For example ``"bilstm-virtual"`` or a folder that
            ``experiments/pretrain.py`` left.

    Returns:
        The model in evaluation mode; `capnet.predict` takes it from here.

    Raises:
        RecordError: If there is no such model, or its files are damaged.
    """
    with shelf_of(name_or_path) as folder:
        return load(folder)


@contextmanager
def shelf_of(name_or_path: str | Path) -> Iterator[Path]:
    """Give the folder of a model for as long as it is needed.

    Args:
        name_or_path: As in `load_model`.

    Raises:
        RecordError: If there is no such model.
    """
    folder = Path(name_or_path)
    if folder.is_dir():
        yield folder
        return
    if str(name_or_path) in names():
        shelf = resources.files("capnet.models") / "weights" / str(name_or_path)
        with resources.as_file(shelf) as shipped:
            yield shipped
        return
    msg = (
        f"there is no model {str(name_or_path)!r}: it is no folder, and the package "
        f"has {', '.join(map(repr, names())) or 'none'}."
    )
    raise RecordError(msg)
