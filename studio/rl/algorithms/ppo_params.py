"""The settings of the learners that train on rollouts; see :mod:`studio.rl.algorithms.ppo`."""

from __future__ import annotations

from typing import Literal

from studio.experiment import Settings, setting


class PPOParams(Settings):
    """Optimization and collection."""

    learning_rate: float = setting(3e-4, "Learning rate", "Adam learning rate.", gt=0, le=1)
    anneal: bool = setting(False, "Anneal", "Decays the learning rate linearly to 0 over the budget.")
    simulations: int = setting(32, "Simulations", "Number of parallel simulations.", "simulations", ge=1, le=65_536)
    steps: int = setting(64, "Steps", "Environment steps per simulation in an iteration.", "steps", ge=1, le=100_000)
    epochs: int = setting(10, "Epochs", "Passes over the samples of an iteration.", ge=1, le=1000)
    minibatch: int = setting(256, "Minibatch", "Samples per gradient step.", "samples", ge=2, le=1_000_000)
    gamma: float = setting(0.99, "γ", "Discount factor per step.", ge=0, le=1)
    gae_lambda: float = setting(0.95, "λ", "λ of generalized advantage estimation (GAE).", ge=0, le=1)
    clip: float = setting(0.2, "Clip", "PPO's clipping range of the probability ratio.", gt=0, le=10)
    entropy_weight: float = setting(0.0, "Entropy weight", "Weight of the entropy bonus in the loss.", ge=0, le=10)
    value_weight: float = setting(0.5, "Value weight", "Weight of the critic's loss.", ge=0, le=100)
    max_gradient_norm: float = setting(0.5, "Gradient norm", "Gradients are clipped to this norm.", gt=0, le=1000)
    physics_threads: int = setting(
        0, "Physics threads", "Threads for the simulation; 0 uses every core.", "threads", ge=0, le=1024
    )
    update: Literal["compiled", "eager"] = setting(
        "compiled",
        "Update",
        "compiled is about twice as fast after a few seconds of compilation, and needs a C++ compiler; GRU, LSTM "
        "and SNAIL policies always run eager.",
    )
