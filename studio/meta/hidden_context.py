"""Hide a task's context from the policy, which then has to infer it."""

from __future__ import annotations

from studio.experiment import Domain
from studio.rl.networks.policy import FlatPolicy

CONTEXT_KEYS = ("goal", "dynamics_params")  # observation entries that hold ω


def hidden(domain: Domain) -> Domain:
    """Return the domain without the context in its observation: no goal, no observed dynamics."""
    terms = [term.model_copy(update={"observed": False}) for term in domain.randomization]
    entries = ["state" if entry == "goal" else entry for entry in domain.observation]
    return domain.model_copy(update={"observation": list(dict.fromkeys(entries)), "randomization": terms})


def ignore_context(policy: FlatPolicy) -> None:
    """Make a policy ignore the entries that hold the context, for domains that observe it."""
    ignored = list(dict.fromkeys([*policy.params.ignored, *CONTEXT_KEYS]))
    policy.params = policy.params.model_copy(update={"ignored": ignored})
