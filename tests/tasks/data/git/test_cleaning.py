"""What is kept of a message, and which commits are left out."""

import pytest

from tasks.data.git.authors import number_authors
from tasks.data.git.cleaning import clean_body, clean_subject, describe_files, find_reason, repeats
from tasks.data.git.repository import Commit


def commit(subject="Read the file once", body="", name="Ann Lee", mail="ann@lee.org", time=1):
    return Commit("0" * 40, name, mail, time, subject, body)


@pytest.mark.parametrize(
    ("subject", "kept"),
    [
        ("Read the file once (#1234)", "Read the file once"),
        ("Read the file once (GH-7) (#8)", "Read the file once"),
        ("[PATCH v2 1/3] Read  the file", "Read the file"),
        ("Thank you, ann@lee.org", "Thank you,"),
        ("Fix #12 in parser", "Fix #12 in parser"),
    ],
)
def test_subjects(subject, kept):
    assert clean_subject(subject) == kept


@pytest.mark.parametrize(
    "line",
    [
        "Signed-off-by: Ann Lee <ann@lee.org>",
        "signed-off-by: Ann Lee <ann@lee.org>",
        "Co-authored-by: Ben <ben@x.org>",
        "Change-Id: I0123456789abcdef",
        "Reviewed-on: https://go-review.example.org/c/go/+/1234",
        "Cc: stable@vger.kernel.org",
        "Bug: 1234",
        "Fixes: #12",
        "fixes #12",
        "Closes owner/repo#12.",
        "See https://example.org/anything",
        "(cherry picked from commit 0123456789abcdef)",
        "git-svn-id: https://svn.example.org/trunk@12 abc",
        "PiperOrigin-RevId: 1234567",
        "JIRA-123",
    ],
)
def test_lines_that_only_lead_elsewhere_are_removed(line):
    assert clean_body(f"The file was read\ntwice.\n\n{line}\n", 99) == "The file was read twice."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Note: this needs Python 3.", "Note: this needs Python 3."),
        ("It is non-trivial: see the page.", "It is non-trivial: see the page."),
        ("Fix what 1.2 broke", "Fix what 1.2 broke"),
        ("Ask ann@lee.org or <ben@x> first", "Ask or first"),
        ("As in https://github.com/a/b/pull/12#x, said", "As in said"),
        ("As in https://git.example.org/x.git/commit/?id=0123456 we", "As in we"),
        (
            "As on https://docs.python.org/3/library we",
            "As on https://docs.python.org/3/library we",
        ),
        ("one two three four", "one two"),
        ("unbreakable", "unbreak"),
    ],
)
def test_bodies(text, kept):
    longest = {"one two three four": 9, "unbreakable": 7}.get(text, 99)
    assert clean_body(text, longest) == kept


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, None),
        ({"subject": "Merge branch 'x' into y"}, "a merge"),
        ({"subject": "Merge pull request #12 from a/b"}, "a merge"),
        ({"subject": "Merge sort is stable"}, None),
        ({"subject": 'Revert "Read the file once"'}, "a revert"),
        ({"body": "This reverts commit 0123."}, "a revert"),
        ({"subject": "fixup! Read the file"}, "to be squashed"),
        ({"name": "dependabot[bot]"}, "by a bot"),
        ({"name": "k8s-ci-robot"}, "by a bot"),
        ({"name": "x", "mail": "1+renovate[bot]@users.noreply.github.com"}, "by a bot"),
        ({"name": "Abbot Lee"}, None),
        ({"subject": "wip"}, "a subject of fewer than 2 words"),
        ({"time": None}, "no usable date"),
        ({"time": 10**12}, "no usable date"),
        ({"body": "caf\ufffd"}, "not UTF-8"),
    ],
)
def test_commits_that_are_left_out(options, reason):
    made = commit(**options)
    assert find_reason(made, clean_subject(made.subject)) == reason


def test_a_body_that_holds_the_subject_would_be_copied():
    assert repeats("I read the FILE, once and for all", "Read the file once")
    assert not repeats("Reread the file oncemore", "read the file once")
    assert not repeats("Read the files once", "Read the file once")


def test_changed_files_are_listed_up_to_a_number():
    assert describe_files(["a.py", "docs/b c.md"], 99) == "Changed files: a.py, docs/b c.md"
    assert describe_files([f"{n}" for n in range(23)], 999).endswith("18, 19 and 3 more")


def test_names_and_addresses_of_one_person_are_merged():
    same = [("Ann Lee", "ann@lee.org"), ("ann", "ANN@lee.org"), ("ann lee", "ann@work.com")]
    others = [
        ("root", "root@localhost"),
        ("admin", "root@localhost"),  # an address that many share
        ("ann", "other@x.org"),  # a name of one word
        ("Ben Oh", "noreply@github.com"),
        ("Cid Po", "noreply@github.com"),
    ]
    numbers = number_authors(commit(name=name, mail=mail) for name, mail in [*same, *others])
    assert len({numbers[identity] for identity in same}) == 1
    assert sorted(numbers[identity] for identity in [same[0], *others]) == list("123456")
    again = number_authors(commit(name=name, mail=mail) for name, mail in [*others, *same[::-1]])
    assert again == numbers
