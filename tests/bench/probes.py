"""Methods whose answers are known in advance, or that fail in a known way."""

import os
import time
from pathlib import Path

from pydantic import Field

from methods.core.method import Method, MethodConfig
from methods.models.report import FitReport
from tasks import Prediction
from tasks.common.files import write_json

PROBES = __name__


class SaysConfig(MethodConfig):
    """`answers`: id → text; `failed`: ids without one; `by_seed`: the text of each seed instead."""

    answers: dict[str, str] = Field(default_factory=dict)
    failed: tuple[str, ...] = ()
    by_seed: tuple[str, ...] = ()


class Says(Method):
    """Answers what its config says; "5" where it says nothing."""

    name = "says"
    uses_llm = False
    Config = SaysConfig

    def predict(self, examples):
        return [Prediction(example.id, self.answer(example)) for example in examples]

    def answer(self, example):
        if self.config.by_seed:
            return self.config.by_seed[int(self.runtime.seeds.axes[-1])]
        if example.id in self.config.failed:
            return None
        return self.config.answers.get(example.id, "5")


class SaysUnseeded(Says):
    """Says the same whatever the seed, and declares it."""

    name = "says-unseeded"
    seeded = False


class Bounds(Says):
    """Is a bound, no method."""

    name = "bounds"
    bound = True


class Fixed(Says):
    """Says the same under every seed."""

    name = "fixed"
    seeded = False


class Reads(Fixed):
    """Shows the two newest items of a history, and weighs the newest three to one."""

    name = "reads"

    def predict(self, examples):
        return [
            Prediction(e.id, self.answer(e), behaviors=tuple(b.id for b in e.history[:-3:-1]))
            for e in examples
        ]

    def weigh_history(self, examples):
        return [
            dict(zip([b.id for b in e.history[:-3:-1]], [0.75, 0.25], strict=False))
            for e in examples
        ]


class FileConfig(MethodConfig):
    """`file`: what the probe looks for, or writes."""

    file: Path


class Fails(Says):
    """Fails to fit until its file is there."""

    name = "fails"
    Config = FileConfig

    def fit(self, train, dev):
        if not self.config.file.exists():
            raise RuntimeError("the file is not there")
        return FitReport()

    def answer(self, example):
        return "5"


class FailsInLines(Says):
    """Fails with an error of two lines."""

    name = "fails-in-lines"

    def fit(self, train, dev):
        raise RuntimeError("first line\nsecond line")


class Waits(Fails):
    """Writes its file, then works until it is stopped."""

    name = "waits"

    def fit(self, train, dev):
        self.config.file.touch()
        time.sleep(60)
        return FitReport()


class Hangs(Waits):
    """The first time, writes the ids of its parent and itself, then works until it is stopped."""

    name = "hangs"

    def fit(self, train, dev):
        if not self.config.file.exists():
            self.config.file.write_text(f"{os.getppid()} {os.getpid()}\n")
            time.sleep(600)
        return FitReport()


class Dies(Says):
    """Takes its whole process along the first time, before its file is there."""

    name = "dies"
    Config = FileConfig

    def fit(self, train, dev):
        if not self.config.file.exists():
            self.config.file.touch()
            os._exit(1)
        return FitReport()

    def answer(self, example):
        return "5"


class Blocks(Says):
    """Puts a file where its results are to be stored."""

    name = "blocks"
    Config = FileConfig

    def fit(self, train, dev):
        self.config.file.parent.mkdir(parents=True, exist_ok=True)
        self.config.file.touch()
        return FitReport()

    def answer(self, example):
        return "5"


class WrongOrder(Says):
    name = "wrong-order"

    def predict(self, examples):
        return super().predict(examples)[::-1]


class LosesOne(Says):
    name = "loses-one"

    def predict(self, examples):
        return super().predict(examples)[1:]


class Learns(Says):
    """Counts in a file how often it was fitted; a control shares the fit."""

    name = "learns"
    uses_llm = True
    Config = FileConfig
    learned = ""

    def fit(self, train, dev):
        with self.config.file.open("a", encoding="utf-8") as file:
            file.write(f"{len(train)} {None if dev is None else len(dev)}\n")
        self.learned = "learned"
        return FitReport(steps=3, examples=len(train), curve=({"step": 3, "loss": 0.5},))

    def save(self, folder):
        write_json(folder / "learned.json", {"learned": self.learned})

    def load(self, folder):
        self.learned = "learned" if (folder / "learned.json").is_file() else "nothing"

    def answer(self, example):
        return f"{self.learned} {' '.join(item.id for item in example.history)}"


class SecondVersion(Says):
    name = "says"
    version = 2
