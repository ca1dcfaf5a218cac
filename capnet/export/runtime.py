"""Run an exported model with numpy and onnxruntime alone.

This file is copied into every exported folder, beside ``model.onnx`` and
``card.json``; it needs nothing else of the library it came from.
Research software, not a medical device.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime

__all__ = ["Answer", "ContractError", "Runtime"]


class ContractError(ValueError):
    """The files do not belong together, or the inputs do not fit the card."""


class Answer(NamedTuple):
    """What the model says of some beats.

    Attributes:
        wave: Aortic pressure, foot to foot, mmHg. Shape (beat, 64).
        pressures: Central SBP, DBP, MAP, PP, mmHg. Shape (beat, 4).

    Beats that cannot be answered are NaN in both.
    """

    wave: np.ndarray
    pressures: np.ndarray


class Runtime:
    """A model in a folder: ``model.onnx`` and ``card.json``.

    Args:
        folder: Where both files lie; by default the folder of this file.
        threads: Threads of one call.

    Attributes:
        card: The card as a dictionary.
        sampling_rate: Hz that the raw samples must have.

    Raises:
        ContractError: If a file is missing or is not the one the card speaks of.
    """

    def __init__(self, folder: str | Path | None = None, *, threads: int = 1) -> None:
        home = Path(__file__).parent if folder is None else Path(folder)
        content = _read(home / "model.onnx")
        try:
            self.card: dict[str, Any] = json.loads(_read(home / "card.json"))
            wanted = str(self.card["sha256"])
            self.sampling_rate = float(self.card["sampling_rate_hz"])
            self._margin = int(self.card["margin_samples"])
            self._inputs: list[dict[str, Any]] = self.card["inputs"]
        except (ValueError, KeyError, TypeError) as error:
            msg = f"{home / 'card.json'} is damaged: {error!r}. Export the model again."
            raise ContractError(msg) from error
        found = hashlib.sha256(content).hexdigest()
        if found != wanted:
            msg = (
                f"{home / 'model.onnx'} has sha256 {found[:12]}..., the card speaks of "
                f"{wanted[:12]}...; wanted a pair. Export the model again."
            )
            raise ContractError(msg)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )

    def predict(
        self,
        raw: np.ndarray,
        *,
        sampling_rate: float,
        start: Sequence[float] | np.ndarray,
        stop: Sequence[float] | np.ndarray,
        age: Sequence[float] | np.ndarray,
        cuff: Sequence[Sequence[float]] | np.ndarray,
        cuff_is_radial: Sequence[float] | np.ndarray,
    ) -> Answer:
        """Estimate aortic pressure from raw samples.

        Args:
            raw: PPG around each beat, any unit. Shape (beat, time).
            sampling_rate: Of ``raw``, Hz; must be that of the card.
            start: Pulse foot within its row, samples. Shape (beat,).
            stop: Next pulse foot within its row, samples. Shape (beat,).
            age: Years, NaN when unknown. Shape (beat,).
            cuff: Systolic and diastolic pressure, mmHg. Shape (beat, 2).
            cuff_is_radial: 1 where the cuff was at the wrist. Shape (beat,).

        Returns:
            Waves and pressures; NaN for beats without a possible cuff reading
            (20 <= DBP < SBP <= 300), with a missing sample, or too near the ends of
            their window.

        Raises:
            ContractError: If the sampling rate or a shape is not that of the card.
        """
        if sampling_rate != self.sampling_rate:
            msg = (
                f"sampling rate is {sampling_rate} Hz; the model was made for "
                f"{self.sampling_rate:g} Hz. Resample the signal first."
            )
            raise ContractError(msg)
        given = {
            "raw": raw,
            "start": start,
            "stop": stop,
            "age": age,
            "cuff": cuff,
            "cuff_is_radial": cuff_is_radial,
        }
        fed = self._fed(given)
        answers = self._session.run(["wave", "pressures"], fed)
        refused = ~self._answerable(fed)
        for answer in answers:
            answer[refused] = np.nan
        return Answer(*answers)

    def _fed(self, given: dict[str, Any]) -> dict[str, np.ndarray]:
        """Inputs as float32, their shapes held against the card."""
        fed: dict[str, np.ndarray] = {}
        lengths: dict[str, int] = {}
        for port in self._inputs:
            name, shape = port["name"], port["shape"]
            array = np.asarray(given[name], dtype=np.float32)
            fits = array.ndim == len(shape) and all(
                length == lengths.setdefault(axis, length)
                if isinstance(axis, str)
                else length == axis
                for length, axis in zip(array.shape, shape, strict=True)
            )
            if not fits:
                msg = (
                    f"{name} has shape {array.shape}; wanted {tuple(shape)}"
                    f"{f' with {lengths}' if lengths else ''}."
                )
                raise ContractError(msg)
            fed[name] = array
        return fed

    def _answerable(self, fed: dict[str, np.ndarray]) -> np.ndarray:
        """Which beats have a cuff reading and all the samples the filter reaches."""
        raw, start, stop = fed["raw"], fed["start"], fed["stop"]
        sbp, dbp = fed["cuff"].T
        position = np.arange(raw.shape[1])
        first, last = start - self._margin, stop + self._margin
        reached = (position >= first[:, None]) & (position <= last[:, None])
        whole = ~(reached & ~np.isfinite(raw)).any(axis=1)
        inside = (first >= 0) & (last <= raw.shape[1]) & (start < stop)
        answer: np.ndarray = whole & inside & (dbp >= 20) & (dbp < sbp) & (sbp <= 300)
        return answer


def _read(path: Path) -> bytes:
    """Content of a file, or what is missing."""
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path} cannot be read ({error.strerror}); wanted an exported folder."
        raise ContractError(msg) from error
