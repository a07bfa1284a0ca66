"""SHA-256 digests of large files, stored so that an unchanged file is read once."""

from pathlib import Path

from tasks.common.files import content_key, sha256_of, write_text

LARGE = 1 << 20  # bytes; digests of larger files are stored


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
