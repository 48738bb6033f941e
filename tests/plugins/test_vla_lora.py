"""A vision-language model as policy, its LoRA, and the adapter in a process that knows transformers and PEFT alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models

from plugins.policies.huggingface_vlm import HuggingFaceVLM
from plugins.strategies.lora import LoRA
from plugins.strategies.vla_lora import VLALoRA
from studio.contracts import Batch, EmbodimentSpec
from studio.events import MetricsLogged
from studio.experiment import Experiment
from studio.instructions import encode
from studio.nn.action_bins import ActionBins, binned, centers
from studio.registry import shared_registry
from studio.run.channels import Channels
from studio.run.check import check
from studio.run.session import Session
from studio.store.export import export_run
from studio.store.policies import load_policy_folder, save_policy
from tests import tiny

SMALL = {"width": 32, "layers": 1, "vision_width": 32, "vision_layers": 1, "image_size": 32}

ALONE = """
import sys
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, AutoProcessor

adapter, inputs, first = sys.argv[1], load_file(sys.argv[2]), int(sys.argv[3])
base = AutoModelForImageTextToText.from_pretrained(adapter + "/base_model")
processor = AutoProcessor.from_pretrained(adapter + "/base_model")
model = PeftModel.from_pretrained(base, adapter).eval()
assert len(processor.tokenizer) == first + 256
assert not [name for name in sys.modules if name.split(".")[0] in ("studio", "plugins")]
answered = model.generate(**inputs, max_new_tokens=3, do_sample=False, suppress_tokens=list(range(first)))
print(answered[:, -3:].tolist())
"""


def policy(observation: str = "image", **params: Any) -> HuggingFaceVLM:
    torch.manual_seed(0)
    return HuggingFaceVLM(HuggingFaceVLM.Params(**SMALL, **params), observation)


def bound(found: HuggingFaceVLM, *robots: str) -> HuggingFaceVLM:
    """Return the policy for arms whose actions and positions are spread over [−1, 1]."""
    specs = []
    for robot in robots:
        embodiment = shared_registry().get("embodiments", robot, "")
        limbs = 3 * len(embodiment.limbs)
        spread = {name: np.full(limbs, value) for name, value in (("mean", 0), ("std", 0.5), ("q01", -1), ("q99", 1))}
        joints = {name: np.full(embodiment.dof, value) for name, value in (("mean", 0), ("std", 1))}
        statistics = {"actions": spread, "eef_pos": spread, "joint_pos": joints}
        specs.append(EmbodimentSpec(embodiment, "end_effector", statistics))
    found.bind(specs)
    return found.eval()


def observed(rows: int, width: int = 3, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "image": rng.integers(0, 256, (rows, 32, 32, 3), dtype=np.uint8),
        "eef_pos": rng.uniform(-1, 1, (rows, width)).astype(np.float32),
        "instruction": encode([f"push the red block {row}" for row in range(rows)]),
    }


def batch_of(found: HuggingFaceVLM, rows: int, embodiment: list[int], width: int = 3) -> Batch:
    actions = torch.rand(rows, width, generator=torch.Generator().manual_seed(2)) * 2 - 1
    observations = found.tensors(observed(rows, width))
    return Batch(observations, actions, torch.zeros(rows).long(), torch.tensor(embodiment))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Session, list[float]]:
    """A run that opened a model from a folder, adapted it and saved the adapter; and its losses."""
    place = tmp_path_factory.mktemp("vla")
    opened = policy()
    opened.model.save_pretrained(place / "model")
    opened.prompts.processor.save_pretrained(place / "model")
    changes = {
        "source.episodes": 1,
        "policy.params": {"model": str(place / "model"), "instruction": "touch the red ball"},
        "pretraining.iterations": 0,
        "strategy.params": {"learning_rate": 0.05, "target_modules": ["all_linear"]},
        "budget.iterations": 16,
        "evaluation.episodes": 1,
    }
    session = Session(VLALoRA.examples()["example"].changed(**changes), shared_registry(), Channels(), place)
    published = tiny.listen(session)
    session.run()
    losses = [e.values["loss"] for e in published() if isinstance(e, MetricsLogged) and e.stage == "adapt"]
    return session, losses


def test_vla_lora_of_a_model_folder_lowers_the_loss(adapted: tuple[Session, list[float]]) -> None:
    session, losses = adapted
    assert session.state == "finished" and len(losses) == 16
    assert np.mean(losses[-3:]) < np.mean(losses[:3]) - 0.1


def test_vla_adapter_answers_alike_without_the_studio(adapted: tuple[Session, list[float]], tmp_path: Path) -> None:
    """Base and adapter, loaded by transformers and PEFT in a new process, give the merged policy's tokens."""
    run = adapted[0].folder
    merged, base = load_policy_folder(run / "policy"), load_policy_folder(run / "base")
    seen = merged.tensors(observed(4))
    inputs = merged.inputs(seen, torch.zeros(4).long())
    answers = merged.model.generate(**inputs, **merged.decoding())[:, -3:]
    save_file(inputs, tmp_path / "inputs.safetensors")
    first = merged.prompts.first_bin
    command = [sys.executable, "-c", ALONE, run / "adapter", tmp_path / "inputs.safetensors", str(first)]
    found = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"HF_HUB_OFFLINE": "1"})
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == answers.tolist()
    plain = base.model.generate(**inputs, **base.decoding())[:, -3:]
    assert not torch.equal(plain, answers)
    exported = export_run(run, tmp_path / "exported")
    assert not (exported / "base").exists()  # the adapter holds its base
    ranges = load_file(exported / "adapter" / "robot.safetensors")
    torch.testing.assert_close(ranges["bins.high"].flatten(), merged.bins.high.flatten())


def test_action_bins_follow_the_percentiles() -> None:
    values = torch.linspace(-1, 1, 1001)
    assert (centers(binned(values)) - values).abs().max() <= 1 / 256 + 1e-6
    assert binned(torch.tensor([-7.0, -1.0, 1.0, 7.0])).tolist() == [0, 0, 255, 255]
    bins = ActionBins()
    embodiment = shared_registry().get("embodiments", "franka_7dof", "")
    mask = torch.zeros(1, 32, dtype=torch.bool)
    mask[0, list(embodiment.slots("end_effector"))] = True

    def spec(low: float, high: float) -> EmbodimentSpec:
        ends = {"q01": np.full(3, low), "q99": np.full(3, high)}
        return EmbodimentSpec(embodiment, "end_effector", {"actions": ends})

    bins.bind([spec(-0.5, 0.25)], mask, keep=False)
    row = torch.zeros(1, dtype=torch.long)
    scaled = bins.scaled(torch.tensor([[-0.5, 0.25, -0.125]]), row)
    torch.testing.assert_close(scaled[mask], torch.tensor([-1.0, 1.0, 0.0]))
    torch.testing.assert_close(bins.native(scaled), torch.tensor([[-0.5, 0.25, -0.125]]))
    bins.bind([spec(-1, 1)], mask, keep=True)
    assert bins.high[mask].tolist() == [0.25] * 3  # a token means the same step as before
    bins.bind([spec(-1, 1)], mask, keep=False)
    assert bins.high[mask].tolist() == [1.0] * 3


def test_vlm_answers_what_its_scores_prefer() -> None:
    found = bound(policy("image+instruction"), "ur5_6dof")
    seen = observed(5)
    native, _ = found.act(seen)
    actions = torch.as_tensor(native)
    batch = Batch(found.tensors(seen), actions, torch.zeros(5).long(), torch.zeros(5).long())
    with torch.no_grad():
        _, outputs = found.loss(batch)
    torch.testing.assert_close(found.bins.native(outputs.prediction).clamp(-1, 1), actions, atol=1e-5, rtol=0)


@pytest.mark.parametrize("head", ["tokens", "l1"])
def test_vlm_loss_ignores_padding_behind_a_robot_s_own(head: str) -> None:
    found = bound(policy(head=head), "ur5_6dof", "bimanual_14dof")
    batch = batch_of(found, 4, [0, 1, 0, 1], width=6)
    junk = batch.actions.clone()
    junk[[0, 2], 3:] = 99.0
    seen = {**batch.observations, "eef_pos": batch.observations["eef_pos"].clone()}
    seen["eef_pos"][[0, 2], 3:] = -99.0
    with torch.no_grad():
        first, second = found.loss(batch)[0], found.loss(batch.replace(actions=junk, observations=seen))[0]
        features = found.features(batch)
        frozen = found.loss(batch.replace(features=features))[0]
    assert first == second == frozen and features.shape == (4, found.feature_width)


@pytest.mark.parametrize("head", ["tokens", "l1"])
def test_vlm_acts_alike_after_it_was_saved(head: str, tmp_path: Path) -> None:
    found = bound(policy("image+instruction", head=head), "ur5_6dof")
    save_policy(found, tmp_path / "policy")
    np.testing.assert_array_equal(
        load_policy_folder(tmp_path / "policy").act(observed(3))[0], found.act(observed(3))[0]
    )


def test_vlm_of_another_architecture_opens_from_its_folder(tmp_path: Path) -> None:
    """LLaVA with CLIP: its own classes and processor, whose action tokens are the last of the plain vocabulary."""
    from transformers import (
        CLIPImageProcessorPil,
        LlavaConfig,
        LlavaForConditionalGeneration,
        LlavaProcessor,
        PreTrainedTokenizerFast,
    )

    words = {"<pad>": 0, "<s>": 1, "<image>": 2, **{f"w{number}": 3 + number for number in range(300)}}
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="w0")), pad_token="<pad>", bos_token="<s>"
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>", "<other>"]})
    size = {"num_hidden_layers": 1, "hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2}
    vision = {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8, **size}
    text = {"model_type": "llama", "vocab_size": len(tokenizer), "num_key_value_heads": 2, **size}
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_id=2)
    LlavaForConditionalGeneration(config).save_pretrained(tmp_path)
    edge = {"height": 32, "width": 32}
    images = CLIPImageProcessorPil(size=edge, crop_size=edge)
    LlavaProcessor(
        images, tokenizer, patch_size=8, vision_feature_select_strategy="default", num_additional_image_tokens=1
    ).save_pretrained(tmp_path)
    found = bound(HuggingFaceVLM(HuggingFaceVLM.Params(model=str(tmp_path)), "image+instruction"), "ur5_6dof")
    assert found.prompts.first_bin == 303 - 256 and len(found.prompts.processor.tokenizer) == 304
    loss, _ = found.loss(batch_of(found, 2, [0, 0]))
    loss.backward()
    assert torch.isfinite(loss) and found.act(observed(2))[0].shape == (2, 3)


def test_plain_lora_adapts_a_vlm_with_its_statistics() -> None:
    found = bound(policy(), "ur5_6dof")
    placed: Any = LoRA(LoRA.Params(rank=4)).place(found, 10).base_model.model
    placed.train().loss(batch_of(found, 2, [0, 0]))[0].backward()
    trained = [name for name, parameter in placed.named_parameters() if parameter.grad is not None]
    assert trained and all("lora_" in name for name in trained)


def plan(**changes: Any) -> Experiment:
    return VLALoRA.examples()["example"].changed(**changes)


def test_vlm_checks_find_a_folder_that_lacks_files(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}", encoding="utf-8")
    [problem] = check(plan(**{"policy.params.model": str(tmp_path)}), shared_registry())
    assert problem.field == "policy.params.model" and "model.safetensors and processor_config.json" in problem.message
    [problem] = check(plan(**{"policy.params.model": "no such folder"}), shared_registry())
    assert problem.field == "policy.params.model" and "There is no folder" in problem.message


def test_vlm_checks_find_a_hub_that_is_out_of_reach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    [problem] = check(plan(**{"policy.params.model": "owner/unknown-vlm"}), shared_registry())
    assert problem.field == "policy.params.model" and "cannot be reached" in problem.message and problem.remedy


def test_vla_lora_checks_its_policy_and_layers() -> None:
    [problem] = VLALoRA().check(tiny.experiment())
    assert problem.field == "policy.id"
    [problem] = check(plan(**{"strategy.params.target_modules": ["nothing"]}), shared_registry())
    assert problem.field == "strategy.params.target_modules" and "q_proj" in problem.remedy


def test_vlm_checks_that_something_is_asked_for() -> None:
    [problem] = check(plan(**{"policy.params.instruction": ""}), shared_registry())
    assert problem.field == "policy.params.instruction"
    [problem] = check(plan(**{"policy.params.chunk": 4}), shared_registry())
    assert problem.field == "policy.params.chunk"
    assert check(plan(**{"policy.params.chunk": 4, "policy.params.head": "l1"}), shared_registry()) == []


def test_vlm_l1_head_reads_a_chunk_at_once() -> None:
    found = bound(policy("image+instruction", head="l1", chunk=3), "ur5_6dof")
    batch = batch_of(found, 2, [0, 0])
    chunks = torch.rand(2, 3, 3, generator=torch.Generator().manual_seed(3)) * 2 - 1
    mask = torch.tensor([[True, True, False], [True, True, True]])
    with torch.no_grad():
        loss, outputs = found.loss(batch.replace(actions=chunks, mask=mask))
        chunks[0, 2] = 77.0
        assert found.loss(batch.replace(actions=chunks, mask=mask))[0] == loss
    seen = observed(2)
    first, memory = found.act(seen)
    second, _ = found.act(seen, memory)
    wanted = found.bins.native(outputs.prediction).clamp(-1, 1)
    torch.testing.assert_close(torch.as_tensor(np.stack([first, second], 1)), wanted[:, :2], atol=1e-5, rtol=0)
