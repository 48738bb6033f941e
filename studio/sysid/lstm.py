"""The LSTM identifier: trained on randomized simulation of given recordings' commands, with calibrated intervals.

The commands and the beginnings are those of the recordings, so all that differs from draw to draw is the physics.
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
_SIMULATING = 0.6  # share of the whole work


@dataclass(frozen=True)
class Training:
    """How much is spent on an identifier."""

    draws: int = 4096  # simulated parameter draws to learn from
    calibration: int = 512  # more draws, never learned from, that set the intervals' width
    epochs: int = 40
    batch: int = 256
    hidden: int = 96
    rate: float = 6e-3  # the learning rate's peak


class LstmIdentifier:
    """Answers for one set of commands and beginnings, for as many measurements of them as there are."""

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
        self.commands = commands  # fingerprint of what it was trained for
        self.reasons = reasons  # field → why no data of these commands can show it
        self._quantile = quantile  # (fields,): how many scales wide an interval is to either side

    @staticmethod
    def train(
        plant: Plant,
        trajectories: Trajectories,
        ranges: Ranges,
        seed: int,
        settings: Training | None = None,
        tick: Tick | None = None,
    ) -> LstmIdentifier:
        """Simulates draws of the parameters under the recordings' commands and learns to tell them apart.

        Args:
            tick: called with the share of the work that is done; it may raise to leave.

        Raises:
            DataError: the recordings do not fit the plant, or every simulation of them diverges.
        """
        settings, tell = settings or Training(), tick or (lambda _: None)
        trajectories.check(plant.model)
        reasons = sensitivity(plant, trajectories, ranges).reasons(ranges)
        count = settings.draws + settings.calibration
        values = ranges.draw(count, seed, stream=1)
        qpos, qvel = plant.replay(trajectories, ranges.named(values), lambda share: tell(_SIMULATING * share))
        states = sequence(trajectories, qpos, qvel)
        held = np.isfinite(states).all((1, 2))
        if held.sum() < count / 2:
            raise DataError("Most simulations of the recordings diverge.", trajectories.source, "Check the model.")
        seen = torch.from_numpy(states[held])
        targets = torch.from_numpy(ranges.to_unit(values[held]).astype(np.float32))
        learned = len(seen) - settings.calibration
        features = Features.of(seen[:learned], sensor_noise(trajectories))
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = SystemIdentification(features.width, settings.hidden, len(ranges.fields))
        fit(
            network, seen[:learned], features, targets[:learned], epochs=settings.epochs, batch=settings.batch,
            rate=settings.rate, generator=generator, tick=lambda s: tell(_SIMULATING + (1 - _SIMULATING) * s),
        )  # fmt: skip
        quantile = _calibrate(network, seen[learned:], features, targets[learned:], generator)
        return LstmIdentifier(network, features, quantile, ranges, settings, trajectories.fingerprint(), reasons)

    def estimate(self, trajectories: Trajectories) -> dict[str, Estimate]:
        """Field → estimate.

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
        """Many measurements (k, n, T + 1, ·) of the recordings' commands at once.

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
        """Writes ``identifier.safetensors`` and ``identifier.json``."""
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
        """Reads what :meth:`save` wrote. Raises DataError where it is missing or damaged."""
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
    """How many scales wide an interval must be to hold the truth in 90% of draws never learned from, (fields,).

    Split conformal prediction with normalized residuals: Lei et al., JASA 113(523), 2018, section 5.2.
    """
    with torch.no_grad():
        mean, log_scale = network(features(states + features.noise * torch.randn(states.shape, generator=generator)))
        score = (mean - targets).abs() / log_scale.exp()
    rank = min(math.ceil((len(score) + 1) * LEVEL), len(score))
    return score.sort(0).values[rank - 1]
