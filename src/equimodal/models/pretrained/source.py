"""Where a pretrained model comes from: a hub, a folder, a GGUF file, or a configuration alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from equimodal.errors import ConfigError, did_you_mean, nearest
from equimodal.extras import need
from equimodal.files import user_path
from equimodal.models.pretrained.families import ARCHITECTURES
from equimodal.models.pretrained.folder import CONFIG, check_folder
from equimodal.models.pretrained.gguf import converted
from equimodal.models.pretrained.quiet import quiet

LOG = logging.getLogger("equimodal.models")
_SIZES = ("size", "dim", "heads", "stride", "channels")
"""How the names of settings end that are sizes: they divide, so that 0 is none."""


@dataclass(frozen=True)
class Source:
    """Where configuration, weights and processors are read.

    Args:
        model: as the user named it; None: there are no weights, they are drawn.
        place: what transformers loads: a folder, or the name on the hub.
        revision: of the hub.
        config: the model's configuration, of transformers.
    """

    model: str | None
    place: str | None
    revision: str | None
    config: Any

    @property
    def is_local(self) -> bool:
        """Whether it is a folder here."""
        return self.place is not None and Path(self.place).is_dir()

    @property
    def remedy(self) -> str:
        """What to do about weights that are not what they should be, for the end of a message."""
        if Path(self.name).suffix == ".gguf":
            return (
                f"Remove {self.place}, where the file was converted, and start again; if that changes nothing, get the "
                "file again."
            )
        return "They are damaged, or of another model than config.json describes. Get the files again."

    def lacks(self, *patterns: str) -> bool:
        """Whether it is a folder here that has no such file."""
        return self.is_local and not any(any(Path(str(self.place)).glob(pattern)) for pattern in patterns)

    @property
    def reading(self) -> dict[str, Any]:
        """The arguments of `from_pretrained`: which revision, and that no code of the model's is run."""
        return _reading(self.revision)

    @property
    def name(self) -> str:
        """For messages."""
        return self.model or f"a new {self.config.model_type}"


def open_source(model: str | None, revision: str | None, config: Mapping[str, Any] | None) -> Source:
    """Return where a model comes from, with its configuration; no weights are loaded.

    Args:
        model: a folder with config.json and safetensors, a `.gguf` file, or a name on the hub.
        revision: of the hub.
        config: the configuration of a model with new weights, with `model_type`; in place of `model`.

    Raises:
        ConfigError: neither or both are given, or nothing can be loaded from there.
    """
    if (model is None) == (config is None):
        came = "neither" if model is None else "both"
        raise ConfigError(
            f"expected either model (a folder, a .gguf file or a name on the hub) or config (with model_type, for new "
            f"weights), got {came}."
        )
    if config is not None:
        if revision is not None:
            raise ConfigError("revision: belongs to a model of the hub; a config has none. Leave it out.")
        return Source(None, None, None, make_config(config))
    assert model is not None
    if not model.strip():
        raise ConfigError("model: is empty. Name a folder, a .gguf file, or a model of the hub (owner/name).")
    path = user_path(model)
    if path.suffix == ".gguf":
        return _local(model, converted(path), revision)
    if path.is_dir():
        return _local(model, path, revision)
    if path.is_absolute() or model.startswith((".", "~")) or path.suffix in (".bin", ".safetensors", ".pt"):
        raise ConfigError(
            f"model: {path.absolute()}: no such folder. Name a folder with config.json and model.safetensors, a .gguf "
            "file, or a model of the hub (owner/name); a trained run needs its model where it was: put it back there."
        )
    return _from_hub(model, revision)


def _local(model: str, folder: Path, revision: str | None) -> Source:
    if revision is not None:
        raise ConfigError(
            "revision: belongs to a model of the hub; a local one is known by its checksum. Leave it out."
        )
    check_folder(folder)
    transformers = need("transformers")
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, **_reading(None))
    except Exception as error:  # transformers checks with errors of its own and of huggingface_hub
        reason = " ".join(str(error).split())
        raise ConfigError(f"model: {folder / CONFIG}: cannot be read ({reason}).") from error
    return Source(model, str(folder), None, config)


def _from_hub(model: str, revision: str | None) -> Source:
    transformers = need("transformers")
    import huggingface_hub  # which transformers needs

    with hub_errors(model, revision), quiet():
        cached = huggingface_hub.try_to_load_from_cache(model, CONFIG, revision=revision)
        if cached is None and not huggingface_hub.constants.HF_HUB_OFFLINE:
            LOG.warning("'%s' is not in this machine's cache: asking the hub, which can take half a minute.", model)
        config = transformers.AutoConfig.from_pretrained(model, **_reading(revision))
    return Source(model, model, revision, config)


def _reading(revision: str | None) -> dict[str, Any]:
    return {"trust_remote_code": False, **({} if revision is None else {"revision": revision})}


def reason_of(error: Exception) -> str:
    """Return in short why transformers could not read a file.

    Example:
        >>> reason_of(OSError("Can't load it. If you were trying\\n to load it from the hub ..."))
        "Can't load it"
    """
    text = " ".join(str(error).split())
    if "trust_remote_code" in text:
        return "it comes with code of its own, which is never run"
    return text.split(". ")[0].rstrip(".")[:200]


@contextmanager
def hub_errors(model: str, revision: str | None) -> Iterator[None]:
    """Say what to get, and where to put it, if the hub cannot be reached.

    Raises:
        ConfigError: the block raised an error of files or of the hub.
    """
    try:
        yield
    except (OSError, ValueError, KeyError) as error:
        at = "" if revision is None else f" at revision {revision}"
        path = user_path(model)
        beside = (
            [each.name for each in path.parent.iterdir() if (each / CONFIG).is_file()] if path.parent.is_dir() else ()
        )
        raise ConfigError(
            f"model: '{model}'{at} is no folder here, and could not be loaded from the hub "
            f"({reason_of(error) or type(error).__name__}).{nearest(path.name, beside)} Where there is no "
            "network, get its files (config.json, model.safetensors, and those of its tokenizer or processor) on "
            f"another machine: 'hf download {model} --local-dir FOLDER'. Then say model: FOLDER."
        ) from error


@contextmanager
def weight_errors(source: Source) -> Iterator[None]:
    """Say which weights cannot be read; of those on the hub, see `hub_errors`.

    Raises:
        ConfigError: the block raised an error.
    """
    try:
        with nullcontext() if source.is_local else hub_errors(source.name, source.revision):
            yield
    except ConfigError:
        raise
    except Exception as error:  # readers of files and transformers raise errors of any class
        reason = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise ConfigError(f"model: {source.name}: its weights cannot be read ({reason}). {source.remedy}") from error


def make_config(given: Mapping[str, Any]) -> Any:
    """Return the configuration of a new model.

    Raises:
        ConfigError: the model type or a key is unknown, or a value is impossible.
    """
    transformers = need("transformers")
    if not isinstance(given, Mapping):
        raise ConfigError(
            f"config: expected a mapping with model_type, for instance {{model_type: vit}}, got {given!r}."
        )
    settings = dict(given)
    model_type = settings.pop("model_type", None)
    if model_type not in ARCHITECTURES:
        raise ConfigError(f"config.model_type: unknown '{model_type}'.{did_you_mean(str(model_type), ARCHITECTURES)}")
    default = transformers.AutoConfig.for_model(model_type)
    usual = default.to_dict()
    known = {*usual, *getattr(default, "attribute_map", {})} - {"transformers_version", "architectures"}
    problems = [
        f"config.{key}: {model_type} has no such setting.{did_you_mean(key, known)}"
        for key in settings
        if key not in known and not key.endswith("_token_id")  # every model may have special tokens
    ]
    problems += _impossible_sizes(settings, usual)
    if problems:
        raise ConfigError(problems)
    try:
        return transformers.AutoConfig.for_model(model_type, **settings)
    except Exception as error:  # transformers checks with errors of its own and of huggingface_hub
        raise ConfigError(f"config: {model_type} cannot be made: {' '.join(str(error).split())}") from error


def _impossible_sizes(settings: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Return a message for each size below 1, and each count below 0: torch's own words for them say little."""
    found = []
    for key, value in settings.items():
        usual = defaults.get(key)
        if type(value) is not int or type(usual) is not int or usual < 1:
            continue
        least = 1 if key.endswith(_SIZES) else 0
        if value < least:
            found.append(f"config.{key}: expected a whole number of at least {least} (usual: {usual}), got {value}.")
    return found
