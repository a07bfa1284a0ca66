"""Training steps of the embedded LLM next to a busy neighbour: threads that spin, that sleep, one thread.

    python -m tests.perf.threads [--steps 20] [--neighbours 1] [--repeats 3]

Each way runs in a process of its own, because torch reads OMP_WAIT_POLICY as it is imported; the ways take turns, and
the median of each is printed in seconds and in CPU seconds. Neighbours are processes that only count.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

WAYS = {
    "2 threads that spin": (2, {"OMP_WAIT_POLICY": "ACTIVE"}),
    "2 threads, torch's default": (2, {}),
    "2 threads that sleep": (2, {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}),
    "1 thread": (1, {}),
}
"""Name → threads, and environment variables."""
BATCH = 16


def measure(threads: int, steps: int) -> tuple[float, float]:
    """Seconds and CPU seconds of forward and backward passes of PPlug on LaMP-3."""
    import torch

    from tests.perf.test_pplug_epoch import open_pplug, run

    torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as folder:
        method, data = open_pplug(Path(folder), "LaMP-3")
        batches = [range(BATCH * step, BATCH * (step + 1)) for step in range(steps)]
        run(data, batches[:2], method)
        start = time.perf_counter()
        cpu, _ = run(data, batches, method)
        return time.perf_counter() - start, cpu


def measure_elsewhere(way: str, steps: int) -> tuple[float, float]:
    """`measure` in a new process under the environment of `way`."""
    unset = {"OMP_WAIT_POLICY", "KMP_BLOCKTIME", "OMP_NUM_THREADS"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    threads, variables = WAYS[way]
    code = f"from tests.perf.threads import measure; print(measure({threads}, {steps}))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    seconds, cpu = json.loads(done.stdout.strip().replace("(", "[").replace(")", "]"))
    return seconds, cpu


def count() -> None:
    """A busy neighbour."""
    while True:
        pass


def main() -> None:
    """Print a line for each way."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--neighbours", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    neighbours = [
        multiprocessing.Process(target=count, daemon=True) for _ in range(arguments.neighbours)
    ]
    for neighbour in neighbours:
        neighbour.start()
    load = os.getloadavg()[0]
    found: dict[str, list[tuple[float, float]]] = {way: [] for way in WAYS}
    for _ in range(arguments.repeats):
        for way in WAYS:
            found[way].append(measure_elsewhere(way, arguments.steps))
            print(f"{way:28} {found[way][-1]}", file=sys.stderr)
    for neighbour in neighbours:
        neighbour.terminate()
    print(f"load before: {load:.1f}; {arguments.steps} steps of {BATCH} examples")
    for way, times in found.items():
        seconds, cpu = (median(column) for column in zip(*times, strict=True))
        print(f"{way:28} {seconds:6.2f} s  {cpu:6.2f} CPU s")


if __name__ == "__main__":
    main()
