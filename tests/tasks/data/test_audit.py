"""The audit finds planted faults, and none in a clean set."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks import TASKS
from tasks.data.audit import audit
from tasks.data.layout import MANIFEST
from tasks.data.near_duplicates import find_equal, find_near_duplicates, normalize_text
from tasks.lamp import LaMP1, LaMP2, LaMP3, LaMP4, LaMP7
from tasks.sample.writer import write_sample
from tests.tasks.support import REAL, review, write_set


def item(id, text="Other words here.", score="1", **more):
    return {"id": id, "text": text, "score": score, **more}


def findings(root, task=LaMP3, split="time"):
    return {(f.kind, f.set): f for f in audit(task(), root, split).findings}


def test_statistics(tmp_path):
    questions = [
        review("1", "One.", [], user_id="u"),
        review("2", "Two.", [item("a")], user_id="u"),
        review("3", "Three.", [item("a"), item("b", "x"), item("c", "y")], user_id="v"),
    ]
    write_set(tmp_path, questions, {"1": "5", "2": "5", "3": " 1"})
    (facts,) = audit(LaMP3(), tmp_path, "time").sets
    assert (facts.examples, facts.users, facts.has_golds) == (3, 2, True)
    assert (facts.history_min, facts.history_median, facts.history_max) == (0, 1, 3)
    assert facts.history_mean == pytest.approx(4 / 3)
    assert facts.history_sd == pytest.approx((14 / 9) ** 0.5)
    assert facts.empty_histories == 1
    assert facts.answers == {"1": 1, "5": 2}
    assert findings(tmp_path)["empty-history", "dev"].ids == ("1",)


def test_planted_faults_of_a_set(tmp_path):
    questions = [
        review("source", "Ok, good!", [item("a", "ok good")]),
        review("label", "B b.", [item("a", score="9")]),
        review("blank", "C c.", [item("a", " \u200b")]),
        review("ids", "D d.", [item("a"), item("a", "z")]),
        review("later", "E e.", [item("a", date="2020-01-02")], date="2020-01-01"),
        review("same-day", "F f.", [item("a", date="2020-01-01")], date="2020-01-01"),
        review("year", "G g.", [item("a", date=2020)], date="2020-01-01"),
        review("order", "H h.", [item("a", date="2020-01-02"), item("b", date="2019-05-01")]),
        review("hash", "I i.", [item("a"), item("b#2")]),
    ]
    write_set(tmp_path, questions, {question["id"]: "5" for question in questions})
    found = {kind: finding.ids for (kind, _), finding in findings(tmp_path).items()}
    assert found == {
        "target-in-profile": ("source",),
        "unknown-label-in-profile": ("label",),
        "empty-text-in-profile": ("blank",),
        "duplicate-profile-ids": ("ids",),
        "date-after-query": ("later",),
        "history-not-in-time-order": ("order",),
        "undated-histories": ("ids", "hash"),
    }
    assert audit(LaMP3(), tmp_path, "time").ok


def test_lamp1_target_is_the_authors_own_title(tmp_path):
    question = {
        "id": "1",
        "input": 'For an author who has written the paper with the title "My Own", which '
        "reference is related? Just answer with [1] or [2] without explanation. "
        '[1]: "A" [2]: "B"',
        "profile": [{"id": "p", "title": "my own", "abstract": "x"}],
    }
    write_set(tmp_path, [question], {"1": "[1]"}, task="LaMP_1")
    assert ("target-in-profile", "dev") in findings(tmp_path, LaMP1)


def test_generated_golds_in_the_profile(tmp_path):
    news = {
        "id": "1",
        "input": f"{LaMP4.instruction} Sun.",
        "profile": [{"id": "a", "title": "Same title", "text": "Rain."}],
    }
    write_set(tmp_path, [news], {"1": "Same title"}, task="LaMP_4")
    assert set(findings(tmp_path, LaMP4)) == {("gold-in-profile", "dev")}
    tweet = {
        "id": "1",
        "input": f"{LaMP7.instruction} Plain words.",
        "profile": [{"id": "a", "text": "my own words!!"}],
    }
    write_set(tmp_path, [tweet], {"1": "My own words"}, task="LaMP_7")
    assert set(findings(tmp_path, LaMP7)) == {("target-in-profile", "dev")}


def test_golds_within_texts(tmp_path):
    def news(id, article, text):
        profile = [{"id": "a", "title": "Rain", "text": text}]
        return {"id": id, "input": f"{LaMP4.instruction} {article}", "profile": profile}

    questions = [
        news("query", "All's well: cats, dogs and birds.", "Fog."),
        news("text", "Sun.", "He said: All is well, at last."),
        news("short", "Moon.", "All is well."),
        news("none", "Cats and dogs.", "All is  well."),
    ]
    golds = {"query": "Cats, dogs", "text": "All is well", "short": "All is", "none": "Dogs, cats"}
    write_set(tmp_path, questions, golds, task="LaMP_4")
    found = findings(tmp_path, LaMP4)
    assert {kind: (f.severity, f.ids) for (kind, _), f in found.items()} == {
        "gold-in-query": ("info", ("query",)),
        "gold-in-profile-text": ("info", ("text",)),
    }
    write_set(
        tmp_path, questions[:2], {"query": "Cats, dogs", "text": "All is well"}, task="LaMP_4"
    )
    assert findings(tmp_path, LaMP4)["gold-in-query", "dev"].severity == "warning"
    assert "1 of 2 queries" in findings(tmp_path, LaMP4)["gold-in-query", "dev"].message


def test_labels_in_queries_count_where_nearly_all_give_their_own_away(tmp_path):
    texts = {"a": "Score 5.", "b": "Rated 2, fine.", "c": "Was 1.", "d": "Score 4!", "e": "1 to 5."}
    questions = [review(id, text, []) for id, text in texts.items()]
    golds = {"a": "5", "b": "2", "c": "1", "d": "4", "e": "5"}
    write_set(tmp_path, questions, golds)
    assert findings(tmp_path)["gold-in-query", "dev"].ids == ("a", "b", "c", "d")
    write_set(tmp_path, questions, golds | {"d": "3"})
    assert ("gold-in-query", "dev") not in findings(tmp_path)


@pytest.mark.parametrize("character", ["\0", "\x1b", "\x7f", "\x92"])
def test_control_characters_are_named(tmp_path, character):
    white = "Tab\t, break\r\n and form feed\f."
    questions = [
        review("1", white, [item("a")]),
        review("2", "Fine.", [item("a", white), item("b", f"x{character}")]),
        review("3", f"Fi{character}ne, too.", [item("a")]),
    ]
    write_set(tmp_path, questions, {"1": "5", "2": "5", "3": "5"})
    found = findings(tmp_path)["control-characters", "dev"]
    assert (found.severity, found.ids) == ("warning", ("2", "3"))
    assert f"{character!a} in profile item b of 2 (2 of 3 queries)" in found.message
    assert found.file.endswith("dev_questions.json")
    assert found.fix


def test_dates_that_leave_an_order_open_are_counted_by_user(tmp_path):
    moments = [item("a", date="2020-01-05"), item("b", date="2020-01-05T00:00:00")]
    questions = [
        review("1", "A a.", moments, user_id="u"),
        review("2", "B b.", [*moments, item("c", date="2020-02-01")], user_id="u"),
        review("3", "C c.", [item("a", date="2020"), item("b", date="2020-03")], user_id="v"),
        review("4", "D d.", [item("a", date="2020"), item("b")], user_id="w"),
        review("5", "E e.", [item("a", date="2019"), item("b", date="2020")], user_id="x"),
    ]
    write_set(tmp_path, questions, {question["id"]: "5" for question in questions})
    found = findings(tmp_path)
    assert set(found) == {("tied-dates", "dev"), ("undated-items", "dev")}
    tied = found["tied-dates", "dev"]
    assert (tied.severity, tied.ids) == ("info", ("1", "2", "3"))
    assert "(2 of 4 users, 3 of 5 queries)" in tied.message
    assert "(1 of 4 users, 1 of 5 queries)" in found["undated-items", "dev"].message
    assert findings(tmp_path, split="user")["tied-dates", "dev"].severity == "warning"
    questions[0]["profile"] = [item("z", date="2021"), *moments]  # the file is in no order
    write_set(tmp_path, questions, {question["id"]: "5" for question in questions})
    assert findings(tmp_path)["tied-dates", "dev"].severity == "warning"


def test_findings_across_sets(tmp_path):
    words = [f"w{n}" for n in range(20)]
    near = [*words[:-1], "other"]  # Jaccard 19 / 21 ≥ .9
    train = [review("t1", " ".join(words), user_id="u"), review("t2", "Hello there", user_id="v")]
    dev = [review("d1", " ".join(near), user_id="u"), review("d2", "hello, THERE!", user_id="w")]
    write_set(tmp_path, train, {"t1": "5", "t2": "5"}, set="train")
    write_set(tmp_path, dev, {"d1": "5", "d2": "5"})
    found = findings(tmp_path)
    assert found["near-duplicate-queries", "train+dev"].ids == ("t1 ~ d1",)
    assert found["duplicate-queries", "train+dev"].ids == ("t2 ~ d2",)
    assert found["duplicate-queries", "train+dev"].severity == "warning"
    assert found["shared-users", "train+dev"].ids == ("u",)
    assert found["shared-users", "train+dev"].severity == "info"
    assert findings(tmp_path, split="user")["shared-users", "train+dev"].severity == "warning"


def test_known_fault_unreadable_and_missing(tmp_path):
    question = {"id": "110", "input": "garbage", "profile": []}
    folder = write_set(
        tmp_path / "user/LaMP_2/new/dev", [question], {"110": "comedy"}, task="LaMP_2"
    )
    assert findings(tmp_path, LaMP2, "user")["known-fault", "dev"].ids == ("110",)
    (folder / "dev_outputs.json").unlink()
    report = audit(LaMP2(), tmp_path, "user")
    assert not report.ok
    assert report.findings[0].kind == "unreadable"
    assert [f.kind for f in audit(LaMP3(), tmp_path, "time").findings] == ["missing"]


def test_a_file_that_changed_since_its_download(tmp_path):
    folder = tmp_path / "time" / "LaMP_3"
    write_set(folder / "dev", [review("1")], {"1": "5"})
    (folder / MANIFEST).write_text(json.dumps({"dev/dev_questions.json": {"sha256": "0"}}))
    assert ("changed-since-download", "dev") in findings(tmp_path)


def jaccard(first, second):
    one, other = set(normalize_text(first).split()), set(normalize_text(second).split())
    return len(one & other) / len(one | other)


@settings(deadline=None, derandomize=True)
@given(
    st.lists(st.lists(st.sampled_from("abcdefghijklmn"), max_size=14).map(" ".join), max_size=25),
    st.sampled_from([0.5, 0.8, 0.9, 1.0]),
)
def test_near_duplicates_equal_the_comparison_of_all_pairs(texts, threshold):
    firsts = {}
    for position, text in enumerate(texts):
        if text:
            firsts.setdefault(text, position)
    positions = sorted(firsts.values())
    expected = {
        (i, j)
        for i in positions
        for j in positions
        if i < j and jaccard(texts[i], texts[j]) >= threshold - 1e-12
    }
    assert set(find_near_duplicates(texts, threshold)) == expected
    assert {j for _, j in find_equal(texts)} == {
        j for j, text in enumerate(texts) if text and firsts[text] != j
    }


def test_the_sample_is_clean(tmp_path):
    write_sample(tmp_path)
    harmless = {"empty-history", "shared-users", "gold-in-profile", "gold-in-query"}
    for name in TASKS.names():
        for split in ("user", "time"):
            report = audit(TASKS.get(name)(), tmp_path, split)
            assert report.ok
            undated = {"undated-histories"} if split == "user" else set()
            assert {finding.kind for finding in report.findings} <= harmless | undated
            assert [facts.examples for facts in report.sets] == [150, 60, 20]


@pytest.mark.skipif(not REAL.is_dir(), reason="the real LaMP-3 reviews are not on this machine")
def test_real_reviews():
    report = audit(LaMP3(), REAL, "time")
    assert report.ok
    assert {finding.kind for finding in report.findings} == {"undated-histories", "shared-users"}
    assert report.sets[0].history_mean == pytest.approx(63.46)
