"""Content hashes: what is counted in them, and that a new setting changes none."""

from __future__ import annotations

from typing import Any

import pytest

from studio.experiment import Curriculum, Domain, Experiment, RandomizationTerm, Settings, setting
from studio.experiment.hashing import EPISODES, RUNS, complete, decisive
from studio.registry import Registry
from studio.run import pretrain
from studio.store.policies import check_params
from studio.store.resolve import resolved


class First(Settings):
    """A contribution's parameters."""

    rate: float = setting(0.1, "Rate", "Of learning.")


class Second(First):
    """The same, some time later."""

    rows: list[int] = setting([], "Rows", "New.", since=2)
    ranges: Curriculum = setting(Curriculum(), "Ranges", "New, and switched off.", since=2, switch="enabled")
    threads: int = setting(1, "Threads", "However many.", decides=False)


class Nested(Settings):
    """Settings within settings."""

    inner: Second = setting(Second(), "Inner", "Of its own.")
    several: list[Second] = setting([Second()], "Several", "Of their own.")


def test_new_field_is_left_out_at_its_default() -> None:
    assert decisive(Second(), RUNS) == decisive(First(), RUNS) == {"rate": 0.1}
    assert decisive(Second(rows=[1]), RUNS) == {"rate": 0.1, "rows": [1]}
    assert decisive(Nested(), RUNS) == {"inner": {"rate": 0.1}, "several": [{"rate": 0.1}]}


def test_new_field_is_left_out_while_switched_off() -> None:
    assert "ranges" not in decisive(Second(ranges=Curriculum(step=0.3)), RUNS)
    assert decisive(Second(ranges=Curriculum(enabled=True)), RUNS)["ranges"]["enabled"]


def test_complete_keeps_all_but_new_defaults() -> None:
    assert complete(Second()) == {"rate": 0.1, "threads": 1}
    assert complete(Nested())["inner"] == {"rate": 0.1, "threads": 1}
    assert complete(Second(rows=[2]))["rows"] == [2]


def test_domain_cache_key_leaves_out_what_draws_nothing() -> None:
    term = RandomizationTerm(field="mass", low=0.8, high=1.2)
    assert set(decisive(term, EPISODES)) == {"field", "low", "high", "distribution", "probability"}
    assert decisive(term.model_copy(update={"parts": "torso"}), EPISODES)["parts"] == "torso"
    assert not {"curriculum", "hidden_dynamics", "dataset", "contexts"} & set(Domain().cache_key())
    assert Domain(contexts=[[1.0]]).cache_key()["contexts"] == [[1.0]]


@pytest.mark.parametrize("part", ["strategy", "policy"])
def test_new_parameter_changes_no_hash(experiment: Experiment, part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = Registry()
    kind: Any = registry.get({"strategy": "strategies", "policy": "policies"}[part], getattr(experiment, part).id)
    before = resolved(experiment, registry).content_hash(), pretrain.key(experiment, registry)

    class Later(kind.Params):  # type: ignore[misc]
        added: int = setting(3, "Added", "In a later version.", since=2)

    monkeypatch.setattr(kind, "Params", Later)
    assert check_params(kind, {}, part).added == 3
    assert (resolved(experiment, registry).content_hash(), pretrain.key(experiment, registry)) == before
    other = experiment.changed(**{f"{part}.params.added": 4})
    assert resolved(other, registry).content_hash() != before[0]
