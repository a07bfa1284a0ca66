"""What of a model's own generation settings stays, and that training reads what generation reads."""

import pytest
import torch

from methods.models.config import LLMConfig
from methods.models.language_model import LanguageModel
from tasks.common.errors import ModelError
from tests.methods.models.builders import PROMPTS, llm, model, tokenizer
from tests.methods.models.families import make_model

LOSS = {"max_input_tokens": 40, "max_response_tokens": 8}
BUDGET = {"max_input_tokens": 40, "max_new_tokens": 4}


def make(kind="t5", **settings):
    made = model(kind)
    made.generation_config.update(**settings)
    return LanguageModel(made, tokenizer(kind), LLMConfig(model="tiny"), name="tiny")


def test_forced_and_suppressed_tokens_stay_and_penalties_go():
    written = llm("t5").model.generate(torch.tensor([[5, 6, 1]]), max_new_tokens=3)[0, 1:].tolist()
    tiny = make(
        forced_bos_token_id=9, suppress_tokens=written, begin_suppress_tokens=[7],
        bad_words_ids=[[8]], repetition_penalty=1.5, no_repeat_ngram_size=2, min_length=3,
        do_sample=True, temperature=0.2,
    )  # fmt: skip
    own = tiny.model.generation_config
    assert own.forced_bos_token_id == 9
    assert (own.suppress_tokens, own.begin_suppress_tokens) == (written, [7])
    assert own.bad_words_ids == [[8]]
    assert own.repetition_penalty is own.no_repeat_ngram_size is own.min_length is None
    found = tiny.model.generate(torch.tensor([[5, 6, 1]]), max_new_tokens=3)[0, 1:].tolist()
    assert found[0] == 9
    assert not set(found[1:]) & set(written)


def test_beams_are_ranked_by_their_mean_over_tokens():
    """A bigram model: its short answer has log-probability ln .5, of 2 tokens, its long one ln .4.

    By the mean over tokens (length_penalty 1), ln .4 / 3 = −.31 beats ln .5 / 2 = −.35; by the sum
    (length_penalty 0), the short one would win.
    """
    prompt, short, long, more = 5, 6, 7, 8
    made = model("llama")
    bigrams = torch.full((made.config.vocab_size,) * 2, 1e-9)
    for before, after, probability in (
        (prompt, short, 0.5), (prompt, long, 0.4), (short, 1, 1.0), (long, more, 1.0), (more, 1, 1.0),
    ):  # fmt: skip
        bigrams[before, after] = probability

    def bigram_logits(_module, _arguments, keywords, output):
        output.logits = bigrams.log()[keywords["input_ids"]]
        return output

    made.register_forward_hook(bigram_logits, with_kwargs=True)
    made.generation_config.length_penalty = 0.0
    config = LLMConfig(model="tiny", decoding={"num_beams": 2})
    tiny = LanguageModel(made, tokenizer("llama"), config, name="tiny")
    assert tiny.model.generation_config.length_penalty == 1
    found = tiny.model.generate(torch.tensor([[prompt]]), max_new_tokens=4)[0].tolist()
    assert found[:4] == [prompt, long, more, 1]


def test_the_first_token_of_an_answer_may_be_forced_to_its_last():
    assert make(forced_eos_token_id=1).model.generation_config.forced_eos_token_id == 1


def test_a_loss_reads_a_forced_first_token_and_does_not_score_it():
    """By hand: the decoder reads start 0, forced 9 and the answer; only the answer is scored."""
    tiny = make(forced_bos_token_id=9)
    prompt = tiny.tokenizer(PROMPTS[0]).input_ids
    answer = [*tiny.tokenizer("dog", add_special_tokens=False).input_ids, 1]
    read = torch.tensor([[0, 9, *answer[:-1]]])
    logits = tiny.model(input_ids=torch.tensor([prompt]), decoder_input_ids=read).logits[0]
    by_hand = -sum(logits.log_softmax(-1)[1 + i, token] for i, token in enumerate(answer))
    nll, tokens = tiny.loss([PROMPTS[0], PROMPTS[1]], ["dog", "one to five"], **LOSS)
    torch.testing.assert_close(nll[0], by_hand, rtol=1e-5, atol=1e-5)
    assert tokens[0].item() == len(answer)


@pytest.mark.parametrize("family", ["M2M100", "mBART"])
def test_a_loss_begins_with_the_start_token_of_generation(family):
    """M2M100 has no method of its own for it, and mBART's would begin with the answer's end."""
    made = make_model(family, decoder_start_token_id=5)
    tiny = LanguageModel(made, tokenizer("t5"), LLMConfig(model="tiny"), name="tiny")
    prompt = tiny.tokenizer("dog").input_ids
    answer = [*tiny.tokenizer("fox", add_special_tokens=False).input_ids, 1]
    read = torch.tensor([[5, *answer[:-1]]])
    logits = tiny.model(input_ids=torch.tensor([prompt]), decoder_input_ids=read).logits[0]
    by_hand = -sum(logits.log_softmax(-1)[i, token] for i, token in enumerate(answer))
    nll, _ = tiny.loss(["dog"], ["fox"], **LOSS)
    torch.testing.assert_close(nll[0], by_hand, rtol=1e-5, atol=1e-4)
    assert tiny.model.generation_config.decoder_start_token_id == 5


def test_answers_of_an_llm_whose_logits_overflow_are_an_error():
    """One infinite weight of the head: an error even where it isn't the winning token's."""
    made = model("t5")
    made.lm_head = torch.nn.Linear(16, len(tokenizer("t5")), bias=False)
    made.lm_head.weight.data[7] = float("inf")
    tiny = LanguageModel(made, tokenizer("t5"), LLMConfig(model="tiny"), name="big")
    with pytest.raises(ModelError, match="big: logits are not finite in a batch of 1 prompts"):
        tiny.generate(["dog"], **BUDGET)
