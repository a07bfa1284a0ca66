"""Many requests at once, each answer kept as soon as it is there."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from methods.cache.journal import Journal
from methods.models.served.answers import Answer, TooLongError
from methods.models.served.counts import Budget
from methods.models.served.http import Server
from tasks.common.errors import BenchError
from tasks.common.progress import Progress


@dataclass(frozen=True)
class Request:
    """One prompt as it is sent.

    Attributes:
        key: content key of everything that decides the answer, wherever the server is.
        path: below the endpoint.
        body: writes the JSON; called when it is sent.
        read: tokens that the server should count as read; None: not known.
        most: tokens that prompt and answer may take.
    """

    key: str
    path: str
    body: Callable[[], dict[str, Any]]
    read: int | None
    most: int


Answers = dict[str, Answer | TooLongError]


class Forget:
    """In place of a journal: keeps no answer, for use outside the harness."""

    @contextmanager
    def hold(self) -> Iterator[dict[str, Any]]:
        yield {}

    def add(self, values: dict[str, Any]) -> None: ...


class RequestQueue:
    """Sends requests whose answers aren't kept yet.

    Args:
        journal: of the LLM: key → `Answer.to_json`.
        check: raises ModelError for an answer that doesn't belong to its request.
    """

    def __init__(
        self,
        server: Server,
        journal: Journal | Forget,
        *,
        concurrency: int,
        max_requests: int | None,
        max_tokens: int | None,
        check: Callable[[Request, Answer], None],
    ) -> None:
        self.server, self.journal, self.concurrency = server, journal, concurrency
        self.max_requests, self.max_tokens = max_requests, max_tokens
        self.check = check
        self.progress = Progress()  # hears of each answer

    def ask(self, requests: Sequence[Request]) -> tuple[Answers, set[str]]:
        """An answer for each key, and the keys whose answers were kept already.

        After an error, nothing more is sent, and the answers in flight are still kept. Prompts
        beyond the server's context get their error instead; it isn't kept, since another server
        may hold more.

        Raises:
            ModelError: the server can't be reached or refuses, or a cap is reached.
        """
        wanted = {request.key: request for request in requests}
        with self.journal.hold() as stored:
            budget = Budget(
                map(Answer.from_json, stored.values()), self.max_requests, self.max_tokens
            )
            found: Answers = {key: Answer.from_json(stored[key]) for key in wanted if key in stored}
            known = set(found)
            missing = [request for key, request in wanted.items() if key not in found]
            self._send(missing, budget, found)
        return found, known

    def _send(self, missing: Sequence[Request], budget: Budget, found: Answers) -> None:
        stop, failure = threading.Event(), None
        left, pending = list(reversed(missing)), dict[Future[Answer], Request]()
        with ThreadPoolExecutor(self.concurrency) as pool:
            while left or pending:
                try:
                    while left and failure is None and len(pending) < self.concurrency:
                        budget.reserve(left[-1].most)
                        request = left.pop()
                        pending[pool.submit(self._post, request, stop)] = request
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        self._keep(future, pending.pop(future), budget, found)
                except (BenchError, KeyboardInterrupt) as error:
                    stop.set()
                    if isinstance(failure, KeyboardInterrupt):  # pressed again: don't wait
                        raise
                    failure = failure or error
                if failure is not None and not pending:
                    raise failure

    def _post(self, request: Request, stop: threading.Event) -> Answer:
        return self.server.post(request.path, request.body(), Answer.from_reply, stop)

    def _keep(
        self, future: Future[Answer], request: Request, budget: Budget, found: Answers
    ) -> None:
        try:
            answer = future.result()
        except TooLongError as error:
            budget.settle(request.most, None)
            found[request.key] = error
            return
        except BaseException:
            budget.settle(request.most, None)
            raise
        budget.settle(request.most, answer)
        self.check(request, answer)
        self.journal.add({request.key: answer.to_json()})
        found[request.key] = answer
        self.progress.answer(1)
