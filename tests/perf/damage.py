"""Runs that are killed, disks that fill up, bits that flip: is anything lost, or wrong unnoticed?

    python -m tests.perf.damage kills --number 60
    python -m tests.perf.damage disks --number 10      # as root: mounts small tmpfs
    python -m tests.perf.damage flips --number 3       # files of each kind

A suite of tiny random models, with a generated world, trained plugs and adapters, an adapted LLM,
summaries and embeddings, is run once undisturbed. Everything else is compared with that, byte by
byte. Prints one line of JSON for each event and a summary; exit code 1 if a finished cell was lost
or another prediction was stored. Takes minutes.
"""

import argparse
import json
import multiprocessing
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import bench.prediction
from bench import cli, store
from tasks.common.errors import BenchError
from tests.bench.support import Project, make_project
from tests.tiny import tiny_encoder, tiny_t5

ROWS = ("zero-shot", "mean-score", "bm25", "dense", "pplug", "oppu", "pag")
MORE = """
llms = ["t5", "tuned"]
controls = true
training = { epochs = 2, batch_size = 2, checkpoint_minutes = 0.0001 }

[llms.tuned]
model = "MODELS/t5"
adapt = "lora"
device = "cpu"
adaptation = { max_steps = 2, batch_size = 4, checkpoint_minutes = 0.0001 }
decoding = { num_beams = 1, max_new_tokens = 4 }

[data.world]
mini = { users = 4, train_queries = 2, dev_queries = 1, test_queries = 1 }

[suites.w]
data = "world"
tasks = ["LaMP-3"]
methods = ["mean-score", "majority-label"]
"""
PRELOADED = [__name__, "bench.engine", "methods.pplug", "methods.user_lora", "methods.pag"]
KILLS_OF_ONE_STORE = 6
MOST_FILES = 40
"""Files that come up before a kill, at most."""
SECONDS = 300


def run_here(root: str, commands: Sequence[Sequence[str]]) -> None:
    """`bench …` in this process, one after the other, saving after every answer."""
    os.chdir(root)
    bench.prediction.CHUNK = 1
    code: Any = 0
    with Path(f"log-{os.getpid()}").open("w", encoding="utf-8") as log:
        sys.stdout = sys.stderr = log
        for command in commands:
            sys.argv = ["bench", *command]
            try:
                cli.main()
            except SystemExit as end:
                code = code or end.code or 0
    sys.exit(code)


RUN = (("run",), ("run", "w"))


class Chaos:
    """A project that was run undisturbed, and copies of it that aren't."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder, self.draw = folder, random.Random(seed)
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(PRELOADED)
        tiny_t5(folder / "models" / "t5")
        tiny_encoder(folder / "models" / "encoder")
        self.whole = self.create("whole")
        self.finish(self.start(self.whole))
        self.faults: Counter[str] = Counter()

    def create(self, name: str, root: Path | None = None) -> Project:
        shutil.rmtree(self.folder / name, ignore_errors=True)
        project = make_project(root or self.folder / name, self.folder / "models")
        project.suite(*ROWS, more=MORE.replace("MODELS", str(self.folder / "models")))
        text = project.config.read_text().replace('llms = ["t5"]\n', "", 1)
        project.config.write_text(text)
        return project

    def start(self, project: Project, *options: str) -> BaseProcess:
        commands = [(*command, *options) for command in RUN]
        return self.start_commands(project, commands)

    def start_commands(self, project: Project, commands: Sequence[Sequence[str]]) -> BaseProcess:
        process = self.context.Process(target=run_here, args=(str(project.root), commands))
        process.start()
        return process

    def finish(self, process: BaseProcess) -> int | None:
        process.join(SECONDS)
        return process.exitcode

    def log(self, project: Project, process: BaseProcess) -> str:
        path = project.root / f"log-{process.pid}"
        return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""

    def predictions(self, project: Project) -> dict[str, bytes]:
        """Path of each finished cell's predictions → its bytes."""
        found = sorted(project.runs.glob(f"*/*/*/*/{store.RECORD}"))
        return {
            str(path.parent.relative_to(project.runs)): (
                path.with_name(store.PREDICTIONS).read_bytes()
            )
            for path in found
            if not path.parent.name.startswith(".")
        }

    def check(
        self, project: Project, before: dict[str, bytes], what: str, *, notes: bool = True
    ) -> dict[str, bytes]:
        """Every finished cell is whole and as undisturbed; none that was there is lost.

        notes: compare them too; without, an adapter that was trained again changes nothing.
        """
        now, right = self.predictions(project), self.predictions(self.whole)
        for path in now:
            try:
                store.read_scores(project.runs / path)
            except BenchError as error:
                self.fault(f"{what}: damaged cell", str(error))
        for path, data in before.items():
            if now.get(path) != data:
                self.fault(f"{what}: lost or changed cell", path)
        for path, data in now.items():
            if path not in right or strip(right[path], notes) != strip(data, notes):
                self.fault(f"{what}: other predictions", path)
        return now

    def fault(self, kind: str, detail: str) -> None:
        self.faults[kind] += 1
        print(json.dumps({"fault": kind, "detail": detail}), flush=True)

    def kill(self, number: int) -> dict[str, Any]:
        """`number` kills of one, two and three runs at once, with and without a common cache."""
        killed = stores = 0
        while killed < number:
            runs, own_caches = 1 + stores % 3, stores % 2 == 1
            project, kept = self.create(f"killed-{stores}"), {}
            (project.root / "spelled").symlink_to("runs")
            for _ in range(KILLS_OF_ONE_STORE // runs):
                processes = []
                for run in range(runs):
                    options = ["--set", f"store.cache=cache{run if own_caches else ''}"]
                    options += ["--set", "store.runs=spelled"] if own_caches and run else []
                    processes.append(self.start(project, *options))
                for process in processes:
                    self.wait_for_files(project, process, self.draw.randint(1, MOST_FILES))
                    process.kill()
                    process.join()
                    killed += process.exitcode == -signal.SIGKILL
                    if process.exitcode not in (0, -signal.SIGKILL):
                        self.fault("kills: a run failed", self.log(project, process)[-2000:])
                kept = self.check(project, kept, "kills")
            last = self.start(project)
            if self.finish(last) != 0:
                self.fault("kills: the last run failed", self.log(project, last)[-2000:])
            now = self.check(project, kept, "kills")
            if now.keys() != self.predictions(self.whole).keys():
                self.fault("kills: a cell is missing at the end", str(project.root))
            parts = [str(path) for path in project.runs.rglob("*.part")]
            if parts:
                self.fault("kills: parts are left", ", ".join(parts))
            stores += 1
            print(json.dumps({"store": stores, "runs": runs, "kills": killed}), flush=True)
            shutil.rmtree(project.root)
        return {"kills": killed, "stores": stores}

    def wait_for_files(self, project: Project, process: BaseProcess, number: int) -> None:
        """Until so many files have come up, however short-lived, or the process has ended."""
        before, seen = self.paths(project), set[str]()
        while process.is_alive() and len(seen) < number:
            seen |= self.paths(project) - before
            time.sleep(self.draw.uniform(0, 0.01))

    def paths(self, project: Project) -> set[str]:
        return {f"{at}/{name}" for at, _, names in os.walk(project.root) for name in names}

    def fill(self, number: int) -> dict[str, Any]:
        """A disk that is full at `number` sizes, and then enlarged."""
        size = sum(path.stat().st_size for path in self.whole.root.rglob("*") if path.is_file())
        place = self.folder / "small"
        place.mkdir()
        refused = 0
        for step in range(number):
            share = 0.1 + 0.9 * step / number
            mount = ["mount", "-t", "tmpfs", "-o", f"size={int(share * size)}", "tmpfs", str(place)]
            subprocess.run(mount, check=True)
            try:
                project = self.create("small/project", place / "project")
                process = self.start(project)
                code, log = self.finish(process), self.log(project, process)
                refused += code == 2
                if code not in (0, 2) or "Traceback" in log:
                    self.fault("disks: not refused in words", f"{code} {log[-2000:]}")
                kept = self.check(project, {}, "disks")
                subprocess.run(["mount", "-o", f"remount,size={4 * size}", str(place)], check=True)
                process = self.start(project)
                if self.finish(process) != 0:
                    self.fault("disks: not resumed", self.log(project, process)[-2000:])
                if self.check(project, kept, "disks").keys() != self.predictions(self.whole).keys():
                    self.fault("disks: a cell is missing at the end", str(share))
                print(json.dumps({"share": round(share, 2), "code": code}), flush=True)
            finally:
                subprocess.run(["umount", str(place)], check=True)
        return {"disks": number, "refused": refused}

    def flip(self, number: int) -> dict[str, Any]:
        """One bit in `number` files of each kind: of finished cells, then of the cache that new
        cells start from.
        """
        outcomes: Counter[str] = Counter()
        for path in self.choose(self.whole.runs, number):
            project, file = self.copy(path)
            relative = path.relative_to(self.whole.runs)
            suite = relative.parts[0]
            for command in ("run", "table", "score", "verify"):
                process = self.start_commands(project, [(command, suite)])
                code, log = self.finish(process), self.log(project, process)
                outcomes[f"{relative.name} {command}: {'found' if code else 'not found'}"] += 1
                if "Traceback" in log:
                    self.fault(f"flips: traceback of {command}", log[-2000:])
                if code and file.name not in log:
                    self.fault(f"flips: {command} names no file", log[-2000:])
                found = code or (command == "score" and file.name == store.SCORES)
                if not found and file.parent.name != store.MODEL:
                    self.fault(f"flips: {command} found nothing", str(path))
                if file.name == store.SCORES and command == "score":
                    self.damage(file)
        for path in self.choose(self.whole.root / "cache", number):
            project, file = self.copy(path)
            shutil.rmtree(project.runs)
            process = self.start(project)
            code, log = self.finish(process), self.log(project, process)
            kind = path.relative_to(self.whole.root / "cache").parts[0]
            outcomes[f"cache/{kind}: {'refused' if code else 'made again or unused'}"] += 1
            if code and ("Traceback" in log or file.name not in log):
                self.fault("flips: not refused in words", f"{path} {log[-2000:]}")
            self.check(project, {}, f"flips of cache/{kind}", notes=False)
        return dict(sorted(outcomes.items()))

    def choose(self, folder: Path, number: int) -> list[Path]:
        """Files that aren't empty, `number` of each place and name's ending."""
        kinds: dict[tuple[str, str], list[Path]] = {}
        for path in sorted(folder.rglob("*")):
            if path.is_file() and path.stat().st_size:
                place = path.relative_to(folder).parts[0]
                name = path.suffix or (path.name if path.name.startswith(".") else "")
                kinds.setdefault((place, name), []).append(path)
        return [
            path for of in kinds.values() for path in self.draw.sample(of, min(number, len(of)))
        ]

    def copy(self, path: Path) -> tuple[Project, Path]:
        """A copy of the whole project with one bit of this file's copy flipped."""
        shutil.rmtree(self.folder / "copy", ignore_errors=True)
        shutil.copytree(self.whole.root, self.folder / "copy")
        file = self.folder / "copy" / path.relative_to(self.whole.root)
        self.damage(file)
        return Project(self.folder / "copy"), file

    def damage(self, file: Path) -> None:
        data = bytearray(file.read_bytes())
        data[self.draw.randrange(len(data))] ^= 1 << self.draw.randrange(8)
        file.write_bytes(data)


def strip(predictions: bytes, notes: bool) -> list[dict[str, Any]]:
    """The predictions as JSON, if need be without their notes."""
    lines = [json.loads(line) for line in predictions.splitlines()]
    return lines if notes else [line | {"note": None} for line in lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["kills", "disks", "flips"])
    parser.add_argument("--number", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), given.seed)
        cells = len(chaos.predictions(chaos.whole))
        print(json.dumps({"cells": cells}), flush=True)
        done = {
            "kills": lambda: chaos.kill(given.number),
            "disks": lambda: chaos.fill(given.number),
            "flips": lambda: chaos.flip(given.number),
        }[given.what]()
        print(json.dumps(done | {"faults": dict(chaos.faults)}))
        sys.exit(1 if chaos.faults else 0)


if __name__ == "__main__":
    main()
