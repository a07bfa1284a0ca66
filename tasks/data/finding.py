"""A finding: something about the data that a reader of results should know, and its fix."""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "info"]

FIXES = {
    "missing": "Set the root to the folder that contains user/ and time/, or the JSON files",
    "target-in-profile": "Remove that item from the profile",
    "gold-in-query": "Remove the gold from the query's text, unless it is to be found there",
    "gold-in-profile-text": "Remove the gold from that item's text, or the item from the profile",
    "unknown-label-in-profile": "Correct the answer, or remove the item",
    "date-after-query": "Keep only items from before the query in its profile",
    "history-not-in-time-order": "Nothing needs to be done where items have dates",
    "undated-histories": "Add a field `date` to the items, or use no method that orders by time",
    "undated-items": "Add a field `date` to every item",
    "tied-dates": "Write dates with the time of day, or put each profile in order, oldest first",
    "respelled-labels": "Write the labels as the task does",
    "similar-users": "Write each user's name in one way",
    "empty-text-in-profile": "Remove the item",
    "empty-query": "Remove the question",
    "empty-gold": "Remove the question and its output: every answer scores 0",
    "control-characters": "Remove them; a file read in a wrong encoding has such",
    "huge-text": "Shorten the text: the prompt budget cuts it anyway",
    "duplicate-profile-ids": "Give each item of a profile an id of its own",
    "no-header": "Put a line with the columns' names before it",
    "looks-missing": "Remove the row, or give the cell a text of its own",
    "unreadable-row": "Correct the row, or remove it",
    "unreadable-time": "Correct the time, or set `dates` to the way in which all are written",
    "output-is-no-number": 'Correct the output, or set kind = "classification"',
    "repeated-id": "Give every row an id of its own, or leave `id` out",
    **{
        f"missing-{role}": "Fill the cell, or remove the row"
        for role in ("user", "input", "output", "time", "id")
    },
    "rouge-blind": 'Set words = "unicode" for the task: ROUGE and BLEU then read every script, and '
    "tables show chrF beside them",
    "bm25-blind": 'Set words = "unicode" for the task',
}
"""Kind of finding → how to fix it, for those that have a fix of their own."""


@dataclass(frozen=True)
class Finding:
    """Something a reader of results should know.

    Attributes:
        severity: "error" if the set can't be used, "warning" if scores on it may be misleading,
            else "info".
        kind: a stable name, e.g. "target-in-profile".
        set: the set concerned, e.g. "train"; "train+dev" if it concerns two; "" if none.
        message: a description with the number of occurrences.
        ids: ids of the examples concerned, in file order; pairs are written "a ~ b".
        file: the file concerned; "" if none, or if the message names it.
    """

    severity: Severity
    kind: str
    set: str
    message: str
    ids: tuple[str, ...] = ()
    file: str = ""

    @property
    def fix(self) -> str:
        """What to do about it; "" where nothing need be done, or where the message says it."""
        return FIXES.get(self.kind, "")

    def describe(self, shown: int) -> str:
        """The finding in one line, with at most `shown` ids."""
        ids = ", ".join(self.ids[:shown]) + (", …" if len(self.ids) > shown else "")
        listed = f": {ids}" if ids and self.kind != "unreadable" else ""  # whose message names it
        place = f" [{self.set}]" if self.set else ""
        rest = "".join(f". {part}" for part in (self.fix, self.file) if part)
        return f"{self.severity}: {self.kind}{place}: {self.message}{listed}{rest}"
