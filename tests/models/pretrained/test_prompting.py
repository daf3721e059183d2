"""The tokens of a prompt with a chat template, by a tokeniser of whole words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from equimodal.errors import ConfigError
from equimodal.models.pretrained.prompting import Prompted

WORDS = ["<user>", "<start>", "<image>", "<end>", "Say.", "<answer>"]


def tokeniser(text: str, **options: Any) -> dict[str, list[int]]:
    assert options["add_special_tokens"] is False  # the template writes them
    return {"input_ids": [WORDS.index(word) for word in text.split()]}


tokeniser.get_vocab = lambda: dict(zip(WORDS, range(6), strict=True))  # pyright: ignore


def template(conversation: list[Any], **_: Any) -> str:
    kind, said = conversation[0]["content"]
    assert kind == {"type": "image"}
    return f"<user> <start> <image> <end> {said['text']} <answer>"


def prompted(sense: Any = "image", **more: Any) -> Prompted:
    vision = SimpleNamespace(patch_size=2, model_type="siglip_vision_model")
    config = SimpleNamespace(
        model_type="llava", image_token_id=2, vision_start_token_id=1, vision_end_token_id=3, vision_config=vision
    )

    def processor(images: list[np.ndarray], **_: Any) -> dict[str, np.ndarray]:
        return {"pixel_values": np.zeros((len(images), 3, 4, 2), np.float32)}

    return Prompted(tokeniser, config, sense, "Say.", processor, 2, **{"template": template, **more})


def test_a_picture_has_as_many_places_as_vectors_between_its_marks():
    picture = np.zeros((8, 8, 3), np.uint8)
    found = prompted()([picture])
    assert found["input_ids"][0].tolist() == [0, 1, 2, 2, 3, 4, 5]
    assert found["attention_mask"][0].tolist() == [1] * 7
    assert prompted(template=None)([picture])["input_ids"][0].tolist() == [1, 2, 2, 3, 4]


def test_each_frame_of_a_video_has_marks_of_its_own():
    found = prompted("video")([np.zeros((5, 8, 8, 3), np.uint8)])
    assert found["input_ids"][0].tolist() == [0, 1, 2, 2, 3, 1, 2, 2, 3, 4, 5]
    assert found["pixel_values"][0].shape == (2, 3, 4, 2)


def test_a_template_without_a_place_is_refused():
    with pytest.raises(ConfigError, match="leaves no place for image"):
        prompted(template=lambda *_, **__: "<user> Say.")
