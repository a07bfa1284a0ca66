"""What the embedded LLM is taught, in which order: every batch is given by its number alone."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from transformers import PreTrainedTokenizerFast

from methods.models.training import MEGABATCH, bucket_by_length
from tasks.common.seeds import Seeds
from tasks.mini.drills import Pair
from tasks.mini.pretraining import TASKS, Stage, pretraining_pairs, tasks_of
from tasks.mini.prompts import MAX_WORDS

HELD_OUT = 0
"""The seed of `pretraining_pairs` that nothing is ever trained on: of measurements."""
Row = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Lesson:
    """A stage of the curriculum.

    Attributes:
        name: of the lesson, no other's.
        shares: stage of `pretraining_pairs` → parts of each batch from it, out of their sum; the
            first is what the lesson is about.
        steps: optimizer steps.
        learning_rate: at its highest.
        batch_size: pairs a step.
        longest: tokens of an input; longer ones are left out.
        tasks: in turn; one that stands there twice comes twice as often.
        bf16: autocast to bfloat16; slower on some processors, faster on others.
        gathered: before its first step, nouns of one topic come nearer to one another, and so do
            tools of one school (`methods.embedded.llm.gather`).
    """

    name: str
    shares: dict[Stage, int]
    steps: int
    learning_rate: float
    batch_size: int = 96
    longest: int = 512
    tasks: tuple[str, ...] = TASKS
    bf16: bool = True
    gathered: bool = False

    @property
    def stage(self) -> Stage:
        """What the lesson is about."""
        return next(iter(self.shares))


@dataclass(frozen=True)
class Batch:
    """Token ids of B inputs, and of their outputs with the end-of-sequence token."""

    inputs: list[list[int]]
    outputs: list[list[int]]


class Lectures:
    """The batches of one lesson, without end.

    Batches come in chunks of 16, each drawn with a seed of its own and sorted by length. So
    training can go on at any step without drawing what came before.

    Args:
        seed: of the whole training.
    """

    def __init__(self, lesson: Lesson, seed: int, tokenizer: PreTrainedTokenizerFast) -> None:
        self.lesson, self.tokenizer = lesson, tokenizer
        self.seeds = Seeds.root("embedded LLM", seed, lesson.name)
        self._chunk = lru_cache(maxsize=1)(self._drawn)

    def batch(self, step: int) -> Batch:
        """The batch of optimizer step number `step`, from 0 on."""
        chunk, position = divmod(step, MEGABATCH)
        return self._chunk(chunk)[position]

    def _drawn(self, chunk: int) -> list[Batch]:
        wanted = MEGABATCH * self.lesson.batch_size
        parts = sum(self.lesson.shares.values())
        rows: list[Row] = []
        for stage, share in self.lesson.shares.items():
            seed = HELD_OUT + 1 + self.seeds.seed("chunk", chunk, stage)
            rows += islice(self._rows(stage, seed), -(-wanted * share // parts))
        order = bucket_by_length(
            [len(input) for input, _ in rows[:wanted]],
            self.lesson.batch_size,
            self.seeds.seed("order", chunk),
        )
        return [
            Batch([rows[row][0] for row in batch], [rows[row][1] for row in batch])
            for batch in order
        ]

    def _rows(self, stage: Stage, seed: int) -> Iterator[Row]:
        """Token ids of inputs that are not too long, and of their outputs, without end."""
        pairs = pretraining_pairs(seed, stage, max_words=MAX_WORDS, tasks=self.lesson.tasks)
        for pair in pairs:
            input, output = self.tokenizer(list(pair))["input_ids"]
            if len(input) <= self.lesson.longest:
                yield input, output


def held_out(stage: Stage, each: int) -> dict[str, list[Pair]]:
    """Task → so many pairs of users and texts that no training sees."""
    tasks = tasks_of(stage)
    drawn = pretraining_pairs(HELD_OUT, stage, max_words=MAX_WORDS)
    pairs = list(islice(drawn, each * len(tasks)))
    return {task: pairs[number :: len(tasks)] for number, task in enumerate(tasks)}
