"""Batch sizes that adapt to memory; results in the caller's order."""

import pytest
import torch

from methods.models.batching import BatchSize, in_batches
from tasks.common.errors import ModelError

CPU_FULL = (
    "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
)


def test_the_longest_rows_run_first_and_results_keep_their_order():
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
def test_auto_halves_permanently_when_memory_runs_out(error):
    size, tried = BatchSize("auto"), []

    def work(n):
        tried.append(n)
        if n > 16:
            raise error
        return n

    assert size.fit(work) == 16
    assert size.fit(work) == 16
    assert tried == [64, 32, 16, 16]


def test_a_size_that_never_fits_is_reported_with_a_hint():
    def work(_):
        raise torch.OutOfMemoryError("CUDA out of memory.")

    with pytest.raises(ModelError, match="a single example does not fit"):
        BatchSize("auto").fit(work)
    with pytest.raises(ModelError, match=r"a batch of 8 does not fit.*auto"):
        BatchSize(8).fit(work)


def test_other_errors_pass_through():
    def work(_):
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        BatchSize("auto").fit(work)
