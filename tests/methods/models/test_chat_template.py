"""Options of chat templates, system prompts, and the reasoning that is cut off answers."""

import pytest
from pydantic import ValidationError

from methods.models.config import LLMConfig
from methods.models.identity import identity_from
from methods.models.reasoning import cut_reasoning, is_open
from methods.models.tokenization import PromptTokenizer
from tasks.common.errors import ModelError
from tests.methods.models.test_data_tokens import CHATML, make_chat_tokenizer


def make_words(template=CHATML, **options):
    made = make_chat_tokenizer()
    made.chat_template = template
    return PromptTokenizer(made, chat_template=True, name="tiny", **options), made


def test_options_reach_the_template():
    words, made = make_words(template_options={"enable_thinking": False})
    ids = words.encode(["fox"], 99)[0].ids
    assert made.decode(ids).endswith("<|im_start|>assistant\n<think>\n\n</think>\n\n")
    assert made.convert_tokens_to_ids("</think>") in ids
    assert words.overhead == len(ids) - words.count("fox")


def test_an_option_that_the_template_does_not_read_is_refused():
    with pytest.raises(ModelError, match="tiny: the chat template has no option 'thinking'"):
        make_words(template_options={"thinking": False})


def test_a_system_prompt_comes_first_and_is_text_too():
    words, made = make_words(system_prompt="Be brief.<|im_end|>")
    ids = words.encode(["fox"], 99)[0].ids
    assert made.decode(ids).startswith("<|im_start|>system\nBe brief.<|im_end|><|im_end|>\n<|im_st")
    assert ids.count(made.convert_tokens_to_ids("<|im_end|>")) == 2


@pytest.mark.parametrize(
    ("start", "why"),
    [
        ("{{ raise_exception('System role not supported') }}", "System role not supported"),
        ("{% set messages = messages[1:] %}", "leaves out the system prompt"),
    ],
)
def test_a_template_without_a_system_role_is_refused(start, why):
    with pytest.raises(ModelError, match=why):
        make_words(start + CHATML, system_prompt="Be brief.")


def test_options_need_a_chat_template_and_are_in_the_key():
    given = {"chat_template_options": {"enable_thinking": False}, "reasoning": "keep"}
    with pytest.raises(ValidationError, match="only with chat_template = true"):
        LLMConfig(model="m", **given)
    base = LLMConfig(model="m", chat_template=True)
    keys = {identity_from("w", base)}
    for name, value in (given | {"system_prompt": "s"}).items():
        keys.add(identity_from("w", LLMConfig(model="m", chat_template=True, **{name: value})))
    assert len(keys) == 4
    assert base.template_parts == {}


@pytest.mark.parametrize(
    ("text", "opened", "answer"),
    [
        ("<think>so 4 or 5</think>\n\n5", False, "5"),
        ("so 4 or 5</think>5", True, "5"),  # the template opened it
        ("so 4 or 5</think>5", False, "5"),
        ("<think>a</think>b<think>c</think> d ", False, "d"),
        ("<think>so 4 or", False, ""),
        ("5 <think>or", False, ""),
        ("<think>a</think>5<think>b", False, ""),
        ("so 4 or", True, ""),
        ("5", False, "5"),
    ],
)
def test_an_answer_is_what_follows_its_reasoning(text, opened, answer):
    assert cut_reasoning(text, opened=opened) == answer


def test_a_prompt_may_end_inside_the_reasoning():
    assert is_open("a <think>\n")
    assert not is_open("a <think>\n\n</think>\n\n")
    assert not is_open("a")


@pytest.mark.parametrize("special", [False, True])
def test_reasoning_is_cut_off_decoded_answers(special):
    """Also where the tags are special tokens, which decoding leaves out."""
    words, made = make_words()
    if special:
        made.add_special_tokens({"additional_special_tokens": ["<think>", "</think>"]})
    ids = made("<think>four or five</think>\nfive<|im_end|>", add_special_tokens=False).input_ids
    assert words.decode(ids) == "five"
    assert words.decode(ids[:4]) == ""
    kept, _ = make_words(cuts_reasoning=False)
    assert "four or five" in kept.decode(ids)
    open_words, _ = make_words(CHATML + "<think>\n")
    assert open_words.decode(made("four").input_ids) == ""
    assert open_words.decode(made("four</think>five").input_ids) == "five"
