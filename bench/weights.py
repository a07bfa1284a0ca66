"""What a method that weighs a history gave each item: stored beside the predictions, for reports.

<cell>/weights.jsonl    one line per example: its id, and its heaviest items with their weights

Not part of a result: no score or key depends on it, and cells of methods that weigh nothing, or of
versions that stored none, have no such file.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from bench import store
from bench.stored_files import require_digest
from methods import Method
from tasks import Example
from tasks.common.errors import StorageError
from tasks.common.files import write_text

WEIGHTS = "weights.jsonl"
HEAVIEST = 8
"""Items of an example that are stored."""


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)

    id: str
    weights: dict[str, float]


def weigh_history(method: Method, examples: Sequence[Example]) -> dict[str, dict[str, float]]:
    """Example id → the ids of its heaviest items with their weights; {} where nothing is weighed.

    Items of weight 0 are left out.
    """
    weighed = method.weigh_history(examples)
    if weighed is None:
        return {}
    return {
        example.id: {
            item: round(weight, 4)
            for item, weight in sorted(weights.items(), key=lambda pair: -pair[1])[:HEAVIEST]
            if weight > 0
        }
        for example, weights in zip(examples, weighed, strict=True)
    }


def write_weights(folder: Path, weights: Mapping[str, Mapping[str, float]]) -> None:
    """Write them to a cell's folder; nothing where there are none."""
    if weights:
        lines = (
            json.dumps({"id": id, "weights": of_id}, ensure_ascii=False)
            for id, of_id in weights.items()
        )
        write_text(folder / WEIGHTS, "".join(f"{line}\n" for line in lines))


def read_weights(folder: Path) -> dict[str, dict[str, float]]:
    """What `write_weights` wrote; {} where there is no such file.

    Raises StorageError where the file is damaged, or missing although the record vouches for it.
    """
    path = folder / WEIGHTS
    digest = store.read_record(folder).files.get(WEIGHTS) if store.is_done(folder) else None
    if digest is not None:
        require_digest(path, digest, store.RUN_AGAIN)
    if not path.is_file():
        return {}
    weights: dict[str, dict[str, float]] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found = _Line.model_validate_json(line)
        except ValidationError as error:
            raise StorageError(
                f"line {number} is damaged", file=path, hint=store.RUN_AGAIN
            ) from error
        weights[found.id] = found.weights
    return weights
