"""Which sentences an episode's instruction is drawn from."""

from __future__ import annotations

from typing import Literal

from studio.experiment.settings import Settings, setting


class Instructions(Settings):
    """The instructions of a domain that observes them; each episode has one."""

    languages: list[str] = setting(
        ["english", "chinese"], "Languages", "Languages that instructions are drawn from.", min_length=1
    )
    wording: Literal["training", "held_out"] = setting(
        "training",
        "Wording",
        "training: the sentences that policies are trained with. held_out: paraphrases that no training uses.",
    )
    given: Literal["right", "shuffled", "blank"] = setting(
        "right",
        "Given",
        "right: what the episode asks for. As controls, shuffled: an instruction for another, random episode; "
        "blank: an empty sentence.",
    )
