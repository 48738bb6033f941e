"""The whole state of a world's simulations as plain arrays, so that a training goes on bit for bit where it was.

:mod:`studio.viewer.history` does the like for one simulation many times a second; this is for many, once in a while.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np

from studio.errors import DataError

if TYPE_CHECKING:
    from studio.sim.simulation import BatchSimulation

Array = np.ndarray


class StateOwner(Protocol):
    """Something that keeps state of simulations in its attributes, and names them."""

    state_arrays: ClassVar[tuple[str, ...]]
    """Attributes that the next steps depend on: arrays with one row for each simulation, or dicts of such arrays."""


def declared(owners: Iterable[StateOwner]) -> Iterator[tuple[Any, str, Array]]:
    """Each array that the owners declare: (its owner, or the dict that holds it; its name; the array)."""
    for owner in owners:
        for name in owner.state_arrays:
            value = getattr(owner, name)
            if isinstance(value, dict):
                yield from ((value, key, array) for key, array in list(value.items()))
            else:
                yield owner, name, value


def put_back(owner: Any, name: str, saved: Array) -> None:
    """Give an array that :func:`declared` named a value again: in place, as long as its shape is the same."""
    held = owner[name] if isinstance(owner, dict) else getattr(owner, name)
    if held.shape == saved.shape and held.flags.writeable:
        held[...] = saved
    elif isinstance(owner, dict):
        owner[name] = saved.copy()
    else:
        setattr(owner, name, saved.copy())


def take(world: BatchSimulation) -> dict[str, Any]:
    """A nest of copied arrays, numbers and strings: MuJoCo's integration states, the outputs that lag behind them and
    that tasks read, what the world, its control and its task declare as theirs, randomization, counters."""
    return {
        "state": world.batch.state.copy(),
        "outputs": {name: value.copy() for name, value in world.fields.items() if not value.flags.writeable},
        "rows": {key: value.copy() for key, (_, _, value) in _rows(world).items()},
        "randomization": {key: value.copy() for key, value in world.randomization.items()},
        **world.counters(),
    }


def restore(world: BatchSimulation, state: Mapping[str, Any]) -> None:
    """Put a state into a world of the same domain and as many simulations.

    Raises:
        DataError: the state is of other simulations, or lacks something that they need.
    """
    given, values = np.asarray(state["state"]), state["randomization"]
    if given.shape != world.batch.state.shape or values.keys() != world.randomization.keys():
        raise DataError(
            "The saved simulations are not this domain's.", "checkpoint", "Resume the run with its own experiment."
        )
    rows = _rows(world)
    if missing := sorted(rows.keys() - state["rows"].keys()):
        raise DataError(
            f"The saved simulations lack {', '.join(missing)}.",
            "checkpoint",
            "Resume the run with the version of the task that it was started with.",
        )
    world.randomize(np.arange(world.num_envs), {key: np.asarray(value) for key, value in values.items()})
    world.batch.state[...] = given
    for name, value in state["outputs"].items():
        live = world.bind(name).view()
        live.setflags(write=True)  # the batch offers it for reading only
        live[...] = np.asarray(value)
    # a checkpoint may hold more: earlier versions saved every array of that many rows
    for key, (owner, name, _) in rows.items():
        put_back(owner, name, np.asarray(state["rows"][key]))
    world.set_counters(state)


def _rows(world: BatchSimulation) -> dict[str, tuple[Any, str, Array]]:
    """What is declared beside the batch's own state and the values of randomization, by its key in a checkpoint."""
    owners: dict[str, StateOwner] = {"world": world, "control": world.control, "task": world.task}
    return {f"{key}.{item[1]}": item for key, owner in owners.items() for item in declared([owner])}
