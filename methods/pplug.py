"""PPlug: a user's whole history as one soft token before a frozen LLM (arXiv 2409.11901v2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import torch
import torch.nn.functional as F
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import nn

from methods.core.method import Cost, MethodConfig
from methods.models.report import FitReport
from methods.models.trainable_encoder import TrainableEncoder
from methods.prefix.histories import Batch, subset
from methods.prefix.method import BYTES_PER_VALUE, PrefixConfig, PrefixMethod
from methods.prefix.user_state import Stored
from methods.retrieval.dense import DenseRetriever
from tasks.example import Dataset, Example

SMALLEST_VARIANCE = 0.01
"""Of a whitened direction, as a share of the mean: what hardly varies is not blown up to noise."""
ROWS_AT_ONCE = 65_536
"""Vectors of a covariance that are held in float64 together."""


class PPlugConfig(PrefixConfig):
    """PPlug's switches; the defaults are the paper's full method.

    Attributes:
        attention: weigh the history by softmax(x·h); False: the mean ("w/o IA", Table 8).
        instruction: put the trained instruction embedding first; False: "w/o IE" (Table 8).
        user: put the user's embedding; False: instruction only, the control without any user.
        encoder_trainable: tune the input encoder; False: it stays the history encoder.
        encoder_learning_rate: of the input encoder; None: as all that is trained, which is the
            paper's way. A pretrained encoder doesn't bear the rates at which new parts learn fast.
        temperature: of the softmax; the paper has none (1).
        history_top_k: only the k behaviours nearest to the input by the frozen encoder (Table 5).
        n_tokens: soft tokens of the user; the paper has one.
        whiten: Proj reads whitened history vectors, see `Whitening`; the paper: as they are.
            Sentence vectors of one task point the same way for the most part, their topics take
            most of what is left, and what tells users' tastes apart is small beside both: gradient
            descent finds it late or never.
        time_decay: subtracts time_decay·age from a behaviour's logit, its age being the share of
            the history that is newer (by date, undated ones by file order); 0: the paper.
    """

    attention: bool = True
    instruction: bool = True
    user: bool = True
    encoder_trainable: bool = True
    encoder_learning_rate: PositiveFloat | None = None
    temperature: PositiveFloat = 1.0
    history_top_k: PositiveInt | None = None
    n_tokens: PositiveInt = 1
    whiten: bool = False
    time_decay: NonNegativeFloat = 0.0

    @model_validator(mode="after")
    def _something(self) -> "PPlugConfig":
        if not (self.user or self.instruction):
            raise ValueError("`user` and `instruction` are both false: no soft token is left")
        return self


class Projector(nn.Module):
    """Proj: Linear(D, H), GELU, Linear(H, n·H): encoder space → n tokens of the LLM's space."""

    def __init__(self, dimension: int, hidden_size: int, tokens: int = 1) -> None:
        super().__init__()
        self.first = nn.Linear(dimension, hidden_size)
        self.last = nn.Linear(hidden_size, tokens * hidden_size)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """[..., D] → [..., n·H]."""
        projected: torch.Tensor = self.last(self.hidden(vectors))
        return projected

    def hidden(self, vectors: torch.Tensor) -> torch.Tensor:
        """What the last layer is applied to: [..., D] → [..., H]."""
        return F.gelu(self.first(vectors))


class Instruction(nn.Module):
    """The trained instruction embedding I: u ~ U(0,1)^D through an MLP of its own.

    The released code divides by a constant, 7.0: about what ‖MLP(u)‖ is at the start for
    FlanT5-XXL. Here that norm is computed, so that I begins at the scale of a token embedding.
    """

    initial_norm: torch.Tensor

    def __init__(self, dimension: int, hidden_size: int) -> None:
        super().__init__()
        self.embedding = nn.Parameter(torch.rand(dimension))
        self.projector = Projector(dimension, hidden_size)
        with torch.no_grad():
            self.register_buffer("initial_norm", self.projector(self.embedding).norm())

    def forward(self) -> torch.Tensor:
        """[H]."""
        token: torch.Tensor = self.projector(self.embedding) / self.initial_norm
        return token


class Whitening(nn.Module):
    """h → (h − mean) Cov^(−1/2): vectors of mean 0 and of like variance in every direction.

    Known for sentence vectors from Su et al. (arXiv 2103.15316). Mean and covariance are taken
    once, and not trained.
    """

    mean: torch.Tensor
    matrix: torch.Tensor

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(dimension))
        self.register_buffer("matrix", torch.eye(dimension))

    def take(self, vectors: torch.Tensor) -> None:
        """Mean and covariance of [N, D]; with fewer than two vectors, all stays as it is.

        The covariance is shrunk towards its mean variance, as if D more vectors had shown that:
        with few vectors, most directions have not been seen.
        """
        n, dimension = vectors.shape
        if n < 2:
            return
        mean = vectors.mean(0, dtype=torch.float64)
        scatter = torch.zeros(dimension, dimension, dtype=torch.float64)
        for rows in vectors.split(ROWS_AT_ONCE):
            centred = rows.double() - mean
            scatter += centred.T @ centred
        variances, directions = torch.linalg.eigh(scatter / (n - 1))
        average = variances.mean().clamp(min=torch.finfo(torch.float32).tiny)
        unseen = dimension / (n - 1 + dimension)
        shrunk = (1 - unseen) * variances + unseen * average
        scales = shrunk.clamp(min=SMALLEST_VARIANCE * average).rsqrt()
        self.mean.copy_(mean)
        self.matrix.copy_(directions * scales @ directions.T)

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        """[..., D] → [..., D]."""
        return (vectors - self.mean) @ self.matrix


class Plug(nn.Module):
    """The trained parts of PPlug; those that a variant leaves out are None.

    Attributes:
        scale: mean norm of the LLM's input embeddings (the released code's constant 539.9738).
    """

    scale: torch.Tensor

    def __init__(
        self, config: PPlugConfig, dimension: int, hidden_size: int, scale: float,
        encoder: TrainableEncoder | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.instruction = Instruction(dimension, hidden_size) if config.instruction else None
        self.projector = Projector(dimension, hidden_size, config.n_tokens) if config.user else None
        self.encoder = encoder
        self.whitening = Whitening(dimension) if config.user and config.whiten else None
        self.register_buffer("scale", torch.tensor(scale))


class PPlug(PrefixMethod):
    """X = [I; P; Emb(x)], P = Σ_i w_i Proj(h_i), w = softmax_i(x·h_i / temperature) (§3.2–3.3).

    h_i = Enc_his(h_i) is frozen; x = Enc_in(query) starts from the same weights and is tuned. An
    empty history gives P = 0, and the prediction's note says so.
    """

    name = "pplug"
    Config: ClassVar[type[MethodConfig]] = PPlugConfig
    config: PPlugConfig

    @classmethod
    def is_personal(cls, config: MethodConfig) -> bool:
        if not isinstance(config, PPlugConfig):
            return False
        text, options = config.text_side()
        return config.user or text.is_personal(options)

    @property
    def needs_histories(self) -> bool:
        return self.config.user

    @property
    def learning_rates(self) -> dict[str, float]:
        rate = self.config.encoder_learning_rate
        return {} if rate is None else {"encoder": rate}

    @property
    def needs_ages(self) -> bool:
        return self.config.time_decay > 0

    @property
    def plug(self) -> Plug:
        """`module`, as what it is."""
        assert isinstance(self.module, Plug)  # noqa: S101  made by `build`
        return self.module

    def build(self) -> nn.Module:
        config, llm, encoder = self.config, self.runtime.llm, self.runtime.encoder
        tuned = config.user and config.attention and config.encoder_trainable
        return Plug(
            config,
            encoder.dimension,
            llm.hidden_size,
            llm.embedding_norm(),
            encoder.trainable_copy() if tuned else None,
        )

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        if self.plug.whitening is not None:
            vectors = self.histories.distinct(self.selected(train.examples))
            self.plug.whitening.take(torch.from_numpy(vectors))
        return super().fit(train, dev)

    def prefix(self, batch: Batch) -> torch.Tensor:
        parts = []
        if self.plug.instruction is not None:
            token = self.plug.instruction() * self.plug.scale
            parts.append(token.expand(len(batch.examples), 1, -1))
        if self.plug.projector is not None:
            parts.append(self.user_tokens(batch) if batch.tokens is None else batch.tokens)
        return torch.cat(parts, dim=1)

    @property
    def stored(self) -> Stored | None:
        if not self.config.user or self.config.history_top_k is not None:
            return None
        return Stored.HISTORY if self.config.attention else Stored.TOKENS

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """P: [B, n_tokens, H].

        Proj is applied to each behaviour, then summed (methods.md §2b): it is not linear.
        """
        projector = self.plug.projector
        assert projector is not None  # noqa: S101  asked only where `user` is true
        weights = self.weights(batch)
        # The sum over behaviours is taken before Proj's last, linear layer: the same sum, without
        # holding [B, N, n·H]. Its bias then counts Σ w times: 1, or 0 for an empty history.
        whitening = self.plug.whitening
        vectors = batch.vectors if whitening is None else whitening(batch.vectors)
        hidden = (weights.unsqueeze(-1) * projector.hidden(vectors)).sum(1)
        bias = weights.sum(1, keepdim=True) * projector.last.bias
        projected = F.linear(hidden, projector.last.weight) + bias
        return projected.unflatten(-1, (self.config.n_tokens, -1)) * self.plug.scale

    def weights(self, batch: Batch) -> torch.Tensor:
        """w: [B, N], each row summing to 1, or to 0 where the history is empty."""
        logits = batch.vectors.new_zeros(batch.mask.shape)
        if self.config.attention:
            x = self._inputs(batch)
            # In full precision under autocast too: cosines differ in their third digit.
            with torch.autocast(x.device.type, enabled=False):
                logits = torch.einsum("bd,bnd->bn", x, batch.vectors) / self.config.temperature
        if batch.ages is not None:
            logits = logits - self.config.time_decay * batch.ages
        logits = logits.masked_fill(~batch.mask, torch.finfo(logits.dtype).min)
        return torch.softmax(logits, dim=1) * batch.mask

    def cost(self) -> Cost:
        """With the mean, a user is the soft tokens; input-aware, the history matrix is needed."""
        config, runtime = self.config, self.runtime
        if not config.user:
            values = 0.0
        elif self.stored is Stored.TOKENS:
            values = float(config.n_tokens * runtime.llm.hidden_size)
        else:
            values = self.mean_history * (runtime.encoder.dimension + self.needs_ages)
        return replace(super().cost(), bytes_per_user=BYTES_PER_VALUE * values)

    def selected(self, examples: Sequence[Example]) -> list[Example]:
        chosen = super().selected(examples)
        if self.config.history_top_k is None:
            return chosen
        retriever = DenseRetriever(self.runtime.embeddings)
        asked = [replace(example, query=example.subject) for example in chosen]
        retriever.prepare(asked)
        k = self.config.history_top_k
        return [subset(example, set(retriever.rank(example)[:k])) for example in asked]

    def _inputs(self, batch: Batch) -> torch.Tensor:
        """x: [B, D]."""
        texts = [example.subject for example in batch.examples]
        if self.plug.encoder is not None:
            tuned: torch.Tensor = self.plug.encoder(texts)
            return tuned.to(batch.vectors)
        return self._frozen_inputs(texts).to(batch.vectors)

    def _frozen_inputs(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.from_numpy(self.runtime.embeddings.get(texts, side="query"))
