"""Content keys of configured models, known before anything is loaded. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from methods.models.config import EncoderConfig, LLMConfig
from methods.models.loading import source_identity
from methods.models.served.tokens import tokenizer_identity
from tasks.common.files import content_key
from tasks.task import Task


def identity_of(
    config: LLMConfig, *, task: Task, train_fingerprint: str, seed: int, cache: Path
) -> str:
    """Content key of everything in `config` that changes the LLM's answers, 16 hex digits.

    It covers weights, tokenizer, configured dtype, quantization, chat template and decoding; for an
    LLM made or adapted here, also the train data; for an adapted one, also the task and the seed.
    Device, device map and batch size are excluded: they change answers only by rounding, which a
    cell records.

    Args:
        task, train_fingerprint, seed: of the cell; used only if the LLM depends on them.
        cache: the folder that stores file digests.

    Raises:
        ModelError: the model's folder, package or revision is wrong.
    """
    weights = weights_key(
        config, task=task, train_fingerprint=train_fingerprint, seed=seed, cache=cache
    )
    return identity_from(weights, config)


def named_model_identities(
    models: Sequence[LLMConfig | EncoderConfig], *, task: Task, cache: Path
) -> list[str]:
    """Content keys of the models in a method's options, which are never made or adapted here.

    Raises ModelError where a model doesn't exist.
    """
    if not models:
        return []
    from methods.models.encoder import identity_of as encoder_identity

    return [
        identity_of(model, task=task, train_fingerprint="", seed=0, cache=cache)
        if isinstance(model, LLMConfig)
        else encoder_identity(model, cache=cache)
        for model in models
    ]


def identity_from(weights: str, config: LLMConfig) -> str:
    """The key that `identity_of` returns, from a known `weights_key`."""
    return content_key(
        {**_likelihood_parts(weights, config), "decoding": config.decoding.key_options()}
    )


def likelihood_key(weights: str, config: LLMConfig) -> str:
    """Content key of everything that changes an LLM's likelihoods, so without decoding.

    An adapter trained by likelihood depends on nothing else of the LLM.
    """
    return content_key(_likelihood_parts(weights, config))


def _likelihood_parts(weights: str, config: LLMConfig) -> dict[str, Any]:
    quantize = {} if config.quantize == "none" else {"quantize": config.quantize}
    return {
        "weights": weights,
        "dtype": config.dtype,
        "chat_template": config.chat_template,
        **config.template_parts,
        **quantize,
    }


def weights_key(
    config: LLMConfig, *, task: Task, train_fingerprint: str, seed: int, cache: Path
) -> str:
    """Content key of the weights and tokenizer after any adaptation, 16 hex digits."""
    base = base_key(config, train_fingerprint=train_fingerprint, cache=cache)
    if config.adapt == "none":
        return base
    return content_key(
        {
            "base": base,
            "adapt": config.adapt,
            "training": config.adaptation.key_options(),
            "lora": config.lora.model_dump() if config.adapt == "lora" else None,
            "dtype": config.dtype if config.adapt == "lora" else None,
            "chat_template": config.chat_template,
            **config.template_parts,
            "task": [task.name, task.version],
            "train": train_fingerprint,
            "seed": seed,
        }
    )


def base_key(config: LLMConfig, *, train_fingerprint: str, cache: Path) -> str:
    """Content key of the weights and tokenizer before adaptation, 16 hex digits."""
    if config.endpoint is not None:
        return _served_key(config, cache)
    if config.scratch is not None:
        return content_key({"scratch": config.scratch.model_dump(), "train": train_fingerprint})
    return content_key(source_identity(config.name, config.revision, cache))


def _served_key(config: LLMConfig, cache: Path) -> str:
    """Content key of a served LLM: its name, and what is known of it here; never its endpoint."""
    served = config.served_options
    tokenizer = served.tokenizer and tokenizer_identity(served.tokenizer, config.revision)
    weights = served.weights and source_identity(served.weights, config.revision, cache)
    return content_key(
        {
            "served": config.model,
            "tokenizer": tokenizer,
            "weights": weights,
            "template": "server" if tokenizer is None and weights is None else "own",
            "extra": served.extra,
        }
    )
