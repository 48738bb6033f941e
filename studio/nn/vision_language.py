"""Vision-language models of the transformers library, opened from a folder or a hub name.

Weights are read from safetensors alone, and no code that comes with a model is run.
"""

from __future__ import annotations

import contextlib
import functools
import re
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from studio.errors import DataError

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
FIELD = "policy.params.model"
TIMEOUT = 3.0  # s, of a question to the hub
REMEMBERED = 60.0  # s, for which its answer is kept


def open_model(name: str) -> tuple[Any, Any]:
    """Return a pretrained model, in float32, and its processor.

    Args:
        name: a folder as ``save_pretrained`` writes it, or a name on the Hugging Face hub such as owner/model.

    Raises:
        DataError: a file is missing, the hub cannot be reached, or it is no vision-language model.
    """
    from transformers import AutoModelForImageTextToText

    check_name(name)
    if torch.get_default_device().type == "meta":  # of which no weights are wanted
        return restored_model(name)
    with _plain_problems(name):
        model = AutoModelForImageTextToText.from_pretrained(
            name, dtype="float32", use_safetensors=True, trust_remote_code=False
        )
    return model, _open_processor(name)


def restored_model(folder: str) -> tuple[Any, Any]:
    """Return a model with the configuration in a folder (or of a hub name), its weights still to be loaded, and its
    processor.

    Raises:
        DataError: a file is missing or damaged.
    """
    from transformers import AutoConfig, AutoModelForImageTextToText

    with _plain_problems(folder):
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        model = AutoModelForImageTextToText.from_config(config, dtype="float32", trust_remote_code=False)
    return model, _open_processor(folder)


def save_description(model: Any, processor: Any, folder: Path) -> None:
    """Write all but the weights: the model's configuration, the processor's and the tokenizer."""
    model.config.save_pretrained(folder)
    if model.generation_config is not None:
        model.generation_config.save_pretrained(folder)
    processor.save_pretrained(folder)


def check_name(name: str) -> None:
    """Raise DataError where a folder lacks files, or a hub name is neither in the cache nor to be reached."""
    folder = Path(name).expanduser()
    if folder.is_dir():
        lacking = [] if (folder / "config.json").is_file() else ["config.json"]
        lacking += [] if any((folder / file).is_file() for file in WEIGHTS) else [WEIGHTS[0]]
        lacking += [] if any((folder / file).is_file() for file in PROCESSORS) else [PROCESSORS[0]]
        if lacking:
            raise DataError(
                f"The folder {name} holds no vision-language model: it lacks {' and '.join(lacking)}.",
                FIELD,
                "Name a folder that save_pretrained of model and processor wrote; weights are read from safetensors.",
            )
    elif not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise DataError(
            f"There is no folder {name}.", FIELD, "Check the path, or give a name on the Hugging Face hub: owner/model."
        )
    else:
        unreachable = _unreachable(name, int(time.monotonic() // REMEMBERED))
        if unreachable:
            raise DataError(*unreachable)


@functools.lru_cache(maxsize=32)
def _unreachable(name: str, _period: int) -> tuple[str, str, str] | None:
    """Return why a model of the hub cannot be had, as a DataError's arguments; None where it can.

    An experiment is checked at every edit, so an answer is kept for a while.
    """
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.utils import build_hf_headers

    if isinstance(try_to_load_from_cache(name, "config.json"), str):
        return None
    if constants.HF_HUB_OFFLINE:
        reason = "HF_HUB_OFFLINE is set"
    else:
        asked = urllib.request.Request(hf_hub_url(name, "config.json"), headers=build_hf_headers(), method="HEAD")
        try:
            urllib.request.urlopen(asked, timeout=TIMEOUT).close()
            return None
        except urllib.error.HTTPError as error:
            if error.code in (401, 403, 404):
                remedy = "Check the name (owner/model), and that you may read it: hf auth login."
                return f"The Hugging Face hub offers no model {name}.", FIELD, remedy
            reason = f"status {error.code}"
        except OSError as error:
            reason = " ".join(str(error).split())[:120]
    message = f"The model {name} is not on this machine, and the Hugging Face hub cannot be reached ({reason})."
    return message, FIELD, "Connect to the network, or download the model elsewhere and name its folder."


def _open_processor(name: str) -> Any:
    from transformers import AutoProcessor, ProcessorMixin

    with _plain_problems(name):
        processor = AutoProcessor.from_pretrained(name, trust_remote_code=False)
    if not isinstance(processor, ProcessorMixin):
        raise unusable(name, "it has no processor that reads images and text")
    return processor


@contextlib.contextmanager
def _plain_problems(name: str) -> Iterator[None]:
    """Turn what the library raises over a folder or a name into a DataError, without its progress bars."""
    from transformers.utils import logging

    logging.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError) as error:
        raise unusable(name, " ".join(str(error).split())[:200]) from None


def unusable(name: str, reason: str) -> DataError:
    """Return the error that says why a model cannot be opened."""
    remedy = "Choose a vision-language model (AutoModelForImageTextToText) with safetensors and its processor."
    return DataError(f"The model {name} cannot be opened ({reason}).", FIELD, remedy)
