"""What every door does the same: errors in one line, a folder, a progress bar."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, MissingMandatoryValue, OmegaConf
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from threadpoolctl import threadpool_limits

from capnet.data.privacy.pseudonyms import masked
from capnet.errors import CapnetError, ConfigError
from experiments.build import split, whole

__all__ = ["advance", "console", "door", "folder", "plain"]

console = Console(width=None if sys.stdout.isatty() else 120)
_log = logging.getLogger(__name__)


class _Nameless(logging.Formatter):
    """Writes lines of a log without the names that messages quote from files.

    The screen shows them, so that they can be corrected; the log stays and is shared.
    What is wrong with the configuration was typed by the user and is written as it is.
    """

    def __init__(self, inner: logging.Formatter | None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        line = self._inner.format(record)
        typed = "ConfigError: " in line
        return line if typed else masked(line, typed=" ".join(sys.argv[1:]))


def _keep_names_out() -> None:
    """See to it that files of logs hold no name from inside a recording."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            handler.setFormatter(_Nameless(handler.formatter))


def door(main: Callable[[DictConfig], None]) -> Callable[[DictConfig], None]:
    """Turn errors that a user can act upon into one line and exit status 2."""

    @wraps(main)
    def opened(cfg: DictConfig) -> None:
        _keep_names_out()
        try:
            threads = whole(cfg.threads, least=1, where="threads")
            whole(cfg.seed, least=0, where="seed")
            for name, least in (("k", 0), ("resamples", 1)):
                if name in cfg:
                    whole(cfg[name], least=least, where=name)
            if "split" in cfg:
                split(plain(cfg.split))
            if "calibrations" in cfg and not isinstance(cfg.calibrations, ListConfig):
                msg = f"calibrations is {cfg.calibrations!r}; wanted a list: [exact]."
                raise ConfigError(msg)
            torch.set_num_threads(threads)
            with threadpool_limits(threads):
                main(cfg)
        except CapnetError as error:
            _log.error("%s: %s", type(error).__name__, error)
            sys.exit(2)
        except MissingMandatoryValue as error:
            found = str(error).splitlines()[0]
            _log.error(
                "ConfigError: a value is missing: %s. Give it as key=value.", found
            )
            sys.exit(2)

    return opened


def folder() -> Path:
    """Return the folder of this run: outputs/<date>/<time>, or a part of a sweep."""
    return Path(HydraConfig.get().runtime.output_dir)


def plain(cfg: Any) -> Any:
    """Return plain dicts and lists of a resolved part of a configuration."""
    return OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)


@contextmanager
def advance(title: str, *, show: bool | None) -> Iterator[Callable[[int, int], None]]:
    """Show a bar that is silent when the output is no terminal."""
    columns = (TextColumn(title), BarColumn(), TextColumn("{task.completed:.0f}"))
    visible = console.is_terminal if show is None else show
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not visible,
    ) as bar:
        task = bar.add_task(title)
        yield lambda done, total: bar.update(task, completed=done, total=total)
