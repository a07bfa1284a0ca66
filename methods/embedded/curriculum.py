"""The lessons of the embedded LLM and their batches, each determined by its number."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from transformers import PreTrainedTokenizerFast

from methods.models.training import MEGABATCH, bucket_by_length
from tasks.common.seeds import Seeds
from tasks.mini.drills import Pair
from tasks.mini.pretraining import TASK_NAMES, Stage, pretraining_pairs, stage_tasks
from tasks.mini.prompts import MAX_WORDS

HELD_OUT = 0
"""The seed of `pretraining_pairs` that is reserved for measurements and never trained on."""
EncodedPair = tuple[list[int], list[int]]


@dataclass(frozen=True)
class Lesson:
    """A lesson of the curriculum.

    Attributes:
        name: unique among lessons; seeds the batches.
        shares: stage of `pretraining_pairs` → its relative share of the pairs; the first stage is
            the subject of the lesson.
        steps: number of optimizer steps.
        learning_rate: the peak learning rate.
        batch_size: pairs per step.
        longest: the longest input in tokens; longer ones are left out.
        tasks: cycled through; a name that occurs twice is used twice as often.
        bf16: whether to autocast to bfloat16, which is faster only on some processors.
        gathered: whether to move the embeddings of related words together before the first step
            (`methods.embedded.llm.gather`).
    """

    name: str
    shares: dict[Stage, int]
    steps: int
    learning_rate: float
    batch_size: int = 96
    longest: int = 512
    tasks: tuple[str, ...] = TASK_NAMES
    bf16: bool = True
    gathered: bool = False

    @property
    def stage(self) -> Stage:
        """The subject of the lesson."""
        return next(iter(self.shares))


@dataclass(frozen=True)
class PairBatch:
    """Token ids of B inputs and of their outputs, which end with the end-of-sequence token."""

    inputs: list[list[int]]
    outputs: list[list[int]]


class LessonBatches:
    """The infinite sequence of batches of one lesson.

    Batches are drawn in chunks of 16, each with its own seed, and grouped by length within a chunk.
    Training can therefore resume at any step without drawing the earlier batches.

    Args:
        seed: the seed of the whole training.
    """

    def __init__(self, lesson: Lesson, seed: int, tokenizer: PreTrainedTokenizerFast) -> None:
        self.lesson, self.tokenizer = lesson, tokenizer
        self.seeds = Seeds.root("embedded LLM", seed, lesson.name)
        self._chunk = lru_cache(maxsize=1)(self._draw_chunk)

    def batch(self, step: int) -> PairBatch:
        """The batch for optimizer step `step`, counted from 0."""
        chunk, position = divmod(step, MEGABATCH)
        return self._chunk(chunk)[position]

    def _draw_chunk(self, chunk: int) -> list[PairBatch]:
        needed = MEGABATCH * self.lesson.batch_size
        parts = sum(self.lesson.shares.values())
        pairs: list[EncodedPair] = []
        for stage, share in self.lesson.shares.items():
            seed = HELD_OUT + 1 + self.seeds.seed("chunk", chunk, stage)
            pairs += islice(self._encode_pairs(stage, seed), -(-needed * share // parts))
        order = bucket_by_length(
            [len(input) for input, _ in pairs[:needed]],
            self.lesson.batch_size,
            self.seeds.seed("order", chunk),
        )
        return [
            PairBatch([pairs[index][0] for index in batch], [pairs[index][1] for index in batch])
            for batch in order
        ]

    def _encode_pairs(self, stage: Stage, seed: int) -> Iterator[EncodedPair]:
        """Token ids of inputs that are not too long, and of their outputs, forever."""
        pairs = pretraining_pairs(seed, stage, max_words=MAX_WORDS, tasks=self.lesson.tasks)
        for pair in pairs:
            input, output = self.tokenizer(list(pair))["input_ids"]
            if len(input) <= self.lesson.longest:
                yield input, output


def draw_held_out(stage: Stage, each: int) -> dict[str, list[Pair]]:
    """Task → `each` pairs whose users and texts no training sees."""
    tasks = stage_tasks(stage)
    drawn = pretraining_pairs(HELD_OUT, stage, max_words=MAX_WORDS)
    pairs = list(islice(drawn, each * len(tasks)))
    return {task: pairs[number :: len(tasks)] for number, task in enumerate(tasks)}
