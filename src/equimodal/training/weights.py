"""The best weights of a run, and those that a trial phase restores."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from equimodal.errors import RunError
from equimodal.methods.base import Method
from equimodal.models.classifier import Classifier
from equimodal.models.encoders.base import Encoder
from equimodal.models.state import base_of
from equimodal.tables.words import size_in_words
from equimodal.training.checkpoint import load_tensors, save_tensors, with_prefix
from equimodal.training.folder import changed_files

MODEL = "model.safetensors"
BASE = "base.safetensors"
"""The frozen tensors of encoders that are rebuilt by name, written once; those of modules given, and those that are
loaded from their source again, are not saved."""


class Weights:
    """Keep and restore what training moves of a model; on the disk where the run has a folder, else in memory.

    A trial (see `Phase`) has best weights of its own. At its end everything that training moves is as it was: the
    model, and the method's parameters. The method's buffers stay: they are what it learns from the trial.

    Args:
        method: with its model.
        folder: of the run, or None.
    """

    def __init__(self, method: Method, folder: Path | None) -> None:
        self.method, self.folder = method, folder
        self._best: dict[bool, dict[str, Tensor]] = {}
        self._before: dict[str, Tensor] | None = None
        self._specification: dict[str, Any] | None = None

    @property
    def in_trial(self) -> bool:
        """Whether a trial has begun and not ended."""
        return self._before is not None

    @property
    def specification(self) -> dict[str, Any]:
        """What rebuilds the model; made once, since the checksum of a frozen base takes time."""
        if self._specification is None:
            self._specification = self.method.model.specification()
        return self._specification

    def path(self) -> Path | None:
        """Return the file of the best weights."""
        if self.folder is None:
            return None
        return self.folder / ("checkpoint/trial.safetensors" if self.in_trial else MODEL)

    def keep_best(self) -> None:
        """Keep the model's weights as the best."""
        path = self.path()
        if path is None:
            self._best[self.in_trial] = _clone(self.method.model.trained_state())
        else:
            save_model(path, self.method, self.specification)

    def restore_best(self) -> None:
        """Give the model the best weights, if any were kept."""
        path = self.path()
        state = self._best.get(self.in_trial) if path is None else load_tensors(path)[0]
        if state is not None:
            self.method.model.load_state(state)

    def begin_trial(self) -> None:
        """Remember everything that training moves."""
        self._before = _clone(self._moved())

    def end_trial(self) -> None:
        """Restore everything as it was before the trial."""
        now = self._moved()
        with torch.no_grad():
            for name, tensor in (self._before or {}).items():
                now[name].copy_(tensor)
        path = self.path()
        if path is not None:
            path.unlink(missing_ok=True)
        self._before = None
        self._best.pop(True, None)

    def state_dict(self) -> dict[str, Tensor]:
        """Return what a checkpoint must hold: what the trial in progress restores at its end."""
        return dict(self._before or {})

    def load_state_dict(self, state: dict[str, Tensor]) -> None:
        """Set the state from `state_dict`."""
        self._before = dict(state) or None

    def _moved(self) -> dict[str, Tensor]:
        return with_prefix("model", self.method.model.trained_state()) | with_prefix(
            "method", {name: p for name, p in self.method.named_parameters() if p.requires_grad}
        )


def save_model(path: Path, method: Method, specification: Mapping[str, Any] | None = None) -> None:
    """Write what trains of the model, with what rebuilds it in the header; what is frozen of encoders rebuilt by name
    goes beside it, once.

    Args:
        path: the file.
        method: with its model.
        specification: of the model; None: made here.
    """
    model = method.model
    base = {name: tensor for name, tensor in model.base_state().items() if _saves_base(model, name)}
    if base and path.name == MODEL and not path.with_name(BASE).exists():
        save_tensors(path.with_name(BASE), base, {})
    save_tensors(path, model.trained_state(), {"specification": specification or model.specification()})


def load_model(path: Path, encoders: Mapping[str, nn.Module] | None = None, trust: Collection[str] = ()) -> Classifier:
    """Return the classifier that a run's `model.safetensors` holds, in evaluation mode.

    Args:
        path: the file.
        encoders: the modules of the user's that the model was made with; the trained weights are put into them.
        trust: modules whose classes may be imported, see `equimodal.load`.

    Raises:
        ConfigError: an encoder of the user's is missing, or its class is of a module that is not trusted.
        RunError: the file is damaged, or an encoder is not the one of the run: it has other tensors, or another base.
    """
    tensors, metadata = load_tensors(path)
    if "specification" not in metadata:
        raise RunError(f"{path}: holds no model, though equimodal wrote it.")
    specification = metadata["specification"]
    model = Classifier.from_specification(specification, encoders, trust)
    frozen = any(
        "base" in entry and _saves_base(model, f"encoders.{name}")
        for name, entry in specification["encoders"].items()
        if "name" in entry and name not in (encoders or {})
    )
    base = load_tensors(path.with_name(BASE))[0] if frozen else {}
    base = {name: tensor for name, tensor in base.items() if name.split(".")[1] not in (encoders or {})}
    try:
        model.load_state(tensors | base)
    except RuntimeError as error:
        if encoders and "encoders." in str(error):  # the names of tensors that do not fit
            raise RunError(f"{path}: its weights do not fit the encoders given: {error}") from error
        raise RunError(
            f"{path}: its weights do not fit the model that this version makes of its description: {error}. "
            "Another version of equimodal wrote it, and parts of the model have changed since. Install that version "
            "(config.yaml beside the file names it), or train again."
        ) from error
    for name, encoder in model.encoders.items():
        prefix = f"encoders.{name}."
        trained = {key.removeprefix(prefix) for key in tensors if key.startswith(prefix)}
        _check_base(path, name, encoder, base_of(encoder, trained), specification["encoders"][name])
    return model.eval()


def _check_base(
    path: Path, modality: str, encoder: nn.Module, here: dict[str, Any] | None, entry: Mapping[str, Any]
) -> None:
    """Raise an error if what an encoder does not learn is not as when the run was trained: frozen tensors, files."""
    there, changed = entry.get("base"), []
    same_tensors = (here or {}).get("checksum") == (there or {}).get("checksum")
    if isinstance(encoder, Encoder):
        now = json.loads(json.dumps(encoder.files()))
        changed = changed_files(entry.get("files", {}), now)
        if encoder.names_base and not same_tensors:
            changed.append(f"the frozen tensors: {_in_words(there)} there, {_in_words(here)} here")
    if changed:
        raise RunError(
            f"{path}: the encoder of '{modality}' is made of files that have changed since training "
            f"({'; '.join(changed)}). Put the files of then in their place, or name their revision; if only the "
            "library that reads them is another one, install that of then; or train again."
        )
    if not same_tensors:
        raise RunError(
            f"{path}: the run was trained on another base of the encoder of '{modality}'. The tensors that did not "
            f"train were {_in_words(there)}; those of the {type(encoder).__name__} given are {_in_words(here)}. "
            "Give the module with the weights that it had when the run began."
        )


def _in_words(base: dict[str, Any] | None) -> str:
    if base is None:
        return "none"
    source = "".join(f", {key} {base[key]}" for key in ("source", "revision") if key in base)
    return f"{base['tensors']} ({size_in_words(base['bytes'])}, checksum {base['checksum'][:8]}{source})"


def _saves_base(model: Classifier, name: str) -> bool:
    modality = name.split(".")[1]
    encoder = model.encoders[modality]
    return not encoder.names_base if isinstance(encoder, Encoder) else modality in model.origins


def _clone(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
