"""A suite of twelve users' tweets: `zero-shot` says one thing to all, `copies` the user's own."""

import pytest

from tests.tasks.support import write_set

ASK = "Paraphrase the following tweet without any explanation before or after it:"
LETTERS = "abcdefghijkl"


def say(letter, numbers):
    """Words that only this user writes, such as "aaaa1 aaaa2"."""
    return " ".join(f"{letter * 4}{n}" for n in numbers)


def tweet(letter, n_items):
    profile = [{"id": f"{letter}{n}", "text": say(letter, range(1, 7))} for n in range(n_items)]
    return {"id": f"q{letter}", "user_id": letter, "input": f"{ASK} something", "profile": profile}


@pytest.fixture
def project(project):
    """Golds have four words: three of a run of the history's, and one that is new."""
    folder = project.root / "data/time/LaMP_7"
    golds = {f"q{letter}": f"{say(letter, (1, 2, 3, 9))}" for letter in LETTERS}
    write_set(folder / "dev", [tweet(letter, 2) for letter in LETTERS], golds, task="LaMP_7")
    write_set(folder / "train", [tweet("t", 1)], {"qt": "x"}, set="train", task="LaMP_7")
    project.says("generic", dict.fromkeys(golds, "the same for all users"), probe="Fixed")
    copies = {f"q{letter}": say(letter, range(1, 6)) for letter in LETTERS}
    project.says("copies", copies | {"ql": None}, probe="Fixed")
    project.suite("generic", "copies", name="x", more='reference = "generic"')
    text = project.config.read_text(encoding="utf-8")
    project.config.write_text(text.replace('tasks = ["LaMP-3"]', 'tasks = ["LaMP-7"]'))
    return project


@pytest.fixture
def finished(project):
    project.run(suite="x")
    return project
