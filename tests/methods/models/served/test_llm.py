"""A served LLM answers as the same weights do locally, and asks for nothing twice."""

import threading
import time

import pytest

from methods.models.config import LLMConfig
from methods.models.identity import identity_of
from methods.models.served.tokens import EstimatedTokenizer, write_as_text
from tasks.common.errors import ConfigError, ModelError
from tests.methods.models.served.conftest import LIMITS
from tests.stub_server import Reply, TinyServer, completion, serve

PROMPTS = ["What is the score of the review?", "Which tag, among these", "ü ñ 漢字", "a" * 300]


def say(text, **more):
    return lambda path, body: completion(text, **more)


@pytest.mark.parametrize("dialect", ["vllm", "llamacpp", "sglang", "transformers", "generic"])
def test_the_same_weights_give_the_same_answers_locally_and_served(
    llama, local, open_served, dialect
):
    expected = local.generate(PROMPTS, **LIMITS)
    with serve(TinyServer(local)) as stub:
        served = open_served(stub.endpoint, dialect=dialect, tokenizer=str(llama))
        found = served.generate(PROMPTS, **LIMITS)
    assert found == expected  # texts, prompt tokens, truncated tokens and new tokens
    assert found[3].truncated_tokens > 0
    assert served.description["prompt_tokens"] == sum(g.prompt_tokens for g in found)
    sent_ids = all(isinstance(body["prompt"], list) for _, body in stub.requests)
    assert sent_ids == (dialect in {"vllm", "llamacpp", "sglang"})
    assert all(body["temperature"] == 0 for _, body in stub.requests)


def test_answers_are_kept_and_equal_prompts_asked_once(llama, local, open_served):
    with serve(TinyServer(local)) as stub:
        options = {"dialect": "vllm", "tokenizer": str(llama)}
        first = open_served(stub.endpoint, **options).generate(["a", "b", "a"], **LIMITS)
        assert len(stub.requests) == 2
        again = open_served(stub.endpoint, **options)
        assert again.generate(["b", "a", "c"], **LIMITS)[:2] == [first[1], first[0]]
        assert len(stub.requests) == 3
    counts = again.description
    assert (counts["answers"], counts["reused"], counts["requests"]) == (3, 2, 1)
    with serve(TinyServer(local)) as elsewhere:  # another port, the same model: nothing is sent
        served = open_served(elsewhere.endpoint, **options)
        assert served.generate(["a", "b"], **LIMITS) == first[:2]
        assert not elsewhere.requests


def test_without_a_tokenizer_the_server_applies_its_template(open_served):
    with serve(say("x")) as stub:
        stub.answer = lambda path, body: Reply(
            {"choices": [{"message": {"content": " 5 "}}], "usage": {"prompt_tokens": 31}}
        )
        served = open_served(stub.endpoint)
        (found,) = served.generate(["abcdefgh i"], max_new_tokens=3, max_input_tokens=2)
    ((path, body),) = stub.requests
    assert path == "/v1/chat/completions"
    # "abcd", "efgh" and "i": the third estimated token is cut
    assert body["messages"] == [{"role": "user", "content": "abcdefgh"}]
    assert (found.text, found.prompt_tokens, found.truncated_tokens) == ("5", 31, 1)
    assert (served.description["template"], served.description["tokens"]) == ("server", "estimated")


def test_tokens_are_estimated_from_above():
    tokens = EstimatedTokenizer()
    assert tokens.count("information, 漢字!") == 3 + 1 + 2 + 1
    assert tokens.truncate("information, 漢字!", 4) == "information,"
    assert tokens.truncate("a b", 0) == ""
    assert tokens.truncate("a b", 2) == "a b"


def test_a_text_that_the_server_reads_otherwise_is_not_sent(local):
    tokenizer = local.tokenizer
    ids = tokenizer("a review").input_ids
    assert tokenizer(write_as_text(tokenizer, ids)).input_ids == ids
    split = [*tokenizer("re").input_ids, *tokenizer("view", add_special_tokens=False).input_ids]
    merged = tokenizer("review").input_ids
    assert (write_as_text(tokenizer, split) is None) == (merged != split)


def test_empty_answers_at_the_limit_are_counted_apart(open_served):
    bodies = {
        "null": {"choices": [{"message": {"content": None}, "finish_reason": "length"}]},
        "empty": {"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]},
    }
    with serve(lambda path, body: Reply(bodies[body["messages"][0]["content"]])) as stub:
        served = open_served(stub.endpoint)
        cut, empty = served.generate(["null", "empty"], **LIMITS)
    assert (cut.text, cut.note) == ("", "the answer is empty: its token budget was used up")
    assert (empty.text, empty.note) == ("", None)
    assert served.description["empty_at_limit"] == 1


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"error": {"message": "This model's maximum context length is 64 tokens."}}, 400),
        ({"error": {"type": "exceed_context_size_error", "n_ctx": 64}}, 400),
        ({"error": {"message": "The prompt is longer than the maximum model length of 64"}}, 400),
        ({"detail": "context_length_exceeded"}, 422),
    ],
)
def test_a_prompt_beyond_the_context_fails_alone(open_served, body, status):
    def answer(path, request):
        long = len(request["messages"][0]["content"]) > 3
        return Reply(body, status) if long else completion("5")

    with serve(answer) as stub:
        served = open_served(stub.endpoint)
        short, long = served.generate(["abc", "abcdef"], **LIMITS)
        assert (short.text, short.error) == ("5", None)
        assert f"answers {status}" in long.error
        assert served.description["too_long"] == 1
        served.generate(["abcdef"], **LIMITS)
        assert len(stub.requests) == 3  # a failure isn't kept: another server may hold more


def test_at_most_so_many_requests_are_in_flight(open_served):
    running, most, lock = 0, 0, threading.Lock()

    def answer(path, body):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:
            running -= 1
        return completion("5")

    with serve(answer) as stub:
        open_served(stub.endpoint, concurrency=3).generate(list("abcdefghi"), **LIMITS)
    assert most == 3


@pytest.mark.parametrize(
    ("caps", "answered"),
    [({"max_requests": 3}, 3), ({"max_tokens_total": 40}, 4)],
)
def test_a_cap_stops_cleanly(open_served, caps, answered):
    # A request may take 1 token of prompt and 8 new ones, and takes 2 + 6 = 8. After four, 32 are
    # used, and 32 + 9 exceed 40.
    with serve(say("5", prompt_tokens=2, new_tokens=6)) as stub:
        served = open_served(stub.endpoint, concurrency=1, **caps)
        with pytest.raises(ModelError, match=f"{next(iter(caps))} = {next(iter(caps.values()))}"):
            served.generate(list("abcdefgh"), **LIMITS)
        assert len(stub.requests) == answered
        raised = open_served(stub.endpoint, concurrency=1)
        assert len(raised.generate(list("abcdefgh"), **LIMITS)) == 8
        assert len(stub.requests) == 8
        assert len(set(stub.prompts)) == 8


def test_what_was_answered_before_a_failure_is_kept(open_served):
    def answer(path, body):
        wrong = body["messages"][0]["content"] == "d"
        return Reply({"error": "no"}, 418) if wrong else completion("5")

    with serve(answer) as stub:
        served = open_served(stub.endpoint, concurrency=1)
        with pytest.raises(ModelError, match="answers 418"):
            served.generate(list("abcdef"), **LIMITS)
        stub.answer = say("5")
        served.generate(list("abcdef"), **LIMITS)
        assert len(stub.requests) == 4 + 3  # d is sent again; a, b and c are not


def test_a_wrong_tokenizer_or_model_is_refused(llama, open_served):
    with serve(say("5", prompt_tokens=99)) as stub:
        served = open_served(stub.endpoint, dialect="vllm", tokenizer=str(llama))
        with pytest.raises(ModelError, match=r"read 99 tokens of a prompt of \d"):
            served.generate(["a"], **LIMITS)
        stub.answer = say("5", model="other")
        with pytest.raises(ModelError, match="was asked for tiny and answers as other"):
            served.generate(["a"], **LIMITS)
        stub.answer = say("5", model="tiny@main")
        assert served.generate(["a"], **LIMITS)[0].text == "5"


def test_the_key_is_sent_and_shown_nowhere(open_served, monkeypatch, tmp_path):
    monkeypatch.setenv("SECRET_KEY", "sk-abc123")
    echo = Reply({"error": "Incorrect API key provided: sk-abc123"}, 401)
    with serve(say("5"), [echo]) as stub:
        served = open_served(stub.endpoint, api_key_env="SECRET_KEY")
        with pytest.raises(ModelError, match="provided: \\*\\*\\*") as raised:
            served.generate(["a"], **LIMITS)
        served.generate(["a"], **LIMITS)
    assert stub.headers[0]["Authorization"] == "Bearer sk-abc123"
    assert "sk-abc123" not in str(raised.value)
    assert "sk-abc123" not in str(served.description)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert b"sk-abc123" not in stored
    monkeypatch.delenv("SECRET_KEY")
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        open_served("http://127.0.0.1:1/v1", api_key_env="SECRET_KEY")


def test_weights_are_not_there(open_served):
    with pytest.raises(ConfigError, match="needs weights, and tiny is served"):
        _ = open_served("http://127.0.0.1:1/v1").local


def identity(tmp_path, endpoint="http://127.0.0.1:1/v1", served=None, **options):
    config = LLMConfig(model="tiny", endpoint=endpoint, served=served, **options)
    return identity_of(config, task=None, train_fingerprint="", seed=0, cache=tmp_path)


def test_identity_is_the_model_not_the_server(tmp_path, llama):
    own = identity(tmp_path)
    assert identity(tmp_path, endpoint="https://example.org/v1") == own
    served = {"concurrency": 9, "timeout": 5, "max_requests": 7, "api_key_env": "X"}
    assert identity(tmp_path, served=served) == own
    others = [
        identity(tmp_path, served={"tokenizer": str(llama)}),
        identity(tmp_path, served={"weights": str(llama)}),
        identity(tmp_path, served={"extra": {"top_p": 1}}),
        identity(tmp_path, decoding={"max_new_tokens": 3}),
    ]
    assert len({own, *others}) == 5


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"endpoint": "ftp://x/v1"}, "not a URL"),
        ({"endpoint": "http://u:p@127.0.0.1/v1"}, "environment variable"),
        ({"endpoint": "http://example.org/v1"}, "unencrypted"),
        ({"endpoint": "http://127.0.0.1/v1", "decoding": {"num_beams": 4}}, "no beam search"),
        ({"endpoint": "http://127.0.0.1/v1", "adapt": "full"}, "made or adapted"),
        ({"served": {}}, "needs an `endpoint`"),
        ({"endpoint": "http://127.0.0.1/v1", "served": {"prompt_embeds": True}}, "weights"),
    ],
)
def test_wrong_options_are_refused(options, fault):
    with pytest.raises(ValueError, match=fault):
        LLMConfig(model="tiny", **options)


def test_http_to_another_machine_can_be_allowed():
    LLMConfig(model="m", endpoint="http://gpu7:8000/v1", served={"allow_http": True})
