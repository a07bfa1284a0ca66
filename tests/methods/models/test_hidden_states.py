"""Hidden states read and moved, against passes over one row without padding or cache."""

from contextlib import contextmanager

import pytest
import torch

from methods.models.hidden_states import Steering, find_layers, read_last_states
from methods.models.likelihood import read_starts
from tests.methods.models.builders import KINDS, LINES, PROMPTS, llm

ANSWERS = ["dog", "the lazy dog", "", "one to five", "a", "over the river", "many"]
BUDGETS = {"max_input_tokens": 40, "max_response_tokens": 8}
VECTORS = 3 * torch.randn(len(PROMPTS), 16, generator=torch.Generator().manual_seed(1))


def tiny(kind, beams=1, **config):
    return llm(kind, device="cpu", decoding={"num_beams": beams}, **config)


def read(model, prompt, answer):
    """All of one row's output: prompt and answer (ids), without an end of sequence."""
    ids = model.tokens.encode([prompt], BUDGETS["max_input_tokens"])[0].ids
    more = {"output_hidden_states": True, "use_cache": False}
    if model.is_encoder_decoder:
        read = torch.tensor([[*read_starts(model.model), *answer]])
        return model.model(input_ids=torch.tensor([ids]), decoder_input_ids=read, **more), 0
    return model.model(input_ids=torch.tensor([[*ids, *answer]]), **more), len(ids) - 1


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_states_are_those_of_the_answers_last_token(kind):
    model = tiny(kind, batch_size=3)
    found = read_last_states(model, [0], PROMPTS, ANSWERS, **BUDGETS)
    assert found.shape == (len(PROMPTS), 1, 16)
    for states, prompt, answer in zip(found[:, 0], PROMPTS, ANSWERS, strict=True):
        ids = model.tokens.encode_responses([answer], 8)[0][:-1]
        output, _ = read(model, prompt, ids)
        name = "decoder_hidden_states" if model.is_encoder_decoder else "hidden_states"
        assert torch.allclose(states, output[name][1][0, -1], atol=1e-5)  # 0 are the embeddings


@contextmanager
def moved(model, layer, vector, first):
    """Adds a vector to a layer's states of one row, from the place `first` on."""

    def move(_module, _inputs, output):
        states = output[0] if isinstance(output, tuple) else output
        states[:, first:] += vector

    handle = find_layers(model)[layer].register_forward_hook(move)
    yield
    handle.remove()


def by_hand(model, prompt, layer, vector, new):
    """Greedy tokens, each from a whole pass."""
    tokens, first = [], read(model, prompt, [])[1]
    while len(tokens) < new and (not tokens or tokens[-1] != 1):
        with moved(model, layer, vector, first):
            logits = read(model, prompt, tokens)[0].logits[0, -1]
        tokens.append(int(logits.argmax()))
    return model.tokens.decode(tokens)


@pytest.mark.parametrize("layer", [0, 1])
@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_each_answer_is_steered_by_its_own_vector(kind, layer):
    budget = {"max_input_tokens": 40, "max_new_tokens": 6}
    model = tiny(kind, batch_size=3)
    with Steering(model, layer, VECTORS).generating():
        found = [answer.text for answer in model.generate(PROMPTS, **budget)]
    pairs = zip(PROMPTS, VECTORS, strict=True)
    assert found == [by_hand(model, prompt, layer, vector, 6) for prompt, vector in pairs]
    plain = [answer.text for answer in model.generate(PROMPTS, **budget)]
    assert found != plain
    with Steering(model, layer, 0 * VECTORS).generating():
        assert [answer.text for answer in model.generate(PROMPTS, **budget)] == plain


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompts_beams_share_its_vector(kind):
    budget = {"max_input_tokens": 40, "max_new_tokens": 6}
    together, alone = tiny(kind, beams=3), tiny(kind, beams=3, batch_size=1)
    texts = []
    for model in (together, alone):
        with Steering(model, 0, VECTORS).generating():
            texts.append([answer.text for answer in model.generate(PROMPTS, **budget)])
    assert texts[0] == texts[1]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_losses_are_steered_from_the_prompts_last_token_on(kind):
    model = tiny(kind)
    steering = Steering(model, 0, VECTORS)
    rows = [4, 1, 3]
    prompts, answers = [PROMPTS[row] for row in rows], [LINES[0], "dog", "a user"]
    with steering.scoring(rows, prompts, 40):
        found, _ = model.loss(prompts, answers, **BUDGETS)
    for nll, row, answer in zip(found, rows, answers, strict=True):
        target = model.tokens.encode_responses([answer], 8)[0]
        first = read(model, PROMPTS[row], [])[1]
        with moved(model, 0, VECTORS[row], first):
            logits = read(model, PROMPTS[row], target[:-1])[0].logits[0]
        each = logits[-len(target) :].log_softmax(1)[range(len(target)), target]
        assert nll.item() == pytest.approx(-each.sum().item(), rel=1e-4)
