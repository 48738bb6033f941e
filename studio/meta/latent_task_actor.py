"""An actor that reads a latent, drawn once an episode from a distribution that is adapted to each task."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from studio.experiment import setting
from studio.meta.inner_loop import Parameters
from studio.meta.task_actor import TaskActor
from studio.rl.networks.distributions import Normal

Array = np.ndarray
LATENT = ("latent_mean", "latent_log_std")
CERTAIN = -20.0  # log standard deviation of a latent that is given


class LatentTaskActor(TaskActor):
    """As :class:`TaskActor`, with a latent z ~ N(latent_mean, latent_log_std) as a further input. It stays the same for
    an episode, so that what the policy explores is a whole course of action instead of noise around one."""

    id = "task_latent_mlp"
    title = "Task MLP with a latent"
    summary = "Actor MLP on the state and on a latent that is drawn once an episode and adapted to a task; for MAESN."
    reference = "Gupta et al. 2018 (arXiv:1802.07245), section 4"

    class Params(TaskActor.Params):
        """Size of the network and of the latent."""

        latent: int = setting(2, "Latent", "Width of the latent.", ge=1, le=1024)

    noise_seed = 0  # of the latents that episodes begin with; a copy that is adapted to a task has its own

    @property
    def latent(self) -> int:
        """Return the width of the latent."""
        return int(self.params.latent)

    def act(self, observation: Any, memory: Any = None) -> tuple[Array, Any]:
        """Return the means as native actions (n, outputs), and the latents (n, latent).

        These are drawn where episodes begin: each row has its own, the same ones every time, by ``noise_seed``.
        """
        with torch.inference_mode():
            rows = self.moments(self._inputs(observation))
            if memory is None:
                noise = torch.randn(len(rows), self.latent, generator=torch.Generator().manual_seed(self.noise_seed))
                memory = drawn_latent(dict(self.named_parameters()), noise.to(rows)).cpu().numpy()
            rows = torch.cat([rows, torch.as_tensor(memory, device=rows.device)], -1)
            return self.native(self.actor(rows)).cpu().numpy(), memory

    def posterior(self) -> tuple[Array, Array]:
        """Return mean and standard deviation of the latent, (latent,) each."""
        with torch.inference_mode():
            return self.latent_mean.cpu().numpy().copy(), self.latent_log_std.exp().cpu().numpy()

    def with_latent(self, latent: Array) -> LatentTaskActor:
        """Return a copy that acts by this latent, (latent,), in every episode."""
        made = copy.deepcopy(self)
        with torch.no_grad():
            made.latent_mean.copy_(torch.as_tensor(latent))
            made.latent_log_std.fill_(CERTAIN)
        return made

    def _build(self) -> None:
        super()._build()
        self.latent_mean = nn.Parameter(torch.zeros(self.latent))
        self.latent_log_std = nn.Parameter(torch.zeros(self.latent))


def drawn_latent(parameters: Parameters, noise: Tensor) -> Tensor:
    """Return latents from standard normal noise (…, n, latent), differentiable in their distribution's parameters, (…,
    latent)."""
    mean, log_std = (parameters[name].unsqueeze(-2) for name in LATENT)
    return mean + log_std.exp() * noise


def latent_log_prob(parameters: Parameters, latents: Tensor) -> Tensor:
    """Return the log density, (…, n), of latents (…, n, latent) under their distribution, of parameters (…, latent)."""
    mean, log_std = (parameters[name].unsqueeze(-2) for name in LATENT)
    return Normal(mean, log_std).log_prob(latents)
