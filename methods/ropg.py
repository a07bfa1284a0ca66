"""ROPG: a dense retriever tuned by the frozen LLM's feedback (SIGIR 2024; methods.md §4)."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PositiveFloat, PositiveInt
from typing_extensions import TypeVar

from methods.core.key import MethodKey
from methods.core.method import Cost
from methods.models import padding
from methods.models.config import TrainingConfig
from methods.models.embedding_store import EmbeddingStore
from methods.models.report import FitReport
from methods.models.training import TrainingData, train_module
from methods.prompt.method import RetrievalConfig, RetrievalMethod
from methods.retrieval import Retriever
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.dense import DenseRetriever
from methods.retrieval.feedback import Feedback, Judged
from methods.retrieval.tuned_encoder import TunedEncoder
from tasks.common.files import content_key
from tasks.example import Dataset

BYTES_PER_VALUE = 4
"""Vectors are stored as float32."""


class RetrieverTraining(TrainingConfig):
    """The paper's optimizer (methods.md §4): Adam, which is AdamW without weight decay.

    Each query's forward pass encodes all of its candidates, hence the small `micro_batch_size`.
    """

    learning_rate: PositiveFloat = 1e-5
    weight_decay: float = Field(0, ge=0)
    epochs: PositiveInt = 10
    micro_batch_size: PositiveInt | None = 4


class RopgConfig(RetrievalConfig):
    """Options of both variants.

    Attributes:
        candidates: l, the number of behaviours of each train query that the LLM judges; fewer where
            the history is shorter.
        first_retriever: chooses and ranks the candidates; "dense" is the encoder before tuning.
        temperature: T of the retriever's softmax over a query's candidates, softmax(q·d / T).
        training: of the retriever; the LLM judges dev queries only for early stopping.
    """

    candidates: int = Field(16, ge=2)
    first_retriever: Literal["dense", "bm25"] = "dense"
    temperature: PositiveFloat = 1.0
    training: RetrieverTraining = RetrieverTraining()


@dataclass(frozen=True)
class Policy:
    """The retriever's distribution over the candidates of B queries, at most L each.

    Attributes:
        queries: B queries with their candidates.
        log_probabilities: [B, L], log softmax(q·d / T) over a row's real candidates; -inf at pads.
        utilities: [B, L]; 0 at pads.
        real: [B, L]; False at pads.
    """

    queries: Sequence[Judged]
    log_probabilities: torch.Tensor
    utilities: torch.Tensor
    real: torch.Tensor


R = TypeVar("R", bound=RopgConfig, default=RopgConfig)


class ROPG(RetrievalMethod[R]):
    """The top k behaviours of a tuned retriever, which encodes queries and behaviours alike.

    For training, a first retriever selects the top l behaviours of each train query, and `Feedback`
    gives each the utility of the LLM's answer with that one behaviour. Subclasses define the loss.
    Queries with fewer than two candidates teach nothing; they are skipped and counted in the notes.
    """

    uses_encoder = True

    @abstractmethod
    def losses(self, policy: Policy, epoch: int) -> torch.Tensor:
        """The loss of each query, [B], differentiable in `policy.log_probabilities`."""

    def dev_losses(self, policy: Policy) -> torch.Tensor:
        """The losses for early stopping, [B]. Default: the training losses."""
        return self.losses(policy, 0)

    @classmethod
    def fit_key(cls, config: R) -> MethodKey:
        """Without `k`, which affects only prediction."""
        options = config.key_options()
        del options["k"]
        return MethodKey(cls.name, cls.version, options)

    @cached_property
    def module(self) -> TunedEncoder:
        """The tower, on the encoder's device; it has the encoder's weights until it is fitted."""
        return TunedEncoder(self.runtime.encoder)

    def open_retriever(self) -> Retriever:
        store = self.runtime.cache / "embeddings"
        return DenseRetriever(EmbeddingStore(self.module.freeze(), store, self.runtime.progress))

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        self._forget_vectors()
        training, feedback = self.config.training, Feedback(self.runtime)
        judged = self._judge(feedback, train)
        stops_early = training.early_stop_patience is not None
        watched = self._judge(feedback, dev) if stops_early and dev is not None else []
        report = train_module(
            self.module,
            self._data(judged, self.losses),
            training,
            seeds=self.runtime.seeds.child(self.name),
            identity=self._training_identity(train),
            checkpoint=self.runtime.scratch / "training",
            progress=self.runtime.progress,
            dev=self._data(watched, lambda policy, _: self.dev_losses(policy)) if watched else None,
        )
        firsts, bests = [j.utilities[0] for j in judged], [max(j.utilities) for j in judged]
        notes = {
            "untrained_queries": len(train) - len(judged),
            "feedback_computed": feedback.journal.computed,
            "feedback_damaged": feedback.journal.damaged,
            "utility_of_first": fmean(firsts) if firsts else None,
            "utility_of_best": fmean(bests) if bests else None,
        }
        return replace(report, notes={**report.notes, **notes})

    def save(self, folder: Path) -> None:
        self.module.save(folder, self._about())

    def load(self, folder: Path) -> None:
        self._forget_vectors()
        self.module.load(folder, self._about())

    def cost(self) -> Cost:
        """The tower's weights, and a vector per behaviour of the mean train history."""
        sizes = [len(example.history) for example in self.runtime.population]
        values = (fmean(sizes) if sizes else 0.0) * self.runtime.encoder.dimension
        return Cost(
            trainable_shared=sum(weight.numel() for weight in self.module.parameters()),
            bytes_per_user=BYTES_PER_VALUE * values,
        )

    def policy(self, queries: Sequence[Judged]) -> Policy:
        """The present policy on B ≥ 1 judged queries with at least one candidate each."""
        query_texts = [judged.example.query for judged in queries]
        texts = [[behavior.text for behavior in judged.candidates] for judged in queries]
        row_of = {text: row for row, text in enumerate({t: None for some in texts for t in some})}
        questions = self.module(query_texts, "query")
        documents = self.module(list(row_of), "document")
        device = questions.device
        rows, mask = padding.pad(
            [[row_of[text] for text in some] for some in texts], 0, device=device
        )
        real = mask.bool()
        utilities = torch.zeros(rows.shape, device=device)
        utilities[real] = torch.tensor([u for j in queries for u in j.utilities], device=device)
        # Full precision even under autocast, because dot products differ in their third digit.
        with torch.autocast(device.type, enabled=False):
            scores = torch.einsum("bd,bld->bl", questions.float(), documents.float()[rows])
            scores = (scores / self.config.temperature).masked_fill(~real, -torch.inf)
            return Policy(queries, torch.log_softmax(scores, dim=1), utilities, real)

    def _judge(self, feedback: Feedback, data: Dataset) -> list[Judged]:
        """The judged queries with at least two candidates."""
        dense = self.config.first_retriever == "dense"
        first = DenseRetriever(self.runtime.embeddings) if dense else BM25Retriever(self.task.words)
        pairs = [pair for pair in data.pairs() if len(pair[0].history) > 1]
        return feedback.judge(pairs, first, self.config.candidates)

    def _data(
        self, judged: Sequence[Judged], losses: Callable[[Policy, int], torch.Tensor]
    ) -> TrainingData:
        """A row per query, counted as one token, so that a step's loss is the mean over queries."""

        def loss(rows: Sequence[int], epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
            policy = self.policy([judged[row] for row in rows])
            return losses(policy, epoch), torch.ones(len(rows))

        texts = [[j.example.query, *(b.text for b in j.candidates)] for j in judged]
        return TrainingData(
            ids=[j.example.id for j in judged],
            lengths=[max(len(text.split()) for text in some) for some in texts],  # in words
            nll=loss,
        )

    def _training_identity(self, train: Dataset) -> str:
        """Content key of what the outcome depends on, apart from the training config."""
        runtime, task = self.runtime, self.task
        return content_key(
            {
                "method": self.fit_key(self.config).to_json(),
                "task": task.identity(),
                "train": train.fingerprint,
                "llm": runtime.llm.identity,
                "max_input_tokens": runtime.max_input_tokens,
                "budget_rule": runtime.budget_rule,
                "encoder": runtime.encoder.identity,
            }
        )

    def _about(self) -> dict[str, Any]:
        """What saved weights belong to, apart from the encoder."""
        llm = self.runtime.llm
        return {
            "method": self.name,
            "method version": self.version,
            "task": self.task.name,
            "LLM": {"name": llm.name, "identity": llm.weights},
        }

    def _forget_vectors(self) -> None:
        """Discard the retriever and its vectors, because the weights change."""
        vars(self).pop("retriever", None)


class RopgKdConfig(RopgConfig):
    """Options of ROPG-KD.

    Attributes:
        teacher_temperature: of the softmax over utilities.
    """

    teacher_temperature: PositiveFloat = 1.0


class RopgKD(ROPG[RopgKdConfig]):
    """KL(teacher ‖ retriever) with teacher = softmax(utility / T) over a query's candidates.

    The released code applies the softmax twice and treats pads as candidates; here neither happens
    (methods.md §4).
    """

    name = "ropg-kd"

    def losses(self, policy: Policy, epoch: int) -> torch.Tensor:  # noqa: ARG002
        pads = ~policy.real
        logits = policy.utilities / self.config.teacher_temperature
        teacher = torch.log_softmax(logits.masked_fill(pads, -torch.inf), dim=1)
        # At pads, 0 · log(0 / 0) should be 0, so both sides are set to log 1 there.
        terms = F.kl_div(
            policy.log_probabilities.masked_fill(pads, 0.0),
            teacher.masked_fill(pads, 0.0),
            reduction="none",
            log_target=True,
        )
        return terms.sum(1)


class RopgRL(ROPG):
    """REINFORCE: in each epoch, one candidate d per query, drawn from the retriever's softmax.

    The reward is utility(d) minus that of the candidate ranked first before training (methods.md
    §4). Pads are never drawn; the released code can draw them, with reward 0. A draw depends only
    on its query and the epoch, not on the batch.
    """

    name = "ropg-rl"

    def losses(self, policy: Policy, epoch: int) -> torch.Tensor:
        drawn = self.draw(policy, epoch)
        rewards = _rewards(policy).gather(1, drawn)
        return -(rewards * policy.log_probabilities.gather(1, drawn)).squeeze(1)

    def dev_losses(self, policy: Policy) -> torch.Tensor:
        """Minus the expected reward."""
        return -(policy.log_probabilities.exp() * _rewards(policy)).sum(1)

    def draw(self, policy: Policy, epoch: int) -> torch.Tensor:
        """One candidate's index per row, [B, 1], drawn by the Gumbel-max trick."""
        shape = policy.log_probabilities.shape
        noise = np.zeros(shape, np.float32)
        for row, judged in enumerate(policy.queries):
            seed = self.runtime.seeds.seed("ropg-rl", judged.example.id, epoch)
            count = len(judged.candidates)
            noise[row, :count] = np.random.default_rng(seed).gumbel(size=count)
        log_probabilities = policy.log_probabilities.detach()
        return (log_probabilities + torch.from_numpy(noise).to(log_probabilities)).argmax(
            1, keepdim=True
        )


def _rewards(policy: Policy) -> torch.Tensor:
    """[B, L]; meaningless at pads, whose probability is 0."""
    return policy.utilities - policy.utilities[:, :1]
