"""The grid on Ray: on two simulated nodes of which one is killed, and on this machine."""

import importlib.util
import shutil
import signal
import tempfile
import time

import psutil
import pytest

from bench import store

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("ray") is None,
        reason="Ray is not installed: pip install 'pplug-bench[ray]'",
    ),
    pytest.mark.timeout(900),
]
LOOPBACK = "127.0.0.1"
SECONDS = 300
ROWS = ("mean-score", "hangs", "zero-shot", "bm25", "pplug")
MORE = "controls = true\ntraining = { max_steps = 2, batch_size = 4 }"


@pytest.fixture(scope="module", autouse=True)
def on_loopback():
    """Ray listens on the loopback interface alone; its sockets need a short path."""
    folder = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("HOME", folder)  # of Ray's token
        yield
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start_hanging(project):
    """Starts a run whose second cell hangs; returns it and the process ids of that worker's raylet
    and of the worker.
    """
    runs = []
    yield lambda *options: start(project, runs, *options)
    for run in runs:
        run.kill()
        run.wait()


def start(project, runs, *options):
    file = project.root / "begun"
    project.probe("hangs", "Hangs", file=file)
    project.suite(*ROWS, more=MORE)
    run = project.start("run", "s", "--engine", "ray", *options)
    runs.append(run)
    end = time.monotonic() + SECONDS
    while not (file.exists() and file.read_text().endswith("\n")):
        assert run.poll() is None, run.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    return run, *map(int, file.read_text().split())


def require_loopback():
    """Every process that these tests have started listens there, if at all."""
    started = {process.pid for process in psutil.Process().children(recursive=True)}
    listening = [
        connection.laddr.ip.removeprefix("::ffff:")
        for connection in psutil.net_connections("inet")
        if connection.pid in started and connection.status == psutil.CONN_LISTEN
    ]
    assert set(listening) == {LOOPBACK}


def test_a_lost_node_costs_nothing_but_time(project, start_hanging):
    """What is stored is, byte for byte, what processes of this machine store."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    try:
        for cpus in (0, 1, 1):
            cluster.add_node(node_ip_address=LOOPBACK, num_cpus=cpus, include_dashboard=False)
        run, raylet, _ = start_hanging("--address", cluster.address)
        require_loopback()
        (node,) = [
            node
            for node in cluster.worker_nodes
            if node.all_processes["raylet"][0].process.pid == raylet
        ]
        cluster.remove_node(node, allow_graceful=False)
        _, err = run.communicate(timeout=SECONDS)
    finally:
        cluster.shutdown()
    assert run.returncode == 0, err
    assert "ray  3 nodes, room for 2 workers of 1 CPU" in err
    assert err.count("lost  LaMP-3 · hangs · seed 0  its worker on ") == 1
    stored = project.stored()
    project.start_over()
    assert {outcome.state for outcome in project.run()} == {"done"}
    assert project.stored() == stored


def test_ray_of_this_machine_ends_with_ctrl_c(project, start_hanging):
    run, raylet, worker = start_hanging()
    require_loopback()
    run.send_signal(signal.SIGINT)
    _, err = run.communicate(timeout=SECONDS)
    assert run.returncode == 130, err
    assert "Traceback" not in err
    assert "finished cells are kept" in err
    assert store.is_done(project.cells()["mean-score"].folder)
    left = [psutil.Process(pid) for pid in (raylet, worker) if psutil.pid_exists(pid)]
    assert not psutil.wait_procs(left, timeout=SECONDS)[1]
