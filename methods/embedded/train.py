"""`python -m methods.embedded.train --out DIR`: train the embedded LLM and sentence encoder."""

import argparse
import json
import sys
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from methods.cache.folders import make_once
from methods.embedded import llm, sentence_encoder
from methods.embedded.curriculum import Lesson
from methods.embedded.vocabulary import TEXTS, train_tokenizer
from methods.models.pretrained import device_of
from tasks.common.errors import BenchError, ConfigError, StorageError
from tasks.common.files import write_text
from tasks.mini.pretraining import TASK_NAMES

MATCHING, CUES = 11 * ("LaMP-1",) + TASK_NAMES, 6 * ("LaMP-2",) + TASK_NAMES
TWICE, HARD = ("LaMP-1",) + TASK_NAMES, ("LaMP-1", "LaMP-2", "LaMP-2", "LaMP-3") + TASK_NAMES
AGAIN = 5 * ("LaMP-1",) + TASK_NAMES
BRIEF = 3 * ("LaMP-2", "LaMP-3") + TASK_NAMES
LOCAL = 4 * ("LaMP-1",) + 3 * ("LaMP-2",) + 2 * ("LaMP-3",) + TASK_NAMES
SCALES, LAST = (
    9 * ("LaMP-3",) + TASK_NAMES,
    5 * ("LaMP-3",) + 3 * ("LaMP-1",) + 2 * ("LaMP-2",) + TASK_NAMES,
)
CITATIONS = ("LaMP-1",)
FIELDS = 4 * ("LaMP-3",) + 3 * ("LaMP-1",) + 4 * ("LaMP-2",) + TASK_NAMES
TASTES = 5 * ("LaMP-3",) + ("LaMP-1",) + 5 * ("LaMP-2",) + TASK_NAMES
CURRICULUM = (
    Lesson("stated", {"stated": 1}, 1000, 2e-3, batch_size=64),
    Lesson("citations", {"stated": 1}, 1000, 1e-3, batch_size=64, tasks=MATCHING),
    Lesson("tags", {"plain": 2, "stated": 1}, 500, 1e-3, batch_size=64, tasks=CUES),
    Lesson(
        "one taste", {"uniform": 3, "explained": 2, "stated": 1}, 1200, 1e-3, batch_size=64,
        longest=128, tasks=TWICE,
    ),
    Lesson(
        "demonstrations", {"demonstrations": 3, "uniform": 2, "hinted": 2, "plain": 1}, 1400,
        1e-3, batch_size=64, longest=160, tasks=HARD,
    ),
    Lesson("brief", {"brief": 3, "hinted": 2, "plain": 1}, 800, 1e-3, batch_size=64, tasks=BRIEF),
    Lesson(
        "everything", {"demonstrations": 3, "brief": 1, "hinted": 1, "plain": 1}, 1000, 1e-3,
        batch_size=64, tasks=("LaMP-3", *HARD),
    ),
    Lesson(
        "citations again", {"demonstrations": 3, "uniform": 2, "plain": 2, "stated": 1}, 600, 1e-3,
        batch_size=64, tasks=AGAIN,
    ),
    Lesson(
        "once more",
        {"demonstrations": 4, "explained": 1, "population": 1, "plain": 1, "brief": 1, "hinted": 1},
        2200, 1e-3, batch_size=64, longest=256, tasks=LOCAL, bf16=False,
    ),
    Lesson(
        "scales", {"clear": 1}, 500, 1e-3, batch_size=128, tasks=("LaMP-3",), bf16=False,
    ),
    Lesson(
        "scales shown", {"uniform": 3, "brief": 2, "clear": 1}, 600, 1e-3, batch_size=64,
        tasks=SCALES, bf16=False,
    ),
    Lesson(
        "at last",
        {"demonstrations": 4, "uniform": 2, "brief": 1, "hinted": 1, "explained": 1,
         "population": 1, "plain": 1},
        1200, 1e-3, batch_size=64, longest=256, tasks=LAST, bf16=False,
    ),
    Lesson(
        "nouns3", {"short field": 1}, 250, 1e-3, batch_size=128, tasks=CITATIONS, gathered=True,
    ),
    Lesson(
        "thin", {"thin field": 3, "short field": 1, "field": 1}, 400, 1e-3, batch_size=128,
        tasks=CITATIONS,
    ),
    Lesson(
        "thin2", {"field": 3, "thin field": 2}, 300, 1e-3, batch_size=128, tasks=CITATIONS,
    ),
    Lesson("one", {"one": 3, "short field": 1}, 200, 1e-3, batch_size=128, tasks=CITATIONS),
    Lesson("few", {"few": 4, "one": 1, "field": 1}, 400, 1e-3, batch_size=128, tasks=CITATIONS),
    Lesson(
        "thin few", {"thin few": 3, "few": 3, "field": 1}, 300, 1e-3, batch_size=128, longest=192,
        tasks=CITATIONS,
    ),
    Lesson(
        "items of a topic", {"local": 3, "thin few": 3, "field": 1}, 250, 1e-3, batch_size=128,
        longest=192, tasks=CITATIONS,
    ),
    Lesson(
        "thin items", {"thin items": 4, "thin few": 2, "few": 1, "field": 1}, 400, 1e-3,
        batch_size=128, longest=192, tasks=CITATIONS,
    ),
    Lesson(
        "items explained",
        {"thin items explained": 3, "few explained": 2, "thin items": 2, "few": 1, "field": 1},
        500, 1e-3, batch_size=64, longest=192, tasks=CITATIONS,
    ),
    Lesson(
        "items again",
        {"thin items": 4, "thin items explained": 2, "local": 2, "few": 1, "field": 1},
        500, 1e-3, batch_size=64, longest=192, tasks=CITATIONS,
    ),
    Lesson(
        "whole items",
        {"items explained": 3, "thin items explained": 2, "items": 2, "thin items": 1, "few": 1,
         "field": 1},
        1000, 1e-3, batch_size=64, longest=192, tasks=CITATIONS,
    ),
    Lesson(
        "all with items",
        {"demonstrations": 4, "uniform": 2, "local": 2, "brief": 1, "hinted": 1, "explained": 1,
         "population": 1, "plain": 1, "field": 1, "items": 2, "items explained": 2},
        1000, 1e-3, batch_size=64, longest=256, tasks=FIELDS,
    ),
    Lesson(
        "all once more",
        {"demonstrations": 6, "uniform": 2, "local": 1, "brief": 2, "hinted": 1, "explained": 1,
         "population": 2, "plain": 1, "field": 1, "items": 1, "items explained": 1},
        700, 1e-3, batch_size=64, longest=256, tasks=TASTES,
    ),
)  # fmt: skip
"""The lessons of the embedded LLM, in order. A lesson's name seeds its batches.

Demonstrations come after users with a single taste, which every item reveals, and after answers
that state in words what demonstrations show. Three tasks need lessons of their own. LaMP-1 requires
matching topics and schools, which is learned far more slowly than the rest: the reference in a
title's field is learned from single nouns and then from thinned titles, and the school that is
cited from one item, then from several, then from profile prompts answered in words. In LaMP-2,
stated tastes name the tags to choose from, so they can be followed without reading the film's
description. In LaMP-3, scales are inferred from scores only if these were first shown without
likings of traits.
"""
MAX_BYTES = 25_000_000
"""Largest total size of both models."""


@dataclass(frozen=True)
class Recipe:
    """All that the weights depend on, apart from the code and the machine's arithmetic.

    Attributes:
        lessons: of the LLM.
        encoder_steps: number of optimizer steps of the encoder.
        seed: of both models.
        encoder_batch: pairs per step of the encoder; each has the others as negatives.
        vocabulary_texts: number of texts from which the vocabulary is built.
        shape: arguments of `llm.build_model` that replace its defaults.
        measure_every: steps between entries of the log.
    """

    lessons: tuple[Lesson, ...] = CURRICULUM
    encoder_steps: int = 1200
    seed: int = 0
    encoder_batch: int = 96
    vocabulary_texts: int = TEXTS
    shape: tuple[tuple[str, int], ...] = ()
    measure_every: int = 100


def make(out: Path, recipe: Recipe, device: torch.device) -> None:
    """Train both models to `out`/llm and `out`/encoder, and log to `out`/log.jsonl.

    If interrupted and started again, it resumes from the checkpoints in `out`/checkpoints.

    Raises:
        ModelError: the loss is not finite, or a checkpoint is broken.
        ConfigError: `out` belongs to another recipe.
        StorageError: `out` can't be written, or the models are too large for the package.
    """
    _claim(out, recipe)
    tokenizer = train_tokenizer(recipe.seed, texts=recipe.vocabulary_texts)
    builders = {
        "llm": lambda part: _train_llm(part, out, recipe, tokenizer, device),
        "encoder": lambda part: _train_encoder(part, out, recipe, tokenizer, device),
    }
    folders = [make_once(out / name, build, checksums=False) for name, build in builders.items()]
    check_size(folders)


def _claim(out: Path, recipe: Recipe) -> None:
    """Write the recipe to `out`/recipe.json; raise ConfigError if another one is there."""
    file = out / "recipe.json"
    text = json.dumps(asdict(recipe), indent=2) + "\n"
    if not file.exists():
        write_text(file, text)
    elif file.read_text(encoding="utf-8") != text:
        raise ConfigError(
            "the folder belongs to another seed, number of steps or version of this package",
            file=file,
            hint="Pass another folder to --out, or delete this one",
        )


def check_size(folders: list[Path], largest: int = MAX_BYTES) -> None:
    """Raise StorageError if the folders take up more than `largest` bytes in total."""
    size = sum(folder_size(folder) for folder in folders)
    if size > largest:
        raise StorageError(
            f"the models take up {size:,} bytes in total, more than {largest:,}",
            file=folders[0].parent,
            hint="Choose a smaller shape or vocabulary",
        )


def folder_size(folder: Path) -> int:
    """The total size of the folder's files in bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def _train_llm(
    part: Path, out: Path, recipe: Recipe, tokenizer: PreTrainedTokenizerFast, device: torch.device
) -> None:
    model = llm.build_model(tokenizer, seed=recipe.seed, **dict(recipe.shape)).to(device)
    for number, lesson in enumerate(recipe.lessons):
        llm.teach(
            model,
            tokenizer,
            lesson,
            before=recipe.lessons[:number],
            seed=recipe.seed,
            checkpoint=out / "checkpoints" / f"{number}-{lesson.name}",
            log=out / "log.jsonl",
            measure_every=recipe.measure_every,
        )
    _save(model, tokenizer, part)


def _train_encoder(
    part: Path, out: Path, recipe: Recipe, tokenizer: PreTrainedTokenizerFast, device: torch.device
) -> None:
    model = sentence_encoder.build_model(tokenizer, seed=recipe.seed).to(device)
    sentence_encoder.teach(
        model,
        tokenizer,
        steps=recipe.encoder_steps,
        batch_size=recipe.encoder_batch,
        seed=recipe.seed,
        checkpoint=out / "checkpoints" / "encoder",
        log=out / "log.jsonl",
        measure_every=recipe.measure_every,
    )
    sentence_encoder.save(model, tokenizer, part)


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def main(arguments: list[str] | None = None) -> None:
    """Entry point; user errors are printed as one message, with exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m methods.embedded.train", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder to write both models to")
    parser.add_argument(
        "--steps", type=int, nargs=len(CURRICULUM) + 1,
        metavar=(*(lesson.name.upper() for lesson in CURRICULUM), "ENCODER"),
        default=[*(lesson.steps for lesson in CURRICULUM), Recipe.encoder_steps],
        help="optimizer steps of each lesson and of the encoder (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, …")
    given = parser.parse_args(arguments)
    lessons = zip(CURRICULUM, given.steps[:-1], strict=True)
    recipe = Recipe(
        lessons=tuple(replace(lesson, steps=steps) for lesson, steps in lessons),
        encoder_steps=given.steps[-1],
        seed=given.seed,
    )
    try:
        make(given.out, recipe, device_of(given.device))
    except BenchError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
