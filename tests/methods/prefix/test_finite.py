"""Soft tokens that are not finite are an error that names the example and its history."""

import pytest
import torch
from torch import nn

from methods.prefix.method import PrefixMethod
from tasks.common.errors import ModelError
from tests.methods.plugs import EXAMPLES, TRAIN, pplug

EMPTY = next(example for example in EXAMPLES if not example.history)
CAUSE = rf"soft tokens of id {EMPTY.id} are not finite; its history is empty"


class MaxPlug(nn.Module):
    """The maximum over a history's vectors, which is -inf where there are none."""

    def __init__(self, width, hidden):
        super().__init__()
        self.linear = nn.Linear(width, hidden)

    def forward(self, batch):
        values = batch.vectors.masked_fill(~batch.mask.unsqueeze(-1), -torch.inf)
        return self.linear(values.amax(1)).unsqueeze(1)


class MaxPrefix(PrefixMethod):
    name = "max-prefix"

    def build(self):
        llm = self.runtime.llm
        return MaxPlug(self.runtime.encoder.dimension, llm.hidden_size)


def test_training_names_the_example_with_an_empty_history(tmp_path):
    with pytest.raises(ModelError, match=CAUSE) as caught:
        pplug(tmp_path, MaxPrefix).fit(TRAIN, None)
    assert "learning_rate" not in caught.value.hint


def test_prediction_names_it_too(tmp_path):
    method = pplug(tmp_path, MaxPrefix)
    assert method.predict([example for example in EXAMPLES if example.history])
    with pytest.raises(ModelError, match=CAUSE):
        method.predict(EXAMPLES)
