"""A small vision-language model of SmolVLM's architecture (Idefics3) with random weights, which a CPU can train."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.nn.action_bins import BINS

HEAD = 32  # dimensions of an attention head
IMAGE, FENCE, GLOBAL, END = "<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>"
ACTION = "<action_{}>"
SPECIAL = ("<pad>", "<s>", "</s>", IMAGE, FENCE, GLOBAL, END)  # ids 0 and up
PLACE = 0.5  # root mean square of a position embedding; that of a patch is about the same
WAVES = 16  # cosines that an action token's embedding is mixed from


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
    model = Idefics3ForConditionalGeneration(config)
    initialize(model, len(processor.tokenizer) - BINS)
    return model, processor


@torch.no_grad()
def initialize(model: Any, first_bin: int) -> None:
    """Draw the weights to suit a narrow model.

    The library draws all with a standard deviation of 0.02, which suits widths in the thousands: a layer of 64 inputs
    multiplies their scale by 0.02·√64 = 0.16, and position embeddings are a fraction of the patches'. Here a layer
    keeps its input's scale, position embeddings are waves as large as the patches, and neighboring action tokens, which
    stand for neighboring values, are alike. In a probe of the vision model, its tokens averaged, layers and places of
    this scale (places drawn at random) left 0.09 of the variance of a ball's place after 400 steps, the library's
    weights 0.46; where one token held the whole image, the two were alike (0.17 and 0.15).
    """
    for module in model.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.normal_(module.weight, std=module.weight[0].numel() ** -0.5)
    seen = model.model.vision_model.embeddings
    seen.position_embedding.weight.copy_(_places(seen.num_patches_per_side, seen.embed_dim))
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    nn.init.normal_(embedding)
    width = embedding.shape[1]
    embedding[first_bin : first_bin + BINS] = _neighbors(width)
    head[first_bin : first_bin + BINS] = _neighbors(width) * width**-0.5


def _places(side: int, width: int) -> Tensor:
    """Return position embeddings (side², width): sines and cosines of row and column, up to a quarter of a period from
    one patch to the next."""
    places = torch.linspace(0, 1, side)
    rates = torch.linspace(0.5, max(0.5, math.pi / 2 * (side - 1)), width // 4)
    waves = places[:, None] * rates
    waves = torch.cat([waves.sin(), waves.cos()], 1)  # (side, width / 2)
    across, down = waves.expand(side, -1, -1), waves[:, None].expand(-1, side, -1)
    return math.sqrt(2) * PLACE * torch.cat([across, down], 2).flatten(0, 1)


def _neighbors(width: int) -> Tensor:
    """Return vectors (256, width) that change slowly from one to the next, of a mean square of about 1."""
    orders = torch.arange(1, WAVES + 1)
    waves = torch.cos(math.pi * orders * torch.linspace(0, 1, BINS)[:, None]) * orders**-0.5
    return waves @ torch.randn(WAVES, width) / waves.square().sum(1).mean().sqrt()


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
