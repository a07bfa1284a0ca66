"""A model's files, and digests of their content. Imports no torch."""

from collections.abc import Iterator
from pathlib import Path

from tasks.common.files import content_key, sha256_of, write_text

TEXT_FILES = ("*.json", "*.txt", "*.model", "*.jinja")
LARGE = 1 << 20  # bytes; digests of larger files are stored


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


def digest_file(path: Path, cache: Path) -> str:
    """SHA-256 of a file, in hex.

    Digests of large files are stored in `cache`/digests by path, size and modification time; a
    stored digest that is damaged is computed again.
    """
    state = path.stat()
    if state.st_size < LARGE:
        return sha256_of(path)
    key = content_key([str(path.resolve()), state.st_size, state.st_mtime_ns])
    stored = cache / "digests" / key
    known = stored.read_text(encoding="utf-8", errors="replace") if stored.is_file() else ""
    digest, _, check = known.partition(" ")
    if check != content_key([key, digest]):
        digest = sha256_of(path)
        write_text(stored, f"{digest} {content_key([key, digest])}")
    return digest
