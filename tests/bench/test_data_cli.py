"""`bench data …`: generated data, verification, and downloads from a loopback server."""

import json
import shutil
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tasks.sample.writer import write_sample
from tests.bench import own_task


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture
def site(tmp_path):
    """A mirror in the official layout that serves LaMP-3's time split with 3 queries per set."""
    root = tmp_path / "site"
    write_sample(root, users=2, train=3, dev=3, test=3)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=root))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def download(bench, site, root, *more):
    return bench("data", "download", "LaMP-3", "--url", site, "--root", str(root), *more)


def test_only_the_files_of_lamps_tasks_can_be_downloaded(bench):
    done = bench("data", "download", f"{own_task.__name__}:Garden")
    assert done.code == 2
    assert "garden is not one of LaMP's tasks" in done.err


def test_sample_is_written_in_the_official_layout(bench, tmp_path):
    done = bench("data", "sample", str(tmp_path / "made"), "--seed", "3")
    assert (done.code, done.out) == (0, f"Wrote {tmp_path / 'made'}\n")
    path = tmp_path / "made" / "time" / "LaMP_3" / "dev" / "dev_questions.json"
    assert {"id", "input", "profile"} <= set(json.loads(path.read_text())[0])


@pytest.mark.parametrize("command", ["sample", "mini"])
def test_generated_data_overwrites_nothing(bench, tmp_path, command):
    """A folder that one names may hold official files."""
    theirs = tmp_path / "data" / "time" / "LaMP_3" / "dev" / "dev_questions.json"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("official")
    for root in (tmp_path / "data", theirs):
        done = bench("data", command, str(root))
        assert done.code == 2
        assert f"{root}: exists already, and nothing in it is overwritten" in done.err
    assert theirs.read_text() == "official"
    (tmp_path / "empty").mkdir()
    assert bench("data", "sample", str(tmp_path / "empty")).code == 0


@pytest.mark.parametrize("seconds", ["0", "-1", "nan", "inf"])
def test_a_timeout_that_is_no_time_is_refused(bench, seconds):
    done = bench("data", "download", "LaMP-3", "--timeout", seconds)
    assert done.code == 2
    assert "is not a time to wait" in done.err


def test_a_world_is_written_in_the_official_layout(project, bench, tmp_path):
    project.add("[data.small]\nmini = { users = 6, seed = 1 }\n")
    project.suite("zero-shot")
    root = tmp_path / "made"
    wanted = ("data", "mini", str(root), "--source", "small", "--set", "data.small.mini.seed=2")
    done = bench(*wanted)
    assert (done.code, done.out) == (0, f"Wrote {root}\n"), done.err
    for split in ("time", "user"):
        assert bench("data", "verify", "LaMP-2", "--split", split, "--root", str(root)).code == 0
    files = sorted(root.rglob("dev_questions.json"))
    texts = [file.read_text() for file in files]
    assert len(files) == 2 * 6
    shutil.rmtree(root)
    assert bench(*wanted[:-1], "data.small.mini.seed=3").code == 0
    assert all(file.read_text() != text for file, text in zip(files, texts, strict=True))
    done = bench("data", "mini", str(root), "--source", "tiny")
    assert (done.code, "not define a world of LaMP-mini" in done.err) == (2, True), done.err


def test_download_then_keep(bench, site, tmp_path):
    root = tmp_path / "data"
    first = download(bench, site, root)
    assert first.code == 0, first.err
    lines = [line.split() for line in first.out.splitlines()]
    # Test outputs are not in the sample, as they are not on the official site.
    assert [line[0] for line in lines] == ["fetched"] * 5 + ["absent"]
    path = root / "time" / "LaMP_3" / "train" / "train_questions.json"
    assert lines[0][1] == str(path.stat().st_size)
    assert lines[0][-1] == str(path)
    again = download(bench, site, root)
    assert [line.split()[0] for line in again.out.splitlines()] == ["kept"] * 5 + ["absent"]
    assert bench("data", "verify", "LaMP-3", "--root", str(root)).code == 0


def test_download_takes_the_root_from_the_configuration(project, bench, site):
    project.add('[data.lamp]\nroot = "official"\n')
    project.suite("zero-shot")
    done = bench("data", "download", "LaMP-3", "--url", site, "--sets", "dev")
    assert done.code == 0
    files = sorted(path.name for path in (project.root / "official").rglob("dev_*.json"))
    assert files == ["dev_outputs.json", "dev_questions.json"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["download", "LaMP-33", "--root", "x"], "unknown task 'LaMP-33'. Did you mean 'LaMP-3'"),
        (["download", "LaMP-3", "--root", "x", "--sets", "dve"], "contains an unknown set"),
        (["download", "LaMP-3", "--config", "lamp.toml"], "[data.lamp] has no root"),
        (["verify", "LaMP-33", "--root", "x"], "unknown task 'LaMP-33'"),
    ],
)
def test_a_mistake_is_reported(project, bench, arguments, message):
    project.suite("zero-shot")
    (project.root / "lamp.toml").write_text("[data.lamp]\nsample = 0\n")
    done = bench("data", *arguments)
    assert done.code == 2
    assert done.err.startswith("error: ")
    assert message in done.err


def test_a_file_missing_on_the_server_is_reported(bench, site, tmp_path):
    done = download(bench, f"{site}/nowhere", tmp_path / "data", "--sets", "dev")
    assert done.code == 2
    assert "answered 404" in done.err
    assert "Traceback" not in done.err
    assert not list((tmp_path / "data").rglob("*.json"))


def test_an_unreachable_server_is_reported(bench, tmp_path):
    done = download(bench, "http://127.0.0.1:9", tmp_path / "data", "--sets", "dev")
    assert done.code == 2
    assert "can't be reached" in done.err


def test_verify_counts(project, bench):
    done = bench("data", "verify", "LaMP-3", "--root", str(project.root / "data"))
    lines = done.out.splitlines()
    assert lines[0] == "LaMP-3 (time split)"
    (dev,) = [line for line in lines if line.startswith("  dev")]
    assert dev.startswith("  dev   4 queries, 2 users, history length 1.5 ± ")
    assert dev.endswith("(min 0, median 1.5, max 3), 1 empty")
    assert "        answers: 1: 1, 2: 1, 4: 1, 5: 1" in lines


def test_verify_fails_on_a_damaged_file(project, bench):
    path = project.root / "data" / "time" / "LaMP_3" / "dev" / "dev_questions.json"
    path.write_text(path.read_text()[:-10])
    done = bench("data", "verify", "LaMP-3", "--root", str(project.root / "data"))
    assert done.code == 1
    assert str(path) in done.out + done.err
    assert "Traceback" not in done.err
