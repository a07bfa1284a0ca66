"""Labels as people write them: stray spaces, other case, other spellings of a number."""

import math
import unicodedata
from collections.abc import Iterable, Sequence

UNSEEN = dict.fromkeys((0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, 0x00AD))
"""Characters without width that editors leave in labels."""


def fold_label(text: str) -> str:
    """The form in which spellings of one label are equal: "comedy " and "Comedy", "５" and "5.0".

    Space is collapsed; case, full-width forms and characters without width are dropped; a number
    is written without a needless fraction or sign.
    """
    seen = unicodedata.normalize("NFKC", text.translate(UNSEEN))
    folded = " ".join(seen.casefold().split())
    try:
        number = float(folded)
    except ValueError:
        return folded
    if not math.isfinite(number):
        return folded
    return str(int(number)) if number.is_integer() and abs(number) < 2**53 else repr(number)


class LabelReader:
    """Reads answers as labels of a closed set.

    >>> LabelReader(("comedy", "drama")).read("Comedy ")
    'comedy'
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self.labels = frozenset(labels)
        self._folded: dict[str, str | None] = {}
        for label in labels:
            folded = fold_label(label)
            self._folded[folded] = None if folded in self._folded else label

    def read(self, text: str) -> str | None:
        """The label that `text` spells, or None: none, or several that differ only in spelling."""
        if text in self.labels:
            return text
        stripped = text.strip()
        return stripped if stripped in self.labels else self._folded.get(fold_label(text))


def describe_spellings(labels: Sequence[str]) -> str:
    """In what labels that are probably one differ: "case", "Unicode form" or "spelling".

    The Unicode form is whether é is written as one character or as two.
    """
    composed = {unicodedata.normalize("NFC", label) for label in labels}
    if len(composed) == 1:
        return "Unicode form"
    return "case" if len({label.casefold() for label in composed}) == 1 else "spelling"


def show_label(label: str) -> str:
    """The label in quotes, with the codes of its characters where they are not composed."""
    composed = unicodedata.normalize("NFC", label) == label
    return repr(label) if composed else f"{label!r} ({label!a})"


def find_spellings(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Groups of labels that are probably one, such as ("Billing", "billing"), as first seen."""
    groups: dict[str, dict[str, None]] = {}
    for label in labels:
        groups.setdefault(fold_label(label), {})[label] = None
    return [tuple(group) for group in groups.values() if len(group) > 1]
