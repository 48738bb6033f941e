"""Encoders of instructions: the small one, and pretrained ones in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from plugins.policies.token_transformer import TokenTransformer
from studio.errors import DataError
from studio.instructions import encode
from studio.nn.character_encoder import CharacterEncoder
from studio.nn.pretrained_text import PretrainedEncoder
from studio.nn.text_encoders import check_text_encoder, text_encoder
from studio.registry import Registry
from studio.sim.domains import resolve
from tests.plugins.test_language_tasks import domain

SAID = ["push the red block", "push the blue block", "把红色方块推到左边的垫子上", ""]


def rows(sentences: list[str]) -> torch.Tensor:
    return torch.as_tensor(encode(sentences))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny BERT of random weights that knows a few English words."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    known = ["push", "slide", "the", "red", "green", "blue", "block", "cube", "to", "onto", "left", "right", "pad"]
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *known]
    tokens = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(tokens, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    made = tmp_path_factory.mktemp("encoder")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(made)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(words), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertModel(config).save_pretrained(made)
    return made


@pytest.mark.parametrize("name", ["characters", "words"])
def test_character_encoder_tells_sentences_apart_wherever_they_stand(name: str) -> None:
    torch.manual_seed(0)
    encoder = text_encoder(name, 8)
    found = encoder(rows(SAID))
    assert found.shape == (4, 8) and torch.pdist(found).min() > 1e-3
    torch.testing.assert_close(encoder(rows(SAID[1:2])), found[1:2])  # whatever is read beside it
    found.sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_words_mean_the_same_beside_others() -> None:
    """Only the filters that find a color answer to it, so its effect is the same beside either side."""
    torch.manual_seed(0)
    encoder = text_encoder("words", 8)
    assert isinstance(encoder, CharacterEncoder)
    with torch.no_grad():  # a filter for a letter of each of two colors, and of each of two sides
        encoder.filters.weight.zero_()
        encoder.filters.bias.zero_()
        for place, letter in enumerate("GRLT"):
            code = encoder.embedding.weight[ord(letter)]
            encoder.filters.weight[place, :, 4] = code / code.square().sum()
            others = [ord(c) for c in "GRLT " if c != letter]
            encoder.filters.bias[place] = -(encoder.embedding.weight[others] @ code / code.square().sum()).max()
    found = encoder(rows(["G L", "R L", "G T", "R T"]))
    torch.testing.assert_close(found[0] - found[1], found[2] - found[3])


def test_pretrained_encoder_is_frozen_and_left_out_of_the_weights(folder: Path) -> None:
    encoder = text_encoder(str(folder), 8)
    assert isinstance(encoder, PretrainedEncoder)
    found = encoder(rows(SAID))
    assert found.shape == (4, 8) and torch.pdist(found[:2]).min() > 1e-4
    assert set(encoder.state_dict()) == {"last.weight", "last.bias", "weights_hash"}
    assert len(list(encoder.parameters())) == 2
    torch.testing.assert_close(encoder(rows(SAID[1:2])), found[1:2])


def test_pretrained_encoder_reads_each_sentence_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from studio.nn.pretrained_text import FrozenEncoder

    read: list[str] = []
    encode_them = FrozenEncoder._encode

    def count(self: FrozenEncoder, sentences: list[str]) -> torch.Tensor:
        read.extend(sentences)
        return encode_them(self, sentences)

    monkeypatch.setattr(FrozenEncoder, "_encode", count)
    frozen = FrozenEncoder(folder)
    for _ in range(2):
        frozen.embed(rows(["push left", "push right", "push left"]))
    assert sorted(read) == ["push left", "push right"]


def test_weights_of_another_encoder_are_refused(folder: Path) -> None:
    encoder = text_encoder(str(folder), 8)
    state = encoder.state_dict() | {"weights_hash": torch.zeros(32, dtype=torch.uint8)}
    with pytest.raises(DataError, match="another text encoder"):
        encoder.load_state_dict(state)


def problems(name: str, *languages: str) -> list[Any]:
    asked = domain(instructions={"languages": languages})
    return check_text_encoder(name, {"target": resolve(asked, Registry())})


def test_encoder_that_cannot_read_is_a_problem(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not problems(str(folder), "english") and not problems("characters", "english", "chinese")
    (unread,) = problems(str(folder), "english", "chinese")
    assert "same tokens" in unread.message and "chinese" in unread.remedy
    (missing,) = problems("some/model", "english")
    assert "no text encoder 'some/model'" in missing.message
    (incomplete,) = problems(str(tmp_path), "english")
    assert "lacks config.json" in incomplete.message
    monkeypatch.setattr("studio.nn.pretrained_text.PACKAGE", "no_such_package")
    (absent,) = problems("minilm", "english")
    assert "language" in absent.remedy
    assert {p.field for p in (unread, missing, incomplete, absent)} == {"policy.params.text_encoder"}


def test_policy_acts_on_what_it_reads(folder: Path) -> None:
    sizes = {"width": 16, "layers": 1, "points": 4, "channels": 8}
    seen = {"image": torch.zeros(3, 32, 32, 3, dtype=torch.uint8), "joint_pos": torch.zeros(3, 7)}
    seen |= {"eef_pos": torch.zeros(3, 3), "instruction": rows([*SAID[:2], SAID[0]])}
    for name in ("characters", "words", str(folder)):
        torch.manual_seed(0)
        policy = TokenTransformer(TokenTransformer.Params(**sizes, text_encoder=name), "image+instruction").eval()
        policy.spaces.joint_mask[0, :7] = policy.spaces.end_effector_mask[0, :3] = True
        said = policy({key: torch.as_tensor(value) for key, value in seen.items()})
        assert (said[0] - said[1]).abs().max() > 1e-6
        torch.testing.assert_close(said[0], said[2])
