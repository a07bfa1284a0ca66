"""One LoRA per user on a frozen LLM: OPPU, and Salemi & Zamani's PEFT (methods.md §3b)."""

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import PositiveInt, model_validator

from methods.core.key import MethodKey
from methods.core.method import Cost, MethodConfig
from methods.lora.lessons import as_queries, write_prompts
from methods.lora.method import BYTES_PER_VALUE, LoraMethod, LoraMethodConfig, add_history_count
from methods.models.config import NOT_IN_KEY, LoraConfig, TrainingConfig
from methods.models.identity import likelihood_key, named_model_identities
from methods.models.report import FitReport
from tasks.common.errors import ConfigError, DataError
from tasks.common.files import content_key
from tasks.example import Dataset, Example, Prediction

if TYPE_CHECKING:
    from methods.lora.store import AdapterStore
    from methods.lora.training import Lessons

NO_LESSONS = "no history to learn from: shared model"


class TaskAdaptation(MethodConfig):
    """OPPU's first stage: a task LoRA, trained on the train set and then frozen.

    The defaults are OPPU's rank, alpha, learning rate and epochs (methods.md §3b).
    """

    lora: LoraConfig = LoraConfig(alpha=8, dropout=0.0)
    training: TrainingConfig = TrainingConfig(epochs=3, batch_size=16)


class UserLoraConfig(LoraMethodConfig):
    """Options of user-lora.

    Attributes:
        users_at_once: number of users trained and answered together; affects only speed and
            memory.
        task_adaptation: a LoRA that all users share, below their own; None: there is none.
    """

    users_at_once: Annotated[PositiveInt, NOT_IN_KEY] = 32
    task_adaptation: TaskAdaptation | None = None

    @model_validator(mode="after")
    def _check_no_early_stopping(self) -> Self:
        if self.training.early_stop_patience is not None:
            raise ConfigError(
                "early stopping needs a dev set, which a single user doesn't have",
                hint="Unset early_stop_patience for user-lora",
            )
        return self


class UserLora(LoraMethod[UserLoraConfig]):
    """A LoRA for each user, trained on the user's own history when its examples are answered.

    Equal histories of a user share one adapter, which is stored in the cache and never trained
    twice. Users whose history gives no training pairs are answered by the shared model, with a
    note.
    """

    name = "user-lora"
    version = 2

    @classmethod
    def fit_key(cls, config: UserLoraConfig) -> MethodKey:
        """The task adaptation and the prompts that it is trained on."""
        if config.task_adaptation is None:
            return MethodKey(cls.name, cls.version)
        whole = cls.key(config)
        used = {name: whole.options[name] for name in ("task_adaptation", "max_response_tokens")}
        return dataclasses.replace(whole, options=used)

    @property
    def shared_lora(self) -> LoraConfig | None:
        adaptation = self.config.task_adaptation
        return None if adaptation is None else adaptation.lora

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        """Train the task adaptation, if there is one."""
        self._forget()
        if self.config.task_adaptation is None:
            return add_history_count(train, FitReport())
        pairs = list(train.pairs())
        prompts = self.text_side.prompts(train.examples)
        rows = [row for row, prompt in enumerate(prompts) if prompt.text is not None]
        report = self.fit_shared(
            [pairs[row][0].id for row in rows],
            [prompts[row].text or "" for row in rows],
            [pairs[row][1] for row in rows],
            self.config.task_adaptation.training,
            train.fingerprint,
        )
        notes = {**report.notes, "failed_prompts": len(pairs) - len(rows)}
        return add_history_count(train, dataclasses.replace(report, notes=notes))

    def load(self, folder: Path) -> None:
        self._forget()
        super().load(folder)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """Train, store and answer the users in groups of `users_at_once`."""
        rows: dict[str | None, list[int]] = {}
        for row, example in enumerate(examples):
            rows.setdefault(self.adapter_key(example), []).append(row)
        keys = list(rows)
        found: dict[int, Prediction] = {}
        for start in range(0, len(keys), self.config.users_at_once):
            group = keys[start : start + self.config.users_at_once]
            users = {key: examples[rows[key][0]] for key in group}
            chosen = [row for key in group for row in rows[key]]
            places = [place for place, key in enumerate(group) for _ in rows[key]]
            answers = self._answer([examples[row] for row in chosen], places, users)
            found.update(zip(chosen, answers, strict=True))
        return [found[row] for row in range(len(examples))]

    def export(self, example: Example, folder: Path) -> None:
        """Write the adapter that answers `example` as a peft folder.

        A task adaptation is included: both are joined into one adapter whose rank is their sum.

        Raises:
            DataError: the user's history gives no training pairs, so there is no adapter.
            StorageError: the folder can't be written.
        """
        from methods.lora.adapters import join_adapters, write_adapter

        key = self.adapter_key(example)
        if key is None:
            raise DataError(
                f"user {example.user_id!r} has no history to learn from, so no adapter",
                id=example.id,
                hint="Use the shared model without an adapter",
            )
        (kept,) = self.store.adapters([key], lambda key: self._lessons(key, example))
        weights, lora = kept.weights, self.config.lora
        if self.shared is not None and self.shared_lora is not None:
            weights, lora = join_adapters(self.shared.weights(0), self.shared_lora, weights, lora)
        write_adapter(folder, weights, lora, self.runtime.local_llm)

    def cost(self) -> Cost:
        """The shared adapter's weights, and each user's adapter.

        `seconds_per_user` is the mean over the adapters used in this cell so far, whenever they
        were trained, and 0 before the first. A resumed cell still counts its earlier users.
        """
        from methods.lora.layers import AdapterStack

        each = AdapterStack(self.runtime.local_llm, self.config.lora).parameters_each
        seconds = self.store.seconds()
        return dataclasses.replace(
            super().cost(),
            trainable_per_user=each,
            bytes_per_user=float(BYTES_PER_VALUE * each),
            seconds_per_user=fmean(seconds) if seconds else 0.0,
        )

    @cached_property
    def store(self) -> "AdapterStore":
        """The users' adapters on top of the present shared model."""
        from methods.lora.store import AdapterStore

        runtime, config = self.runtime, self.config
        return AdapterStore(
            runtime.local_llm,
            config.lora,
            config.training,
            shared=self.shared,
            max_input_tokens=runtime.max_input_tokens,
            max_response_tokens=config.max_response_tokens,
            cache=runtime.cache / "user-lora",
            scratch=runtime.scratch / "user-lora",
            progress=runtime.progress,
        )

    @cached_property
    def _common_key(self) -> dict[str, Any]:
        """What an adapter depends on apart from its user."""
        from methods.cache.tensors import digest

        task, runtime, key = self.task, self.runtime, self.key(self.config)
        learned = ("lora", "training", "retrieval_in_training", "max_response_tokens")
        common: dict[str, Any] = {
            "method": key.method,
            "version": key.version,
            "options": {name: key.options[name] for name in learned},
            "shared adapter": None if self.shared is None else digest(self.shared.weights(0)),
            "task": task.identity(),
            "seeds": runtime.seeds.axes,
            "max_input_tokens": runtime.max_input_tokens,
        }
        if self.config.retrieval_in_training:  # the LLM may write the text side's prompts
            models = self.config.named_models()
            return common | {
                "text side": key.parts["text side"].to_json(),
                "budget_rule": runtime.budget_rule,
                "models": named_model_identities(models, task=task, cache=runtime.cache),
                "llm": runtime.local_llm.identity,
            }
        return common | {"llm": likelihood_key(runtime.local_llm.weights, runtime.local_llm.config)}

    def adapter_key(self, example: Example) -> str | None:
        """Content key of the example's adapter; None where the history has no training pairs."""
        if not self.task.training_pairs(example):
            return None
        history = [dataclasses.astuple(item) for item in example.history]
        about = {**self._common_key, "user": example.user_id, "history": history}
        # A full digest, because the key names a folder and user ids are arbitrary texts.
        return content_key(about, length=64)

    def _forget(self) -> None:
        """Discard what depends on an earlier shared adapter."""
        for name in ("store", "_common_key"):
            vars(self).pop(name, None)

    def _answer(
        self,
        examples: Sequence[Example],
        places: Sequence[int],
        users: dict[str | None, Example],
    ) -> list[Prediction]:
        """Answers to N examples; `places` [N] are the examples' users, by position in `users`."""
        from methods.lora.layers import AdapterStack

        keys = [key for key in users if key is not None]
        adapters = self.store.adapters(keys, lambda key: self._lessons(key, users[key]))
        kept = dict(zip(keys, adapters, strict=True))
        stack = AdapterStack(self.runtime.local_llm, self.config.lora, len(users)).eval()
        notes: list[str | None] = []
        for place, key in enumerate(users):
            if key is None:  # an adapter of zeros: the shared model
                notes.append(NO_LESSONS)
            else:
                stack.put(place, kept[key].weights)
                notes.append(kept[key].note)
        answers = self.answer_with(examples, stack, places)
        return [
            dataclasses.replace(answer, note=notes[place] or answer.note)
            for answer, place in zip(answers, places, strict=True)
        ]

    def _lessons(self, key: str, example: Example) -> "Lessons":
        from methods.lora.training import Lessons

        pairs = as_queries(self.task, example)
        prompts = write_prompts([query for query, _ in pairs], self.text_in_training)
        tokens = self.runtime.local_llm.tokens.encode(prompts, self.runtime.max_input_tokens)
        return Lessons(
            user=example.user_id,
            key=key,
            seeds=self.runtime.seeds.child(self.name, "user", example.user_id),
            prompts=prompts,
            responses=[response for _, response in pairs],
            lengths=[len(prompt.ids) for prompt in tokens],
        )
