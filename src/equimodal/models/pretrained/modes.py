"""What of a pretrained model trains: nothing, low-rank adapters, its last layers, or all of it."""

from __future__ import annotations

from typing import Any, Literal, cast

from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.extras import need
from equimodal.models.pretrained.families import Architecture

Mode = Literal["frozen", "lora", "last", "full"]

_ATTENTION = {
    "query", "key", "value", "q_proj", "k_proj", "v_proj", "out_proj", "o_proj",
    "q_lin", "k_lin", "v_lin", "q", "k", "v", "o", "qkv", "Wqkv", "attn",
}  # fmt: skip
"""Names of the linear maps of attention, in the models that are known."""

_NORMS = ("norm", "layernorm", "layer_norm", "ln_f", "post_layernorm", "final_norm")


def apply_mode(
    model: nn.Module, architecture: Architecture, mode: Mode, *, layers: int, rank: int, alpha: float
) -> nn.Module:
    """Say what of a model trains, and return it.

    Args:
        model: the model; all of it trains.
        architecture: what is known of it.
        mode: "frozen" nothing; "lora" low-rank adapters of its attention (Hu et al., 2022), which change nothing at the
            start; "last" its last layers and the norm behind them; "full" all of it.
        layers: how many last layers.
        rank: of the adapters.
        alpha: their scale is `alpha / rank`.

    Raises:
        ConfigError: it has not so many layers.
    """
    if mode == "full":
        return model
    model.requires_grad_(False)
    if mode == "lora":
        peft = need("peft")
        settings = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=lora_targets(model), lora_dropout=0.0)
        model = peft.inject_adapter_in_model(settings, model)
        for name, parameter in model.named_parameters():
            adapter = "lora_" in name
            parameter.requires_grad_(adapter)
            if adapter:
                parameter.data = parameter.data.float()  # small steps vanish in bfloat16
    elif mode == "last":
        train_last(model, architecture, layers)
    return model


def lora_targets(model: nn.Module) -> list[str]:
    """Return the names of the layers that get adapters.

    These are the linear maps of attention; where there is none, all linear maps; where there is none either, the
    convolutions that see more than one pixel.
    """
    linear = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]
    attention = [name for name in linear if name.rpartition(".")[2] in _ATTENTION]
    convolutions = [
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.Conv2d) and module.kernel_size[0] > 1 and module.groups == 1
    ]
    return attention or linear or convolutions


def train_last(model: nn.Module, architecture: Architecture, count: int) -> None:
    """Let the last layers of a frozen model train, and the norm behind them.

    Raises:
        ConfigError: it has not so many layers.
    """
    trunk = model if architecture.trunk is None else model.get_submodule(architecture.trunk)
    stacks = {
        name: module for name, module in trunk.named_modules() if isinstance(module, nn.ModuleList) and len(module)
    }
    outer = [name for name in stacks if not any(name.startswith(f"{other}.") for other in stacks)]
    name = max(outer, key=lambda name: sum(p.numel() for p in stacks[name].parameters()))
    stack = stacks[name]
    if not 1 <= count <= len(stack):
        raise ConfigError(f"layers: expected 1 to {len(stack)}, as many as the model has, got {count}.")
    for layer in list(stack)[-count:]:
        layer.requires_grad_(True)
    above = trunk.get_submodule(name.rpartition(".")[0])
    for holder in (above, trunk):
        for below, module in holder.named_children():
            if below in _NORMS:
                module.requires_grad_(True)


def save_memory(model: Any) -> None:
    """Let a model compute the inside of its layers twice in training, in place of keeping it."""
    enable = getattr(model, "activation_checkpointing_enable", None) or model.gradient_checkpointing_enable
    enable({"use_reentrant": False})  # the other way finds no gradient where the first layer is frozen


def added_by_lora(model: nn.Module, rank: int) -> int:
    """Return how many parameters adapters of a rank add."""
    total = 0
    for name in lora_targets(model):
        out, into, *kernel = cast(Tensor, model.get_submodule(name).weight).shape
        window = kernel[0] * kernel[1] if kernel else 1
        total += rank * (into * window + out)
    return total
