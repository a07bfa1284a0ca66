"""Converts the files of LaMP-QA's authors into LaMP's layout.

The authors publish three configurations, each with the sets train, validation and test. A question
and its profile become a question of LaMP's layout; narrative and rubric become its gold.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks.common.errors import DataError
from tasks.common.files import write_json
from tasks.common.rubric import Rubric
from tasks.data.authors_files import (
    PROVENANCE,
    create_data_folder,
    digest_sources,
    find_sets,
    read_rows,
    write_set,
)
from tasks.data.layout import SetName
from tasks.lamp_qa import ALL, LaMPQATask
from tasks.templates.fields import read_field

VERSION = 1
"""Increased whenever the same files are converted into other ones."""
WHERE = "Download it from the data set alireza7/LaMP-QA on the Hugging Face Hub"


@dataclass
class Converted:
    """What became of one set.

    Attributes:
        task, set: which one it is.
        sources: file name → SHA-256.
        queries, items, aspects: questions, posts in their profiles, aspects of their rubrics.
        noticed: what → how often: rows or items that differ from what the paper describes.
    """

    task: str
    set: SetName
    sources: dict[str, str]
    queries: int = 0
    items: int = 0
    aspects: int = 0
    noticed: Counter[str] = field(default_factory=Counter)


def convert_lamp_qa(folder: Path, out: Path) -> list[Converted]:
    """Write every configuration found in `folder` to `out`, in LaMP's layout.

    Posts without text are left out, and counted. So is, in the profile, the post that asks the
    question itself: its text would give the narrative away. `out` gets a provenance.json with the
    hashes of the source files.

    Raises:
        DataError: no configuration is found, or a file or row is faulty.
        StorageError: `out` exists, or can't be written.
    """
    with create_data_folder(out) as part:
        converted = [
            _convert_set(task(), set, files, part)
            for task in ALL
            for set, files in find_sets(folder / task.folder, WHERE)
        ]
        if not converted:
            names = ", ".join(task.folder for task in ALL)
            raise DataError(
                f"holds none of LaMP-QA's configurations ({names})", file=folder, hint=WHERE
            )
        sets = [{**vars(found), "noticed": dict(found.noticed)} for found in converted]
        write_json(part / PROVENANCE, {"version": VERSION, "sets": sets})
    return converted


def _convert_set(task: LaMPQATask, set: SetName, files: list[Path], root: Path) -> Converted:
    done = Converted(task.name, set, digest_sources(files))

    def convert() -> Iterator[tuple[dict[str, Any], str]]:
        for path, number, row in read_rows(files, WHERE):
            try:
                yield _convert_row(task, row, done)
            except KeyError as error:
                what = f"row {number} has no {error.args[0]!r}"
                raise DataError(what, file=path, hint=WHERE) from error
            except (TypeError, ValueError) as error:
                raise DataError(f"row {number}: {error}", file=path, hint=WHERE) from error

    done.queries = write_set(root / "user" / task.folder / set, set, task, convert())
    return done


def _convert_row(
    task: LaMPQATask, row: Mapping[str, Any], done: Converted
) -> tuple[dict[str, Any], str]:
    """(question, gold). Raises KeyError, TypeError or ValueError for a faulty row."""
    id = read_field(row, "id", numbers=True)
    question = read_field(row, "question").strip()
    if not question:
        raise ValueError("the question is empty")
    rubric = Rubric.read(row)
    done.aspects += len(rubric.aspects)
    narrative = _fold(rubric.narrative)
    if any(_fold(aspect.evidence) not in narrative for aspect in rubric.aspects):
        done.noticed["questions with evidence that is not in the narrative word for word"] += 1
    posts = row.get("profile")
    if not isinstance(posts, list) or not all(isinstance(post, Mapping) for post in posts):
        raise TypeError("`profile` is no list of posts")
    profile = []
    for place, post in enumerate(posts):
        text = read_field(post, "text")
        if not text.strip():
            done.noticed["posts without text left out"] += 1
        elif narrative and narrative in _fold(text):
            done.noticed["posts that hold the question's own narrative left out"] += 1
        else:
            own = read_field({"id": place} | {k: v for k, v in post.items() if v is not None}, "id",
                             numbers=True)  # fmt: skip
            profile.append({"id": own, "text": text})
    done.items += len(profile)
    input = f"{task.instruction} {question}"
    return {"id": id, "input": input, "profile": profile}, rubric.dump()


def _fold(text: str) -> str:
    """The text in lower case, its white space one blank each."""
    return " ".join(text.casefold().split())
