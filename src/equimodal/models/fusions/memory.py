"""Fusion by the memory chain: weak to strong, each modality's decision refined by those before it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from equimodal.errors import ConfigError
from equimodal.models.fusions.base import FUSIONS, Encodings, Fusion, Presence, certainty, check_choices
from equimodal.models.initial import for_each
from equimodal.models.mapping import CrossModalMapping
from equimodal.models.memory import CrossModalMemory, State


@dataclass(frozen=True)
class Chain:
    """What travels from modality to modality: the memory's state, and the last mapped representation."""

    state: State
    previous: Tensor | None = None  # (B, D)
    seen: Tensor | None = None  # bool (B,): rows where `previous` holds something

    def detach(self) -> Chain:
        """Return the chain without gradient: between modalities, alternating steps cut it."""
        h, c = self.state
        return replace(self, state=(h.detach(), c.detach()))


@FUSIONS.register("memory")
class MemoryFusion(Fusion):
    """Pass a memory over the modalities in `order`, and average the logits of the steps.

    For each modality m present: align `mapping(z_m)` with the weaker modality's, update the memory, refine
    `r_m = z_m + U dropout(h)`, decide `s_m = head(r_m)`. The result is the mean of `s_m`. The order and
    the inherited state are buffers and are saved with the model.

    Args:
        feature_level: map encodings into a shared space.
        sample_level: align samples by correlation in training.
        tau: threshold of that correlation.
        memory: refine by memory at all; without it this is late fusion with a shared head.
        dropout: dropout of the memory's state on its way into the refinement.
        heads: "shared", one head for all modalities, or "own".
        weights: of the steps' logits: "equal", or "entropy", by how sure each step is of itself, as in late fusion.

    Example:
        >>> fusion = MemoryFusion(["a", "b"], width=4, classes=3)
        >>> here = torch.tensor([True, False])
        >>> fusion({"a": torch.ones(2, 4), "b": torch.ones(2, 4)}, {"a": ~here | here, "b": here}).shape
        torch.Size([2, 3])

    Source: Shi et al., arXiv 2506.00030.
    """

    absence = "skipped: the memory's state goes through unchanged"
    order_index: Tensor

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        feature_level: bool = True,
        sample_level: bool = True,
        tau: float = 0.5,
        memory: bool = True,
        dropout: float = 0.5,
        heads: str = "shared",
        weights: str = "equal",
    ) -> None:
        super().__init__(
            modalities,
            width,
            classes,
            feature_level=feature_level,
            sample_level=sample_level,
            tau=tau,
            memory=memory,
            dropout=dropout,
            heads=heads,
            weights=weights,
        )
        check_choices("memory", heads=(heads, ("own", "shared")), weights=(weights, ("equal", "entropy")))
        if memory:
            self.mapping = CrossModalMapping(
                self.modalities, width, feature_level=feature_level, sample_level=sample_level, tau=tau
            )
            self.memory = CrossModalMemory(width, dropout)
        self.remembers = memory
        self.shared = heads == "shared"
        self.weights = weights
        self.heads = for_each(("shared",) if self.shared else self.modalities, lambda _: nn.Linear(width, classes))
        self.register_buffer("order_index", torch.arange(len(self.modalities)))

    @property
    def order(self) -> tuple[str, ...]:
        """The order in which the modalities are visited, weak to strong."""
        return tuple(self.modalities[i] for i in self.order_index.tolist())

    @order.setter
    def order(self, names: Sequence[str]) -> None:
        self.order_index.copy_(torch.tensor([self.modalities.index(name) for name in names]))

    def own_parts(self, modality: str) -> list[nn.Module]:
        """Return the modality's map into the shared space, and its head if it has one."""
        parts: list[nn.Module] = [] if self.shared else [self.heads[modality]]
        if self.remembers and modality in self.mapping.maps:
            parts.append(self.mapping.maps[modality])
        return parts

    def head(self, modality: str) -> nn.Module:
        """Return the head that reads a modality's encodings."""
        return self.heads["shared" if self.shared else modality]

    def start(self, samples: int) -> Chain:
        """Return the chain before its first modality: the inherited state.

        Raises:
            ConfigError: the fusion was made without memory.
        """
        if not self.remembers:
            raise ConfigError(
                "fusion 'memory', option 'memory': it is false, but the method trains the memory in its steps. "
                "Leave the option out, or switch the memory off in the method's options."
            )
        return Chain(self.memory.start(samples))

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Leave out the refinement inside the block: each modality decides by its own encoding, in any order.

        Example:
            >>> fusion = MemoryFusion(["a", "b"], width=4, classes=3)
            >>> with fusion.forgetting():
            ...     fusion.remembers
            False
        """
        remembers, self.remembers = self.remembers, False
        try:
            yield
        finally:
            self.remembers = remembers

    @contextmanager
    def fixed_heads(self) -> Iterator[None]:
        """Let no gradient of what is computed inside the block reach the heads.

        Example:
            >>> fusion = MemoryFusion(["a", "b"], width=4, classes=3)
            >>> with fusion.fixed_heads():
            ...     any(parameter.requires_grad for parameter in fusion.heads.parameters())
            False
        """
        learning = [parameter for parameter in self.heads.parameters() if parameter.requires_grad]
        for parameter in learning:
            parameter.requires_grad_(False)
        try:
            yield
        finally:
            for parameter in learning:
                parameter.requires_grad_(True)

    def step(self, name: str, encoding: Tensor, present: Tensor, chain: Chain) -> tuple[Tensor, Chain]:
        """Visit one modality.

        Args:
            name: the modality.
            encoding: its encodings (B, D).
            present: bool (B,).
            chain: what the weaker modalities left.

        Returns:
            The step's logits (B, C), and the chain for the next modality. Rows where the modality is absent have
            meaningless logits and an unchanged state.
        """
        mapped = self.mapping.map(name, encoding)
        aligned = mapped
        if chain.previous is not None and chain.seen is not None:
            aligned = self.mapping.align(mapped, chain.previous, present & chain.seen)
        state = self.memory(aligned, chain.state, present)
        logits = self.head(name)(self.memory.refine(encoding, state))
        return logits, Chain(state, *self._remember(mapped.detach(), present, chain))

    @staticmethod
    def _remember(mapped: Tensor, present: Tensor, chain: Chain) -> tuple[Tensor, Tensor]:
        if chain.previous is None or chain.seen is None:
            return mapped, present
        return torch.where(present.unsqueeze(-1), mapped, chain.previous), present | chain.seen

    def run(self, encodings: Encodings, present: Presence) -> tuple[Tensor, State | None]:
        """Return the averaged logits (B, C) and the memory's final state."""
        first = next(iter(encodings.values()))
        chain = self.start(len(first)) if self.remembers else None
        total = first.new_zeros(len(first), self.classes)
        weights = first.new_zeros(len(first), 1)
        for name in self.order:
            mask = present[name]
            if not mask.any():
                continue
            if chain is None:
                logits = self.head(name)(encodings[name])
            else:
                logits, chain = self.step(name, encodings[name], mask, chain)
            weight = self._weight(logits, mask)
            total, weights = total + weight * logits, weights + weight
        return total / _positive(weights), chain.state if chain else None

    def _weight(self, logits: Tensor, present: Tensor) -> Tensor:
        """Return the weight (..., B, 1) of a step's logits (..., B, C); 0 where the modality is absent."""
        here = present.unsqueeze(-1)
        if self.weights == "equal":
            return here.to(logits.dtype).expand(*logits.shape[:-1], 1)
        return torch.where(here, certainty(logits).unsqueeze(-1).to(logits.dtype), 0.0)

    def forward(self, encodings: Encodings, present: Presence) -> Tensor:
        """Return logits (B, C)."""
        return self.run(encodings, present)[0]

    def coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor) -> Tensor:
        """Return logits (K, B, C), one cell call for each distinct prefix of a coalition in the order.

        All coalitions that agree on the modalities visited so far share one state; at each modality the cell
        runs, in one call, for the prefixes that end in it.
        """
        order = self.order_index.tolist()
        ordered = coalitions[:, order]  # columns in the order of the visit
        B = len(next(iter(encodings.values())))
        prefix = torch.zeros(len(coalitions), dtype=torch.long, device=coalitions.device)
        states = [tensor.unsqueeze(0) for tensor in self.memory.start(B)] if self.remembers else []
        dtype = next(iter(encodings.values())).dtype
        total = torch.zeros(1, B, self.classes, dtype=dtype, device=coalitions.device)
        weights = torch.zeros(1, B, 1, dtype=dtype, device=coalitions.device)
        for position, name in enumerate(self.order):
            distinct, inverse = torch.unique(
                torch.stack([prefix, ordered[:, position].long()], dim=1), dim=0, return_inverse=True
            )
            parent, visits = distinct[:, 0], distinct[:, 1].bool()
            states = [tensor[parent] for tensor in states]
            total, weights, prefix = total[parent], weights[parent], inverse
            if not visits.any():
                continue
            encoding, here = encodings[name], present[name]
            logits = self._visit(name, encoding, here, states, visits)
            weight = self._weight(logits, here)
            total[visits] += weight * logits
            weights[visits] += weight
        return (total / _positive(weights))[prefix]

    def _visit(self, name: str, encoding: Tensor, present: Tensor, states: list[Tensor], visits: Tensor) -> Tensor:
        """Update `states` (P, B, D) of the visiting prefixes in place; return their step logits (V, B, C)."""
        if not self.remembers:
            return self.head(name)(encoding).unsqueeze(0)
        V, B = int(visits.sum()), len(encoding)
        mapped = self.mapping.map(name, encoding)  # in evaluation alignment is the identity
        h, c = self.memory(
            mapped.repeat(V, 1),
            (states[0][visits].flatten(0, 1), states[1][visits].flatten(0, 1)),
            present.repeat(V),
        )
        refined = self.memory.refine(encoding.repeat(V, 1), (h, c))
        states[0][visits], states[1][visits] = h.unflatten(0, (V, B)), c.unflatten(0, (V, B))
        return self.head(name)(refined).unflatten(0, (V, B))


def _positive(weights: Tensor) -> Tensor:
    return torch.where(weights > 0, weights, 1.0)
