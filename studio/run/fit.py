"""A check whether a policy that was trained on one domain can act in another."""

from __future__ import annotations

from studio.contracts import Problem
from studio.experiment import Domain
from studio.registry import Registry
from studio.run.spaces import observed_terms, spaces_of


def misfit(policy: str, trained: Domain, domain: Domain, registry: Registry) -> Problem | None:
    """Return why a policy, of this id and fitted to ``trained``, cannot act in a domain; None where it can.

    The problem's field is that of the domain alone, without "target." or "source." before it.

    Raises:
        ExperimentError: a task, an embodiment or the policy is unknown.
    """
    bound = registry.get("policies", policy, "policy.id").is_cloned  # to slots and statistics of its robot
    names = ["observation", *(["embodiment", "control"] if bound else [])]
    if domain.observes("image") and trained.observes("image"):
        names.append("image_size")
    for name in names:
        wanted, given = trained.short(name), domain.short(name)
        if wanted != given:
            words = f"The policy was trained with {name} {wanted}; this domain has {given}."
            return Problem(name, words, f"Choose {wanted}.")
    if [*trained.images][1:] != [*domain.images][1:]:
        wanted, given = (", ".join(d.cameras) for d in (trained, domain))
        words = f"The policy was trained with the cameras {wanted}; this domain has {given}."
        return Problem("camera", words, "Choose the same ones beside the first, in the same order.")
    ours, theirs = ([term.key for term in observed_terms(d)] for d in (trained, domain))
    if ours != theirs:
        words = f"The policy observes the dynamics parameters {', '.join(ours) or 'none'}, this domain offers "
        return Problem("randomization", f"{words}{', '.join(theirs) or 'none'}.", "Observe the same ones.")
    if all(getattr(trained, name) == getattr(domain, name) for name in ("embodiment", "task", "control")):
        return None
    if (wanted_widths := spaces_of(trained, registry)) != (widths := spaces_of(domain, registry)):
        words = f"The policy has observations and actions of widths {_text(wanted_widths)}, this domain {_text(widths)}"
        return Problem("task", f"{words}.", "Choose a task with the same observation and action spaces.")
    return None


def _text(widths: tuple[dict[str, int], int]) -> str:
    parts, actions = widths
    return f"{' + '.join(str(width) for width in parts.values()) or '0'} and {actions}"
