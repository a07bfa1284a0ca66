"""Tables of a few rows, and their declarations."""

from tasks.table.config import TableConfig
from tasks.table.data import TableData

HEADER = "id,user,when,text,label"


def declare(path, **keys):
    """A classification of `text` into `label`, unless keys say otherwise."""
    given = {
        "kind": "classification",
        "input": "text",
        "output": "label",
        "time": "when",
        "id": "id",
    }
    return TableConfig(file=path, **given | keys)


def write_rows(path, *rows, header=HEADER):
    """A CSV of these lines."""
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def make_data(path, split="time", **keys):
    return TableData("mine", declare(path, **keys), split)


def histories(data, set):
    """Query id → ids of its history, oldest first."""
    return {q.row.id: [row.id for row in q.history] for q in data.splits.queries[set]}
