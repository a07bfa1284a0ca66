"""What a method may use, supplied by its caller."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from methods.core.task_group import TaskData, TaskGroup
from methods.models.processes import ALONE, Processes
from tasks.budget import LAMP, BudgetRule
from tasks.common.errors import ConfigError
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds
from tasks.data.bounds import Bounds
from tasks.example import Example
from tasks.task import Task

if TYPE_CHECKING:
    import torch

    from methods.models.contrast import Contrast
    from methods.models.embedding_store import EmbeddingStore
    from methods.models.encoder import Encoder
    from methods.models.generation import Generation
    from methods.models.interface import LLM
    from methods.models.language_model import LanguageModel


def require_labels(task: Task | type[Task], llm: str) -> tuple[str, ...]:
    """The task's labels. Raises ConfigError where it has none to choose the likeliest of."""
    if not task.labels:
        raise ConfigError(
            f"LLM {llm!r} answers by the likelihood of labels, and {task.name} has none "
            f"({task.kind})",
            hint='Give the task an LLM without decoding.rule = "likelihood", in a suite of its own',
        )
    return task.labels


@dataclass
class Runtime:
    """Everything a method may use in one cell: task, seeds, models, folders.

    Attributes:
        task: builds prompts and defines metrics.
        seeds: the source of every random choice: `seeds.seed("purpose", example.id)`.
        max_input_tokens: the prompt budget, the same for every method of a table (law 2).
        budget_rule: what gives way in a profile prompt that is too long (`tasks.budget`).
        cache: folder for content-keyed artifacts shared between cells.
        scratch: folder of this cell alone, for checkpoints; survives if the cell is killed.
        open_llm, open_encoder: load the model on first use; None if the suite names none.
        bounds: answers of the oracle, the user-blind and the random answerer, for data that has
            them (a generated world); else {}.
        golds: of the evaluated set, for a method with `sees_golds`; {} for all others.
        population: the train set's examples, without golds; controls draw other users from it.
        processes: that fit the method together (`Method.trains_in_parallel`).
        group: the suite's tasks, for a method that is trained on several; None outside a suite.
    """

    task: Task
    seeds: Seeds
    max_input_tokens: int
    cache: Path
    scratch: Path
    open_llm: "Callable[[], LLM] | None" = None
    open_encoder: "Callable[[], Encoder] | None" = None
    progress: Progress = field(default_factory=Progress)
    population: Sequence[Example] = ()
    bounds: Bounds = field(default_factory=dict)
    golds: Mapping[str, str] = field(default_factory=dict)
    budget_rule: BudgetRule = LAMP
    processes: Processes = ALONE
    group: TaskGroup | None = None

    def for_task(self, data: TaskData) -> "Runtime":
        """The same models and folders for another task, without golds or bounds of its own."""
        return replace(
            self,
            task=data.task,
            seeds=data.seeds,
            population=data.population,
            open_llm=None if self.open_llm is None else lambda: self.llm,
            open_encoder=None if self.open_encoder is None else lambda: self.encoder,
            bounds={},
            golds={},
        )

    @cached_property
    def llm(self) -> "LLM":
        """The frozen LLM, which answers prompts. Raises ConfigError if the suite names none."""
        if self.open_llm is None:
            raise ConfigError(
                "the method needs an LLM", hint="Name one in the suite's `llms` in bench.toml"
            )
        return self.open_llm()

    @property
    def training_llm(self) -> "LanguageModel":
        """The weights that soft tokens are trained on: the frozen LLM, or the same model here.

        For a method whose `access` is EMBEDDINGS. Raises ConfigError if there are none.
        """
        return self.llm.local

    @property
    def local_llm(self) -> "LanguageModel":
        """The frozen LLM itself, for a method whose `access` is WEIGHTS.

        Raises ConfigError if it answers elsewhere: what is done to weights here changes nothing.
        """
        if self.llm.local is not self.llm:
            raise ConfigError(
                f"the method needs weights, and {self.llm.name} is served",
                hint="Take an LLM that runs here",
            )
        return self.llm.local

    def ask(
        self,
        prompts: Sequence[str],
        prefix: "torch.Tensor | None" = None,
        contrast: "Contrast | None" = None,
    ) -> "list[Generation]":
        """The LLM's answers to N prompts of the task, under its decoding and the prompt budget.

        Args:
            prefix: [N, P, H] soft tokens before the prompts.
            contrast: N other prompts that the answers are steered from, by a local LLM.

        Raises:
            ConfigError: the LLM answers by likelihood, and the task has no labels.
            ModelError: as `LanguageModel.generate`.
        """
        llm, room = self.llm, self.max_input_tokens
        if llm.config.decoding.rule == "likelihood":
            labels = require_labels(self.task, llm.name)
            return llm.local.choose_labels(
                prompts, labels, max_input_tokens=room, prefix=prefix, contrast=contrast
            )
        new = self.task.max_new_tokens
        if contrast is not None:
            return self.local_llm.generate(
                prompts,
                max_new_tokens=new,
                max_input_tokens=room,
                prefix=prefix,
                contrast=contrast,
            )
        return llm.generate(prompts, max_new_tokens=new, max_input_tokens=room, prefix=prefix)

    @cached_property
    def encoder(self) -> "Encoder":
        """The frozen sentence encoder. Raises ConfigError if the suite names none."""
        if self.open_encoder is None:
            raise ConfigError(
                "the method needs a sentence encoder",
                hint="Name one in the suite's `encoders` in bench.toml",
            )
        return self.open_encoder()

    @cached_property
    def embeddings(self) -> "EmbeddingStore":
        """Vectors of texts by `encoder`, each distinct text encoded once."""
        from methods.models.embedding_store import EmbeddingStore

        return EmbeddingStore(self.encoder, self.cache / "embeddings", self.progress)
