"""A pool of methods: each is fitted once and answers each example once."""

import dataclasses
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

from methods.cache.journal import Journal
from methods.core.fitting import fit_once
from methods.core.method import Cost, Method, MethodConfig
from methods.core.runtime import Runtime
from methods.models.identity import named_model_identities
from methods.prompt.method import PromptMethod
from tasks.common.errors import ModelError
from tasks.common.files import content_key, write_json
from tasks.common.sealed import read_sealed, write_sealed
from tasks.example import Behavior, Dataset, Example, Prediction
from tasks.metrics.utility import utilities

VERSION = 1
"""Increase it to invalidate all stored predictions."""
ABOUT = "pool.json"
_BEHAVIOR = attrgetter(*Behavior.__slots__)
_EXAMPLE = attrgetter(*(name for name in Example.__slots__ if name != "history"))


def example_key(example: Example) -> str:
    """Content key of everything that an answer to the example may depend on, its id included."""
    return content_key([_EXAMPLE(example), [_BEHAVIOR(b) for b in example.history]], length=32)


def dataset_key(data: Dataset) -> str:
    """Content key of the examples, in their order, and golds."""
    return content_key([[example_key(e) for e in data.examples], dict(data.golds or {})])


class Member:
    """One method of a pool.

    What it learned is stored in `cache`/pool/fits and its predictions in `cache`/pool/predictions,
    under keys of everything they depend on: the method and its options, the task, the prompt
    budget, the seed, the content of LLM and encoder and, where the method learns, the train set.
    A method that learns nothing shares its predictions across train sets.

    Args:
        runtime: the member's own, with a scratch folder that no other method uses.
    """

    def __init__(
        self, name: str, kind: type[Method], config: MethodConfig, runtime: Runtime
    ) -> None:
        self.name, self.kind, self.config, self.runtime = name, kind, config, runtime
        self.learns = kind.fit is not Method.fit
        self.fitted: str | None = None
        self.method = kind(config, runtime)

    def fit(self, train: Dataset, dev: Dataset | None) -> None:
        """Fit the method, or load an earlier fit on the same data."""
        if not self.learns:
            return
        about = {
            **self._surroundings,
            "method": self.kind.fit_key(self.config).to_json(),
            "train": dataset_key(train),
            "dev": dataset_key(dev) if dev else None,
        }
        key = content_key(about, length=32)

        folder = self.runtime.cache / "pool" / "fits" / key
        fit = fit_once(folder, lambda: self.kind(self.config, self.runtime), lambda: (train, dev))
        self._use(fit.method, key)

    def load(self, folder: Path, fitted: str | None) -> None:
        """Load the fit with the key `fitted` from `folder`; None: the method learns nothing."""
        if fitted is not None:
            method = self.kind(self.config, self.runtime)
            method.load(folder)
            self._use(method, fitted)

    def answers(self, examples: Sequence[Example]) -> list[Prediction]:
        """The member's predictions; those stored before are reused."""
        examples_by_key = {example_key(example): example for example in examples}
        distinct = list(examples_by_key.values())

        def predict(rows: Sequence[int]) -> list[dict[str, Any]]:
            predictions = self.method.predict([distinct[row] for row in rows])
            self._store_seconds()
            return [dataclasses.asdict(prediction) for prediction in predictions]

        return [
            Prediction(**{**fields, "behaviors": tuple(fields["behaviors"])})
            for fields in self.store.get(list(examples_by_key), predict, f"pool: {self.name}")
        ]

    def prompts(self, examples: Sequence[Example]) -> list[str]:
        """The text that the LLM reads: the prompt of a prompt method, or of a method's text side.

        The plain input for any other method, and where a prompt can't be written.
        """
        writer = getattr(self.method, "text_side", self.method)
        if not isinstance(writer, PromptMethod):
            return [example.input for example in examples]
        texts = [prompt.text for prompt in writer.prompts(examples)]
        return [
            example.input if text is None else text
            for example, text in zip(examples, texts, strict=True)
        ]

    def cost(self) -> Cost:
        """The method's own; seconds as measured when its stored predictions were computed."""
        cost = self.method.cost()
        if not cost.seconds_per_user and self._seconds_file.is_file():
            return dataclasses.replace(cost, seconds_per_user=self._read_seconds())
        return cost

    @cached_property
    def store(self) -> Journal:
        """The stored predictions. Raises RuntimeError before `fit` or `load`."""
        if self.learns and self.fitted is None:
            raise RuntimeError(f"pool member {self.name} answers only after `fit` or `load`")
        about = {
            **self._surroundings,
            "version": VERSION,
            "method": self.kind.key(self.config).to_json(),
            "fit": self.fitted,
        }
        folder = self.runtime.cache / "pool" / "predictions"
        return Journal(folder / f"{content_key(about, length=32)}.jsonl", self.runtime.progress)

    @property
    def _surroundings(self) -> dict[str, Any]:
        """What its results depend on apart from its key, the data and its fit."""
        runtime, kind = self.runtime, self.kind
        models = self.config.named_models()
        return {
            "task": [runtime.task.name, runtime.task.version],
            "llm": runtime.llm.identity if kind.uses_llm else None,
            "max_input_tokens": runtime.max_input_tokens if kind.uses_llm else None,
            "budget_rule": runtime.budget_rule if kind.uses_llm else None,
            "encoder": runtime.encoder.identity if kind.uses_encoder else None,
            "seeds": runtime.seeds.axes if kind.seeded else None,
            "models": named_model_identities(models, task=runtime.task, cache=runtime.cache),
        }

    @property
    def _seconds_file(self) -> Path:
        return self.store.path.with_suffix(".seconds.json")

    def _store_seconds(self) -> None:
        """Keep the training time of a method that trains while it predicts (user-lora)."""
        seconds = self.method.cost().seconds_per_user
        if seconds:
            write_sealed(self._seconds_file, {"seconds": seconds})

    def _read_seconds(self) -> float:
        """What `_store_seconds` kept. Raises StorageError where it is damaged."""
        file = self._seconds_file
        hint = "Delete it; only the training time of this member's users is lost"
        with suppress(ValueError):
            return float(file.read_bytes())  # of versions before checksums
        return float(read_sealed(file, hint)["seconds"])

    def _use(self, method: Method[Any], fitted: str) -> None:
        self.method, self.fitted = method, fitted
        vars(self).pop("store", None)


class Pool:
    """M methods that answer the same N examples."""

    def __init__(
        self, members: dict[str, tuple[type[Method], MethodConfig]], runtime: Runtime
    ) -> None:
        self.runtime = runtime
        self.members = [
            Member(name, kind, config, self._runtime(number))
            for number, (name, (kind, config)) in enumerate(members.items())
        ]

    def fit(self, train: Dataset, dev: Dataset | None) -> None:
        """Fit every member on the same data."""
        for member in self.members:
            member.fit(train, dev)

    def answers(self, examples: Sequence[Example]) -> list[list[Prediction]]:
        """Every member's predictions: [N][M]."""
        columns = [member.answers(examples) for member in self.members]
        return [list(row) for row in zip(*columns, strict=True)]

    def prompts(self, examples: Sequence[Example]) -> list[list[str]]:
        """Every member's prompts: [N][M]."""
        columns = [member.prompts(examples) for member in self.members]
        return [list(row) for row in zip(*columns, strict=True)]

    def utilities(
        self, answers: Sequence[Sequence[Prediction]], golds: Sequence[str]
    ) -> list[list[float]]:
        """`tasks.metrics.utility` of answers [N][M] against N golds: [N][M]."""
        columns = [
            utilities(self.runtime.task, [answer.text for answer in column], golds)
            for column in zip(*answers, strict=True)
        ]
        return [list(row) for row in zip(*columns, strict=True)]

    @property
    def damaged(self) -> int:
        """Number of stored predictions that were damaged and computed again."""
        return sum(member.store.damaged for member in self.members)

    @property
    def fits(self) -> dict[str, str | None]:
        """Member → key of its fit."""
        return {member.name: member.fitted for member in self.members}

    def save(self, folder: Path) -> None:
        """Write what the members learned."""
        write_json(folder / ABOUT, self.fits)
        for number, member in enumerate(self.members):
            if member.learns:
                place = _place(folder, number)
                place.mkdir(parents=True, exist_ok=True)
                member.method.save(place)

    def load(self, folder: Path, fits: dict[str, str | None]) -> None:
        """Read what `save` wrote.

        Args:
            fits: the content of ABOUT, as in the property of that name.

        Raises:
            ModelError: it was saved by another pool, or a member can't load its part.
        """
        learned = {name: fitted is not None for name, fitted in fits.items()}
        if list(learned.items()) != [(member.name, member.learns) for member in self.members]:
            raise ModelError(
                f"was fitted with the pool {', '.join(fits)}, "
                f"not {', '.join(member.name for member in self.members)}",
                file=folder,
                hint="Open it with that pool, or fit it again",
            )
        for number, member in enumerate(self.members):
            member.load(_place(folder, number), fits[member.name])

    def cost(self) -> Cost:
        """The sum over the members."""
        costs = [member.cost() for member in self.members]
        return Cost(
            trainable_shared=sum(cost.trainable_shared for cost in costs),
            trainable_per_user=sum(cost.trainable_per_user for cost in costs),
            bytes_per_user=sum(cost.bytes_per_user for cost in costs),
            seconds_per_user=sum(cost.seconds_per_user for cost in costs),
        )

    def _runtime(self, number: int) -> Runtime:
        """The pool's models and seeds, without the bounds and golds that a method can't know."""
        outer = self.runtime
        return dataclasses.replace(
            outer,
            scratch=_place(outer.scratch / "pool", number),
            open_llm=outer.open_llm and (lambda: outer.llm),
            open_encoder=outer.open_encoder and (lambda: outer.encoder),
            bounds={},
            golds={},
        )


def _place(folder: Path, number: int) -> Path:
    """A member's folder; by number, because its name may contain any character."""
    return folder / "members" / str(number)
