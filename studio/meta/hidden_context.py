"""A task's context, withheld: a policy has to find out which task it is in."""

from __future__ import annotations

from studio.experiment import Domain
from studio.rl.networks.gaussian import GaussianActorCritic

CONTEXT_KEYS = ("goal", "dynamics_params")  # entries of an observation that say ω


def hidden(domain: Domain) -> Domain:
    """Return the domain without what its observation says of the context: no goal, no observed dynamics."""
    terms = [term.model_copy(update={"observed": False}) for term in domain.randomization]
    entries = ["state" if entry == "goal" else entry for entry in domain.observation]
    return domain.model_copy(update={"observation": list(dict.fromkeys(entries)), "randomization": terms})


def ignore_context(policy: GaussianActorCritic) -> None:
    """Let a policy leave out what another domain's observation says of the context."""
    ignored = list(dict.fromkeys([*policy.params.ignored, *CONTEXT_KEYS]))
    policy.params = policy.params.model_copy(update={"ignored": ignored})
