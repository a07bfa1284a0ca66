"""The tokenizer of the embedded models: whole words, and fixed phrases of the official prompts."""

import re
from collections import Counter
from collections.abc import Iterable
from itertools import islice

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)  # fmt: skip
from transformers import PreTrainedTokenizerFast

from tasks.mini.pretraining import corpus, pretraining_pairs

PAD, EOS, UNKNOWN = "<pad>", "</s>", "<unk>"  # ids 0 and 1 as in T5
SPACE = "\u0120"
"""Prefix of tokens that begin a word: the byte-level alphabet's character for a space."""
WITHIN = "\u2581"
"""Prefix of tokens that continue a word; not a character of the byte-level alphabet."""

PHRASES = (
    "For an author who has written the paper with the title",
    "which reference is related? Just answer with [1] or [2] without explanation. [1]:",
    "[1]", "[2]:", "[2]",
    "Which tag does this movie relate to among the following tags? Just answer with the tag name "
    "without further explanation. tags: [sci-fi, based on a book, comedy, action, twist ending, "
    "dystopia, dark comedy, classic, psychology, fantasy, romance, thought-provoking, social "
    "commentary, violence, true story] description:",
    "the tag for the movie:",
    "based on a book", "twist ending", "dark comedy", "social commentary", "true story",
    "What is the score of the following review on a scale of 1 to 5? just answer with 1, 2, 3, 4, "
    "or 5 without further explanation. review:",
    "is the score for",
    "Generate a headline for the following article:",
    "is the title for",
    "Generate a title for the following abstract of a paper:",
    "is a title for",
    "Following the given patterns",
    "Paraphrase the following tweet without any explanation before or after it:",
    "are written by a person.",
)  # fmt: skip
"""Fixed phrases of LaMP's prompts and tags of several words; each is a single token.

This makes a prompt, and the time to process it, a third shorter.
"""

SIZE = 2500
TEXTS = 20_000


def train_tokenizer(seed: int, *, size: int = SIZE, texts: int = TEXTS) -> PreTrainedTokenizerFast:
    """Train the tokenizer on the pretraining texts of `seed`.

    Common words are single tokens. Other words are split into shorter tokens and bytes, so no text
    is unknown. White space, including spaces around punctuation, is not preserved.

    Args:
        size: upper bound of the vocabulary size, including phrases and the 512 byte tokens.
        texts: number of texts to count words in.
    """
    words = _build_word_splitter()
    counts = Counter(
        word for text in _draw_texts(seed, texts) for word, _ in words.pre_tokenize_str(text)
    )
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = [PAD, EOS, UNKNOWN, *letters, *(WITHIN + letter for letter in letters)]
    common = sorted(counts, key=lambda word: (-counts[word], word))
    tokens += [word for word in common if word not in letters][: size - len(tokens) - len(PHRASES)]
    tokenizer = Tokenizer(
        models.WordPiece(
            {token: id for id, token in enumerate(tokens)},
            unk_token=UNKNOWN,
            continuing_subword_prefix=WITHIN,
            max_input_chars_per_word=100_000,
        )
    )
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = words
    tokenizer.decoder = decoders.Sequence([decoders.Replace(WITHIN, ""), decoders.ByteLevel()])
    tokenizer.add_tokens([AddedToken(text, normalized=False) for text in PHRASES])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {EOS}", special_tokens=[(EOS, tokens.index(EOS))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token=PAD, eos_token=EOS, unk_token=UNKNOWN
    )


def find_capitalised(tokenizer: PreTrainedTokenizerFast) -> list[tuple[int, int]]:
    """Ids of words that the vocabulary contains in both forms: (capitalised, lower-case)."""
    ids = tokenizer.get_vocab()
    words = {word: id for word, id in ids.items() if word.startswith(SPACE)}
    pairs = ((id, SPACE + word[1:2].lower() + word[2:]) for word, id in words.items())
    return sorted((id, ids[lower]) for id, lower in pairs if ids.get(lower, id) != id)


def _build_word_splitter() -> pre_tokenizers.PreTokenizer:
    """Split text into words and runs of punctuation, each as bytes preceded by a space."""
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.Split(Regex('[\\p{L}\\p{N}-]+|"|[^\\s\\p{L}\\p{N}"-]+'), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=True, use_regex=False),
        ]
    )


def _draw_texts(seed: int, number: int) -> Iterable[str]:
    yield from islice(corpus(seed), number)
    phrases = re.compile("|".join(map(re.escape, sorted(PHRASES, key=len, reverse=True))))
    for input, output in islice(pretraining_pairs(seed, "stated"), number):
        yield phrases.sub(" ", input)
        yield output
