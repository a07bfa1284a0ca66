"""Prompt embeddings as vLLM takes them, and the probe that a server does.

The format is documented for vLLM's `/v1/completions` with `--enable-prompt-embeds`: the key
`prompt_embeds` holds the base64 of `torch.save` of a tensor [tokens, hidden] on the CPU, which the
server reads with `torch.load(weights_only=True)` and casts to the model's dtype.
"""

import base64
import hashlib
import io
from collections.abc import Sequence

import torch

from methods.models.inputs import build_inputs
from methods.models.language_model import LanguageModel

PROBE = "What is the capital of France?"
PROBE_TOKENS = 8


def join(llm: LanguageModel, ids: Sequence[int], prefix: torch.Tensor | None) -> torch.Tensor:
    """What the LLM reads: soft tokens, then the embeddings of a prompt's T ids: [P + T, H].

    Args:
        llm: on local weights of the served model.
        prefix: [P, H]; None: none.
    """
    soft = torch.empty(0, llm.hidden_size) if prefix is None else prefix
    with torch.no_grad():
        inputs = build_inputs(llm.model, [ids], llm.tokens.pad, soft[None], left=True)
    return inputs["inputs_embeds"][0]


def encode(embeds: torch.Tensor) -> str:
    """A tensor [tokens, H] as the value of `prompt_embeds`.

    It is cloned, because `torch.save` writes the whole storage behind a slice.
    """
    buffer = io.BytesIO()
    torch.save(embeds.detach().clone().cpu().contiguous(), buffer)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def digest(embeds: torch.Tensor) -> str:
    """Content key of a tensor: shape, dtype and bytes."""
    own = embeds.detach().cpu().contiguous()
    about = f"{tuple(own.shape)} {own.dtype}".encode()
    return hashlib.sha256(about + own.view(torch.uint8).numpy().tobytes()).hexdigest()
