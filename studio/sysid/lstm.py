"""The LSTM identifier: trained on randomized simulations of the recordings' commands, with calibrated intervals.

Commands and initial states are those of the recordings, so that the draws differ in the physics alone.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from studio.errors import DataError
from studio.files import json_text, write_text, write_whole
from studio.sysid.estimate import LEVEL, Estimate, estimates
from studio.sysid.features import Features, sensor_noise, sequence
from studio.sysid.network import SystemIdentification, fit
from studio.sysid.plant import Plant, Tick
from studio.sysid.ranges import Ranges
from studio.sysid.sensitivity import sensitivity
from studio.sysid.trajectories import Trajectories

Array = np.ndarray
VERSION = 1
_SIMULATING = 0.6  # fraction of the progress


@dataclass(frozen=True)
class Training:
    """Size and training of an identifier."""

    draws: int = 4096  # simulated parameter draws to train on
    calibration: int = 512  # further, held-out draws that calibrate the intervals' width
    epochs: int = 40
    batch: int = 256
    hidden: int = 96
    rate: float = 6e-3  # the learning rate's peak


class LstmIdentifier:
    """Estimates the parameters from measurements of one fixed set of commands and initial states."""

    def __init__(
        self,
        network: SystemIdentification,
        features: Features,
        quantile: torch.Tensor,
        ranges: Ranges,
        settings: Training,
        commands: str,
        reasons: dict[str, str],
    ) -> None:
        self.network, self.features, self.ranges, self.settings = network, features, ranges, settings
        self.commands = commands  # fingerprint of the recordings that it was trained for
        self.reasons = reasons  # field → why it is not identifiable from these commands
        self._quantile = quantile  # (fields,): half-width of the intervals, in predicted scales

    @staticmethod
    def train(
        plant: Plant,
        trajectories: Trajectories,
        ranges: Ranges,
        seed: int,
        settings: Training | None = None,
        tick: Tick | None = None,
    ) -> LstmIdentifier:
        """Train on simulations of random parameters under the recordings' commands.

        Args:
            tick: called with the progress, 0 to 1; it may raise to stop.

        Raises:
            DataError: the recordings do not fit the plant, or every simulation of them diverges.
        """
        settings, report = settings or Training(), tick or (lambda _: None)
        trajectories.check(plant.model)
        reasons = sensitivity(plant, trajectories, ranges).reasons(ranges)
        count = settings.draws + settings.calibration
        values = ranges.draw(count, seed, stream=1)
        qpos, qvel = plant.replay(trajectories, ranges.named(values), lambda share: report(_SIMULATING * share))
        states = sequence(trajectories, qpos, qvel)
        finite = np.isfinite(states).all((1, 2))
        if finite.sum() < count / 2:
            raise DataError("Most simulations of the recordings diverge.", trajectories.source, "Check the model.")
        inputs = torch.from_numpy(states[finite])
        targets = torch.from_numpy(ranges.to_unit(values[finite]).astype(np.float32))
        trained = len(inputs) - settings.calibration
        features = Features.of(inputs[:trained], sensor_noise(trajectories))
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SystemIdentification(features.width, settings.hidden, len(ranges.fields))
        fit(
            network, inputs[:trained], features, targets[:trained], epochs=settings.epochs, batch=settings.batch,
            rate=settings.rate, generator=generator, tick=lambda s: report(_SIMULATING + (1 - _SIMULATING) * s),
        )  # fmt: skip
        quantile = _calibrate(network, inputs[trained:], features, targets[trained:], generator)
        return LstmIdentifier(network, features, quantile, ranges, settings, trajectories.fingerprint(), reasons)

    def estimate(self, trajectories: Trajectories) -> dict[str, Estimate]:
        """Return field → estimate.

        Raises:
            DataError: the recordings are of other commands than it was trained for.
        """
        if trajectories.fingerprint() != self.commands:
            raise DataError(
                "The identifier was trained for other commands.", trajectories.source, "Train one for these recordings."
            )
        unit, low, high = self.estimate_many(trajectories, trajectories.qpos[None], trajectories.qvel[None])
        return estimates(self.ranges, unit[0], low[0], high[0], self.reasons)

    def estimate_many(self, trajectories: Trajectories, qpos: Array, qvel: Array) -> tuple[Array, Array, Array]:
        """Estimate from k measurements (k, n, T + 1, ·) of the recordings' commands at once.

        Returns:
            Estimate, low and high end of the 90% interval in the ranges' coordinate, (k, fields) each.
        """
        states = torch.from_numpy(sequence(trajectories, qpos, qvel))
        with torch.no_grad():
            mean, log_scale = self.network(self.features(states))
            half = log_scale.exp() * self._quantile
        unit, low, high = (x.double().numpy() for x in (mean, mean - half, mean + half))
        return np.clip(unit, -1, 1), np.clip(low, -1, 1), np.clip(high, -1, 1)

    def save(self, folder: Path) -> None:
        """Write ``identifier.safetensors`` and ``identifier.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {f"network.{name}": value.contiguous() for name, value in self.network.state_dict().items()}
        state |= {"quantile": self._quantile}
        state |= {f"features.{name}": value.contiguous() for name, value in self.features.tensors().items()}
        write_whole(folder / "identifier.safetensors", lambda path: save_file(state, path))
        about = {
            "version": VERSION, "fields": [*self.ranges.fields], "low": self.ranges.low.tolist(),
            "high": self.ranges.high.tolist(), "training": asdict(self.settings), "commands": self.commands,
            "reasons": self.reasons,
        }  # fmt: skip
        write_text(folder / "identifier.json", json_text(about, indent=2))

    @staticmethod
    def load(folder: Path) -> LstmIdentifier:
        """Return the identifier that :meth:`save` wrote. Raises DataError where it is missing or damaged."""
        try:
            about: dict[str, Any] = json.loads((folder / "identifier.json").read_text(encoding="utf-8"))
            state = load_file(folder / "identifier.safetensors")
            if about["version"] != VERSION:
                raise ValueError(f"version {about['version']}, this program reads {VERSION}")
            settings = Training(**about["training"])
            ranges = Ranges(tuple(about["fields"]), np.array(about["low"]), np.array(about["high"]))
            features = Features(**_under("features.", state))
            network = SystemIdentification(features.width, settings.hidden, len(ranges.fields))
            network.load_state_dict(_under("network.", state))
            quantile = state["quantile"]
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
            raise DataError(f"The identifier cannot be read ({error}).", str(folder), "Train it again.") from None
        network.eval()
        return LstmIdentifier(network, features, quantile, ranges, settings, about["commands"], about["reasons"])


def _under(prefix: str, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}


def _calibrate(
    network: SystemIdentification,
    states: torch.Tensor,
    features: Features,
    targets: torch.Tensor,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return the half-width, in predicted scales, of intervals that cover 90% of held-out draws, (fields,).

    Source: split conformal prediction with normalized residuals, Lei et al., JASA 113(523), 2018, section 5.2.
    """
    with torch.no_grad():
        mean, log_scale = network(features(states + features.noise * torch.randn(states.shape, generator=generator)))
        score = (mean - targets).abs() / log_scale.exp()
    rank = min(math.ceil((len(score) + 1) * LEVEL), len(score))
    return score.sort(0).values[rank - 1]
