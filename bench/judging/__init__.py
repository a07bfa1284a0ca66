"""Answers judged by an LLM, aspect by aspect of a rubric; nothing that a run stored changes."""

from bench.judging.build import build_judgements
from bench.judging.judge import Judge

__all__ = ["Judge", "build_judgements"]
