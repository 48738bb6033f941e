"""The prompts of a vision-language-action model: image and sentence by the model's own processor, and action tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from studio.instructions import decode
from studio.nn.action_bins import BINS
from studio.nn.small_vlm import ACTION
from studio.nn.vision_language import unusable


def first_bin(tokenizer: Any) -> int:
    """Return the id of the first of 256 action tokens: those that the vocabulary has, or its last ones before what was
    added to it, which are the rarest (OpenVLA, section 3.2)."""
    named = tokenizer.get_vocab().get(ACTION.format(0))
    return int(tokenizer.vocab_size) - BINS if named is None else int(named)


class Prompts:
    """Makes a model's inputs from images and sentences by its own processor.

    Args:
        template: what the model reads behind the image; {instruction} stands for the sentence.
        name: the model's folder or name, for what is said about it.

    Raises:
        DataError: the processor asks for what this studio does not know.
    """

    def __init__(self, processor: Any, template: str, name: str) -> None:
        self.processor, self._template, self._name = processor, template, name
        tokenizer = processor.tokenizer
        tokenizer.padding_side = "left"  # so that the answer follows the prompt at once
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self.first_bin = first_bin(tokenizer)
        try:
            self._begin = (tokenizer.bos_token or "") + processor.image_token
        except AttributeError:
            raise unusable(name, "its processor names no token that stands for an image") from None

    def inputs(self, images: Tensor, sentences: Tensor | str) -> dict[str, Tensor]:
        """Return the inputs for images (n, h, w, 3) uint8 and sentences, one for all or (n, 96) uint8."""
        said = [sentences] * len(images) if isinstance(sentences, str) else decode(sentences.cpu().numpy())
        texts = [self._begin + self._template.replace("{instruction}", sentence) for sentence in said]
        pictures = [[image] for image in images.cpu().numpy()]
        made = self.processor(images=pictures, text=texts, padding=True, add_special_tokens=False, return_tensors="pt")
        if "token_type_ids" in made:
            raise unusable(self._name, "it marks tokens that see those behind them, which no action token may be")
        return {name: value.to(images.device) for name, value in made.items()}

    def followed(self, inputs: Mapping[str, Tensor], tokens: Tensor) -> dict[str, Tensor]:
        """Return inputs with more tokens (n, count) behind them."""
        more = {
            "input_ids": tokens,
            "attention_mask": torch.ones_like(tokens),
            "mm_token_type_ids": torch.zeros_like(tokens),
        }
        return {name: torch.cat([value, more[name]], 1) if name in more else value for name, value in inputs.items()}

    def decoding(self, count: int, vocabulary: int) -> dict[str, Any]:
        """Return how ``generate`` is asked for so many action tokens, the likeliest each, of a model that scores a
        vocabulary of this size."""
        bins = range(self.first_bin, self.first_bin + BINS)
        others = [token for token in range(vocabulary) if token not in bins]
        return {"max_new_tokens": count, "do_sample": False, "suppress_tokens": others}
