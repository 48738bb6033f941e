"""What a person sets of meta-learning from rewards: tasks, the inner loop, and the outer loop's trust region."""

from __future__ import annotations

from typing import Literal

from studio.experiment import setting
from studio.meta.gradient_policy import InnerLoopParams
from studio.meta.policy_gradient import Estimator


class MetaGradientParams(InnerLoopParams):
    """Tasks and trajectories, the inner loop, and the outer loop's trust region."""

    meta_batch: int = setting(20, "Meta-batch", "Tasks in an iteration.", "tasks", ge=1, le=10_000)
    episodes: int = setting(
        20,
        "Episodes",
        "Episodes of each task before, and after, every gradient step: also those of a shot.",
        "episodes",
        ge=1,
        le=4096,
    )
    estimator: Estimator = setting(
        "low_variance",
        "Inner gradient",
        "low_variance: each step's probability ratio times its advantage, whose second derivative is nearly unbiased. "
        "dice: unbiased, with much more variance.",
    )
    advantage_scale: Literal["task", "family"] = setting(
        "task",
        "Advantage scale",
        "What the inner loop divides advantages by. task: the deviation of each task's own, so that a step is as long "
        "near the optimum as far from it. family: the mean deviation of all tasks, so that it is shorter there.",
        since=2,
    )
    exploration_std: float = setting(
        0.0,
        "Exploration deviation",
        "Standard deviation of the actions, whose range is [−1, 1], in episodes that an inner step is taken on. 0: the "
        "policy's own, which training makes small where exploring costs reward: the gradient then tells which way to "
        "go but not how far.",
        ge=0,
        le=10,
        since=2,
    )
    every_step: bool = setting(
        False, "Score every step", "The outer loss is that after every inner step, instead of after the last alone."
    )
    dense_share: float = setting(
        0.0,
        "Dense share",
        "Share of the training, from its beginning, in which the inner loop has the task's own rewards; after that it "
        "has those that a policy observes, as in a test, which may be sparser.",
        ge=0,
        le=1,
    )
    gamma: float = setting(0.99, "γ", "Discount factor per step.", ge=0, le=1)
    gae_lambda: float = setting(1.0, "λ", "λ of generalized advantage estimation (GAE).", ge=0, le=1)
    max_kl: float = setting(0.01, "Largest KL", "Bound on the KL divergence of an iteration.", "nats", gt=0, le=10)
    curvature_tasks: int = setting(
        20,
        "Curvature tasks",
        "Tasks, of those in an iteration, that the KL's curvature is estimated from: fewer are faster.",
        ge=1,
        le=4096,
    )
    gradient_iterations: int = setting(
        10, "CG iterations", "Iterations of conjugate gradients for the natural gradient.", ge=1, le=1000
    )
    damping: float = setting(1e-5, "Damping", "Multiple of the identity added to the KL's curvature.", ge=0, le=1)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )

    @property
    def simulations(self) -> int:
        """Return how many simulations there are: one for each episode of each task."""
        return self.meta_batch * self.episodes
