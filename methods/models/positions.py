"""Whether prompt and answer fit the positions that a model was made for."""

from typing import Any

from tasks.common.errors import ModelError


def check_positions(model: Any, read: int, new: int, name: str) -> None:
    """Raise ModelError unless `read` tokens of a prompt and `new` ones of its answer fit.

    A model without a fixed number of positions takes any number of them.

    Args:
        name: of the LLM, for messages.
    """
    if not model.config.is_encoder_decoder:
        _check("prompt and answer need", read + new, _limit(model, ""), name)
        return
    _check("the prompt needs", read, _limit(model, "encoder"), name)
    # The decoder reads its start token and all but the last token of the answer.
    _check("the answer needs", new, _limit(model, "decoder"), name)


def _limit(model: Any, side: str) -> int | None:
    both: int | None = getattr(model.config, "max_position_embeddings", None)
    return getattr(model.config, f"max_{side}_position_embeddings", both)


def _check(what: str, needed: int, limit: int | None, name: str) -> None:
    if limit is not None and needed > limit:
        raise ModelError(
            f"{what} {needed} positions, the model has {limit}",
            file=name,
            hint="Lower max_input_tokens or max_new_tokens",
        )
