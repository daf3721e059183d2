"""What fusions share that pass a memory from modality to modality: the chain, its order, and its coalitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from equimodal.errors import ConfigError
from equimodal.known import HostBuffers
from equimodal.models.fusions.base import Encodings, Presence
from equimodal.models.fusions.decisions import DecisionFusion
from equimodal.models.mapping import CrossModalMapping
from equimodal.models.memory import CrossModalMemory, State


@dataclass(frozen=True)
class Chain:
    """What travels from modality to modality: the memory's state, and the last mapped representation."""

    state: State
    previous: Tensor | None = None  # (B, D)
    seen: Tensor | None = None  # bool (B,): rows where `previous` holds something
    carried: Tensor | None = None  # (B, T): the sum of the modalities' terms

    def detach(self) -> Chain:
        """Return the chain without gradient: between modalities, alternating steps cut it."""
        h, c = self.state
        return replace(self, state=(h.detach(), c.detach()))


@dataclass(frozen=True)
class Visit:
    """One modality's turn, for one prefix of the order or for several at once.

    Args:
        name: the modality.
        encoding: its encodings (B, D).
        carried: the sum of the terms of the sample's modalities so far, this one included, (..., B, T).
        h: the hidden state after it, (..., B, D).
        here: bool (..., B): the sample has the modality.
        before: bool (..., B): the sample has had another modality before.
    """

    name: str
    encoding: Tensor
    carried: Tensor
    h: Tensor
    here: Tensor
    before: Tensor


class ChainFusion(HostBuffers, DecisionFusion):
    """Base of fusions that pass a memory over the modalities in `order`.

    The order and the inherited state are buffers and are saved with the model.

    Args:
        modalities: names.
        width: size of the encodings.
        classes: number of classes.
        feature_level: map encodings into a shared space.
        sample_level: align samples by correlation in training.
        tau: threshold of that correlation.
        bounded: bound what the memory reads.
        rotations: the maps into the shared space are rotations at first.
        gain: factor of the memory's initial weights.
        memory: have a memory at all.
        heads: "shared", one head for all modalities, or "own".
        options: the subclass's own arguments.
    """

    absence = "skipped: the memory's state goes through unchanged"
    order_index: Tensor
    hosted = ("order_index",)

    def __init__(
        self,
        modalities: Sequence[str],
        width: int,
        classes: int,
        *,
        feature_level: bool,
        sample_level: bool,
        tau: float,
        memory: bool,
        heads: str,
        bounded: bool,
        rotations: bool,
        gain: float,
        **options: Any,
    ) -> None:
        super().__init__(
            modalities,
            width,
            classes,
            heads=heads,
            feature_level=feature_level,
            sample_level=sample_level,
            tau=tau,
            memory=memory,
            **options,
        )
        if memory:
            self.mapping = CrossModalMapping(
                self.modalities,
                width,
                feature_level=feature_level,
                sample_level=sample_level,
                tau=tau,
                bounded=bounded,
                rotations=rotations,
            )
            self.memory = CrossModalMemory(width, gain)
        self.remembers = memory
        self.register_buffer("order_index", torch.arange(len(self.modalities)))

    @property
    def order(self) -> tuple[str, ...]:
        """The order in which the modalities are visited, weak to strong."""
        return tuple(self.modalities[i] for i in self.order_index.tolist())

    @order.setter
    def order(self, names: Sequence[str]) -> None:
        self.order_index.copy_(torch.tensor([self.modalities.index(name) for name in names]))

    def own_parts(self, modality: str) -> list[torch.nn.Module]:
        """Return the modality's map into the shared space, and its head if it has one."""
        parts = super().own_parts(modality)
        if self.remembers and modality in self.mapping.maps:
            parts.append(self.mapping.maps[modality])
        return parts

    @contextmanager
    def forgetting(self) -> Iterator[None]:
        """Leave the memory out inside the block: each modality decides by its own encoding, in any order.

        Example:
            >>> from equimodal.models.fusions.memory import MemoryFusion
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

    def start(self, samples: int) -> Chain:
        """Return the chain before its first modality: the inherited state.

        Raises:
            ConfigError: the fusion was made without memory.
        """
        if not self.remembers:
            raise ConfigError(
                "model.fusion_options: the fusion was made with memory: false, but the method trains its memory. "
                "Leave the option out, or switch the memory off in the method's options."
            )
        return Chain(self.memory.start(samples))

    def advance(self, name: str, encoding: Tensor, present: Tensor, chain: Chain) -> Chain:
        """Visit one modality: map and align its encodings (B, D), and update the memory where `present` (B,)."""
        mapped = self.mapping.map(name, encoding)
        aligned = mapped
        if chain.previous is not None and chain.seen is not None:
            aligned = self.mapping.align(mapped, chain.previous, present & chain.seen)
        state = self.memory(self.mapping.bound(aligned), chain.state, present)
        here = present.unsqueeze(-1)
        carried = torch.where(here, self.terms(aligned), 0.0)
        if chain.carried is not None:
            carried = carried + chain.carried
        mapped = mapped.detach()
        if chain.previous is None or chain.seen is None:
            return Chain(state, mapped, present, carried)
        return Chain(state, torch.where(here, mapped, chain.previous), present | chain.seen, carried)

    def terms(self, mapped: Tensor) -> Tensor:
        """Return what is summed over the modalities (..., T): by default the mapped representation (..., D) itself."""
        return mapped

    def contribution(self, visit: Visit) -> tuple[Tensor, Tensor]:
        """Return what a visit adds to the sum of its samples (..., B, F), and which samples it counts for (..., B)."""
        raise NotImplementedError

    def follow(self, encodings: Encodings, present: Presence) -> tuple[Tensor | None, State]:
        """Pass the memory over all modalities, aligned in training; the mean of contributions, and the final state.

        Returns:
            The mean (B, F) over the visits that count, 0 where none does, or None where nothing is present; and the
            state.
        """
        chain = self.start(len(next(iter(encodings.values()))))
        total = count = None
        for name in self.order:
            here = present[name]
            if not here.any():
                continue
            before = torch.zeros_like(here) if chain.seen is None else chain.seen
            chain = self.advance(name, encodings[name], here, chain)
            assert chain.carried is not None
            visit = Visit(name, encodings[name], chain.carried, chain.state[0], here, before)
            value, counts = self.contribution(visit)
            weight = counts.unsqueeze(-1).to(value.dtype)
            total = weight * value if total is None else total + weight * value
            count = weight if count is None else count + weight
        mean = None if total is None or count is None else total / count.clamp(min=1)
        return mean, chain.state

    def follow_coalitions(self, encodings: Encodings, present: Presence, coalitions: Tensor, size: int) -> Tensor:
        """Return the mean of contributions (K, B, F) for each coalition, as `follow` does in evaluation.

        All coalitions that agree on the modalities visited so far share one state: at each modality the cell
        runs, in one call, for the prefixes that end in it.

        Args:
            encodings: by modality (B, D).
            present: by modality bool (B,).
            coalitions: bool (K, n).
            size: F.
        """
        first = next(iter(encodings.values()))
        B, device = len(first), coalitions.device
        ordered = coalitions[:, self.order_index.tolist()]  # columns in the order of the visit
        prefix = torch.zeros_like(coalitions[:, 0], dtype=torch.long)
        h, c = (tensor.unsqueeze(0) for tensor in self.memory.start(B))
        # in evaluation alignment is the identity
        mapped = {name: self.mapping.map(name, encodings[name]) for name in self.order}
        terms = {name: torch.where(present[name].unsqueeze(-1), self.terms(mapped[name]), 0.0) for name in self.order}
        carried = torch.zeros_like(terms[self.order[0]]).unsqueeze(0)
        before = torch.zeros(1, B, dtype=torch.bool, device=device)
        total = first.new_zeros(1, B, size)
        count = first.new_zeros(1, B, 1)
        for position, name in enumerate(self.order):
            distinct, inverse = torch.unique(
                torch.stack([prefix, ordered[:, position].long()], dim=1), dim=0, return_inverse=True
            )
            parent, visits = distinct[:, 0], distinct[:, 1].bool()
            h, c, carried, before, total, count, prefix = (
                h[parent],
                c[parent],
                carried[parent],
                before[parent],
                total[parent],
                count[parent],
                inverse,
            )
            if not visits.any():
                continue
            encoding, here, V = encodings[name], present[name], int(visits.sum())
            carried[visits] += terms[name]
            bounded = self.mapping.bound(mapped[name])
            states = self.memory(
                bounded.repeat(V, 1), (h[visits].flatten(0, 1), c[visits].flatten(0, 1)), here.repeat(V)
            )
            h[visits], c[visits] = (state.unflatten(0, (V, B)) for state in states)
            visit = Visit(name, encoding, carried[visits], h[visits], here.expand(V, B), before[visits])
            value, counts = self.contribution(visit)
            weight = counts.unsqueeze(-1).to(value.dtype)
            total[visits] += weight * value
            count[visits] += weight
            before[visits] |= here
        return (total / count.clamp(min=1))[prefix]
