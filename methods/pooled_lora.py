"""One LoRA on all users' histories: the control for one LoRA per user."""

import dataclasses
from collections.abc import Sequence

from methods.core.key import MethodKey
from methods.lora.lessons import as_queries, write_prompts
from methods.lora.method import LoraMethod, LoraMethodConfig, add_history_count
from methods.models.config import LoraConfig
from methods.models.report import FitReport
from tasks.common.errors import DataError
from tasks.example import Dataset, Example, Prediction


class PooledLora(LoraMethod):
    """`user-lora` with one adapter for everybody, trained on the train users' own histories.

    It learns from the same kind of pairs in the same layers, but doesn't know whose they are. So
    what `user-lora` without a task adaptation gains over it is personal. It has no counterpart of
    OPPU's task adaptation: compare `oppu` with its own shuffled-user control. It has its own number
    of steps and learning rate, because it learns from every user's pairs. An item that appears in
    several of a user's train queries counts once.
    """

    name = "pooled-lora"

    @classmethod
    def is_personal(cls, config: LoraMethodConfig) -> bool:
        """Whether its text side is."""
        text, options = config.text_side()
        return text.is_personal(options)

    @classmethod
    def fit_key(cls, config: LoraMethodConfig) -> MethodKey:
        """Without the text side, unless its retriever writes the training prompts too."""
        whole = cls.key(config)
        return whole if config.retrieval_in_training else dataclasses.replace(whole, parts={})

    @property
    def shared_lora(self) -> LoraConfig:
        return self.config.lora

    predicts_in_parallel = True

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        lessons = {
            (query.user_id, query.input, response): query
            for example in train.examples
            for query, response in as_queries(self.task, example)
        }
        if not lessons:
            raise DataError(
                f"no history in the train set of {train.task} gives a training pair",
                hint="Use more train queries, or leave pooled-lora out",
            )
        queries = list(lessons.values())
        report = self.fit_shared(
            [query.id for query in queries],
            write_prompts(queries, self.text_in_training),
            [response for _, _, response in lessons],
            self.config.training,
            train.fingerprint,
        )
        return add_history_count(train, report)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.answer_with(examples)
