"""Tiny random models, written as Hugging Face folders at test time."""

from bench.conformance.tiny_models import tiny_encoder, tiny_llama, tiny_t5

__all__ = ["tiny_encoder", "tiny_llama", "tiny_t5"]
