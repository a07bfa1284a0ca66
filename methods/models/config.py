"""Options of LLMs, encoders and training runs in bench.toml. Imports no torch."""

from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from methods.models.access import Access

DialectName = Literal["generic", "vllm", "llamacpp", "transformers", "sglang"]
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
DType = Literal["auto", "float32", "bfloat16", "float16"]


NOT_IN_KEY = "not in key"
"""Annotates a field that decides how a result is computed, never which: it stays out of keys."""
IN_KEY_IF_CHANGED = "in key if changed"
"""Annotates a field whose default gives the results of versions without it: only another value is
in keys, so that those versions' results and trained parts stay valid."""


class FrozenConfig(BaseModel):
    """Options that are frozen once parsed, and reject a key they don't know.

    A bool is `true` or `false`: pydantic would take "yes", "off" and 1 for one too.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _check_bool(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name or ""].annotation
        if annotation is bool and not isinstance(value, bool):
            raise PydanticCustomError("bool_type", "should be a boolean: true or false")
        return value

    def key_options(self) -> dict[str, Any]:
        """The options that results depend on, as JSON.

        All but the fields marked NOT_IN_KEY, and those marked IN_KEY_IF_CHANGED at their defaults.
        """
        return {
            name: _as_json(getattr(self, name), dumped)
            for name, dumped in self.model_dump(mode="json").items()
            if self._is_in_key(name)
        }

    def _is_in_key(self, name: str) -> bool:
        field = type(self).model_fields[name]
        if IN_KEY_IF_CHANGED in field.metadata:
            default = field.get_default(call_default_factory=True, validated_data={})
            return bool(getattr(self, name) != default)
        return NOT_IN_KEY not in field.metadata


def _as_json(value: Any, dumped: Any) -> Any:
    return value.key_options() if isinstance(value, FrozenConfig) else dumped


class TrainingConfig(FrozenConfig):
    """Optimizer and schedule of one training run: AdamW, linear decay with warm-up.

    Attributes:
        learning_rate, weight_decay: of AdamW.
        warmup_share: share of all steps.
        max_grad_norm: gradients are clipped to this norm.
        batch_size: examples per optimizer step.
        micro_batch_size: examples per forward pass, accumulated to `batch_size`; None: the whole
            batch. Under dropout it decides which masks are drawn, so it is part of every key.
        epochs: passes over the train set.
        max_steps: ends training earlier; None: no limit.
        bf16: compute in bfloat16 (autocast); trained weights stay float32.
        gradient_checkpointing: recompute the LLM's activations in the backward pass, to save
            memory.
        early_stop_patience: number of evaluations without a better dev loss after which training
            ends and the best weights are restored; None: train to the end.
        evaluations: points of the loss curve; with a dev set, each also has a dev loss.
        checkpoint_minutes: time between checkpoints.
    """

    learning_rate: PositiveFloat = 1e-4
    weight_decay: float = Field(1e-4, ge=0)
    warmup_share: float = Field(0.05, ge=0, lt=1)
    max_grad_norm: PositiveFloat = 1.0
    batch_size: PositiveInt = 64
    micro_batch_size: PositiveInt | None = None
    epochs: PositiveInt = 2
    max_steps: PositiveInt | None = None
    bf16: bool = False
    gradient_checkpointing: Annotated[bool, NOT_IN_KEY] = False
    early_stop_patience: PositiveInt | None = None
    evaluations: PositiveInt = 10
    checkpoint_minutes: Annotated[PositiveFloat, NOT_IN_KEY] = 10.0

    @property
    def forward_size(self) -> int:
        """Examples per forward pass, at most."""
        return min(self.micro_batch_size or self.batch_size, self.batch_size)

    def key_options(self) -> dict[str, Any]:
        """As for every config; `evaluations` matters only with early stopping."""
        options = super().key_options() | {"micro_batch_size": self.forward_size}
        if self.early_stop_patience is None:
            del options["evaluations"]
        return options


class AdaptationConfig(TrainingConfig):
    """How the shared LLM is tuned on the train set; inputs are cut to `max_input_tokens`."""

    max_input_tokens: PositiveInt = 512


class LoraConfig(FrozenConfig):
    """A LoRA, as peft defines it.

    Attributes:
        rank, alpha, dropout: the update is scaled by alpha / rank.
        targets: ends of the adapted modules' names; None: peft's default for the architecture.
    """

    rank: PositiveInt = 8
    alpha: PositiveInt = 32
    dropout: float = Field(0.1, ge=0, lt=1)
    targets: tuple[str, ...] | None = None


class ScratchT5(FrozenConfig):
    """A T5 with random weights and a tokenizer trained on the task's train texts.

    Attributes:
        layers, decoder_layers: of the encoder and of the decoder.
        vocab_size: upper bound; a small corpus gives fewer tokens.
        seed: of the random weights.
    """

    d_model: PositiveInt = 128
    d_ff: PositiveInt = 256
    layers: PositiveInt = 3
    decoder_layers: PositiveInt = 2
    heads: PositiveInt = 4
    vocab_size: PositiveInt = 4096
    dropout: float = Field(0.1, ge=0, lt=1)
    seed: int = 0


class Decoding(FrozenConfig):
    """How answers are found; the same for every method of a table (law 2).

    Attributes:
        num_beams: of a beam search without sampling; 1 is greedy.
        max_new_tokens: replaces the task's own budget; None: the task's.
        rule: "beam-search" generates an answer; "likelihood" answers a query of a task with labels
            by the label that is likeliest after the prompt, end of sequence included. What isn't an
            answer to a query (summaries) is generated under either.
    """

    num_beams: PositiveInt = 4
    max_new_tokens: PositiveInt | None = None
    rule: Literal["beam-search", "likelihood"] = "beam-search"

    @property
    def rule_part(self) -> dict[str, Any]:
        """The rule, where it isn't the default: keys and records without it stay as they are."""
        return {} if self.rule == "beam-search" else {"rule": self.rule}

    def key_options(self) -> dict[str, Any]:
        """As for every config; the rule only where it isn't the default."""
        options = super().key_options()
        del options["rule"]
        return options | self.rule_part


class ServedConfig(FrozenConfig):
    """How to use an LLM behind an OpenAI-compatible endpoint (docs/served_llms.md).

    Attributes:
        dialect: the kind of server.
        tokenizer: the model's own tokenizer, as a folder, "package:…" or a hub name with
            `revision`: prompts are then cut, counted and put into the template here. None: the
            chat endpoint applies the server's template, and tokens are estimated.
        weights: the same model's weights, named likewise, on which soft tokens are trained. They
            bring the tokenizer too.
        prompt_embeds: the server takes prompt embeddings (vLLM's --enable-prompt-embeds).
        api_key_env: name of the environment variable that holds the API key.
        concurrency: requests in flight, at most.
        timeout: seconds of one attempt.
        give_up_after: seconds of one request with all its attempts.
        max_requests, max_tokens_total: of all answers kept for this LLM, over all runs that share
            the cache; a cell that needs more fails, and what is answered stays.
        allow_http: send prompts unencrypted to another machine.
        extra: further keys of every request's body.
    """

    dialect: Annotated[DialectName, NOT_IN_KEY] = "generic"
    tokenizer: str | None = None
    weights: str | None = None
    prompt_embeds: Annotated[bool, NOT_IN_KEY] = False
    api_key_env: Annotated[str | None, NOT_IN_KEY] = None
    concurrency: Annotated[PositiveInt, NOT_IN_KEY] = 4
    timeout: Annotated[PositiveFloat, NOT_IN_KEY] = 120.0
    give_up_after: Annotated[PositiveFloat, NOT_IN_KEY] = 600.0
    max_requests: Annotated[PositiveInt | None, NOT_IN_KEY] = None
    max_tokens_total: Annotated[PositiveInt | None, NOT_IN_KEY] = None
    allow_http: Annotated[bool, NOT_IN_KEY] = False
    extra: dict[str, Any] = {}

    @model_validator(mode="after")
    def _check_embeds(self) -> Self:
        if self.prompt_embeds and (self.weights is None or self.dialect != "vllm"):
            raise ValueError(
                "prompt_embeds needs `weights`, the same model's, to train soft tokens on, and "
                'dialect = "vllm", whose format is sent'
            )
        return self


class LLMConfig(FrozenConfig):
    """One frozen LLM.

    Attributes:
        model: a local folder or GGUF file, "package:module/path" for weights inside an installed
            Python package, or a hub name; with `endpoint`, the server's name of the model.
        revision: of a hub name: the commit (40 hex digits), or a tag, a branch or None (the default
            branch), whose commit is looked up once.
        scratch: options of a small T5 with random weights, in place of `model`.
        endpoint: URL of an OpenAI-compatible server, up to and including "/v1"; None: the model
            runs here.
        served: how to use the endpoint.
        adapt: tune the shared LLM on the train set, without any profile, before methods use it:
            "none", "lora" (merged afterwards) or "full"; once per task and seed.
        adaptation, lora: options of that tuning.
        dtype: "auto" is bfloat16 on a GPU that supports it, else float32.
        quantize: "int8", "nf4" and "fp4" keep the linear layers' weights in 8 or 4 bits, by
            bitsandbytes (extra `quantized`), and soft tokens and LoRA can be trained through them;
            "int8-dynamic" runs them in int8 on CPUs: faster, and nothing can be trained.
        device: "auto" uses a GPU if there is one.
        device_map: accelerate's placement of a model too large for one device, e.g. "auto".
        batch_size: examples per forward pass; "auto" starts at 64 and halves when memory runs out.
        chat_template: wrap prompts in the tokenizer's chat template (decoder-only models).
        chat_template_options: variables that the template reads, such as `enable_thinking`.
        system_prompt: the system's message of the chat template.
        reasoning: "cut" drops what stands before `</think>` from an answer under a chat template,
            and leaves an empty answer where reasoning doesn't end; "keep" keeps everything.
        decoding: how answers are found.
    """

    model: str | None = None
    revision: str | None = None
    scratch: ScratchT5 | None = None
    endpoint: Annotated[str | None, NOT_IN_KEY] = None
    served: ServedConfig | None = None
    adapt: Literal["none", "lora", "full"] = "none"
    adaptation: AdaptationConfig = AdaptationConfig()
    lora: LoraConfig = LoraConfig()
    dtype: DType = "auto"
    quantize: Literal["none", "int8-dynamic", "int8", "nf4", "fp4"] = "none"
    device: str = "auto"
    device_map: str | None = None
    batch_size: PositiveInt | Literal["auto"] = "auto"
    chat_template: bool = False
    chat_template_options: dict[str, bool | int | float | str] = {}
    system_prompt: str | None = None
    reasoning: Literal["cut", "keep"] = "cut"
    decoding: Decoding = Decoding()

    @property
    def name(self) -> str:
        """The LLM's name in tables and messages."""
        return self.model or "scratch"

    @property
    def access(self) -> Access:
        """How much of the LLM methods can use."""
        if self.endpoint is None:
            return Access.WEIGHTS
        return Access.EMBEDDINGS if self.served_options.prompt_embeds else Access.TEXT

    @property
    def served_options(self) -> ServedConfig:
        """`served`, or its defaults."""
        return self.served or ServedConfig()

    @model_validator(mode="before")
    @classmethod
    def _serve_greedily(cls, raw: Any) -> Any:
        """Servers have no beam search, so a served LLM's default is greedy."""
        if not isinstance(raw, dict) or raw.get("endpoint") is None:
            return raw
        decoding = raw.get("decoding", {})
        return {**raw, "decoding": {"num_beams": 1, **decoding}} if type(decoding) is dict else raw

    @model_validator(mode="after")
    def _check_source(self) -> Self:
        if (self.model is None) == (self.scratch is None):
            raise ValueError("give either `model` or `scratch`")
        if self.quantize == "int8-dynamic" and self.dtype not in {"auto", "float32"}:
            raise ValueError(f'quantize = "{self.quantize}" needs dtype = "float32"')
        return self

    @model_validator(mode="after")
    def _check_template(self) -> Self:
        if not self.chat_template and self.template_parts:
            raise ValueError(f"{', '.join(self.template_parts)}: only with chat_template = true")
        return self

    @property
    def template_parts(self) -> dict[str, Any]:
        """The options that change how the chat template is used, those at their default left out.

        They stand in keys only where set, so that an LLM without them keeps its key.
        """
        names = ("chat_template_options", "system_prompt", "reasoning")
        return {
            name: getattr(self, name)
            for name in names
            if getattr(self, name) != type(self).model_fields[name].default
        }

    @model_validator(mode="after")
    def _check_served(self) -> Self:
        if self.endpoint is None:
            if self.served is not None:
                raise ValueError("`served` needs an `endpoint`")
            return self
        _check_endpoint(self.endpoint, allow_http=self.served_options.allow_http)
        if self.model is None or self.adapt != "none":
            raise ValueError("a served LLM is named by `model`, and can't be made or adapted here")
        if self.decoding.num_beams != 1:
            raise ValueError("servers have no beam search: set decoding.num_beams = 1")
        if self.decoding.rule == "likelihood":
            raise ValueError(
                "a served LLM gives no likelihoods of labels: leave out decoding.rule, or name the "
                "model without `endpoint`, to run it here"
            )
        return self


def _check_endpoint(endpoint: str, *, allow_http: bool) -> None:
    """Raise ValueError for a URL that is none, holds a password, or sends prompts in the clear."""
    try:
        url = urlsplit(endpoint)
        _ = url.port
    except ValueError as error:
        raise ValueError(f"`endpoint` is not a URL ({error})") from error
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("`endpoint` is not a URL such as http://127.0.0.1:8000/v1")
    if url.username or url.password or url.query or url.fragment:
        raise ValueError(
            "`endpoint` holds more than a host and a path: put a key into the environment variable "
            "that `served.api_key_env` names"
        )
    if url.scheme == "http" and url.hostname not in LOOPBACK and not allow_http:
        raise ValueError(
            "`endpoint` sends prompts, and with them users' texts, unencrypted to another machine: "
            "use https, or set served.allow_http = true"
        )


class EncoderConfig(FrozenConfig):
    """One frozen sentence encoder.

    Attributes:
        model: a local folder, a hub name, or "package:module/subfolder" for weights inside an
            installed Python package.
        revision: as in `LLMConfig`.
        pooling: "auto" uses the model's own sentence-transformers modules (mean pooling if it has
            none).
        normalize: unit length, so that dot products are cosines; None: as the model's modules do.
        query_prefix, document_prefix: inserted before each text of that side, verbatim.
        max_length: of a text in tokens, limited by the model's own; longer texts are cut.
    """

    model: str
    revision: str | None = None
    pooling: Literal["auto", "mean", "cls"] = "auto"
    normalize: bool | None = None
    query_prefix: str = ""
    document_prefix: str = ""
    max_length: PositiveInt = 512
    dtype: DType = "float32"
    device: str = "auto"
    batch_size: PositiveInt = 64
