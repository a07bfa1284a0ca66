"""Methods that write prompts: what the LLM reads and what a prediction records."""

import inspect
import textwrap

import numpy as np
import pytest

from methods import METHODS
from methods.bm25 import BM25
from methods.dense import Dense
from methods.prompt.method import FEWER_FIT, NOTHING_FITS, Prompt, PromptMethod
from methods.random_items import RandomItems
from methods.recency import Recency
from methods.zero_shot import ZeroShot
from tasks.common.errors import DataError
from tests.methods.helpers import EchoLLM, LetterEncoder, Said, behavior, build, example
from tests.tasks.small_bpe import SmallBPE

TEXTS = ["tea", "war a", "bread b", "war", "salt"]
HISTORY = [behavior(str(i), text, "5") for i, text in enumerate(TEXTS)]
ASKED = example("1", "war", HISTORY)


def test_zero_shot_reads_the_plain_input(tmp_path):
    llm = EchoLLM()
    (found,) = build(ZeroShot, tmp_path, llm=llm).predict([ASKED])
    assert (found.id, found.text, found.behaviors) == ("1", "input war", ())
    assert (found.prompt_tokens, found.new_tokens, found.error) == (2, 1, None)
    (prompts, new, budget, prefix) = llm.calls[0]
    assert (prompts, new, budget, prefix) == (["input war"], 10, 100, None)


@pytest.mark.parametrize(
    ("method", "config", "ids"),
    [
        (BM25, {}, ("3", "1", "4", "2")),
        (BM25, {"k": 1}, ("3",)),
        (Recency, {"k": 2}, ("4", "3")),
        (Recency, {"k": 9}, ("4", "3", "2", "1", "0")),
    ],
)
def test_prompts_show_retrieved_behaviours_best_first(tmp_path, method, config, ids):
    (found,) = build(method, tmp_path, config, llm=EchoLLM()).predict([ASKED])
    assert found.behaviors == ids
    items = [f'5 is the score for "{HISTORY[int(id)].text}"' for id in ids]
    places = [found.text.index(item) for item in items]
    assert places == sorted(places)
    assert found.text.endswith("input war")


def test_dense_encodes_all_texts_in_one_batch(tmp_path):
    encoder = LetterEncoder()
    method = build(Dense, tmp_path, {"k": 2}, llm=EchoLLM(), encoder=encoder)
    found = method.predict([example("1", "a", HISTORY), example("2", "b", HISTORY[:3])])
    assert [len(call) for call in encoder.calls] == [5, 2]
    assert found[0].behaviors == ("1", "4")  # the text with two a's, then the newest with one
    assert found[1].behaviors == ("2", "1")


def test_random_does_not_depend_on_other_examples(tmp_path):
    examples = [example(str(i), history=HISTORY) for i in range(20)]
    method = build(RandomItems, tmp_path, {"k": 2}, llm=EchoLLM())
    found = {p.id: p.behaviors for p in method.predict(examples)}
    alone = build(RandomItems, tmp_path, {"k": 2}, llm=EchoLLM()).predict(examples[7:8])
    assert alone[0].behaviors == found["7"]
    assert len(set(found.values())) > 5
    assert all(len(set(chosen)) == 2 for chosen in found.values())


def test_an_empty_history_gives_the_plain_input(tmp_path):
    asked = example("1", "war")
    for method in (BM25, Recency, RandomItems):
        assert build(method, tmp_path, llm=EchoLLM()).predict([asked])[0].text == "input war"


def test_the_budget_reserves_the_llms_special_tokens(tmp_path):
    method = build(BM25, tmp_path, llm=EchoLLM(), max_input_tokens=60)
    assert method.budget == 58
    long = [behavior(str(i), "word " * 50, "5") for i in range(4)]
    text = method.prompt(example("1", "war", long))
    assert len(text.split()) <= 58
    assert text.count("is the score for") == 4


def test_behaviours_that_do_not_fit_are_not_recorded(tmp_path):
    method = build(BM25, tmp_path, llm=EchoLLM(), max_input_tokens=8)
    long = [behavior(str(i), "word " * 50, "5") for i in range(4)]
    (found,) = method.predict([example("1", "war", long)])
    assert (found.text, found.behaviors) == ("input war", ())
    assert found.note == "no behaviour fits the prompt budget: plain input"


def test_k_is_checked():
    for wrong in (0, -1, "many"):
        with pytest.raises(ValueError, match="k"):
            BM25.Config(k=wrong)
    assert BM25.Config().k == 4


class Picky(PromptMethod):
    name = "picky"

    def prompt(self, example):
        if example.id == "bad":
            raise DataError("its query is empty", id=example.id, hint="Drop it")
        if example.id == "bug":
            raise IndexError("a bug")
        return f"mine: {example.query}"


def test_one_examples_failure_leaves_the_others_alone(tmp_path):
    llm = EchoLLM()
    method = build(Picky, tmp_path, llm=llm)
    found = method.predict([example("a", "1"), example("bad"), example("b", "2")])
    assert [p.id for p in found] == ["a", "bad", "b"]
    assert [p.text for p in found] == ["mine: 1", None, "mine: 2"]
    assert found[1].error == "id 'bad': its query is empty. Drop it."
    assert llm.calls[0][0] == ["mine: 1", "mine: 2"]


def test_a_bug_is_not_swallowed(tmp_path):
    with pytest.raises(IndexError):
        build(Picky, tmp_path, llm=EchoLLM()).predict([example("a"), example("bug")])


def test_soft_tokens_follow_their_example(tmp_path):
    llm = EchoLLM()
    prefix = np.arange(3)[:, None, None]
    build(Picky, tmp_path, llm=llm).answer(
        [example("a", "1"), example("bad"), example("b", "2")], prefix=prefix
    )
    assert llm.calls[0][3].tolist() == [[[0]], [[2]]]


def test_prompts_can_be_written_without_generation(tmp_path):
    llm = EchoLLM()
    prompts = build(BM25, tmp_path, {"k": 1}, llm=llm).prompts([ASKED])
    assert prompts == [Prompt('5 is the score for "war" . input war', ("3",))]
    assert llm.calls == []


def test_each_example_is_ranked_once(tmp_path):
    ranked = []

    class Counted(BM25):
        def behaviors(self, example):
            ranked.append(example.id)
            return super().behaviors(example)

    build(Counted, tmp_path, llm=EchoLLM()).predict([ASKED, example("2", "tea", HISTORY)])
    assert ranked == ["1", "2"]


def test_the_example_in_the_docstring_works(tmp_path):
    lines = inspect.getdoc(PromptMethod).split("methods/:\n")[1].split("\nIf a single example")[0]
    space = {}
    exec(textwrap.dedent(lines), space)  # noqa: S102  the documented example is what is tested
    (found,) = build(space["Persona"], tmp_path, llm=EchoLLM()).predict([ASKED])
    assert found.text == "My last answers: 5; 5; 5. input war"
    assert space["Persona"].name == "persona"


def test_all_prompt_methods_are_registered():
    for method in (ZeroShot, BM25, Dense, Recency, RandomItems):
        assert METHODS.get(method.name) is method
    assert Dense.uses_encoder
    assert not BM25.uses_encoder


class PairTokens(EchoLLM):
    """The tiny byte-pair tokenizer; the LLM cuts a prompt's end to the budget, as a real one."""

    tokens = SmallBPE()

    def generate(self, prompts, *, max_new_tokens, max_input_tokens, prefix=None):
        budget, count = max_input_tokens - self.prompt_overhead, self.tokens.count
        texts = [self.tokens.truncate(prompt, budget) for prompt in prompts]
        return [
            Said(text, count(text), count(prompt) - count(text), 1)
            for prompt, text in zip(prompts, texts, strict=True)
        ]


def ask(method, folder, query, *, limit, rule="lamp", history=HISTORY, **config):
    surroundings = {"llm": PairTokens(), "max_input_tokens": limit}
    made = build(method, folder, config, **surroundings)
    made.runtime.budget_rule = rule
    return made.predict([example("1", query, history)])[0]


def test_what_the_llm_cuts_of_a_query_is_counted(tmp_path):
    # "input abcdef": in|pu|t| |ab|cd|ef, and two special tokens.
    found = ask(ZeroShot, tmp_path, "abcdef", limit=8)
    assert (found.text, found.truncated_tokens) == ("input abcd", 1)
    assert (found.query_tokens, found.query_tokens_cut) == (3, 1)
    whole = ask(ZeroShot, tmp_path, "abcdef", limit=9)
    assert (whole.truncated_tokens, whole.query_tokens, whole.query_tokens_cut) == (0, 3, 0)


def test_what_the_builder_cuts_of_a_query_is_counted(tmp_path):
    # "lamp" lets the input of 4 + 30 tokens keep .6 of 70, 42, so all of it; of 40, only 24.
    query = "ab" * 30
    assert ask(BM25, tmp_path, query, limit=72, k=1).query_tokens_cut == 0
    found = ask(BM25, tmp_path, query, limit=42, k=1)
    assert found.truncated_tokens == 0
    assert (found.query_tokens, found.query_tokens_cut) == (30, 30 - found.text.count("ab"))
    assert found.query_tokens_cut > 0
    assert len(found.behaviors) == 1


def test_query_first_drops_the_last_behaviours_and_says_so(tmp_path):
    # '5 is the score for "tea"' takes 5| |is| |th|e| |sc|or|e| |fo|r| |"|te|a|" = 18 tokens.
    history = [behavior(str(i), "tea", "5") for i in range(4)]
    found = ask(BM25, tmp_path, "tea", limit=62, rule="query-first", history=history)
    # With "input tea", 6 tokens, two items, their joint and end: 18 + 6 + 18 + 3 + 6 = 51 of 60.
    # A third without content would make it 3 · 16 + 2 · 6 + 3 + 6 = 69.
    assert found.behaviors == ("3", "2")
    assert found.text.endswith("input tea")
    assert found.note == FEWER_FIT
    assert (found.query_tokens, found.query_tokens_cut) == (2, 0)
    none = ask(BM25, tmp_path, "tea", limit=20, rule="query-first", history=history)
    assert (none.behaviors, none.note, none.query_tokens_cut) == ((), NOTHING_FITS, 0)


def test_a_plain_input_that_is_cut_shows_no_behaviour(tmp_path):
    found = ask(BM25, tmp_path, "abcdef", limit=8, history=HISTORY)
    assert (found.text, found.behaviors, found.note) == ("input abcd", (), NOTHING_FITS)
    assert (found.query_tokens, found.query_tokens_cut) == (3, 1)
