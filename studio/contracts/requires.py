"""What a strategy needs of an experiment."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requires:
    """What the session prepares for a strategy; the checks and the window read it.

    Args:
        source_policy: a policy that was trained on the source.
        source_data: demonstrations of the sources.
        target_data: demonstrations of the target.
        sources: how many source domains, at least and at most; None: as many as there are.
        same_spaces: one network observes and acts in source and target, so their observations and actions must have
            equal widths.
        task_family: the source is a family of tasks, or of dynamics whose randomized values are observed.
        instructions: the domains' observations hold an instruction.
        transformer: the policy has tokens and blocks, to which a prompt or small parts are added.
        evaluate_at_zero: the policy acts before the first iteration, and is scored there too.
    """

    source_policy: bool = False
    source_data: bool = False
    target_data: bool = False
    sources: tuple[int, int | None] = (1, 1)
    same_spaces: bool = False
    task_family: bool = False
    instructions: bool = False
    transformer: bool = False
    evaluate_at_zero: bool = False

    @property
    def demonstrations(self) -> bool:
        """Whether its policy learns from demonstrations, whoever gave them."""
        return self.source_data or self.target_data
