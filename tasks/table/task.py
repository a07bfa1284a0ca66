"""Makes the Task class of a declaration."""

from functools import lru_cache
from typing import ClassVar

from tasks.common.errors import DataError
from tasks.data.layout import SplitName
from tasks.definition import check_definition
from tasks.lamp import GENERATION_METRICS
from tasks.table.config import TableConfig
from tasks.table.data import TableData
from tasks.table.wording import write_instruction, write_item_template
from tasks.task import Kind
from tasks.templates.lamp_task import LaMPTask

METRICS = {
    Kind.CLASSIFICATION: ("accuracy", "f1"),
    Kind.ORDINAL: ("mae", "rmse"),
    Kind.GENERATION: GENERATION_METRICS,
}
MAX_NEW_TOKENS = {Kind.CLASSIFICATION: 32, Kind.ORDINAL: 10, Kind.GENERATION: 128}


class TableTask(LaMPTask):
    """A task that [tasks.NAME] of bench.toml declares; `data` holds what its file says.

    Its version is a hash of the declaration: whatever changes prompts or queries makes new cells.
    """

    data: ClassVar[TableData]
    response_field = "output"
    history_has_labels = True
    form_hint = "Give the task's instruction, a space and the text"


def make_task(name: str, config: TableConfig, split: SplitName) -> type[TableTask]:
    """The class of a declared task under a split; the same one until its file changes.

    Raises DataError: the file can't be read, or holds no row that the labels could come from.
    ConfigError: a metric doesn't fit the kind.
    """
    try:
        state = config.file.stat()
    except OSError:
        return _make(name, config, split, ())
    return _make(name, config, split, (state.st_mtime_ns, state.st_size, state.st_ino))


@lru_cache(maxsize=16)
def _make(
    name: str,
    config: TableConfig,
    split: SplitName,
    state: tuple[int, ...],  # noqa: ARG001
) -> type[TableTask]:
    data = TableData(name, config, split)
    if config.kind is not Kind.GENERATION and not config.labels:
        data.require_usable()
    labels = data.labels if config.kind is not Kind.GENERATION else ()
    if config.kind is not Kind.GENERATION and not labels:
        raise DataError(
            f"holds no train row of {name}, so its labels are unknown",
            file=config.file,
            hint=f'List them in [tasks.{name}]: labels = ["…"]',
        )
    instruction = write_instruction(config, labels)
    attributes = {
        "__doc__": config.about or f"Declared by {config.file.name}.",
        "__module__": __name__,
        "name": name,
        "version": int(config.digest, 16),
        "folder": name,
        "kind": config.kind,
        "labels": labels,
        "metrics": config.metrics or METRICS[config.kind],
        "words": config.words,
        "max_new_tokens": config.max_new_tokens or MAX_NEW_TOKENS[config.kind],
        "history_has_labels": config.kind is not Kind.GENERATION,
        "instruction": instruction,
        "lead": instruction,
        "marker": instruction,
        "item_template": write_item_template(config),
        "data": data,
    }
    task = type(f"TableTask[{name}]", (TableTask,), attributes)
    check_definition(task)
    return task
