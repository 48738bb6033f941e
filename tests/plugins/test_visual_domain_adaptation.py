"""Visual domain adaptation: what is frozen and what learns; what cannot work; the learner beneath it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.algorithms.pixel_ppo import PixelPPO, PixelPPOParams
from studio.rl.collectors.images import ImageCollector
from studio.rl.networks.pixels import PixelActorCritic, goals, privileged
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.domains import embodiment_of, task_of
from studio.sim.world import World
from studio.store.policies import load_policy_folder
from tests import tiny

PARAMS = {"simulations": 4, "steps": 8, "minibatch": 16, "epochs": 2, "physics_threads": 1}
FIRST = PARAMS | {"first_images": 64, "first_steps": 2}
POINT = {
    "embodiment": "point", "task": "point_navigation", "control": "motor", "observation": "image", "camera": "top",
    "image_size": 32,
}  # fmt: skip
GRID = {"embodiment": "point", "task": "gridworld", "control": "discrete"}
DARK = [{"field": "light_intensity", "low": 0.3, "high": 0.3}]


def plan(**params: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "name": "tiny", "source": POINT, "target": POINT | {"randomization": DARK},
            "policy": {"id": "pixel_actor_critic", "params": {"channels": 4, "points": 4, "width": 8}},
            "pretraining": {"iterations": 3, "params": FIRST},
            "strategy": {
                "id": "visual_domain_adaptation",
                "params": PARAMS | {"gathered_steps": 4, "gradient_steps": 2} | params,
            },
            "budget": {"iterations": 6, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 2}, "device": "cpu",
        }
    )  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def world(n: int = 4) -> World:
    domain = plan().source
    return World(domain, task_of(domain, Registry()), embodiment_of(domain, Registry()), n, 1)


def parts(folder: Path) -> tuple[set[str], set[str]]:
    """First parts of the names of what a run has changed in its source policy, and of what it has not."""
    base, tuned = (load_policy_folder(folder / name).state_dict() for name in ("base", "policy"))
    moved = {name.split(".")[0] for name in base if not torch.equal(base[name], tuned[name])}
    return moved, {name.split(".")[0] for name in base} - moved


@pytest.mark.parametrize(("layers", "changed"), [("first", "convolutions.0"), ("last", "last"), ("points", "last")])
def test_only_the_adapted_layer_changes(layers: str, changed: str, tmp_path: Path) -> None:
    short = {"budget.iterations": 1, "pretraining.iterations": 1, "evaluation.episodes": 1}
    made = plan(variant="mmd", adapted_layers=layers).changed(**short)
    session = Session(made, Registry(), Channels(), tmp_path)
    session.run()
    base, tuned = (load_policy_folder(session.folder / name).state_dict() for name in ("base", "policy"))
    assert {name for name in base if not torch.equal(base[name], tuned[name])} == {
        f"encoder.{changed}.weight", f"encoder.{changed}.bias"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("variant", "moved"),
    [("adda", {"encoder"}), ("dann", {"encoder", "actor", "critic", "decoder", "log_std", "moments", "rewards"})],
)
def test_what_learns_and_what_is_said_of_it(variant: str, moved: set[str], tmp_path: Path) -> None:
    session = Session(plan(variant=variant), Registry(), Channels(), tmp_path)
    published = tiny.listen(session)
    session.run()
    assert parts(session.folder) == (moved, {"actor", "critic", "decoder", "encoder", "log_std", "moments", "rewards",
                                             "low", "high", "fingerprint"} - moved)  # fmt: skip
    logged = [e.values for e in published() if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    assert len(logged) == 6
    for values in logged:
        assert 0 <= values["domain_accuracy"] <= 1 and np.isfinite(values["mmd"]) and values["reward_r2"] <= 1
        assert -1.5 < values["target_reward"] < 0 and -1.5 < values["source_reward"] < 0
    assert {e["domain"] for e in session.evaluations if e["final"]} == {"target", "source"}


def test_the_learner_goes_on_from_its_state_bit_for_bit() -> None:
    def learner() -> PixelPPO:
        there = world()
        policy = PixelActorCritic(PixelActorCritic.Params(channels=4, points=4, width=8))
        policy.fit_to(there, 0)
        return PixelPPO(policy, there, PixelPPOParams(**FIRST), iterations=6, seed=0)

    one, other = learner(), learner()
    turns = one.iterate()
    for _ in range(3):
        next(turns)
    state = one.state_dict()
    kept = [m.values["loss"] for m in turns]
    other.load_state_dict(state)
    assert [m.values["loss"] for m in other.iterate()] == kept and len(kept) == 3
    for name, value in one.policy.state_dict().items():
        assert torch.equal(value, other.policy.state_dict()[name]), name


def test_an_episode_that_time_cuts_off_goes_on_in_the_value_of_its_last_state() -> None:
    there = world(2)
    policy = PixelActorCritic(PixelActorCritic.Params(channels=4, points=4, width=8))
    policy.fit_to(there, 0)
    settings = PixelPPOParams(**FIRST | {"simulations": 2, "steps": 2, "gae_lambda": 0.0, "gamma": 0.5})
    learner = PixelPPO(policy, there, settings, iterations=1, seed=0)
    there.steps[:] = there.task.horizon - 1  # both end with the next step
    goal = goals(there)
    rollout = learner.rollouts.collect()
    # where a step leads: its start, which is rest, plus the action
    with torch.no_grad():
        native = policy.native(rollout.actions[:2]).numpy()
        last = torch.from_numpy(privileged({"state": native.astype(np.float32)}, goal))
        wanted = -torch.from_numpy(np.linalg.norm(goal - native, axis=1)).float() * policy.rewards.scale()
        wanted = wanted + 0.5 * policy.state_value(torch.zeros(2, 1), last)
    assert torch.allclose(rollout.returns[:2], wanted, atol=1e-5)


def test_the_actor_sees_the_image_alone() -> None:
    there = world()
    policy = PixelActorCritic(PixelActorCritic.Params(channels=4, points=4, width=8))
    policy.fit_to(there, 0)
    with torch.no_grad():
        policy.actor[-1].weight.mul_(100)
    seen, _ = there.reset(seed=3)
    action, _ = policy.act(seen)
    assert action.shape == (4, 2) and np.abs(action).max() <= 0.1
    assert np.array_equal(policy.act(seen | {"state": seen["state"] + 1})[0], action)
    assert not np.array_equal(policy.act(seen | {"image": 255 - seen["image"]})[0], action)


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"policy": {"id": "gaussian_mlp"}}, "policy.id", "a policy that acts on images"),
        ({"target.observation": "state"}, "target.observation", "does not observe images"),
        (
            {"source.observation": "state", "target.observation": "state"},
            "source.observation",
            "does not observe images",
        ),
        ({"source.task": "hopper", "source.embodiment": "hopper"}, "target.task", "not only in appearance"),
        ({"source.image_size": 48}, "target.image_size", "differ in size"),
        ({"strategy.params": {"variant": "gan"}}, "strategy.params.variant", "not a choice"),
        (
            {"strategy.params": PARAMS | {"variant": "dann", "match_colors": True}},
            "strategy.params.match_colors",
            "has no effect",
        ),
        (
            {"strategy.params": PARAMS | {"steps": 2, "variant": "dann"}},
            "strategy.params.minibatch",
            "fewer than a minibatch",
        ),
        (
            {"strategy.params": PARAMS | {"encoder_epochs": 0, "variant": "dann"}},
            "strategy.params.encoder_epochs",
            "the encoder is not trained",
        ),
        (
            {f"{name}.{key}": value for name in ("source", "target") for key, value in GRID.items()},
            "source.control",
            "control is discrete",
        ),
        ({"pretraining.params": PARAMS | {"steps": 2}}, "pretraining.params.minibatch", "fewer than a minibatch"),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    problems = check(plan(variant="dann").changed(**changes), Registry())
    assert any(p.field == field and text in p.message and p.remedy for p in problems), problems


def test_images_come_from_the_whole_ranges_despite_a_curriculum(tmp_path: Path) -> None:
    look = {"field": "light_intensity", "low": 0.3, "high": 0.6}
    looks = {"randomization": [look], "curriculum": {"enabled": True, "widen_return": 0.0}}
    made = plan().changed(**{f"target.{key}": value for key, value in looks.items()})
    assert check(made, Registry()) == []
    session = Session(made.changed(**{"budget.iterations": 1}), Registry(), Channels(), tmp_path)
    seen: list[float] = []
    collect = ImageCollector.collect

    def collected(self: ImageCollector, *given: Any) -> Any:
        found = collect(self, *given)
        assert self.world.curriculum is None
        seen.extend(np.ravel(self.world.drawn.get("light_intensity", [])))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImageCollector, "collect", collected)
        session.run()
    varied = set(seen) - {1.0}  # the source's look is its own
    assert len(varied) == 4 and min(varied) >= 0.3 and max(varied) <= 0.6


def test_an_expert_is_asked_for_only_where_there_is_one() -> None:
    assert check(plan(target_data="expert"), Registry()) == []
    runner = {"task": "hopper", "embodiment": "hopper", "camera": "track"}
    changes = {f"{name}.{key}": value for name in ("source", "target") for key, value in runner.items()}
    problems = check(plan(target_data="expert").changed(**changes), Registry())
    assert [p.field for p in problems] == ["strategy.params.target_data"]
