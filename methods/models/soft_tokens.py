"""Whether an LLM takes soft tokens, and at which scale: measured on a few tokens, not looked up.

An architecture may scale the embeddings of ids behind its embedding layer (Pegasus, Marian,
Falcon-H1), read ids a second time elsewhere (Gemma 3n), or generate from ids alone (Falcon-H1).
"""

from typing import Any

import torch

from methods.models.finite import not_finite
from methods.models.inputs import build_inputs
from tasks.common.errors import ModelError

PROBE = "What is the answer?"
"""The prompt to measure with."""
_HINT = "Use an LLM of another family, or methods that write prompts"
_TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3}
_COARSE = 5e-2  # of half precision, relative like the others
_ROWS = 1 << 14  # of the vocabulary, embedded at once


@torch.no_grad()
def measure_scale(model: Any, ids: list[int], name: str) -> float:
    """The factor by which `model` multiplies the embeddings of ids but not embeddings given to it.

    Args:
        ids: of `PROBE`, as the LLM reads it.
        name: of the LLM, for messages.

    Raises:
        ModelError: no factor makes a prompt's embeddings act as its ids, or the LLM can't generate
            from embeddings.
    """
    device = model.get_input_embeddings().weight.device
    with torch.autocast(device.type, enabled=False):
        try:
            scale = _find_scale(model, ids)
            by_ids = _first_logits(model, _inputs(model, ids, None))
            soft = _inputs(model, ids, scale)
            by_embeddings = _first_logits(model, soft)
        except Exception as error:
            raise _refused(f"reads no embeddings ({_summarize(error)})", name) from error
        if not torch.isfinite(by_ids).all():
            raise not_finite(name, [PROBE], None)
        if not _agree(by_ids, by_embeddings):
            raise _refused("answers otherwise to embeddings than to the ids they are of", name)
        try:
            found = model.generate(
                **soft, max_new_tokens=2, output_logits=True, return_dict_in_generate=True
            )
        except Exception as error:
            raise _refused(f"can't generate from embeddings ({_summarize(error)})", name) from error
        if not _agree(by_embeddings, found.logits[0][:1]):
            raise _refused("doesn't generate from the embeddings given to it", name)
    return scale


@torch.no_grad()
def mean_norm(model: Any, scale: float) -> float:
    """Mean L2 norm of what the embedding layer returns for the vocabulary, times `scale`."""
    embedding = model.get_input_embeddings()
    rows = torch.arange(embedding.weight.shape[0], device=embedding.weight.device)
    norms = []
    for part in rows.split(_ROWS):
        vectors = embedding(part)
        exact = vectors.to(torch.promote_types(vectors.dtype, torch.float32))
        norms.append(exact.norm(dim=1))
    return float(torch.cat(norms).mean().item() * scale)


def _find_scale(model: Any, ids: list[int]) -> float:
    """Compares what the first layer reads for ids, for their embeddings and for zeros.

    Positions and biases are in all three, so the first two differ from the third by the embeddings
    alone, times a factor each: the scale is the quotient, by least squares.
    """
    found = _first_input(model, _inputs(model, ids, None), None)
    if found is None:
        return 1.0
    place, by_ids = found
    given = _inputs(model, ids, 1.0)
    zeros = given | {"inputs_embeds": torch.zeros_like(given["inputs_embeds"])}
    with_given, with_zeros = (_first_input(model, inputs, place) for inputs in (given, zeros))
    if with_given is None or with_zeros is None:
        return 1.0
    given_read, zero_read = with_given[1], with_zeros[1]
    first, second = by_ids - zero_read, given_read - zero_read
    square = (second * second).sum()
    if first.shape != second.shape or not square > 0:
        return 1.0
    scale = ((first * second).sum() / square).item()
    width = _width(model)
    # What was read is rounded to the model's own precision.
    near = 1e-3 if given["inputs_embeds"].dtype in _TOLERANCE else 2e-2
    for exact in (1.0, width**0.5, width**-0.5):
        if abs(scale - exact) <= near * exact:
            return exact
    return scale


def _width(model: Any) -> int:
    """Size of an input embedding."""
    return int(model.get_input_embeddings().weight.shape[1])


class _Reached(Exception):  # noqa: N818  (ends a forward pass, is no error)
    pass


def _first_input(
    model: Any, inputs: dict[str, torch.Tensor], place: str | None
) -> tuple[str, torch.Tensor] | None:
    """Name of the first module that reads vectors of the prompt, or of `place`, and what it reads.

    Returns:
        The module's name and its input [1, T, H] in at least float32; None if there is none.
    """
    shape = (1, inputs["attention_mask"].shape[1], _width(model))
    found: list[tuple[str, torch.Tensor]] = []

    def look(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for value in (*args, *kwargs.values()):
            is_tensor = isinstance(value, torch.Tensor)
            if is_tensor and value.is_floating_point() and value.shape == shape:
                wide = torch.promote_types(value.dtype, torch.float32)
                found.append((name, value.to(wide)))
                raise _Reached

    hooks = [
        module.register_forward_pre_hook(
            lambda _module, args, kwargs, name=name: look(name, args, kwargs), with_kwargs=True
        )
        for name, module in model.named_modules()
        if place in (None, name)
    ]
    try:
        _first_logits(model, inputs)
    except _Reached:
        pass
    finally:
        for hook in hooks:
            hook.remove()
    return found[0] if found else None


def _inputs(model: Any, ids: list[int], scale: float | None) -> dict[str, torch.Tensor]:
    """One prompt as ids or, with `scale`, as embeddings."""
    if scale is None:
        return build_inputs(model, [ids], 0, None)
    weight = model.get_input_embeddings().weight
    none = weight.new_zeros(1, 0, _width(model))
    return build_inputs(model, [ids], 0, none, scale=scale)


def _first_logits(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """Logits of the first token of an answer: [1, V]."""
    starts = {}
    if model.config.is_encoder_decoder:
        settings = model.generation_config
        start = settings.decoder_start_token_id
        start = settings.bos_token_id if start is None else start
        device = inputs["attention_mask"].device
        starts["decoder_input_ids"] = torch.tensor([[start]], device=device)
    logits: torch.Tensor = model(**inputs, **starts, use_cache=False).logits[:, -1]
    return logits


def _agree(first: torch.Tensor, second: torch.Tensor) -> bool:
    tolerance = _TOLERANCE.get(first.dtype, _COARSE)
    first, second = first.double(), second.to(first.device).double()
    return bool((first - second).abs().max() <= tolerance * (first.max() - first.min()))


def _refused(why: str, name: str) -> ModelError:
    return ModelError(f"takes no soft tokens: it {why}", file=name, hint=_HINT)


def _summarize(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
