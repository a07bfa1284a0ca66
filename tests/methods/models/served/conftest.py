import pytest
import torch

from methods.models.opening import load_llm
from tests.tiny import tiny_llama

LIMITS = {"max_new_tokens": 8, "max_input_tokens": 64}


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    """A folder with a tiny random Llama."""
    torch.set_num_threads(1)
    return tiny_llama(tmp_path_factory.mktemp("served") / "llama")


@pytest.fixture(scope="session")
def local(llama):
    """The same model in memory, greedy."""
    return load_llm(str(llama), device="cpu", decoding={"num_beams": 1})


@pytest.fixture
def open_served(tmp_path):
    """endpoint, options of `served` → the LLM; its answers are kept for the test."""

    def open(endpoint, *, model="tiny", chat_template=False, revision=None, **served):
        return load_llm(
            model,
            revision,
            cache=tmp_path / "cache",
            endpoint=endpoint,
            device="cpu",
            chat_template=chat_template,
            served=served,
        )

    return open
