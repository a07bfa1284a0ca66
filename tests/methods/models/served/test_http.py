"""What is tried again, how long is waited, and when a server is given up."""

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from methods.models.served import http
from methods.models.served.answers import Answer, ServerError
from methods.models.served.http import Server
from tests.stub_server import Reply, completion, serve

FINE = completion("5")


class Clock:
    """Time that passes only while it is waited for."""

    def __init__(self):
        self.now, self.waits = 0.0, []

    def wait(self, stop, seconds):
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(http.random, "random", lambda: 1.0)  # the longest jitter
    return Clock()


def ask(stub, clock, stop=None, **options):
    options = {"timeout": 5.0, "give_up_after": 100.0} | options
    server = Server(stub.endpoint, wait=clock.wait, clock=lambda: clock.now, **options)
    stop = stop or threading.Event()
    return server.post("completions", {"prompt": "a"}, Answer.from_reply, stop).text


@pytest.mark.parametrize(
    ("faults", "waits"),
    [
        ([Reply(drop=True)] * 3, [0.5, 1.0, 2.0]),
        ([Reply("busy", status) for status in (408, 429, 502, 503, 504)], [0.5, 1, 2, 4, 8]),
        ([Reply("busy", 429, {"Retry-After": "7"})], [7.0]),
        ([Reply("busy", 503, {"Retry-After": "3600"})], [60.0]),  # capped
        ([Reply("busy", 429, {"Retry-After": "soon"})], [0.5]),
        ([Reply("oops", 500)], [0.5]),
        ([Reply(b"<html>")], [0.5]),
        ([Reply({"choices": []})], [0.5]),
        ([Reply(b'{"choices": [{"text"')], [0.5]),
    ],
)
def test_what_may_pass_is_tried_again(clock, faults, waits):
    with serve(lambda path, body: FINE, faults) as stub:
        assert ask(stub, clock) == "5"
        assert len(stub.requests) == len(faults) + 1
    assert clock.waits == waits


def test_a_date_to_retry_after_is_honoured():
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 25 < http._retry_after(format_datetime(soon)) <= 30
    assert http._retry_after("-5") == 0


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ([Reply("wrong", 400)], 'answers 400: "wrong"'),
        ([Reply("no", 401)], "answers 401"),
        ([Reply("no", 404)], "answers 404"),
        ([Reply("unknown key", 422)], "answers 422"),
        ([Reply("moved", 302, {"Location": "http://127.0.0.1:1/"})], "answers 302"),
        ([Reply("oops", 500)] * 2, "answers 500"),
        ([Reply(b"<html>")] * 2, "something else than an answer"),
    ],
)
def test_what_will_not_pass_is_not(clock, faults, message):
    with serve(lambda path, body: FINE, faults) as stub:
        with pytest.raises(ServerError, match=message):
            ask(stub, clock)
        assert len(stub.requests) == len(faults)


def test_a_server_is_given_up_and_then_asked_once(clock):
    with serve(lambda path, body: Reply("busy", 503)) as stub:
        server = Server(
            stub.endpoint, timeout=5, give_up_after=10, wait=clock.wait, clock=lambda: clock.now
        )
        stop = threading.Event()
        with pytest.raises(ServerError, match=r"answers 503.*after 5 attempts"):
            server.post("completions", {}, Answer.from_reply, stop)
        assert clock.waits == [0.5, 1, 2, 4]  # 7.5 s; 8 more would be too long
        with pytest.raises(ServerError, match="after 1 attempt"):
            server.post("completions", {}, Answer.from_reply, stop)
        stub.script = [FINE, Reply("busy", 503), FINE]
        for _ in range(2):
            assert server.post("completions", {}, Answer.from_reply, stop).text == "5"
        assert (server.attempts, server.retries) == (9, 5)


def test_a_stalling_server_times_out(clock):
    answered = threading.Event()
    with serve(lambda path, body: FINE, [Reply(FINE.body, stall=answered)]) as stub:
        assert ask(stub, clock, timeout=1.0) == "5"
        answered.set()
        assert len(stub.requests) >= 2


def test_nothing_is_tried_again_once_stopped(clock):
    stop = threading.Event()
    stop.set()
    with serve(lambda path, body: Reply("busy", 503)) as stub:
        with pytest.raises(ServerError):
            ask(stub, clock, stop)
        assert len(stub.requests) == 1


def test_no_server_at_all(clock):
    with serve(lambda path, body: FINE) as stub:
        pass
    with pytest.raises(ServerError, match="can't be reached"):
        ask(stub, clock, give_up_after=1.0)
