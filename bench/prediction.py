"""Predicting in chunks, each saved when it is complete: a killed cell loses at most one chunk."""

import warnings
from collections.abc import Sequence
from pathlib import Path

from bench import store
from methods import Method
from methods.core.runtime import Runtime
from methods.models.processes import ALONE, Processes
from tasks import Example, Prediction
from tasks.common.errors import StorageError

CHUNK = 256
"""Examples between two saves; fixed, so that a resumed cell forms the same batches."""


def predict_in_chunks(
    method: Method, examples: Sequence[Example], runtime: Runtime, processes: Processes = ALONE
) -> list[Prediction]:
    """Predictions for all examples, reading the chunks that an earlier run saved in `scratch`.

    Args:
        processes: that answer parts of each chunk; only the main one returns predictions.

    Raises TypeError where the method doesn't return one prediction per example, in order.
    """
    predictions: list[Prediction] = []
    for start in range(0, len(examples), CHUNK):
        # Again for each chunk: what a method computes meanwhile may be phases of their own.
        runtime.progress.start("predict", len(examples), start)
        chunk = examples[start : start + CHUNK]
        path = runtime.scratch / f"predictions-{start}.jsonl"
        answers = _read_saved(path, chunk) if processes.is_main else None
        if not processes.share(answers is not None):
            answers = _predict(method, chunk, processes)
            if processes.is_main:
                store.write_chunk(path, answers)
        predictions += answers or []
    runtime.progress.start("predict", len(examples), len(examples))
    return predictions


def _predict(method: Method, examples: Sequence[Example], processes: Processes) -> list[Prediction]:
    """Predictions for `examples`, of which each process answers those of other users."""
    users = {user: place for place, user in enumerate(dict.fromkeys(e.user_id for e in examples))}
    own = [e for e in examples if users[e.user_id] % processes.number == processes.rank]
    answers = method.predict(own) if own else []
    _require_one_each(method, own, answers)
    found = {answer.id: answer for part in processes.gather(answers) for answer in part}
    return [found[example.id] for example in examples]


def _read_saved(path: Path, chunk: Sequence[Example]) -> list[Prediction] | None:
    """A chunk's saved predictions; None where there are none, or where they are damaged."""
    if not path.is_file():
        return None
    try:
        saved = store.read_chunk(path)
    except StorageError as error:
        warnings.warn(f"{error} Its examples are predicted again.", stacklevel=2)
        return None
    if [answer.id for answer in saved] != [example.id for example in chunk]:
        warnings.warn(
            f"{path}: answers other examples. Its examples are predicted again.", stacklevel=2
        )
        return None
    return saved


def _require_one_each(
    method: Method, examples: Sequence[Example], answers: Sequence[Prediction]
) -> None:
    wanted, given = [example.id for example in examples], [answer.id for answer in answers]
    if wanted != given:
        raise TypeError(
            f"{method.name}.predict must return one prediction per example, in order: "
            f"expected {len(wanted)} ids, got {len(given)}"
        )
