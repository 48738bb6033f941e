"""Instruction-conditioned imitation, carried zero-shot to instructions that no demonstration had."""

from __future__ import annotations

from studio.contracts import Requires
from studio.il.strategy import TINY
from studio.il.zero_shot import ZeroShotStrategy

_PUSH = {
    "embodiment": "franka_7dof",
    "task": "language_push",
    "observation": ["image", "instruction"],
    "image_size": 32,
}


class LanguageGuided(ZeroShotStrategy):
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
