"""`python -m methods.embedded.card --llm DIR --encoder DIR`: what the embedded models can do.

Prints markdown. Everything is measured on users that no training has seen: a world of LaMP-mini
with a seed of its own, and held-out pretraining users for what only they have, tastes in words.
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
from methods.embedded.curriculum import held_out
from methods.embedded.llm import LONGEST_ANSWER
from methods.embedded.train import bytes_of
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
"""Of the measured world; no suite of bench.toml uses it."""
SHOWN = (1, 2, 4)
"""Demonstrations in a prompt."""
MAX_INPUT_TOKENS = 512

Row = dict[str, float]


class Measurement:
    """Scores of one task, in its primary metric.

    Args:
        folder: holds the world; scratch as well.
    """

    def __init__(self, task: Task, folder: Path, llm: LanguageModel, encoder: Encoder) -> None:
        self.task, self.folder, self.llm, self.encoder = task, folder, llm, encoder

    @cached_property
    def split(self) -> Dataset:
        """The world's dev set."""
        return load_dataset(self.task, self.folder, split="time", set="dev")

    def row(self, stated: int) -> Row:
        """Column → score, left to right; `stated`: how many pretraining users to ask."""
        return {
            "random": self.score("random-answer"),
            "zero-shot": self.score("zero-shot"),
            "user-blind": self.score("user-blind"),
            **{f"bm25 k={k}": self.score("bm25", k=k) for k in SHOWN},
            "dense k=4": self.score("dense", k=4),
            "oracle": self.score("oracle"),
            "stated": self.score_stated(stated),
        }

    def score(self, method: str, **options: int) -> float:
        """Of a registered method on the world."""
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
        predictions = kind(kind.Config(**options), runtime).predict(self.split.examples)
        return self._primary(predictions, self.split.golds or {})

    def score_stated(self, number: int) -> float:
        """Of `number` held-out pretraining users whose tastes stand in words before the prompt."""
        pairs = held_out("stated", number)[self.task.name]
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


def card(llm: Path, encoder: Path, *, users: int, log: Path | None = None) -> Iterator[str]:
    """The card's tables, as lines of markdown.

    Args:
        users: of the world, and of the held-out pretraining users of each task.
        log: of `methods.embedded.train`, to be summed up.

    Raises ModelError where a folder holds no model of its kind, DataError for a broken log.
    """
    with TemporaryDirectory() as temporary:
        folder = Path(temporary)
        model = load_llm(
            str(llm), cache=folder / "digests", decoding={"max_new_tokens": LONGEST_ANSWER}
        )
        vectors = Encoder.open(EncoderConfig(model=str(encoder)), cache=folder / "digests")
        write_world(folder, WorldConfig(seed=WORLD_SEED, users=users), splits=["time"])
        yield f"LLM {bytes_of(llm) / 1e6:.1f} MB, encoder {bytes_of(encoder) / 1e6:.1f} MB"
        yield ""
        for number, grammar in enumerate(GRAMMARS):
            row = Measurement(grammar.task, folder, model, vectors).row(users)
            if not number:
                yield f"| {users} users | metric | {' | '.join(row)} |"
                yield f"|---|---|{'---|' * len(row)}"
            values = " | ".join(f"{value:.3f}" for value in row.values())
            yield f"| {grammar.task.name} | {grammar.task.metrics[0]} | {values} |"
    if log is not None:
        yield ""
        yield from summary(log)


def summary(log: Path) -> Iterator[str]:
    """Of each training its steps, minutes and last point, as lines of markdown.

    Raises DataError where a line is no point of a log.
    """
    points: dict[str, list[dict[str, Any]]] = {}
    for number, line in enumerate(log.read_text(encoding="utf-8").splitlines(), 1):
        try:
            point = json.loads(line)
            points.setdefault(point["training"], []).append(point)
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"line {number} is no point of a training log ({error})",
                file=log,
                hint="Give the log.jsonl that `python -m methods.embedded.train` wrote",
            ) from error
    yield "| training | steps | minutes | loss | held-out at the end |"
    yield "|---|---|---|---|---|"
    for name, found in points.items():
        last = dict(found[-1])
        minutes = sum(point["seconds"] for point in found) / 60
        step, loss = last["step"], last["loss"]
        held = ", ".join(
            f"{key} {value:.2f}"
            for key, value in last.items()
            if key not in {"training", "step", "loss", "seconds"}
        )
        yield f"| {name} | {step} | {minutes:.1f} | {loss:.3f} | {held} |"


def main(arguments: list[str] | None = None) -> None:
    """Entry point; a user's mistake is one message and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m methods.embedded.card", description=__doc__)
    parser.add_argument("--llm", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, required=True)
    parser.add_argument("--log", type=Path, help="log.jsonl of the training, to be summed up")
    parser.add_argument("--users", type=int, default=100, help="of each task")
    given = parser.parse_args(arguments)
    try:
        for line in card(given.llm, given.encoder, users=given.users, log=given.log):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
