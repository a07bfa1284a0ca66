"""Commits → what their authors wrote: text and subject of each, in time order."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from tasks.data.git.authors import number_authors
from tasks.data.git.cleaning import (
    clean_body,
    clean_subject,
    describe_files,
    find_reason,
    is_body,
    repeats,
)
from tasks.data.git.repository import Commit, Repository, read_changed_files, read_commits
from tasks.data.near_duplicates import normalize_text


@dataclass(frozen=True)
class Item:
    """One commit as one act of its author.

    Attributes:
        id: a number, in time order over all repositories.
        author: the number of its author.
        time: seconds since 1970 (UTC).
        text: its body, or which files it changed.
        subject: what the author called it.
    """

    id: str
    author: str
    time: int
    text: str
    subject: str

    @property
    def date(self) -> str:
        """The time in UTC, such as "2024-05-01 09:30:00"."""
        return datetime.fromtimestamp(self.time, UTC).strftime("%Y-%m-%d %H:%M:%S")


@dataclass(frozen=True)
class Items:
    """All usable commits, oldest first, and how many were left out for which reason."""

    items: tuple[Item, ...]
    left_out: Counter[str]
    commits: tuple[int, ...]


def read_items(repositories: Sequence[Repository], longest: int) -> Items:
    """The items of several repositories; a commit that two of them hold counts once.

    Of items with equal texts, only the oldest is kept: a query must not stand in a history.

    Args:
        longest: characters of a text at most.
    """
    left_out: Counter[str] = Counter()
    known: set[str] = set()
    found: list[tuple[Commit, str]] = []
    numbers = []
    for repository in repositories:
        before = sum(left_out.values()) + len(found)
        found += _read_texts(repository, longest, left_out, known)
        numbers.append(sum(left_out.values()) + len(found) - before)
    authors = number_authors(commit for commit, _ in found)
    items: list[Item] = []
    seen: set[str] = set()
    for commit, text in sorted(found, key=lambda pair: (pair[0].time or 0, pair[0].id)):
        if (words := normalize_text(text)) in seen:
            left_out["the text of an earlier commit"] += 1
            continue
        seen.add(words)
        author = authors[commit.name, commit.mail]
        subject = clean_subject(commit.subject)
        items.append(Item(str(len(items) + 1), author, commit.time or 0, text, subject))
    return Items(tuple(items), left_out, tuple(numbers))


def _read_texts(
    repository: Repository, longest: int, left_out: Counter[str], known: set[str]
) -> Iterator[tuple[Commit, str]]:
    """The usable commits with their texts. `known` holds the commits seen before, and grows."""
    bodiless: dict[str, Commit] = {}
    for commit in read_commits(repository):
        subject = clean_subject(commit.subject)
        if commit.id in known:
            left_out["in an earlier repository"] += 1
        elif reason := find_reason(commit, subject):
            left_out[reason] += 1
        elif not is_body(text := clean_body(commit.body, longest)):
            bodiless[commit.id] = commit
        elif repeats(text, subject):
            left_out["a body that repeats the subject"] += 1
        else:
            yield commit, text
        known.add(commit.id)
    files = read_changed_files(repository, list(bodiless))
    for id, commit in bodiless.items():
        if files[id]:
            yield commit, describe_files(files[id], longest)
        else:
            left_out["neither body nor changes"] += 1
