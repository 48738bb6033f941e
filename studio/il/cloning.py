"""Behavior cloning: AdamW on the squared error to the expert's actions, with a warm-up and a cosine schedule.

The batches of an iteration, and what augmentation makes of them, depend on (seed, iteration) alone, so a resumed
training sees the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from studio.contracts import Episodes, Metrics
from studio.data.augment import Augment
from studio.seeds import batch_seed

UNITS: dict[str, str] = {"loss": "MSE", "gradient_norm": "", "learning_rate": ""}
WARMUP = 0.05  # share of the iterations over which the learning rate rises


class BehaviorCloning:
    """Trains some parameters of a policy on demonstrations.

    Args:
        policy: has ``tensors``, ``features``, ``head``, ``targets``, ``loss``.
        episodes: the demonstrations.
        parameters: what is trained.
        frozen_features: the features do not change, so they are computed once, and only the head runs in training.
        augment: varies the images of every batch; None: they are seen as they are.

    Raises:
        ValueError: augmentation of frozen features, which are computed before any batch, or without images.
    """

    units = UNITS

    def __init__(
        self,
        policy: Any,
        episodes: Episodes,
        parameters: list[nn.Parameter],
        *,
        iterations: int,
        batch_size: int,
        learning_rate: float,
        seed: int,
        weight_decay: float = 1e-4,
        frozen_features: bool = False,
        augment: Augment | None = None,
    ) -> None:
        if augment is not None and (frozen_features or "image" not in episodes.observations):
            raise ValueError("augmentation needs images, and features that are computed for each batch")
        self.policy, self.iterations, self.batch_size, self.seed = policy, iterations, batch_size, seed
        self.learning_rate, self.parameters = learning_rate, parameters
        self.iteration, self._augment = 0, augment
        self._inputs = policy.tensors(episodes.observations)
        self._targets = policy.targets(policy.tensors({"a": episodes.actions})["a"].float())
        self._predict: Callable[[dict[str, Tensor]], Tensor] = policy.forward
        if frozen_features:
            self._inputs = {"features": _all_features(policy, self._inputs)}
            self._predict = lambda batch: policy.head(batch["features"])
        fused = all(p.device.type in ("cpu", "cuda") for p in parameters)
        self.optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, fused=fused)

    def iterate(self) -> Iterator[Metrics]:
        """Yields loss, gradient norm and learning rate after every gradient step."""
        while self.iteration < self.iterations:
            rate = self._rate(self.iteration)
            for group in self.optimizer.param_groups:
                group["lr"] = rate
            batch, targets = self._batch(self.iteration)
            loss = self.policy.loss(self._predict(batch), targets)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            norm = nn.utils.clip_grad_norm_(self.parameters, 1.0)
            self.optimizer.step()
            self.iteration += 1
            values = {"loss": loss.item(), "gradient_norm": norm.item(), "learning_rate": rate}
            yield Metrics(self.iteration, self.iterations, values)

    def state_dict(self) -> dict[str, Any]:
        """Optimizer and iteration; the policy's weights are the strategy's to keep."""
        return {"iteration": self.iteration, "optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.iteration = int(state["iteration"])
        self.optimizer.load_state_dict(state["optimizer"])

    def _rate(self, iteration: int) -> float:
        warm = max(1, round(WARMUP * self.iterations))
        if iteration < warm:
            return self.learning_rate * (iteration + 1) / warm
        share = (iteration - warm) / max(1, self.iterations - warm)
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * share))

    def _batch(self, iteration: int) -> tuple[dict[str, Tensor], Tensor]:
        """An iteration's inputs and targets."""
        generator = torch.Generator().manual_seed(batch_seed(self.seed, iteration))
        rows = torch.randint(len(self._targets), (self.batch_size,), generator=generator).to(self._targets.device)
        batch = {key: value[rows] for key, value in self._inputs.items()}
        if self._augment is not None:
            batch["image"] = self._augment(batch["image"], generator)
        return batch, self._targets[rows]


def _all_features(policy: Any, inputs: dict[str, Tensor], chunk: int = 512) -> Tensor:
    policy.eval()
    count = len(next(iter(inputs.values())))
    with torch.no_grad():
        parts = [
            policy.features({k: v[start : start + chunk] for k, v in inputs.items()})
            for start in range(0, count, chunk)
        ]
    return torch.cat(parts)
