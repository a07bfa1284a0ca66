"""RSPG: a trained selector chooses which method of a pool answers (SIGIR 2024; methods.md §3d)."""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field, PositiveFloat, PositiveInt

from methods.cache.weights import load_module, save_module
from methods.core.method import Cost
from methods.models.config import EncoderConfig, TrainingConfig
from methods.models.report import FitReport
from methods.models.training import TrainingData, train_module
from methods.pool.members import dataset_key
from methods.pool.method import PoolConfig, PoolMethod, note_member
from methods.pool.selector import Selector, divergence
from tasks.common.files import content_key
from tasks.example import Dataset, Example, Prediction

if TYPE_CHECKING:
    from methods.models.encoder import Encoder

KIND = "selector"


class SelectorTraining(TrainingConfig):
    """The paper's epochs, the released code's learning rate and weight decay (methods.md §3d)."""

    learning_rate: PositiveFloat = 1e-5
    weight_decay: float = Field(0.0, ge=0)
    epochs: PositiveInt = 20


class RSPGConfig(PoolConfig):
    """Options of both variants.

    Attributes:
        selector: the encoder that the selector starts from, such as Longformer-base-4096 with
            pooling "cls"; None: the suite's sentence encoder.
        max_tokens: of a text that the selector reads; limited by its encoder's positions.
        teacher_temperature: of the softmax over utilities, which lie in [0, 1]; the paper has none.
        student_temperature: of the softmax over scores.
        training: of the selector; each member is trained with its own options.
    """

    selector: EncoderConfig | None = None
    max_tokens: PositiveInt = 1024
    teacher_temperature: PositiveFloat = 1.0
    student_temperature: PositiveFloat = 1.0
    training: SelectorTraining = SelectorTraining()


class RSPG(PoolMethod[RSPGConfig]):
    """argmax_m s(text_m), trained by KL between softmax(s) and the softmax of utilities.

    The selector learns from the members' answers to the train queries. As in the paper, a member
    trained on the same queries (ROPG) has seen them, so the selector may overrate it on new ones.
    Texts keep their case; the released code lower-cases them.
    """

    @abstractmethod
    def texts(self, examples: Sequence[Example]) -> list[list[str]]:
        """The text that the selector reads for each member: [N][M]."""

    @abstractmethod
    def answers(self, examples: Sequence[Example], members: Sequence[int]) -> list[Prediction]:
        """The answer of each example's chosen member: [N] indices into the pool → [N]."""

    @cached_property
    def encoder(self) -> "Encoder":
        """The encoder that the selector starts from."""
        if self.config.selector is None:
            return self.runtime.encoder
        from methods.models.encoder import Encoder

        return Encoder.open(self.config.selector, cache=self.runtime.cache)

    @cached_property
    def selector(self) -> Selector:
        """The trained module."""
        with torch.random.fork_rng():
            torch.manual_seed(self.runtime.seeds.seed("initial weights"))
            return Selector(self.encoder, self.config.max_tokens)

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        """Fit the members, then the selector on their answers to the train queries.

        The members answer the dev set only if early stopping needs it, because M answers per query
        are expensive.
        """
        super().fit(train, dev)
        training = self.config.training
        data, utilities = self._training_data(train)
        watched = dev if training.early_stop_patience is not None else None
        report = train_module(
            self.selector,
            data,
            training,
            seeds=self.runtime.seeds.child(self.name),
            identity=self._training_identity(train),
            checkpoint=self.runtime.scratch / "training",
            progress=self.runtime.progress,
            dev=None if watched is None else self._training_data(watched)[0],
        )
        names = [member.name for member in self.pool.members]
        means = [round(fmean(column), 4) for column in zip(*utilities, strict=True)]
        notes = {
            "train_utility": dict(zip(names, means, strict=True)),
            "train_utility_of_best": round(fmean(max(row) for row in utilities), 4),
            "queries_where_members_differ": sum(max(row) > min(row) for row in utilities),
            "damaged_predictions": self.pool.damaged,
        }
        return dataclasses.replace(report, notes={**report.notes, **notes})

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.answers(examples, self.select(examples))

    @torch.no_grad()
    def select(self, examples: Sequence[Example]) -> list[int]:
        """The index of each example's chosen member, the first among equal scores: [N].

        Examples are scored one at a time, so that padding can't decide between close scores.
        """
        self.selector.eval()
        return [int(self.selector([row])[0].argmax()) for row in self.texts(examples)]

    def save(self, folder: Path) -> None:
        super().save(folder)
        save_module(folder, KIND, self.selector, self._fits)

    def load(self, folder: Path) -> None:
        super().load(folder)
        load_module(folder, KIND, self.selector, self._fits)

    def cost(self) -> Cost:
        """The sum over the members, and the selector's weights."""
        cost = super().cost()
        own = sum(weight.numel() for weight in self.selector.parameters())
        return dataclasses.replace(cost, trainable_shared=cost.trainable_shared + own)

    @property
    def _fits(self) -> dict[str, Any]:
        """The method and encoder that the selector's weights belong to."""
        base = {"name": self.encoder.config.model, "identity": self.encoder.identity}
        return {"method": self.name, "method version": self.version, "encoder": base}

    def _training_data(self, data: Dataset) -> tuple[TrainingData, list[list[float]]]:
        """The examples to train on and the members' utilities [N][M], which are the targets."""
        examples = data.examples
        golds = [gold for _, gold in data.pairs()]
        utilities = self.pool.utilities(self.pool.answers(examples), golds)
        texts = self.texts(examples)
        targets = torch.tensor(utilities)

        def kl(rows: Sequence[int], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:  # noqa: ARG001
            scores = self.selector([texts[row] for row in rows])
            loss = divergence(
                scores,
                targets[list(rows)].to(scores.device),
                teacher=self.config.teacher_temperature,
                student=self.config.student_temperature,
            )
            return loss, torch.ones_like(loss, dtype=torch.long)

        training_data = TrainingData(
            ids=[example.id for example in examples],
            lengths=[max(map(len, row)) for row in texts],  # in characters
            nll=kl,
        )
        return training_data, utilities

    def _training_identity(self, train: Dataset) -> str:
        """Content key of what the outcome depends on, apart from the training config."""
        stored = [member.store.path.stem for member in self.pool.members]
        return content_key(
            {
                "method": self.key(self.config).to_json(),
                "members": stored,
                "train": dataset_key(train),
                "encoder": self.encoder.identity,
            }
        )


class RSPGPre(RSPG):
    """The selector reads each member's prompt, and only the chosen member answers.

    For a member without a prompt (a baseline without an LLM), it reads the plain input.
    """

    name = "rspg-pre"

    def texts(self, examples: Sequence[Example]) -> list[list[str]]:
        return self.pool.prompts(examples)

    def answers(self, examples: Sequence[Example], members: Sequence[int]) -> list[Prediction]:
        found: dict[int, Prediction] = {}
        for place, member in enumerate(self.pool.members):
            rows = [row for row, choice in enumerate(members) if choice == place]
            answers = member.answers([examples[row] for row in rows])
            found |= {
                row: note_member(answer, member.name)
                for row, answer in zip(rows, answers, strict=True)
            }
        return [found[row] for row in range(len(examples))]


class RSPGPost(RSPG):
    """The selector reads each member's prompt, a separator and the member's answer.

    Every member answers every example, so `prompt_tokens` and `new_tokens` of a prediction are sums
    over the members.
    """

    name = "rspg-post"

    def texts(self, examples: Sequence[Example]) -> list[list[str]]:
        separator = self.selector.separator
        return [
            [
                f"{prompt} {separator} {answer.text or ''}"
                for prompt, answer in zip(prompts, answers, strict=True)
            ]
            for prompts, answers in zip(
                self.pool.prompts(examples), self.pool.answers(examples), strict=True
            )
        ]

    def answers(self, examples: Sequence[Example], members: Sequence[int]) -> list[Prediction]:
        return [
            dataclasses.replace(
                note_member(row[place], self.pool.members[place].name),
                prompt_tokens=sum(answer.prompt_tokens for answer in row),
                new_tokens=sum(answer.new_tokens for answer in row),
            )
            for row, place in zip(self.pool.answers(examples), members, strict=True)
        ]
