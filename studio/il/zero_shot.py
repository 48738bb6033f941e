"""The base of the strategies whose policy learns from the sources alone and acts on the target as it is."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context, EmbodimentSpec, Problem, Requires
from studio.data.batches import Mixed
from studio.experiment import Experiment
from studio.il.strategy import CloningStrategy


class ZeroShotStrategy(CloningStrategy):
    """A new policy clones the sources' demonstrations; none of the target is used.

    The target has the first source's robot, control and task, whose slots and statistics the policy acts with; further
    sources may be of other tasks.
    """

    requires = Requires(source_data=True, same_spaces=True, sources=(1, None))

    def check(self, experiment: Experiment) -> list[Problem]:
        problems, source, target = super().check(experiment), experiment.source, experiment.target
        for name in ("embodiment", "control", "task"):
            wanted, given = getattr(source, name), getattr(target, name)
            if wanted != given:
                message = f"Zero-shot transfer keeps the {name}: the source has '{wanted}', the target '{given}'."
                problems.append(Problem(f"target.{name}", message, f"Choose {wanted}."))
        return problems

    def setup(self, context: Context[Any]) -> None:
        policy = context.policy(pretrained=False).train()
        episodes = [context.demonstrations(domain) for domain in context.sources]
        policy.bind([EmbodimentSpec.of(d, e) for d, e in zip(context.sources, episodes, strict=True)])
        datasets = [Mixed(each, domain=row + 1, embodiment=row) for row, each in enumerate(episodes)]
        self.clone(context, policy, list(policy.parameters()), datasets=datasets)
