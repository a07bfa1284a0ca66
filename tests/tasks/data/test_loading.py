"""The official layout, and every fault that a data file can have."""

import json

import pytest

from tasks.common.errors import DataError
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP2, LaMP3, LaMP6
from tests.bench.own_task import Garden, write_garden
from tests.tasks.support import REAL, review, write_set

ITEM = {"id": "p1", "text": "Broke.", "score": "1"}


def load(root, task=LaMP3, *, split="time", set="dev", **options):
    return load_dataset(task(), root, split=split, set=set, **options)


def test_official_layout(tmp_path):
    questions = [
        review(1, "Good.", [ITEM, {"id": 2, "text": "Ok.", "score": 3, "date": "2019-01-02"}],
               user_id=9, date="2020-02-03"),
        review("b", "Bad."),
    ]  # fmt: skip
    write_set(tmp_path / "time" / "LaMP_3" / "dev", questions, {"b": "1", "1": "5"})
    dataset = load(tmp_path)
    first, second = dataset.examples
    assert (dataset.task, dataset.set, len(dataset)) == ("LaMP-3", "dev", 2)
    assert dataset.golds == {"1": "5", "b": "1"}
    assert (first.id, first.user_id, first.query, first.date) == ("1", "9", "Good.", "2020-02-03")
    assert [item.id for item in first.history] == ["p1", "2"]
    assert (first.history[1].response, first.history[1].date) == ("3", "2019-01-02")
    assert second.user_id == "b"
    assert second.history == ()


@pytest.mark.parametrize("place", ["time/LaMP_3/dev", "time/LaMP_3", "."])
def test_candidate_folders(tmp_path, place):
    write_set(tmp_path / place, [review("1")], {"1": "5"})
    assert len(load(tmp_path)) == 1


def movie(id="1", **more):
    return {"id": id, "input": f"{LaMP2.instruction} A film.", "profile": [], **more}


def test_movies_are_searched_in_new_first(tmp_path):
    write_set(tmp_path / "user/LaMP_2/new/dev", [movie("n")], {"n": "comedy"}, task="LaMP_2")
    write_set(tmp_path / "user/LaMP_2/dev", [movie("o")], {"o": "comedy"}, task="LaMP_2")
    assert load(tmp_path, LaMP2, split="user").examples[0].id == "n"


def test_deprecated_news_files_are_refused(tmp_path):
    news = {
        "id": "1",
        "input": "Which category does this article relate to among the following categories? "
        "Just answer with the category name without further explanation. categories: [women, "
        "religion] article: A text.",
        "profile": [],
    }
    write_set(tmp_path / "user/LaMP_2/dev", [news], {"1": "comedy"}, task="LaMP_2")
    with pytest.raises(DataError, match=r"LaMP_2/new .*deprecated news") as error:
        load(tmp_path, LaMP2, split="user")
    assert error.value.id == "1"


def test_the_known_fault_of_lamp2_can_be_dropped_or_kept(tmp_path):
    corrupt = {"id": "110", "input": "garbage without the instruction", "profile": []}
    golds = {"110": "comedy", "1": "action"}
    write_set(tmp_path / "user/LaMP_2/new/dev", [corrupt, movie()], golds, task="LaMP_2")
    dropped = load(tmp_path, LaMP2, split="user", known_faults="drop")
    kept = load(tmp_path, LaMP2, split="user", known_faults="keep")
    assert [item.id for item in dropped.examples] == ["1"]
    assert dropped.golds == {"1": "action"}
    assert [item.id for item in kept.examples] == ["110", "1"]
    assert kept.examples[0].query == corrupt["input"]
    assert dropped.fingerprint != kept.fingerprint

    write_set(tmp_path / "time/LaMP_2/new/dev", [corrupt, movie()], golds, task="LaMP_2")
    with pytest.raises(DataError, match="id '110': the input is not a LaMP-2 prompt"):
        load(tmp_path, LaMP2, known_faults="drop")


def test_avocado_ids_are_refused(tmp_path):
    question = {"id": "1", "input": "067-002133-EM.txt", "profile": [{"id": "2", "text": "x"}]}
    write_set(tmp_path, [question], {"1": "s"}, task="LaMP_6")
    with pytest.raises(DataError, match="Avocado corpus"):
        load(tmp_path, LaMP6)


def test_a_test_set_needs_no_golds(tmp_path):
    write_set(tmp_path, [review("1")], set="test")
    dataset = load(tmp_path, set="test")
    assert dataset.golds is None
    with pytest.raises(ValueError, match="no golds"):
        list(dataset.pairs())
    write_set(tmp_path, [review("1")], {"1": "5"}, set="test")
    assert load(tmp_path, set="test").golds == {"1": "5"}


def test_limit_and_fingerprint(tmp_path):
    write_set(tmp_path, [review(str(n)) for n in range(5)], {str(n): "5" for n in range(5)})
    whole, part = load(tmp_path), load(tmp_path, limit=2)
    assert [item.id for item in part.examples] == ["0", "1"]
    assert part.golds == {"0": "5", "1": "5"}
    assert whole.fingerprint == load(tmp_path).fingerprint != part.fingerprint
    write_set(tmp_path, [review(str(n)) for n in range(5)], {str(n): "4" for n in range(5)})
    assert load(tmp_path).fingerprint != whole.fingerprint


def test_repeated_profile_ids_are_numbered(tmp_path):
    write_set(tmp_path, [review("1", profile=[ITEM, ITEM, {**ITEM, "text": "x"}])], {"1": "5"})
    assert [item.id for item in load(tmp_path).examples[0].history] == ["p1", "p1#2", "p1#3"]


def test_equal_behaviors_are_kept_in_memory_once(tmp_path):
    write_set(tmp_path, [review(n, profile=[ITEM]) for n in (1, 2)], {"1": "5", "2": "5"})
    first, second = load(tmp_path).examples
    assert first.history[0] is second.history[0]


def one(**changes):
    return [{**review("1", profile=[ITEM]), **changes}]


# questions, golds, expected message, expected id
FAULTS = {
    "duplicate id": ([review("1"), review(1)], {"1": "5"}, "two questions share this id", "1"),
    "question without output": ([review("1"), review("2")], {"1": "5"}, "1 of 2 questions has no output", "2"),
    "output without question": ([review("1")], {"1": "5", "2": "5"}, "1 of 2 outputs has no question", "2"),
    "id mismatch": ([review("1")], {"2": "5"}, "1 of 1 question has no output", "1"),
    "unknown label": ([review("1")], {"1": "6"}, "unknown label '6'", "1"),
    "output of a wrong type": ([review("1")], {"1": None}, "field 'output' is missing", "1"),
    "outputs of another task": ([review("1")], {"task": "LaMP_4", "golds": [{"id": "1", "output": "5"}]}, "task 'LaMP_4', not of 'LaMP_3'", None),
    "outputs not an object": ([review("1")], [1], "outputs are not", None),
    "questions not a list": ("x", {"1": "5"}, "questions are text, not a list", None),
    "question not an object": ([3], {"1": "5"}, "question 0 is a number", None),
    "no questions": ([], {"1": "5"}, "the file contains no question", None),
    "no id": ([{"input": "x"}], {"1": "5"}, "question 0 has no id", None),
    "id of a wrong type": (one(id=[1]), {"1": "5"}, "field 'id' is list", "[1]"),
    "path as id": (one(id="../../x"), {"../../x": "5"}, "path separator", "../../x"),
    "dots as id": (one(id=".."), {"..": "5"}, "is empty, or contains", ".."),
    "newline in id": (one(id="a\nb"), {"a\nb": "5"}, "control character", "a\nb"),
    "path as user": (one(user_id="a/b"), {"1": "5"}, "user_id 'a/b'", "1"),
    "no input": (one(input=None), {"1": "5"}, "field 'input' is missing", "1"),
    "input of a wrong type": (one(input=5), {"1": "5"}, "field 'input' is int", "1"),
    "no profile": (one(profile=None), {"1": "5"}, "the profile is missing", "1"),
    "item of a wrong type": (one(profile=["x"]), {"1": "5"}, "profile item 0 is text", "1"),
    "item without its text": (one(profile=[ITEM, {"id": "2", "score": "1"}]), {"1": "5"}, "profile item 1 has no field 'text'", "1"),
    "item without an id": (one(profile=[{"text": "a", "score": "1"}]), {"1": "5"}, "profile item 0 has no field 'id'", "1"),
    "item's text of a wrong type": (one(profile=[{**ITEM, "text": 3}]), {"1": "5"}, "profile item 0: field 'text' is int", "1"),
    "half a character": (one(profile=[{**ITEM, "text": "\ud83d"}]), {"1": "5"}, "profile item 0: field 'text' contains half a character", "1"),
    "half a character in an id": (one(id="\ud83d"), {"\ud83d": "5"}, "field 'id' contains half a character", "\ud83d"),
    "another task's input": (one(input=f"{LaMP2.instruction} x"), {"1": "5"}, "These are files of LaMP-2", "1"),
}  # fmt: skip


@pytest.mark.parametrize(("questions", "golds", "what", "id"), FAULTS.values(), ids=FAULTS)
def test_faulty_data(tmp_path, questions, golds, what, id):
    if isinstance(golds, dict) and "golds" in golds:
        write_set(tmp_path, questions)
        (tmp_path / "dev_outputs.json").write_text(json.dumps(golds))
    else:
        write_set(tmp_path, questions, golds)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert what in str(error.value)
    assert error.value.id == id
    assert "dev_" in error.value.file
    assert not error.value.what.endswith(".")
    assert not error.value.hint.endswith(".")


WHOLE = json.dumps([review("1"), review("2")]).encode()
BYTES = {
    "empty": (b" \n", "the file is empty"),
    "half": (WHOLE[: len(WHOLE) // 2], "ends too early"),
    "half after a value": (WHOLE[:-1], "ends too early"),
    "html": (b"<html>\n<body>", "not JSON (Expecting value at line 1, character 0 of 13)"),
    "latin-1": (WHOLE.replace(b"Fine", b"F\xeene"), "not UTF-8 at byte"),
    "too deep": (b"[" * 200_000, "nested too deeply"),
    "endless number": (WHOLE.replace(b'"1"', b"1" * 5000), "a number that is too long"),
}


@pytest.mark.parametrize(("data", "what"), BYTES.values(), ids=BYTES)
def test_faulty_bytes(tmp_path, data, what):
    write_set(tmp_path, [], {"1": "5", "2": "5"})
    (tmp_path / "dev_questions.json").write_bytes(data)
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert what in error.value.what
    assert error.value.file == str(tmp_path / "dev_questions.json")


def test_missing_files(tmp_path):
    with pytest.raises(DataError, match=r"no dev set of LaMP-3 .*bench data download LaMP-3"):
        load(tmp_path)
    write_set(tmp_path, [review("1")])
    with pytest.raises(
        DataError, match=r"is missing, although dev_questions\.json exists"
    ) as error:
        load(tmp_path)
    assert error.value.file.endswith("dev_outputs.json")
    (tmp_path / "dev_questions.json").rename(tmp_path / "dev_outputs.json")
    with pytest.raises(DataError, match=r"is missing, although dev_outputs\.json exists"):
        load(tmp_path)


def test_a_folder_in_place_of_a_file(tmp_path):
    write_set(tmp_path, [review("1")], {"1": "5"})
    (tmp_path / "dev_questions.json").unlink()
    (tmp_path / "dev_questions.json").mkdir()
    with pytest.raises(DataError, match="is a folder, not a file"):
        load(tmp_path)


@pytest.mark.skipif(not REAL.is_dir(), reason="the real LaMP-3 reviews are not on this machine")
def test_real_reviews():
    train, dev = load(REAL, set="train"), load(REAL)
    assert (len(train), len(dev)) == (300, 150)
    assert {item.user_id for item in train.examples} == {item.user_id for item in dev.examples}
    assert sum(gold == "5" for gold in dev.golds.values()) == 108
    assert all(item.input.endswith(item.query) for item in dev.examples)


def test_a_fault_in_a_task_of_ones_own_is_to_be_corrected(tmp_path):
    write_garden(tmp_path)
    path = tmp_path / "time" / "garden" / "dev" / "dev_questions.json"
    path.write_text(path.read_text().replace('"bed"', '"bad"'))
    with pytest.raises(DataError, match=r"no field 'bed'\. Correct the item in this file") as error:
        load_dataset(Garden(), tmp_path, split="time", set="dev")
    assert str(error.value).count("dev0") == 1
    path.write_text("{")
    with pytest.raises(DataError) as error:
        load_dataset(Garden(), tmp_path, split="time", set="dev")
    assert "download" not in str(error.value)
