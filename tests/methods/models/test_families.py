"""Every family: ids and embeddings agree, soft tokens have the right length, or a clear error."""

import pytest
import torch

from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from tasks.common.errors import ModelError
from tests.methods.models import families
from tests.methods.models.builders import tokenizer
from tests.methods.models.families import FAMILIES, HIDDEN, make_llm, make_model

PROMPTS = ["the quick brown fox", "what is the score of the following review", "dog"]
RESPONSES = ["one to five", "the river", "a"]
LOSS = {"max_input_tokens": 40, "max_response_tokens": 8}
BUDGET = {"max_input_tokens": 40, "max_new_tokens": 4}
NO_SOFT_TOKENS = {"Falcon-H1"}
SCALED_IN_LAYER = {
    "Gemma", "Gemma 2", "Gemma 3", "XGLM", "BioGPT", "mBART", "M2M100", "Blenderbot",
}  # fmt: skip
SCALED_BEHIND = {"Pegasus", "Marian"}
SOFT = sorted(set(FAMILIES) - NO_SOFT_TOKENS)


@pytest.fixture(autouse=True)
def one_thread():
    torch.set_num_threads(1)


def no_tokens():
    return torch.zeros(len(PROMPTS), 0, HIDDEN)


@pytest.mark.parametrize("family", SOFT)
def test_a_prefix_of_length_zero_changes_nothing(family):
    tiny = make_llm(family)
    by_ids, _ = tiny.loss(PROMPTS, RESPONSES, **LOSS)
    by_embeddings, _ = tiny.loss(PROMPTS, RESPONSES, prefix=no_tokens(), **LOSS)
    torch.testing.assert_close(by_embeddings, by_ids, rtol=1e-4, atol=1e-4)
    answers = tiny.generate(PROMPTS, **BUDGET)
    assert tiny.generate(PROMPTS, prefix=no_tokens(), **BUDGET) == answers


@pytest.mark.parametrize("family", SOFT)
def test_soft_tokens_have_the_mean_length_of_token_embeddings(family):
    """The rows of all embedding matrices here have about the same length; √64 = 8."""
    tiny = make_llm(family)
    rows = tiny.model.get_input_embeddings().weight.norm(dim=1).mean().item()
    factor = 8 if family in SCALED_IN_LAYER | SCALED_BEHIND else 1
    assert tiny.embedding_norm() == pytest.approx(factor * rows, rel=1e-4)
    assert tiny.embedding_scale() == (8 if family in SCALED_BEHIND else 1)


@pytest.mark.parametrize("family", SOFT)
def test_soft_tokens_equal_to_tokens_act_like_them(family):
    tiny = make_llm(family)
    head = tiny.tokenizer(" the quick", add_special_tokens=False).input_ids
    factor = 8 if family in SCALED_BEHIND else 1
    soft = factor * tiny.model.get_input_embeddings()(torch.tensor([head] * 3))
    whole, _ = tiny.loss([f"the quick {prompt}" for prompt in PROMPTS], RESPONSES, **LOSS)
    joined, _ = tiny.loss(PROMPTS, RESPONSES, prefix=soft, **LOSS)
    torch.testing.assert_close(joined, whole, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", sorted(NO_SOFT_TOKENS))
def test_an_llm_that_cannot_generate_from_embeddings_is_refused_before_training(family):
    tiny = make_llm(family)
    for use in (
        tiny.embedding_norm,
        lambda: tiny.loss(PROMPTS, RESPONSES, prefix=no_tokens(), **LOSS),
        lambda: tiny.generate(PROMPTS, prefix=no_tokens(), **BUDGET),
    ):
        with pytest.raises(ModelError, match=f"tiny {family}: takes no soft tokens: it can't gen"):
            use()
    assert tiny.generate(PROMPTS, **BUDGET)
    assert tiny.label_likelihoods(PROMPTS, ["a"], max_input_tokens=40).shape == (3, 1)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_hides_no_factor(dtype):
    model = make_model("Pegasus").to(dtype)
    tiny = LanguageModel(model, tokenizer("t5"), LLMConfig(model="tiny"), name="half")
    assert tiny.embedding_scale() == 8


def wrap(model) -> LanguageModel:
    return LanguageModel(model, tokenizer("llama"), LLMConfig(model="tiny"), name="odd")


def test_any_constant_factor_is_found_by_measuring():
    model = make_model("Falcon-H1")
    own = type(model).prepare_inputs_for_generation

    def prepare(input_ids, inputs_embeds=None, **kwargs):
        return own(model, input_ids, inputs_embeds=inputs_embeds, **kwargs)

    model.prepare_inputs_for_generation = prepare
    assert wrap(model).embedding_scale() == pytest.approx(5, rel=1e-5)  # its embedding_multiplier


def test_an_llm_that_reads_ids_in_another_way_too_is_refused():
    model = make_model("Llama")
    own = model.forward

    def forward(input_ids=None, **kwargs):
        result = own(input_ids=input_ids, **kwargs)
        if input_ids is not None:
            result.logits = result.logits + torch.arange(result.logits.shape[-1])
        return result

    model.forward = forward
    with pytest.raises(ModelError, match="answers otherwise to embeddings than to the ids"):
        wrap(model).embedding_norm()


@pytest.mark.parametrize("family", ["Llama", "BART"])
def test_positions_must_suffice_for_the_answer(family):
    model = make_model(family, max_position_embeddings=16)
    words = tokenizer("t5" if model.config.is_encoder_decoder else "llama")
    short = LanguageModel(model, words, LLMConfig(model="tiny"), name="short")
    short.check_room(12)
    with pytest.raises(ModelError, match=r"short: .* need.* positions, the model has 16"):
        short.check_room(17)
    with pytest.raises(ModelError, match=r"need.* \d+ positions, the model has 16"):
        short.generate(["dog"], max_input_tokens=15, max_new_tokens=17)
    with pytest.raises(ModelError, match="positions, the model has 16"):
        short.loss(["dog"], ["a river " * 9], max_input_tokens=15, max_response_tokens=30)


@pytest.mark.parametrize("family", ["Llama", "T5"])
def test_logits_that_are_not_finite_are_an_error_that_names_llm_and_batch(family):
    broken = make_model(family)
    norm = next(part for name, part in broken.named_parameters() if "norm" in name)
    norm.data[3] = float("nan")
    words = tokenizer("t5" if family == "T5" else "llama")
    tiny = LanguageModel(broken, words, LLMConfig(model="tiny"), name="broken")
    why = "broken: logits are not finite in a batch of 3 prompts, the first of which is 'what is"
    with pytest.raises(ModelError, match=why):
        tiny.generate(PROMPTS, **BUDGET)  # longest first
    with pytest.raises(ModelError, match="broken: logits are not finite"):
        tiny.label_likelihoods(PROMPTS, ["a"], max_input_tokens=40)
    with pytest.raises(ModelError, match="broken: logits are not finite"):
        tiny.embedding_norm()


def test_soft_tokens_that_are_not_finite_are_named_as_the_cause():
    soft = no_tokens().new_full((3, 1, HIDDEN), float("nan"))
    with pytest.raises(ModelError, match="soft tokens put before its prompts are not finite"):
        make_llm("Llama").generate(PROMPTS, prefix=soft, **BUDGET)


def test_the_table_in_the_docs_is_what_runs():
    """Write it with `python -m tests.methods.models.families`."""
    assert families.read_table() == families.make_table()
