"""Answers without an LLM: the interface they share."""
