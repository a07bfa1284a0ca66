"""Helpers shared by the tests of tasks/."""

import json
from pathlib import Path
from typing import Any

from tasks.lamp import LaMP3

REAL = Path(__file__).parents[2].parent / "shared" / "data" / "lamp3-real"


class Words:
    """A tokenizer that splits at spaces."""

    def count(self, text: str) -> int:
        return len(text.split())

    def truncate(self, text: str, tokens: int) -> str:
        return " ".join(text.split()[: max(tokens, 0)])


def write_set(
    folder: Path, questions: Any, golds: Any = None, *, set: str = "dev", task: str = "LaMP_3"
) -> Path:
    """Write the files of a set as given; golds may be {id: output}."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{set}_questions.json").write_text(json.dumps(questions), encoding="utf-8")
    if isinstance(golds, dict):
        golds = {"task": task, "golds": [{"id": i, "output": o} for i, o in golds.items()]}
    if golds is not None:
        (folder / f"{set}_outputs.json").write_text(json.dumps(golds), encoding="utf-8")
    return folder


def review(id: Any, text: str = "Fine.", profile: Any = (), **more: Any) -> dict[str, Any]:
    """A LaMP-3 question."""
    return {
        "id": id,
        "input": f"{LaMP3.instruction} {text}",
        "profile": list(profile) if isinstance(profile, tuple) else profile,
        **more,
    }
