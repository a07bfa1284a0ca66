"""The base class of LoRA methods: a text side, and one adapter that all users share."""

import dataclasses
from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pydantic import NonNegativeInt, PositiveInt, model_validator
from typing_extensions import TypeVar

from methods.core.key import MethodKey
from methods.core.method import Cost, Method
from methods.models.access import Access
from methods.models.config import LoraConfig, TrainingConfig
from methods.models.report import FitReport
from methods.prompt.method import PromptMethod, RetrievalMethod
from methods.prompt.text_side import TextSideConfig, text_side_key
from tasks.common.errors import ConfigError
from tasks.common.files import content_key
from tasks.example import Dataset, Example, Prediction

if TYPE_CHECKING:
    import torch

    from methods.lora.layers import AdapterStack
    from methods.models.training import TrainingData

BYTES_PER_VALUE = 4
"""Adapters are stored in float32."""


class HistoryTraining(TrainingConfig):
    """How a LoRA learns from a history, with OPPU's values (methods.md §3b)."""

    weight_decay: float = 0.01
    warmup_share: float = 0.1
    max_grad_norm: float = 0.3
    batch_size: PositiveInt = 16


class LoraMethodConfig(TextSideConfig):
    """Options of every LoRA method; `text` is the text side at prediction.

    Attributes:
        lora: shape of the adapters that learn from histories.
        training: of those adapters.
        retrieval_in_training: number of items in each training prompt, retrieved by `text` from
            earlier items; 0: the plain input.
        max_response_tokens: budget of a training response, end of sequence included.
    """

    lora: LoraConfig = LoraConfig(alpha=8, dropout=0.0)
    training: HistoryTraining = HistoryTraining()
    retrieval_in_training: NonNegativeInt = 0
    max_response_tokens: PositiveInt = 128

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        method, _ = self.text_side()
        if method.uses_encoder:
            raise ConfigError(
                f"text = {self.text!r} needs an encoder, which LoRA methods don't use",
                hint='Choose "zero-shot", "bm25", "recency" or "random"',
            )
        if self.retrieval_in_training and not issubclass(method, RetrievalMethod):
            raise ConfigError(
                f"retrieval_in_training needs a retriever, and text = {self.text!r} has none",
                hint='Set text = "bm25", or retrieval_in_training = 0',
            )
        return self


L = TypeVar("L", bound=LoraMethodConfig, default=LoraMethodConfig)


class LoraMethod(Method[L]):
    """A method that adds low-rank updates to the frozen LLM's linear layers.

    The LLM itself doesn't change: hooks add the updates while this method runs. `shared` is the
    adapter that all users have in common, if there is one; `fit` trains it.
    """

    learns_answers = True
    trains_in_parallel = True

    @property
    def shared_lora(self) -> LoraConfig | None:
        """Shape of the adapter that all users share; None: there is none."""
        raise NotImplementedError

    @classmethod
    def access(cls, config: L) -> Access:  # noqa: ARG003
        """Adapters of its layers."""
        return Access.WEIGHTS

    @classmethod
    def key(cls, config: L) -> MethodKey:
        """The method's own options, with the text side as a part."""
        return text_side_key(cls, config)

    @cached_property
    def text_side(self) -> PromptMethod:
        """Writes the prompts at prediction."""
        method, config = self.config.text_side()
        return method(config, self.runtime)

    @cached_property
    def text_in_training(self) -> PromptMethod | None:
        """Writes the training prompts; None: they are the plain inputs."""
        if not self.config.retrieval_in_training:
            return None
        method, config = self.config.text_side()
        k = {"k": self.config.retrieval_in_training}
        return method(config.model_copy(update=k), self.runtime)

    @cached_property
    def shared(self) -> "AdapterStack | None":
        """The adapter that all users share, at its initial weights until `fit` or `load`."""
        from methods.lora.layers import AdapterStack

        if self.shared_lora is None:
            return None
        stack = AdapterStack(self.runtime.local_llm, self.shared_lora)
        stack.draw(0, self.runtime.seeds.child(self.name))
        return stack.eval().requires_grad_(requires_grad=False)

    def fit_shared(
        self,
        ids: Sequence[str],
        prompts: Sequence[str],
        responses: Sequence[str],
        training: TrainingConfig,
        data_key: str,
    ) -> FitReport:
        """Train `shared` on N prompts and responses; a killed run resumes from its checkpoint.

        Args:
            ids: of the pairs, for messages.
            data_key: content key of the prompts and responses.

        Raises as `train_module` does.
        """
        from methods.models.training import train_module

        assert self.shared is not None  # noqa: S101  called only by methods that have one
        llm, runtime = self.runtime.local_llm, self.runtime
        about = {
            "method": self.fit_key(self.config).to_json(),
            "data": data_key,
            "max_input_tokens": runtime.max_input_tokens,
            "budget_rule": runtime.budget_rule,
            "llm": llm.identity,
        }
        self.shared.requires_grad_()
        with self.shared.attached(), llm.checkpointed(training.gradient_checkpointing):
            report = train_module(
                self.shared,
                self._data(ids, prompts, responses),
                training,
                seeds=runtime.seeds.child(self.name),
                identity=content_key(about),
                checkpoint=runtime.scratch / "training",
                progress=runtime.progress,
                processes=runtime.processes,
            )
        self.shared.requires_grad_(requires_grad=False)
        return report

    def answer_with(
        self,
        examples: Sequence[Example],
        stack: "AdapterStack | None" = None,
        places: Sequence[int] = (),
    ) -> list[Prediction]:
        """Predictions for N examples, with the shared adapter and, given a `stack`, their own.

        Args:
            places: [N], each example's adapter in `stack`.
        """
        llm = self.runtime.local_llm
        prompts = self.text_side.prompts(examples)
        with ExitStack() as attached:
            if self.shared is not None:
                attached.enter_context(self.shared.attached())
            if stack is not None:
                # The LLM numbers only the prompts that it answers, so examples without one are
                # skipped here too.
                answered = [
                    p for p, prompt in zip(places, prompts, strict=True) if prompt.text is not None
                ]
                attached.enter_context(stack.attached())
                attached.enter_context(stack.following(llm, answered))
            return self.text_side.answer(examples, prompts=prompts)

    def save(self, folder: Path) -> None:
        """Write `shared`, if there is one, as a peft folder."""
        from methods.lora.adapters import write_adapter

        if self.shared is not None and self.shared_lora is not None:
            write_adapter(folder, self.shared.weights(0), self.shared_lora, self.runtime.local_llm)

    def load(self, folder: Path) -> None:
        from methods.lora.adapters import read_adapter

        if self.shared is not None and self.shared_lora is not None:
            weights, _ = read_adapter(folder, self.runtime.local_llm, self.shared_lora)
            self.shared.put(0, weights)

    def cost(self) -> Cost:
        return Cost(trainable_shared=0 if self.shared is None else self.shared.parameters_each)

    def _data(
        self, ids: Sequence[str], prompts: Sequence[str], responses: Sequence[str]
    ) -> "TrainingData":
        from methods.lora.training import make_dropout_key
        from methods.models.training import TrainingData

        llm, shared, seeds = (
            self.runtime.local_llm,
            self.shared,
            self.runtime.seeds.child(self.name),
        )

        def nll(rows: Sequence[int], epoch: int) -> "tuple[torch.Tensor, torch.Tensor]":
            assert shared is not None  # noqa: S101  as in `fit_shared`
            shared.use([0] * len(rows), [make_dropout_key(seeds, epoch, row) for row in rows])
            return llm.loss(
                [prompts[row] for row in rows],
                [responses[row] for row in rows],
                max_input_tokens=self.runtime.max_input_tokens,
                max_response_tokens=self.config.max_response_tokens,
            )

        lengths = [len(p.ids) for p in llm.tokens.encode(prompts, self.runtime.max_input_tokens)]
        return TrainingData(ids=list(ids), lengths=lengths, nll=nll)


def add_history_count(train: Dataset, report: FitReport) -> FitReport:
    """Add the number of train examples without a history to the report."""
    empty = sum(not example.history for example in train.examples)
    return dataclasses.replace(report, notes={**report.notes, "empty_histories": empty})
