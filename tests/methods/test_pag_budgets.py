"""PAG under both budget rules, on a tokenizer whose joints take more than their allowance."""

import pytest

from methods.pag import PAG
from methods.prompt.method import FEWER_FIT
from tests.methods.helpers import EchoLLM, Said, behavior, build, example
from tests.tasks.small_bpe import SmallBPE

SUMMARY = "likes war and tea " * 20
HISTORY = [behavior(str(i), "war " * 20, "5", f"2020-01-0{i + 1}") for i in range(4)]


class Summarizing(EchoLLM):
    """Answers a request for a summary with a fixed one, and any other prompt with itself."""

    identity = "summarizing"
    tokens = SmallBPE()

    def generate(self, prompts, *, max_new_tokens, max_input_tokens, prefix=None):
        summaries = ["Summary:" in prompt for prompt in prompts]
        return [
            Said(SUMMARY if summary else prompt, 0, 0, 1)
            for prompt, summary in zip(prompts, summaries, strict=True)
        ]


@pytest.mark.parametrize("rule", ["lamp", "query-first"])
@pytest.mark.parametrize("limit", range(40, 300, 13))
@pytest.mark.parametrize("k", [0, 1, 3])
def test_prompts_fit_and_the_summary_never_costs_the_query(tmp_path, rule, limit, k):
    made = build(PAG, tmp_path, {"k": k}, llm=Summarizing(), max_input_tokens=limit)
    made.runtime.budget_rule = rule
    asked = example("1", "abcdef " * 5 + "end", HISTORY)
    (found,) = made.predict([asked])
    assert SmallBPE().count(found.text) <= max(made.budget, SmallBPE().count(asked.input))
    if found.text.startswith("Profile of the user: likes") or rule == "query-first":
        assert found.query_tokens_cut == 0
        assert found.text.endswith(asked.input)


def test_query_first_gives_the_summary_half_of_what_the_query_leaves(tmp_path):
    # "input abcdef" takes 7 tokens of 107 and leaves 100: the lead gets 50, less two joints of two.
    # A cut summary may be up to two tokens shorter.
    made = build(PAG, tmp_path, {"k": 1}, llm=Summarizing(), max_input_tokens=109)
    made.runtime.budget_rule = "query-first"
    (found,) = made.predict([example("1", "abcdef", HISTORY)])
    lead, _, rest = found.text.partition("5 is the score")
    assert 44 <= SmallBPE().count(lead) <= 46
    assert rest.endswith("input abcdef")
    assert (found.behaviors, found.query_tokens_cut) == (("3",), 0)
    assert found.note != FEWER_FIT
