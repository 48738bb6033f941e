"""Any MJCF or URDF file as an embodiment: its longest chain of hinges and slides, and what moves at the chain's end."""

from __future__ import annotations

import functools
from pathlib import Path

from studio.contracts import Embodiment, Limb
from studio.errors import DataError
from studio.sim.robots.actuators import actuators_of
from studio.sim.robots.chain import chain_of, deepest_fixed
from studio.sim.robots.completion import complete
from studio.sim.robots.mocap_welds import release_from_mocap
from studio.sim.robots.servos import add_servos
from studio.sim.scene import compile_spec, load_spec

DENSE = (
    "The constraint Jacobian is dense: the sparse solver of this version of MuJoCo is wrong above 60 degrees of "
    "freedom, and the model has {}."
)


def open_model(path: Path) -> Embodiment:
    """Describes the model in a file.

    The limb is the chain from the root to the deepest body. Where the model has no actuators its joints get position
    servos, and where it has no cameras a front camera: they are written to a copy
    in the studio's cache, never into the file itself.

    Raises:
        DataError: the file is missing, does not compile, or has no joint that could be moved.
    """
    return _opened(path, path.stat().st_mtime_ns if path.exists() else 0)


@functools.lru_cache(maxsize=32)
def _opened(path: Path, changed: int) -> Embodiment:
    spec = load_spec(path)
    asked = spec.option.jacobian
    model = compile_spec(spec, str(path))
    # what is written elsewhere still finds its meshes and textures here
    spec.meshdir, spec.texturedir = (
        str((path.parent / folder).resolve()) for folder in (spec.meshdir, spec.texturedir)
    )
    chain = chain_of(model)
    if not chain:
        raise DataError("The model has no hinge or slide joint to move.", str(path), "Choose a robot's model.")
    tip = int(model.jnt_bodyid[chain[-1]])
    tip = deepest_fixed(model, tip)
    changes = [] if model.opt.jacobian == asked else [DENSE.format(model.nv)]
    changes += [*release_from_mocap(spec, model, chain), *add_servos(spec, model, chain), *complete(spec, model, tip)]
    joints = tuple(model.joint(j).name for j in chain)
    if not all(joints):
        raise DataError("The model's joints have no names.", str(path), "Give every joint a name.")
    ours = path
    if changes:
        from studio import paths
        from studio.experiment import content_hash
        from studio.files import file_hash, write_text

        model = compile_spec(spec, str(path))
        ours = paths.cache_folder("models") / f"{path.stem}-{content_hash(file_hash(path))[:12]}.xml"
        write_text(ours, spec.to_xml())
    site = next(model.site(i).name for i in range(model.nsite) if model.site_bodyid[i] == tip and model.site(i).name)
    actuators = tuple(model.actuator(actuators_of(model, model.joint(name).id)[0]).name for name in joints)
    base = len(joints) == 3 and [int(model.jnt_type[model.joint(n).id]) for n in joints] == [2, 2, 3]
    slots = tuple(range(min(len(joints), 14)))
    ends = (28, 29, 30) if base else (16, 17, 18)
    return Embodiment(
        id=str(path),
        title=path.stem,
        summary=f"{len(joints)} joints, from {path.name}.",
        reference=str(path),
        model=ours,
        kind="base" if base else "arm",
        limbs=(Limb(site, joints, actuators, ends if base else slots, ends),),
        cameras=tuple(model.camera(i).name for i in range(model.ncam) if model.camera(i).name),
        home=model.key(0).name if model.nkey else "",
        changes=tuple(changes),
    )
