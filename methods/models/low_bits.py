"""LLMs whose weights are quantized to 4 or 8 bits as they are loaded, by bitsandbytes.

Sources: NF4 with double quantization is QLoRA's (arXiv 2305.14314, §3); int8 is LLM.int8()'s
row-wise scheme (arXiv 2208.07339, §3.1), without its treatment of outliers: which columns hold
outliers depends on the whole batch, and a row's answer may not.
"""

import importlib.util
import logging
from typing import Any

import torch

from tasks.common.errors import ConfigError, ModelError

OPTIONS: dict[str, dict[str, Any]] = {
    "int8": {"load_in_8bit": True, "llm_int8_threshold": 0.0},
    "nf4": {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_use_double_quant": True},
    "fp4": {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"},
}
"""`quantize` -> arguments of transformers' BitsAndBytesConfig."""
PACKAGE = "bitsandbytes"
DEVICES = frozenset({"cpu", "cuda"})


def make_config(
    quantize: str, *, dtype: torch.dtype, device: torch.device, kept: str | None, name: str
) -> Any:
    """What transformers needs to quantize linear layers as it loads them; None for other values.

    The embeddings and the output layer stay as they are.

    Args:
        quantize: as in `LLMConfig`.
        dtype: of everything else, and of products with 4-bit weights.
        kept: how the stored weights are quantized already.
        name: of the LLM, for messages.

    Raises:
        ConfigError: bitsandbytes is missing, or has no kernels for the device.
        ModelError: the stored weights are quantized already.
    """
    if quantize not in OPTIONS:
        return None
    if kept is not None:
        raise ModelError(
            f"its weights are quantized already ({kept})",
            file=name,
            hint='Set quantize = "none", or name weights that aren\'t quantized',
        )
    if importlib.util.find_spec(PACKAGE) is None:
        raise ConfigError(
            f'quantize = "{quantize}" needs {PACKAGE}, which is not installed',
            file=name,
            hint="Run: pip install 'pplug-bench[quantized]'. Or set quantize = \"none\"",
        )
    if device.type not in DEVICES:
        raise ConfigError(
            f'quantize = "{quantize}" needs a CUDA GPU or a CPU, not {device}',
            file=name,
            hint='Set device = "cpu", or quantize = "none"',
        )
    from transformers import BitsAndBytesConfig

    # One line a layer and pass, on inputs that it rounds to float16 before it rounds them to int8.
    logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    options = OPTIONS[quantize]
    compute = {"bnb_4bit_compute_dtype": dtype} if "load_in_4bit" in options else {}
    return BitsAndBytesConfig(**options, **compute)
