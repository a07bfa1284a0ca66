"""Methods that each break one rule, to show that the check for it can fail."""

import json
import random
from itertools import count

from pydantic import ConfigDict

from methods.core.method import Method, MethodConfig
from methods.models.report import FitReport
from tasks import Prediction
from tasks.common.files import write_json
from tasks.common.progress import Progress

CALLS = count()
PEEKED = {}


class Sound(Method):
    """Breaks none: what the others are compared with."""

    name = "sound"
    uses_llm = False

    def predict(self, examples):
        return [Prediction(example.id, self.answer(example)) for example in examples]

    def answer(self, example):
        return f"{example.query} {len(example.history)}"


class BadVersion(Sound):
    version = "1.0"


class NeverApplicable(Sound):
    @classmethod
    def applicable(cls, task):
        return False


class TakesAnything(Sound):
    class Config(MethodConfig):
        model_config = ConfigDict(extra="ignore")


class LosesOne(Sound):
    def predict(self, examples):
        return super().predict(examples)[1:]


class WrongOrder(Sound):
    def predict(self, examples):
        return super().predict(examples)[::-1]


class NoText(Sound):
    def answer(self, example):
        return None


class NonDeterministic(Sound):
    def answer(self, example):
        return f"{next(CALLS)}"


class Unseeded(Sound):
    def __init__(self, config, runtime):
        super().__init__(config, runtime)
        self.noise = random.random()

    def answer(self, example):
        return f"{self.noise}"


class DeniesItsSeeds(Sound):
    """Says that no seed changes its answers."""

    seeded = False

    def answer(self, example):
        return f"{self.runtime.seeds.seed(example.id)}"


class BatchDependent(Sound):
    def answer(self, example):
        return f"{self.runtime.llm.config.batch_size}"


class OrderDependent(Sound):
    def predict(self, examples):
        return [Prediction(e.id, f"{place}") for place, e in enumerate(examples)]


class NeighbourDependent(Sound):
    def predict(self, examples):
        longest = max((len(example.query) for example in examples), default=0)
        return [Prediction(example.id, f"{longest} {len(examples)}") for example in examples]


class PeeksThroughAGlobal(Sound):
    """Keeps the evaluated golds in a module's global, and answers with them."""

    def fit(self, train, dev):
        PEEKED["golds"] = dev.golds
        return FitReport()

    def answer(self, example):
        return PEEKED["golds"][example.id]


class RemembersGolds(Sound):
    """Copies the evaluated golds while it may see them."""

    def fit(self, train, dev):
        self.golds = dict(dev.golds)
        return FitReport()

    def answer(self, example):
        return self.golds.get(example.id, "")


class SavesNothing(Sound):
    """Learns, and forgets to save what it has learned."""

    learned = ""

    def fit(self, train, dev):
        self.learned = "learned"
        return FitReport()

    def answer(self, example):
        return f"{example.query} {self.learned}"


class Pickles(Sound):
    def save(self, folder):
        (folder / "model.pkl").write_bytes(b"pickle")


class Trains(Sound):
    """Sums its steps; saved at each step, so that it can go on."""

    STEPS = 6

    def __init__(self, config, runtime):
        super().__init__(config, runtime)
        self.total = 0

    def fit(self, train, dev):
        done, self.total = self.start()
        for step in range(done, self.STEPS):
            self.total += step
            write_json(self.runtime.scratch / "state.json", [step + 1, self.total])
            self.runtime.progress.advance()
        return FitReport(steps=self.STEPS)

    def start(self):
        file = self.runtime.scratch / "state.json"
        return json.loads(file.read_text()) if file.exists() else (0, 0)

    def save(self, folder):
        write_json(folder / "total.json", self.total)

    def load(self, folder):
        self.total = int((folder / "total.json").read_text())

    def answer(self, example):
        return f"{example.query} {self.total}"


class ResumesWrongly(Trains):
    """Takes the sum up, but starts at step 0 again."""

    def start(self):
        return 0, super().start()[1]


class TrainsSilently(Trains):
    def fit(self, train, dev):
        self.runtime.progress = Progress()
        return super().fit(train, dev)


class NeedsHistory(Sound):
    def answer(self, example):
        return example.history[0].text


class OneItem(Sound):
    """Fails on histories of one item alone."""

    def answer(self, example):
        return f"{1 / (len(example.history) - 1)}"


class ReportsNoJson(Sound):
    def fit(self, train, dev):
        return FitReport(notes={"labels": {"a", "b"}})


class Mutates(Sound):
    def answer(self, example):
        object.__setattr__(example, "query", example.query + "!")
        return "same"


class MutatesInFit(Sound):
    def fit(self, train, dev):
        for example in train.examples:
            object.__setattr__(example, "history", ())
        return FitReport()
