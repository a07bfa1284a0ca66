"""Runtimes on tiny random models, for conformance checks and tests."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from bench.conformance.subject import MakeRuntime
from bench.conformance.tiny_models import tiny_encoder, tiny_t5
from methods.core.runtime import Runtime
from methods.core.task_group import TaskData, TaskGroup
from tasks import Dataset, Task
from tasks.common.rubric import Aspect, Rubric
from tasks.common.seeds import Seeds

if TYPE_CHECKING:
    from methods.models.encoder import Encoder
    from methods.models.interface import LLM


def tiny_runtimes(
    task: Task, folder: Path, others: Mapping[type[Task], tuple[Dataset, Dataset]] | None = None
) -> MakeRuntime:
    """A maker of runtimes for `check`, on a tiny T5 and a tiny encoder written to `folder`.

    Two beams, 6 new tokens, 384 input tokens.

    Args:
        others: further tasks with their train and dev sets, for methods that are trained on them.
    """
    from methods.models.config import Decoding, EncoderConfig, LLMConfig
    from methods.models.encoder import Encoder
    from methods.models.opening import open_llm

    llm, encoder = folder / "t5", folder / "encoder"
    if not llm.exists():
        tiny_t5(llm)
    if not encoder.exists():
        tiny_encoder(encoder)

    @cache
    def open_tiny_llm(batch_size: int) -> "LLM":
        config = LLMConfig(
            model=str(llm),
            device="cpu",
            batch_size=batch_size,
            decoding=Decoding(num_beams=2, max_new_tokens=6),
        )
        return open_llm(config, task=task, train=None, seed=0, cache=folder)

    @cache
    def open_encoder() -> "Encoder":
        return Encoder.open(EncoderConfig(model=str(encoder), device="cpu"), cache=folder)

    def make_runtime(folder: Path, *, batch_size: int) -> Runtime:
        return Runtime(
            task=task,
            seeds=Seeds.root("conformance", task.name),
            max_input_tokens=384,
            cache=folder / "cache",
            scratch=folder / "scratch",
            open_llm=lambda: open_tiny_llm(batch_size),
            open_encoder=open_encoder,
            bounds=_AnyBound(),
            golds=_AnyAnswer(task.labels, gold_is_answer=task.gold_is_answer),
            group=_make_group(task, others) if others else None,
        )

    return make_runtime


def _make_group(task: Task, others: Mapping[type[Task], tuple[Dataset, Dataset]]) -> TaskGroup:
    """`task` and the others, whose data are given."""
    seeds = Seeds.root("conformance")
    datas = {
        other.name: TaskData(other(), seeds.child(other.name), train, dev, train.examples)
        for other, (train, dev) in others.items()
    }
    return TaskGroup((task.name, *datas), seeds, datas.__getitem__)


class _AnyBound(dict[str, dict[str, str]]):
    """Holds an answer to every example, for any bound."""

    def __missing__(self, bound: str) -> dict[str, str]:
        return _AnyAnswer()


class _AnyAnswer(dict[str, str]):
    """The first label for every id; without labels, a text that differs between ids, or a rubric
    that asks for it.
    """

    def __init__(self, labels: Sequence[str] = (), *, gold_is_answer: bool = True) -> None:
        self.labels, self.gold_is_answer = labels, gold_is_answer

    def __missing__(self, id: str) -> str:
        text = f"the answer to {id}"
        if not self.gold_is_answer:
            return Rubric("", (Aspect(text),)).dump()
        return self.labels[0] if self.labels else text
