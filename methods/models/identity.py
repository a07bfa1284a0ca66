"""What a configured LLM is, known before any of it is loaded. Imports no torch."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from methods.models.config import EncoderConfig, LLMConfig
from methods.models.loading import source_identity
from tasks.common.files import content_key
from tasks.task import Task


def identity_of(
    config: LLMConfig, *, task: Task, train_fingerprint: str, seed: int, cache: Path
) -> str:
    """Content key of everything in `config` that changes the LLM's answers, 16 hex digits.

    Weights, tokenizer, dtype as configured, chat template and decoding; for an LLM made or adapted
    here, also the train data, and for an adapted one the task and the seed. Device, device map and
    batch size stay out: they change no answer (but for rounding, which a cell records).

    Args:
        task, train_fingerprint, seed: of the cell; they count only where the LLM depends on them.
        cache: the folder where file digests are remembered.

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
    """Content keys of models that a method's options name: neither made nor tuned for a suite.

    Raises ModelError where one isn't there.
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
    """`identity_of` an LLM whose `weights_key` is known."""
    return content_key({**_read_by(weights, config), "decoding": config.decoding.model_dump()})


def likelihood_key(weights: str, config: LLMConfig) -> str:
    """Content key of all that changes how likely an LLM finds a text: no decoding.

    What is trained by likelihood alone depends on no more of the LLM.
    """
    return content_key(_read_by(weights, config))


def _read_by(weights: str, config: LLMConfig) -> dict[str, Any]:
    return {"weights": weights, "dtype": config.dtype, "chat_template": config.chat_template}


def weights_key(
    config: LLMConfig, *, task: Task, train_fingerprint: str, seed: int, cache: Path
) -> str:
    """Content key of the weights and tokenizer that `config` ends up with, 16 hex digits."""
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
            "task": [task.name, task.version],
            "train": train_fingerprint,
            "seed": seed,
        }
    )


def base_key(config: LLMConfig, *, train_fingerprint: str, cache: Path) -> str:
    """Content key of the weights and tokenizer before adaptation, 16 hex digits."""
    if config.scratch is not None:
        return content_key({"scratch": config.scratch.model_dump(), "train": train_fingerprint})
    return content_key(source_identity(config.name, config.revision, cache))
