"""The whole state of a world's simulations as plain arrays, so that a training goes on bit for bit where it was.

:mod:`studio.viewer.history` does the like for one simulation many times a second; this is for many, once in a while.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from studio.errors import DataError

if TYPE_CHECKING:
    from studio.sim.world import World

Array = np.ndarray


def take(world: World) -> dict[str, Any]:
    """A nest of copied arrays, numbers and strings: MuJoCo's integration states, the outputs that lag behind them and
    that tasks read, rows kept by the world, its control and its task, randomization, counters."""
    return {
        "state": world.batch.state.copy(),
        "outputs": {name: value.copy() for name, value in world.fields.items() if not value.flags.writeable},
        "rows": {f"{owner}.{name}": value.copy() for owner, name, value in _rows(world)},
        "randomization": {key: value.copy() for key, value in world.randomization.items()},
        **world.counters(),
    }


def restore(world: World, state: Mapping[str, Any]) -> None:
    """Puts a state into a world of the same domain and as many simulations.

    Raises:
        DataError: the state is of other simulations.
    """
    given, values = np.asarray(state["state"]), state["randomization"]
    if given.shape != world.batch.state.shape or values.keys() != world.randomization.keys():
        raise DataError(
            "The saved simulations are not this domain's.", "checkpoint", "Resume the run with its own experiment."
        )
    world.randomize(np.arange(world.num_envs), {key: np.asarray(value) for key, value in values.items()})
    world.batch.state[...] = given
    for name, value in state["outputs"].items():
        live = world.bind(name).view()
        live.setflags(write=True)  # the batch offers it for reading only
        live[...] = np.asarray(value)
    owners = _owners(world)
    for name, value in state["rows"].items():
        owner, attribute = name.split(".", 1)
        held, saved = getattr(owners[owner], attribute, None), np.array(value)
        if isinstance(held, np.ndarray) and held.shape == saved.shape and held.flags.writeable:
            held[...] = saved
        else:
            setattr(owners[owner], attribute, saved)
    world.set_counters(state)


def _owners(world: World) -> dict[str, Any]:
    return {"world": world, "control": world.control, "task": world.task}


def _rows(world: World) -> Iterator[tuple[str, str, Array]]:
    """Arrays of one row for each simulation that are kept beside the batch's own."""
    bound = {id(value) for value in world.fields.values()}
    for owner, instance in _owners(world).items():
        for name, value in vars(instance).items():
            if not isinstance(value, np.ndarray) or value.ndim == 0 or len(value) != world.num_envs:
                continue
            if id(value) not in bound and value.flags.writeable and value.dtype.kind in "biuf":
                yield owner, name, value
