"""Downloads from a loopback server that serves, truncates, stalls, lies and 404s."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.common.errors import DataError, StorageError
from tasks.common.files import sha256_of
from tasks.data.download import CHUNK_BYTES, download
from tasks.data.layout import MANIFEST
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP2, LaMP3
from tests.tasks.support import review

QUESTIONS = json.dumps([review(str(n), "x" * 2000) for n in range(300)]).encode()
OUTPUTS = json.dumps(
    {"task": "LaMP_3", "golds": [{"id": str(n), "output": "5"} for n in range(300)]}
).encode()


class Site(ThreadingHTTPServer):
    """Files by path, and how the server misbehaves."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {
            f"{prefix}/LaMP_3/{set}/{set}_{kind}.json": data
            for prefix in ("", "/time")
            for set in ("train", "dev")
            for kind, data in (("questions", QUESTIONS), ("outputs", OUTPUTS))
        }
        self.requests = []  # (path, Range header)
        self.send_only = None  # bytes of each answer before the connection is closed
        self.stall = threading.Event()
        self.stalls = False  # keep the connection open instead
        self.ranges = True
        self.shift = 0  # offset of a partial response from the requested first byte
        self.etag = '"v1"'

    def handle_error(self, request, client_address):
        """Ignore clients that disconnect, which is part of the tests."""

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        site = self.server
        wanted = self.headers.get("Range")
        site.requests.append((self.path, wanted))
        data = site.files.get(self.path)
        if isinstance(data, int) or data is None:
            self.send_error(data or 404)
            return
        start, total = 0, len(data)
        if wanted and site.ranges and self.headers.get("If-Range") == site.etag:
            start = int(wanted.removeprefix("bytes=").rstrip("-")) + site.shift
            if start >= total:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(total - start))
        if site.etag:
            self.send_header("ETag", site.etag)
        self.end_headers()
        body = data[start:]
        self.wfile.write(body if site.send_only is None else body[: site.send_only])
        self.wfile.flush()
        if site.stalls:
            site.stall.wait(20)


@pytest.fixture
def site() -> Iterator[Site]:
    server = Site()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stall.set()
    server.shutdown()
    server.server_close()
    thread.join()


def fetch(site, root, *, task=LaMP3, split="user", sets=("dev",), **options):
    return download(task(), root, split=split, sets=sets, base_url=site.url, **options)


def broken(site, root, at=100_000):
    """A first run whose connection closes after `at` bytes of the questions."""
    site.send_only = at
    with pytest.raises(DataError) as error:
        fetch(site, root)
    site.send_only = None
    site.requests.clear()
    return error.value


def part(root):
    return root / "user/LaMP_3/dev/dev_questions.json.part"


@pytest.mark.parametrize(("split", "prefix"), [("user", ""), ("time", "/time")])
def test_files_land_in_the_official_layout_with_their_hashes(site, tmp_path, split, prefix):
    seen = []
    done = fetch(site, tmp_path, split=split, progress=lambda *at: seen.append(at))
    folder = tmp_path / split / "LaMP_3"
    assert [path for path, _ in site.requests] == [
        f"{prefix}/LaMP_3/dev/dev_{kind}.json" for kind in ("questions", "outputs")
    ]
    assert len(load_dataset(LaMP3(), tmp_path, split=split, set="dev")) == 300
    record = json.loads((folder / MANIFEST).read_text())["dev/dev_questions.json"]
    assert record["bytes"] == len(QUESTIONS)
    assert record["sha256"] == done[0].sha256 == sha256_of(folder / "dev/dev_questions.json")
    assert (folder / "dev/dev_questions.json", len(QUESTIONS), len(QUESTIONS)) in seen
    assert sorted(path.name for path in (folder / "dev").iterdir()) == [
        "dev_outputs.json",
        "dev_questions.json",
    ]


def test_movies_come_from_new(site, tmp_path):
    site.files["/LaMP_2/new/dev/dev_questions.json"] = QUESTIONS
    site.files["/LaMP_2/new/dev/dev_outputs.json"] = OUTPUTS
    fetch(site, tmp_path, task=LaMP2)
    assert (tmp_path / "user/LaMP_2/new/dev/dev_questions.json").exists()


def test_existing_files_are_not_fetched_again(site, tmp_path):
    fetch(site, tmp_path)
    site.requests.clear()
    assert [item.status for item in fetch(site, tmp_path)] == ["kept", "kept"]
    assert site.requests == []


def test_a_changed_file_is_never_overwritten(site, tmp_path):
    fetch(site, tmp_path)
    path = tmp_path / "user/LaMP_3/dev/dev_outputs.json"
    path.write_text("mine")
    with pytest.raises(DataError, match="has changed since it was downloaded"):
        fetch(site, tmp_path)
    assert path.read_text() == "mine"


def test_a_truncated_answer_is_refused_and_resumed(site, tmp_path):
    error = broken(site, tmp_path)
    assert "truncated" in error.what
    kept = part(tmp_path).stat().st_size
    assert 100_000 - CHUNK_BYTES < kept <= 100_000
    assert f"resume after {kept:,} bytes" in error.hint
    assert not part(tmp_path).with_suffix("").exists()
    fetch(site, tmp_path)
    assert site.requests[0][1] == f"bytes={kept}-"
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS
    assert not part(tmp_path).exists()


def test_a_server_without_ranges_starts_over(site, tmp_path):
    broken(site, tmp_path)
    site.ranges = False
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


def test_the_wrong_range_starts_over(site, tmp_path):
    broken(site, tmp_path)
    site.shift = 7
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


def test_another_version_of_the_file_starts_over(site, tmp_path):
    broken(site, tmp_path)
    other = QUESTIONS.replace(b"xxxx", b"yyyy")
    site.files["/LaMP_3/dev/dev_questions.json"], site.etag = other, '"v2"'
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == other


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_an_unnamed_version_is_not_resumed(site, tmp_path, etag):
    site.etag = etag
    broken(site, tmp_path)
    fetch(site, tmp_path)
    assert site.requests[0][1] is None
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


def test_a_part_longer_than_the_source_starts_over(site, tmp_path):
    broken(site, tmp_path)
    part(tmp_path).write_bytes(b"x" * (len(QUESTIONS) + 5))
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


def test_a_lost_note_about_the_part_starts_over(site, tmp_path):
    broken(site, tmp_path)
    part(tmp_path).with_name("dev_questions.json.part.json").write_text('{"url":')
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


def test_a_stall_ends_in_time_and_keeps_the_part(site, tmp_path):
    site.send_only, site.stalls = 300_000, True
    start = time.monotonic()
    with pytest.raises(DataError, match=r"received no data for 0\.3 s"):
        fetch(site, tmp_path, timeout=0.3)
    assert time.monotonic() - start < 5
    assert 0 < part(tmp_path).stat().st_size <= 300_000
    site.send_only, site.stalls = None, False
    fetch(site, tmp_path)
    assert part(tmp_path).with_suffix("").read_bytes() == QUESTIONS


@pytest.mark.parametrize("status", [404, 403, 500])
def test_an_error_status_is_reported_with_its_address(site, tmp_path, status):
    site.files["/LaMP_3/dev/dev_questions.json"] = status
    with pytest.raises(DataError, match=f"/LaMP_3/dev/dev_questions.json answered {status}"):
        fetch(site, tmp_path)
    assert not list(tmp_path.rglob("*.json"))


def test_an_html_page_is_refused_and_not_resumed(site, tmp_path):
    site.files["/LaMP_3/dev/dev_questions.json"] = b"<html>moved</html>"
    with pytest.raises(DataError, match="did not return a JSON file"):
        fetch(site, tmp_path)
    assert not list(tmp_path.rglob("dev_questions*"))


def test_missing_test_outputs_are_no_error(site, tmp_path):
    site.files["/LaMP_3/test/test_questions.json"] = QUESTIONS
    done = fetch(site, tmp_path, sets=("test",))
    assert [item.status for item in done] == ["fetched", "absent"]
    assert load_dataset(LaMP3(), tmp_path, split="user", set="test").golds is None


def test_no_server(tmp_path):
    with pytest.raises(DataError, match=r"can't be reached.*check the network"):
        download(LaMP3(), tmp_path, split="user", sets=("dev",), base_url="http://127.0.0.1:9")


def test_an_unwritable_root(site, tmp_path):
    (tmp_path / "user").write_text("a file")
    with pytest.raises(StorageError, match="can't be written"):
        fetch(site, tmp_path)
