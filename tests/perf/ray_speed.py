"""Two Ray workers against one, and Ray workers against processes of this machine.

    python -m tests.perf.ray_speed                    # 16 cells of mini, on 2 cores: minutes
    python -m tests.perf.ray_speed --queries 20       # a try

Cells compute with one thread, and each run has a store of its own. Prints one line of JSON per run
and one of ratios. `seconds` is the whole run; `span` is from the start of the first cell to the end
of the last, and `busy` what the cells add up to. `cpu` is of all the run's processes, Ray's own too.
A run of one cell that computes next to nothing shows what starting costs. The ratios are of spans,
and of CPU seconds beyond those of starting.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

BENCH = Path(sys.executable).with_name("bench")
LOOPBACK = "127.0.0.1"
TASKS = ("LaMP-2", "LaMP-3", "LaMP-4", "LaMP-7")
METHODS = ("zero-shot", "recency", "bm25", "random")
NOTHING = ("mean-score",)


@contextmanager
def start_ray(nodes: int) -> Iterator[str | None]:
    """The address of a cluster with as many nodes of one core; None without nodes."""
    if not nodes:
        yield None
        return
    from ray.cluster_utils import Cluster

    cluster = Cluster()
    for cpus in (0, *[1] * nodes):
        cluster.add_node(node_ip_address=LOOPBACK, num_cpus=cpus, include_dashboard=False)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def run(
    folder: Path, methods: tuple[str, ...], queries: int, *, nodes: int = 0, workers: int = 1
) -> dict[str, float]:
    """One `bench run` in a new folder; without nodes, in so many processes of this machine."""
    folder.mkdir()
    (folder / "bench.toml").write_text('[store]\nruns = "runs"\ncache = "cache"\n')
    chosen = [f"--method={name}" for name in methods] + [f"--task={name}" for name in TASKS]
    command = [str(BENCH), "run", "mini", *chosen]
    command += [f"--set=workers={workers}", f"--set=evaluate_limit={queries}"]
    with start_ray(nodes) as address:
        if address is not None:
            command += ["--engine=ray", f"--address={address}"]
        spent, started = CPU(), time.monotonic()
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
            while process.poll() is None:
                spent.update()
                time.sleep(0.2)
        seconds = time.monotonic() - started
        assert process.returncode == 0, (folder / "log").read_text()
    spans = [read_span(file) for file in folder.glob("runs/mini/*/*/*/cell.json")]
    first, last = min(start for start, _ in spans), max(end for _, end in spans)
    return {
        "cells": len(spans),
        "seconds": round(seconds, 1),
        "cpu": round(spent.seconds(), 1),
        "span": round(last - first, 1),
        "busy": round(sum(end - start for start, end in spans), 1),
        "load": round(os.getloadavg()[0], 1),
    }


class CPU:
    """CPU seconds of this process's descendants from now on, whether they still live or not."""

    def __init__(self) -> None:
        self._seen: dict[tuple[int, float], float] = {}
        self.update()
        self._before = sum(self._seen.values())

    def update(self) -> None:
        """Look again: what a process spends after the last look before its end isn't counted."""
        for process in psutil.Process().children(recursive=True):
            try:
                times = process.cpu_times()
                self._seen[process.pid, process.create_time()] = times.user + times.system
            except psutil.Error:  # it has ended
                continue

    def seconds(self) -> float:
        self.update()
        return sum(self._seen.values()) - self._before


def read_span(file: Path) -> tuple[float, float]:
    """When a cell began, to the second, and when it was stored."""
    record = json.loads(file.read_text(encoding="utf-8"))
    return datetime.fromisoformat(record["started"]).timestamp(), file.stat().st_mtime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--queries", type=int, default=600)
    given = parser.parse_args()
    os.environ |= {"OMP_NUM_THREADS": "1", "RAY_USAGE_STATS_ENABLED": "0"}
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # listens on loopback alone
    os.environ |= {"RAY_worker_niceness": "0"}  # as processes of this machine
    with tempfile.TemporaryDirectory() as root:
        runs = {}
        for name, methods, shares in (
            ("local start", NOTHING, {}),
            ("ray start", NOTHING, {"nodes": 1}),
            ("local", METHODS, {}),
            ("two local", METHODS, {"workers": 2}),
            ("ray", METHODS, {"nodes": 1}),
            ("two ray", METHODS, {"nodes": 2}),
        ):
            runs[name] = run(Path(root) / name, methods, given.queries, **shares)
            print(json.dumps({"run": name, **runs[name]}), flush=True)

    local, ray = runs["local"], runs["ray"]
    starts = runs["local start"]["cpu"], runs["ray start"]["cpu"]
    ratios = {
        "two ray workers against one, spans": ray["span"] / runs["two ray"]["span"],
        "two local processes against one, spans": local["span"] / runs["two local"]["span"],
        "ray against local, spans": ray["span"] / local["span"],
        "ray against local, cpu": (ray["cpu"] - starts[1]) / (local["cpu"] - starts[0]),
    }
    print(json.dumps({name: round(value, 2) for name, value in ratios.items()}))


if __name__ == "__main__":
    main()
