"""The grid on a cluster, as far as it goes without Ray; tests/bench/test_ray.py runs the real one."""

import importlib.util
import socket
from functools import partial
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench import store
from bench.announcing import announce
from bench.cluster import connection, driver, engine, worker
from bench.cluster.connection import ClusterError
from bench.cluster.driver import Driver, Row
from bench.cluster.engine import make_rows, run
from bench.cluster.needs import GIB, Needs, find_needs
from bench.cluster.worker import Fault, Job, Worker, digest_cells
from bench.engine import run_grid
from bench.grid import plan
from bench.locks import lock_cell
from bench.progress import Doing
from tasks.common.errors import ConfigError, StorageError
from tests.bench.fake_ray import FakeRay

NODE = {"CPU": 1.0, "memory": 8.0 * GIB}


@pytest.fixture
def on_ray(project, monkeypatch):
    """`bench run --engine ray` on a fake cluster; returns the outcomes and what was printed."""
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")  # set by workers

    def on_ray(ray, *overrides):
        monkeypatch.setattr(engine, "connect", ray.connect)
        settings = project.load(*overrides)
        console = Console(record=True, file=(project.root / "printed").open("w"), width=200)
        outcomes = run_grid(
            settings,
            plan(settings),
            console,
            lambda _: None,
            log=project.root / "log",
            engine=partial(run, address=None),
        )
        return {outcome.cell.variant: outcome for outcome in outcomes}, console.export_text()

    return on_ray


def test_cells_are_stored_as_processes_of_this_machine_store_them(project, on_ray):
    project.suite("mean-score", "zero-shot", "bm25", "majority-label")
    outcomes, printed = on_ray(FakeRay(NODE, NODE))
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert "ray  2 nodes, room for 2 workers of 1 CPU" in printed
    stored = project.stored()
    log = (project.root / "log").read_text()
    project.start_over()
    project.run()
    assert project.stored() == stored
    assert not list(project.runs.glob(".shared-*"))
    for line in (
        "Ray: 2 nodes, room for 2 workers of 1 CPU",
        f"worker 2 has started on {socket.gethostname()}",
        "worker 1: LaMP-3 · mean-score · seed 0  starting",
        "done  LaMP-3 · mean-score · seed 0",
        "ended",
    ):
        assert log.count(f"  {line}\n") == 1


def test_workers_are_asked_what_they_do_at_intervals_only(project, on_ray, monkeypatch):
    """However fast they answer: here, no time passes."""
    monkeypatch.setattr(driver, "monotonic", lambda: 0.0)
    project.suite("mean-score", "median-score", "majority-label")
    ray = FakeRay(NODE)
    on_ray(ray)
    assert ray.asked == 1


def test_a_cell_is_run_again_when_its_worker_is_lost(project, on_ray):
    project.suite("mean-score", "median-score")
    ray = FakeRay(NODE, deadly={0: 2})
    outcomes, printed = on_ray(ray)
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert printed.count("lost  LaMP-3 · mean-score · seed 0  its worker on ") == 2
    where = f"worker 1 on {socket.gethostname()} was lost: LaMP-3 · mean-score · seed 0: The actor"
    assert (project.root / "log").read_text().count(where) == 2
    assert sorted(ray.ran) == [0, 1]
    assert len(ray.options) == len(ray.killed) == 3


def test_a_cell_that_ends_three_workers_has_failed(project, on_ray):
    project.suite("mean-score", "median-score")
    ray = FakeRay(NODE, deadly={0: 3})
    outcomes, _ = on_ray(ray)
    assert outcomes["median-score"].state == "done"
    failed = outcomes["mean-score"]
    assert failed.state == "failed"
    assert failed.reason == ("it ended its worker 3 times (The actor died. Its process has ended.)")
    assert store.error_file(failed.cell.folder).read_text() == f"{failed.reason}\n"


def test_without_a_node_left_the_run_ends(project, on_ray):
    project.suite("mean-score")
    with pytest.raises(ClusterError, match="lost every node with 1 CPU"):
        on_ray(FakeRay(NODE, deadly={0: 1}, vanishing=True))


def test_workers_that_end_before_they_begin_end_the_run(project, on_ray):
    project.suite("mean-score")
    with pytest.raises(ClusterError, match="workers end before they run a cell"):
        on_ray(FakeRay(NODE, stillborn={0, 1, 2}))


def test_a_worker_that_never_begins_is_given_up_where_another_works(project, on_ray):
    """One faulty node doesn't end the run."""
    project.suite("mean-score", "median-score")
    ray = FakeRay(NODE, NODE, stillborn={0, 2, 3})
    outcomes, printed = on_ray(ray)
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert printed.count("lost  starting  its worker has ended") == 3
    assert len(ray.options) == 4


def test_a_failed_cell_and_a_full_disk_are_what_they_are_elsewhere(project, on_ray):
    project.probe("broken", "Fails", file=project.root / "no")
    project.suite("broken", "mean-score")
    outcomes, _ = on_ray(FakeRay(NODE))
    assert "the file is not there" in outcomes["broken"].reason
    assert outcomes["mean-score"].state == "done"
    project.probe("blocking", "Blocks", file=project.runs / "t" / "LaMP-3" / "blocking")
    project.suite("blocking", name="t")
    with pytest.raises(StorageError, match="blocking"):
        on_ray(FakeRay(NODE), 'default_suite="t"')


def test_a_lost_workers_cell_waits_until_it_has_ended(project, monkeypatch):
    """Its node may end it later; the lock on the cell says that it still runs."""
    project.suite("mean-score")
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    settings = project.load()
    (cell,) = plan(settings).cells
    started = Worker()
    assert started.start(make_job(settings), Needs()) == socket.gethostname()
    lock = lock_cell(cell.folder, settings.store.cache)
    lock.__enter__()
    assert started.run(0, again=False).state == "busy"
    monkeypatch.setattr(worker, "sleep", lambda _: lock.__exit__(None, None, None))
    assert started.run(0, again=True).state == "done"


def make_job(settings, tokens=(), cells=None):
    grid = plan(settings)
    return Job(settings, grid.suite, (), (), cells or digest_cells(grid), tokens, ".", ())


def test_a_node_must_share_the_store_and_plan_the_same_cells(project, monkeypatch):
    project.suite("mean-score")
    monkeypatch.setattr(worker, "LAG", 0)
    monkeypatch.chdir(project.root)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    settings = project.load()
    fault = Worker().start(make_job(settings, tokens=(project.root / "unseen",)), Needs())
    assert isinstance(fault, Fault)
    assert isinstance(fault.to_error(), StorageError)
    assert "all nodes share" in str(fault.to_error())
    fault = Worker().start(make_job(settings, cells="others"), Needs())
    assert isinstance(fault.to_error(), ConfigError)
    assert "plans other cells" in fault.what


def test_a_worker_keeps_to_the_llm_that_it_holds():
    """Then come cells of another LLM, and last those whose fit another worker is computing."""
    llms, fits = ["a", "b", "a", None, "a"], ["0", "1", "2", "3", "busy"]
    cells = [
        SimpleNamespace(title=fit, fit_key=fit, depends_on=SimpleNamespace(llm=llm))
        for llm, fit in zip(llms, fits, strict=True)
    ]
    ray = SimpleNamespace(remote=lambda **_: lambda cls: cls)
    bars = SimpleNamespace(show=lambda *_: None)
    sharing = Driver(ray, SimpleNamespace(cells=cells), set(range(5)), None, bars, None, None)
    answers = SimpleNamespace(run=SimpleNamespace(remote=lambda *_, **__: object()))
    row = Row(0, Needs(), order=[0, 1, 2, 3, 4], worker=answers)
    sharing._rows = [row, Row(1, Needs(), [], cell=4)]
    sharing._fits[4] = "busy"
    given = []
    for _ in range(5):
        sharing._give(row)
        given.append(row.cell)
    assert given == [0, 2, 3, 1, 4]


def test_what_a_worker_did_before_its_cell_is_not_shown_as_the_cells():
    """The answer may come after the worker was given the next cell."""
    shown, titles = [], ["a", "b"]
    bars = SimpleNamespace(show=lambda number, doing: shown.append(doing.title))
    grid = SimpleNamespace(
        cells=[
            SimpleNamespace(title=title, fit_key=title, depends_on=SimpleNamespace(llm=None))
            for title in titles
        ]
    )
    ray = SimpleNamespace(remote=lambda **_: lambda cls: cls)
    sharing = Driver(ray, grid, set(), None, bars, None, None)
    for cell, did in ((None, ""), (1, "a"), (1, ""), (1, "b"), (None, "b")):
        sharing._on_doing(Row(0, Needs(), [], cell=cell), Doing(did))
    assert shown == ["", "b"]


def test_before_a_run_the_time_is_that_of_one_worker(project):
    """How many there are is known once the cluster is."""
    project.suite("mean-score", "median-score", more="workers = 2")
    settings = project.load()
    grid = plan(settings)
    expected = {cell.title: 60.0 for cell in grid.cells}
    console = Console(record=True, file=(project.root / "printed").open("w"), width=200)
    announce(settings, grid, expected, console, elsewhere=True)
    assert "0 failed, 2 left; about 2 min left for one worker\n" in console.export_text()


def test_room_is_what_a_node_has_divided_by_needs():
    node = {"CPU": 8.0, "GPU": 2.0, "memory": 100.0 * GIB}
    assert Needs(3).count_room(node) == 2
    assert Needs(1, gpus=1).count_room(node) == 2
    assert Needs(1, gpus=1 / 3).count_room(node) == 6
    assert Needs(1, gpus=0.5, memory=40 * GIB).count_room(node) == 2
    assert Needs(1, gpus=1).count_room({"CPU": 64.0}) == 0
    rows = make_rows({0: Needs(8), 1: Needs(1, 1), 2: Needs(8), 3: Needs(8)}, [node, node])
    assert [(row.number, row.needs.gpus, row.order) for row in rows] == [
        (0, 1, [1]),
        (1, 0, [0, 3, 2]),
        (2, 0, [2, 3, 0]),
    ]
    assert str(Needs(2, 0.5, 3 * GIB)) == "2 CPUs, 0.5 GPU, 3 GiB"


def test_needs_follow_models_devices_and_settings(project):
    project.suite("mean-score", "zero-shot", "dense")

    def needs(*overrides, gpus=0):
        settings = project.load(*overrides)
        node = {"CPU": 8.0, "GPU": float(gpus), "memory": 9.0 * GIB}
        return find_needs(plan(settings).cells, settings, 4, [node])

    assert needs() == [Needs(1), Needs(4), Needs(4)]
    assert needs(gpus=1) == [Needs(1), Needs(4), Needs(4)]  # both models say device = "cpu"
    on_gpu = "llms.t5.device=auto"
    assert needs(on_gpu, gpus=1) == [Needs(1), Needs(1, gpus=1), Needs(1, gpus=1)]
    assert needs(on_gpu) == needs()
    assert needs("needs.t5.cpus=2", "needs.t5.memory_gib=9", "needs.bert.gpus=0.5", gpus=1) == [
        Needs(1),
        Needs(2, memory=9 * GIB),
        Needs(2, gpus=0.5, memory=9 * GIB),
    ]
    for override in ("needs.t5.gpus=2", "needs.t5.memory_gib=10", "needs.t5.cpus=9"):
        with pytest.raises(ConfigError, match="no node of the cluster has"):
            needs(override, gpus=1)
    with pytest.raises(ConfigError, match=r"\[needs.t6\] names no LLM"):
        project.load("needs.t6.cpus=1")
    with pytest.raises(ConfigError, match="must be a whole number"):
        project.load("needs.t5.gpus=1.5")


def test_models_that_options_name_are_needed_too(project):
    project.suite("pag")
    named = f'methods.pag.summarizer={{ model="{project.load().llm("t5").model}", device="auto" }}'
    settings = project.load(named)
    node = {"CPU": 8.0, "GPU": 1.0}
    assert find_needs(plan(settings).cells, settings, 4, [node]) == [Needs(1, gpus=1)]


def test_what_is_wrong_with_the_command_is_said_at_once(project, bench, monkeypatch):
    """Whether Ray is installed or not, with no traceback and no waiting."""
    project.suite("mean-score")
    assert "'slurm' is not one of" in bench("run", "s", "--engine", "slurm").err
    done = bench("run", "s", "--address", "10.0.0.1:6379")
    assert (done.code, "Add --engine ray" in done.err) == (2, True)
    find, installed = importlib.util.find_spec, set()
    monkeypatch.setattr(
        connection.importlib.util, "find_spec", lambda name: name in installed or find(name)
    )
    with socket.create_server(("127.0.0.1", 0)) as server:
        closed = f"127.0.0.1:{server.getsockname()[1]}"
    installed.add("ray")
    for address, said in {
        closed: f"no Ray cluster can be reached at {closed} ([Errno",
        "no.invalid:6379": "no Ray cluster can be reached at no.invalid:6379",
        "ray://10.0.0.1:10001": "not of the form HOST:PORT",
        "10.0.0.1": "not of the form HOST:PORT",
        "10.0.0.1:99999": "not of the form HOST:PORT",
    }.items():
        done = bench("run", "s", "--engine", "ray", "--address", address)
        assert (done.code, said in done.err) == (2, True), done.err
        assert "Traceback" not in done.err
    monkeypatch.setattr(connection.importlib.util, "find_spec", lambda name: None)
    done = bench("run", "s", "--engine", "ray")
    assert (done.code, "pip install 'pplug-bench[ray]'" in done.err) == (2, True)
