"""A small project in a folder of its own: bench.toml, four LaMP-3 queries, and the commands."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console

from bench.announcing import LOGS
from bench.cell import Outcome
from bench.engine import run_grid
from bench.environment import describe_environment
from bench.grid import Cell, Grid, plan
from bench.locks import LOCKS
from bench.records import CellRecord, Fit, ModelDescriptions, PeakBytes, Seconds, Totals
from bench.settings import Settings, load_settings
from methods import Cost, FitReport
from tasks.common.sealed import unseal, write_sealed
from tests.bench.probes import PROBES
from tests.tasks.support import review, write_set

REPOSITORY = Path(__file__).parents[2]
BENCH = Path(sys.executable).with_name("bench")
GOLDS = {"d1": "5", "d2": "4", "d3": "1", "d4": "2"}
USERS = {"d1": "ann", "d2": "ann", "d3": "ben", "d4": "ben"}

PROJECT = """
default_suite = "s"

[store]
runs = "runs"
cache = "cache"

[data.tiny]
root = "data"

[llms.t5]
model = "{models}/t5"
device = "cpu"
batch_size = 8
decoding = {{ num_beams = 2, max_new_tokens = 4 }}

[encoders.bert]
model = "{models}/encoder"
device = "cpu"
"""

SUITE = """
[suites.{name}]
data = "tiny"
tasks = ["LaMP-3"]
methods = {methods}
llms = ["t5"]
encoders = ["bert"]
"""


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass
class Project:
    """A folder with bench.toml, data and, once run, results."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "bench.toml"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    def add(self, text: str) -> None:
        """Append to bench.toml."""
        with self.config.open("a", encoding="utf-8") as file:
            file.write(text)

    def suite(self, *methods: str, name: str = "s", more: str = "") -> None:
        """Add a suite of these rows; `more` holds further keys."""
        self.add(SUITE.format(name=name, methods=json.dumps(methods)) + more + "\n")

    def says(self, name: str, answers: dict[str, str | None], probe: str = "Says") -> None:
        """Add a variant of a probe that answers so; None fails."""
        texts = {id: text for id, text in answers.items() if text is not None}
        pairs = ", ".join(f"{id} = {json.dumps(text)}" for id, text in texts.items())
        failed = json.dumps([id for id in answers if id not in texts])
        table = f"answers = {{ {pairs} }}\nfailed = {failed}"
        self.add(f'[methods.{name}]\nmethod = "{PROBES}:{probe}"\n{table}\n')

    def probe(self, name: str, probe: str, **options: object) -> None:
        """Add a variant of a probe."""
        lines = [f"{key} = {json.dumps(value, default=str)}" for key, value in options.items()]
        text = "\n".join([f"[methods.{name}]", f'method = "{PROBES}:{probe}"', *lines, ""])
        self.add(text)

    def crowd(self, gold: str = "5") -> dict[str, str]:
        """Replace the dev set by 12 users with one query each; returns id → gold."""
        golds = {f"q{n:02}": gold for n in range(12)}
        asked = [review(id, f"Review {id}.", items(f"u{id}", 2), user_id=f"u{id}") for id in golds]
        write_set(self.root / "data" / "time" / "LaMP_3" / "dev", asked, golds)
        return golds

    def load(self, *overrides: str, suite: str | None = None) -> Settings:
        return load_settings(self.config, overrides, suite)

    def plan(self, *overrides: str, suite: str | None = None, **only: list[str]) -> Grid:
        return plan(self.load(*overrides, suite=suite), suite, **only)

    def cells(self, *overrides: str, suite: str | None = None) -> dict[str, object]:
        """Row → its cell."""
        return {cell.variant: cell for cell in self.plan(*overrides, suite=suite).cells}

    def run(self, *overrides: str, suite: str | None = None) -> list[Outcome]:
        """`bench run`, by the library."""
        settings = self.load(*overrides, suite=suite)
        return run_grid(settings, plan(settings, suite), Console(quiet=True), lambda _: None)

    def start_over(self) -> None:
        """Put the results aside, and what cells share: then all is computed again."""
        aside = self.root / "aside"
        aside.mkdir()
        for folder in (self.runs, self.root / "cache"):
            folder.rename(aside / folder.name)

    def stored(self) -> dict[str, bytes]:
        """Path → bytes of every stored file of the runs, without records (they carry times)."""
        return {
            str(path.relative_to(self.runs)): path.read_bytes()
            for path in sorted(self.runs.rglob("*"))
            if path.is_file() and path.name != "cell.json" and not {LOCKS, LOGS} & {*path.parts}
        }

    def times(self) -> dict[str, int]:
        """Path → modification time of everything under the runs, folders too."""
        return {
            str(path.relative_to(self.runs)): path.stat().st_mtime_ns
            for path in sorted(self.runs.rglob("*"))
        }

    def start(self, *arguments: str, command: tuple[str, ...] = (str(BENCH),)) -> subprocess.Popen:
        """The real command in a process of its own, which hears Ctrl-C even if the tests don't:
        a shell starts what it puts in the background deaf to it.
        """
        paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
        return subprocess.Popen(
            [*command, *arguments],
            cwd=self.root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  no threads
        )


def make_project(root: Path, models: Path) -> Project:
    """A project without suites; `models` holds t5/ and encoder/."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "bench.toml").write_text(PROJECT.format(models=models), encoding="utf-8")
    folder = root / "data" / "time" / "LaMP_3"
    asked = [
        review(id, f"Review {id}.", items(USERS[id], count), user_id=USERS[id])
        for id, count in zip(GOLDS, (3, 2, 1, 0), strict=True)
    ]
    write_set(folder / "dev", asked, GOLDS)
    train = [
        review(f"t{n}", f"Train {n}.", items(user, n), user_id=user)
        for n, user in enumerate(["ann", "ben", "cid", "dan"] * 2)
    ]
    write_set(folder / "train", train, {f"t{n}": str(1 + n % 5) for n in range(8)}, set="train")
    return Project(root)


def items(user: str, count: int) -> list[dict[str, str]]:
    """A history: text and score."""
    return [
        {"id": f"{user}{n}", "text": f"{user} wrote item {n}.", "score": str(1 + n % 5)}
        for n in range(count)
    ]


def edit_sealed(path: Path, change: Callable[[dict], object]) -> None:
    """Change a stored file and seal it again: what is wrong then is its content alone."""
    value = json.loads(unseal(path.read_bytes())[0])
    change(value)
    write_sealed(path, value)


def make_record(cell: Cell, *, load: float = 0, fit: float = 0, predict: float = 0) -> dict:
    """A cell's record as JSON, of a method that learns nothing, with these seconds."""
    return CellRecord(
        identity=cell.depends_on.to_json(),
        key=cell.key,
        suite=cell.suite,
        data=cell.source,
        task=cell.task.name,
        method=cell.variant,
        config={},
        llm=cell.llm,
        encoder=cell.encoder,
        seed=cell.seed,
        started="2026-01-01T00:00:00+00:00",
        seconds=Seconds(load=load, fit=fit, predict=predict),
        peak_bytes=PeakBytes(resident=1, gpu=None),
        fit=Fit.from_report(FitReport(), 0),
        cost=Cost(),
        totals=Totals.from_predictions([]),
        models=ModelDescriptions(llm=None, encoder=None),
        environment=describe_environment(),
    ).model_dump(mode="json")
