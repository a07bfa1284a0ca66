"""PAG: the summary precedes the official prompt, fits the budget, is written once per history."""

import dataclasses

import pytest

from methods.bm25 import BM25
from methods.pag import PAG, DensePAG
from methods.prompt.summary import QUESTIONS
from methods.zero_shot import ZeroShot
from tasks import Kind
from tasks.common.errors import ConfigError
from tests.methods.helpers import EchoLLM, LetterEncoder, Said, behavior, build, example

SUMMARY = " ".join(["likes long winters and dislikes tea"] * 3)  # 18 words
HISTORY = [
    behavior(str(i), text, score, f"2020-01-0{i + 1}")
    for i, (text, score) in enumerate([("tea", "1"), ("war", "5"), ("war bread", "4")])
]
PLAIN = "input war"


class Summarizing(EchoLLM):
    """Answers a request for a summary with a fixed one, and any other prompt with itself."""

    identity = "summarizing"

    def __init__(self, summary=SUMMARY):
        super().__init__()
        self.summary = summary
        self.asked_of = None  # or words of another question

    def generate(self, prompts, **budgets):
        said = super().generate(prompts, **budgets)
        asked = [
            any(p.endswith(q) for q in QUESTIONS.values())
            or (self.asked_of is not None and self.asked_of in p)
            for p in prompts
        ]
        return [Said(self.summary, 1, 0, 1) if a else s for a, s in zip(asked, said, strict=True)]

    @property
    def asked(self):
        return [p for c in self.calls for p in c[0] if p.endswith(QUESTIONS[Kind.ORDINAL])]


def answer(folder, asked, *, llm=None, limit=100, method=PAG, **config):
    made = build(method, folder, config, llm=llm or Summarizing(), max_input_tokens=limit)
    (found,) = made.predict([asked])
    return found, made


def test_the_summary_precedes_the_official_prompt(tmp_path):
    found, _ = answer(tmp_path, example("1", "war", HISTORY))
    items = '5 is the score for "war" . input war'
    assert found.text == f"Profile of the user: {SUMMARY} . {items}"
    assert (found.behaviors, found.note) == (("1",), None)
    found, _ = answer(tmp_path, example("1", "war", HISTORY), k=0)
    assert found.text == f"Profile of the user: {SUMMARY} . {PLAIN}"
    assert (found.behaviors, found.note) == ((), None)
    found, _ = answer(tmp_path, example("1", "war", HISTORY), k=0, summary_tokens=3)
    assert found.text == f"Profile of the user: likes long winters . {PLAIN}"


def test_dense_retrieval_uses_the_encoder(tmp_path):
    asked = example("1", "b", HISTORY)
    made = build(DensePAG, tmp_path, llm=Summarizing(), encoder=LetterEncoder())
    assert made.predict([asked])[0].behaviors == ("2",)  # "war bread" alone has a b


def test_without_a_history_the_prompt_is_the_plain_input(tmp_path):
    llm = Summarizing()
    found, _ = answer(tmp_path, example("1", "war"), llm=llm)
    assert (found.text, found.note) == (PLAIN, "empty history: plain input")
    assert llm.asked == []


def test_an_empty_summary_leaves_the_official_prompt(tmp_path):
    found, _ = answer(tmp_path, example("1", "war", HISTORY), llm=Summarizing(""))
    assert found.text == '5 is the score for "war" . input war'
    assert found.note == "the summary is empty"


@pytest.mark.parametrize("limit", range(12, 90, 3))
@pytest.mark.parametrize("words", [2, 12, 25, 40])
@pytest.mark.parametrize("k", [0, 1, 3])
def test_a_summary_never_cuts_the_input(tmp_path, limit, words, k):
    """Where space runs out, behaviours are dropped first, then the summary; a note reports it."""
    input = " ".join(f"w{i}" for i in range(words))
    long = [dataclasses.replace(b, content="war " * 30, text="war " * 30) for b in HISTORY]
    asked = example("1", "war", long, input=input)
    found, made = answer(tmp_path, asked, limit=limit, k=k)
    summarized = found.text.startswith("Profile of the user: likes")
    assert summarized == (found.note != "no room for the summary")
    if summarized:
        assert len(found.text.split()) <= made.budget
        assert found.text.endswith(input)
        assert bool(found.behaviors) == (k > 0 and found.note is None)
    else:
        method, options = (BM25, {"k": k}) if k else (ZeroShot, {})
        plain = build(method, tmp_path, options, llm=EchoLLM(), max_input_tokens=limit)
        assert found.text == plain.predict([asked])[0].text
    if limit > 85:
        assert summarized
        assert found.note is None or words == 40


def test_a_summary_is_written_once_per_history(tmp_path):
    llm = Summarizing()
    made = build(PAG, tmp_path, llm=llm)
    made.predict([example("1", "war", HISTORY), example("2", "tea", HISTORY)])
    assert len(llm.asked) == 1
    build(PAG, tmp_path, {"k": 0}, llm=llm).predict([example("3", "war", HISTORY)])
    assert len(llm.asked) == 1
    made.predict([example("1", "war", HISTORY[:2]), example("4", "tea", HISTORY)])
    assert len(llm.asked) == 2
    build(PAG, tmp_path, {"summary_tokens": 5}, llm=llm).predict([example("1", "w", HISTORY)])
    assert len(llm.asked) == 3
    llm.identity = "another"
    build(PAG, tmp_path, llm=llm).predict([example("1", "war", HISTORY)])
    assert len(llm.asked) == 4


def test_the_summarizer_reads_the_newest_items_oldest_first(tmp_path):
    llm = Summarizing()
    answer(tmp_path, example("1", "war", HISTORY), llm=llm, summary_items=2)
    (asked,) = llm.asked
    assert asked == (
        '5 is the score for "war"\n4 is the score for "war bread"\n' + QUESTIONS[Kind.ORDINAL]
    )
    long = [dataclasses.replace(b, content="war " * 90) for b in HISTORY]
    llm = Summarizing()
    answer(tmp_path, example("1", "war", long), llm=llm, summary_input_tokens=60)
    (asked,) = llm.asked
    assert len(asked.split()) <= 58
    assert asked.count("is the score for") == 3
    assert QUESTIONS.keys() == set(Kind)


def test_the_question_and_the_words_around_the_summary_can_be_set(tmp_path):
    llm = Summarizing()
    llm.asked_of = "what now ?"
    config = {"question": "what now ?", "lead": "so: {summary} ; ", "k": 0}
    found, _ = answer(tmp_path, example("1", "war", HISTORY), llm=llm, **config)
    assert found.text == f"so: {SUMMARY} ; {PLAIN}"
    (asked,) = [prompt for call in llm.calls for prompt in call[0] if "what now ?" in prompt]
    assert asked.endswith('4 is the score for "war bread"\nwhat now ?')


def test_each_query_can_have_its_own_summary(tmp_path):
    llm = Summarizing()
    llm.asked_of = "what now ?"
    config = {"question": "what now ?", "summary_of": "query", "summary_items": 2, "k": 0}
    made = build(PAG, tmp_path, config, llm=llm)
    made.predict([example("1", "war", HISTORY), example("2", "war", HISTORY)])
    made.predict([example("3", "tea", HISTORY)])
    shown = '4 is the score for "war bread" , and 5 is the score for "war" . input'
    asked = [prompt for call in llm.calls for prompt in call[0] if "what now ?" in prompt]
    assert asked == [f"what now ? {shown} war", f"what now ? {shown} tea"]


@pytest.mark.parametrize("lead", ["Profile:", "{summary} {summary}", "{sumary}"])
def test_a_lead_must_contain_the_summary_once(lead):
    with pytest.raises(ConfigError, match=r"lead.*must contain \{summary\} exactly once"):
        PAG.parse_config({"lead": lead}, "[methods.pag]")


@pytest.mark.parametrize(
    ("config", "expected"),
    [({}, 4 * 64), ({"summary_tokens": 5}, 4 * 5), ({"summary_of": "query"}, 0)],
)
def test_the_cost_is_known_before_any_prediction(tmp_path, config, expected):
    """The same for a cell run in one go and for one resumed after its last prediction."""
    method = build(PAG, tmp_path, config, llm=Summarizing())
    assert method.cost().bytes_per_user == expected
    method.predict([example("1", "war", HISTORY), example("2", "war")])
    assert method.cost().bytes_per_user == expected


def test_another_local_llm_can_write_the_summaries(tmp_path):
    from tests.tiny import tiny_t5

    options = {"model": str(tiny_t5(tmp_path / "t5")), "device": "cpu"}
    llm = Summarizing()
    config = {"summarizer": options, "summary_tokens": 5}
    made = build(PAG, tmp_path, config, llm=llm)
    made.predict([example("1", "war", HISTORY)])
    assert llm.asked == []
    assert made.summarizer.llm.name == options["model"]
    (file,) = (tmp_path / "cache" / "summaries").glob("*.jsonl")
    assert len(file.read_text().splitlines()) == 1
