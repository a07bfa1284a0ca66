"""What is asked: tasks, their examples and files, official prompts and metrics. Imports no torch.

`task` and `example` are the interfaces; `definition` checks a task when it is loaded. A module next
to them that defines a `Task` with a `name` (as `lamp` does) is found by the registry. Everything
else lives in rooms: `data`, `templates`, `metrics`, `mini`, `sample` and `common`.
"""

from tasks.common.registry import Registry
from tasks.definition import check_definition
from tasks.example import Behavior, Dataset, Example, Prediction, Score
from tasks.task import Kind, Task, Tokenizer

TASKS: Registry[Task] = Registry("task", Task, "tasks", "bench.tasks", check_definition)

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
