"""The deep estimator as one module: raw samples and a cuff in, aortic pressure out.

What is trained, predicted with and exported is this same module, so that nothing can
differ between the three.
"""

import hashlib
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor, nn

from capnet.models.bilstm import BiLSTM
from capnet.models.estimator import answerable
from capnet.models.uncertainty import NOTHING, Uncertainty
from capnet.prediction import Prediction
from capnet.records import Beats
from capnet.signal.frontend import BeatFrontend
from capnet.signal.sampling import RATE
from capnet.types import Role

__all__ = ["BeatTensors", "CentralPressureModel", "covariates_of"]

# Fixed and physical instead of fitted: nothing to leak between folds or clinics.
_HR, _AGE, _SBP, _DBP = (75.0, 12.0), (50.0, 15.0), (120.0, 15.0), (75.0, 10.0)


def _standard(value: Tensor, centre_scale: tuple[float, float]) -> Tensor:
    centre, scale = centre_scale
    return ((value - centre) / scale).clamp(-4.0, 4.0)


def covariates_of(
    duration: Tensor, age: Tensor, cuff: Tensor, cuff_is_radial: Tensor
) -> Tensor:
    """Standardise the numbers beside the wave by fixed physiological scales.

    Args:
        duration: Length of the beat, s. Shape (beat,).
        age: Years, NaN when unknown: masked to zero, with a flag. Shape (beat,).
        cuff: SBP and DBP, mmHg. Shape (beat, 2).
        cuff_is_radial: 1 where the pressure was taken at the wrist. Shape (beat,).

    Returns:
        Shape (beat, 6), each within +-4.
    """
    known = ~torch.isnan(age)
    years = torch.where(known, age, torch.full_like(age, _AGE[0]))
    columns = [
        _standard(60.0 / duration, _HR),
        _standard(years, _AGE),
        known.to(duration.dtype),
        _standard(cuff[:, 0], _SBP),
        _standard(cuff[:, 1], _DBP),
        cuff_is_radial,
    ]
    return torch.stack(columns, dim=1)


@dataclass(frozen=True, eq=False)
class BeatTensors:
    """What the network eats of a table of beats.

    Attributes:
        ppg: Pulse from the front end, no unit. Shape (beat, 64).
        covariates: Standardised. Shape (beat, 6).
        cuff: SBP and DBP, mmHg. Shape (beat, 2).
        target: Aortic pressure, mmHg; NaN where there is none. Shape (beat, 64).
    """

    ppg: Tensor
    covariates: Tensor
    cuff: Tensor
    target: Tensor

    @classmethod
    def of(cls, beats: Beats) -> Self:
        """Turn a table of beats into float32 tensors."""

        def tensor(array: np.ndarray) -> Tensor:
            return torch.as_tensor(np.ascontiguousarray(array), dtype=torch.float32)

        cuff = tensor(beats.cuff)
        nothing = np.full_like(beats.ppg, np.nan)
        truth = nothing if beats.reference is None else beats.reference
        return cls(
            ppg=tensor(beats.ppg),
            covariates=covariates_of(
                tensor(beats.duration),
                tensor(beats.age),
                cuff,
                tensor(beats.cuff_site == "radial"),
            ),
            cuff=cuff,
            target=tensor(truth),
        )

    def __len__(self) -> int:
        return len(self.ppg)

    @property
    def inputs(self) -> tuple[Tensor, Tensor, Tensor]:
        """What the network is called with: PPG, covariates, cuff."""
        return self.ppg, self.covariates, self.cuff

    def take(self, rows: Tensor) -> "BeatTensors":
        """Return the beats at these rows."""
        ppg, covariates, cuff = (tensor[rows] for tensor in self.inputs)
        return BeatTensors(ppg, covariates, cuff, self.target[rows])


class CentralPressureModel(nn.Module):
    """Front end, network and affine correction in one module.

    Args:
        net: The network over one beat.
        name: Name of the method, as tables print it.
        role: ``deep`` for a claim, ``control`` for a check on one.
        k: Labelled target subjects it has seen.
        info: Whatever its card should say: training data, seeds, versions.

    Attributes:
        offset: Added to the mean of every beat, mmHg. Shape ().
        gain: Multiplies every beat about its mean. Shape ().
        uncertainty: What `predict` says beside its answers, see
            `capnet.models.uncertainty`.
    """

    offset: Tensor
    gain: Tensor

    def __init__(
        self,
        net: BiLSTM,
        *,
        name: str = "Bi-LSTM",
        role: Role = "deep",
        k: int = 0,
        info: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.frontend = BeatFrontend()
        self.net = net
        self.name = name
        self.role: Role = role
        self.k = k
        self.info = dict(info or {})
        self.uncertainty: Uncertainty = NOTHING
        self.register_buffer("offset", torch.zeros(()))
        self.register_buffer("gain", torch.ones(()))

    def correct(self, wave: Tensor) -> Tensor:
        """Apply the affine correction about each beat's own mean."""
        mean = wave.mean(dim=1, keepdim=True)
        return mean + self.offset + self.gain * (wave - mean)

    def forward(
        self,
        raw: Tensor,
        start: Tensor,
        stop: Tensor,
        age: Tensor,
        cuff: Tensor,
        cuff_is_radial: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Estimate aortic pressure from raw samples.

        Args:
            raw: PPG in any unit at 125 Hz around one beat, with 0.4 s to spare on
                both sides. Shape (beat, time).
            start: Pulse foot within ``raw``, samples. Shape (beat,).
            stop: Next pulse foot within ``raw``, samples. Shape (beat,).
            age: Years, NaN when unknown. Shape (beat,).
            cuff: SBP and DBP, mmHg. Shape (beat, 2).
            cuff_is_radial: 1 where they were taken at the wrist. Shape (beat,).

        Returns:
            Aortic pressure, mmHg, (beat, 64), and SBP, DBP, MAP, PP, (beat, 4).
        """
        ppg = self.frontend(raw, start, stop)
        covariates = covariates_of((stop - start) / RATE, age, cuff, cuff_is_radial)
        wave = self.correct(self.net(ppg, covariates, cuff))
        sbp, dbp = wave.amax(dim=1), wave.amin(dim=1)
        return wave, torch.stack([sbp, dbp, wave.mean(dim=1), sbp - dbp], dim=1)

    @torch.no_grad()
    def waves(self, beats: Beats, *, batch: int = 512) -> np.ndarray:
        """Return aortic pressure of every usable beat, NaN elsewhere.

        Args:
            beats: What to estimate.
            batch: Beats at a time.

        Returns:
            mmHg. Shape (beat, 64).
        """
        rows = np.flatnonzero(answerable(beats))
        answer = np.full((len(beats), beats.ppg.shape[1]), np.nan)
        training = self.training
        self.eval()
        for first in range(0, len(rows), batch):
            part = rows[first : first + batch]
            eaten = BeatTensors.of(beats.take(part))
            wave = self.correct(self.net(*eaten.inputs))
            answer[part] = wave.double().numpy()
        self.train(training)
        return answer

    def predict(self, beats: Beats) -> Prediction:
        """Estimate central pressure; refused beats keep their reason.

        Intervals and doubt are answered where the model has any. Intervals were
        calibrated with certain weights: an adapted copy answers none until it is
        calibrated itself.
        """
        waves = self.waves(beats)
        answer = Prediction.from_waveform(
            self.name, beats, waves, role=self.role, k=self.k
        )
        met = self.info.get("adaptation", {}).get("labels", "")
        answer = answer.replace(
            family="network", inputs=("cuff", "age", "hr", "ppg"), seen=met
        )
        told = self.uncertainty
        same = bool(told.intervals) and told.of == self.fingerprint()
        return told.said_of(answer, beats, intervals=same)

    def fingerprint(self) -> str:
        """Return 16 hexadecimal digits of everything that decides an answer."""
        found = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            found.update(name.encode())
            found.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return found.hexdigest()[:16]

    def carrying(self, uncertainty: Uncertainty) -> Self:
        """Return a copy that says this beside its answers."""
        copied = deepcopy(self)
        copied.uncertainty = uncertainty
        return copied
