"""Divides words that WordPiece would take too long for: its time grows with a word's cube."""

from tokenizers import Regex, Tokenizer, models, pre_tokenizers

LONGEST = 256
"""Characters of the longest word that stays whole."""
USUAL = 1000
"""A WordPiece model that reads words longer than this needs the division; BERT's stops at 100."""


def divide_long_words(tokenizer: Tokenizer) -> None:
    """Make a tokenizer read a word of more than LONGEST characters in parts of that length.

    WordPiece looks up every beginning of a word, then every beginning of what is left: a run of
    3,000 letters takes seconds, in parts a few milliseconds. Shorter words keep their tokens, and
    other models are left alone.
    """
    model = tokenizer.model
    if isinstance(model, models.WordPiece) and model.max_input_chars_per_word > USUAL:
        parts = pre_tokenizers.Split(Regex(f"[\\s\\S]{{{LONGEST}}}"), "isolated")
        before = tokenizer.pre_tokenizer
        tokenizer.pre_tokenizer = (
            parts if before is None else pre_tokenizers.Sequence([before, parts])
        )
