"""PPlug: a user's whole history as one soft token before a frozen LLM (arXiv 2409.11901v2)."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import nn

from methods.core.method import Cost
from methods.models.report import FitReport
from methods.models.trainable_encoder import TrainableEncoder
from methods.prefix.histories import Batch, subset
from methods.prefix.method import BATCH, BYTES_PER_VALUE, PrefixConfig, PrefixMethod
from methods.prefix.plug import Plug
from methods.prefix.projector import Projector
from methods.prefix.user_state import Stored
from methods.prefix.whitening import Whitening
from methods.retrieval.dense import DenseRetriever
from tasks.example import Dataset, Example


class PPlugConfig(PrefixConfig):
    """PPlug's switches; the defaults are the paper's full method.

    Attributes:
        attention: weigh the history by softmax(x·h); False: the mean ("w/o IA", Table 8).
        instruction: put the trained instruction embedding first; False: "w/o IE" (Table 8).
        user: put the user's embedding; False: instruction only, the control without any user.
        encoder_trainable: tune the input encoder; False: it stays equal to the history encoder.
        encoder_learning_rate: of the input encoder; None: the same as for all other parts, as in
            the paper. A pretrained encoder tolerates only lower rates than newly initialised parts.
        temperature: of the softmax; the paper has none (1).
        history_top_k: only the k behaviours nearest to the input by the frozen encoder (Table 4).
        n_tokens: soft tokens of the user; the paper has one.
        whiten: Proj reads whitened history vectors, see `Whitening`; the paper doesn't whiten.
            Sentence vectors of one task mostly point in one direction, and topics explain most of
            the remaining variance. Differences in taste are small compared with both, so gradient
            descent finds them late or never.
        time_decay: subtracts time_decay·age from a behaviour's logit, where age is the share of
            the history that is newer (by date; undated behaviours by file order). The paper: 0.
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


class Instruction(nn.Module):
    """The trained instruction embedding I: u ~ U(0,1)^D through an MLP of its own.

    The released code divides by a constant, 7.0, which is about the initial ‖MLP(u)‖ for
    FlanT5-XXL. Here that norm is computed, so that I starts at the scale of a token embedding.
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


class PPlugModule(Plug):
    """X' = [I; P] with P = Σ_i w_i Proj(h_i), w = softmax_i(x·h_i / temperature) (§3.2–3.3).

    h_i = Enc_his(h_i) is frozen; x = Enc_in(query) starts from the same weights and is trained.
    Parts that a variant leaves out are None. B examples, N behaviours, D encoder, H LLM.

    Attributes:
        scale: mean norm of the LLM's token embeddings (a constant, 539.9738, in the released code).
    """

    scale: torch.Tensor

    def __init__(
        self, config: PPlugConfig, dimension: int, hidden_size: int, scale: float,
        encoder: TrainableEncoder | None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.config = config
        self.instruction = Instruction(dimension, hidden_size) if config.instruction else None
        self.projector = Projector(dimension, hidden_size, config.n_tokens) if config.user else None
        self.encoder = encoder
        self.whitening = Whitening(dimension) if config.user and config.whiten else None
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, batch: Batch) -> torch.Tensor:
        """[I; P]: [B, 1 + n_tokens, H]; without the part that the variant leaves out."""
        parts = []
        if self.instruction is not None:
            token = self.instruction() * self.scale
            parts.append(token.expand(len(batch.examples), 1, -1))
        if self.config.user:
            parts.append(self.user_tokens(batch) if batch.tokens is None else batch.tokens)
        return torch.cat(parts, dim=1)

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """P: [B, n_tokens, H]; zero for an empty history.

        Proj is applied to each behaviour and the results are summed (methods.md §2b), which is not
        the same as projecting the sum: Proj is not linear.
        """
        assert self.projector is not None  # noqa: S101  called only if `user` is true
        vectors = batch.vectors if self.whitening is None else self.whitening(batch.vectors)
        projected = self.projector.weighted_sum(vectors, self.weights(batch))
        return projected.unflatten(-1, (self.config.n_tokens, -1)) * self.scale

    def weights(self, batch: Batch) -> torch.Tensor:
        """w: [B, N]; each row sums to 1, or to 0 for an empty history."""
        logits = batch.vectors.new_zeros(batch.mask.shape)
        if self.config.attention:
            x = self.inputs(batch)
            # In full precision under autocast too: cosines differ in their third digit.
            with torch.autocast(x.device.type, enabled=False):
                logits = torch.einsum("bd,bnd->bn", x, batch.vectors) / self.config.temperature
        if batch.ages is not None:
            logits = logits - self.config.time_decay * batch.ages
        logits = logits.masked_fill(~batch.mask, torch.finfo(logits.dtype).min)
        return torch.softmax(logits, dim=1) * batch.mask

    def inputs(self, batch: Batch) -> torch.Tensor:
        """x: [B, D], by the trained input encoder or, if it is not trained, the frozen one."""
        if self.encoder is None:
            assert batch.queries is not None  # noqa: S101  see PPlug.needs_queries
            return batch.queries
        encoded: torch.Tensor = self.encoder([example.subject for example in batch.examples])
        return encoded.to(batch.vectors)


class PPlug(PrefixMethod[PPlugConfig]):
    """X = [I; P; Emb(x)]: instruction and user embedding before the prompt's embeddings (§3.3).

    An empty history gives P = 0, and the prediction's note says so.
    """

    name = "pplug"

    @classmethod
    def is_personal(cls, config: PPlugConfig) -> bool:
        text, options = config.text_side()
        return config.user or text.is_personal(options)

    @property
    def needs_histories(self) -> bool:
        return self.config.user

    @property
    def needs_queries(self) -> bool:
        config = self.config
        return config.user and config.attention and not config.encoder_trainable

    @property
    def needs_ages(self) -> bool:
        return self.config.time_decay > 0

    @property
    def learning_rates(self) -> dict[str, float]:
        rate = self.config.encoder_learning_rate
        return {} if rate is None else {"encoder": rate}

    def build(self) -> PPlugModule:
        config, llm, encoder = self.config, self.runtime.training_llm, self.runtime.encoder
        tuned = config.user and config.attention and config.encoder_trainable
        return PPlugModule(
            config,
            encoder.dimension,
            llm.hidden_size,
            llm.embedding_norm(),
            encoder.trainable_copy() if tuned else None,
        )

    def fit(self, train: Dataset, dev: Dataset | None) -> FitReport:
        if isinstance(self.plug, PPlugModule) and self.plug.whitening is not None:
            vectors = self.histories.distinct(self.select_history(train.examples))
            self.plug.whitening.estimate(torch.from_numpy(vectors))
        return super().fit(train, dev)

    @property
    def stored(self) -> Stored | None:
        if not self.config.user or self.config.history_top_k is not None:
            return None
        return Stored.HISTORY if self.config.attention else Stored.TOKENS

    def weigh_history(self, examples: Sequence[Example]) -> list[dict[str, float]] | None:
        """The attention weights w (§3.2), which sum to 1 over an example's encoded history."""
        if not (self.config.user and self.config.attention):
            return None
        assert isinstance(self.plug, PPlugModule)  # noqa: S101  see build
        self.plug.eval()
        used = self._prepare(examples)
        weighed: list[dict[str, float]] = []
        with torch.no_grad():
            for start in range(0, len(used), BATCH):
                chunk = used[start : start + BATCH]
                for example, row in zip(
                    chunk, self.plug.weights(self._batch(chunk)).tolist(), strict=True
                ):
                    items = (behavior.id for behavior in example.history)
                    weighed.append(dict(zip(items, row, strict=False)))  # row is padded
        return weighed

    def cost(self) -> Cost:
        """A user of the mean variant is the soft tokens; of the input-aware one, the history."""
        config, runtime = self.config, self.runtime
        if not config.user:
            values = 0.0
        elif self.stored is Stored.TOKENS:
            values = float(config.n_tokens * runtime.training_llm.hidden_size)
        else:
            values = self.mean_history * (runtime.encoder.dimension + self.needs_ages)
        return replace(super().cost(), bytes_per_user=BYTES_PER_VALUE * values)

    def select_history(self, examples: Sequence[Example]) -> list[Example]:
        chosen = super().select_history(examples)
        if self.config.history_top_k is None:
            return chosen
        retriever = DenseRetriever(self.runtime.embeddings)
        asked = [replace(example, query=example.subject) for example in chosen]
        retriever.prepare(asked)
        k = self.config.history_top_k
        return [subset(example, set(retriever.rank(example)[:k])) for example in asked]
