"""Answers and losses of a frozen LLM: by hand, and independent of the batch."""

import pytest
import torch

from methods.models.batching import BatchSize
from tasks.common.errors import ConfigError, ModelError
from tests.methods.models.builders import CHAT, KINDS, PROMPTS, llm

BUDGET = {"max_new_tokens": 6, "max_input_tokens": 40}
RESPONSES = ["dog", "one to five", "the river", "a", "fox", "short texts", "in turn"]
LOSS = {"max_input_tokens": 40, "max_response_tokens": 8}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def prefixes(n, hidden, length=3, dtype=torch.float32):
    return torch.randn(n, length, hidden, generator=torch.Generator().manual_seed(3), dtype=dtype)


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_do_not_depend_on_batch_size_or_order(kind, soft):
    whole, one = llm(kind, double=True, batch_size=7), llm(kind, double=True, batch_size=1)
    prefix = prefixes(7, 16, dtype=torch.float64) if soft else None
    expected = one.generate(PROMPTS, prefix=prefix, **BUDGET)
    assert whole.generate(PROMPTS, prefix=prefix, **BUDGET) == expected
    assert len({answer.text for answer in expected}) > 1
    turned = None if prefix is None else prefix.flip(0)
    assert whole.generate(PROMPTS[::-1], prefix=turned, **BUDGET) == expected[::-1]


@pytest.mark.parametrize("beams", [1, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_generation_equals_beam_search_over_the_bare_model(kind, beams):
    tiny = llm(kind, decoding={"num_beams": beams})
    ids = tiny.tokenizer(PROMPTS[0], return_tensors="pt").input_ids
    found = tiny.model.generate(
        input_ids=ids, attention_mask=torch.ones_like(ids), num_beams=beams, do_sample=False,
        max_new_tokens=6, eos_token_id=1, pad_token_id=0,
    )[0]  # fmt: skip
    new = found[1:] if kind == "t5" else found[ids.shape[1] :]
    assert (
        tiny.generate([PROMPTS[0]], **BUDGET)[0].text
        == tiny.tokenizer.decode(new, skip_special_tokens=True).strip()
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_prefix_of_token_embeddings_equals_the_tokens(kind):
    """Soft tokens equal to the embeddings of "the quick" act like the text "the quick"."""
    tiny = llm(kind, double=True)
    head = tiny.tokenizer(" the quick", add_special_tokens=False).input_ids
    soft = tiny.model.get_input_embeddings()(torch.tensor([head] * 7))
    whole = ["the quick " + prompt for prompt in PROMPTS]
    wide = LOSS | {"max_input_tokens": 90}
    with_text, _ = tiny.loss(whole, RESPONSES, **wide)
    with_soft, _ = tiny.loss(PROMPTS, RESPONSES, prefix=soft, **wide)
    torch.testing.assert_close(with_soft, with_text, rtol=1e-9, atol=1e-9)
    budget = BUDGET | {"max_input_tokens": 90}
    answers = tiny.generate(PROMPTS, prefix=soft, **budget)
    assert [a.text for a in answers] == [a.text for a in tiny.generate(whole, **budget)]


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_the_losses_of_a_batch_equal_those_of_its_rows(kind, soft):
    tiny = llm(kind, double=True)
    prefix = prefixes(7, 16, dtype=torch.float64) if soft else None
    nll, tokens = tiny.loss(PROMPTS, RESPONSES, prefix=prefix, **LOSS)
    for row in range(7):
        own = None if prefix is None else prefix[row : row + 1]
        one, n = tiny.loss([PROMPTS[row]], [RESPONSES[row]], prefix=own, **LOSS)
        torch.testing.assert_close(nll[row : row + 1], one, rtol=1e-9, atol=1e-9)
        assert n.item() == tokens[row].item() == tiny.tokens.count(RESPONSES[row]) + 1


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_decoder_only_loss_matches_a_hand_calculation(kind):
    tiny = llm(kind, double=True)
    prompt = tiny.tokenizer(PROMPTS[0], add_special_tokens=False).input_ids
    answer = [*tiny.tokenizer("dog", add_special_tokens=False).input_ids, 1]
    log_p = tiny.model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
    by_hand = -sum(log_p[len(prompt) - 1 + i, token] for i, token in enumerate(answer))
    nll, tokens = tiny.loss([PROMPTS[0]], ["dog"], **LOSS)
    torch.testing.assert_close(nll[0], by_hand, rtol=1e-9, atol=1e-9)
    assert tokens.tolist() == [len(answer)]


def test_encoder_decoder_loss_matches_a_hand_calculation():
    tiny = llm("t5", double=True)
    prompt = tiny.tokenizer(PROMPTS[0]).input_ids
    answer = [*tiny.tokenizer("dog", add_special_tokens=False).input_ids, 1]
    own = tiny.model(torch.tensor([prompt]), labels=torch.tensor([answer])).loss * len(answer)
    nll, _ = tiny.loss([PROMPTS[0]], ["dog"], **LOSS)
    torch.testing.assert_close(nll[0], own, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_reach_the_prefix_but_not_the_llm(kind):
    tiny = llm(kind)
    prefix = prefixes(7, 16).requires_grad_()
    plain = torch.autograd.grad(
        tiny.loss(PROMPTS, RESPONSES, prefix=prefix, **LOSS)[0].sum(), prefix
    )
    with tiny.checkpointed():
        again = tiny.loss(PROMPTS, RESPONSES, prefix=prefix, **LOSS)[0].sum()
        calls = []
        layers = [part for part in tiny.model.modules() if type(part).__name__.endswith("MLP")]
        layers = layers or [
            part for part in tiny.model.modules() if "DenseAct" in type(part).__name__
        ]
        for layer in layers:
            layer.register_forward_pre_hook(lambda *_: calls.append(1))
        saved = torch.autograd.grad(again, prefix)
    assert len(calls) == len(layers) > 0  # recomputed in the backward pass
    assert plain[0].abs().sum() > 0
    torch.testing.assert_close(plain, saved)
    assert not any(w.requires_grad or w.grad is not None for w in tiny.model.parameters())
    assert not any(part.training for part in tiny.model.modules())


@pytest.mark.parametrize("kind", KINDS)
def test_label_likelihoods_are_negative_losses(kind):
    tiny = llm(kind, batch_size=4)
    labels = ["dog", "one to five"]
    found = tiny.label_likelihoods(PROMPTS, labels, max_input_tokens=40)
    assert found.shape == (7, 2)
    for column, label in enumerate(labels):
        nll, _ = tiny.loss(PROMPTS, [label] * 7, **LOSS)
        torch.testing.assert_close(found[:, column], -nll, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_truncation_is_counted_and_keeps_the_end_of_sequence(kind):
    tiny = llm(kind)
    text = PROMPTS[1]
    n, budget = tiny.tokens.count(text), 9
    answer = tiny.generate([text, "dog"], max_new_tokens=2, max_input_tokens=budget)
    assert answer[0].prompt_tokens == budget
    assert answer[0].truncated_tokens == n - (budget - tiny.prompt_overhead)
    assert answer[1].truncated_tokens == 0
    assert tiny.prompt_overhead == (1 if kind == "t5" else 0)
    if kind == "t5":
        assert tiny.tokens.encode([text], budget)[0].ids[-1] == 1


def test_new_tokens_count_up_to_the_end_of_sequence():
    tiny = llm("t5")
    generated = [a.new_tokens for a in tiny.generate(PROMPTS, **BUDGET)]
    assert all(1 <= n <= 6 for n in generated)


def test_an_answer_budget_in_the_config_takes_precedence():
    short = llm("llama", decoding={"num_beams": 1, "max_new_tokens": 2})
    assert all(a.new_tokens <= 2 for a in short.generate(PROMPTS, **BUDGET))


def test_the_models_own_sampling_is_disabled():
    tiny = llm("llama")
    own = tiny.model.generation_config
    assert (own.do_sample, own.temperature, own.top_p, own.max_length) == (False, None, None, None)
    assert own.repetition_penalty is None
    assert own.num_beams == 4
    assert tiny.generate(PROMPTS, **BUDGET) == tiny.generate(PROMPTS, **BUDGET)


def test_the_end_of_sequence_token_replaces_a_missing_pad_token():
    assert llm("gpt2").tokens.pad == llm("gpt2").tokens.eos == 1


def test_the_chat_template_is_never_cut():
    tiny = llm("llama", chat_template=CHAT)
    budget = tiny.prompt_overhead + 5
    encoded = tiny.tokens.encode([PROMPTS[1]], budget)[0]
    text = tiny.tokenizer.decode(encoded.ids)
    assert len(encoded.ids) <= budget
    assert encoded.truncated >= tiny.tokens.count(PROMPTS[1]) - 5
    assert text.strip().startswith("<s>user: what is")
    assert text.endswith(" end assistant:")


def test_a_budget_without_room_for_text_is_refused():
    with pytest.raises(ConfigError, match="leaves no room for text"):
        llm("t5").generate(["dog"], max_new_tokens=2, max_input_tokens=1)


def test_too_long_inputs_are_refused_with_the_numbers():
    with pytest.raises(ModelError, match=r"need \d+ positions, the model has 128"):
        llm("gpt2").generate([PROMPTS[1] * 20], max_new_tokens=9, max_input_tokens=500)


def test_a_chat_template_needs_a_model_that_has_one():
    with pytest.raises(ModelError, match="takes no chat template"):
        llm("t5", chat_template=CHAT)
    with pytest.raises(ModelError, match="has no chat template"):
        llm("llama", chat_template="")


def test_halving_the_batch_changes_no_answer(monkeypatch):
    tiny, calm = llm("t5"), llm("t5")
    tiny._batch_size = BatchSize("auto")
    generate, seen = tiny.model.generate, []

    def tight(**inputs):
        seen.append(len(inputs["attention_mask"]))
        if seen[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return generate(**inputs)

    monkeypatch.setattr(tiny.model, "generate", tight)
    assert tiny.generate(PROMPTS, **BUDGET) == calm.generate(PROMPTS, **BUDGET)
    assert tiny._batch_size.size == 2
    assert seen == [7, 7, 7, 7, 4, 2, 2, 2, 1]


def test_the_llm_is_frozen_and_described():
    tiny = llm("t5")
    assert not any(weight.requires_grad for weight in tiny.model.parameters())
    assert not tiny.model.training
    assert tiny.description["parameters"] == sum(w.numel() for w in tiny.model.parameters())
    assert tiny.description["dtype"] == "float32"
    expected = tiny.model.shared.weight.norm(dim=1).mean().item()
    assert tiny.embedding_norm() == pytest.approx(expected)


def test_no_prompts_give_no_results():
    assert llm("t5").generate([], **BUDGET) == []
    assert llm("t5").label_likelihoods([], ["a"], max_input_tokens=9).shape == (0, 1)
