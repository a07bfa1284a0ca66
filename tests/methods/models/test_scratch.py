"""A T5 made from random weights, and its tokenizer."""

from methods.models.config import ScratchT5
from methods.models.scratch import list_texts, make_scratch_t5, train_tokenizer
from tasks import Behavior, Dataset, Example

SMALL = ScratchT5(d_model=32, d_ff=64, layers=1, decoder_layers=1, heads=2, dropout=0.0)


def test_a_scratch_t5_is_made_from_all_train_texts_reproducibly(tmp_path):
    history = (Behavior("b", "a past text", "a past text", response="tagged"),)
    example = Example("1", "u", "the input", "q", "q", history)
    train = Dataset("toy", "train", (example, example), {"1": "gold"}, "f")
    assert list(list_texts(train)) == ["the input", "gold", "a past text", "tagged"]
    first, second = (make_scratch_t5(tmp_path / name, SMALL, train) for name in "ab")
    for name in ("tokenizer.json", "model.safetensors", "config.json"):
        assert (first / name).read_bytes() == (second / name).read_bytes()


def test_the_scratch_tokenizer_round_trips_any_text():
    words = train_tokenizer(iter(["plain words only"]), 300)
    for text in ("plain words", "Ünïcode 数 🙂", "tabs\tand\nlines"):
        assert words.decode(words(text).input_ids, skip_special_tokens=True).strip() == text
    assert words("plain").input_ids[-1] == words.eos_token_id == 1
