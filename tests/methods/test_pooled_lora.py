"""One LoRA for everybody, the control for one LoRA per user."""

import dataclasses

import pytest
import torch

from methods.pooled_lora import PooledLora
from methods.user_lora import UserLora
from tasks.common.errors import DataError
from tests.methods.helpers import split
from tests.methods.lora_users import EXAMPLES, TRAIN, build_method
from tests.methods.models.builders import llm


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def model():
    """In float64, so that the other rows of a batch can't change an answer by rounding."""
    return llm("t5", double=True, device="cpu", decoding={"num_beams": 2, "max_new_tokens": 4})


def test_each_item_of_a_user_counts_once(tmp_path, model):
    twice = (*EXAMPLES, dataclasses.replace(EXAMPLES[2], id="6"))
    train = split({str(n): "1" for n in range(7)}, examples=twice)
    found = build_method(tmp_path, model, PooledLora)
    report = found.fit(train, None)
    # 3 + 5 + 1 + 4 + 2 items; users 0 and 4 have equal items, which count for each of them
    assert (report.examples, report.steps) == (15 * 2, 8 * 2)
    answers = found.predict(EXAMPLES)
    without = [dataclasses.replace(e, history=()) for e in EXAMPLES]
    assert found.predict(without) == answers
    assert found.cost().trainable_per_user == 0
    assert found.cost().trainable_shared == 6 * 2 * 2 * 4 * 16
    found.save(tmp_path / "saved")
    loaded = build_method(tmp_path / "b", model, PooledLora)
    loaded.load(tmp_path / "saved")
    assert loaded.predict(EXAMPLES) == answers


def test_pooled_lora_is_personal_only_by_its_text_side():
    assert not PooledLora.is_personal(PooledLora.Config())
    assert PooledLora.is_personal(PooledLora.Config(text="bm25"))
    assert UserLora.is_personal(UserLora.Config())


def test_training_needs_a_history(tmp_path, model):
    nobody = [dataclasses.replace(e, history=()) for e in EXAMPLES]
    with pytest.raises(DataError, match="gives a training pair"):
        build_method(tmp_path, model, PooledLora).fit(split(TRAIN.golds, examples=nobody), None)
