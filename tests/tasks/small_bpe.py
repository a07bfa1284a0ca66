"""A tiny byte-pair tokenizer whose merges never cross a space: joints take more than two tokens."""

import re


class SmallBPE:
    """Letters in pairs, every other character alone: "abcd" is 2 tokens, " , and " is 6.

    " , and " → " ", ",", " ", "an", "d", " ".
    """

    def _ends(self, text):
        return [found.end() for found in re.finditer(r"[a-z]{1,2}|.", text, re.DOTALL)]

    def count(self, text):
        return len(self._ends(text))

    def truncate(self, text, tokens):
        ends = self._ends(text)
        if len(ends) <= tokens:
            return text
        return text[: ends[tokens - 1]] if tokens > 0 else ""
