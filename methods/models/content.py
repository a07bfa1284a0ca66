"""A model's files, and what identifies them. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path

from tasks.common.digests import digest_file
from tasks.common.files import content_key

TEXT_FILES = ("*.json", "*.txt", "*.model", "*.jinja")


def folder_identity(folder: Path, cache: Path) -> str:
    """SHA-256 over the weights, tokenizer and config files of `folder`, in hex.

    Older .bin weights count only without safetensors, because only then are they read.
    """
    files = {
        str(path.relative_to(folder)): digest_file(path, cache)
        for path in [*find_files(folder, TEXT_FILES), *weight_files(folder)]
    }
    return content_key(files, length=64)


def weight_files(folder: Path) -> list[Path]:
    """The weight files to load: safetensors, else the older .bin; may be empty."""
    return list(find_files(folder, ("*.safetensors",))) or [
        path for path in find_files(folder, ("*.bin",)) if path.name != "training_args.bin"
    ]


def find_files(folder: Path, patterns: tuple[str, ...]) -> Iterator[Path]:
    """Files of the folder and one level below (sentence-transformers' modules), sorted."""
    found = {
        path
        for pattern in patterns
        for depth in ("", "*/")
        for path in folder.glob(depth + pattern)
    }
    return iter(sorted(path for path in found if path.is_file()))
