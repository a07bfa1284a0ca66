"""Words: what ROUGE, BLEU and BM25 compare; how a text is divided into them.

LaMP's scripts use two rules: rouge-score's words are runs of a–z and 0–9, so that it sees nothing
of a Cyrillic, Chinese or Hindi text, and BM25's stand between spaces, so that a Chinese sentence is
one word. Tasks in other languages name the rule "unicode".
"""

import unicodedata
from functools import cache
from typing import Any, Literal

WordRule = Literal["lamp", "unicode"]
"""How texts are divided into words.

- "lamp": as LaMP's scripts do: rouge-score's own rule in ROUGE, sacrebleu's 13a in BLEU, white
  space in BM25 (case kept).
- "unicode": `split_words`, in all three.
"""
LAMP: WordRule = "lamp"
UNICODE: WordRule = "unicode"

UNSPACED = "".join(
    rf"\p{{{script}}}"
    for script in ("Han", "Hiragana", "Katakana", "Bopomofo", "Thai", "Lao", "Khmer", "Myanmar",
                   "Yi", "Javanese", "Balinese", "Tai_Le", "New_Tai_Lue", "Tai_Tham")
)  # fmt: skip
"""Scripts that don't separate words; each of their grapheme clusters counts as a word."""
JOINERS = r"\u200c\u200d"
"""Zero-width joiners, which stand inside words of Persian and Hindi."""
VARIATIONS = dict.fromkeys((0xFE0E, 0xFE0F))
"""Selectors of an emoji's looks: ❤ and ❤️ are one word."""


def split_words(text: str) -> list[str]:
    """The words of a text in any script, in lower case.

    A word is a run of letters, marks and digits. Of scripts that don't separate words (Chinese,
    Japanese, Thai, …), each grapheme cluster is one; so is each emoji, with its skin tone, flag or
    family, and each other symbol. Punctuation separates. Full-width forms are the plain ones.
    """
    if text.isascii():
        return list(_ascii_words().findall(text.lower()))
    folded = unicodedata.normalize("NFKC", text).casefold()
    words = _words().findall(unicodedata.normalize("NFC", folded))
    return [word.translate(VARIATIONS) for word in words]


def count_letters(text: str) -> tuple[int, int]:
    """(letters, digits and symbols of a text, how many of them rouge-score's own rule drops)."""
    if text.isascii():
        return sum(map(str.isalnum, text)), 0
    found = _letters().findall(text)
    return len(found), sum(not letter.isascii() for letter in found)


class UnicodeTokenizer:
    """`split_words` with the interface of a rouge-score tokenizer."""

    def tokenize(self, text: str) -> list[str]:
        """The words of `text`."""
        return split_words(text)


@cache
def _words() -> Any:
    import regex

    whole = rf"(?=[#*0-9]\uFE0F?\u20E3|\p{{Regional_Indicator}}|\p{{So}}|[{UNSPACED}])\X"
    emoji = r"(?=\p{Emoji_Presentation}|\p{Extended_Pictographic})\X"
    word = rf"(?=[\p{{L}}\p{{M}}\p{{N}}])[[\p{{L}}\p{{M}}\p{{N}}{JOINERS}]--[{UNSPACED}]]+"
    return regex.compile(rf"{whole}|{emoji}|{word}", regex.VERSION1)


@cache
def _ascii_words() -> Any:
    import regex

    return regex.compile(r"[a-z0-9]+")


@cache
def _letters() -> Any:
    import regex

    return regex.compile(r"[\p{L}\p{N}\p{So}]")
