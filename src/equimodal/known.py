"""Tensors of a device whose values the host knows too, so that a question about them does not wait for the device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

_MOVES = (Tensor.to, Tensor.cuda)
"""Functions that may change the device."""

_INDEXING = (Tensor.__getitem__, Tensor.__setitem__, Tensor.index_put, torch.index_put)
"""Functions whose second argument may be masks: on the device, they would have to be counted."""


class Known(Tensor):
    """A tensor of a device whose values are kept on the host, where they came from.

    A device works through what it is asked to do one after the other. The host can go ahead, until it asks for a value
    (`.item()`, `if mask.any()`, `x[mask]`): then it waits, and afterwards the device waits for it. What a batch *has*
    (presence, labels, lengths) came from the host, so that it need not ask. What is made of such tensors alone is
    computed on the host, and is known too; with another tensor of the device it is an ordinary tensor. Values are
    uploaded when they are first needed there.

    `known` makes one. Tensors of the CPU are never of this class.

    Args:
        host: the values, on the CPU.
        device: where the tensor counts as being.

    Example:
        >>> mask = known(torch.tensor([True, False, True]), "meta")
        >>> both = mask & ~mask
        >>> mask.device.type, int(mask.sum()), bool(both.any())
        ('meta', 2, False)
        >>> torch.empty(3, 4, device="meta")[mask].shape  # on the device the host could not know how many rows
        torch.Size([2, 4])
    """

    host: Tensor
    _there: tuple[int, Tensor] | None  # the version of the values that was uploaded, and what became of it

    @staticmethod
    def __new__(cls, host: Tensor, device: torch.device) -> Known:  # noqa: D102
        made = Tensor._make_wrapper_subclass(cls, host.shape, dtype=host.dtype, device=device)  # pyright: ignore
        made.host, made._there = host, None
        return made

    def on_device(self) -> Tensor:
        """Return the values as an ordinary tensor of the device; they are uploaded at the first time."""
        version = self.host._version
        if self._there is None or self._there[0] != version:
            self._there = version, upload(self.host, self.device)
        return self._there[1]

    def __repr__(self, **_: Any) -> str:
        return f"known({self.host!r}, device='{self.device}')"

    @classmethod
    def __torch_function__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Compute on the host what it can know, and on the device all else."""
        kwargs, name, first = kwargs or {}, getattr(func, "__name__", ""), args[0] if args else None
        with torch._C.DisableTorchFunctionSubclass():
            if name == "__get__":
                return func(*args)
            if isinstance(first, Known) and _in_place(name):  # the values stay known, even if they must be fetched
                func(*_each(_on_host, args), **_each(_on_host, kwargs))
                return first
            device, *others = _devices((args, kwargs)) or (None,)
            if func is Tensor.to and device is not None:
                args, kwargs = _without_device(args, kwargs, device)
                if not args[1:] and not kwargs:
                    return first
            if device is not None and not others and "device" not in kwargs and not _moves(func, args, kwargs):
                found = func(*_each(_on_host, args), **_each(_on_host, kwargs))
                if name == "cpu":
                    return found.clone()
                again = _known_again(tuple(found) if name == "__iter__" else found, device)
                return iter(again) if name == "__iter__" else again
            if func in _INDEXING:
                args = (first, _numbers_of_rows(args[1]), *args[2:])
            return func(*_each(_on_device, args), **_each(_on_device, kwargs))

    @classmethod
    def __torch_dispatch__(
        cls, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Answer what reaches torch without its Python interface from what is on the device."""
        return func(*_each(_on_device, args), **_each(_on_device, kwargs or {}))


def known(values: Tensor, device: torch.device | str) -> Tensor:
    """Return a tensor on `device` whose values the host knows, where they came from the CPU.

    On the CPU itself every tensor is known, and is returned as it is.
    """
    device = torch.device(device)
    if values.device.type == "cpu" != device.type:
        return Known(values, device)
    return values if values.device.type == device.type else values.to(device)


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Return a tensor on `device`; one of the CPU gets there without waiting for the device."""
    if tensor.device.type == "cpu" and device.type == "cuda":
        tensor = tensor.pin_memory()  # or the driver may wait before it copies
    return tensor.to(device, non_blocking=device.type != "cpu")


class Arriving:
    """The values of a device's tensor on their way to the host, to be read when they have long arrived.

    Args:
        tensor: what is copied as it is now; a tensor of the CPU is not copied.

    Example:
        >>> Arriving(torch.ones(2)).read()
        tensor([1., 1.])
    """

    def __init__(self, tensor: Tensor) -> None:
        self._source, self._version, self._host, self._event = tensor, tensor._version, tensor, None
        if tensor.device.type == "cuda":
            self._host = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
            self._host.copy_(tensor, non_blocking=True)
            self._event = torch.cuda.current_stream(tensor.device).record_event()

    def read(self) -> Tensor:
        """Return the values on the CPU: those of now, if the tensor has changed since."""
        if self._source._version != self._version:
            return self._source.cpu()
        if self._event is not None:
            self._event.synchronize()  # with that copy alone, not with what the device was asked to do after it
        return self._host.cpu()


class HostBuffers(nn.Module):
    """A module of which some buffers stay on the CPU when the others go to a device: the host reads them in each step.

    Example:
        >>> class Counting(HostBuffers):
        ...     hosted = ("count",)
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.register_buffer("count", torch.zeros(()))
        ...         self.register_buffer("mean", torch.zeros(3))
        >>> [buffer.device.type for buffer in Counting().to("meta").buffers()]
        ['cpu', 'meta']
    """

    hosted: ClassVar[tuple[str, ...]] = ()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        kept = {name: self._buffers[name] for name in self.hosted}
        super()._apply(fn, recurse)
        self._buffers.update(kept)
        return self


def _in_place(name: str) -> bool:
    """Return whether a function of this name changes its first argument."""
    if name.startswith("__"):
        return name == "__setitem__" or name in _AUGMENTED
    return name.endswith("_")


_AUGMENTED = tuple(f"__i{name}__" for name in ("and", "or", "xor", "add", "sub", "mul", "truediv", "floordiv", "mod"))


def _moves(func: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return func in _MOVES and not any(isinstance(each, torch.dtype) for each in (*args[1:2], kwargs.get("dtype")))


def _without_device(
    args: tuple[Any, ...], kwargs: dict[str, Any], device: torch.device
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of `Tensor.to` without the device that the tensor is on already: it does not move."""
    named = kwargs.get("device", next(iter(args[1:2]), None))
    if not isinstance(named, (str, torch.device)) or torch.device(named) != device:
        return args, kwargs
    left = {key: value for key, value in kwargs.items() if key not in ("device", "non_blocking")}
    if "device" in kwargs:
        return args, left
    return (args[0], *args[2:3]), left


def _each(change: Callable[[Tensor], Tensor], value: Any) -> Any:
    """Return arguments with every tensor changed; sequences and mappings of them too."""
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)([_each(change, item) for item in value])
    if isinstance(value, dict):
        return {key: _each(change, item) for key, item in value.items()}
    return value


def _devices(value: Any) -> set[torch.device | None]:
    """Return the devices of the tensors among the arguments; None stands for one that the host does not know."""
    if isinstance(value, Tensor):
        return {value.device if isinstance(value, Known) else None}
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (tuple, list)):
        return {device for item in value for device in _devices(item)}
    return set()


def _on_host(tensor: Tensor) -> Tensor:
    return tensor.host if isinstance(tensor, Known) else tensor.cpu()


def _on_device(tensor: Tensor) -> Tensor:
    return tensor.on_device() if isinstance(tensor, Known) else tensor


def _known_again(value: Any, device: torch.device) -> Any:
    return _each(lambda tensor: Known(tensor, device), value)


def _numbers_of_rows(index: Any) -> Any:
    """Return an index with the masks that the host knows replaced by the numbers of their rows."""
    if isinstance(index, Known) and index.dtype == torch.bool and index.ndim > 0:
        return tuple(Known(numbers, index.device) for numbers in index.host.nonzero(as_tuple=True))
    if isinstance(index, tuple):
        parts = [_numbers_of_rows(part) for part in index]
        return tuple(item for part in parts for item in (part if isinstance(part, tuple) else (part,)))
    return index
