"""Fine-tuning by reinforcement: what is kept, frozen, reset and regained; its source policy; kill -9; problems."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from plugins.strategies.rl_fine_tuning import RLFineTuning
from studio import paths
from studio.events import Logged, MetricsLogged, StageChanged
from studio.experiment import Experiment
from studio.registry import Registry
from studio.rl.algorithms.ppo import PPO
from studio.rl.algorithms.ppo_params import PPOParams
from studio.rl.algorithms.sac import SAC, SACParams
from studio.rl.networks.gaussian import GaussianActorCritic
from studio.rl.networks.recurrent import RecurrentActorCritic
from studio.rl.networks.squashed import SquashedActorCritic
from studio.rl.warm_start import WarmStartParams, WarmStartSACParams, warm_start
from studio.run import pretrain
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.sim.domains import embodiment_of, task_of
from studio.sim.gymnasium_ids import make_vector
from studio.sim.world import World
from studio.store.policies import load_policy_folder
from studio.store.runs import read_run
from tests import tiny

PARAMS = {"simulations": 4, "steps": 16, "minibatch": 16, "epochs": 2, "update": "eager", "physics_threads": 1}
HOPPER = {"embodiment": "hopper", "task": "hopper", "control": "motor", "observation": "state"}
HEAVY = [{"field": "mass", "parts": "torso", "low": 1.5, "high": 1.5}]


SOFT = {
    "simulations": 4, "samples": 64, "learning_starts": 40, "batch_size": 8, "capacity": 500, "update_ratio": 0.2,
    "update": "eager", "physics_threads": 1,
}  # fmt: skip


def soft(**params: Any) -> Experiment:
    return plan(algorithm="sac", sac=SOFT, **params).changed(
        policy={"id": "squashed_mlp", "params": {"width": 16}}, **{"pretraining.params": SOFT}
    )


def plan(**params: Any) -> Experiment:
    return Experiment.from_dict(
        {
            "name": "tiny", "source": HOPPER, "target": HOPPER | {"randomization": HEAVY},
            "policy": {"id": "gaussian_mlp", "params": {"width": 16}},
            "pretraining": {"iterations": 6, "params": PARAMS},
            "strategy": {"id": "rl_fine_tuning", "params": PARAMS | params},
            "budget": {"iterations": 8, "checkpoint_every": 3, "threads": 1},
            "evaluation": {"episodes": 3, "source_episodes": 2, "every": 4, "short_episodes": 2}, "device": "cpu",
        }
    )  # fmt: skip


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def policies() -> tuple[GaussianActorCritic, GaussianActorCritic]:
    """One that has learned (all its numbers are moved), and a blank one."""
    learned, blank = GaussianActorCritic(), GaussianActorCritic()
    for seed, policy in enumerate((learned, blank)):
        policy.fit(5, -torch.ones(2).numpy(), torch.ones(2).numpy(), seed)
    with torch.no_grad():
        for parameter in learned.parameters():
            parameter.sub_(0.7)
        learned.moments.update(torch.arange(20.0).reshape(4, 5))
        learned.rewards.update(torch.arange(9.0)[:, None])
    return learned, blank


def changed(**params: Any) -> tuple[set[str], set[str], GaussianActorCritic]:
    """Names that ``carry`` changed, names that stand still, and the policy."""
    (policy, blank), (before, _) = policies(), policies()
    warm_start(policy, blank, WarmStartParams(**params))
    old, new = before.state_dict(), policy.state_dict()
    still = {name for name, parameter in policy.named_parameters() if not parameter.requires_grad}
    return {name for name in old if not torch.equal(old[name], new[name])}, still, policy


REWARDS = {f"rewards.{name}" for name in ("mean", "variance", "count")}
LAYERS = {f"{net}.{at}.{kind}" for net in ("actor", "critic") for at in (0, 2, 4) for kind in ("weight", "bias")}


@pytest.mark.parametrize(
    ("params", "moved", "still"),
    [
        ({"exploration": "none"}, set(), set()),
        ({"exploration": "entropy"}, set(), set()),
        ({}, {"log_std"}, set()),
        ({"exploration": "none", "reset": "critic"}, REWARDS | {n for n in LAYERS if n.startswith("critic")}, set()),
        ({"exploration": "none", "reset": "last_layer"}, {"actor.4.weight", "actor.4.bias"}, set()),
        (
            {"exploration": "none", "normalization": "reset"},
            {"moments.mean", "moments.variance", "moments.count"},
            set(),
        ),
        ({"exploration": "none", "freeze": "critic"}, set(), {n for n in LAYERS if n.startswith("critic")}),
        ({"exploration": "none", "freeze": "first_layers"}, set(), {n for n in LAYERS if ".0." in n}),
        ({"exploration": "none", "freeze": "all_but_last_layer"}, set(), {n for n in LAYERS if ".4." not in n}),
        (
            {"exploration": "none", "freeze": "all_but_last_layer", "reset": "critic"},  # a reset critic trains
            REWARDS | {n for n in LAYERS if n.startswith("critic")},
            {n for n in LAYERS if n.startswith("actor") and ".4." not in n},
        ),
    ],
)
def test_what_is_carried(params: dict[str, Any], moved: set[str], still: set[str]) -> None:
    found = changed(**params)
    assert found[:2] == (moved, still)


def test_the_critic_goes_on_in_the_scale_of_rewards_that_it_learned_in() -> None:
    learned, _ = policies()
    domain = plan().source
    world = World(domain, task_of(domain, Registry()), embodiment_of(domain, Registry()), 4, 1)
    hopper = GaussianActorCritic()
    hopper.fit(11, world.control.low, world.control.high, 0)
    hopper.rewards.load_state_dict(learned.rewards.state_dict())
    before, seen = hopper.rewards.scale().item(), hopper.rewards.count.item()
    ppo = PPO(hopper, world, PPOParams(**PARAMS), iterations=1, seed=0)
    ppo.collect()
    assert hopper.rewards.count.item() == seen + 64 and hopper.rewards.scale().item() != before
    world.close()


def test_a_policy_saved_without_its_scale_of_rewards_begins_a_new_one() -> None:
    learned, blank = policies()
    old = {name: value for name, value in learned.state_dict().items() if name not in REWARDS}
    blank.load_state_dict(old)
    assert torch.equal(blank.actor[0].weight, learned.actor[0].weight)
    assert blank.rewards.count.item() < 1 < learned.rewards.count.item()
    with pytest.raises(RuntimeError, match="log_std"):
        blank.load_state_dict({name: value for name, value in old.items() if name != "log_std"})


def test_what_a_person_gave_is_not_overridden() -> None:
    """SAC's temperature begins low and entropy is rewarded by the bonus only where nothing else was asked for."""
    for given, wanted in (({}, 0.01), ({"alpha": 0.5}, 0.5), ({"alpha": 1.0}, 1.0)):
        params = RLFineTuning.Params(algorithm="sac", sac=SOFT | given)
        for same in (params, RLFineTuning.Params.model_validate(params.model_dump(mode="json"))):
            assert RLFineTuning(same).settings.alpha == wanted
    for weight, wanted in ((0.0, 0.01), (0.2, 0.2)):
        params = RLFineTuning.Params(exploration="entropy", entropy_bonus=0.01, entropy_weight=weight)
        assert RLFineTuning(params).settings.entropy_weight == wanted


def test_temperature_scales_the_standard_deviation() -> None:
    found, _, policy = changed(exploration="temperature", temperature=4.0)
    assert found == {"log_std"}
    assert policy.log_std.exp().tolist() == pytest.approx([4 * math.exp(-0.7)] * 2)


def soft_changed(**params: Any) -> tuple[set[str], set[str]]:
    """As :func:`changed`, of a policy for SAC."""
    made = [SquashedActorCritic() for _ in range(2)]
    for seed, policy in enumerate(made):
        policy.fit(5, -torch.ones(2).numpy(), torch.ones(2).numpy(), seed)
    policy, blank = made
    old = {name: value.clone() for name, value in policy.state_dict().items()}
    warm_start(policy, blank, WarmStartParams(**params))
    new, still = policy.state_dict(), {n for n, p in policy.named_parameters() if not p.requires_grad}
    if params["exploration"] == "fresh_log_std":
        last = policy.actor.weights[2]
        assert torch.equal(last[..., :2], old["actor.weights.2"][..., :2])  # the means
        assert torch.equal(last[..., 2:], blank.actor.weights[2][..., 2:])
    return {name for name in old if not torch.equal(old[name], new[name])}, still


def test_what_is_carried_of_a_policy_for_sac() -> None:
    nets = {f"{net}.{kind}.{at}" for net in ("actor", "critics") for kind in ("weights", "biases") for at in range(3)}
    assert soft_changed(exploration="temperature") == (set(), set())
    assert soft_changed(exploration="fresh_log_std") == ({"actor.weights.2", "actor.biases.2"}, set())
    moved, _ = soft_changed(exploration="none", reset="critic_and_last_layer")
    assert moved == {n for n in nets if n.startswith("critics")} | {"actor.weights.2", "actor.biases.2"}
    assert soft_changed(exploration="none", freeze="all_but_last_layer")[1] == {n for n in nets if n[-1] != "2"}
    assert soft_changed(exploration="none", freeze="first_layers")[1] == {n for n in nets if n[-1] == "0"}


def test_a_recurrent_core_stands_still_with_the_first_layers() -> None:
    policy, blank = RecurrentActorCritic(), RecurrentActorCritic()
    for made in (policy, blank):
        made.fit(5, -torch.ones(2).numpy(), torch.ones(2).numpy(), 0)
    warm_start(policy, blank, WarmStartParams(freeze="all_but_last_layer"))
    learning = {name for name, parameter in policy.named_parameters() if parameter.requires_grad}
    at = 2 * policy.params.layers
    assert learning == {"log_std", *(f"{net}.{at}.{k}" for net in ("actor", "critic") for k in ("weight", "bias"))}


def test_sacs_temperature_is_reset_where_that_is_chosen() -> None:
    alphas = {
        exploration: RLFineTuning(RLFineTuning.Params(algorithm="sac", exploration=exploration)).settings.alpha
        for exploration in ("none", "fresh_log_std", "temperature")
    }
    assert alphas == {"none": 0.01, "fresh_log_std": 0.01, "temperature": 1.0}


def test_a_carried_policy_acts_from_the_first_step_where_a_new_one_acts_at_random() -> None:
    found = {}
    for carried, kind in ((True, WarmStartSACParams), (False, SACParams)):
        world = make_vector(4, "hopper", "hopper", threads=1)
        policy = SquashedActorCritic(SquashedActorCritic.Params(width=16))
        policy.fit(11, world.control.low, world.control.high, 0)
        asked: list[int] = []
        policy.draw = lambda *given, draw=policy.draw, asked=asked: asked.append(1) or draw(*given)
        learner = SAC(policy, world, kind(**SOFT), iterations=1, seed=0)
        for _ in range(5):
            learner.act()
        found[carried] = len(asked)
    assert found == {True: 5, False: 0} and SOFT["learning_starts"] > 20


@pytest.mark.parametrize("update", ["eager", "compiled"])
def test_what_is_frozen_is_not_trained_and_the_rest_is(update: str, runs: Path, cache: Path, traced: None) -> None:
    session = tiny.run(plan(freeze="first_layers", exploration="none", update=update), runs)
    base, tuned = (load_policy_folder(session.folder / name).state_dict() for name in ("base", "policy"))
    same = {name for name in base if torch.equal(base[name], tuned[name])}
    assert {n for n in LAYERS if ".0." in n} == same & LAYERS
    assert "moments.mean" not in same
    width, inputs, outputs = 16, 11, 3
    whole = 2 * (inputs * width + width + width * width + width) + width * outputs + outputs + width + 1 + outputs
    assert read_run(session.folder).trainable_parameters == whole - 2 * (inputs * width + width)


def test_entropy_is_rewarded_where_it_is_chosen(runs: Path, cache: Path) -> None:
    spread = {}
    for exploration in ("none", "entropy"):
        logged = plan(exploration=exploration, entropy_bonus=10.0)
        policy = load_policy_folder(tiny.run(logged, runs).folder / "policy")
        spread[exploration] = policy.log_std.mean().item()
    assert spread["entropy"] > spread["none"] + 0.005


def test_the_source_policy_is_trained_by_reinforcement_once(runs: Path, cache: Path) -> None:
    stages = []
    for _ in range(2):
        session = Session(plan(), Registry(), Channels(), runs)
        published = tiny.listen(session)
        session.run()
        logged = published()
        stages.append([e.cached for e in logged if isinstance(e, StageChanged) and e.stage == "pretrain"])
        steps = [e.step for e in logged if isinstance(e, MetricsLogged) and e.stage == "pretrain"]
        assert steps == (list(range(1, 7)) if len(stages) == 1 else [])
    assert stages == [[False], [True]]
    assert {e["domain"] for e in session.evaluations if e["final"]} == {"target", "source"}
    tuned = load_policy_folder(session.folder / "policy")
    assert tuned.fingerprint.hash == load_policy_folder(session.folder / "base").fingerprint.hash != ""


def test_what_decides_the_source_policy() -> None:
    keys = {}
    for name, changes in {
        "plain": {}, "named": {"name": "other"}, "strategy": {"strategy.params": {}}, "target": {"target.episodes": 3},
        "longer": {"pretraining.iterations": 7}, "settings": {"pretraining.params": {}},
        "domain": {"source.randomization": HEAVY},
        "curriculum": {"source.randomization": HEAVY, "source.curriculum": {"enabled": True}},
    }.items():  # fmt: skip
        keys[name] = pretrain.key(plan().changed(**changes), Registry())
    assert keys["plain"] == keys["named"] == keys["strategy"] == keys["target"]
    assert len(set(keys.values())) == 5


def test_the_shipped_source_policy_is_still_found(cache: Path) -> None:
    demo = Experiment.load(paths.assets() / "experiments" / "demo.yaml")
    assert pretrain.find(demo, Registry()) == paths.assets() / "pretrained" / "8ddcb3878aa24f76767bd24a5f1c31d5"


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[], Experiment]], Path]:
    """The folder of a whole run that made its source policy itself."""
    folder = tmp_path_factory.mktemp("whole")

    @functools.cache
    def run(made: Callable[[], Experiment]) -> Path:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TRANSFER_STUDIO_CACHE", str(folder / made.__name__))
            return tiny.run(made(), folder).folder

    return run


@pytest.mark.parametrize("made", [plan, soft])
def test_killed_while_the_source_policy_is_trained(
    made: Callable[[], Experiment],
    uninterrupted: Callable[[Callable[[], Experiment]], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = uninterrupted(made)
    other = str(tmp_path / "other")
    monkeypatch.setenv("TRANSFER_STUDIO_CACHE", other)
    folder, published = tiny.killed_and_resumed(made(), tmp_path, "pretrain", 5, TRANSFER_STUDIO_CACHE=other)
    assert "Resumed pretrain at step 3." in [e.text for e in published if isinstance(e, Logged)]
    for name in ("base", "policy"):
        tiny.assert_same(folder, whole, f"{name}/policy.safetensors")
    assert read_run(folder).success == read_run(whole).success != 0


@pytest.mark.parametrize(
    ("changes", "field", "text"),
    [
        ({"policy.id": "token_transformer", "policy.params": {}}, "policy.id", "cannot train"),
        ({"strategy.params": {"freeze": "critic", "reset": "critic"}}, "strategy.params.freeze", "cannot be frozen"),
        (
            {"strategy.params": {"freeze": "first_layers", "frozen_layers": 3}},
            "strategy.params.frozen_layers",
            "has 2 hidden layers",
        ),
        (
            {"policy.id": "gaussian_gru", "strategy.params": {"freeze": "first_layers", "frozen_layers": 2}},
            "strategy.params.frozen_layers",
            "has 1 hidden layer;",
        ),
        ({"strategy.params": {"temperature": 0}}, "strategy.params.temperature", "out of range"),
        ({"pretraining.params": {"simulations": 0}}, "pretraining.params.simulations", "out of range"),
        ({"pretraining.params": {"steps": 1, "simulations": 4}}, "pretraining.params.minibatch", "fewer than"),
        ({"pretraining.params": {"speed": 1}}, "pretraining.params.speed", "no such setting"),
        ({"strategy": {"id": "lora"}}, "policy.id", "cannot be trained by behavior cloning"),
        ({"strategy.params": {"algorithm": "sac"}}, "policy.id", "SAC does not train"),
        *(
            ({"strategy.params": {"algorithm": "sac", field: value}}, f"strategy.params.{field}", "SAC")
            for field, value in (("freeze", "critic"), ("exploration", "entropy"), ("normalization", "reset"))
        ),
    ],
)
def test_what_cannot_work_is_said_before_it_starts(changes: dict[str, Any], field: str, text: str) -> None:
    problems = check(plan().changed(**changes), Registry())
    assert any(p.field == field and text in p.message for p in problems), problems


def test_different_widths_and_no_demonstrations() -> None:
    arm = {"embodiment": "franka_7dof", "task": "reach", "control": "end_effector", "observation": "goal"}
    different = plan().changed(source=arm, target=arm | {"task": "push"})
    assert [p.field for p in check(different, Registry())] == ["target.task"]
    assert check(plan(), Registry()) == []  # a hopper has no scripted expert, and needs none
