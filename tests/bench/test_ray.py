"""The grid on Ray: two nodes simulated on loopback, one of which is killed."""

import time

import pytest

LOOPBACK = "127.0.0.1"
SECONDS = 120
ROWS = ("mean-score", "hangs", "zero-shot", "bm25", "pplug")
MORE = "controls = true\ntraining = { max_steps = 2, batch_size = 4 }"

ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'pplug-bench[ray]'")


@pytest.fixture(scope="module")
def cluster():
    """A head without cores and two nodes with one each, which listen on loopback alone."""
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for cpus in (0, 1, 1):
        cluster.add_node(node_ip_address=LOOPBACK, num_cpus=cpus, include_dashboard=False)
    yield cluster
    cluster.shutdown()


def wait_for(condition, process):
    end = time.monotonic() + SECONDS
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


def raylet(node):
    return node.all_processes["raylet"][0].process.pid


def test_a_lost_node_costs_nothing_but_time(project, cluster):
    """What is stored is, byte for byte, what processes of this machine store."""
    file = project.root / "begun"
    project.probe("hangs", "Hangs", file=file)
    project.suite(*ROWS, more=MORE)
    run = project.start("run", "s", "--engine", "ray", "--address", cluster.address)
    wait_for(lambda: file.exists() and file.read_text().endswith("\n"), run)
    (node,) = [node for node in cluster.worker_nodes if raylet(node) == int(file.read_text())]
    cluster.remove_node(node, allow_graceful=False)
    _, err = run.communicate(timeout=SECONDS)
    assert run.returncode == 0, err
    cluster.add_node(node_ip_address=LOOPBACK, num_cpus=1)
    assert "lost  LaMP-3 · hangs" in err
    stored = project.stored()
    (project.runs / "s").rename(project.root / "aside")
    assert {o.state for o in project.run()} == {"done"}
    assert project.stored() == stored
