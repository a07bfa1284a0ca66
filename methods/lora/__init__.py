"""Low-rank adapters, many over one frozen LLM: layers, training, storage."""
