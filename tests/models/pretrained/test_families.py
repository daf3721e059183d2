"""Every family, with the smallest configuration and new weights."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
import torch

from equimodal.models.encoders.pretrained import Transformers
from equimodal.models.pretrained.modes import lora_targets
from equimodal.modes import set_modes, training_modes
from models.pretrained.tiny import EVERY, options, rows

every = pytest.mark.parametrize(("kind", "model_type"), EVERY)
some = pytest.mark.parametrize(
    ("kind", "model_type"), [("image", "vit"), ("image", "resnet"), ("vector", "wav2vec2"), ("text", "llama")]
)


@cache
def _made(kind: str, model_type: str, mode: str) -> Transformers:
    torch.manual_seed(0)
    return Transformers(**options(kind, model_type, mode=mode)).eval()


def made(kind: str, model_type: str, mode: str = "frozen") -> Transformers:
    return copy.deepcopy(_made(kind, model_type, mode))


def inputs(encoder: Transformers, some: list[Any]) -> dict[str, torch.Tensor]:
    return encoder._collated(some)


@every
def test_a_row_gets_the_same_encoding_in_any_batch(kind, model_type):
    """In one batch with padding, alone, and in another order; the features of a frozen model even to the bit."""
    encoder = made(kind, model_type)
    some = rows(kind)
    together = encoder(inputs(encoder, some))
    assert together.shape == (3, 6)
    assert together.isfinite().all()
    assert (together.std(0) > 0).all()  # rows differ, and so do their encodings
    features = encoder.features(inputs(encoder, some))[0]
    for place in (0, 2):
        assert torch.equal(encoder.features(inputs(encoder, [some[place]]))[0][0], features[place])
    encoder.mode = "full"  # the same weights, as a model that trains computes: the whole batch at once
    with torch.no_grad():
        assert torch.allclose(encoder(inputs(encoder, some)), together, atol=1e-5)
        assert torch.allclose(encoder(inputs(encoder, some[::-1])), together.flip(0), atol=1e-5)


@every
def test_adapters_change_nothing_at_the_start_and_alone_train(kind, model_type):
    frozen, adapted = made(kind, model_type), made(kind, model_type, "lora")
    adapted.norm.load_state_dict(frozen.norm.state_dict())
    adapted.project.load_state_dict(frozen.project.state_dict())
    x = inputs(frozen, rows(kind))
    with torch.no_grad():
        assert torch.allclose(adapted(x), frozen(x), atol=1e-5)
    trained = {name for name, p in adapted.base.named_parameters() if p.requires_grad}
    assert trained
    assert all("lora_" in name for name in trained)
    before = {name: p.detach().clone() for name, p in adapted.named_parameters()}
    step(adapted, x)
    moved = {name for name, p in adapted.named_parameters() if not torch.equal(p, before[name])}
    assert all("lora_" in name or not name.startswith("base.") for name in moved)
    assert any("lora_B" in name for name in moved)


def step(encoder: Transformers, x: dict[str, torch.Tensor]) -> None:
    set_modes(training_modes(encoder))
    learning = [p for p in encoder.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(learning, lr=0.1, weight_decay=0.1)
    encoder(x).square().sum().backward()
    optimiser.step()


@every
def test_a_frozen_model_does_not_move_and_its_head_does(kind, model_type):
    encoder = made(kind, model_type)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    step(encoder, inputs(encoder, rows(kind)))
    assert not any(module.training for module in encoder.base.modules())
    moved = {name for name, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[name])}
    assert moved == {"norm.weight", "norm.bias", "project.weight", "project.bias"}


@some
@pytest.mark.parametrize("mode", ["last", "full"])
def test_what_a_mode_names_trains(kind, model_type, mode):
    encoder = made(kind, model_type, mode)
    x = inputs(encoder, rows(kind))
    trained = {name for name, p in encoder.base.named_parameters() if p.requires_grad}
    everything = {name for name, _ in encoder.base.named_parameters()}
    assert trained < everything if mode == "last" else trained == everything
    step(encoder, x)
    reached = {name for name, p in encoder.base.named_parameters() if p.grad is not None and p.grad.any()}
    assert reached
    assert reached <= trained


def test_last_layers_are_the_last_ones():
    config = {**options("text", "bert")["config"], "num_hidden_layers": 3}
    encoder = Transformers(**options("text", "bert", mode="last", layers=2) | {"config": config})
    trained = {name.split(".")[2] for name, p in encoder.base.named_parameters() if p.requires_grad}
    assert trained == {"1", "2"}


@some
def test_a_saved_state_gives_the_same_encodings(kind, model_type):
    encoder = made(kind, model_type, "lora")
    x = inputs(encoder, rows(kind))
    step(encoder, x)
    torch.manual_seed(9)
    other = Transformers(**encoder.options)
    assert not torch.equal(other.eval()(x), encoder.eval()(x))
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(x), encoder(x))


@pytest.mark.parametrize("model_type", ["llama", "qwen2", "qwen3", "gemma3_text"])
@pytest.mark.parametrize("pooling", ["last", "mean", "attention"])
def test_a_decoder_reads_padding_on_either_side_alike(model_type, pooling):
    torch.manual_seed(0)
    encoder = Transformers(**options("text", model_type, mode="full", pooling=pooling)).eval()
    right = inputs(encoder, rows("text"))
    steps = right["attention_mask"].sum(1)
    left = {
        name: torch.stack([row.roll(int(len(row) - n)) for row, n in zip(values, steps, strict=True)])
        for name, values in right.items()
    }
    assert left["attention_mask"][:, -1].all()
    with torch.no_grad():
        assert torch.allclose(encoder(left), encoder(right), atol=1e-5)
        encoder.mode = "frozen"
        assert torch.allclose(encoder(left), encoder(right), atol=1e-5)


def test_last_token_pooling_is_the_state_after_the_whole_text():
    """Compared with the model alone on one text without padding."""
    encoder = made("text", "llama")
    ids = torch.tensor([encoder.process.tokeniser.numbers("a dog")])
    state = encoder.base(ids).last_hidden_state[0, -1]
    assert torch.allclose(encoder.features_of_rows(["a dog"])[0], state, atol=1e-6)


def test_a_video_is_the_mean_of_its_frames():
    encoder = made("video", "vit")
    video = rows("video", 1)[0]
    frames = [encoder.features(encoder._collated([video]))[0][0]]
    pictures = Transformers(**options("image", "vit"))
    pictures.base.load_state_dict(encoder.base.state_dict())
    each = torch.stack(pictures.features_of_rows([video[0], video[4]]))
    assert torch.allclose(frames[0], each.mean(0), atol=1e-5)


def test_a_prompt_is_part_of_what_a_multimodal_model_reads():
    encoder = made("image", "qwen2_vl")
    other = Transformers(**options("image", "qwen2_vl", prompt="Who?"))
    other.base.load_state_dict(encoder.base.state_dict())
    picture = rows("image", 1)
    assert not torch.allclose(encoder.features_of_rows(picture)[0], other.features_of_rows(picture)[0], atol=1e-4)


@pytest.mark.parametrize("mode", ["frozen", "lora", "full"])
def test_bfloat16_is_near_float32(mode):
    torch.manual_seed(0)
    half = Transformers(**options("image", "vit", mode=mode, dtype="bfloat16")).eval()
    assert next(half.base.parameters()).dtype == (torch.float32 if mode == "full" else torch.bfloat16)
    assert all(p.dtype == torch.float32 for p in half.parameters() if p.requires_grad)
    single = made("image", "vit", mode)
    x = inputs(single, rows("image"))
    assert torch.allclose(half(x), single(x), atol=0.1)
    step(half, x)


@pytest.mark.parametrize("mode", ["lora", "full"])
def test_gradient_checkpointing_gives_the_same_gradients(mode):
    plain = made("image", "vit", mode)
    saving = Transformers(**options("image", "vit", mode=mode, gradient_checkpointing=True))
    saving.load_state_dict(plain.state_dict())
    x = inputs(plain, rows("image"))
    for encoder in (plain, saving):
        set_modes(training_modes(encoder))
        encoder(x).sum().backward()
    assert any(getattr(module, "gradient_checkpointing", False) for module in saving.base.modules())
    for one, other in zip(plain.parameters(), saving.parameters(), strict=True):
        assert (one.grad is None) == (other.grad is None)
        assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-6)


def test_adapters_go_to_attention_and_to_convolutions_where_there_is_none():
    assert {name.rpartition(".")[2] for name in lora_targets(_made("text", "llama", "frozen").base)} == {
        "q_proj", "k_proj", "v_proj", "o_proj",
    }  # fmt: skip
    assert all("convolution" in name for name in lora_targets(_made("image", "resnet", "frozen").base))


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_silence_that_fills_up_a_spectrogram_is_no_token(mode):
    """A token stands for two frames of 10 ms: at 8 kHz, rows of 900 and 1600 samples are 12 and 20 frames."""
    encoder = Transformers(**options("vector", "whisper", pooling="attention", mode=mode)).eval()
    with torch.no_grad():
        assert [len(tokens) for tokens in encoder.features_of_rows(rows("vector", 2))] == [6, 10]


def test_raw_rows_and_prepared_rows_give_the_same():
    encoder = made("image", "vit")
    pictures = rows("image")
    raw = torch.stack([torch.from_numpy(picture) for picture in pictures])
    assert torch.equal(encoder(raw), encoder(inputs(encoder, pictures)))


@pytest.mark.parametrize("model_type", [model_type for kind, model_type in EVERY if kind == "vector"])
def test_a_sound_shorter_than_a_frame_is_filled_up_with_silence(model_type):
    encoder = made("vector", model_type)
    short = [rows("vector", 1)[0][:samples] for samples in (1, 5, 150)]
    found = encoder.features_of_rows(short)
    assert all(one.isfinite().all() for one in found)
    assert not torch.allclose(found[1], found[2])
