"""Official LaMP files → the data root, resumable, each with its size and SHA-256 recorded."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import requests

from tasks.common.errors import DataError, StorageError
from tasks.common.files import sha256_of, write_json
from tasks.data.document import read_json
from tasks.data.layout import SETS, SetName, SplitName
from tasks.task import Task

OFFICIAL = "https://ciir.cs.umass.edu/downloads/LaMP"
MANIFEST = "SHA256.json"
CHUNK_BYTES = 1 << 14
"""What a broken connection loses at most: less than one chunk."""
NOT_FOUND, PARTIAL, RANGE_REFUSED = 404, 206, 416

Progress = Callable[[Path, int, int | None], None]
"""Called as (file, bytes so far, bytes in all or None)."""


@dataclass(frozen=True)
class Download:
    """One official file: `status` is "fetched", "kept" (was there) or "absent" (not published)."""

    path: Path
    url: str
    status: str
    bytes: int = 0
    sha256: str = ""


def download(
    task: Task,
    root: Path,
    *,
    split: SplitName,
    sets: Iterable[SetName] = SETS,
    base_url: str = OFFICIAL,
    progress: Progress = lambda *_: None,
    timeout: float = 60.0,
) -> list[Download]:
    """Fetch the task's files into `<root>/<split>/<task.folder>/<set>/`.

    A file that stands is never overwritten. What a broken run left as `*.part` is resumed if the
    server names its version (ETag or date), else fetched anew. Sizes and hashes go to
    `SHA256.json` in the task's folder. Test outputs may be absent: they are the leaderboard's.

    Args:
        base_url: the official site, or a mirror of the same layout.
        timeout: seconds without an answer or without any byte.

    Raises:
        DataError: not found, refused, stalled, truncated or not JSON; a file that changed since it
            was fetched.
        StorageError: the disk is full or not writable.
    """
    folder = root / split / task.folder
    manifest = read_manifest(folder)
    done = []
    for set in sets:
        for kind in ("questions", "outputs"):
            name = f"{set}/{set}_{kind}.json"
            url = f"{base_url}/{'time/' if split == 'time' else ''}{task.folder}/{name}"
            optional = set == "test" and kind == "outputs"
            result = _stands(folder / name, url, manifest.get(name)) or _fetch(
                folder / name, url, progress, timeout, optional=optional
            )
            if result.status == "fetched":
                manifest[name] = asdict(result) | {"path": name}
                write_json(folder / MANIFEST, manifest)
            done.append(result)
    return done


def read_manifest(folder: Path) -> dict[str, dict[str, object]]:
    """What was fetched into a task's folder: file name → url, bytes, sha256; {} if nothing was."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    value = read_json(path).value
    if not isinstance(value, dict):
        raise DataError("not a record of downloads", file=path, hint="Remove it")
    return value


def _stands(path: Path, url: str, record: dict[str, object] | None) -> Download | None:
    """The file that is there already, or None."""
    if not path.exists():
        return None
    sha256 = sha256_of(path)
    if record is not None and record.get("sha256") != sha256:
        raise DataError(
            "the file has changed since it was downloaded",
            file=path,
            hint="Move it away and run the same command again, or keep it and leave its set out",
        )
    return Download(path, url, "kept", path.stat().st_size, sha256)


@dataclass(frozen=True)
class _Part:
    """A file on its way: its bytes so far, and the version of the source that they belong to."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self, url: str) -> dict[str, str]:
        """Ask for the rest, on condition that the source is still the same version."""
        if not self.size() or not self.note.exists():
            return {}
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
        except ValueError:  # killed while it was written: start over
            return {}
        if note["url"] != url or not note["version"]:
            return {}
        return {"Range": f"bytes={self.size()}-", "If-Range": note["version"]}

    def restart(self, url: str, response: requests.Response) -> None:
        tag = response.headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
        self.remove()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _fetch(path: Path, url: str, progress: Progress, timeout: float, *, optional: bool) -> Download:
    part = _Part(path.with_name(f"{path.name}.part"))
    try:
        if not _receive(part, path, url, progress, timeout, optional=optional):
            return Download(path, url, "absent")
    except requests.RequestException as error:
        raise DataError(
            f"{url}: {_cause(error, timeout)}",
            file=path,
            hint=f"Run the same command again: {part.size():,} bytes are kept and the rest is "
            "asked for; if it persists, check the network or give a mirror",
        ) from error
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=path,
            hint="Free space or choose a writable data root, then run the same command again",
        ) from error
    try:
        read_json(part.path)
    except DataError as error:
        part.remove()
        raise DataError(
            f"{url} answered with something else than a JSON file ({error.what})",
            file=path,
            hint="Open the address in a browser to see what the site says, then try again later or "
            "give a mirror",
        ) from error
    part.path.replace(path)
    part.remove()
    return Download(path, url, "fetched", path.stat().st_size, sha256_of(path))


def _receive(
    part: _Part, path: Path, url: str, progress: Progress, timeout: float, *, optional: bool
) -> bool:
    """Bring the part to its full length. False: not published, which is all right if optional."""
    asked = part.headers(url)
    headers = {"Accept-Encoding": "identity", **asked}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == NOT_FOUND and optional:
            return False
        partial = response.status_code == PARTIAL
        if asked and (
            response.status_code == RANGE_REFUSED
            or (partial and _range_start(response) != part.size())
        ):
            part.remove()  # longer than the source, or another piece came: start over
        elif not response.ok or (partial and not asked):
            raise DataError(
                f"{url} answered {response.status_code} {response.reason}",
                file=path,
                hint="Check that the site still holds the file, or give a mirror",
            )
        else:
            if not partial:
                part.restart(url, response)
            _append(part, response, lambda now, total: progress(path, now, total))
            return True
    return _receive(part, path, url, progress, timeout, optional=optional)


def _append(
    part: _Part, response: requests.Response, progress: Callable[[int, int | None], None]
) -> None:
    length = response.headers.get("Content-Length")
    now = part.size()
    total = now + int(length) if length is not None else None
    with part.path.open("ab") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            now += len(chunk)
            progress(now, total)
    if total is not None and now != total:
        raise requests.ConnectionError(f"truncated: {now:,} of {total:,} bytes came")


def _range_start(response: requests.Response) -> int | None:
    """The first byte of a partial answer, from `Content-Range: bytes 5-9/10`."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _cause(error: requests.RequestException, timeout: float) -> str:
    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text.lower():
        return f"no byte came for {timeout:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "truncated" in text:
        return f"the answer was truncated ({text})"
    return f"can't be reached ({text})"
