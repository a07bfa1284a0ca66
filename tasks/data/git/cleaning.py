"""What is kept of a commit's message, and which commits are left out."""

import re
from collections.abc import Sequence

from tasks.data.git.repository import Commit
from tasks.data.near_duplicates import normalize_text

SHORTEST_BODY, SHORTEST_SUBJECT = 4, 2
"""Words; below, a body counts as none, and a commit is left out."""
SHOWN_FILES = 20
"""Changed files that a text names at most."""
LATEST = 253402300800
"""Seconds from 1970 to the year 10000."""

# A line of its own such as "Signed-off-by: …", "Change-Id: …" or "reviewed-by: …".
TRAILER = re.compile(
    r"\s*(?:[A-Z]\w*(?:-\w+)+|[a-z]+(?:-[a-z]+)*-(?:by|id)|[Cc][Cc]|git-svn-id|\w*RevId"
    r"|Differential Revision|Bug|BUG|Link|Issue|Tracking|Closes|Fixes|Refs|Resolves)\s*:\s"
)
# A line that says no more than which change or report belongs to this one.
REFERENCE = re.compile(
    r"\s*\W*(?:(?:cc|fix(?:es|ed)?|close[sd]?|resolve[sd]?|refs?|see|bugs?|issues?|pr|related to|"
    r"part of)\W+)?(?:\(?(?:cherry[- ]picked|backported) from .*|(?:[\w./-]*#|GH-|[A-Z]+-)\d+|"
    r"https?://\S+|I?[0-9a-f]{7,40})\W*",
    re.IGNORECASE,
)
MAIL = re.compile(r"<?\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*>?")
CHANGE_URL = re.compile(
    r"<?\bhttps?://\S*(?:/(?:commits?|c|r|pulls?|merge_requests|changes?|reviews?|cl|issues|\+)/"
    r"|/I?[0-9a-f]{7,40}\b|/\w?\d{3,}\b|/[A-Z]+-\d|[?&](?:id|h|rev|show_bug)=|#\d)\S*",
    re.IGNORECASE,
)
PATCH = re.compile(r"(?:\s*\[[^\]]*\bPATCH\b[^\]]*\])+", re.IGNORECASE)
NUMBER = re.compile(
    r"(?:\s*[(\[](?:#|GH-|!|PR ?#?|bpo-|closes #|fixes #)\d+[)\]])+\s*$", re.IGNORECASE
)

MERGE = re.compile(
    r"(?:Merged?|Auto(?:matic)?[ -]?merge) (?:remote-tracking |pull request|branch|tag|commit|"
    r"changes|PR\b|master|main|[0-9a-f]{7,}\b|[\w.-]+/[\w.-]+|#\d|')",
    re.IGNORECASE,
)
REVERT = re.compile(r"(?:Revert(?:ed|s)?|Reapply|Back(?:ed)? ?out)\b", re.IGNORECASE)
AUTOSQUASH = re.compile(r"(?:fixup|squash|amend)! ")
BOT = re.compile(
    r"\[bot\]|(?:^|[-_. ])(?:ro)?bot(?:$|[-_@])|-ci@|^(?:dependabot|renovate|greenkeeper|"
    r"pre-commit-ci|github[- ]actions?|snyk|mergify|bors|(?:hosted )?weblate|jenkins|travis|"
    r"gitlab[- ]ci|copybara|semantic-release|imgbot|allcontributors|buildbot|autoroller)\b",
    re.IGNORECASE,
)


def clean_subject(text: str) -> str:
    """A subject without patch marks, numbers of changes, e-mail addresses and spare spaces."""
    text = MAIL.sub("", PATCH.sub("", text))
    return " ".join(NUMBER.sub("", text).split())


def clean_body(text: str, longest: int) -> str:
    """A message's body as one line of at most `longest` characters, cut at a space.

    Trailers, e-mail addresses, and URLs and lines that only lead to a change are removed.
    """
    lines = [
        line
        for line in text.splitlines()
        if not TRAILER.match(line) and not REFERENCE.fullmatch(line)
    ]
    return cut(" ".join(MAIL.sub("", CHANGE_URL.sub("", "\n".join(lines))).split()), longest)


def describe_files(paths: Sequence[str], longest: int) -> str:
    """What stands for a body where there is none: the changed files."""
    more = len(paths) - SHOWN_FILES
    end = f" and {more} more" if more > 0 else ""
    return cut(f"Changed files: {', '.join(paths[:SHOWN_FILES])}{end}", longest)


def cut(text: str, longest: int) -> str:
    """The text, or its beginning up to a space."""
    if len(text) <= longest:
        return text
    return text[: longest + 1].rpartition(" ")[0] or text[:longest]


def is_body(text: str) -> bool:
    """Whether a cleaned body says enough to stand for the commit."""
    return len(text.split()) >= SHORTEST_BODY


def repeats(text: str, subject: str) -> bool:
    """Whether a text holds its commit's whole subject, so that copying would be an answer."""
    return f" {normalize_text(subject)} " in f" {normalize_text(text)} "


def find_reason(commit: Commit, subject: str) -> str | None:
    """Why a commit is left out, whatever its body; None if it isn't. `subject` is cleaned."""
    reasons = {
        "not UTF-8": "\ufffd" in commit.subject + commit.body,
        "no usable date": commit.time is None or not 0 < commit.time < LATEST,
        "by a bot": BOT.search(commit.name) or BOT.search(commit.mail),
        "a merge": MERGE.match(subject),
        "a revert": REVERT.match(subject) or "This reverts commit" in commit.body,
        "to be squashed": AUTOSQUASH.match(commit.subject),
        f"a subject of fewer than {SHORTEST_SUBJECT} words": len(subject.split())
        < SHORTEST_SUBJECT,
    }
    return next((reason for reason, found in reasons.items() if found), None)
