"""The policy gradient of an inner loop: surrogate losses whose first and second derivatives are those of the return.

An inner step θ' = θ + α ∇J(θ) is differentiated by the outer loop, which therefore needs ∇²J. A surrogate that is
right to the first order alone, such as log π · A, whose Hessian lacks E[∇log π ∇log πᵀ A], gives a wrong outer gradient
(Foerster et al. 2018, arXiv:1802.05098; Al-Shedivat et al. 2018, arXiv:1710.03641).

- ``low_variance``: the probability ratio of each step to the policy that acted, times its advantage. Its Hessian has
  every term of a step with itself, also E[∇log π ∇log πᵀ A], and leaves out the products of different steps' gradients:
  a small bias, none at all for one-step tasks, and much less variance (Rothfuss et al. 2019, ProMP, arXiv:1810.06784,
  section 5). It is the default: with a few dozen trajectories a task the variance is what hurts.
- ``dice``: each advantage times the magic box of all actions so far less that of those before: an undecayed sum of
  log π, as Loaded DiCE's with λ = 1 (Farquhar et al. 2019, arXiv:1909.10549), on advantages by GAE. To derivatives of
  every order it adds no bias of its own; GAE's bias, from its critic and its own λ, stays.

The pre-adaptation policy's influence on which trajectories it samples, whose score times the return after the
adaptation would be a further term (E-MAML: Stadie et al. 2018, arXiv:1803.01118), is left out, as in MAML.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

Estimator = Literal["low_variance", "dice"]


def surrogate_loss(
    log_probs: Tensor, acted: Tensor, advantages: Tensor, playing: Tensor, estimator: Estimator
) -> Tensor:
    """Return the loss, (), of one task's trajectories: the negative mean over its steps.

    Args:
        log_probs: of the actions under the parameters that are adapted, (time, episodes).
        acted: those of the policy that acted, (time, episodes), constants.
        advantages: (time, episodes), constants.
        playing: whether the episode was going on, (time, episodes), 0 or 1.
    """
    if estimator == "low_variance":
        return -((log_probs - acted).exp() * advantages * playing).sum() / playing.sum()
    so_far = (log_probs * playing).cumsum(0)
    box = (so_far - so_far.detach()).exp()
    before = torch.cat([torch.ones_like(box[:1]), box[:-1]])
    return -((box - before) * advantages * playing).sum() / playing.sum()
