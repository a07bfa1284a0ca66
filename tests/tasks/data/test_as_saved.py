"""Files as editors and programs save them: the right value, or an error with file, id and fix."""

import json
import os

import pytest

from bench.settings import load_settings
from tasks.common.errors import ConfigError, DataError
from tasks.common.labels import find_spellings
from tasks.common.paths import expand_argument
from tasks.data.audit import audit
from tasks.data.loading import load_dataset
from tasks.lamp import LaMP2, LaMP3, LaMP4
from tasks.metrics import create
from tests.tasks.support import review, write_set


def load(root, task=LaMP3, split="time"):
    return load_dataset(task(), root, split=split, set="dev")


def findings(root, task=LaMP3, split="time"):
    return {finding.kind: finding for finding in audit(task(), root, split).findings}


def item(id, **more):
    return {"id": id, "text": f"Item {id}.", "score": "1", **more}


def write(root, *profile, golds="5"):
    return write_set(root, [review("q", "Fine é.", list(profile))], {"q": golds})


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_encodings_that_json_tells(tmp_path, encoding):
    write(tmp_path, item("a"))
    for path in tmp_path.glob("*.json"):
        text = json.dumps(json.loads(path.read_text()), ensure_ascii=False, indent=1)
        path.write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert load(tmp_path).examples[0].query == "Fine é."


def test_cp1252_is_an_error_that_names_the_row(tmp_path):
    write(tmp_path, item("a"))
    path = tmp_path / "dev_questions.json"
    rows = json.loads(path.read_text())
    path.write_bytes(json.dumps(rows, ensure_ascii=False).encode("cp1252"))
    with pytest.raises(DataError, match=r"0xE9; in cp1252 it reads .*é") as error:
        load(tmp_path)
    assert error.value.id == "q"
    assert "iconv -f cp1252" in error.value.hint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("questions", "{}", r"are an object, not a list\. Write \[\{\"id\": …"),
        ("questions", "[]", r"contains no question\. Write \[\{\"id\": …"),
        ("outputs", '{"golds": []}', r"don't say of which task.* Write \{\"task\": \"LaMP_3\""),
        ("outputs", "{}", r"Write \{\"task\": …, \"golds\""),
        (
            "questions",
            '["abc',
            r"too early \(Unterminated string starting at line 1, character 1 of",
        ),
    ],
)
def test_a_file_of_another_shape_says_which_it_should_have(tmp_path, name, text, message):
    write(tmp_path, item("a"))
    (tmp_path / f"dev_{name}.json").write_text(text)
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_a_key_that_stands_twice_is_an_error(tmp_path):
    write(tmp_path, item("a"))
    path = tmp_path / "dev_outputs.json"
    path.write_text('{"task": "LaMP_3", "golds": [{"id": "q", "output": "5", "output": "4"}]}')
    with pytest.raises(DataError, match="an object holds the key 'output' twice") as error:
        load(tmp_path)
    assert (error.value.id, error.value.file) == ("q", str(path))


def test_a_message_shows_the_beginning_of_a_long_id(tmp_path):
    write_set(tmp_path, [review(10**400, "Fine.", [])], {"q": "5"})
    with pytest.raises(DataError) as error:
        load(tmp_path)
    assert f"id '1{'0' * 99}'…: 1 of 1 question has no output" in str(error.value)


def test_json_lines_are_recognized(tmp_path):
    write(tmp_path)
    (tmp_path / "dev_questions.json").write_text('{"id": 1}\n{"id": 2}\n')
    with pytest.raises(DataError, match=r"JSON Lines.*into one list"):
        load(tmp_path)


def test_pipes_devices_and_folders_are_refused(tmp_path):
    write(tmp_path)
    path = tmp_path / "dev_questions.json"
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="is a named pipe, not a file"):
        load(tmp_path)
    path.unlink()
    path.symlink_to("/dev/null")
    with pytest.raises(DataError, match="is a device, not a file"):
        load(tmp_path)
    with pytest.raises(ConfigError, match="is a folder, not a file"):
        load_settings(tmp_path)


def test_numbers_of_pandas_as_ids_and_answers(tmp_path):
    questions = [
        {**review(17.0, "Fine.", [item(2.0, score=4.0, date=float("nan"))]), "user_id": None}
    ]
    write_set(tmp_path, questions, {17: 5.0})
    dataset = load(tmp_path)
    assert dataset.golds == {"17": "5"}
    assert dataset.examples[0].user_id == "17"
    (behavior,) = dataset.examples[0].history
    assert (behavior.id, behavior.response, behavior.date) == ("2", "4", None)


@pytest.mark.parametrize("score", [True, float("nan"), float("inf"), [5]])
def test_values_that_are_no_answers(tmp_path, score):
    write(tmp_path, item("a", score=score))
    with pytest.raises(DataError, match=r"profile item 0: field 'score' is") as error:
        load(tmp_path)
    assert error.value.id == "q"


@pytest.mark.parametrize("spelling", ["5\n", " 5", "5.0", "５", "+5"])
def test_labels_in_other_spellings(tmp_path, spelling):
    write(tmp_path, item("a", score=spelling), golds=spelling)
    dataset = load(tmp_path)
    assert dataset.golds == {"q": "5"}
    assert dataset.examples[0].history[0].response == "5"
    assert findings(tmp_path)["respelled-labels"].ids == ("q",)
    assert find_spellings(["Billing", "x", "billing "]) == [("Billing", "billing ")]


def test_a_tag_with_a_space_is_the_tag(tmp_path):
    question = {"id": "q", "input": f"{LaMP2.instruction} x",
                "profile": [{"id": "a", "description": "d", "tag": "Comedy "}]}  # fmt: skip
    write_set(tmp_path, [question], {"q": "COMEDY"}, task="LaMP_2")
    dataset = load(tmp_path, LaMP2)
    assert dataset.examples[0].history[0].response == dataset.golds["q"] == "comedy"


def test_dates_are_decided_by_the_whole_file(tmp_path):
    dates = ["12/01/2001", "09/13/2009", "01/02/2014"]
    write(tmp_path, *(item(str(n), date=date) for n, date in enumerate(dates)))
    assert [b.date for b in load(tmp_path).examples[0].history] == [
        "2001-12-01",
        "2009-09-13",
        "2014-01-02",
    ]
    write(tmp_path, item("a", date="12/01/2001"), item("b", date="spring"))
    found = findings(tmp_path)
    assert found["ambiguous-dates"].ids == found["unreadable-dates"].ids == ("q",)
    assert found["ambiguous-dates"].file.endswith("dev_questions.json")
    dataset = load_dataset(LaMP3(), tmp_path, split="time", set="dev", dates="day-first")
    assert [b.date for b in dataset.examples[0].history] == ["2001-01-12", None]


def test_histories_without_dates_are_reported(tmp_path):
    write(tmp_path, item("a"), item("b"))
    assert findings(tmp_path)["undated-histories"].severity == "info"
    random = findings(tmp_path, split="user")["undated-histories"]
    assert (random.severity, random.ids) == ("warning", ("q",))
    assert "the order is random" in random.message
    write(tmp_path, item("a", date="2014"), item("b"))
    assert findings(tmp_path)["undated-items"].ids == ("q",)


def test_scripts_that_rouge_and_bm25_cannot_see(tmp_path):
    news = {"id": "q", "input": f"{LaMP4.instruction} 今天天气很好我们去公园",
            "profile": [{"id": "a", "title": "新闻", "text": "昨天下雨了我们在家"}]}  # fmt: skip
    write_set(tmp_path, [news], {"q": "今天的新闻"}, task="LaMP_4")
    found = findings(tmp_path, LaMP4)
    assert "100.0% of the letters" in found["rouge-blind"].message
    assert found["bm25-blind"].ids == ("q",)
    assert 'words = "unicode"' in found["rouge-blind"].fix


def test_empty_huge_and_similar(tmp_path):
    questions = [review("e", "", user_id="Ann"), review("h", "x" * 100_001, user_id="ann")]
    write_set(tmp_path, questions, {"e": "5", "h": "5"})
    found = findings(tmp_path)
    assert found["empty-query"].ids == ("e",)
    assert found["huge-text"].ids == ("h",)
    assert found["similar-users"].ids == ("e", "h")


@pytest.mark.parametrize("answer", ["5" * 200, "-" + "9" * 300, "5" * 16, "5e99", "1e400"])
def test_endless_numbers_are_unparsed(answer):
    for name, error in (("mae", 4), ("rmse", 4)):
        metric = create(name, LaMP3())
        assert metric.reduce(metric.rows([answer], ["1"])) == error
        assert metric.unparsed(answer)


def test_home_folders(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    write(tmp_path / "mine", item("a"))
    (tmp_path / "bench.toml").write_bytes(
        b"\xef\xbb\xbf[data.mine]\nroot = '~/mine'\n[store]\nruns = '~/runs'\n"
    )
    settings = load_settings(tmp_path / "bench.toml")
    assert settings.source("mine").root == tmp_path / "mine"
    assert settings.store.runs == tmp_path / "runs"
    assert expand_argument("--root=~/mine") == f"--root={tmp_path}/mine"
    assert expand_argument("~/x") == f"{tmp_path}/x"
    assert expand_argument("methods.x=~") == "methods.x=~"
