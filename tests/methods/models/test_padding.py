"""Padding, and soft tokens inserted before the first real token."""

import pytest
import torch

from methods.models.padding import after_prefix, pad


def test_padding_by_hand():
    ids, mask = pad([[5, 6], [7]], 0)
    assert ids.tolist() == [[5, 6], [7, 0]]
    assert mask.tolist() == [[1, 1], [1, 0]]
    ids, mask = pad([[5, 6], [7]], 0, left=True)
    assert ids.tolist() == [[5, 6], [0, 7]]
    assert mask.tolist() == [[1, 1], [0, 1]]


@pytest.mark.parametrize(
    ("left", "row", "real"),
    [(True, [0, -1, -2, 7], [0, 1, 1, 1]), (False, [-1, -2, 7, 0], [1, 1, 1, 0])],
)
def test_soft_tokens_directly_precede_the_first_real_token(left, row, real):
    ids, mask = pad([[5, 6], [7]], 0, left=left)
    prefix = torch.tensor([[[-1.0], [-2.0]]] * 2)
    embedded, mask = after_prefix(prefix, ids[..., None].float(), mask)
    assert embedded[..., 0].tolist() == [[-1, -2, 5, 6], row]
    assert mask.tolist() == [[1, 1, 1, 1], real]
