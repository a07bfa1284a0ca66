"""Repositories → files in LaMP's layout: what is read, chosen and refused."""

import json
import subprocess
from pathlib import Path

import pytest

from tasks.common.errors import ConfigError, DataError, StorageError
from tasks.data.audit import audit
from tasks.data.git.items import read_items
from tasks.data.git.repository import open_repository, read_commits
from tasks.data.git.sets import GitRules
from tasks.data.git.writer import write_git
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP6
from tests.tasks.data.git.repositories import START, Act, git, make_repository, needs_git

pytestmark = needs_git
WORDS = ["parser", "cache", "index", "signal", "buffer", "socket", "filter", "vector"]
SMALL = GitRules(dev=1, train=1, min_history=2, max_history=3)


def acts(name, mail, count):
    """Commits with a body each of its own words."""
    return [
        Act(f"Rename {WORDS[n]} {name}\n\n{name} now calls the {WORDS[n]} what {WORDS[n - 1]} was", name, mail)
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture
def repository(tmp_path):
    """Two authors of 6 commits, one of 3; a merge, a bot, a revert and a commit without a body."""
    made = [
        *acts("Ann Lee", "ann@lee.org", 5),
        Act("Merge branch 'x'", merges=1),
        Act("Bump it all\n\nThe newest of all versions", "dependabot[bot]", "bot@x.org"),
        Act('Revert "Rename"\n\nThis reverts commit 1.'),
        *acts("Ben Oh", "ben@oh.org", 6),
        *acts("Cid Po", "cid@po.org", 3),
        Act("Move pages aside\n\nSigned-off-by: A <a@b.c>", "ann", "ann@lee.org", files=["b.md", "a é.py"]),
    ]  # fmt: skip
    return make_repository(tmp_path / "some", made)


def read(root, set="dev"):
    folder = root / "time" / "LaMP_6" / set
    questions = json.loads((folder / f"{set}_questions.json").read_text(encoding="utf-8"))
    outputs = json.loads((folder / f"{set}_outputs.json").read_text(encoding="utf-8"))
    assert outputs["task"] == "LaMP_6"
    return questions, {gold["id"]: gold["output"] for gold in outputs["golds"]}


def test_each_authors_last_commits_are_asked(repository, tmp_path):
    out = tmp_path / "data"
    found = write_git([repository], out, SMALL)
    questions, golds = read(out)
    ann, ben = sorted(questions, key=lambda row: row["date"], reverse=True)
    assert ann["input"] == f"{LaMP6.instruction} Changed files: a é.py, b.md"
    assert golds[ann["id"]] == "Move pages aside"
    assert ann["date"] == "2023-11-14 22:13:38"  # START + 18 in UTC, whatever the author's zone
    assert [item["title"] for item in ann["profile"]] == [
        f"Rename {word} Ann Lee" for word in WORDS[2:5]
    ]
    assert set(ann["profile"][0]) == {"id", "title", "text", "date"}
    assert golds[ben["id"]] == "Rename socket Ben Oh"
    train, _ = read(out, "train")
    assert {row["user_id"] for row in train} == {ann["user_id"], ben["user_id"]}
    assert all(row["profile"][-1]["date"] < row["date"] for row in [*train, *questions])
    assert found["authors"] == 2
    assert found["left_out"] == {
        "a revert": 1,
        "authors with too few commits": 1,
        "by a bot": 1,
    }
    assert found["repositories"] == [
        {"name": "some", "head": git(repository, "rev-parse", "HEAD"), "commits": 17}
    ]
    text = "".join(path.read_text(encoding="utf-8") for path in out.rglob("*.json"))
    assert not any(word in text for word in ("@", "ann@", "Signed-off", str(tmp_path)))


def test_it_passes_the_audit_and_loads(repository, tmp_path):
    out = tmp_path / "data"
    write_git([repository], out, SMALL)
    report = audit(LaMP6(), out, "time")
    assert {finding.severity for finding in report.findings} <= {"info"}
    dataset = load_dataset(LaMP6(), out, split="time", set="dev")
    assert [len(example.history) for example in dataset.examples] == [3, 3]


def test_the_same_commits_give_the_same_bytes(repository, tmp_path):
    bare = tmp_path / "bare" / "some"
    subprocess.run(["git", "clone", "-q", "--bare", repository, bare], check=True)
    for place, path in (("one", repository), ("two", bare), ("three", repository / ".git")):
        write_git([path], tmp_path / place, SMALL)
    names = [path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*.json")]
    for name in names:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
    both = write_git([repository, bare], tmp_path / "both", SMALL)
    assert both["left_out"]["in an earlier repository"] == 17
    assert read(tmp_path / "both") == read(tmp_path / "one")


def test_authors_are_merged_by_mailmap_and_over_repositories(tmp_path):
    mailmap = b"Ann Lee <ann@lee.org> <old@lee.org>\n"
    made = Act("Add a mailmap\n\nOld addresses are hers", more={".mailmap": mailmap})
    # In a bare repository, the mailmap of HEAD counts.
    one = make_repository(tmp_path / "one", [*acts("Ann", "old@lee.org", 3), made], bare=True)
    two = make_repository(tmp_path / "two", [*acts("ANN LEE", "new@lee.org", 5)[3:]])
    items = read_items([open_repository(one), open_repository(two)], 99).items
    assert {item.author for item in items} == {"1"}
    assert [item.time - START for item in items] == [1, 1, 2, 2, 3, 4]


def test_histories_are_strictly_earlier_and_hold_no_target(tmp_path):
    made = acts("Ann Lee", "ann@lee.org", 8)
    made[6].time = made[5].time = START + 6  # a commit of the same second
    made[3].message = "Rename all of it\n\nRename signal Ann Lee, again!"
    made[7].message = "Rename signal Ann Lee again\n\nOnly this one is new here"
    out = tmp_path / "data"
    write_git([make_repository(tmp_path / "r", made)], out, GitRules(dev=2, train=1, min_history=3))
    questions, _ = read(out)
    assert [len(row["profile"]) for row in questions] == [5, 6]  # of 6 and 7 earlier ones
    assert "5" not in [item["id"] for item in questions[0]["profile"]][5:]
    assert "Rename all of it" not in [item["title"] for item in questions[1]["profile"]]


def test_equal_and_nearly_equal_texts(tmp_path):
    long = " ".join(f"{a}{b}" for a in "abcde" for b in "vwxyz")
    made = acts("Ann Lee", "ann@lee.org", 8)
    made[2].message = f"Say it again\n\n{made[1].message.partition(chr(10))[2]}"  # dropped
    made[6].message = f"Say it at length\n\n{long}"
    made[7].message = f"Say it at length again\n\n{long} more"
    repository = make_repository(tmp_path / "r", made)
    with pytest.raises(DataError, match="1 train queries that nearly equal a dev query"):
        write_git([repository], tmp_path / "data", SMALL)
    found = write_git([repository], tmp_path / "data", GitRules(dev=1, train=2, min_history=2))
    assert found["left_out"] == {
        "the text of an earlier commit": 1,
        "train queries that nearly equal a dev query": 1,
    }
    assert found["queries"] == {"train": 1, "dev": 1}


def test_at_most_so_many_authors(repository, tmp_path):
    rules = SMALL.model_copy(update={"min_history": 1, "max_authors": 1})
    found = write_git([repository], tmp_path / "data", rules)
    assert found["authors"] == 1
    assert found["left_out"]["authors beyond max_authors"] == 2


def test_encodings(tmp_path):
    latin = make_repository(
        tmp_path / "latin", [Act("Ajoute le café ici".encode("latin-1"))], encoding="ISO-8859-1"
    )
    assert [c.subject for c in read_commits(open_repository(latin))] == ["Ajoute le café ici"]
    wrong = make_repository(tmp_path / "wrong", [Act("Ajoute le café ici".encode("latin-1"))])
    assert read_items([open_repository(wrong)], 99).left_out == {"not UTF-8": 1}


def test_what_is_no_whole_repository_is_refused(repository, tmp_path):
    (tmp_path / "file").write_text("")
    (repository / "docs").mkdir()
    (tmp_path / "folder").mkdir()
    empty = make_repository(tmp_path / "empty", [])
    shallow = tmp_path / "shallow"
    source = f"file://{repository}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", source, shallow], check=True)
    for path, says in [
        (tmp_path / "nowhere", "there is no such folder"),
        (tmp_path / "file", "is a file"),
        (tmp_path / "folder", "is not a git repository"),
        (repository / "docs", f"is a folder inside the repository {repository}"),
        (empty, "has no commits"),
        (shallow, r"shallow clone.*git fetch --unshallow"),
    ]:
        with pytest.raises(DataError, match=says) as caught:
            open_repository(path)
        assert caught.value.file == str(path)


def test_other_faults(repository, tmp_path, monkeypatch):
    with pytest.raises(StorageError, match="exists already"):
        write_git([repository], repository, SMALL)
    with pytest.raises(DataError, match="15 of 17 commits are usable, and no author has 6"):
        write_git([repository], tmp_path / "data", GitRules())
    assert not (tmp_path / "data").exists()
    empty = tmp_path / "empty"
    empty.mkdir()
    monkeypatch.chdir(empty)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))  # must not lead elsewhere
    assert write_git([repository], Path(), SMALL)["authors"] == 2
    lost = git(repository, "rev-parse", "HEAD~1")
    (repository / ".git" / "objects" / lost[:2] / lost[2:]).unlink()
    with pytest.raises(DataError, match=r"Run `git fsck` there"):
        write_git([repository], tmp_path / "more", SMALL)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="git is not installed"):
        open_repository(repository)
