"""A direction for each user, added to the LLM's hidden states (StyleVector, arXiv 2503.05213)."""

import dataclasses
import time
from collections.abc import Sequence
from functools import cached_property
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from pydantic import Field, PositiveFloat, PositiveInt

from methods.cache.journal import Journal
from methods.core.method import Cost, MethodConfig
from methods.lora.lessons import as_queries
from methods.models.access import Access
from methods.models.report import FitReport
from methods.prompt.method import PromptMethod
from tasks.common.errors import ConfigError, ModelError
from tasks.common.files import content_key, read_json, write_json
from tasks.example import Dataset, Example, Prediction, newest_first

if TYPE_CHECKING:
    import torch

    from methods.core.runtime import Runtime

CHOICE = "style_vector.json"
BYTES_PER_VALUE = 4
"""Vectors are float32."""


class StyleVectorConfig(MethodConfig):
    """Options of style-vector and task-vector.

    Attributes:
        depths: layers that `fit` tries, as shares of the LLM's depth.
        strengths: α that `fit` tries; 0, no steering, is always tried too.
        choice_examples: train queries on which they are compared, the first ones.
        max_items: newest items of a history that count; None: all.
    """

    depths: tuple[float, ...] = Field(default=(0.25, 0.5, 0.75), min_length=1)
    strengths: tuple[PositiveFloat, ...] = Field(default=(0.25, 0.5, 1.0), min_length=1)
    choice_examples: PositiveInt = 64
    max_items: PositiveInt | None = None


class StyleVector(PromptMethod[StyleVectorConfig]):
    """h_l += α s_u at every generated token; s_u is what the user writes minus what the LLM writes.

    s_u = mean_i [h_l(x_i ⊕ y_i) − h_l(x_i ⊕ ŷ_i)], at the last token in layer l, where (x_i, y_i)
    are the training pairs that the history gives and ŷ_i is the LLM's own answer to x_i (§3.2).
    Nothing is trained. The paper chooses l and α on a validation set without saying how; here
    `fit` takes those with the lowest NLL of train golds, or none if nothing lowers it.
    """

    name = "style-vector"
    seeded = False
    learns_answers = True

    def __init__(self, config: StyleVectorConfig, runtime: "Runtime") -> None:
        super().__init__(config, runtime)
        self._choice: tuple[int, float] | None = None  # place among `layers`, α
        self._vectors: dict[str, torch.Tensor] = {}
        self._seconds: list[float] = []

    @classmethod
    def access(cls, config: StyleVectorConfig) -> Access:  # noqa: ARG003
        """Its hidden states."""
        return Access.WEIGHTS

    @cached_property
    def layers(self) -> list[int]:
        """The layers of `depths`, first to last."""
        from methods.models.hidden_states import find_layers

        count = len(find_layers(self.runtime.local_llm))
        return sorted({min(count - 1, int(depth * count)) for depth in self.config.depths})

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:  # noqa: ARG002
        """Choose layer and strength by the NLL of the first train golds, a mean over tokens."""
        self._refuse_labels()
        pairs = list(train.pairs())[: self.config.choice_examples]
        examples, golds = [example for example, _ in pairs], [gold for _, gold in pairs]
        vectors = self.find_vectors(examples)
        losses = {(0, 0.0): self._loss(examples, golds, vectors, (0, 0.0))}
        for choice in product(range(len(self.layers)), self.config.strengths):
            losses[choice] = self._loss(examples, golds, vectors, choice)
        self._choice = min(losses, key=lambda choice: losses[choice])
        place, strength = self._choice
        return FitReport(
            examples=len(pairs),
            notes={
                "layer": self.layers[place],
                "strength": strength,
                "choices": len(losses),
                "loss": losses[self._choice],
                "loss_unsteered": losses[0, 0.0],
            },
        )

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        from methods.models.hidden_states import Steering

        self._refuse_labels()
        place, strength = self._require_choice()
        prompts = self.prompts(examples)
        if strength == 0:
            return self.answer(examples, prompts=prompts)
        rows = [row for row, prompt in enumerate(prompts) if prompt.text is not None]
        vectors = self.find_vectors([examples[row] for row in rows])[:, place]
        llm = self.runtime.local_llm
        with Steering(llm, self.layers[place], strength * vectors).generating():
            return self.answer(examples, prompts=prompts)

    def find_vectors(self, examples: Sequence[Example]) -> "torch.Tensor":
        """s_u of each example's user by its history, in every layer tried: [N, L, H].

        0 where a history gives no training pairs.
        """
        import torch

        keys = [self._history_key(example) for example in examples]
        new = {k: e for k, e in zip(keys, examples, strict=True) if k not in self._vectors}
        lessons = {key: self._write_lessons(example) for key, example in new.items()}
        started = time.monotonic()
        every = [lesson for some in lessons.values() for lesson in some]
        differences = iter(self._find_differences(every))
        none = torch.zeros(len(self.layers), self.runtime.local_llm.hidden_size)
        for key, some in lessons.items():
            own = [next(differences) for _ in some]
            self._vectors[key] = torch.stack(own).mean(0) if own else none
        if new:
            self._seconds += [(time.monotonic() - started) / len(new)] * len(new)
        found = [self._vectors[key] for key in keys]
        return torch.stack(found) if found else none.new_zeros(0, *none.shape)

    def _write_lessons(self, example: Example) -> list[tuple[str, str]]:
        """(input, response) of each training pair that the history gives."""
        newest = newest_first(example.history)[: self.config.max_items]
        kept = tuple(example.history[place] for place in sorted(newest))
        cut = dataclasses.replace(example, history=kept)
        return [(query.input, response) for query, response in as_queries(self.task, cut)]

    def _find_differences(self, lessons: Sequence[tuple[str, str]]) -> "torch.Tensor":
        """h_l(x ⊕ y) − h_l(x ⊕ ŷ) of N pairs: [N, L, H]."""
        from methods.models.hidden_states import read_last_states

        inputs = [input for input, _ in lessons]
        budgets = {
            "max_input_tokens": self.runtime.max_input_tokens,
            "max_response_tokens": self.task.max_new_tokens,
        }
        llm, layers = self.runtime.local_llm, self.layers
        written = [response for _, response in lessons]
        own = read_last_states(llm, layers, inputs, written, **budgets)
        return own - read_last_states(llm, layers, inputs, self._ask(inputs), **budgets)

    def _ask(self, inputs: Sequence[str]) -> list[str]:
        """The LLM's own answers ŷ, each asked once and kept."""
        from methods.models.generation import read_texts

        llm = self.runtime.llm
        about = [llm.identity, self.runtime.max_input_tokens, self.task.max_new_tokens]
        folder = self.runtime.cache / "plain_answers"
        journal = Journal(folder / f"{content_key(about, length=32)}.jsonl", self.runtime.progress)
        return journal.get(
            [content_key(input, length=32) for input in inputs],
            lambda rows: read_texts(self.runtime.ask([inputs[row] for row in rows]), llm.name),
            "the LLM's own answers",
        )

    def _loss(
        self,
        examples: Sequence[Example],
        golds: Sequence[str],
        vectors: "torch.Tensor",
        choice: tuple[int, float],
    ) -> float:
        """Mean NLL per token of N golds, each steered by its user's vector."""
        import torch

        from methods.models.batching import BatchSize, in_batches
        from methods.models.hidden_states import Steering

        llm, room, (place, strength) = self.runtime.local_llm, self.runtime.max_input_tokens, choice
        steering = Steering(llm, self.layers[place], strength * vectors[:, place])

        @torch.no_grad()
        def score(rows: Sequence[int]) -> list[tuple[float, int]]:
            prompts = [examples[row].input for row in rows]
            with steering.scoring(rows, prompts, room):
                nll, tokens = llm.loss(
                    prompts,
                    [golds[row] for row in rows],
                    max_input_tokens=room,
                    max_response_tokens=self.task.max_new_tokens,
                )
            return list(zip(nll.tolist(), tokens.tolist(), strict=True))

        size = BatchSize(llm.config.batch_size)
        found = in_batches([len(example.input) for example in examples], size, score)
        return sum(nll for nll, _ in found) / sum(tokens for _, tokens in found)

    def _history_key(self, example: Example) -> str:
        return content_key([example.user_id, [dataclasses.astuple(b) for b in example.history]])

    def _refuse_labels(self) -> None:
        llm = self.runtime.local_llm
        if llm.config.decoding.rule == "likelihood":
            raise ConfigError(
                f"{self.name} steers tokens that are generated, and LLM {llm.name!r} chooses the "
                "likeliest label",
                hint='Take an LLM without decoding.rule = "likelihood" for it',
            )

    def _require_choice(self) -> tuple[int, float]:
        if self._choice is None:
            raise ValueError("call `fit` or `load` before `predict`")
        return self._choice

    def save(self, folder: Path) -> None:
        place, strength = self._require_choice()
        write_json(folder / CHOICE, {"layer": self.layers[place], "strength": strength})

    def load(self, folder: Path) -> None:
        """Read layer and strength. Raises ModelError where the layer isn't one of `depths`."""
        stored = read_json(folder / CHOICE)
        if stored.get("layer") not in self.layers or "strength" not in stored:
            raise ModelError(
                f"its layer {stored.get('layer')} is none of {self.layers}",
                file=folder / CHOICE,
                hint="Give a folder that was saved with these depths and this LLM",
            )
        self._choice = self.layers.index(stored["layer"]), float(stored["strength"])

    def cost(self) -> Cost:
        """A vector a user; its LLM answers and passes are measured as the user's own time."""
        return Cost(
            bytes_per_user=float(BYTES_PER_VALUE * self.runtime.local_llm.hidden_size),
            seconds_per_user=fmean(self._seconds) if self._seconds else 0.0,
        )


class TaskVector(StyleVector):
    """The control without a user: the mean over train users of their vectors, for everyone."""

    name = "task-vector"

    @classmethod
    def is_personal(cls, config: StyleVectorConfig) -> bool:  # noqa: ARG003
        return False

    def find_vectors(self, examples: Sequence[Example]) -> "torch.Tensor":
        return self._mean.expand(len(examples), -1, -1)

    @cached_property
    def _mean(self) -> "torch.Tensor":
        """Over the train queries that `fit` compares settings on: [L, H]."""
        return super().find_vectors(self.runtime.population[: self.config.choice_examples]).mean(0)
