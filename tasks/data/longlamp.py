"""Converts the files of LongLaMP's authors into LaMP's layout.

The authors publish one folder per configuration, `<task>_user` and `<task>_temporal`, with the sets
train, val and test, each in one or more Parquet files (or one of JSON or JSON Lines). The Hub's own
conversion to Parquet has a folder for each set.
"""

import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError, StorageError
from tasks.common.files import sha256_of, write_json
from tasks.data.document import read_json
from tasks.data.layout import SetName, SplitName
from tasks.longlamp import ALL, LongLaMPTask
from tasks.templates.fields import is_missing, read_field

VERSION = 1
"""Increased whenever the same files are converted into other ones."""
PROVENANCE = "provenance.json"
SPLITS: dict[SplitName, str] = {"user": "user", "time": "temporal"}
SETS: dict[SetName, tuple[str, ...]] = {
    "train": ("train",), "dev": ("val", "validation", "dev"), "test": ("test",),
}  # fmt: skip
"""Name of a set here → its names in the authors' files and mirrors of them."""
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
    out = out.resolve()
    if out.exists():
        raise StorageError(
            "exists already", file=out, hint="Choose another folder as --out, or remove this one"
        )
    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        converted = [
            _convert_set(task(), split, set, files, part)
            for task in ALL
            for split, name in SPLITS.items()
            for set, files in _find_sets(folder / f"{task.folder}_{name}")
        ]
        if not converted:
            names = ", ".join(f"{task.folder}_{name}" for task in ALL for name in SPLITS.values())
            raise DataError(
                f"holds none of LongLaMP's configurations ({names})", file=folder, hint=WHERE
            )
        sets = [{**vars(found), "left_out": dict(found.left_out)} for found in converted]
        write_json(part / PROVENANCE, {"version": VERSION, "sets": sets})
        part.replace(out)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=out,
            hint="Choose a writable folder with free space as --out",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return converted


def _find_sets(folder: Path) -> Iterator[tuple[SetName, list[Path]]]:
    """The files of each set of a configuration. Raises DataError if train or dev is missing."""
    if not folder.is_dir():
        return
    for set, names in SETS.items():
        for name in names:
            single = [folder / f"{name}{ending}" for ending in (".parquet", ".json", ".jsonl")]
            parts = sorted([*folder.glob(f"{name}-*.parquet"), *folder.glob(f"{name}/*.parquet")])
            files = parts or [path for path in single if path.is_file()]
            if files:
                yield set, files[: len(files) if files[0].suffix == ".parquet" else 1]
                break
        else:
            if set != "test":
                raise DataError(f"has no {names[0]} set", file=folder, hint=WHERE)


def _convert_set(
    task: LongLaMPTask, split: SplitName, set: SetName, files: list[Path], root: Path
) -> Converted:
    """Write questions and outputs of one set, row by row: a set may be larger than memory."""
    try:
        sources = {path.name: sha256_of(path) for path in files}
    except OSError as error:
        raise DataError(
            f"can't be read ({error.strerror or error})",
            file=files[0],
            hint="Make the files of the set readable",
        ) from error
    done = Converted(task.name, split, set, sources)
    folder = root / split / task.folder / set
    folder.mkdir(parents=True)
    with ExitStack() as stack:
        questions, outputs = (
            stack.enter_context((folder / f"{set}_{kind}.json").open("w", encoding="utf-8"))
            for kind in ("questions", "outputs")
        )
        outputs.write(json.dumps({"task": task.official_name()})[:-1] + ', "golds": [')
        questions.write("[")
        for path, number, row in _read_rows(files):
            question, gold = _convert_row(task, row, done, path, number)
            id = {"id": f"{set}-{done.queries}"}
            joint = ",\n" if done.queries else ""
            questions.write(joint + json.dumps(id | question, ensure_ascii=False))
            outputs.write(joint + json.dumps(id | {"output": gold}, ensure_ascii=False))
            done.queries += 1
        questions.write("]\n")
        outputs.write("]}\n")
    if not done.queries:
        raise DataError("holds no rows", file=files[0], hint=WHERE)
    return done


def _convert_row(
    task: LongLaMPTask, row: Any, done: Converted, path: Path, number: int
) -> tuple[dict[str, Any], str]:
    """(question without its id, gold); raises DataError, which names the row."""
    if not isinstance(row, Mapping):
        raise DataError(f"row {number} is no object", file=path, hint=WHERE)
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


def _read_rows(files: list[Path]) -> Iterator[tuple[Path, int, Any]]:
    """(file, number of the row, counted from 1, row) of every row, in the files' order."""
    for path in files:
        read = {".parquet": _read_parquet, ".jsonl": _read_lines, ".json": _read_list}[path.suffix]
        for number, row in enumerate(read(path), 1):
            yield path, number, row


def _read_parquet(path: Path) -> Iterator[Any]:
    try:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        raise DataError(
            "can't be read without pyarrow", file=path, hint="Run `pip install pyarrow`"
        ) from error
    try:
        for batch in ParquetFile(path).iter_batches(batch_size=64):
            yield from batch.to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise DataError(f"can't be read as Parquet ({error})", file=path, hint=WHERE) from error


def _read_lines(path: Path) -> Iterator[Any]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:  # or not UTF-8
                raise DataError(
                    f"line {number} is not JSON ({error})", file=path, hint=WHERE
                ) from error


def _read_list(path: Path) -> Iterator[Any]:
    rows = read_json(path, official=False).value
    if not isinstance(rows, list):
        raise DataError("is not a list of rows", file=path, hint=WHERE)
    yield from rows
