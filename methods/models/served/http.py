"""Requests to a server: what is tried again, how long to wait, and when to give up."""

import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import closing
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase

from methods.models.served.answers import GarbageError, ServerError, TooLongError, is_too_long

T = TypeVar("T")
PATIENT = frozenset({408, 429, 502, 503, 504})
"""Statuses tried again until time is up; 500 and garbage are tried again once."""
FIRST_WAIT, LONGEST_WAIT = 0.5, 60.0
"""Seconds before the first retry, doubled for each further one, and the most ever waited."""
LARGEST = 64 << 20
"""Bytes of a reply, at most."""
SHOWN = 300
"""Characters of a server's message that an error repeats."""


class _Key(AuthBase):
    """Sends the API key, if there is one. Without an `auth`, requests would look into ~/.netrc."""

    def __init__(self, key: str | None) -> None:
        self.key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self.key:
            request.headers["Authorization"] = f"Bearer {self.key}"
        return request


class Server:
    """An endpoint. `post` may be called from several threads.

    Args:
        endpoint: up to and including "/v1".
        key: the API key. It is sent, and shown nowhere: messages of the server that repeat it
            are blanked.
        timeout: seconds of one attempt.
        give_up_after: seconds of one request with all its attempts.
        concurrency: connections kept open.
        wait: (stop, seconds) → waits, unless `stop` is set meanwhile.
        clock: seconds.

    Attributes:
        attempts, retries: requests sent so far, and those of them that repeated another.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        key: str | None = None,
        timeout: float,
        give_up_after: float,
        concurrency: int = 1,
        wait: Callable[[threading.Event, float], object] = threading.Event.wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.timeout, self.give_up_after = timeout, give_up_after
        self.attempts = self.retries = 0
        self._key, self._wait, self._clock = key, wait, clock
        self._lock = threading.Lock()
        self._down = False
        self._session = requests.Session()
        self._session.auth = _Key(key)
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, HTTPAdapter(pool_maxsize=concurrency))

    def post(
        self, path: str, body: dict[str, Any], parse: Callable[[Any], T], stop: threading.Event
    ) -> T:
        """The parsed reply to a JSON body.

        Connection errors, timeouts and PATIENT statuses are tried again with exponential back-off
        and jitter, or after the seconds that Retry-After names. Once the server was given up, a
        later request gets a single attempt, until one succeeds.

        Args:
            parse: raises GarbageError for a reply that it can't read.
            stop: once set, nothing is tried again.

        Raises:
            TooLongError: the request exceeds the server's context.
            ServerError: any other refusal, or time is up.
        """
        started, once = self._clock(), False
        for attempt in range(1_000):
            asked_to_wait: float | None = None
            try:
                status, headers, text = self._send(path, body, retry=attempt > 0)
            except requests.RequestException as error:
                why = f"can't be reached ({self._clean(error)})"
            else:
                if status == HTTPStatus.OK:
                    try:
                        found = parse(json.loads(text))
                    except (GarbageError, ValueError, RecursionError) as error:
                        why = f"answers with something else than an answer ({self._clean(error)})"
                        self._raise_if(once, why)
                        once = True
                    else:
                        self._down = False
                        return found
                else:
                    why = f"answers {status}: {self._clean(text)}"
                    if status not in PATIENT:
                        self._raise_refusal(status, text, why, once)
                        once = True
                    asked_to_wait = _retry_after(headers.get("Retry-After"))
            pause = _back_off(attempt) if asked_to_wait is None else asked_to_wait
            pause = min(pause, LONGEST_WAIT)
            late = self._clock() - started + pause > self.give_up_after
            if late or self._down or stop.is_set():
                self._down = self._down or late
                break
            self._wait(stop, pause)
            if stop.is_set():
                break
        raise ServerError(
            f"{why}, after {attempt + 1} attempt{'s' * (attempt > 0)}",
            file=self.endpoint,
            hint="Start the server or correct the endpoint, then run the same command again: "
            "answered requests are kept and not sent again",
        )

    def _send(
        self, path: str, body: dict[str, Any], *, retry: bool
    ) -> tuple[int, dict[str, str], str]:
        with self._lock:
            self.attempts += 1
            self.retries += retry
        reply = self._session.post(
            f"{self.endpoint}/{path}",
            json=body,
            timeout=self.timeout,
            stream=True,
            allow_redirects=False,  # neither prompts nor the key go to another host
        )
        with closing(reply):
            ends = self._clock() + self.timeout
            parts, size = [], 0
            for part in reply.iter_content(1 << 16):
                parts.append(part)
                size += len(part)
                if size > LARGEST or self._clock() > ends:
                    raise requests.Timeout(
                        f"{size} bytes in {self.timeout:g} s and the reply goes on"
                    )
            text = b"".join(parts).decode("utf-8", "replace")
            return reply.status_code, dict(reply.headers), text

    def _raise_refusal(self, status: int, text: str, why: str, once: bool) -> None:
        """Raise for a status that isn't tried again; 500 is, once."""
        if is_too_long(status, text):
            raise TooLongError(
                why, file=self.endpoint, hint="Lower max_input_tokens, or raise the server's limit"
            )
        if status == HTTPStatus.INTERNAL_SERVER_ERROR and not once:
            return
        hints = {
            401: "Put a valid API key into the variable that `served.api_key_env` names",
            403: "Check the API key's rights",
            404: "Correct `endpoint` (it ends in /v1) and `model`, the server's name of the model",
        }
        raise ServerError(
            why, file=self.endpoint, hint=hints.get(status, "Correct the LLM's options")
        )

    def _raise_if(self, once: bool, why: str) -> None:
        if once:
            raise ServerError(
                why, file=self.endpoint, hint="Correct `endpoint`: it speaks another protocol"
            )

    def _clean(self, message: object) -> str:
        """A message on one line, of limited length, without the API key."""
        text = " ".join(str(message).split())
        if self._key:
            text = text.replace(self._key, "***")
        return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def _back_off(attempt: int) -> float:
    """Seconds before the next attempt: half of it fixed, half random, so that clients spread."""
    longest: float = min(FIRST_WAIT * 2.0**attempt, LONGEST_WAIT)
    return longest * (0.5 + 0.5 * random.random())


def _retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for: a number, or a date."""
    if header is None:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
