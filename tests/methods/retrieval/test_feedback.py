"""The LLM's feedback: correct, computed once, shared, and recoverable."""

import dataclasses

import pytest

from methods.cache import journal
from methods.retrieval.bm25 import BM25Retriever
from methods.retrieval.feedback import Feedback, Judged
from methods.retrieval.recency import RecencyRetriever
from tests.methods.helpers import behavior, example, runtime
from tests.methods.useful_items import FirstScore, users

HISTORY = [behavior(str(i), text, str(i + 1)) for i, text in enumerate(["tea", "war a", "ink"])]
ASKED = example("q", "war", HISTORY)
TRAIN = users(0, 6)


def judge(folder, llm, pairs=None, most=16, **surroundings):
    feedback = Feedback(runtime(folder, llm=llm, **surroundings))
    pairs = TRAIN.pairs() if pairs is None else pairs
    return feedback.judge(pairs, RecencyRetriever(), most), feedback


def answers_file(folder):
    (file,) = (folder / "cache" / "feedback").rglob("answers.jsonl")
    return file


def test_each_candidate_is_alone_in_the_official_prompt(tmp_path):
    llm = FirstScore()
    found, _ = judge(tmp_path, llm, [(ASKED, "3")])
    # Scores 3, 2, 1 newest first, gold 3: errors 0, 1, 2 of at most 2.
    assert found == [Judged(ASKED, tuple(HISTORY[::-1]), (1.0, 0.5, 0.0))]
    assert sorted(llm.asked) == [
        '1 is the score for "tea" . input war',
        '2 is the score for "war a" . input war',
        '3 is the score for "ink" . input war',
    ]


def test_candidates_are_the_first_retrievers_best(tmp_path):
    feedback = Feedback(runtime(tmp_path, llm=FirstScore()))
    ((_, candidates, values),) = map(
        dataclasses.astuple, feedback.judge([(ASKED, "2")], BM25Retriever(), 2)
    )
    assert [candidate[0] for candidate in candidates] == ["1", "2"]
    assert values == pytest.approx((1, 2 / 3))


def test_short_and_empty_histories_have_fewer_candidates(tmp_path):
    pairs = [(dataclasses.replace(ASKED, history=()), "1"), (ASKED, "1")]
    found, _ = judge(tmp_path, FirstScore(), pairs, most=2)
    assert [len(j.candidates) for j in found] == [0, 2]
    assert found[0].utilities == ()


def test_each_prompt_is_answered_once(tmp_path):
    first, llm = FirstScore(), FirstScore()
    expected, _ = judge(tmp_path, first)
    assert 6 * 6 < len(first.asked) == len(set(first.asked)) <= 6 * 8
    assert judge(tmp_path, llm)[0] == expected
    assert llm.asked == []


def test_another_gold_reuses_the_answers(tmp_path):
    judge(tmp_path, FirstScore(), [(ASKED, "3")])
    llm = FirstScore()
    found, _ = judge(tmp_path, llm, [(ASKED, "1")])
    # Scores 3, 2, 1: errors 2, 1, 0 of at most 4.
    assert (found[0].utilities, llm.asked) == ((0.5, 0.75, 1), [])


def test_another_llm_budget_or_query_has_its_own_answers(tmp_path):
    pairs = [(ASKED, "3")]
    judge(tmp_path, FirstScore(), pairs)
    other = FirstScore()
    other.identity = "other"
    judge(tmp_path, other, pairs)
    shorter = FirstScore()
    judge(tmp_path, shorter, pairs, max_input_tokens=90)
    query = FirstScore()
    judge(tmp_path, query, [(dataclasses.replace(ASKED, input="input tea"), "3")])
    assert [len(llm.asked) for llm in (other, shorter, query)] == [3, 3, 3]


class Dying(FirstScore):
    def generate(self, prompts, **budgets):
        if len(self.asked) >= 16:
            raise KeyboardInterrupt
        return super().generate(prompts, **budgets)


def test_a_killed_run_resumes(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "CHUNK", 8)
    whole = FirstScore()
    expected, _ = judge(tmp_path / "whole", whole)
    dying, llm = Dying(), FirstScore()
    with pytest.raises(KeyboardInterrupt):
        judge(tmp_path, dying)
    assert judge(tmp_path, llm)[0] == expected
    assert dying.asked + llm.asked == whole.asked


def test_only_lost_answers_are_computed_again(tmp_path):
    expected, _ = judge(tmp_path, FirstScore())
    file = answers_file(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: len(content) // 2])
    kept = content[: len(content) // 2].count(b"\n")
    llm = FirstScore()
    found, feedback = judge(tmp_path, llm)
    assert found == expected
    assert len(llm.asked) == content.count(b"\n") - kept > 0
    assert (feedback.journal.damaged, feedback.journal.computed) == (1, len(llm.asked))
