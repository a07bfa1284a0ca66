"""Rows → queries with histories, labels, fingerprints; what can't be used is named."""

import pytest

from tasks.common.errors import DataError
from tasks.common.labels import fold_label
from tasks.table.auditing import audit_table
from tasks.table.guessing import guess_roles
from tasks.table.reading import read_table
from tasks.table.rows import read_number
from tasks.table.task import make_task
from tasks.table.wording import humanize
from tests.tasks.table.support import declare, histories, make_data, write_rows

ANN = [
    "a4,ann,2024-01-09,four,sun",
    "a1,ann,2023-12-01,one,shade",
    "a2,ann,2024-01-02,two,sun",
    "a3,ann,2024-01-02,three,sun",
    "a5,ann,2024-02-01,five,shade",
]


@pytest.fixture
def table(tmp_path):
    ben = [f"b{n},ben,2024-01-0{n},ben {n},{'sun' if n % 2 else 'shade'}" for n in (1, 2, 3)]
    return write_rows(tmp_path / "plants.csv", *ANN, *ben)


def test_a_history_is_strictly_earlier(table):
    data = make_data(table)
    assert histories(data, "test") == {"a5": ["a1", "a2", "a3", "a4"], "b3": ["b1", "b2"]}
    assert histories(data, "dev") == {"a4": ["a1", "a2", "a3"], "b2": ["b1"]}
    assert histories(data, "train") == {"a3": ["a1"], "a2": ["a1"]}  # a2 and a3 share a day
    assert data.splits.too_short == {"train": 2, "dev": 0, "test": 0}


def test_a_limit_takes_the_newest_query_of_every_user_first(table):
    assert list(histories(make_data(table, dev=2, test=0), "dev")) == ["a5", "b3", "a4", "b2"]


def test_without_times_the_file_is_the_order(table):
    data = make_data(table, time=None)
    assert histories(data, "test")["a5"] == ["a4", "a1", "a2", "a3"]
    assert all(query.row.date is None for query in data.splits.queries["test"])


def test_by_user_no_set_shares_a_user(tmp_path):
    rows = [f"{u}-{n},u{u},2024-01-0{n},t {u} {n},sun" for u in range(10) for n in (1, 2, 3)]
    data = make_data(write_rows(tmp_path / "a.csv", *rows), "user")
    users = {
        set: {q.row.user for q in data.splits.queries[set]} for set in ("train", "dev", "test")
    }
    assert [len(found) for found in users.values()] == [8, 1, 1]
    assert len(set.union(*users.values())) == 10
    assert len(data.splits.queries["dev"]) == 2  # the first row has no history


def test_a_task_is_made_of_the_declaration(table):
    task = make_task("plants", declare(table, attributes=["user"]), "time")
    assert (task.name, task.labels, task.metrics[0]) == ("plants", ("shade", "sun"), "accuracy")
    dev = task.data.load(task(), "dev")
    first = dev.examples[0]
    assert first.input == (
        "Which label does the following text have among shade and sun? Just answer with the label. "
        "text: four"
    )
    assert (first.query, first.user_id, first.date) == ("four", "ann", "2024-01-09")
    assert next((b.id, b.text, b.response) for b in first.history) == ("a1", "one", "shade")
    assert task().item(first.history[0], "one") == 'shade is the label for "one"'
    assert dev.golds == {"a4": "sun", "b2": "shade"}
    assert dev.attributes["a4"] == {"user": "ann"}


def test_the_fingerprint_is_that_of_content_and_declaration(table, tmp_path):
    first = make_data(table).fingerprint("dev")
    other = write_rows(tmp_path / "other.csv", *table.read_text().splitlines()[1:])
    assert make_data(other, metrics=["f1"]).fingerprint("dev") == first
    assert make_data(table, item="{output}: {input}").fingerprint("dev") != first
    assert make_data(table, min_history=2).fingerprint("dev") != first
    assert make_data(table, "user").fingerprint("dev") != first
    table.write_text(table.read_text().replace("four", "4"))
    assert make_data(table).fingerprint("dev") != first
    assert (
        make_task("p", declare(table), "time").version
        != make_task("p", declare(table, instruction="Sun?"), "time").version
    )


def test_numbers_and_listed_labels_have_one_spelling(tmp_path):
    rows = [
        f"{n},ann,2024-01-{n:02},t{n},{r}" for n, r in enumerate(["4.0", "10", "2", "4", "3"], 1)
    ]
    path = write_rows(tmp_path / "a.csv", *rows)
    assert make_data(path, kind="ordinal", dev=0).labels == ("2", "4", "10")
    path = write_rows(tmp_path / "b.csv", "1,ann,2024-01-01,x,Sun ", "2,ann,2024-01-02,y,SUN")
    data = make_data(path, labels=["sun", "shade"])
    assert [row.output for row in data.rows.rows] == ["sun", "sun"]


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("9,,2024-01-01,x,sun", "missing-user"),
        ("9,ann,2024-01-01, ,sun", "missing-input"),
        ("9,ann,2024-01-01,x,", "missing-output"),
        ("9,ann,,x,sun", "missing-time"),
        ("9,ann,soon,x,sun", "unreadable-time"),
        (",ann,2024-01-01,x,sun", "missing-id"),
        ("a1,ann,2024-01-01,x,sun", "repeated-id"),
        ("9,ann,2024-01-01,x", "unreadable-row"),
        ("9,ann,2024-01-01,x,moon", "unknown-label"),
    ],
)
def test_a_faulty_row_is_named_or_dropped(tmp_path, row, kind):
    path = write_rows(tmp_path / "a.csv", *ANN, row)
    data = make_data(path, labels=["sun", "shade"])
    assert [(fault.number, fault.kind) for fault in data.rows.faults] == [(7, kind)]
    with pytest.raises(DataError, match=r"1 of 6 rows can't be used: row 7 .*faulty_rows"):
        data.require_usable()
    keys = {"labels": ["sun", "shade"], "faulty_rows": "drop"}
    task = make_task("mine", declare(path, **keys), "time")
    assert len(task.data.load(task(), "dev")) == 1
    assert kind in {
        finding.kind for finding in audit_table("mine", declare(path, **keys), "time").findings
    }


def test_ambiguous_dates_need_a_format(tmp_path):
    rows = ["1,ann,12/01/2001,x,sun", "2,ann,02/03/2001,y,sun", "3,ann,03/01/2002,z,sun"]
    path = write_rows(tmp_path / "a.csv", *rows)
    with pytest.raises(DataError, match=r"ambiguous dates, such as .*12/01/2001.*day-first"):
        make_data(path).require_usable()
    assert histories(make_data(path, dates="day-first"), "test") == {"3": ["1", "2"]}
    assert histories(make_data(path, dates="month-first"), "test") == {"3": ["2", "1"]}


def test_a_label_that_only_golds_have_is_an_error_with_the_list(tmp_path):
    path = write_rows(tmp_path / "a.csv", *ANN[:4], "a5,ann,2024-02-01,five,moon")
    task = make_task("mine", declare(path), "time")
    with pytest.raises(DataError, match=r'labels = \["moon", "shade", "sun"\]') as error:
        task.data.load(task(), "test")
    assert error.value.id == "a5"


def test_verify_finds_labels_that_differ_in_case_and_targets_in_histories(tmp_path):
    rows = [f"{n},ann,2024-01-0{n},same,{'Sun' if n == 1 else 'sun'}" for n in range(1, 6)]
    report = audit_table("mine", declare(write_rows(tmp_path / "a.csv", *rows)), "time")
    kinds = {finding.kind for finding in report.findings if finding.severity == "warning"}
    assert kinds >= {"similar-labels", "target-in-profile"}


def test_ids_that_no_file_name_holds_stay_apart(tmp_path):
    rows = ["a/1,x/y,2024-01-01,x,sun", "a%2F1,x/y,2024-01-02,y,sun", "a1,x/y,2024-01-03,z,sun"]
    data = make_data(write_rows(tmp_path / "a.csv", *rows))
    assert [row.id for row in data.rows.rows] == ["a%2F1", "a%252F1", "a1"]


@pytest.mark.parametrize("text", ["мой ответ", "我的答案是好", "🌞🌛"])
def test_a_right_answer_scores_1_in_every_script(tmp_path, text):
    from tasks import Prediction

    rows = [f"{n},ann,2024-01-0{n},{text} {n},{text}" for n in (1, 2, 3)]
    path = write_rows(tmp_path / "a.csv", *rows)
    task = make_task("mine", declare(path, kind="generation"), "time")
    golds = task.data.load(task(), "dev").golds
    scores = task().score([Prediction(id, gold) for id, gold in golds.items()], golds)
    assert scores["rouge1"].value == 1
    assert scores["chrf"].value == 100


def test_a_column_of_dates_is_the_time_whatever_its_name(tmp_path):
    """In German: who asks is one of 3, the day one of 12, and both recur."""
    rows = [f"{n};Frau {n % 3};0{n % 9 + 1}.04.2024;Anliegen {n};{'ab'[n % 2]}" for n in range(24)]
    path = write_rows(tmp_path / "t.csv", *rows, header="Nummer;Kundin;Datum;Anliegen;Team")
    roles = guess_roles(read_table(path), {})
    assert (roles["user"], roles["time"]) == ("Kundin", "Datum")


def test_numbers_are_not_taken_for_dates(tmp_path):
    rows = [f"ann,{2001 + n},text {n},{n % 3}" for n in range(9)]
    path = write_rows(tmp_path / "t.csv", *rows, header="person,built,words,answer")
    assert "time" not in guess_roles(read_table(path), {})


@pytest.mark.parametrize("number", ["9" * 300, "1e15", "-1000000000000000"])
def test_a_number_of_more_than_15_digits_is_no_answer(number):
    assert read_number(number) is None
    assert read_number("999999999999999") == 999_999_999_999_999


def test_characters_without_width_make_no_other_label():
    assert fold_label("come\u200bdy\ufeff") == fold_label("Comedy")
    assert fold_label("👨‍👩‍👧") != fold_label("👨👩👧")  # joined by a character with a meaning


def test_one_moment_in_two_precisions_is_a_tie(tmp_path):
    rows = [
        "a,ann,2024-01-05T00:00:00,one,sun",
        "b,ann,2024-01-05,two,shade",
        "c,ann,2024-01-06,three,sun",
        "d,ann,2024-01-06T00:00:00Z,four,shade",
    ]
    path = write_rows(tmp_path / "a.csv", *rows)
    data = make_data(path)
    assert histories(data, "test") == {"d": ["a", "b"]}  # the file's order, without c
    assert histories(data, "dev") == {"c": ["a", "b"]}
    found = {f.kind: f for f in audit_table("mine", declare(path), "time").findings}
    assert "4 of 4 rows have the same time" in found["equal-times"].message
    assert found["equal-times"].ids == ("row 2", "row 3", "row 4", "row 5")
    assert found["equal-times"].file == str(path)
    few = write_rows(tmp_path / "b.csv", *rows[:2])
    with pytest.raises(DataError, match=r"no user has 1 row before .* Rows of one time are no"):
        make_task("mine", declare(few), "time").data.load(
            make_task("m", declare(few), "time")(), "dev"
        )


def test_a_null_character_makes_a_faulty_row(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        '{"id": 1, "user": "ann", "when": "2024-01-01", "text": "a\\u0000b", "label": "sun"}\n'
    )
    (fault,) = make_data(path).rows.faults
    assert (fault.kind, fault.what) == ("unreadable-row", "has a null character in column 'text'")


def test_a_wrong_format_of_dates_is_named_as_the_cause(tmp_path):
    path = write_rows(tmp_path / "a.csv", *ANN)
    (fault, *_) = make_data(path, dates="%d/%m/%Y").rows.faults
    assert "no date as dates = '%d/%m/%Y' reads it: the likely cause" in fault.what
    write_rows(path, *(row.replace("2024", "soon, ") for row in ANN[:1]), "x,ann,soon,a,sun")
    assert all("likely" not in fault.what for fault in make_data(path).rows.faults)


def test_a_file_without_header_and_cells_that_look_missing_are_findings(tmp_path):
    rows = [*ANN, "a6,ann,2024-03-01,six,N/A", "a7,ann,2024-03-02,nan,sun"]
    path = write_rows(tmp_path / "a.csv", *rows)
    found = {f.kind: f for f in audit_table("mine", declare(path), "time").findings}
    assert "no-header" not in found
    missing = [
        f for f in audit_table("mine", declare(path), "time").findings if f.kind == "looks-missing"
    ]
    assert [(f.ids, f.message[:28]) for f in missing] == [
        (("row 8",), "the input of 1 row is 'nan' "),
        (("row 7",), "the output of 1 row is 'N/A'"),
    ]
    path = write_rows(tmp_path / "b.csv", *ANN[1:], header="a4,ann,2024-01-02,four,sun")
    keys = {"id": None, "user": "ann", "time": "2024-01-02", "input": "four", "output": "sun"}
    found = {f.kind: f for f in audit_table("mine", declare(path, **keys), "time").findings}
    assert "cells below 'ann' and 'sun' hold the same" in found["no-header"].message


def test_what_usable_rows_lack_is_no_finding_while_others_are_faulty(tmp_path):
    path = write_rows(tmp_path / "a.csv", *(f"1{row[2:]}" for row in ANN))
    kinds = {f.kind for f in audit_table("mine", declare(path), "time").findings}
    assert kinds == {"repeated-id"}
    dropped = audit_table("mine", declare(path, faulty_rows="drop"), "time").findings
    assert {"repeated-id", "one-label"} <= {f.kind for f in dropped}


@pytest.mark.parametrize(
    ("one", "other", "differ", "shown"),
    [
        ("caf\u00e9", "cafe\u0301", "Unicode form", r"('cafe\u0301'): 2 rows"),
        ("Caf\u00e9", "cafe\u0301", "case", "'Caf\u00e9': 3 rows"),
        ("sun", "Sun", "case", "'sun': 3 rows, 'Sun': 2 rows"),
        ("deep blue", "deep\xa0blue", "spelling", r"'deep\xa0blue': 2 rows"),
    ],
)
def test_similar_labels_say_in_what_they_differ(tmp_path, one, other, differ, shown):
    rows = [f"{n},ann,2024-01-0{n},text {n},{one if n < 4 else other}" for n in range(1, 6)]
    audit = audit_table("mine", declare(write_rows(tmp_path / "a.csv", *rows)), "time")
    (message,) = (f.message for f in audit.findings if f.kind == "similar-labels")
    assert f"labels differ only in {differ} (" in message
    assert shown in message


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("ticket_text", "ticket text"),
        ("ticketText", "ticket text"),
        ("TICKET-TEXT", "ticket text"),
        ("Bewertung", "Bewertung"),
        ("Text der Bewertung", "Text der Bewertung"),
    ],
)
def test_column_names_as_words(column, words):
    assert humanize(column) == words


def test_rows_of_one_time_are_named_as_the_cause_of_an_empty_set(tmp_path):
    rows = [f"{n},u{n % 2},2024-01-01,text {n},{'ab'[n % 2]}" for n in range(12)]
    task = make_task("mine", declare(write_rows(tmp_path / "t.csv", *rows)), "time")
    with pytest.raises(DataError, match="Rows of one time are no history of each other"):
        task.data.load(task(), "dev")
