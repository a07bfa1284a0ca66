"""A text's vector is the same, to the last bit, whatever else is encoded with it."""

import random
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import methods
from methods.models import encoding
from methods.models.config import EncoderConfig
from methods.models.encoder import Encoder
from methods.models.encoding import Shape, rows_of, shape_of
from tests.tiny import tiny_encoder

EMBEDDED = Path(methods.__file__).parent / "embedded" / "weights" / "encoder"
WORDS = [
    "a",
    "good",
    "film",
    "about",
    "the",
    "war",
    "and",
    "old",
    "towns",
    "where",
    "rain",
    "falls",
]


def draw_texts(count):
    """Texts of 1 to 90 words, some of equal length; one empty, one far beyond the limit."""
    draw = random.Random(7)
    texts = [
        " ".join(draw.choice(WORDS) for _ in range(draw.choice([1, 2, 3, 5, 8, 13, 30, 90])))
        + f" {i}"
        for i in range(count - 2)
    ]
    return ["", *texts, "rain " * 700]


TEXTS = draw_texts(60)


@pytest.fixture(scope="module", params=["tiny", "embedded", "tiny in bfloat16"])
def encoder(request, tmp_path_factory):
    torch.set_num_threads(1)
    cache = tmp_path_factory.mktemp("encoder")
    folder = EMBEDDED if request.param == "embedded" else tiny_encoder(cache / "tiny")
    dtype = "bfloat16" if "bfloat16" in request.param else "float32"
    return Encoder.open(EncoderConfig(model=str(folder), device="cpu", dtype=dtype), cache=cache)


@pytest.fixture(scope="module")
def expected(encoder):
    """Text → the bytes of its vector, all encoded together."""
    vectors = encoder.encode(TEXTS, side="document")
    return {text: vector.tobytes() for text, vector in zip(TEXTS, vectors, strict=True)}


def differing(encoder, expected, texts):
    vectors = encoder.encode(texts, side="document")
    return [t for t, v in zip(texts, vectors, strict=True) if v.tobytes() != expected[t]]


def test_a_text_alone_gets_the_same_bits(encoder, expected):
    assert not [text for text in TEXTS if differing(encoder, expected, [text])]


def test_other_texts_another_order_and_number_change_no_bit(encoder, expected):
    draw = random.Random(1)
    for number in (2, 7, 33, len(TEXTS)):
        assert not differing(encoder, expected, draw.sample(TEXTS, number))
    others = [f"{text} indeed" for text in TEXTS]
    vectors = encoder.encode([*others, *TEXTS[::-1]], side="document")[len(others) :]
    assert [vector.tobytes() for vector in vectors] == [expected[text] for text in TEXTS[::-1]]


def test_a_row_without_padding_never_stands_beside_padded_ones(encoder):
    """Attention drops a mask that hides nothing, and then rounds otherwise."""
    texts = ["a " * n for n in range(40)]
    shapes = [shape_of(len(ids), 512) for ids in encoder.model.tokenizer(texts)["input_ids"]]
    pairs = [
        (shorter, full)
        for (shorter, padded), (full, exact) in pairwise(zip(texts, shapes, strict=True))
        if padded == exact._replace(padded=True) != exact
    ]
    assert pairs
    for shorter, full in pairs:
        alone = encoder.encode([full], side="document")
        together = encoder.encode([shorter, full], side="document")
        np.testing.assert_array_equal(together[1:], alone)


def test_equal_texts_are_encoded_once(encoder, expected):
    before = encoder.calls
    found = encoder.encode([TEXTS[3], TEXTS[5], TEXTS[3]], side="document")
    assert encoder.calls - before == 2
    assert [vector.tobytes() for vector in found] == [expected[TEXTS[i]] for i in (3, 5, 3)]


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_batch_is_full_and_padded_on_the_tokenizers_side(tmp_path, monkeypatch, side):
    folder = tiny_encoder(tmp_path / "tiny")
    opened = Encoder.open(EncoderConfig(model=str(folder), device="cpu"), cache=tmp_path)
    opened.model.tokenizer.padding_side = side
    seen = []
    forward = encoding._forward

    def record(model, features):
        seen.append(features)
        return forward(model, features)

    monkeypatch.setattr(encoding, "_forward", record)
    opened.encode(TEXTS, side="document")
    for features in seen:
        ids, mask = features["input_ids"], features["attention_mask"]
        assert ids.shape == mask.shape
        assert ids.shape[0] == rows_of(Shape(ids.shape[1], padded=False), "cpu", 64)
        first, last = mask[:, 0], mask[:, -1]
        assert (last if side == "left" else first).all()
        assert not ids[mask == 0].any()  # [PAD] is 0


@pytest.mark.parametrize(
    ("tokens", "shape"),
    [
        (0, Shape(8, True)),
        (2, Shape(8, True)),
        (8, Shape(8, False)),
        (9, Shape(16, True)),
        (33, Shape(40, True)),
        (64, Shape(64, False)),
        (65, Shape(80, True)),
        (129, Shape(160, True)),
        (480, Shape(500, True)),  # 512 would exceed the limit
        (500, Shape(500, False)),
    ],
)
def test_the_shape_follows_from_the_number_of_tokens(tokens, shape):
    assert shape_of(tokens, 500) == shape


def test_rows_fill_the_devices_tokens():
    assert rows_of(Shape(8, True), "cpu", 1000) == 64
    assert rows_of(Shape(500, True), "cpu", 1000) == 1
    assert rows_of(Shape(32, True), "cuda", 1000) == 512
    assert rows_of(Shape(32, True), "cuda", 48) == 48
