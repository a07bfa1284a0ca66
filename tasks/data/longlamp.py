"""Converts the files of LongLaMP's authors into LaMP's layout.

The authors publish one folder per configuration, `<task>_user` and `<task>_temporal`, with the sets
train, val and test, each in one or more Parquet files (or one of JSON or JSON Lines). The Hub's own
conversion to Parquet has a folder for each set.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError
from tasks.common.files import write_json
from tasks.data.authors_files import (
    PROVENANCE,
    create_data_folder,
    digest_sources,
    find_sets,
    read_rows,
    write_set,
)
from tasks.data.layout import SetName, SplitName
from tasks.longlamp import ALL, LongLaMPTask
from tasks.templates.fields import is_missing, read_field

VERSION = 1
"""Increased whenever the same files are converted into other ones."""
SPLITS: dict[SplitName, str] = {"user": "user", "time": "temporal"}
RENAMED = {"input": "summary", "output": "content"}
"""What the authors' code calls the fields of a post; their files use either."""
DATE_FIELDS = ("date", "year")
WHERE = "Download it from the data set LongLaMP/LongLaMP on the Hugging Face Hub"


@dataclass
class Converted:
    """What became of one set: its source files, number of queries and what was left out."""

    task: str
    split: SplitName
    set: SetName
    sources: dict[str, str]
    queries: int = 0
    items: int = 0
    left_out: Counter[str] = field(default_factory=Counter)


def convert_longlamp(folder: Path, out: Path) -> list[Converted]:
    """Write every configuration found in `folder` to `out`, in LaMP's layout.

    A profile item without one of its task's fields is left out and counted. `out` gets a
    provenance.json with the hashes of the source files.

    Raises:
        DataError: no configuration is found, or a file or row is faulty.
        StorageError: `out` exists, or can't be written.
    """
    with create_data_folder(out) as part:
        converted = [
            _convert_set(task(), split, set, files, part)
            for task in ALL
            for split, name in SPLITS.items()
            for set, files in find_sets(folder / f"{task.folder}_{name}", WHERE)
        ]
        if not converted:
            names = ", ".join(f"{task.folder}_{name}" for task in ALL for name in SPLITS.values())
            raise DataError(
                f"holds none of LongLaMP's configurations ({names})", file=folder, hint=WHERE
            )
        sets = [{**vars(found), "left_out": dict(found.left_out)} for found in converted]
        write_json(part / PROVENANCE, {"version": VERSION, "sets": sets})
    return converted


def _convert_set(
    task: LongLaMPTask, split: SplitName, set: SetName, files: list[Path], root: Path
) -> Converted:
    done = Converted(task.name, split, set, digest_sources(files))

    def convert() -> Iterator[tuple[dict[str, Any], str]]:
        for path, number, row in read_rows(files, WHERE):
            yield _convert_row(task, row, done, path, number)

    done.queries = write_set(root / split / task.folder / set, set, task, convert())
    return done


def _convert_row(
    task: LongLaMPTask, row: Mapping[str, Any], done: Converted, path: Path, number: int
) -> tuple[dict[str, Any], str]:
    """(question without its id, gold); raises DataError, which names the row."""
    try:
        user = read_field(row, task.owner_field, numbers=True)
        input, gold = read_field(row, "input"), read_field(row, "output")
    except KeyError as error:
        what = f"row {number} has no {error.args[0]!r}"
        raise DataError(what, file=path, hint=WHERE) from error
    except TypeError as error:
        raise DataError(f"row {number}: {error}", file=path, hint=WHERE) from error
    try:
        task.query(input)
    except ValueError as error:
        raise DataError(f"row {number}: {error}", file=path, hint=WHERE) from error
    items = row.get("profile")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        raise DataError(f"row {number} has no list of items as `profile`", file=path, hint=WHERE)
    profile = [
        converted
        for place, item in enumerate(items)
        if (converted := _convert_item(task, item, place, done)) is not None
    ]
    done.items += len(profile)
    return {"user_id": user, "input": input, "profile": profile}, gold


def _convert_item(
    task: LongLaMPTask, item: Mapping[str, Any], place: int, done: Converted
) -> dict[str, str] | None:
    """A profile item whose fields are text; None, and counted, where one is missing."""
    names = {name: name for name in item} | {
        new: old for old, new in RENAMED.items() if old in item and new not in item
    }
    texts: dict[str, str] = {"id": str(place)}
    for name in ("id", *task.item_fields):
        value = item.get(names.get(name, name))
        if isinstance(value, list) and all(isinstance(line, str) for line in value):
            value = " ".join(value)  # a product's description may be a list of paragraphs
        if is_missing(value) or value == "":
            if name == "id":
                continue
            done.left_out[f"items without {name}"] += 1
            return None
        try:
            texts[name] = read_field({name: value}, name, numbers=True)
        except TypeError:
            done.left_out[f"items whose {name} is no text"] += 1
            return None
    for name in DATE_FIELDS:
        if not is_missing(item.get(name)):
            return {**texts, "date": read_field(item, name, numbers=True)}
    return texts
