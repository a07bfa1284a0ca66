"""What the harness itself costs: its commands on large grids, and its share of a run.

    python -m tests.perf.grid_overhead commands [--repeats 5] [--folder FOLDER]
    python -m tests.perf.grid_overhead share [SUITE OPTIONS…]      # mini -t LaMP-3 where none are given

`commands` prints the median CPU seconds of importing torch, for scale, of `bench --help`, of `bench plan` of 10,000
cells, and of `bench table` of 10 methods × 6 tasks × 3 seeds × 2,500 predictions, which it writes first, to a temporary
folder or to one that is kept.
`share` runs a suite in one process, in a temporary folder too, and prints how much of its CPU time went into planning,
storing and progress.
"""

import argparse
import functools
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench import announcing, cell, cli, estimate, store
from bench.grid import Cell, plan
from bench.progress import Bars
from bench.records import CellRecord, CellScores, MetricScores
from bench.settings import load_settings
from tasks import Prediction
from tasks.metrics import find_rules
from tests.bench.support import make_record

BENCH = Path(sys.executable).with_name("bench")
METHODS = [
    *("pplug", "pplug-mean", "pplug-top-4", "pplug-sharp", "pplug-recent", "pplug-dense"),
    *("pplug-bm25", "pplug-4-tokens", "pplug-whitened", "oppu"),
]
"""Ten that a seed changes; next to them stands the reference, which none changes."""
QUERIES = 2500
CONFIG = f"""
[store]
runs = "runs"
cache = "cache"

[suites.s]
like = "mini"
methods = {["zero-shot", *METHODS]}
seeds = [0, 1, 2]
"""


def write_cells(folder: Path) -> int:
    """Store every cell of the suite, with answers made up; returns how many."""
    settings = load_settings(folder / "bench.toml")
    draw = random.Random(0)
    scored: dict[str, CellScores] = {}
    cells = plan(settings, "s").cells
    for each in cells:
        if store.is_done(each.folder):
            continue
        name = each.task.name
        if name not in scored:
            scored[name] = score_noise(each, draw)
        write_cell(each, scored[name], draw)
    return len(cells)


def score_noise(of: Cell, draw: random.Random) -> CellScores:
    """Scores of answers made up, half of them right."""
    task, rules = of.task(), load_settings(None).scoring.rules
    words = [*task.labels] or ["good", "old", "towns", "war", "and", "music", "films", "about"]

    def answer() -> str:
        return draw.choice(words) if task.labels else " ".join(draw.choices(words, k=6))

    golds = {f"{number}": answer() for number in range(QUERIES)}
    answers = [Prediction(id, draw.choice([gold, answer()])) for id, gold in golds.items()]
    return CellScores(
        scoring=find_rules(task, rules),
        ids=tuple(golds),
        users=tuple(f"user {id}" for id in golds),
        metrics={
            metric: MetricScores.from_score(score)
            for metric, score in task.score(answers, golds, rules).items()
        },
    )


def write_cell(of: Cell, scores: CellScores, draw: random.Random) -> None:
    """Store a cell whose scores are these in another order."""
    order = draw.sample(range(QUERIES), QUERIES)
    metrics = {
        name: found.model_copy(update={"rows": tuple(found.rows[place] for place in order)})
        for name, found in scores.metrics.items()
        if found.rows is not None
    }
    answers = [
        Prediction(id, f"answer {place}") for id, place in zip(scores.ids, order, strict=True)
    ]
    with store.create_cell(of.folder) as folder:
        store.write_predictions(folder / store.PREDICTIONS, answers)
        store.write_scores(folder, scores.model_copy(update={"metrics": metrics}))
        record = CellRecord.model_validate_json(json.dumps(make_record(of, predict=1.0)))
        store.write_record(folder, record)


def measure(folder: Path, *command: str | Path, repeats: int) -> tuple[float, float]:
    """Median seconds and CPU seconds of a command in a process of its own."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as child:
            _, status, used = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        times.append((time.perf_counter() - start, used.ru_utime + used.ru_stime))
        if child.returncode:
            sys.exit(f"{command} ended with {child.returncode}")
    seconds, cpu = (median(column) for column in zip(*times, strict=True))
    return seconds, cpu


def measure_commands(folder: Path, repeats: int) -> None:
    """Print a line for each command."""
    (folder / "bench.toml").write_text(CONFIG, encoding="utf-8")
    number = write_cells(folder)
    seeds = f"seeds={list(range(167))}"
    print(f"load before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for what, command in (
        ("import torch", (sys.executable, "-c", "import torch")),
        ("--help", (BENCH, "--help")),
        (f"plan of {6 * (1 + 10 * 167):,} cells", (BENCH, "plan", "s", "--set", seeds)),
        (f"table of {number} cells × {QUERIES:,} predictions", (BENCH, "table", "s")),
    ):
        seconds, cpu = measure(folder, *command, repeats=repeats)
        print(f"{what:45} {cpu:6.2f} CPU s  {seconds:6.2f} s", flush=True)


Work = Callable[..., Any]


@contextmanager
def count_seconds() -> Iterator[Counter[str]]:
    """CPU seconds of this process in each part of the harness, while the block runs."""
    spent: Counter[str] = Counter()
    inside: list[str] = []

    def wrap(part: str, work: Work) -> Work:
        @functools.wraps(work)
        def call(*arguments: Any, **options: Any) -> Any:
            if inside:  # a part that another one calls counts as that one
                return work(*arguments, **options)
            inside.append(part)
            start = time.process_time()
            try:
                return work(*arguments, **options)
            finally:
                spent[part] += time.process_time() - start
                inside.pop()

        return call

    with pytest.MonkeyPatch.context() as patch:
        for part, owner, names in (
            ("plan", cli, ("_plan",)),
            ("plan", announcing, ("announce",)),
            ("plan", estimate, ("expect_seconds",)),
            ("progress", Bars, ("show", "tick", "start_worker", "cell_done", "__exit__")),
            ("store", store, ("is_done", "check_cell", "require_writable", "write_predictions")),
            ("store", store, ("write_record", "write_scores", "write_chunk", "read_chunk")),
            ("store", cell, ("describe_environment",)),
        ):
            for name in names:
                patch.setattr(owner, name, wrap(part, getattr(owner, name)))
        yield spent


def measure_share(options: list[str]) -> None:
    """Run a suite in this process and print the share of each part."""
    with tempfile.TemporaryDirectory() as name, count_seconds() as spent:
        os.chdir(name)
        Path("bench.toml").write_text(CONFIG, encoding="utf-8")
        sys.argv = ["bench", "run", *(options or ["mini", "-t", "LaMP-3"]), "--set", "workers=1"]
        start = time.process_time()
        with pytest.raises(SystemExit):
            cli.main()
        total = time.process_time() - start
        os.chdir("/")
    print(f"{total:.1f} CPU seconds")
    for part, seconds in spent.items():
        print(f"{part:9} {seconds:6.2f} s  {seconds / total:.2%}")
    print(f"together  {spent.total():6.2f} s  {spent.total() / total:.2%}")


def main() -> None:
    """Run one of the two measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["commands", "share"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--folder", type=Path)
    arguments, options = parser.parse_known_args()
    if arguments.what == "share":
        measure_share(options)
    elif arguments.folder is not None:
        measure_commands(arguments.folder, arguments.repeats)
    else:
        with tempfile.TemporaryDirectory() as name:
            measure_commands(Path(name), arguments.repeats)


if __name__ == "__main__":
    main()
