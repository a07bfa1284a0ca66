import pytest
import torch

from methods.models.batching import BatchSize, in_batches
from methods.models.padding import after_prefix, pad
from tasks.common.errors import ModelError

CPU_FULL = (
    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
)


def test_longest_first_and_results_in_the_order_given():
    seen = []

    def forward(rows):
        seen.append(list(rows))
        return [row * 10 for row in rows]

    assert in_batches([3, 9, 1, 9, 5], BatchSize(2), forward) == [0, 10, 20, 30, 40]
    assert seen == [[1, 3], [4, 0], [2]]
    assert in_batches([], BatchSize(2), forward) == []


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory. Tried"), RuntimeError(CPU_FULL)]
)
def test_auto_halves_when_memory_runs_out_and_stays_there(error):
    size, tried = BatchSize("auto"), []

    def work(n):
        tried.append(n)
        if n > 16:
            raise error
        return n

    assert size.fit(work) == 16
    assert size.fit(work) == 16
    assert tried == [64, 32, 16, 16]


def test_what_never_fits_is_said_with_the_mend():
    def work(_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(ModelError, match="one example alone does not fit"):
        BatchSize("auto").fit(work)
    with pytest.raises(ModelError, match=r"a batch of 8 does not fit.*auto"):
        BatchSize(8).fit(work)


def test_other_errors_pass_through():
    def work(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        BatchSize("auto").fit(work)


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
def test_soft_tokens_stand_directly_before_the_first_real_token(left, row, real):
    ids, mask = pad([[5, 6], [7]], 0, left=left)
    prefix = torch.tensor([[[-1.0], [-2.0]]] * 2)
    embedded, mask = after_prefix(prefix, ids[..., None].float(), mask)
    assert embedded[..., 0].tolist() == [[-1, -2, 5, 6], row]
    assert mask.tolist() == [[1, 1, 1, 1], real]
