"""The parts of an experiment beside its domains: what is chosen, how it is trained, scored and compared."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import field_validator

from studio.experiment.hashing import RUNS, decisive
from studio.experiment.settings import Settings, setting
from studio.seeds import LAST_SEED

MOST_SHOTS = 100


class Selection(Settings):
    """A registered contribution and its own parameters (checked against its ``Params``)."""

    id: str = setting("", "Kind", "Id of the contribution.")
    params: dict[str, Any] = setting(
        {}, "Parameters", "Parameters of the contribution; omitted ones keep their defaults."
    )


class Pretraining(Settings):
    """How the source policy is made. Cached by the content hash of everything that goes into it."""

    iterations: int = setting(
        3000,
        "Iterations",
        "Gradient steps on source demonstrations; for reinforcement learning, rollouts with their updates. 0: the "
        "policy as it is, for one that was pretrained elsewhere, such as a Hugging Face model.",
        "steps",
        ge=0,
        le=10_000_000,
    )
    batch_size: int = setting(128, "Batch size", "Frames per gradient step.", "frames", ge=1, le=65_536)
    learning_rate: float = setting(
        1e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
    )
    seed: int = setting(0, "Seed", "Seed for training the source policy.", ge=0, le=LAST_SEED)
    params: dict[str, Any] = setting(
        {},
        "Algorithm parameters",
        "Parameters of the reinforcement learning algorithm that trains the source policy; omitted ones keep their "
        "defaults.",
        since=2,
    )

    checkpoint: Path | None = setting(
        None,
        "Checkpoint",
        "Start from an existing policy instead of training one: a run, one of its checkpoints, or a policy folder.",
        since=2,
    )

    def cache_key(self) -> dict[str, Any]:
        """Return what decides the source policy, given its domain and its kind."""
        return decisive(self, RUNS)


class Budget(Settings):
    """Training budget on the target."""

    iterations: int = setting(
        800,
        "Iterations",
        "Gradient steps on the target; for reinforcement learning, rollouts with their updates.",
        ge=1,
        le=10_000_000,
    )
    batch_size: int = setting(64, "Batch size", "Frames per gradient step.", "frames", ge=1, le=65_536)
    checkpoint_every: int = setting(200, "Checkpoint every", "Steps from one checkpoint to the next.", "steps", ge=1)
    threads: int = setting(
        1,
        "Threads",
        "CPU threads for PyTorch; 0 uses every core. For small policies one thread is as fast.",
        "threads",
        ge=0,
        le=1024,
        decides=False,
    )


class EvaluationPlan(Settings):
    """How the result is scored. Evaluation seeds are never used for demonstrations."""

    episodes: int = setting(
        200,
        "Target episodes",
        "Number of episodes on the target in the final evaluation.",
        "episodes",
        ge=1,
        le=100_000,
    )
    source_episodes: int = setting(
        100,
        "Source episodes",
        "Number of episodes on the source in the final evaluation, to measure forgetting; 0 skips it.",
        "episodes",
        ge=0,
        le=100_000,
    )
    every: int = setting(
        0, "Evaluate every", "Steps between interim evaluations; 0 evaluates only at the end.", "steps", ge=0
    )
    short_episodes: int = setting(
        50, "Interim episodes", "Number of episodes in an interim evaluation.", "episodes", ge=1, le=100_000
    )
    seed: int = setting(
        10_000,
        "Seed",
        "Seed of the first evaluation episode; the following episodes count up from it.",
        ge=0,
        le=LAST_SEED,
    )
    shots: list[int] = setting(
        [0],
        "Shots",
        "How many episodes of a new task a policy may play, or be adapted to, before it is scored: each number is "
        "scored, and the largest counts. 0 alone: no trials are played, and all of the target's episodes are used.",
        since=2,
        short="shots",
        min_length=1,
    )
    held_out: Literal["none", "inside", "outside"] = setting(
        "none",
        "Held-out tasks",
        "Tasks of the target's family that it is scored on and that no training draws: inside the family's range, or "
        "outside it; none: all tasks.",
        since=2,
    )
    conditions: list[str] = setting(
        [],
        "Conditions",
        "Under which the result is scored on the target too, beside its score: for tasks with instructions shuffled, "
        "blank, paraphrases, or one language; for tasks with several objects moved or swapped. Joined by + they hold "
        "together.",
        since=2,
    )
    keep_best: bool = setting(
        False,
        "Keep the best",
        "Publish the policy with the best interim score instead of the last one. Selection has episodes of its own, "
        "apart from the evaluation's.",
        since=2,
    )
    keep_best_by: Literal["score", "mutual_information"] = setting(
        "score",
        "Best by",
        "What the best policy is chosen by: its score on the target (an oracle where the target's labels are not to be "
        "known), or the mutual information of its observations and choices, which needs no label.",
        since=2,
    )

    @field_validator("shots")
    @classmethod
    def _check_shots(cls, shots: list[int]) -> list[int]:
        if not all(0 <= count <= MOST_SHOTS for count in shots):
            raise ValueError(f"a number of shots is out of range; each must be from 0 to {MOST_SHOTS}")
        return shots

    @property
    def uses_shots(self) -> bool:
        """Whether policies are scored after episodes of the task, in a trial or by adaptation."""
        return self.shots != [0]


class Comparison(Settings):
    """What ``compare`` runs: strategies × data sizes × seeds."""

    strategies: list[str] = setting(
        [], "Strategies", "Ids of the strategies to compare; if empty, only the experiment's own."
    )
    episodes: list[int] = setting(
        [], "Episodes", "Numbers of target demonstrations to compare; if empty, only the target's own."
    )
    seeds: list[int] = setting([], "Seeds", "Seeds to run; if empty, only the experiment's own.")
    params: dict[str, dict[str, Any]] = setting(
        {},
        "Parameters",
        "Parameters by strategy id, for strategies other than the experiment's own; omitted ones keep their defaults.",
    )
    stop_when_decided: bool = setting(
        False,
        "Stop when decided",
        "Play the evaluation in batches; end it for a strategy and training without transfer (or the first strategy) "
        "as soon as one of the two is ahead beyond chance. It compares these trained policies, not other seeds.",
        since=2,
    )
    alpha: float = setting(
        0.05,
        "False positives",
        "Probability, at most, that a pair of equally good policies is decided, over all looks at it together.",
        since=2,
        gt=0,
        le=0.5,
    )
