"""Likelihoods of labels behind prompts that are read once, against one prompt a label."""

import pytest
import torch

from methods.models.config import LLMConfig
from methods.models.identity import identity_from
from methods.models.language_model import LanguageModel
from tasks.common.errors import ModelError
from tests.methods.models.builders import CHAT, KINDS, PROMPTS, llm, tokenizer
from tests.methods.models.families import FAMILIES, make_llm, make_model

LABELS = ["dog", "one to five", "a", "the river bank"]
ROOM = {"max_input_tokens": 40}
NOT_SHARED = {"Falcon-H1"}


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def score_one_by_one(tiny, prefix=None, prompts=PROMPTS, **room):
    """One forward pass for each prompt and label."""
    rows = []
    for row, prompt in enumerate(prompts):
        own = None if prefix is None else prefix[row : row + 1]
        budget = {**ROOM, **room, "max_response_tokens": 12, "prefix": own}
        rows.append([-tiny.loss([prompt], [label], **budget)[0].item() for label in LABELS])
    return torch.tensor(rows, dtype=torch.float64)


def count_tokens_read(tiny, work):
    """Tokens that the first layer's attention reads, padding included."""
    read = []
    layer = next(m for name, m in tiny.model.named_modules() if name.endswith(("q", "q_proj")))
    hook = layer.register_forward_hook(lambda _m, inputs, _out: read.append(inputs[0].shape))
    work()
    hook.remove()
    return sum(shape[0] * shape[1] for shape in read)


@pytest.mark.parametrize("batch_size", [1, 9])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_they_equal_one_pass_for_each_prompt_and_label(kind, soft, batch_size):
    tiny = llm(kind, double=True, batch_size=batch_size)
    prefix = None
    if soft:
        random = torch.Generator().manual_seed(3)
        prefix = torch.randn(7, 3, 16, generator=random, dtype=torch.float64)
    found = tiny.label_likelihoods(PROMPTS, LABELS, prefix=prefix, **ROOM)
    expected = score_one_by_one(tiny, prefix)
    assert tiny._shares
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    answers = tiny.choose_labels(PROMPTS, LABELS, prefix=prefix, **ROOM)
    assert [answer.text for answer in answers] == [LABELS[i] for i in expected.argmax(1)]


def test_a_hand_calculation():
    tiny = llm("llama", double=True)
    prompt = tiny.tokenizer(PROMPTS[0], add_special_tokens=False).input_ids
    found = tiny.label_likelihoods([PROMPTS[0]], LABELS, **ROOM)[0]
    for label, value in zip(LABELS, found, strict=True):
        answer = [*tiny.tokenizer(label, add_special_tokens=False).input_ids, 1]
        log_p = tiny.model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        by_hand = sum(log_p[len(prompt) - 1 + i, token] for i, token in enumerate(answer))
        torch.testing.assert_close(value, by_hand, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_every_family_gives_the_same_in_either_way(family):
    tiny = make_llm(family)
    found = tiny.label_likelihoods(PROMPTS[:3], LABELS, **ROOM)
    expected = score_one_by_one(tiny, prompts=PROMPTS[:3]).float()
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
    assert tiny._shares == (family not in NOT_SHARED)


def test_windows_shorter_than_the_prompt():
    model = make_model("Mistral", sliding_window=4)
    tiny = LanguageModel(model, tokenizer("llama"), LLMConfig(model="tiny"))
    found = tiny.label_likelihoods(PROMPTS, LABELS, **ROOM)
    torch.testing.assert_close(found, score_one_by_one(tiny).float(), rtol=1e-4, atol=1e-4)
    assert tiny._shares


def test_a_decoders_forced_first_token_is_read_and_not_scored():
    tiny = llm("t5", double=True)
    tiny.model.generation_config.forced_bos_token_id = 7
    found = tiny.label_likelihoods(PROMPTS, LABELS, **ROOM)
    torch.testing.assert_close(found, score_one_by_one(tiny), rtol=1e-9, atol=1e-9)


def test_a_chat_template_may_be_longer_than_the_probe():
    tiny = llm("llama", double=True, chat_template=CHAT, system_prompt="a river " * 4)
    found = tiny.label_likelihoods(PROMPTS[:3], LABELS, max_input_tokens=90)
    expected = score_one_by_one(tiny, prompts=PROMPTS[:3], max_input_tokens=90)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["t5", "llama"])
def test_a_prompt_is_read_once_for_all_labels(kind):
    tiny = llm(kind, batch_size=4)
    tiny.label_likelihoods(["dog"], LABELS, **ROOM)  # finds out how
    length = len(tiny.tokens.encode([PROMPTS[1]], 40)[0].ids)
    read = count_tokens_read(tiny, lambda: tiny.label_likelihoods([PROMPTS[1]], LABELS, **ROOM))
    longest = max(tiny.tokens.count(label) for label in LABELS)
    # The first layer is T5's encoder's, which labels don't pass.
    assert read == length + (0 if kind == "t5" else len(LABELS) * longest)


def test_equally_likely_labels_are_decided_by_their_order():
    tiny = llm("gpt2", double=True)
    for labels in (["fox", "fox", "dog"], ["dog", "fox", "fox"]):
        tiny.label_likelihoods = lambda *_, **__: torch.tensor([[-1.0, -1.0, -2.0], [-3, -2, -2]])
        answers = tiny.choose_labels(["a", "b"], labels, **ROOM)
        assert [answer.text for answer in answers] == [labels[0], labels[1]]
        assert [answer.new_tokens for answer in answers] == [0, 0]


def test_prompts_are_cut_and_counted_as_in_generation():
    tiny = llm("t5")
    chosen = tiny.choose_labels(PROMPTS, LABELS, max_input_tokens=12)
    written = tiny.generate(PROMPTS, max_new_tokens=1, max_input_tokens=12)
    cost = [(answer.prompt_tokens, answer.truncated_tokens) for answer in chosen]
    assert cost == [(answer.prompt_tokens, answer.truncated_tokens) for answer in written]
    assert any(cut for _, cut in cost)


def test_labels_need_positions_too():
    tiny = llm("gpt2")
    with pytest.raises(ModelError, match=r"prompt and answer need .* positions, the model has 128"):
        tiny.choose_labels([PROMPTS[1] * 20], LABELS, max_input_tokens=126)


def test_it_is_another_decoding_and_the_default_keeps_its_key():
    plain = LLMConfig(model="x")
    likelihood = LLMConfig(model="x", decoding={"rule": "likelihood"})
    assert plain.decoding.key_options() == {"num_beams": 4, "max_new_tokens": None}
    assert likelihood.decoding.key_options()["rule"] == "likelihood"
    assert identity_from("w", plain) != identity_from("w", likelihood)


def test_a_served_llm_is_refused():
    with pytest.raises(ValueError, match="a served LLM gives no likelihoods of labels"):
        LLMConfig(model="x", endpoint="http://127.0.0.1/v1", decoding={"rule": "likelihood"})
