"""A stand-in for a real robot: a simulation whose parameters are kept from the rest of the program.

A domain that names a stand-in file is played on that robot: its worlds have the file's values on top of whatever else
is drawn, and no one can ask a world for them. What a strategy may learn of them is what a real robot would show:
observations, rewards, successes, and recorded motion.
"""

from __future__ import annotations

from pathlib import Path

import mujoco
import yaml
from pydantic import ValidationError

from studio.errors import DataError
from studio.experiment import Settings, setting
from studio.paths import assets


class _Hidden(Settings):
    """The file's contents: factors of the nominal model; delay in s."""

    mass: float = setting(1.0, "Mass", "Factor on every body's mass.", gt=0)
    friction: float = setting(1.0, "Friction", "Factor on contact friction.", ge=0)
    damping: float = setting(1.0, "Damping", "Factor on joint damping.", ge=0)
    armature: float = setting(1.0, "Armature", "Factor on the joints' armature.", ge=0)
    actuator_gain: float = setting(1.0, "Actuator gain", "Factor on the servos' stiffness.", gt=0)
    actuator_delay: float = setting(0.0, "Actuator delay", "Of every command.", "s", ge=0, le=1)


def hidden_dynamics_file(path: Path) -> Path:
    """The file a domain means: a path, or the bare name of one that is shipped (``heavy``)."""
    return path if path.suffix else assets() / "stand_ins" / f"{path}.yaml"


def check_hidden_dynamics(path: Path) -> None:
    """Raise DataError where the file cannot stand in for a robot; the message reveals nothing of its values."""
    read_hidden_dynamics(path)


def apply_hidden_dynamics(model: mujoco.MjModel, hidden: _Hidden) -> None:
    """Give a compiled model the hidden values. Everything else that is drawn multiplies them."""
    model.body_mass[:] *= hidden.mass
    model.body_inertia[:] *= hidden.mass
    model.geom_friction[:] *= hidden.friction
    model.dof_damping[:] *= hidden.damping
    model.dof_armature[:] *= hidden.armature
    model.actuator_gainprm[:] *= hidden.actuator_gain
    model.actuator_biasprm[:, 1] *= hidden.actuator_gain
    model.actuator_delay[:] = hidden.actuator_delay
    mujoco.mj_setConst(model, mujoco.MjData(model))


def read_hidden_dynamics(path: Path) -> _Hidden:
    """The file's contents; for :func:`studio.sim.scene.build` alone.

    Raises:
        DataError: the file is missing, is not YAML, or holds something else.
    """
    path = hidden_dynamics_file(path)
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not isinstance(raw or {}, dict):
            raise DataError("The stand-in robot's file holds no values by name.", str(path), "Write 'mass: 1.2', say.")
        return _Hidden.model_validate(raw or {})
    except OSError as error:
        raise DataError(
            f"The stand-in robot's file cannot be read ({error.strerror}).", str(path), "Check the path."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise DataError("The stand-in robot's file is not YAML.", str(path), "Choose another file.") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        raise DataError(
            f"The stand-in robot's file is not valid at {where}: {first['msg']}.", str(path), "Fix the file."
        ) from None
