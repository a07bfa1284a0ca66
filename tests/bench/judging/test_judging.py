"""`bench judge` on answers whose scores are counted by hand (see conftest)."""

import json

import pytest

from bench.judging import Judge, build_judgements
from bench.stored_files import JUDGED
from bench.texts import to_frame
from tasks.common.errors import ConfigError, ModelError
from tests.bench.judging.conftest import read, reply
from tests.tiny import tiny_llama


def build(project, *, llm="judge", words=None, checks=True, budget=4096):
    settings, grid = project.load(suite="x"), project.plan(suite="x")
    judge = Judge(settings, llm, max_input_tokens=budget)
    return build_judgements(settings, grid, judge, checks=checks, words=words), judge


def values(table):
    frame = to_frame(table).set_index(["method", "measure"])
    return frame, frame["value"].unstack().round(4)


def kept(project):
    """Path → lines of every judge's file."""
    files = sorted(project.runs.rglob(f"{JUDGED}/*.jsonl"))
    return {path: path.read_text().splitlines() for path in files}


def test_values_by_hand(finished, stub):
    before = finished.stored()
    table, judge = build(finished)
    frame, found = values(table)
    # `knows` covers the first of two aspects very well, in 11 of 12 answers: 11/12 · 2/4.
    assert found["score"].to_dict() == {"generic": 0, "knows": 0.4583}
    # The shortest row has 4 words; the user's word is number 8.
    assert found["score of 4 words"].to_dict() == {"generic": 0, "knows": 0}
    assert found["another's rubric"].to_dict() == {"generic": 0, "knows": 0}
    assert found["own − another's"].to_dict() == {"generic": 0, "knows": 0.4583}
    assert found["words"].round(3).to_dict() == {"generic": 4, "knows": 7.333}
    # The judge doesn't mind the order. `generic` always gets 0, which chance alone would give.
    assert found["agreement"].to_dict() == {"generic": 1, "knows": 1}
    assert found["kappa"].to_dict() == {"generic": 0, "knows": 1}
    assert found["unparsed"].to_dict() == {"generic": 0, "knows": 0}
    score = frame.loc["knows", "score"]
    assert (score.against, round(score.difference, 4), score.significant) == (
        "generic",
        0.4583,
        True,
    )
    assert (score.n, score.users, score.n_failed) == (12, 12, 1)
    # No answer changed. Nobody was asked about the failed one, or twice the same: cut, both rows
    # answer as `generic` does, and `generic` answers each user as it answers another one.
    assert {k: v for k, v in finished.stored().items() if JUDGED not in k} == before
    assert judge.asked == len(stub.requests) == 2 * 2 * 12 + 2 * 3 * 11
    assert all(body["temperature"] == 0 for _, body in stub.requests)


def test_a_runs_own_table_points_to_the_judge(finished, bench):
    """`knows` uses one of the two titles' words: 1/2, in 11 of 12 answers."""
    done = bench("table", "x")
    assert "`bench judge x --llm NAME` scores the answers" in " ".join(done.out.split())
    assert ".458" in next(line for line in done.out.splitlines() if line.startswith("knows"))


def test_prompts_and_replies_are_stored_and_not_asked_again(finished, stub, bench):
    build(finished, checks=False)
    n_asked = len(stub.requests)
    lines = [json.loads(line)["value"] for found in kept(finished).values() for line in found]
    assert len(lines) == n_asked == 2 * (12 + 11)
    assert {line["judge"] for line in lines} == {"judge"}
    assert {line["reply"] for line in lines} >= {'```json\n{"match_score": 2}\n```'}
    (own,) = [line for line in lines if read(line["prompt"]) == ["bbbb", "1 2 3 4 5 6 7 bbbb"]]
    question, explanation, answer, aspect = (
        own["prompt"].index(part) for part in ("Question: about b?", "Explanation: I, b, want it.",
                                               "Answer: 1 2", "Aspect: bbbb")
    )  # fmt: skip
    assert question < explanation < answer < aspect
    _, judge = build(finished, checks=False)
    assert (judge.asked, len(stub.requests)) == (0, n_asked)
    assert bench("verify", "x").code == 0


def test_a_damaged_line_is_reported_and_asked_again(finished, stub, bench):
    build(finished, checks=False)
    path, lines = next(iter(kept(finished).items()))
    path.write_text("\n".join([lines[0].replace("0", "1", 1), *lines[1:-1], lines[-1][:9]]))
    done = bench("verify", "x")
    assert done.code == 1
    assert "holds 2 damaged lines; `bench judge` asks for them again" in done.out + done.err
    stub.requests.clear()
    build(finished, checks=False)
    assert len(stub.requests) == 0  # a served LLM's own replies are kept too
    assert sorted(kept(finished)[path]) == sorted(lines)


def test_a_stopped_run_goes_on_where_it_was(finished, stub, monkeypatch):
    monkeypatch.setattr("bench.judging.judge.CHUNK", 10)
    counted, answer = [], stub.answer

    def fail_later(path, body):
        counted.append(body)
        if len(counted) == 40:
            return reply_400()
        return answer(path, body)

    stub.answer = fail_later
    with pytest.raises(ModelError):
        build(finished, checks=False)
    assert sum(map(len, kept(finished).values())) == 34  # all 24 of `generic`, 10 of 22
    stub.answer = answer
    _, judge = build(finished, checks=False)
    assert judge.asked == 2 * (12 + 11) - 34


def reply_400():
    found = reply("")
    found.status, found.body = 400, {"error": {"message": "no"}}
    return found


def test_replies_without_a_score_count_zero_and_are_counted(finished, stub):
    answer = stub.answer
    stub.answer = lambda path, body: (
        reply("very well covered") if "Explanation: I, a," in str(body) else answer(path, body)
    )
    _, found = values(build(finished, checks=False)[0])
    assert found["score"]["knows"] == round(10 / 12 * 0.5, 4)
    assert found["unparsed"].to_dict() == {"generic": round(2 / 24, 4), "knows": round(2 / 22, 4)}
    assert "agreement" not in found


def test_a_judge_that_minds_the_order_disagrees_with_itself(finished, stub):
    """Asked with the aspect first, it says 0 for 2: of 22 pairs 11 are equal."""
    answer = stub.answer
    stub.answer = lambda path, body: (
        reply('{"match_score": 0}')
        if "Aspect" in body["messages"][-1]["content"].split("Answer:")[0]
        else answer(path, body)
    )
    _, found = values(build(finished)[0])
    # p_o = 1/2; the second always says 0, the first in half of the pairs: p_e = 1/2, κ = 0.
    assert found["agreement"]["knows"] == 0.5
    assert found["kappa"]["knows"] == 0


def test_the_command_shows_a_table_in_every_format(finished, bench, tmp_path, stub):
    done = bench("judge", "x", "--llm", "judge", "--words", "8")
    assert done.code == 0, done.err
    assert "LaMP-QA-art: judged by judge, n=12 u=12" in done.out
    assert "score of 8 words" in done.out
    assert "2.0 aspects a question, answers cut after 8 words" in done.out
    n_asked = len(stub.requests)
    out = tmp_path / "judged.csv"
    done = bench("judge", "x", "--llm", "judge", "--words", "8", "-f", "csv", "--out", str(out))
    assert (done.code, len(stub.requests)) == (0, n_asked)
    assert ",score of 8 words,0.458333," in out.read_text(encoding="utf-8")


def test_a_local_llm_judges(finished, tmp_path):
    """A random one finds no score: everything is unparsed, and its prompts lose their end."""
    finished.add(f'[llms.local]\nmodel = "{tiny_llama(tmp_path / "llama")}"\ndevice = "cpu"\n'
                 "decoding = { num_beams = 4, max_new_tokens = 4 }\n")  # fmt: skip
    table, judge = build(finished, llm="local", checks=False, budget=40)
    assert judge.llm.config.decoding.num_beams == 1
    _, found = values(table)
    assert found["unparsed"].to_dict() == {"generic": 1, "knows": 1}
    assert found["score"].to_dict() == {"generic": 0, "knows": 0}
    assert "46 prompts exceeded the judge's budget" in " ".join(table.notes)


def test_user_mistakes_are_said(project, bench):
    done = bench("judge", "x", "--llm", "judge")
    assert (done.code, "no scored cell of a task with answers judged by rubrics" in done.err) == (
        2,
        True,
    )
    assert "unknown LLM" in bench("judge", "x", "--llm", "nobody").err
    project.add("[llms.made]\nscratch = {}\n")
    with pytest.raises(ConfigError, match="'made' is trained for a task"):
        build(project, llm="made")
    project.suite("generic", name="y")
    done = bench("judge", "y", "--llm", "judge")
    assert "no task of suite 'y' asks for answers judged by rubrics" in done.err
