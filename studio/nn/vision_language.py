"""Vision-language models of the transformers library: opened from a folder or a hub name, or newly made and small.

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from studio.errors import DataError
from studio.nn.action_bins import BINS

WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PROCESSORS = ("processor_config.json", "preprocessor_config.json")
FIELD = "policy.params.model"
HEAD = 32  # dimensions of an attention head of a new model
TIMEOUT = 3.0  # s, of a question to the hub
REMEMBERED = 60.0  # s, for which its answer is kept
IMAGE, FENCE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"
ACTION = "<action_{}>"
SPECIAL = ("<pad>", "<s>", "</s>", IMAGE, FENCE, GLOBAL, END)  # ids 0 and up


@dataclass(frozen=True)
class Sizes:
    """Sizes of a new model. Images are squares of ``image`` pixels, cut into patches of ``patch`` pixels, of which
    ``merge`` × ``merge`` become one token."""

    width: int
    layers: int
    vision_width: int
    vision_layers: int
    patch: int
    merge: int
    image: int


def new_model(sizes: Sizes) -> tuple[Any, Any]:
    """Return a model of SmolVLM's architecture (Idefics3) with random weights, and its processor.

    The tokenizer knows bytes, and 256 action tokens behind them.

    Raises:
        ValueError: the sizes do not fit each other.
    """
    from transformers import Idefics3Config, Idefics3ForConditionalGeneration

    step = sizes.patch * sizes.merge
    if sizes.image % step:
        raise ValueError(f"images of {sizes.image} pixels cannot be cut into squares of {step}, a token's patches")
    tokens = (sizes.image // step) ** 2
    processor = _processor(sizes.image, tokens)
    text = {
        "model_type": "llama",
        "vocab_size": len(processor.tokenizer),
        "hidden_size": sizes.width,
        "intermediate_size": 2 * sizes.width,
        "num_hidden_layers": sizes.layers,
        **_heads(sizes.width),
        "num_key_value_heads": _heads(sizes.width)["num_attention_heads"],
        "max_position_embeddings": tokens + 512,
        "pad_token_id": 0,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    vision = {
        "hidden_size": sizes.vision_width,
        "intermediate_size": 2 * sizes.vision_width,
        "num_hidden_layers": sizes.vision_layers,
        **_heads(sizes.vision_width),
        "image_size": sizes.image,
        "patch_size": sizes.patch,
    }
    config = Idefics3Config(
        vision_config=vision,
        text_config=text,
        scale_factor=sizes.merge,
        image_token_id=SPECIAL.index(IMAGE),
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    return Idefics3ForConditionalGeneration(config), processor


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


def _heads(width: int) -> dict[str, int]:
    """Return the attention's heads for a width, of 32 dimensions each."""
    if width % HEAD:
        raise ValueError(f"a width of {width} is no multiple of {HEAD}")
    return {"num_attention_heads": width // HEAD}


def _processor(image: int, tokens: int) -> Any:
    """Return the processor of a new model: images of so many pixels, which become so many tokens; text as bytes."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import Idefics3ImageProcessorPil, Idefics3Processor, PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {word: place for place, word in enumerate([*SPECIAL, *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, normalized=False) for word in SPECIAL])
    tokenizer.add_tokens([AddedToken(ACTION.format(number), normalized=False) for number in range(BINS)])
    words = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", bos_token="<s>", eos_token="</s>", padding_side="left"
    )
    half, size = [0.5] * 3, {"longest_edge": image}
    images = Idefics3ImageProcessorPil(
        size=size, max_image_size=size, do_image_splitting=False, image_mean=half, image_std=half
    )
    return Idefics3Processor(images, words, image_seq_len=tokens)
