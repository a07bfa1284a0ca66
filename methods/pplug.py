"""PPlug: a user's whole history as one soft token before a frozen LLM (arXiv 2409.11901v2)."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Literal

import torch
from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)
from torch import nn

from methods.core.method import Cost
from methods.models.config import IN_KEY_IF_CHANGED
from methods.models.trainable_encoder import TrainableEncoder
from methods.prefix.attention import (
    Recency,
    RecencyTerms,
    Temperature,
    check_distinct,
    find_largest,
    keep_top,
    softmax_over,
)
from methods.prefix.config import PrefixConfig
from methods.prefix.histories import Batch, subset
from methods.prefix.method import BATCH, BYTES_PER_VALUE, PrefixMethod
from methods.prefix.plug import Plug
from methods.prefix.projector import Projector
from methods.prefix.user_state import Stored
from methods.prefix.whitening import Whitening
from methods.retrieval.dense import DenseRetriever
from tasks.example import Example

View = Literal["whole", "near", "recent"]
Views = Annotated[tuple[View, ...], Field(min_length=1), AfterValidator(check_distinct)]


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
        learn_temperature: train the temperature, from `temperature` on.
        top_p: weigh only the behaviours with the largest weights that sum to at least this; 1: all.
        history_top_k: only the k behaviours nearest to the input by the frozen encoder (Table 4).
        n_tokens: soft tokens of the user, of each view; the paper has one.
        whiten: Proj reads whitened history vectors, see `Whitening`; the paper doesn't whiten.
            Sentence vectors of one task mostly point in one direction, and topics explain most of
            the remaining variance. Differences in taste are small compared with both, so gradient
            descent finds them late or never.
        time_decay: subtracts time_decay·age from a behaviour's logit, where age is the share of
            the history that is newer (by date; undated behaviours by file order). The paper: 0.
        recency: learned terms that are subtracted from the logits, see `Recency`: "order", "time"
            or both. The paper: none.
        attention_learning_rate: of the learned temperature and recency, which are single numbers;
            None: the same as for all other parts.
        views: what the user's tokens are made of, in this order. "whole": the history by attention,
            as in the paper; "near": of it the `view_size` behaviours most similar to the query, by
            attention among them; "recent": the mean of the `view_size` newest ones. Each has an
            own last layer of Proj.
        view_size: behaviours of "near" and "recent".
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
    learn_temperature: Annotated[bool, IN_KEY_IF_CHANGED] = False
    top_p: Annotated[float, Field(gt=0, le=1), IN_KEY_IF_CHANGED] = 1.0
    recency: Annotated[RecencyTerms, IN_KEY_IF_CHANGED] = ()
    attention_learning_rate: Annotated[PositiveFloat | None, IN_KEY_IF_CHANGED] = None
    views: Annotated[Views, IN_KEY_IF_CHANGED] = ("whole",)
    view_size: Annotated[PositiveInt, IN_KEY_IF_CHANGED] = 4

    @model_validator(mode="after")
    def _something(self) -> "PPlugConfig":
        if not (self.user or self.instruction):
            raise ValueError("`user` and `instruction` are both false: no soft token is left")
        return self

    @model_validator(mode="after")
    def _each_option_has_an_effect(self) -> "PPlugConfig":
        weighs = self.attention or self.time_decay > 0 or self.recency
        learned = self.learn_temperature or self.recency
        for name, wrong, why in (
            ("learn_temperature", self.learn_temperature and not self.attention, "no attention"),
            ("views", "near" in self.views and not self.attention, "no attention"),
            ("top_p", self.top_p < 1 and not weighs, "without attention all weights are equal"),
            (
                "attention_learning_rate",
                self.attention_learning_rate is not None and not learned,
                "neither temperature nor recency is learned",
            ),
        ):
            if wrong:
                raise ValueError(f"{name} = {getattr(self, name)!r}, but {why}")
        return self

    @property
    def token_count(self) -> int:
        """Soft tokens of the user, of all views."""
        return len(self.views) * self.n_tokens


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

    With V views, P has as many parts, each with own weights and an own last layer of Proj.

    h_i = Enc_his(h_i) is frozen; x = Enc_in(query) starts from the same weights and is trained.
    Parts that a variant leaves out are None. B examples, N behaviours, D encoder, H LLM, V views.

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
        tokens = config.token_count
        self.projector = Projector(dimension, hidden_size, tokens) if config.user else None
        self.encoder = encoder
        learned = config.user and config.learn_temperature
        self.temperature = Temperature(config.temperature) if learned else None
        self.recency = Recency(config.recency) if config.user and config.recency else None
        self.whitening = Whitening(dimension) if config.user and config.whiten else None
        self.register_buffer("scale", torch.tensor(scale))

    def forward(self, batch: Batch) -> torch.Tensor:
        """[I; P]: [B, 1 + V·n_tokens, H]; without the part that the variant leaves out."""
        parts = []
        if self.instruction is not None:
            token = self.instruction() * self.scale
            parts.append(token.expand(len(batch.examples), 1, -1))
        if self.config.user:
            parts.append(self.user_tokens(batch) if batch.tokens is None else batch.tokens)
        return torch.cat(parts, dim=1)

    def user_tokens(self, batch: Batch) -> torch.Tensor:
        """P: [B, V·n_tokens, H]; zero for an empty history.

        Proj is applied to each behaviour and the results are summed (methods.md §2b), which is not
        the same as projecting the sum: Proj is not linear.
        """
        assert self.projector is not None  # noqa: S101  called only if `user` is true
        vectors = batch.vectors if self.whitening is None else self.whitening(batch.vectors)
        projected = self.projector.weighted_sum(vectors, self.weights(batch))
        return projected.unflatten(-1, (self.config.token_count, -1)) * self.scale

    def weights(self, batch: Batch) -> torch.Tensor:
        """w of each view: [B, V, N]; each row sums to 1, or to 0 for an empty history."""
        similarity = self.similarity(batch)
        views = (self.view(view, similarity, batch) for view in self.config.views)
        return torch.stack(tuple(views), dim=1)

    def view(self, view: View, similarity: torch.Tensor, batch: Batch) -> torch.Tensor:
        """w of one view: [B, N]; `similarity`: [B, N]."""
        size = self.config.view_size
        if view == "near":
            return softmax_over(similarity, find_largest(similarity, batch.mask, size))
        if view == "recent":
            assert batch.ages is not None  # noqa: S101  see PPlug.needs_ages
            newest = find_largest(-batch.ages, batch.mask, size).to(similarity)
            return newest / newest.sum(1, keepdim=True).clamp(min=1)
        logits = similarity
        if batch.ages is not None:
            logits = logits - self.config.time_decay * batch.ages
        if self.recency is not None:
            logits = logits - self.recency(batch)
        weights = softmax_over(logits, batch.mask)
        return keep_top(weights, self.config.top_p) if self.config.top_p < 1 else weights

    def similarity(self, batch: Batch) -> torch.Tensor:
        """x·h_i / temperature: [B, N]; 0 without attention."""
        if not self.config.attention:
            return batch.vectors.new_zeros(batch.mask.shape)
        x = self.inputs(batch)
        # In full precision under autocast too: cosines differ in their third digit.
        with torch.autocast(x.device.type, enabled=False):
            cosines = torch.einsum("bd,bnd->bn", x, batch.vectors)
            if self.temperature is not None:
                return self.temperature(cosines)
            return cosines / self.config.temperature

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
        config = self.config
        recent = "order" in config.recency or "recent" in config.views
        return config.user and (config.time_decay > 0 or recent)

    @property
    def needs_elapsed(self) -> bool:
        return self.config.user and "time" in self.config.recency

    @property
    def learning_rates(self) -> dict[str, float]:
        config = self.config
        rates = {
            "encoder": config.encoder_learning_rate,
            "temperature": config.attention_learning_rate,
            "recency": config.attention_learning_rate,
        }
        return {part: rate for part, rate in rates.items() if rate is not None}

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

    @property
    def stored(self) -> Stored | None:
        if not self.config.user or self.config.history_top_k is not None:
            return None
        return Stored.HISTORY if self.config.attention else Stored.TOKENS

    def weigh_history(self, examples: Sequence[Example]) -> list[dict[str, float]] | None:
        """The attention weights w (§3.2), which sum to 1 over an example's encoded history.

        With several views, their mean.
        """
        if not (self.config.user and self.config.attention):
            return None
        assert isinstance(self.plug, PPlugModule)  # noqa: S101  see build
        self.plug.eval()
        used = self._prepare(examples)
        weighed: list[dict[str, float]] = []
        with torch.no_grad():
            for start in range(0, len(used), BATCH):
                chunk = used[start : start + BATCH]
                rows = self.plug.weights(self._batch(chunk)).mean(1).tolist()
                for example, row in zip(chunk, rows, strict=True):
                    items = (behavior.id for behavior in example.history)
                    weighed.append(dict(zip(items, row, strict=False)))  # row is padded
        return weighed

    def cost(self) -> Cost:
        """A user of the mean variant is the soft tokens; of the input-aware one, the history."""
        config, runtime = self.config, self.runtime
        if not config.user:
            values = 0.0
        elif self.stored is Stored.TOKENS:
            values = float(config.token_count * runtime.training_llm.hidden_size)
        else:
            times = self.needs_ages + self.needs_elapsed
            values = self.mean_history * (runtime.encoder.dimension + times)
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
