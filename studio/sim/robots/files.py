"""The files of a model: where they are, whether they changed, and a copy elsewhere that still finds them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import mujoco

from studio import paths
from studio.errors import DataError
from studio.experiment import content_hash
from studio.files import file_hash, write_text
from studio.sim.scene import compile_spec, load_spec, plain_words

PACKAGE = re.compile(r"(?:package|model)://([^/]+)/(.+)")  # as ROS and Gazebo name the files of a package
Stamp = tuple[tuple[str, int, int], ...]


def read_model(path: Path) -> mujoco.MjSpec:
    """Read MJCF or URDF and find the files that it names by package.

    Raises:
        DataError: the file is missing, is neither, or names a file that is not there.
    """
    _check_attached(path, path.absolute(), set())
    spec = load_spec(path)
    _find_packages(spec, path)
    return spec


def _check_attached(path: Path, file: Path, seen: set[Path]) -> None:
    """Raise DataError where a ``<model>`` names no file, in a model's file or one that it is made of.

    After MuJoCo 4.0.0 has failed on such a file, reading the next model hangs forever.
    """
    if file in seen or not file.is_file():
        return
    seen.add(file)
    try:
        root = ElementTree.parse(file).getroot()
    except (ElementTree.ParseError, UnicodeError, LookupError):  # MuJoCo will report what is wrong with it
        return
    for element in [*root.iter("model"), *root.iter("include")]:
        named = element.get("file")
        if named:
            _check_attached(path, file.parent / named, seen)
        elif element.tag == "model":
            words = "A <model> that is to be attached has no file."
            raise DataError(words, str(path), "Give it the attribute 'file', or remove it.")


def _find_packages(spec: mujoco.MjSpec, path: Path) -> None:
    """Point meshes and textures that are named by package (``package://NAME/…``) or by URL at their files.

    A package is looked for up the tree: a folder of its name, or one that holds such a folder.

    Raises:
        DataError: there is no such file.
    """
    for asset in [*spec.meshes, *spec.textures]:
        if asset.file.startswith("file://"):
            asset.file = unquote(asset.file.removeprefix("file://"))
        named = PACKAGE.fullmatch(asset.file)
        if named is None or spec.strippath:
            continue
        package, inside = named.groups()
        folders = path.absolute().parents
        places = [*(f / inside for f in folders if f.name == package), *(f / package / inside for f in folders)]
        found = next((place for place in places if place.is_file()), None)
        if found is None:
            raise DataError(
                f"The file '{asset.file}' was not found: there is no '{package}/{inside}' in {folders[0]} or in a "
                "folder above it.",
                str(path),
                f"Put the package '{package}' into one of these folders.",
            )
        asset.file = str(found)


def assets_of(spec: mujoco.MjSpec, model: mujoco.MjModel, path: Path) -> tuple[Path, ...]:
    """Make the names of all asset files absolute and return them, so that a copy written elsewhere finds them.

    Args:
        spec: read from a file and compiled; its parts may come from other folders, with folders for assets of their
            own (``attach``).
        model: what the spec compiled to; it knows from where each asset was read.
    """
    found: dict[str, None] = {}
    for elements, addresses in (
        (spec.meshes, model.mesh_pathadr),
        (spec.hfields, model.hfield_pathadr),
        (spec.skins, model.skin_pathadr),
        (spec.textures, model.tex_pathadr),
    ):
        for element in elements:
            start = int(addresses[element.id]) if element.file else -1
            if start >= 0:
                read = os.fsdecode(model.paths[start : model.paths.index(b"\0", start)])
                element.file = str(Path(read).absolute())
                found[element.file] = None
    faces = [texture.cubefiles for texture in spec.textures if any(texture.cubefiles)]
    if faces:
        known = _named(path)
        for files in faces:
            for side, file in enumerate(files):
                if file:
                    tail = "/" + "/".join(part for part in Path(file).parts if part != "..")
                    files[side] = next((k for k in known if k.endswith(tail)), file)
                    found[files[side]] = None
    spec.meshdir = spec.texturedir = ""
    spec.strippath = False
    return tuple(Path(file) for file in found)


def files_of(path: Path, assets: Iterable[Path]) -> tuple[Path, ...]:
    """Return every file that a model depends on: its own, what it includes or attaches in turn, and its assets."""
    named = {Path(file) for file in _named(path)}
    return tuple(sorted({file for file in named if file.is_file()} | set(assets)))


def _named(path: Path) -> list[str]:
    """Return the files that a model names, and those that they name in turn, as MuJoCo lists them."""
    try:
        return mujoco.mju_getXMLDependencies(str(path.absolute()))
    except mujoco.FatalError as error:
        words = f"The model's files cannot be listed: {plain_words(error)}."
        raise DataError(words, str(path), "Fix the MJCF or URDF file.") from None


def stamp_of(files: Iterable[Path]) -> Stamp:
    """Return the files' modification times and sizes, −1 for a missing one: they differ once a file has changed."""
    stamps = []
    for file in files:
        try:
            now = file.stat()
            stamps.append((str(file), now.st_mtime_ns, now.st_size))
        except OSError:
            stamps.append((str(file), -1, -1))
    return tuple(stamps)


def write_copy(spec: mujoco.MjSpec, path: Path, assets: Iterable[Path]) -> Path:
    """Write a model into the studio's cache; its name has a hash of every byte that the model depends on.

    Raises:
        DataError: MuJoCo cannot write it or read it again, or the cache cannot be written.
    """
    try:
        text = spec.to_xml()
        written = mujoco.MjSpec.from_string(text)  # extreme numbers may not be readable once written
    except (ValueError, mujoco.FatalError) as error:
        words = f"The model cannot be completed: {plain_words(error)}."
        raise DataError(words, str(path), "Fix the MJCF or URDF file.") from None
    key = content_hash([text, *(file_hash(file) for file in assets)])[:12]
    try:
        copy = paths.cache_folder("models") / f"{path.stem}-{key}.xml"
        if not copy.exists():
            compile_spec(written, str(path))
            write_text(copy, text)
    except OSError as error:
        words = f"The model's copy cannot be written ({error.strerror})."
        raise DataError(words, str(paths.cache()), "Free space, or set TRANSFER_STUDIO_CACHE.") from None
    return copy
