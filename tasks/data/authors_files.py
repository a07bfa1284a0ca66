"""Files of data sets that their authors publish on the Hugging Face Hub, and what is made of them.

A set lies in one or more Parquet files, or one of JSON or JSON Lines, named after the set; in the
Hub's own conversion to Parquet, it has a folder of its own.
"""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError, StorageError
from tasks.common.files import sha256_of
from tasks.data.document import read_json
from tasks.data.layout import SetName
from tasks.task import Task

PROVENANCE = "provenance.json"
SETS: dict[SetName, tuple[str, ...]] = {
    "train": ("train",), "dev": ("val", "validation", "dev"), "test": ("test",),
}  # fmt: skip
"""Name of a set here → its names in authors' files and mirrors of them."""


def find_sets(folder: Path, where: str) -> Iterator[tuple[SetName, list[Path]]]:
    """The files of each set of a configuration's folder; none where there is no such folder.

    Args:
        where: the hint of errors: where the files are found.

    Raises DataError if train or dev is missing.
    """
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
                raise DataError(f"has no {names[0]} set", file=folder, hint=where)


def read_rows(files: Sequence[Path], where: str) -> Iterator[tuple[Path, int, Mapping[str, Any]]]:
    """(file, number of the row, counted from 1, row) of every row, in the files' order.

    Raises DataError for a file that can't be read, a row that is no object, and no row at all.
    """
    read = {".parquet": _read_parquet, ".jsonl": _read_lines, ".json": _read_list}
    found = False
    for path in files:
        for number, row in enumerate(read[path.suffix](path, where), 1):
            if not isinstance(row, Mapping):
                raise DataError(f"row {number} is no object", file=path, hint=where)
            found = True
            yield path, number, row
    if not found:
        raise DataError("holds no rows", file=files[0], hint=where)


def digest_sources(files: Iterable[Path]) -> dict[str, str]:
    """File name → SHA-256. Raises DataError for a file that can't be read."""
    digests = {}
    for path in files:
        try:
            digests[path.name] = sha256_of(path)
        except OSError as error:
            raise DataError(
                f"can't be read ({error.strerror or error})",
                file=path,
                hint="Make the files of the set readable",
            ) from error
    return digests


@contextmanager
def create_data_folder(out: Path) -> Iterator[Path]:
    """A temporary folder that becomes `out` when the block ends without an exception.

    Raises StorageError if `out` exists, or can't be written.
    """
    out = out.resolve()
    if out.exists():
        raise StorageError(
            "exists already", file=out, hint="Choose another folder as --out, or remove this one"
        )
    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        yield part
        part.replace(out)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=out,
            hint="Choose a writable folder with free space as --out",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_set(
    folder: Path, set: SetName, task: Task, rows: Iterable[tuple[dict[str, Any], str]]
) -> int:
    """Write questions and outputs of a set in LaMP's layout; returns how many.

    Row by row: a set may be larger than memory.

    Args:
        rows: (question, gold); a question without `id` is given one.
    """
    folder.mkdir(parents=True)
    written = 0
    with ExitStack() as stack:
        questions, outputs = (
            stack.enter_context((folder / f"{set}_{kind}.json").open("w", encoding="utf-8"))
            for kind in ("questions", "outputs")
        )
        outputs.write(json.dumps({"task": task.official_name()})[:-1] + ', "golds": [')
        questions.write("[")
        for question, gold in rows:
            id = {"id": f"{set}-{written}"} | {k: v for k, v in question.items() if k == "id"}
            joint = ",\n" if written else ""
            questions.write(joint + json.dumps(id | question, ensure_ascii=False))
            outputs.write(joint + json.dumps(id | {"output": gold}, ensure_ascii=False))
            written += 1
        questions.write("]\n")
        outputs.write("]}\n")
    return written


def _read_parquet(path: Path, where: str) -> Iterator[Any]:
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
        raise DataError(f"can't be read as Parquet ({error})", file=path, hint=where) from error


def _read_lines(path: Path, where: str) -> Iterator[Any]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield json.loads(line)
            except ValueError as error:  # or not UTF-8
                raise DataError(
                    f"line {number} is not JSON ({error})", file=path, hint=where
                ) from error


def _read_list(path: Path, where: str) -> Iterator[Any]:
    rows = read_json(path, official=False).value
    if not isinstance(rows, list):
        raise DataError("is not a list of rows", file=path, hint=where)
    yield from rows
