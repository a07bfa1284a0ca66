"""Writes git histories in LaMP's layout, with a file that says where they come from."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from tasks.common.errors import DataError, StorageError
from tasks.common.files import sha256_of, write_json, write_text
from tasks.data.git.items import Item, read_items
from tasks.data.git.repository import git_version, open_repository
from tasks.data.git.sets import GitRules, GitSets, Query, make_sets
from tasks.lamp import LaMP6

VERSION = 1
"""Increased whenever the same repositories and rules give different files."""
PROVENANCE = "provenance.json"


def write_git(paths: Sequence[Path], out: Path, rules: GitRules) -> dict[str, Any]:
    """Write train and dev sets made of repositories; returns what provenance.json holds.

    The same commits and rules give the same bytes. No path, name or address of the repositories and
    their authors is written but the repositories' folder names; texts are kept as they are and may
    hold names.

    Raises:
        ConfigError: git is not installed.
        DataError: a repository can't be used, or no author has enough commits.
        StorageError: `out` exists, or can't be written.
    """
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise StorageError(
            "exists already", file=out, hint="Choose another folder as --out, or remove this one"
        )
    repositories = [open_repository(path) for path in paths]
    items = read_items(repositories, rules.max_characters)
    sets = make_sets(items.items, rules)
    left_out = dict(sorted((items.left_out + sets.left_out).items()))
    if not sets.train or not sets.dev:
        reasons = "; ".join(f"{count} {reason}" for reason, count in left_out.items())
        raise DataError(
            f"{len(items.items)} of {sum(items.commits)} commits are usable, and no author has "
            f"{rules.dev + rules.train} of them, each with {rules.min_history} earlier ones"
            + (f" (left out: {reasons})" if reasons else ""),
            file=", ".join(map(str, paths)),
            hint="Name more repositories, or lower --min-history, --train or --dev",
        )
    provenance = {
        "version": VERSION,
        "git": git_version(),
        "repositories": [
            {"name": repository.path.resolve().name, "head": repository.head, "commits": commits}
            for repository, commits in zip(repositories, items.commits, strict=True)
        ],
        "rules": rules.model_dump(mode="json"),
        "left_out": left_out,
        "authors": len({item.author for item, _ in sets.dev}),
        "queries": {"train": len(sets.train), "dev": len(sets.dev)},
        "history_median": {
            "train": median(len(history) for _, history in sets.train),
            "dev": median(len(history) for _, history in sets.dev),
        },
    }
    part = out.with_name(f".{out.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        files = _write_sets(part, sets)
        hashes = {str(file.relative_to(part)): sha256_of(file) for file in files}
        write_json(part / PROVENANCE, {**provenance, "sha256": hashes})
        if out.exists():
            out.rmdir()
        part.replace(out)
    except OSError as error:
        raise StorageError(
            f"can't be written ({error.strerror or error})",
            file=out,
            hint="Choose a writable folder with free space as --out",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return provenance


def _write_sets(root: Path, sets: GitSets) -> list[Path]:
    """Both files of both sets; returns their paths."""
    written = []
    for name, queries in (("train", sets.train), ("dev", sets.dev)):
        folder = root / "time" / LaMP6.folder / name
        golds = [{"id": item.id, "output": item.subject} for item, _ in queries]
        for kind, value in (
            ("questions", [_make_question(query) for query in queries]),
            ("outputs", {"task": LaMP6.official_name(), "golds": golds}),
        ):
            path = folder / f"{name}_{kind}.json"
            write_text(path, json.dumps(value, ensure_ascii=False, indent=1) + "\n")
            written.append(path)
    return written


def _make_question(query: Query) -> dict[str, Any]:
    item, history = query
    return {
        "id": item.id,
        "user_id": item.author,
        "date": item.date,
        "input": f"{LaMP6.instruction} {item.text}",
        "profile": [_make_profile_item(earlier) for earlier in history],
    }


def _make_profile_item(item: Item) -> dict[str, str]:
    return {"id": item.id, "title": item.subject, "text": item.text, "date": item.date}
