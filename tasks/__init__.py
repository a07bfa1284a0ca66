"""What is asked: examples, LaMP adapters, loading, prompts, metrics. Imports no torch."""

from tasks.common.registry import Registry
from tasks.example import Behavior, Dataset, Example, Prediction, Score
from tasks.task import Kind, Task, Tokenizer

TASKS: Registry[Task] = Registry("task", Task, "tasks", "bench.tasks")

__all__ = [
    "TASKS",
    "Behavior",
    "Dataset",
    "Example",
    "Kind",
    "Prediction",
    "Registry",
    "Score",
    "Task",
    "Tokenizer",
]  # fmt: skip
