"""Tokens of a served LLM: its own tokenizer where it is known, else an estimate."""

import re
from pathlib import Path
from typing import Any

from methods.models.checks import TOKENIZER_FILES
from methods.models.content import TEXT_FILES
from methods.models.hub import COMMIT
from methods.models.loading import PACKAGE, resolve
from tasks.common.errors import ModelError
from tasks.common.files import content_key, sha256_of

PIECE = re.compile(r"[^\W_]{1,4}|[^\s]", re.ASCII)
"""One estimated token: up to four ASCII letters or digits, or one other character."""
ABOUT_TOKENS = (*TOKENIZER_FILES, "tokenizer_config.json", "special_tokens_map.json",
    "added_tokens.json", "merges.txt", "chat_template.jinja")  # fmt: skip


class EstimatedTokenizer:
    """Counts tokens of a model whose tokenizer isn't known, rather too many than too few.

    English text has about four characters a token; here every word is rounded up to that.
    """

    def count(self, text: str) -> int:
        """Estimated number of tokens of `text`."""
        return sum(1 for _ in PIECE.finditer(text))

    def truncate(self, text: str, tokens: int) -> str:
        """The longest beginning of `text` within `tokens` estimated tokens."""
        end = 0
        for number, piece in enumerate(PIECE.finditer(text), start=1):
            if number > tokens:
                return text[:end]
            end = piece.end()
        return text


def find_tokenizer(source: str, revision: str | None) -> Path:
    """The folder of a tokenizer: as `resolve`, but of a hub name only the small files are fetched.

    Raises ModelError: as `resolve`, or no tokenizer there.
    """
    if revision is None or source.startswith(PACKAGE) or Path(source).expanduser().is_dir():
        folder = resolve(source, None)
    else:
        folder = _fetch(source, revision)
    if not any((folder / name).is_file() for name in TOKENIZER_FILES):
        raise ModelError(
            "has no tokenizer", file=folder, hint="Name the folder of the model's own tokenizer"
        )
    return folder


def tokenizer_identity(source: str, revision: str | None) -> str:
    """Identifies a tokenizer: a hub name's commit, else a digest of its files and template."""
    if revision is not None and not Path(source).expanduser().is_dir():
        return f"{source}@{revision}"
    folder = find_tokenizer(source, revision)
    files = {name: sha256_of(folder / name) for name in ABOUT_TOKENS if (folder / name).is_file()}
    return content_key(files, length=64)


def write_as_text(tokenizer: Any, ids: list[int]) -> str | None:
    """The text that a server tokenizes into just these ids, special tokens included; None: none.

    A server adds the tokenizer's own special tokens to a text, so those must not be in it.
    """
    own = {tokenizer.bos_token_id, tokenizer.eos_token_id}
    start = 1 if ids and ids[0] in own else 0
    end = len(ids) - 1 if len(ids) > start and ids[-1] in own else len(ids)
    for part in (ids[start:end], ids[start:], ids):
        text = tokenizer.decode(part, skip_special_tokens=False, clean_up_tokenization_spaces=False)
        if tokenizer(text, verbose=False)["input_ids"] == ids:
            return str(text)
    return None


def _fetch(source: str, revision: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    if not COMMIT.fullmatch(revision):
        raise ModelError(
            f"revision {revision!r} is not pinned: a branch or tag can move",
            file=source,
            hint="Set it to the commit's 40 hex digits, which the model's page on the hub shows",
        )
    try:
        return Path(snapshot_download(source, revision=revision, allow_patterns=list(TEXT_FILES)))
    except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"the tokenizer can't be fetched from the hub ({error})",
            file=source,
            hint="Go online once to fetch it, or name a local folder",
        ) from error
