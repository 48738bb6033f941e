"""What the network reads: the measurements themselves, and running sums along the directions that parameters move them.

A servo's delay moves an arm by centimeters, its joints' damping by less than a millimeter; read as they are, the small
effects drown in the large ones. So the measurements are also projected on the principal components of what the
parameters change, each divided by the spread that the parameters give it, as far as that stands above the sensors'
noise (a Wiener filter's whitening). The sums run over time, so that at each step the network has all that was seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from studio.sysid.trajectories import Trajectories

Array = np.ndarray
MOST_STEPS = 100  # moments that are used of a recording; a longer one is read in strides
READ_OUTS = 20  # steps of the network
MOST_DIRECTIONS = 128
SAMPLE = 2048  # draws that the directions are found from
_ABOVE_NOISE = 0.3  # least variance of a direction, in units of the noise's


@dataclass(frozen=True)
class Features:
    """``mean``, ``scale``, ``noise`` are (moments, width); ``directions`` is (moments, width, scores)."""

    mean: torch.Tensor
    scale: torch.Tensor
    noise: torch.Tensor
    directions: torch.Tensor

    @staticmethod
    def of(states: torch.Tensor, noise: torch.Tensor) -> Features:
        """Finds them from draws (n, moments, width) without noise, and the noise's standard deviation (width,)."""
        mean = states.mean(0)
        noise = noise.expand(states.shape[1:])
        scale = (states.var(0) + noise**2).sqrt()
        centered = ((states[:SAMPLE] - mean) / noise).flatten(1).double()
        # the eigenvectors of the covariance by way of the smaller matrix of the draws' products
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
        """Of what the network reads at a step."""
        return self.mean.shape[1] + self.directions.shape[2]

    def __call__(self, states: torch.Tensor) -> torch.Tensor:
        """(n, moments, width) measured states to (n, steps, features)."""
        centered = states - self.mean
        sums = torch.einsum("ntw,twk->ntk", centered, self.directions).cumsum(1)
        stride = math.ceil(sums.shape[1] / READ_OUTS)
        rows = slice((sums.shape[1] - 1) % stride, None, stride)  # the last moment is among them
        return torch.cat([(centered / self.scale)[:, rows], sums[:, rows]], 2)

    def tensors(self) -> dict[str, torch.Tensor]:
        """What is kept on disk."""
        return {"mean": self.mean, "scale": self.scale, "noise": self.noise, "directions": self.directions}


def sequence(trajectories: Trajectories, qpos: Array, qvel: Array) -> Array:
    """(k, n, T + 1, ·) states as sequences (k, moments, n · width); recordings lie beside each other."""
    stride = math.ceil(trajectories.steps / MOST_STEPS)
    parts = [qpos, qvel] if trajectories.has_velocities else [qpos]
    rows = [np.swapaxes(part[:, :, stride::stride], 1, 2) for part in parts]
    return np.concatenate([part.reshape(*part.shape[:2], -1) for part in rows], 2).astype(np.float32)


def sensor_noise(trajectories: Trajectories) -> torch.Tensor:
    """The sensors' noise of each column of a sequence, (n · width,)."""
    n, (position, velocity) = len(trajectories), trajectories.noise
    parts = [torch.full((n * trajectories.qpos.shape[2],), position)]
    if trajectories.has_velocities:
        parts.append(torch.full((n * trajectories.qvel.shape[2],), velocity))
    return torch.cat(parts)
