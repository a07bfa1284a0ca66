"""The embedded models' tokenizer keeps words and phrases whole, and knows every text."""

from itertools import islice

import pytest

from methods.embedded.vocabulary import PHRASES, UNKNOWN, find_capitalised, train_tokenizer
from tasks.mini.pretraining import pretraining_pairs


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(0, texts=700)


def pairs(stage, number):
    return list(islice(pretraining_pairs(7, stage), number))


def test_outputs_survive_a_round_trip(tokenizer):
    for _, output in pairs("stated", 120):
        ids = tokenizer(output)["input_ids"]
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == output


@pytest.mark.parametrize("text", ["Zürich 東京 \U0001f600", "unheard-of w0rds", "a_b ^^ [3]"])
def test_no_text_is_unknown(tokenizer, text):
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.convert_tokens_to_ids(UNKNOWN) not in ids
    assert tokenizer.decode(ids).replace(" ", "") == text.replace(" ", "")


def test_every_phrase_is_one_token_and_occurs_in_the_official_prompts(tokenizer):
    prompts = " ".join(
        input for stage in ("stated", "demonstrations") for input, _ in pairs(stage, 240)
    )
    for phrase in PHRASES:
        assert len(tokenizer(phrase, add_special_tokens=False)["input_ids"]) == 1
        assert phrase in prompts


def test_a_word_is_the_same_token_after_a_quote_and_after_a_space(tokenizer):
    quoted, plain = (tokenizer(text)["input_ids"] for text in ('"the mayor"', "the mayor"))
    assert quoted[1:3] == plain[:2]


def test_the_vocabulary_is_small_and_deterministic(tokenizer):
    assert len(tokenizer) <= 2500
    assert tokenizer.get_vocab() == train_tokenizer(0, texts=700).get_vocab()
    assert len(train_tokenizer(0, size=700, texts=200)) == 700


def test_capitalised_words_are_paired_with_their_lower_case(tokenizer):
    names = {
        tuple(tokenizer.convert_ids_to_tokens(list(pair))) for pair in find_capitalised(tokenizer)
    }
    assert ("\u0120Mayor", "\u0120mayor") in names
    assert all(upper[1:].lower() == lower[1:] != upper[1:] for upper, lower in names)
