"""The network's inputs: the measurements, and running sums of their projections on principal components.

A servo's delay moves an arm by centimeters, its joints' damping by less than a millimeter: in the raw measurements the
large effects hide the small ones. So the measurements are also projected on the principal components of their variation
with the parameters, whitened as far as each component exceeds the sensors' noise (a Wiener filter). The projections are
summed over time, so that at each step the network has the information of all earlier ones.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from studio.sysid.trajectories import Trajectories

Array = np.ndarray
MOST_STEPS = 100  # time steps that are used of a recording; a longer one is subsampled
READ_OUTS = 20  # steps of the network
MOST_DIRECTIONS = 128
SAMPLE = 2048  # draws that the directions are found from
_ABOVE_NOISE = 0.3  # least variance of a direction, in units of the noise's


@dataclass(frozen=True)
class Features:
    """Statistics ``mean``, ``scale``, ``noise`` (time, width), and the components ``directions`` (time, width, k)."""

    mean: torch.Tensor
    scale: torch.Tensor
    noise: torch.Tensor
    directions: torch.Tensor

    @staticmethod
    def of(states: torch.Tensor, noise: torch.Tensor) -> Features:
        """Compute them from draws (n, time, width) without noise, and the noise's standard deviation (width,)."""
        mean = states.mean(0)
        noise = noise.expand(states.shape[1:])
        scale = (states.var(0) + noise**2).sqrt()
        centered = ((states[:SAMPLE] - mean) / noise).flatten(1).double()
        # the eigenvectors of the covariance, from the smaller Gram matrix of the draws
        values, vectors = torch.linalg.eigh(centered @ centered.T / len(centered))
        values, vectors = values.flip(0)[:MOST_DIRECTIONS], vectors.flip(1)[:, :MOST_DIRECTIONS]
        kept = values > _ABOVE_NOISE
        values, vectors = values[kept], vectors[:, kept]
        axes = centered.T @ vectors / (values * len(centered)).sqrt()
        gain = values.sqrt() / (values + 1)
        directions = (axes * gain).float().reshape(*states.shape[1:], -1) / noise[..., None]
        return Features(mean, scale, noise.clone(), directions)

    @property
    def width(self) -> int:
        """Return the width of the network's input at a step."""
        return self.mean.shape[1] + self.directions.shape[2]

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """Return the network's inputs (n, steps, features) for measured states (n, time, width)."""
        centered = states - self.mean
        sums = torch.einsum("ntw,twk->ntk", centered, self.directions).cumsum(1)
        stride = math.ceil(sums.shape[1] / READ_OUTS)
        rows = slice((sums.shape[1] - 1) % stride, None, stride)  # they include the last time step
        return torch.cat([(centered / self.scale)[:, rows], sums[:, rows]], 2)

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors that are saved."""
        return {"mean": self.mean, "scale": self.scale, "noise": self.noise, "directions": self.directions}


def sequence(trajectories: Trajectories, qpos: Array, qvel: Array) -> Array:
    """Return states (k, n, T + 1, ·) as sequences (k, time, n · width), the n recordings side by side."""
    stride = math.ceil(trajectories.steps / MOST_STEPS)
    parts = [qpos, qvel] if trajectories.has_velocities else [qpos]
    rows = [np.swapaxes(part[:, :, stride::stride], 1, 2) for part in parts]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in rows], 2).astype(np.float32)


def sensor_noise(trajectories: Trajectories) -> torch.Tensor:
    """Return the noise's standard deviation for each column of a sequence, (n · width,)."""
    n, (position, velocity) = len(trajectories), trajectories.noise
    parts = [torch.full((n * trajectories.qpos.shape[2],), position)]
    if trajectories.has_velocities:
        parts.append(torch.full((n * trajectories.qvel.shape[2],), velocity))
    return torch.cat(parts)
