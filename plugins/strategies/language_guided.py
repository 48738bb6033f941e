"""Instruction-conditioned imitation, carried zero-shot to instructions that no demonstration had."""

from __future__ import annotations

from typing import Any

from studio.contracts import Context, EmbodimentSpec, Problem, Requires
from studio.data.batches import Mixed
from studio.experiment import Experiment
from studio.il.strategy import TINY, CloningStrategy

_PUSH = {
    "embodiment": "franka_7dof",
    "task": "language_push",
    "observation": ["image", "instruction"],
    "image_size": 32,
}


class LanguageGuided(CloningStrategy):
    """A new policy clones the sources' demonstrations, each with its instruction. It then acts on the target as it is:
    there it is given other instructions (contexts that the sources leave out, or held-out wordings), and no
    demonstration.

    The target has the first source's robot, control and task, whose slots and statistics the policy acts with; further
    sources may be of other tasks.
    """

    id = "language_guided"
    title = "Language-guided"
    summary = "Learns from demonstrations with instructions, then follows instructions that it never had, zero-shot."
    reference = "Jang et al. 2022 (BC-Z, arXiv:2202.02005); Lynch et al. 2022 (Language-Table, arXiv:2210.06407)"
    tags = ("imitation", "language", "zero-shot")
    requires = Requires(source_data=True, instructions=True, same_spaces=True, sources=(1, None))
    example = {
        **TINY,
        "source": {**_PUSH, "episodes": 3, "contexts": [[0, 0], [1, 1]]},
        "target": {**_PUSH, "contexts": [[0, 1], [1, 0]], "instructions": {"wording": "held_out"}},
    }

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
