"""An LLM as a judge, whose prompts and replies are kept in the folders of the cells it judges.

<cell>/judged/<judge>.jsonl is a `Journal`: one checksummed line for each call, with prompt and raw
reply. A killed run loses the calls of one chunk; a damaged line is removed and asked again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.judging.prompts import VERSION, read_score
from bench.settings import Settings
from bench.stored_files import JUDGED
from methods.cache.journal import Journal
from methods.models.config import Decoding, LLMConfig
from methods.models.identity import base_key, identity_from
from tasks.common.errors import ConfigError
from tasks.common.files import content_key
from tasks.common.progress import Progress

if TYPE_CHECKING:
    from methods.models.interface import LLM

CHUNK = 64
"""Calls that are made and stored together."""
MAX_NEW_TOKENS = 256
"""Of a reply, unless the LLM's decoding says more: a score takes about ten."""


@dataclass(frozen=True)
class Verdict:
    """What a judge said of one aspect of one answer.

    Attributes:
        score: 0, 1 or 2; None where the reply holds no score, or there is none.
        is_cut: whether the prompt was longer than the judge's budget, so that its end was cut off.
    """

    score: int | None
    is_cut: bool = False


class Judge:
    """A frozen LLM that answers greedily, opened when the first reply is not stored yet.

    Args:
        name: of the LLM in bench.toml.
        max_input_tokens: budget of a prompt.

    Attributes:
        identity: content key of everything that changes replies.
        asked: calls that this object made; all others were stored.

    Raises:
        ConfigError: the LLM is unknown, or would be made or trained for a task.
        ModelError: its files can't be found.
    """

    def __init__(
        self,
        settings: Settings,
        name: str,
        *,
        max_input_tokens: int,
        progress: Progress | None = None,
    ) -> None:
        own = settings.llm(name)
        if own.adapt != "none" or own.scratch is not None:
            raise ConfigError(
                f"the LLM {name!r} is trained for a task, and a judge must be the same for all",
                hint='Name one with a `model` and adapt = "none"',
            )
        decoding = Decoding(num_beams=1, max_new_tokens=own.decoding.max_new_tokens)
        self.name, self.cache = name, settings.store.cache
        self.config = own.model_copy(update={"decoding": decoding})
        self.max_input_tokens = max_input_tokens
        self.progress = progress or Progress()
        key = base_key(self.config, train_fingerprint="", cache=self.cache)
        about = [VERSION, identity_from(key, self.config), max_input_tokens, MAX_NEW_TOKENS]
        self.identity = content_key(about)
        self.asked = 0
        self._known: dict[str, Any] = {}  # by any cell: rows that answer alike are judged once

    @cached_property
    def llm(self) -> "LLM":
        """The opened LLM."""
        return _open(self.config, self.cache)

    def ask(self, cell: Path, prompts: Sequence[str], what: str) -> list[Verdict]:
        """A verdict for each prompt, of the cell in this folder; equal prompts are asked once.

        Args:
            what: the phase's name in the progress display.

        Raises:
            ModelError: the LLM can't be opened, or fails; its replies so far are kept.
            StorageError: the folder can't be written.
        """
        journal = Journal(cell / JUDGED / f"{self.identity}.jsonl")
        keys = [content_key(prompt, length=32) for prompt in prompts]
        texts = dict(zip(keys, prompts, strict=True))
        with journal.hold() as stored:
            if shared := {key: self._known[key] for key in texts
                          if key in self._known and key not in stored}:  # fmt: skip
                journal.add(shared)
                stored.update(shared)
            missing = [key for key in texts if key not in stored]
            if missing:
                self.progress.start(what, len(missing))
            for start in range(0, len(missing), CHUNK):
                chunk = missing[start : start + CHUNK]
                new = self._reply(chunk, texts)
                journal.add(new)
                stored.update(new)
                self.progress.advance(len(chunk))
        found = {key: stored.get(key) for key in texts}
        self._known.update({key: reply for key, reply in found.items() if reply is not None})
        return [_read(found[key]) for key in keys]

    def _reply(self, keys: Sequence[str], texts: dict[str, str]) -> dict[str, Any]:
        """Key → what is stored of a call; a prompt beyond a server's context has no reply."""
        generations = self.llm.generate(
            [texts[key] for key in keys],
            max_new_tokens=MAX_NEW_TOKENS,
            max_input_tokens=self.max_input_tokens,
        )
        self.asked += len(keys)
        return {
            key: {
                "judge": self.name,
                "prompt": texts[key],
                "reply": generation.text,
                "cut_tokens": generation.truncated_tokens,
            }
            for key, generation in zip(keys, generations, strict=True)
            if generation.error is None
        }


def _read(reply: Any) -> Verdict:
    if reply is None:
        return Verdict(None)
    return Verdict(read_score(reply["reply"]), reply["cut_tokens"] > 0)


def _open(config: LLMConfig, cache: Path) -> "LLM":
    from methods.models.opening import load_llm

    options = {name: getattr(config, name) for name in LLMConfig.model_fields}
    return load_llm(options.pop("model"), options.pop("revision"), cache=cache, **options)
