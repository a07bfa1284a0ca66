"""Methods that personalize by soft tokens before a frozen LLM's input embeddings."""

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from random import Random
from statistics import fmean
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from pydantic import NonNegativeInt, PositiveInt, model_validator
from torch import nn

from methods.core.method import Cost, Method, MethodConfig
from methods.models.config import TrainingConfig
from methods.models.report import FitReport
from methods.models.training import TrainingData, train_module
from methods.prefix.histories import Batch, HistoryEncoder, subset
from methods.prefix.user_state import Stored, UserState
from methods.prefix.weights import load_module, save_module
from methods.prompt.method import PromptMethod
from methods.prompt.text_side import TextSideConfig
from tasks.common.files import content_key
from tasks.example import Behavior, Dataset, Example, Prediction, newest_first

if TYPE_CHECKING:
    from methods.models.encoder import Encoder
    from methods.models.language_model import LanguageModel

EMPTY, CUT = "empty history", "history cut to its newest behaviours"
BATCH = 64
"""Examples whose soft tokens are computed at once; no answer depends on it."""
BYTES_PER_VALUE = 2
"""A user's vectors are kept in float16."""
SHORTEST_AUGMENTED = 2
"""Histories of up to so many behaviours are not sub-sampled (methods.md §2b)."""


class PrefixConfig(TextSideConfig):
    """Options of every prefix method.

    Attributes:
        training: the paper's defaults (methods.md §2b) unless said otherwise.
        max_response_tokens: budget of a training response, end of sequence included.
        max_history: only the newest so many behaviours are encoded.
        labels_in_history: encode a behaviour's response with its text.
        augment: further copies of each training example in an epoch, each with a random part of
            the history left out (methods.md §1.3: released PPlug: 10).
        plain_epochs: the first so many epochs of training read the task's plain inputs, the others
            what `text` makes of them: shorter, and nothing in the prompt tells of the user yet.
    """

    training: TrainingConfig = TrainingConfig()
    max_response_tokens: PositiveInt = 128
    max_history: PositiveInt = 512
    labels_in_history: bool = False
    augment: NonNegativeInt = 0
    plain_epochs: NonNegativeInt = 0

    @model_validator(mode="after")
    def _some_epochs_read_the_text(self) -> Self:
        if self.plain_epochs >= self.training.epochs:
            raise ValueError(
                f"plain_epochs = {self.plain_epochs} leaves none of the {self.training.epochs} "
                "epochs to what `text` writes"
            )
        return self


class PrefixMethod(Method):
    """A method that puts P soft tokens before the prompt's embeddings: X = [prefix; Emb(x)].

    A subclass builds its trained module and computes soft tokens of a batch with it; training,
    prediction and storage are done here. The LLM and the history encoder stay frozen. Where a
    subclass needs no history vectors it sets `uses_encoder = False`.
    """

    uses_encoder = True
    Config: ClassVar[type[MethodConfig]] = PrefixConfig
    config: PrefixConfig

    @abstractmethod
    def build(self) -> nn.Module:
        """The trained module, freshly initialised; called once, with the random state seeded."""

    @abstractmethod
    def prefix(self, batch: Batch) -> torch.Tensor:
        """Soft tokens [B, P, H], with a gradient to `self.module` while it is trained.

        A row must not depend on the rows beside it.
        """

    @classmethod
    def from_pretrained(
        cls,
        folder: Path | str,
        llm: "LanguageModel",
        *,
        encoder: "Encoder | None" = None,
        cache: Path | None = None,
    ) -> Self:
        """Open a trained plug outside the harness; a stored cell keeps it in its `model/`.

        Args:
            llm: the one that it was trained for.
            encoder: in place of the one that the plug names, if that lies elsewhere now; it must
                have the same weights.
            cache: where digests of large files are kept; None: they are taken anew.

        Raises:
            ModelError: no plug, another method's, another LLM's or encoder's, or a damaged one.
            ConfigError: its method or task is not known here.
        """
        from methods.prefix import deploy  # it needs this class

        return deploy.open_trained(cls, Path(folder), llm, encoder, cache)

    def respond(self, input: str, history: Sequence[str | Behavior] | UserState) -> str:
        """The answer to one query of one user; no text or vector of the user is kept.

        Args:
            input: the task's official prompt, instruction included (methods.md §3a).
            history: oldest first: behaviours, or plain texts as retrievers index them (for LaMP-4,
                title and article); or the user's state, as this plug made it.

        Raises:
            DataError: input or history is not of the task's form.
            ModelError: the state was made by another plug or encoder.
        """
        from methods.prefix import deploy

        return deploy.respond(self, input, history)

    def user_state(self, history: Sequence[str | Behavior]) -> UserState:
        """The vectors that `respond` takes in place of `history`, to keep and to export.

        Raises:
            ConfigError: the method or its text side needs the texts themselves.
            DataError: as in `respond`.
        """
        from methods.prefix import deploy

        return deploy.user_state(self, history)

    @property
    def stored(self) -> Stored | None:
        """What can be kept of a user in place of the texts; None: the texts are needed."""
        return Stored.HISTORY if self.needs_histories else None

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """The user's part of the soft tokens, [B, n, H]; asked where `stored` is TOKENS."""
        raise NotImplementedError

    @classmethod
    def identity(cls, config: MethodConfig) -> list[Any]:
        """Its own and its text side's; what only decides how training goes about it stays out."""
        assert isinstance(config, PrefixConfig)  # noqa: S101  its own Config
        text, options = config.text_side()
        own = config.model_dump(mode="json", exclude={"text", "text_options", "training"})
        return [cls.name, cls.version, own, config.training.decisive(), text.identity(options)]

    @cached_property
    def fingerprint(self) -> str:
        """Content key of the trained weights and of all that they fit."""
        from methods.prefix.deploy import fingerprint

        return fingerprint(self)

    @cached_property
    def module(self) -> nn.Module:
        """The trained module, on the LLM's device."""
        with torch.random.fork_rng():
            torch.manual_seed(self.runtime.seeds.seed("initial weights"))
            return self.build().to(self.runtime.llm.device)

    @cached_property
    def text_side(self) -> PromptMethod:
        """The prompt method that writes what follows the soft tokens."""
        method, config = self.config.text_side()
        return method(config, self.runtime)

    @cached_property
    def histories(self) -> HistoryEncoder:
        """The frozen vectors of histories."""
        return HistoryEncoder(
            self.runtime.embeddings,
            self.task,
            labels=self.config.labels_in_history,
            ages=self.needs_ages,
        )

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        """Train `module` on the NLL of the golds' tokens, through the frozen LLM."""
        vars(self).pop("fingerprint", None)
        llm = self.runtime.llm
        training = self.config.training
        data = self._training_data(
            train, augment=self.config.augment, plain_epochs=self.config.plain_epochs
        )
        with llm.checkpointed(training.gradient_checkpointing):
            report = train_module(
                self.module,
                data,
                training,
                seeds=self.runtime.seeds.child(self.name),
                identity=self._training_identity(train),
                checkpoint=self.runtime.scratch / "training",
                progress=self.runtime.progress,
                dev=None if dev is None else self._training_data(dev, augment=0),
                learning_rates=self.learning_rates,
            )
        failed = len(train) - len(set(data.ids))
        counts = {**self._counts(train), "failed_prompts": failed}
        return dataclasses.replace(report, notes={**report.notes, **counts})

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        self.module.eval()
        used = self._prepared(examples)
        with torch.no_grad():
            parts = [
                self.prefix(self._batch(used[start : start + BATCH])).cpu()
                for start in range(0, len(used), BATCH)
            ]
        answers = self.text_side.answer(examples, prefix=torch.cat(parts) if parts else None)
        return [
            dataclasses.replace(answer, note=self._note(example) or answer.note)
            for example, answer in zip(examples, answers, strict=True)
        ]

    def save(self, folder: Path) -> None:
        save_module(folder, self)

    def load(self, folder: Path) -> None:
        vars(self).pop("fingerprint", None)
        load_module(folder, self)
        self.module.eval()

    def cost(self) -> Cost:
        trained = [weight for weight in self.module.parameters() if weight.requires_grad]
        stored = self.mean_history * self.runtime.encoder.dimension if self.needs_histories else 0
        return Cost(
            trainable_shared=sum(weight.numel() for weight in trained),
            bytes_per_user=BYTES_PER_VALUE * stored,
        )

    @property
    def mean_history(self) -> float:
        """Behaviours encoded for a train user, on average; 0 where the runtime knows none."""
        most = self.config.max_history
        sizes = [min(len(example.history), most) for example in self.runtime.population]
        return fmean(sizes) if sizes else 0.0

    @property
    def learning_rates(self) -> dict[str, float]:
        """Submodules of `module` that are not trained at the config's rate → their own."""
        return {}

    @property
    def needs_histories(self) -> bool:
        """Whether `prefix` looks at history vectors."""
        return self.uses_encoder

    @property
    def needs_ages(self) -> bool:
        """Whether `prefix` looks at the ages of behaviours."""
        return False

    def selected(self, examples: Sequence[Example]) -> list[Example]:
        """The examples with the part of their histories that is encoded: the newest."""
        return [self._newest(example) for example in examples]

    def _newest(self, example: Example) -> Example:
        if len(example.history) <= self.config.max_history:
            return example
        return subset(example, set(newest_first(example.history)[: self.config.max_history]))

    def _note(self, example: Example) -> str | None:
        """What happened to the history before it was encoded."""
        if not self.needs_histories:
            return None
        if not example.history:
            return EMPTY
        return CUT if len(example.history) > self.config.max_history else None

    def _prepared(self, examples: Sequence[Example]) -> list[Example]:
        chosen = self.selected(examples)
        if self.needs_histories:
            self.histories.prepare(chosen)
        return chosen

    def _batch(self, examples: Sequence[Example]) -> Batch:
        device = self.runtime.llm.device
        if self.needs_histories:
            dtype = next((weight.dtype for weight in self.module.parameters()), torch.float32)
            return self.histories.batch(examples, device, dtype)
        nothing = torch.zeros(len(examples), 0, device=device)
        return Batch(examples, nothing.unsqueeze(-1), nothing.bool())

    def _training_data(
        self, split: Dataset, *, augment: int, plain_epochs: int = 0
    ) -> TrainingData:
        golds = [gold for _, gold in split.pairs()]
        prompts = self.text_side.prompts(split.examples)
        used = self._prepared(split.examples)
        # One row a copy; copy 0 is whole. Too short a history to leave something out: no copies.
        rows = [
            (pair, copy)
            for pair, example in enumerate(used)
            if prompts[pair].text is not None
            for copy in range(1 + (augment if len(example.history) > SHORTEST_AUGMENTED else 0))
        ]

        def nll(indices: Sequence[int], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
            chosen = [rows[index] for index in indices]
            batch = self._batch([self._copy(used[pair], epoch, copy) for pair, copy in chosen])
            plain = epoch < plain_epochs
            return self.runtime.llm.loss(
                [used[pair].input if plain else prompts[pair].text or "" for pair, _ in chosen],
                [golds[pair] for pair, _ in chosen],
                max_input_tokens=self.runtime.max_input_tokens,
                max_response_tokens=self.config.max_response_tokens,
                prefix=self.prefix(batch),
            )

        tokens = self.runtime.llm.tokens
        lengths = [tokens.count(prompt.text or "") for prompt in prompts]
        return TrainingData(
            ids=[used[pair].id for pair, _ in rows],
            lengths=[lengths[pair] for pair, _ in rows],
            nll=nll,
        )

    def _copy(self, example: Example, epoch: int, copy: int) -> Example:
        """Copy 0: the example; others: int(n·U(0, .5)) + 1 of its n behaviours left out."""
        if copy == 0:
            return example
        n = len(example.history)
        random = Random(self.runtime.seeds.seed("augment", example.id, epoch, copy))
        dropped = random.sample(range(n), int(n * random.uniform(0, 0.5)) + 1)
        return subset(example, set(range(n)) - set(dropped))

    def _training_identity(self, train: Dataset) -> str:
        """Content key of what decides the outcome, beside the training's own config."""
        runtime = self.runtime
        return content_key(
            [
                self.identity(self.config),
                [self.task.name, self.task.version, train.fingerprint],
                runtime.max_input_tokens,
                runtime.llm.identity,
                runtime.encoder.identity if self.uses_encoder else None,
            ]
        )

    def _counts(self, split: Dataset) -> dict[str, int]:
        sizes = [len(example.history) for example in split.examples]
        return {
            "empty_histories": sizes.count(0),
            "cut_histories": sum(size > self.config.max_history for size in sizes),
        }
