"""Token ids in which nothing that a user wrote is a control token: text is data."""

import json
import re
from collections.abc import Sequence
from typing import Any

from tokenizers import Tokenizer

from methods.models.long_words import divide_long_words

OPEN, CLOSE, SPLIT = "\ufdd0", "\ufdd1", "\ufdd2"
"""Unicode noncharacters, reserved for a program's own use: no text holds them."""
_FROM_TEXT = dict.fromkeys(map(ord, (OPEN, CLOSE, SPLIT)), "\ufffd")
_TAG = re.compile(r"[<\[][^\s<>\[\]]+[>\]]")


class DataTokenizer:
    """A fast tokenizer whose control tokens can't be spelled out in text.

    It is a copy of the model's tokenizer in which every control token is renamed to its own name
    between two noncharacters. Text that holds none of them gets the ids that the original gives.
    A name such as `</s>` in a text becomes the ids of its characters. Only a chat template, after
    `mark`, and the tokenizer's own post-processor write control tokens.

    Splitting special tokens, as transformers offers, isn't enough: a sentencepiece model also
    holds `</s>` as an ordinary piece and prefers it.

    Attributes:
        control: names of the control tokens, longest first: all special tokens, and tags such as
            `<think>` that the chat template writes.

    Args:
        tokenizer: a PreTrainedTokenizerFast, which is left as it is.
        template: source of the chat template, or "".
    """

    def __init__(self, tokenizer: Any, template: str = "") -> None:
        state = json.loads(tokenizer.backend_tokenizer.to_str())
        added = {token["content"]: token for token in state["added_tokens"]}
        found = {name for name, token in added.items() if token["special"]}
        found |= {str(name) for name in tokenizer.all_special_tokens} & set(added)
        found |= {name for name in added if _TAG.fullmatch(name) and name in template}
        self.control = sorted(found, key=lambda name: (-len(name), name))
        self._backend = Tokenizer.from_str(json.dumps(_rename(state, found), ensure_ascii=False))
        divide_long_words(self._backend)
        self._backend.no_truncation()
        self._backend.no_padding()
        names = "|".join(map(re.escape, self.control))
        self._names = re.compile(f"(?:{names})(?!{SPLIT})") if names else None
        starts = "".join(sorted({name[0] for name in self.control}))
        self._starts = re.compile(f"[{re.escape(starts)}]") if starts else None

    def encode(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Ids of each text; with `special`, framed by the post-processor's special tokens."""
        clean = [text.translate(_FROM_TEXT) for text in texts]
        return self.encode_marked(clean, special=special)

    def encode_marked(self, texts: Sequence[str], *, special: bool = False) -> list[list[int]]:
        """Ids of texts in which `mark` has marked the control tokens."""
        if not texts:
            return []
        found = self._backend.encode_batch_fast(list(texts), add_special_tokens=special)
        return [encoding.ids for encoding in found]

    def token_ends(self, text: str) -> list[int]:
        """For each token of a text, the index of the character after it."""
        encoding = self._backend.encode(text.translate(_FROM_TEXT), add_special_tokens=False)
        return [end for _, end in encoding.offsets]

    def guard(self, text: str) -> str:
        """A text to be put into a chat template, in which `mark` will find no control token."""
        clean = text.translate(_FROM_TEXT)
        if self._starts is None:
            return clean
        return self._starts.sub(lambda found: found[0] + SPLIT, clean)

    def mark(self, rendered: str) -> str:
        """A rendered template whose own control tokens are marked and guarded texts restored."""
        if self._names is not None:
            rendered = self._names.sub(lambda found: f"{OPEN}{found[0]}{CLOSE}", rendered)
        return rendered.replace(SPLIT, "")


def _rename(state: dict[str, Any], names: set[str]) -> dict[str, Any]:
    """A tokenizer.json with `names` renamed in its added tokens and its model, ids unchanged."""

    def renamed(name: str) -> str:
        return f"{OPEN}{name}{CLOSE}" if name in names else name

    for token in state["added_tokens"]:
        token["content"] = renamed(token["content"])
    model = state["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {renamed(name): id for name, id in model["vocab"].items()}
    else:  # Unigram: [piece, score] by id
        model["vocab"] = [[renamed(piece), score] for piece, score in model["vocab"]]
    if model.get("unk_token") is not None:
        model["unk_token"] = renamed(model["unk_token"])
    if "merges" in model:
        model["merges"] = [
            pair
            for pair in model["merges"]
            if not names & {*_parts(pair), "".join(_parts(pair))}
        ]  # fmt: skip
    return state


def _parts(merge: str | list[str]) -> list[str]:
    return merge.split(" ") if isinstance(merge, str) else merge
