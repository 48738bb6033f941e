"""Hypernetwork: a recurrent learner reads a new task's examples one by one; its last state gives a policy's weights."""

from __future__ import annotations

from studio.meta.hypernetwork_policy import HypernetworkPolicy
from studio.meta.support_strategy import TINY, SupportStrategy


class Hypernetwork(SupportStrategy):
    """Trains the learner and the map from its state to the weights end to end, by the loss on a task's query."""

    id = "hypernetwork"
    title = "Hypernetwork"
    summary = "Learns to read examples of a new task one by one and to give the weights of a policy for it."
    reference = "Ha, Dai and Le 2016, arXiv:1609.09106; Hochreiter, Younger and Conwell 2001"
    tags = ("imitation", "meta-learning")
    policies = (HypernetworkPolicy.id,)
    example = {**TINY, "policy": {"id": HypernetworkPolicy.id, "params": {"width": 8, "hidden": 8}}}
