"""Methods that personalize by soft tokens before a frozen LLM's input embeddings."""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Self

import numpy as np
import torch
from torch import nn
from typing_extensions import TypeVar

from methods.cache.weights import load_module, save_module
from methods.core.key import MethodKey
from methods.core.method import Cost, Method
from methods.core.task_group import TaskData, TrainOn, choose_tasks
from methods.models.access import Access
from methods.models.embedding_store import EmbeddingStore
from methods.models.report import FitReport
from methods.models.training import TrainingData, train_module
from methods.prefix.config import PrefixConfig
from methods.prefix.finite import check_finite
from methods.prefix.histories import Batch, HistoryEncoder, subset
from methods.prefix.joint import join
from methods.prefix.training import make_training_data
from methods.prefix.user_state import Stored
from methods.prefix.whitening import Whitening
from methods.prompt.method import PromptMethod
from methods.prompt.text_side import text_side_key
from tasks.common.files import content_key
from tasks.common.seeds import Seeds
from tasks.example import Dataset, Example, Prediction, newest_first

KIND = "plug"
"""The name of the files that a trained plug is saved to."""
EMPTY, CUT = "empty history", "history cut to its newest behaviours"
BATCH = 64
"""Examples whose soft tokens are computed together; no answer depends on it."""
BYTES_PER_VALUE = 2
"""A user's vectors are stored in float16."""


F = TypeVar("F", bound=PrefixConfig, default=PrefixConfig)


class PrefixMethod(Method[F]):
    """A method that puts P soft tokens before the prompt's embeddings: X = [prefix; Emb(x)].

    A subclass builds its plug, a module that turns a batch of histories into soft tokens; training,
    prediction and storage are done here. The LLM and the history encoder stay frozen. A subclass
    that needs no history vectors sets `uses_encoder = False`.
    """

    uses_encoder = True
    learns_answers = True
    trains_in_parallel = True
    predicts_in_parallel = True

    @abstractmethod
    def build(self) -> nn.Module:
        """The plug, freshly initialised: its forward maps a Batch to soft tokens [B, P, H].

        Called once, with torch's random state seeded.
        """

    def prefix(self, batch: Batch) -> torch.Tensor:
        """Soft tokens [B, P, H]. Default: the plug's forward."""
        tokens: torch.Tensor = self.plug(batch)
        return tokens

    def _prefix(self, batch: Batch) -> torch.Tensor:
        """`prefix`, checked. Raises ModelError, naming an example whose tokens are not finite.

        A training that diverges is left to the training loop, which names the step.
        """
        tokens = self.prefix(batch)
        check_finite(tokens, batch.examples, training=self.plug.training)
        return tokens

    @property
    def stored(self) -> Stored | None:
        """What can be kept of a user instead of the texts; None if the texts are needed."""
        return Stored.HISTORY if self.needs_histories else None

    @classmethod
    def trains_on(cls, config: F) -> TrainOn:
        return config.train_on

    @classmethod
    def access(cls, config: F) -> Access:
        """Soft tokens, and what its text side needs."""
        text, options = config.text_side()
        return max(Access.EMBEDDINGS, text.access(options))

    @classmethod
    def key(cls, config: F) -> MethodKey:
        """Its own options, and the text side as a part."""
        return text_side_key(cls, config)

    @cached_property
    def plug(self) -> nn.Module:
        """The plug, on the LLM's device."""
        with torch.random.fork_rng():
            torch.manual_seed(self._fit_seeds.seed("initial weights"))
            return self.build().to(self.runtime.training_llm.device)

    @cached_property
    def text_side(self) -> PromptMethod:
        """The prompt method that writes what follows the soft tokens."""
        method, config = self.config.text_side()
        return method(config, self.runtime)

    @property
    def embeddings(self) -> EmbeddingStore:
        """The frozen vectors that the plug reads. Default: those of the suite's encoder."""
        return self.runtime.embeddings

    @cached_property
    def histories(self) -> HistoryEncoder:
        """The frozen vectors of histories."""
        return HistoryEncoder(
            self.embeddings,
            self.task,
            labels=self.config.labels_in_history,
            ages=self.needs_ages,
            elapsed=self.needs_elapsed,
        )

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        """Train `plug` on the NLL of the golds' tokens, through the frozen LLM."""
        llm = self.runtime.training_llm
        llm.embedding_scale()  # an LLM that takes no soft tokens is refused before any work
        training, parts = self.config.training, self._choose_parts(train, dev)
        self._estimate_whitening(parts)
        data = {
            part.task.name: part._training_data(
                own.train, augment=self.config.augment, plain_epochs=self.config.plain_epochs
            )
            for part, own in parts
        }
        watched = {
            part.task.name: part._training_data(own.dev, augment=0)
            for part, own in parts
            if own.dev is not None
        }
        with llm.checkpointed(training.gradient_checkpointing):
            report = train_module(
                self.plug,
                self._join(data),
                training,
                seeds=self._fit_seeds.child(self.name),
                identity=self._training_identity([own for _, own in parts]),
                checkpoint=self.runtime.scratch / "training",
                progress=self.runtime.progress,
                dev=self._join(watched) if watched else None,
                learning_rates=self.learning_rates,
                processes=self.runtime.processes,
            )
        examples = [example for _, own in parts for example in own.train.examples]
        failed = len(examples) - sum(len(set(found.ids)) for found in data.values())
        counts = {**self._counts(examples), "failed_prompts": failed}
        return dataclasses.replace(report, notes={**report.notes, **counts})

    def _choose_parts(self, train: Dataset, dev: Dataset | None) -> "list[tuple[Self, TaskData]]":
        """Each task to train on: a method that shares this plug, and the data.

        Raises ConfigError where other tasks are needed, and there are none.
        """
        runtime, name = self.runtime, self.task.name
        own = TaskData(self.task, runtime.seeds, train, dev, runtime.population)
        group = runtime.group
        chosen = choose_tasks(self.config.train_on, name, () if group is None else group.names)
        if group is None or not chosen:
            return [(self, own)]
        datas = [own if other == name else group.load(other) for other in chosen]
        return [(self if data is own else self._for_task(data), data) for data in datas]

    def _for_task(self, data: TaskData) -> Self:
        """The same method with this plug on another task."""
        other = type(self)(self.config, self.runtime.for_task(data))
        other.plug = self.plug
        return other

    def _join(self, data: dict[str, TrainingData]) -> TrainingData:
        return data[self.task.name] if self.config.train_on == "task" else join(data)

    @property
    def _fit_seeds(self) -> Seeds:
        """Those of the fit: of the task, or shared by all tasks that one plug is trained on."""
        group = self.runtime.group
        if self.config.train_on == "task" or group is None:
            return self.runtime.seeds
        return group.seeds

    def _estimate_whitening(self, parts: "list[tuple[Self, TaskData]]") -> None:
        """From the distinct history texts of each task's train set, as that task writes them."""
        for module in self.plug.modules():
            if isinstance(module, Whitening):
                vectors = [
                    part.histories.distinct(part.select_history(own.train.examples))
                    for part, own in parts
                ]
                module.estimate(torch.from_numpy(np.concatenate(vectors)))

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        self.plug.eval()
        used = self._prepare(examples)
        with torch.no_grad():
            parts = [
                self._prefix(self._batch(used[start : start + BATCH])).cpu()
                for start in range(0, len(used), BATCH)
            ]
        answers = self.text_side.answer(examples, prefix=torch.cat(parts) if parts else None)
        return [
            dataclasses.replace(answer, note=self._note(example) or answer.note)
            for example, answer in zip(examples, answers, strict=True)
        ]

    def save(self, folder: Path) -> None:
        save_module(folder, KIND, self.plug, self._fits, self._description)

    def load(self, folder: Path) -> None:
        load_module(folder, KIND, self.plug, self._fits)
        self.plug.eval()

    @property
    def _fits(self) -> dict[str, Any]:
        """What the plug's weights are trained for."""
        llm = self.runtime.training_llm
        template = " with its chat template" if llm.config.chat_template else ""
        fits: dict[str, Any] = {
            "method": self.name,
            "method version": self.version,
            "LLM": {"name": llm.name, "identity": f"{llm.weights}{template}"},
        }
        if self.uses_encoder:
            encoder = self.runtime.encoder
            fits["encoder"] = {"name": encoder.config.model, "identity": encoder.identity}
        return fits

    @property
    def _description(self) -> dict[str, Any]:
        """What is needed to open the plug again outside the harness."""
        encoder = self.runtime.encoder.config.model_dump(mode="json") if self.uses_encoder else None
        return {
            "method": self.name,
            "config": self.config.model_dump(mode="json"),
            "task": self.task.name,
            "max_input_tokens": self.runtime.max_input_tokens,
            "budget_rule": self.runtime.budget_rule,
            "encoder": encoder,
        }

    def cost(self) -> Cost:
        trained = [weight for weight in self.plug.parameters() if weight.requires_grad]
        vectors = self.mean_history if self.needs_histories else 0
        stored = vectors * self.embeddings.encoder.dimension if vectors else 0
        return Cost(
            trainable_shared=sum(weight.numel() for weight in trained),
            bytes_per_user=BYTES_PER_VALUE * stored,
        )

    @property
    def mean_history(self) -> float:
        """Mean number of behaviours encoded per train user; 0 if the runtime has no population."""
        most = self.config.max_history
        sizes = [min(len(example.history), most) for example in self.runtime.population]
        return fmean(sizes) if sizes else 0.0

    @property
    def learning_rates(self) -> dict[str, float]:
        """Submodule of `plug` → its own learning rate, if it isn't the config's."""
        return {}

    @property
    def needs_histories(self) -> bool:
        """Whether the plug reads history vectors."""
        return self.uses_encoder

    @property
    def needs_queries(self) -> bool:
        """Whether the plug reads frozen vectors of the queries."""
        return False

    @property
    def needs_ages(self) -> bool:
        """Whether the plug reads the ages of behaviours."""
        return False

    @property
    def needs_elapsed(self) -> bool:
        """Whether the plug reads the time since each behaviour."""
        return False

    def select_history(self, examples: Sequence[Example]) -> list[Example]:
        """The examples with the part of their histories that is encoded. Default: the newest."""
        return [self._newest(example) for example in examples]

    def _newest(self, example: Example) -> Example:
        if len(example.history) <= self.config.max_history:
            return example
        return subset(example, set(newest_first(example.history)[: self.config.max_history]))

    def _note(self, example: Example) -> str | None:
        """What a reader must know of how the history was encoded."""
        if not self.needs_histories:
            return None
        if not example.history:
            return EMPTY
        return CUT if len(example.history) > self.config.max_history else None

    def _prepare(self, examples: Sequence[Example]) -> list[Example]:
        chosen = self.select_history(examples)
        if self.needs_histories:
            self.histories.prepare(chosen)
        return chosen

    def _batch(self, examples: Sequence[Example]) -> Batch:
        device = self.runtime.training_llm.device
        if self.needs_histories:
            dtype = next((weight.dtype for weight in self.plug.parameters()), torch.float32)
            return self.with_queries(self.histories.batch(examples, device, dtype))
        nothing = torch.zeros(len(examples), 0, device=device)
        return Batch(examples, nothing.unsqueeze(-1), nothing.bool())

    def with_queries(self, batch: Batch) -> Batch:
        """The batch with the frozen vectors of its queries [B, D], if the plug reads them."""
        if not self.needs_queries:
            return batch
        subjects = [example.subject for example in batch.examples]
        vectors = torch.from_numpy(self.embeddings.get(subjects, side="query"))
        return dataclasses.replace(batch, queries=vectors.to(batch.vectors))

    def _training_data(
        self, split: Dataset, *, augment: int, plain_epochs: int = 0
    ) -> TrainingData:
        prompts = self.text_side.prompts(split.examples)
        return make_training_data(
            self._prepare(split.examples),
            [prompt.text for prompt in prompts],
            [gold for _, gold in split.pairs()],
            prefix=lambda examples: self._prefix(self._batch(examples)),
            llm=self.runtime.training_llm,
            seeds=self.runtime.seeds,
            max_input_tokens=self.runtime.max_input_tokens,
            max_response_tokens=self.config.max_response_tokens,
            augment=augment,
            plain_epochs=plain_epochs,
        )

    def _training_identity(self, datas: Sequence[TaskData]) -> str:
        """Content key of what decides the outcome, in addition to the training's own config."""
        runtime = self.runtime
        return content_key(
            {
                "method": self.key(self.config).to_json(),
                "task": [part for own in datas for part in (own.task.name, own.task.version)],
                "train": " ".join(own.train.fingerprint for own in datas),
                "max_input_tokens": runtime.max_input_tokens,
                "budget_rule": runtime.budget_rule,
                "llm": runtime.training_llm.identity,
                "encoder": runtime.encoder.identity if self.uses_encoder else None,
            }
        )

    def _counts(self, examples: Sequence[Example]) -> dict[str, int]:
        sizes = [len(example.history) for example in examples]
        return {
            "empty_histories": sizes.count(0),
            "cut_histories": sum(size > self.config.max_history for size in sizes),
        }
