"""Twelve users' questions, two rows of answers, and a judge on loopback that knows one word.

The judge gives 2 where the answer holds the aspect's title, 1 where it holds its first letter, and
0 otherwise; it says so in JSON.
"""

import re

import pytest

from tasks.common.rubric import Aspect, Rubric
from tests.stub_server import Reply, serve
from tests.tasks.support import write_set

ASK = "Answer the following question of a user:"
LETTERS = "abcdefghijkl"
JUDGE = """
[llms.judge]
model = "judge"
endpoint = "{endpoint}"
served = {{ concurrency = 1 }}
"""


def rubric(letter):
    """Two aspects: of "aaaa", and of what nobody writes."""
    return Rubric(f"I, {letter}, want it.", (Aspect(letter * 4), Aspect("zzzz", "Why.", "There.")))


def reply(text):
    message = {"role": "assistant", "content": text}
    return Reply({"model": "judge", "choices": [{"message": message, "finish_reason": "stop"}]})


def read(prompt):
    """(aspect, answer) of a judge's prompt."""
    return [
        re.search(rf"^{part}: ?(.*)$", prompt, re.MULTILINE)[1] for part in ("Aspect", "Answer")
    ]


def judge(path, body):
    aspect, answer = read(body["messages"][-1]["content"])
    score = 2 if aspect in answer else int(aspect[0] in answer)
    return reply(f'```json\n{{"match_score": {score}}}\n```')


@pytest.fixture
def stub():
    with serve(judge) as stub:
        yield stub


@pytest.fixture
def project(project, stub):
    """`knows` writes the user's word last, after seven others; `generic` knows no user."""
    asked = [
        {"id": f"q{x}", "input": f"{ASK} about {x}?", "profile": [{"id": "1", "text": f"My {x}."}]}
        for x in LETTERS
    ]
    golds = {f"q{x}": rubric(x).dump() for x in LETTERS}
    folder = project.root / "data/user/Art_and_Entertainment"
    for set in ("train", "dev"):
        write_set(folder / set, asked, golds, set=set, task="Art_and_Entertainment")
    knows = {f"q{x}": f"1 2 3 4 5 6 7 {x * 4}" for x in LETTERS}
    project.says("knows", knows | {"ql": None}, probe="Fixed")
    project.says("generic", dict.fromkeys(golds, "1 2 3 4"), probe="Fixed")
    project.suite("generic", "knows", name="x", more='reference = "generic"\nsplit = "user"')
    text = project.config.read_text(encoding="utf-8")
    text = text.replace('tasks = ["LaMP-3"]', 'tasks = ["LaMP-QA-art"]')
    project.config.write_text(text + JUDGE.format(endpoint=stub.endpoint))
    return project


@pytest.fixture
def finished(project):
    project.run(suite="x")
    return project
