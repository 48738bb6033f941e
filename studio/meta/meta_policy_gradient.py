"""Model-agnostic meta-learning of a policy from rewards: policy gradient inside, a trust region outside.

Source: Finn, Abbeel and Levine 2017 (MAML), arXiv:1703.03400, algorithm 3 and section 5.3.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from studio.contracts import Metrics
from studio.meta.latent_task_actor import LatentTaskActor
from studio.meta.meta_actor import MetaActor
from studio.meta.meta_gradient_params import MetaGradientParams
from studio.meta.outer_step import OuterStep
from studio.meta.task_actor import TaskActor
from studio.meta.task_rollouts import TaskRollouts, Trajectories
from studio.meta.task_seeds import TRIED, task_seeds
from studio.rl.collectors.episode_statistics import diverged_sentence
from studio.seeds import torch_seed, training_episode_seed
from studio.sim.world import World

UNITS = {"samples": "steps", "steps_per_second": "steps/s", "kl": "nats", "diverged": "simulations"}


def weights_of(policy: TaskActor) -> list[str]:
    """Return the names of an actor's weights and biases."""
    return [name for name, _ in policy.named_parameters() if name.startswith("actor.")]


class MetaPolicyGradient:
    """Trains an actor, in place, so that a few steps of policy gradient adapt it to a task of the world's family.

    Args:
        names: of the actor's parameters that the inner loop adapts; None: the weights. The deviation of the actions
            is not adapted: a gradient grows as it shrinks, so that a step after that one would go much too far.
        training_tasks: at most so many, with latents of their own, which the outer loop trains (see
            :class:`MetaActor`); 0: every iteration draws new tasks.
        prior_weight: of the divergence of these latents from the standard normal in the outer loss.
    """

    units = UNITS

    def __init__(
        self,
        policy: TaskActor,
        world: World,
        settings: MetaGradientParams,
        *,
        iterations: int,
        seed: int,
        names: list[str] | None = None,
        training_tasks: int = 0,
        prior_weight: float = 0.0,
        log: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.settings, self.iterations, self.iteration, self.log = settings, iterations, 0, log
        s = settings
        first = training_episode_seed(seed)
        self.training_tasks = task_seeds(world.domain, world.task, training_tasks, first)
        chosen = weights_of(policy) if names is None else names
        self.actor = MetaActor(policy, chosen, s, len(self.training_tasks))
        self.actor.to(policy.device)
        self.generator = torch.Generator(policy.device).manual_seed(seed)
        first += TRIED * training_tasks
        self.rollouts = TaskRollouts(world, policy, s.meta_batch, s.gamma, s.gae_lambda, first, self.generator)
        self.outer = OuterStep(self.actor, s, prior_weight)

    def iterate(self) -> Iterator[Metrics]:
        """Collect before and after adaptation, make a step of the outer loop, and yield the metrics of each iteration
        until the budget is spent."""
        while self.iteration < self.iterations:
            began, samples = time.perf_counter(), self.rollouts.samples
            diverged = self.rollouts.world.diverged
            members = self._choose_tasks()
            found, returns = self._collect(members)
            values = self.outer.step(found, members)
            self.rollouts.update_moments()
            if self.rollouts.world.diverged > diverged:
                self.log(diverged_sentence(self.rollouts.world.diverged - diverged))
            self.iteration += 1
            values |= {f"return/gradient steps {k}": float(r.mean()) for k, r in enumerate(returns)}
            values |= {"samples": float(self.rollouts.samples), "diverged": float(self.rollouts.world.diverged)}
            values["steps_per_second"] = (self.rollouts.samples - samples) / (time.perf_counter() - began)
            yield Metrics(self.iteration, self.iterations, values)

    def adapted(self, world: World, steps: int, seed: int) -> TaskActor:
        """Return a copy of the actor that is adapted to a task by gradient steps, each on episodes of its own.

        Args:
            world: ``settings.episodes`` simulations of the task.
            seed: of the first episode; they count up.
        """
        policy, generator = self.actor.policy, torch.Generator(self.generator.device)
        generator.manual_seed(torch_seed(seed))
        s = self.settings
        rollouts = TaskRollouts(world, policy, 1, s.gamma, s.gae_lambda, seed, generator)
        rollouts.new_tasks()
        parameters = {name: value.detach() for name, value in self.actor.named_parameters()}
        own, shared = self.actor.start(parameters, 1)
        for step in range(steps):
            found, _ = rollouts.collect(self.actor.exploration_parameters({**shared, **own}))
            own = self.actor.adapted(parameters, own, shared, found, step)
        made = type(policy)(policy.params, policy.observation)
        made.load_state_dict({**policy.state_dict(), **{name: value[0] for name, value in own.items()}})
        if isinstance(made, LatentTaskActor):
            made.noise_seed = torch_seed(seed)
        return made.to(policy.device)

    def state_dict(self) -> dict[str, Any]:
        """Return all that training continues from, the actor's parameters and statistics included."""
        return {
            "iteration": self.iteration,
            "actor": {name: value.clone() for name, value in self.actor.state_dict().items()},
            "generator": self.generator.get_state(),
            "rollouts": self.rollouts.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what :meth:`state_dict` returned."""
        self.iteration = int(state["iteration"])
        self.actor.load_state_dict(state["actor"])
        self.generator.set_state(state["generator"].cpu())
        self.rollouts.load_state_dict(state["rollouts"])

    def _choose_tasks(self) -> Tensor | None:
        """Choose the tasks of an iteration; return which of the training tasks they are, (tasks,)."""
        known, wanted = len(self.training_tasks), self.settings.meta_batch
        if not known:
            self.rollouts.new_tasks()
            return None
        orders = [
            torch.randperm(known, generator=self.generator, device=self.generator.device)
            for _ in range(-(-wanted // known))
        ]
        members = torch.cat(orders)[:wanted]
        self.rollouts.groups.choose(self.training_tasks[members.cpu().numpy()])
        return members

    @torch.no_grad()
    def _collect(self, members: Tensor | None) -> tuple[list[Trajectories], list[Tensor]]:
        """Return the trajectories before the first inner step, after it … and after the last; and their returns."""
        parameters = dict(self.actor.named_parameters())
        own, shared = self.actor.start(parameters, self.settings.meta_batch, members)
        found, returns = [], []
        observed = self.iteration >= self.settings.dense_share * self.iterations
        for step in range(self.settings.inner_steps + 1):
            last, acting = step == self.settings.inner_steps, {**shared, **own}
            trajectories, earned = self.rollouts.collect(
                acting if last else self.actor.exploration_parameters(acting), observed
            )
            found.append(trajectories)
            returns.append(earned)
            if not last:
                self.actor.update_scale(step, trajectories["deviations"])
                own = self.actor.adapted(parameters, own, shared, trajectories, step)
        return found, returns
