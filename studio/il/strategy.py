"""The base of the cloning strategies: behavior cloning of some of a policy's parameters on the target."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor, nn

from studio.contracts import (
    AuxiliaryLoss,
    Batch,
    Context,
    Metrics,
    Problem,
    Requires,
    Stateful,
    Strategy,
    TrainablePolicy,
)
from studio.data.augment import Augment
from studio.data.batches import BatchSampler, Mixed
from studio.experiment import Experiment, Settings, setting
from studio.il.cloning import UNITS, BehaviorCloning


class CloningParams(Settings):
    """Optimization."""

    learning_rate: float = setting(
        1e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
    )
    weight_decay: float = setting(1e-4, "Weight decay", "Weight decay of AdamW.", ge=0, le=1)
    augment_images: bool = setting(
        False,
        "Augment images",
        "Randomly varies brightness, contrast, saturation, blur and sharpness of the training images.",
    )


class SmallPartParams(CloningParams):
    """Optimization of a small part of a policy, whose rest is frozen: it bears larger steps."""

    learning_rate: float = setting(
        2e-3, "Learning rate", "Peak learning rate of the cosine schedule (AdamW).", gt=0, le=1
    )


# From one arm to another by images, in a handful of gradient steps of a small transformer.
TINY: dict[str, Any] = {
    "name": "example",
    "source": {"embodiment": "franka_7dof", "image_size": 32, "episodes": 3},
    "target": {
        "embodiment": "ur5_6dof",
        "image_size": 32,
        "episodes": 2,
        "randomization": [
            {"field": "friction", "low": 0.5, "high": 1.5},
            {"field": "mass", "low": 0.9, "high": 1.1},
            {"field": "camera_position", "low": -0.01, "high": 0.01},
        ],
    },
    "policy": {"id": "token_transformer", "params": {"width": 16, "layers": 1, "points": 4, "channels": 8}},
    "pretraining": {"iterations": 8, "batch_size": 8},
    "budget": {"iterations": 10, "batch_size": 8, "checkpoint_every": 3, "threads": 1},
    "evaluation": {"episodes": 2, "source_episodes": 1},
    "device": "cpu",
}


class CloningStrategy(Strategy):
    """Clones demonstrations; a subclass's ``setup`` chooses the policy and the trained parameters, and calls
    :meth:`clone`."""

    requires = Requires(
        source_policy=True, target_data=True, sources=(1, None)
    )  # of several: pretrained on all of them
    units = UNITS
    example: ClassVar[Mapping[str, Any]] = TINY
    frozen_features: ClassVar[bool] = False  # True: features are computed once for the whole dataset

    class Params(CloningParams):
        """Optimization."""

    def check(self, experiment: Experiment) -> list[Problem]:
        if not self.params.augment_images:
            return []
        if self.frozen_features:
            message = "Frozen features are computed once, so images cannot be augmented."
            remedy = "Turn augmentation off, or choose a strategy that trains the features."
        elif not experiment.target.observes("image"):
            message = "There are no images to augment."
            remedy = "Turn augmentation off, or let the target observe images."
        else:
            return []
        return [Problem("strategy.params.augment_images", message, remedy)]

    def clone(
        self,
        context: Context[Any],
        policy: TrainablePolicy,
        parameters: Sequence[nn.Parameter],
        *,
        datasets: Sequence[Mixed] | None = None,
        auxiliary: Sequence[AuxiliaryLoss] = (),
        features: Callable[[Batch], Tensor] | None = None,
    ) -> None:
        """Prepare behavior cloning of ``parameters`` within the budget.

        Args:
            datasets: the datasets mixed in a batch; None: the target's demonstrations alone.
            auxiliary: losses beside the cloning loss; their parameters are among ``parameters``.
            features: of a strategy with frozen features, how they are computed; None: by the policy.
        """
        budget = context.experiment.budget
        mixture = datasets if datasets is not None else [Mixed(context.demonstrations(context.target))]
        augment = Augment() if self.params.augment_images else None
        batches = BatchSampler(policy, mixture, budget.batch_size, context.experiment.seed, augment)
        if self.frozen_features:
            policy.train(False)
            batches.freeze(features or policy.features)
        self._policy = policy
        self.units = {**self.units, "loss": policy.loss_unit}
        self._learner = BehaviorCloning(
            policy,
            batches,
            parameters,
            iterations=budget.iterations,
            learning_rate=self.params.learning_rate,
            weight_decay=self.params.weight_decay,
            auxiliary=auxiliary,
            loss_unit=policy.loss_unit,
        )

    def iterate(self) -> Iterator[Metrics]:
        return self._learner.iterate()

    def policy(self) -> Any:
        return self._policy

    def stateful(self) -> Mapping[str, Stateful]:
        return {"policy": self._policy, "learner": self._learner}
