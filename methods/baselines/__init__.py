"""What baselines without an LLM share."""
