"""One LoRA on all users' histories: the control of one LoRA a user."""

import dataclasses
from collections.abc import Sequence

from methods.core.key import MethodKey
from methods.lora.lessons import as_queries, prompts_of
from methods.lora.method import LoraMethod, LoraMethodConfig, add_history_count
from methods.models.config import LoraConfig
from methods.models.report import FitReport
from tasks.common.errors import DataError
from tasks.example import Dataset, Example, Prediction


class PooledLora(LoraMethod):
    """`user-lora` with one adapter for everybody, trained on the train users' own histories.

    The same kind of pairs and the same layers without knowing whose they are, so that what
    `user-lora` without a task adaptation gains over it is personal. OPPU's task adaptation it has
    not: `oppu` beside its own shuffled-user row tells what is personal there. Steps and rate are
    its own, for it sees every user's pairs. An item that several of a user's train queries list
    counts once.
    """

    name = "pooled-lora"

    @classmethod
    def is_personal(cls, config: LoraMethodConfig) -> bool:
        """Only as far as its text side is."""
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

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        lessons = {
            (asked.user_id, asked.input, response): asked
            for example in train.examples
            for asked, response in as_queries(self.task, example)
        }
        if not lessons:
            raise DataError(
                f"no history in the train set of {train.task} teaches anything",
                hint="Take more train queries, or leave pooled-lora out",
            )
        queries = list(lessons.values())
        report = self.fit_shared(
            [query.id for query in queries],
            prompts_of(queries, self.text_in_training),
            [response for _, _, response in lessons],
            self.config.training,
            train.fingerprint,
        )
        return add_history_count(train, report)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.answer_with(examples)
