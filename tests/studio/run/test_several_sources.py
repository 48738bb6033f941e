"""Experiments with several sources: all of them are checked, hashed, listed and given to the strategy."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from studio.data.datasets import demonstrations
from studio.errors import StudioError
from studio.experiment import Experiment
from studio.files import file_hash
from studio.registry import Registry, shared_registry
from studio.run import pretrain
from studio.run.channels import Channels
from studio.run.check import check, learns_from_demonstrations
from studio.run.session import Session
from studio.sim.domains import resolve
from studio.store.input_hashes import input_hashes
from studio.store.runs import read_run, write_status
from tests import tiny

ARMS = ("franka_7dof", "ur5_6dof", "bimanual_14dof")
STRATEGY = """
from studio.contracts import Requires, Strategy
from studio.errors import StudioError

class Several(Strategy):
    id = title = summary = reference = "several"
    requires = Requires(source_data=True, sources=(2, None))

    def setup(self, context):
        given = [f"{len(context.demonstrations(source))} of {source.embodiment.id}" for source in context.sources]
        raise StudioError(", ".join(given))
"""


def plan(*sources: dict[str, object], strategy: str = "several") -> Experiment:
    goal = {"observation": "goal", "episodes": 1}
    return Experiment.from_dict(
        {
            "sources": [goal | source for source in sources], "target": goal, "strategy": {"id": strategy},
            "policy": {"id": "token_transformer"}, "device": "cpu",
        }
    )  # fmt: skip


def test_domains_of_an_experiment_have_the_names_of_their_fields() -> None:
    found = plan(*({"embodiment": arm} for arm in ARMS)).domains
    assert {name: domain.embodiment for name, domain in found.items()} == {
        "target": "franka_7dof", "source": ARMS[0], "sources.1": ARMS[1], "sources.2": ARMS[2],
    }  # fmt: skip
    assert [*plan({}).domains] == ["target", "source"]


def test_input_hashes_of_every_source(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.hdf5", "b.hdf5")]
    for file in files:
        file.write_text(file.name)
    found = input_hashes(plan(*({"dataset": str(file)} for file in files)), shared_registry())
    assert found == {"source.dataset": file_hash(files[0]), "sources.1.dataset": file_hash(files[1])}


def test_read_run_names_the_embodiments_of_all_sources(tmp_path: Path) -> None:
    (tmp_path / "experiment.yaml").write_text(plan(*({"embodiment": arm} for arm in (*ARMS[:2], ARMS[0]))).to_yaml())
    write_status(tmp_path, {"state": "finished"})
    assert read_run(tmp_path).source == "franka_7dof, ur5_6dof"


def test_check_names_the_source_that_has_a_problem(tmp_path: Path) -> None:
    (tmp_path / "several.py").write_text(STRATEGY)
    registry = Registry(tmp_path)
    problems = check(plan({}, {"task": "hopper", "embodiment": "nothing"}), registry)
    assert {"sources.1.embodiment", "sources.1.observation"} <= {problem.field for problem in problems}
    learned = learns_from_demonstrations(plan({}, {}), registry)
    assert learned == {"target": False, "source": True, "sources.1": True}


def test_a_strategy_is_given_every_source(tmp_path: Path, runs: Path) -> None:
    (tmp_path / "several.py").write_text(STRATEGY)
    asked = plan({"embodiment": "franka_7dof"}, {"embodiment": "franka_7dof", "episodes": 2}).changed(
        **{"policy": {"id": "token_transformer", "params": {"width": 16, "layers": 1}}, "pretraining.iterations": 1}
    )
    session = Session(asked, Registry(tmp_path), Channels(), runs)
    with pytest.raises(StudioError, match="1 of franka_7dof, 2 of franka_7dof"):
        session.run()


def test_a_source_policy_of_several_sources_is_pretrained_on_all_of_them(runs: Path) -> None:
    small = {"policy": {"id": "token_transformer", "params": tiny.POLICY}, "pretraining.iterations": 2}
    one, both = (
        plan(*({"embodiment": arm} for arm in arms), strategy="full_finetuning") for arms in (ARMS[:1], ARMS[:2])
    )
    one, both = (asked.changed(**small) for asked in (one, both))
    registry = shared_registry()
    assert check(both, registry) == []
    assert pretrain.key(one, registry) != pretrain.key(both, registry)
    episodes = [demonstrations(resolve(source, registry), 0) for source in both.sources]
    training = pretrain.PretrainingByCloning(both, registry, episodes, "cpu")
    batch = training.learner.batches.batch(0)
    assert (
        torch.bincount(batch.embodiment).tolist() == [64, 64]
        and batch.domain.tolist() == (batch.embodiment + 1).tolist()
    )
    spaces = training.policy.spaces
    assert torch.equal(spaces.goal.mean[0], spaces.goal.mean[1]) and not torch.equal(*spaces.joint.mean)


def test_invariance_to_one_robot_alone_is_a_problem() -> None:
    alike, unlike = (
        plan({"embodiment": "franka_7dof"}, {"embodiment": arm}, strategy="embodiment_invariant") for arm in ARMS[:2]
    )
    (problem,) = check(alike, shared_registry())
    assert problem.field == "source.embodiment" and "nothing to tell apart" in problem.message and problem.remedy
    assert check(unlike, shared_registry()) == []
