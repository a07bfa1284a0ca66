"""Count what PPlug trains and stores next to FlanT5-XXL and BGE-base (the paper's setting).

The models are built from their configurations on torch's meta device: shapes without storage, so
that this runs in seconds on a laptop.

    python docs/examples/parameter_counts.py
"""

import sys

import torch
from transformers import BertConfig, BertModel, T5Config, T5ForConditionalGeneration

from methods.pplug import PPlugConfig, PPlugModule
from methods.prefix.method import BYTES_PER_VALUE

HISTORY = {
    "LaMP-1": 84, "LaMP-2": 87, "LaMP-3": 185, "LaMP-4": 205, "LaMP-5": 88, "LaMP-6": 56,
    "LaMP-7": 16,
}  # fmt: skip
"""Mean behaviors of a user in the time split (arXiv 2409.11901, data statistics)."""

FLAN_T5_XXL = T5Config(
    d_model=4096, d_ff=10240, d_kv=64, num_heads=64, num_layers=24, num_decoder_layers=24,
    vocab_size=32128, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
)  # fmt: skip
BGE_BASE = BertConfig(vocab_size=30522)


def count_parameters() -> dict[str, int]:
    """Parameters of the frozen LLM and of each trained part."""
    with torch.device("meta"):
        llm = T5ForConditionalGeneration(FLAN_T5_XXL)
        # FlanT5 has an output layer of its own; transformers ties that of a newly built model.
        llm.lm_head.weight = torch.nn.Parameter(torch.empty_like(llm.lm_head.weight))
        encoder = BertModel(BGE_BASE)
        plug = PPlugModule(PPlugConfig(), BGE_BASE.hidden_size, FLAN_T5_XXL.d_model, 1.0, encoder)
    parts = {
        "frozen LLM": llm,
        "input encoder": plug.encoder,
        "projector": plug.projector,
        "instruction": plug.instruction,
    }
    return {
        name: sum(weight.numel() for weight in part.parameters()) for name, part in parts.items()
    }


def compute_bytes_per_user() -> dict[str, int]:
    """What is stored of a mean user: the history matrix for input-aware aggregation, by task.

    "mean": the one soft token that the variant without attention needs.
    """
    sizes = {
        task: items * BGE_BASE.hidden_size * BYTES_PER_VALUE for task, items in HISTORY.items()
    }
    return sizes | {"mean": FLAN_T5_XXL.d_model * BYTES_PER_VALUE}


def main() -> None:
    """Print both."""
    found = count_parameters()
    trained = sum(count for name, count in found.items() if name != "frozen LLM")
    lines = [f"{name:<16}{count:>16,} parameters" for name, count in found.items()]
    lines.append(f"{'trained in all':<16}{trained:>16,} parameters")
    lines += [
        f"{'mean variant' if name == 'mean' else name:<16}{size / 1024:>12,.1f} KiB per user"
        for name, size in compute_bytes_per_user().items()
    ]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
