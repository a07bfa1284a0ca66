"""`python -m methods.embedded.card --llm DIR --encoder DIR`: evaluate the embedded models.

Prints the tables of docs/embedded_model_card.md as markdown. All scores are on users that no
training has seen: those of a LaMP-mini world with a reserved seed and, for tastes stated in words,
held-out pretraining users.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from methods import METHODS
from methods.core.runtime import Runtime
from methods.embedded.curriculum import draw_held_out
from methods.embedded.llm import LONGEST_ANSWER
from methods.embedded.train import folder_size
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.language_model import LanguageModel
from methods.models.opening import load_llm
from tasks.common.errors import BenchError, DataError
from tasks.common.seeds import Seeds
from tasks.data.bounds import read_bounds
from tasks.data.loading import load_dataset
from tasks.example import Dataset, Prediction
from tasks.mini.grammars import GRAMMARS
from tasks.mini.world import WorldConfig, write_world
from tasks.task import Task

WORLD_SEED = 7_000_001
"""The seed of the evaluated world; no suite of bench.toml uses it."""
DEMONSTRATIONS = (1, 2, 4)
"""Numbers of demonstrations in a prompt."""
MAX_INPUT_TOKENS = 512

Row = dict[str, float]


class Measurement:
    """Evaluates the models on one task, by its primary metric.

    Args:
        folder: contains the world; also used for temporary files.
    """

    def __init__(self, task: Task, folder: Path, llm: LanguageModel, encoder: Encoder) -> None:
        self.task, self.folder, self.llm, self.encoder = task, folder, llm, encoder

    @cached_property
    def dataset(self) -> Dataset:
        """The world's dev set."""
        return load_dataset(self.task, self.folder, split="time", set="dev")

    def row(self, stated: int) -> Row:
        """The table row: column → score, with `stated` pretraining users in the last column."""
        return {
            "random": self.score("random-answer"),
            "zero-shot": self.score("zero-shot"),
            "user-blind": self.score("user-blind"),
            **{f"bm25 k={k}": self.score("bm25", k=k) for k in DEMONSTRATIONS},
            "dense k=4": self.score("dense", k=4),
            "oracle": self.score("oracle"),
            "stated": self.score_stated(stated),
        }

    def score(self, method: str, **options: int) -> float:
        """The score of a registered method on the world."""
        kind = METHODS.get(method)
        runtime = Runtime(
            task=self.task,
            seeds=Seeds.root("card", self.task.name, method),
            max_input_tokens=MAX_INPUT_TOKENS,
            cache=self.folder / "cache",
            scratch=self.folder / "scratch",
            open_llm=lambda: self.llm,
            open_encoder=lambda: self.encoder,
            bounds=read_bounds(self.task, self.folder, split="time", set="dev"),
        )
        predictions = kind(kind.Config(**options), runtime).predict(self.dataset.examples)
        return self._primary(predictions, self.dataset.golds or {})

    def score_stated(self, number: int) -> float:
        """The score on `number` held-out pretraining users whose prompts state their tastes."""
        pairs = draw_held_out("stated", number)[self.task.name]
        answers = self.llm.generate(
            [input for input, _ in pairs],
            max_new_tokens=self.task.max_new_tokens,
            max_input_tokens=MAX_INPUT_TOKENS,
        )
        predictions = [Prediction(str(row), answer.text) for row, answer in enumerate(answers)]
        return self._primary(
            predictions, {str(row): output for row, (_, output) in enumerate(pairs)}
        )

    def _primary(self, predictions: Sequence[Prediction], golds: Mapping[str, str]) -> float:
        return self.task.score(predictions, golds)[self.task.metrics[0]].value


def write_card(llm: Path, encoder: Path, *, users: int, log: Path | None = None) -> Iterator[str]:
    """Yield the card's tables as lines of markdown.

    Args:
        users: number of users in the world, and of held-out pretraining users per task.
        log: the log of `methods.embedded.train`, to be summarized.

    Raises:
        ModelError: a folder contains no model of its kind.
        DataError: the log is malformed.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = load_llm(
            str(llm), cache=folder / "digests", decoding={"max_new_tokens": LONGEST_ANSWER}
        )
        vectors = Encoder.open(EncoderConfig(model=str(encoder)), cache=folder / "digests")
        write_world(folder, WorldConfig(seed=WORLD_SEED, users=users), splits=["time"])
        yield f"LLM {folder_size(llm) / 1e6:.1f} MB, encoder {folder_size(encoder) / 1e6:.1f} MB"
        yield ""
        for number, grammar in enumerate(GRAMMARS):
            row = Measurement(grammar.task, folder, model.local, vectors).row(users)
            if not number:
                yield f"| {users} users | metric | {' | '.join(row)} |"
                yield f"|---|---|{'---|' * len(row)}"
            values = " | ".join(f"{value:.3f}" for value in row.values())
            yield f"| {grammar.task.name} | {grammar.task.metrics[0]} | {values} |"
    if log is not None:
        yield ""
        yield from summarize_log(log)


def summarize_log(log: Path) -> Iterator[str]:
    """Yield a table of each training's steps, minutes, loss and last measurements.

    Raises DataError if a line is not an entry of a training log.
    """
    trainings: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), 1):
        try:
            entry = json.loads(line)
            trainings.setdefault(entry["training"], []).append(entry)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"line {number} is not an entry of a training log ({error})",
                file=log,
                hint="Pass the log.jsonl written by `python -m methods.embedded.train`",
            ) from error
    yield "| training | steps | minutes | loss | held-out at the end |"
    yield "|---|---|---|---|---|"
    for name, entries in trainings.items():
        last = dict(entries[-1])
        minutes = sum(entry["seconds"] for entry in entries) / 60
        step, loss = last["step"], last["loss"]
        held = ", ".join(
            f"{key} {value:.2f}"
            for key, value in last.items()
            if key not in {"training", "step", "loss", "seconds"}
        )
        yield f"| {name} | {step} | {minutes:.1f} | {loss:.3f} | {held} |"


def main(arguments: list[str] | None = None) -> None:
    """Entry point; user errors are printed as one message, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m methods.embedded.card", description=__doc__)
    parser.add_argument("--llm", type=Path, required=True, help="folder of the LLM")
    parser.add_argument("--encoder", type=Path, required=True, help="folder of the encoder")
    parser.add_argument("--log", type=Path, help="log.jsonl of the training, to be summarized")
    parser.add_argument("--users", type=int, default=100, help="number of users per task")
    given = parser.parse_args(arguments)
    try:
        for line in write_card(given.llm, given.encoder, users=given.users, log=given.log):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
