"""Suites on a served LLM, by the command line and by the library."""

import json
import re
import signal
import threading

import pytest

from bench import store
from bench.cell import State
from methods import METHODS
from methods.models.access import Access
from methods.models.config import ServedConfig
from methods.models.opening import load_llm
from tests.bench.support import REPOSITORY
from tests.stub_server import TinyServer, completion, serve
from tests.tiny import tiny_llama

SERVED = """
[llms.served]
model = "tiny"
endpoint = "{endpoint}"
decoding = {{ max_new_tokens = 4 }}
served = {{ {served} }}

[llms.local]
model = "{llama}"
device = "cpu"
decoding = {{ num_beams = 1, max_new_tokens = 4 }}
"""
PROMPTED = ["zero-shot", "bm25", "dense", "recency", "random", "pag", "ropg-kd", "rspg-pre"]
WEIGHTS = ["rerank", "pplug", "embedding-to-prefix", "user-lora", "pooled-lora"]


@pytest.fixture(scope="session")
def llama(tmp_path_factory):
    return tiny_llama(tmp_path_factory.mktemp("served") / "llama")


@pytest.fixture(scope="session")
def local(llama):
    return load_llm(str(llama), device="cpu", decoding={"num_beams": 1})


def add_llms(project, stub, llama, **served):
    served = {"dialect": "vllm", "tokenizer": str(llama)} | served
    options = ", ".join(f"{key} = {json.dumps(value)}" for key, value in served.items())
    project.add(SERVED.format(endpoint=stub.endpoint, llama=llama, served=options))


def texts(cell):
    return [p.text for p in store.read_predictions(cell.folder / store.PREDICTIONS)]


@pytest.fixture
def tiny(local):
    with serve(TinyServer(local)) as stub:
        yield stub


def test_prompt_methods_answer_as_on_the_same_weights_here(project, tiny, llama):
    add_llms(project, tiny, llama)
    rows = ["zero-shot", "bm25", "dense", "pag", "bm25@shuffled-user"]
    project.suite(*rows, more='llms = ["served", "local"]'.replace("llms", "#") + "\n")
    both = 'llms=["served", "local"]'
    assert {o.state for o in project.run(both)} == {State.DONE}
    cells = project.plan(both).cells
    for row in rows:
        answers = {cell.llm: texts(cell) for cell in cells if cell.variant == row}
        assert answers["served"] == answers["local"], row
    (zero,) = [c for c in cells if (c.variant, c.llm) == ("zero-shot", "served")]
    record = store.read_record(zero.folder)
    assert record.models.llm["models"] == ["tiny"]
    assert record.models.llm["requests"] == record.models.llm["answers"] == 4
    assert record.models.llm["prompt_tokens"] == 4 * record.totals.prompt_tokens_mean
    sent = len(tiny.requests)
    assert {o.state for o in project.run(both)} == {State.KEPT}
    assert len(tiny.requests) == sent


def test_rows_that_need_weights_are_left_out_before_anything_is_computed(
    project, bench, tiny, llama
):
    add_llms(project, tiny, llama)
    project.suite(*PROMPTED, *WEIGHTS, "majority-label")
    grid = project.plan('llms=["served"]')
    assert {cell.variant for cell in grid.cells} == {*PROMPTED, "majority-label"}
    assert grid.without_weights == tuple((row, "served") for row in WEIGHTS)
    shown = bench("plan", "--set", 'llms=["served"]', "--cells")
    assert "not applicable: pplug with served: needs weights" in shown.out
    notes = bench("table", "--set", 'llms=["served"]')
    assert "needs weights, and it is served: rerank, pplug" in notes.out
    assert not tiny.requests
    everywhere = project.plan('llms=["served", "local"]')
    assert {cell.variant for cell in everywhere.cells if cell.llm == "local"} >= {*WEIGHTS}


def test_soft_tokens_run_where_the_server_takes_embeddings(project, tiny, llama):
    add_llms(project, tiny, llama, weights=str(llama), prompt_embeds=True)
    short = "options.pplug.training = { max_steps = 2, batch_size = 2 }"
    project.suite("pplug", "rerank", more=short)
    grid = project.plan('llms=["served", "local"]')
    assert grid.without_weights == (("rerank", "served"),)
    assert {o.state for o in project.run('llms=["served", "local"]')} == {State.DONE}
    answers = {cell.llm: texts(cell) for cell in grid.cells if cell.variant == "pplug"}
    assert answers["served"] == answers["local"]
    assert any("prompt_embeds" in body for _, body in tiny.requests)


def methods_by_prompt():
    """Methods that say that prompts and answers are all they need of an LLM."""
    found = {name: METHODS.get(name) for name in METHODS.names()}
    return [n for n, m in found.items() if m.uses_llm and m.access(m.Config()) == Access.TEXT]


@pytest.mark.parametrize("name", methods_by_prompt())
def test_a_method_needs_what_it_says(project, tiny, llama, name):
    method = METHODS.get(name)
    add_llms(project, tiny, llama)
    options = {"training": {"max_steps": 1}} if "training" in method.Config.model_fields else {}
    project.suite(name, more=f"options.{name}.training.max_steps = 1" if options else "")
    outcomes = project.run('llms=["served"]')
    assert [(o.state, o.reason) for o in outcomes] == [(State.DONE, "")] * len(outcomes)


def test_a_killed_run_repeats_no_request(project, local, llama):
    """Killed while the fourth request is at the server: the other three are never sent again."""
    answers, reached, free = TinyServer(local), threading.Event(), threading.Event()

    def stop_at_fourth(path, body):
        if len(stub.requests) >= 4 and not free.is_set():
            reached.set()
            free.wait(60)
        return answers(path, body)

    with serve(stop_at_fourth) as stub:
        add_llms(project, stub, llama, concurrency=1)
        project.suite("zero-shot", "bm25")
        process = project.start("run", "--set", 'llms=["served"]')
        assert reached.wait(120)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        before = stub.prompts
        assert len(before) == 4
        free.set()
        assert {outcome.state for outcome in project.run('llms=["served"]')} == {State.DONE}
        after = stub.prompts[4:]
    assert after[0] == before[3]  # in flight when the run was killed
    assert not {*before[:3]} & {*after}
    assert len({*after}) == len(after)


def test_a_prompt_beyond_the_context_fails_its_prediction_only(project, llama):
    def answer(path, body):
        if len(body["prompt"]) > 100:
            error = {"error": {"message": "maximum context length is 100 tokens"}}
            reply = completion("")
            reply.body, reply.status = error, 400
            return reply
        return completion("5", prompt_tokens=len(body["prompt"]))

    with serve(answer) as stub:
        add_llms(project, stub, llama)
        project.suite("bm25")
        (outcome,) = project.run('llms=["served"]')
    assert outcome.state is State.DONE
    record = store.read_record(outcome.cell.folder)
    predictions = store.read_predictions(outcome.cell.folder / store.PREDICTIONS)
    failed = [p for p in predictions if p.text is None]
    assert 0 < record.totals.failed == len(failed) < 4
    assert all("answers 400" in p.error for p in failed)


def test_a_dead_server_fails_the_cell_and_the_next_run_resumes(project, local, llama, monkeypatch):
    monkeypatch.setattr("methods.models.served.http.FIRST_WAIT", 0.0)
    dead = threading.Event()
    answers = TinyServer(local)

    def answer(path, body):
        if len(stub.requests) > 2 and not dead.is_set():
            reply = completion("")
            reply.drop = True
            return reply
        return answers(path, body)

    with serve(answer) as stub:
        add_llms(project, stub, llama, concurrency=1, give_up_after=0.001)
        project.suite("zero-shot")
        (outcome,) = project.run('llms=["served"]')
        assert outcome.state is State.FAILED
        assert "can't be reached" in outcome.reason
        dead.set()
        sent = len(stub.requests)
        (outcome,) = project.run('llms=["served"]')
        assert outcome.state is State.DONE
        assert len(stub.requests) == sent + 2  # two of four were answered before


def test_the_page_shows_settings_that_exist(project):
    page = (REPOSITORY / "docs/served_llms.md").read_text(encoding="utf-8")
    for block in re.findall(r"```toml\n(.*?)```", page, re.DOTALL):
        project.add(block)
    settings = project.load()
    assert settings.llm("qwen").access is Access.TEXT
    assert settings.llm("qwen-plugs").access is Access.EMBEDDINGS
    keys = set(re.findall(r"^\| `(\w+)`(?:, `(\w+)`)? \|", page, re.MULTILINE))
    assert {key for pair in keys for key in pair if key} == {*ServedConfig.model_fields}
