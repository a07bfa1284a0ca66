"""Downloads the official LaMP files; resumable, and records each file's size and SHA-256."""

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
"""Bytes are written in chunks of this size; a broken connection loses less than one chunk."""
NOT_FOUND, PARTIAL, RANGE_REFUSED = 404, 206, 416

OnProgress = Callable[[Path, int, int | None], None]
"""Called with (file, bytes so far, total bytes or None if unknown)."""


@dataclass(frozen=True)
class Download:
    """The outcome for one official file.

    Attributes:
        status: "fetched", "kept" (it existed already) or "absent" (it is not published).
    """

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
    progress: OnProgress = lambda *_: None,
    timeout: float = 60.0,
) -> list[Download]:
    """Download the task's files to `<root>/<split>/<task.folder>/<set>/`.

    Existing files are never overwritten. The `*.part` file of an interrupted download is resumed if
    the server identifies its version (by ETag or date), else downloaded again. Sizes and hashes are
    recorded in `SHA256.json` in the task's folder. Test outputs may be absent, because the LaMP
    leaderboard keeps them private.

    Args:
        base_url: the official site, or a mirror with the same layout.
        progress: called after every chunk.
        timeout: seconds to wait for a response or for the next byte.

    Raises:
        DataError: a download is not found, refused, stalled, truncated or not JSON, or an existing
            file has changed since it was downloaded.
        StorageError: the disk is full or the folder is not writable.
    """
    folder = root / split / task.folder
    manifest = read_manifest(folder)
    downloads = []
    for set in sets:
        for kind in ("questions", "outputs"):
            name = f"{set}/{set}_{kind}.json"
            url = f"{base_url}/{'time/' if split == 'time' else ''}{task.folder}/{name}"
            optional = set == "test" and kind == "outputs"
            result = _keep_existing(folder / name, url, manifest.get(name)) or _fetch(
                folder / name, url, progress, timeout, optional=optional
            )
            if result.status == "fetched":
                manifest[name] = asdict(result) | {"path": name}
                write_json(folder / MANIFEST, manifest)
            downloads.append(result)
    return downloads


def read_manifest(folder: Path) -> dict[str, dict[str, object]]:
    """The downloads recorded in a task's folder: file name → url, bytes, sha256; {} if none."""
    path = folder / MANIFEST
    if not path.exists():
        return {}
    value = read_json(path).value
    if not isinstance(value, dict):
        raise DataError("is not a record of downloads", file=path, hint="Delete it")
    return value


def _keep_existing(path: Path, url: str, record: dict[str, object] | None) -> Download | None:
    """The existing file as a Download, or None. Raises DataError if it has changed."""
    if not path.exists():
        return None
    sha256 = sha256_of(path)
    if record is not None and record.get("sha256") != sha256:
        raise DataError(
            "the file has changed since it was downloaded",
            file=path,
            hint="Move it elsewhere and run the command again, or leave its set out of --sets",
        )
    return Download(path, url, "kept", path.stat().st_size, sha256)


@dataclass(frozen=True)
class _Part:
    """An unfinished download: its bytes so far, and a note of the source version they belong to."""

    path: Path

    @property
    def note(self) -> Path:
        return self.path.with_name(f"{self.path.name}.json")

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def headers(self, url: str) -> dict[str, str]:
        """Headers that request the rest, provided that the source has not changed."""
        if not self.size() or not self.note.exists():
            return {}
        try:
            note = json.loads(self.note.read_text(encoding="utf-8"))
            known, version = note["url"], note["version"]
        except (ValueError, KeyError, TypeError, RecursionError):  # killed while it was written
            return {}
        if known != url or not version:
            return {}
        return {"Range": f"bytes={self.size()}-", "If-Range": version}

    def restart(self, url: str, response: requests.Response) -> None:
        """Drop the bytes so far and note the version that `response` delivers."""
        tag = response.headers.get("ETag", "")
        version = tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")
        self.remove()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.note.write_text(json.dumps({"url": url, "version": version}), encoding="utf-8")

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self.note.unlink(missing_ok=True)


def _fetch(
    path: Path, url: str, progress: OnProgress, timeout: float, *, optional: bool
) -> Download:
    part = _Part(path.with_name(f"{path.name}.part"))
    try:
        if not _receive(part, path, url, progress, timeout, optional=optional):
            return Download(path, url, "absent")
    except requests.RequestException as error:
        raise DataError(
            f"{url}: {_describe(error, timeout)}",
            file=path,
            hint=f"Run the same command again to resume after {part.size():,} bytes; if the error "
            "persists, check the network or use a mirror (--url)",
        ) from error
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=path,
            hint="Free disk space or choose a writable data root, then run the same command again",
        ) from error
    try:
        read_json(part.path)
    except DataError as error:
        part.remove()
        raise DataError(
            f"{url} did not return a JSON file ({error.what})",
            file=path,
            hint="Open the address in a browser to see what the site returns, then try again later "
            "or use a mirror (--url)",
        ) from error
    part.path.replace(path)
    part.remove()
    return Download(path, url, "fetched", path.stat().st_size, sha256_of(path))


def _receive(
    part: _Part, path: Path, url: str, progress: OnProgress, timeout: float, *, optional: bool
) -> bool:
    """Download the missing bytes. Returns False if the file is optional and not published."""
    resume = part.headers(url)
    headers = {"Accept-Encoding": "identity", **resume}
    with requests.get(url, headers=headers, stream=True, timeout=timeout) as response:
        if response.status_code == NOT_FOUND and optional:
            return False
        partial = response.status_code == PARTIAL
        if resume and (
            response.status_code == RANGE_REFUSED
            or (partial and _range_start(response) != part.size())
        ):
            part.remove()  # longer than the source, or the wrong range came back: start over
        elif not response.ok or (partial and not resume):
            raise DataError(
                f"{url} answered {response.status_code} {response.reason}",
                file=path,
                hint="Check that the site still offers the file, or use a mirror (--url)",
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
    """Append the response to the part. Raises ConnectionError if it ends too early."""
    length = response.headers.get("Content-Length")
    now = part.size()
    total = now + int(length) if length is not None and length.isdecimal() else None
    with part.path.open("ab") as file:
        for chunk in response.iter_content(CHUNK_BYTES):
            file.write(chunk)
            now += len(chunk)
            progress(now, total)
    if total is not None and now != total:
        raise requests.ConnectionError(f"truncated: received {now:,} of {total:,} bytes")


def _range_start(response: requests.Response) -> int | None:
    """The position of the first byte of a partial response (`Content-Range: bytes 5-9/10`)."""
    unit, _, rest = response.headers.get("Content-Range", "").partition(" ")
    first = rest.partition("-")[0]
    return int(first) if unit == "bytes" and first.isdecimal() else None


def _describe(error: requests.RequestException, timeout: float) -> str:
    text = str(error)
    if isinstance(error, requests.Timeout) or "timed out" in text.lower():
        return f"received no data for {timeout:g} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError) or "truncated" in text:
        return f"the response was truncated ({text})"
    return f"can't be reached ({text})"
