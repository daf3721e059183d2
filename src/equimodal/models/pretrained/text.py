"""Texts as the tokens of a model."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from equimodal.data.columns.base import checksum_of
from equimodal.errors import ConfigError, DataError
from equimodal.extras import need
from equimodal.models.pretrained.processed import TOKENISER, Fields
from equimodal.models.pretrained.running import IDS, MASK
from equimodal.models.pretrained.source import Source, reason_of

_SPECIAL = (
    *("pad", "bos", "eos", "image", "video", "audio"),
    *(f"{what}_{end}" for what in ("vision", "audio") for end in ("start", "end")),
)


_FILES = ("tokenizer.json", "*vocab*", "*.model")
"""Files of which every tokeniser has one."""


class Tokens:
    """Makes token numbers of texts.

    Args:
        tokeniser: of the model.
        limit: the largest number of tokens of a text; what is beyond is cut off.
        known: how many tokens the model knows; None: any.
    """

    ragged = frozenset({IDS, MASK})

    def __init__(self, tokeniser: Any, limit: int, known: int | None = None) -> None:
        self.tokeniser, self.limit, self.known = tokeniser, limit, known

    def __call__(self, rows: Sequence[Any]) -> Fields:
        """Return `input_ids` and `attention_mask` (tokens,) of each text.

        Raises:
            DataError: the model does not know a token of a text.
        """
        ids = [encode(self.tokeniser, str(text), self.limit) for text in rows]
        for text, row in zip(rows, ids, strict=True):
            if self.known is not None and row.max() >= self.known:
                word = self.tokeniser.convert_ids_to_tokens(int(row.max()))
                raise DataError(
                    f"the text {str(text)[:60]!r} has the token {word!r}, whose number is {row.max()}, but the model "
                    f"knows {self.known} tokens. Take {word!r} out of the texts, or give the model its own tokeniser."
                )
        return {IDS: ids, MASK: [np.ones(len(row), np.int64) for row in ids]}

    def identity(self) -> dict[str, Any]:
        """Return the tokeniser's content, by a checksum, and the limit."""
        return {TOKENISER: tokeniser_identity(self.tokeniser), "limit": self.limit}


class ByteTokeniser:
    """One token for each byte of a text, for models that have no tokeniser (ours).

    Args:
        vocabulary: how many tokens the model knows.
        reserved: tokens with another meaning.

    Raises:
        ConfigError: the vocabulary is too small for the 256 bytes.

    Example:
        >>> ByteTokeniser(300, {0}).numbers("ab")  # doctest: +SKIP
        [98, 99]
    """

    def __init__(self, vocabulary: int, reserved: Collection[int]) -> None:
        free = [number for number in range(vocabulary) if number not in reserved][:256]
        if len(free) < 256:
            raise ConfigError(
                f"config.vocab_size: expected at least {256 + len(reserved)}, one token for each byte and the special "
                f"ones, got {vocabulary}."
            )
        self.free = free
        tokenizers = need("tokenizers")
        numbers = {letter: free[byte] for byte, letter in enumerate(_letters())}
        self.tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocab=numbers, merges=[]))
        self.tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)

    def numbers(self, text: str) -> list[int]:
        """Return the token numbers of a text."""
        return self.tokenizer.encode(text).ids


def _letters() -> list[str]:
    """Return the letter that byte-level tokenisers write for each byte (GPT-2's table)."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    others = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(others)) for byte in range(256)]


def encode(tokeniser: Any, text: str, limit: int, *, special: bool = True) -> np.ndarray:
    """Return the token numbers of a text, at least one, int64 (tokens,)."""
    if isinstance(tokeniser, ByteTokeniser):
        ids = tokeniser.numbers(text)[:limit]
    else:
        ids = tokeniser(text, add_special_tokens=special, truncation=True, max_length=limit)["input_ids"]
    return np.array(ids or [_for_nothing(tokeniser)], np.int64)


def _for_nothing(tokeniser: Any) -> int:
    """Return the token that stands for an empty text."""
    return getattr(tokeniser, "eos_token_id", None) or getattr(tokeniser, "unk_token_id", None) or 0


def tokeniser_of(source: Source, config: Any) -> Any:
    """Return the tokeniser of a source; for a new model, or a folder without one, that of bytes.

    Raises:
        ConfigError: it cannot be loaded, is of another model, or the vocabulary is too small for bytes.
    """
    text = config.get_text_config()
    if source.place is None:
        return ByteTokeniser(text.vocab_size, special_numbers(config))
    transformers = need("transformers")
    try:
        found = transformers.AutoTokenizer.from_pretrained(source.place, **source.reading)
    except Exception as error:  # its readers raise errors of any class
        reason = "there are no files of one" if source.lacks(*_FILES) else reason_of(error)
        raise ConfigError(_no_tokeniser(source, reason)) from error
    if len(found.get_vocab()) <= len(found.all_special_tokens):  # without files transformers makes an empty one
        raise ConfigError(_no_tokeniser(source, "there are no files of one"))
    added = found.get_added_vocab()  # models may lack those, and texts then must not have them
    largest = max(number for token, number in found.get_vocab().items() if token not in added)
    if largest >= text.vocab_size:
        raise ConfigError(
            f"model: {source.name}: its tokeniser has numbers up to {largest}, but the model knows {text.vocab_size} "
            "tokens. They belong to two models. Put the files of the model's own tokeniser beside config.json."
        )
    return found


def token_limit(tokeniser: Any, tokens: int, positions: int) -> int:
    """Return how many tokens of a text are read: those asked for, if the model has positions for so many.

    Raises:
        ConfigError: nothing of a text would be read beside the tokens that the tokeniser adds to each.
    """
    added = 0 if isinstance(tokeniser, ByteTokeniser) else tokeniser.num_special_tokens_to_add()
    if min(tokens, positions) <= added:
        raise ConfigError(
            f"tokens: expected more than {added}, which the tokeniser adds to each text, got {min(tokens, positions)}."
        )
    return min(tokens, positions)


def _no_tokeniser(source: Source, reason: str) -> str:
    return (
        f"model: {source.name}: has no tokeniser that can be loaded ({reason}). Put its files (tokenizer.json, or "
        "vocab.txt ...) beside config.json: tokenizer.save_pretrained(folder)."
    )


def special_numbers(config: Any) -> set[int]:
    """Return the tokens that a configuration gives a meaning."""
    found: set[int] = {0}
    for where in (config, config.get_text_config()):
        for key in _SPECIAL:
            value = getattr(where, f"{key}_token_id", None)
            found |= {value} if isinstance(value, int) else set()
    return found


def tokeniser_identity(tokeniser: Any) -> str | list[int]:
    """Return what tells one tokeniser from another."""
    if isinstance(tokeniser, ByteTokeniser):
        return tokeniser.free
    backend = getattr(tokeniser, "backend_tokenizer", None)
    content = repr(sorted(tokeniser.get_vocab().items())) if backend is None else backend.to_str()
    return checksum_of([content, type(tokeniser).__name__, str(_for_nothing(tokeniser))])
