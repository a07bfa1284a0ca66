"""What `bench.cluster` uses of Ray, in this process: each answer is computed when it is asked for."""

from contextlib import contextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any


class RayError(Exception):
    """As Ray's own: a worker is lost."""


class RayTaskError(RayError):
    """As Ray's own: a worker's method has raised an exception."""


@dataclass(eq=False)
class Answer:
    actor: Any
    name: str
    arguments: tuple
    options: dict


class FakeRay:
    """A cluster of these nodes.

    Args:
        deadly: index of a cell → how many workers it ends.
        stillborn: which workers end at their start, counted from 0.
        vanishing: with its first lost worker, the cluster loses all nodes.
    """

    exceptions = SimpleNamespace(RayError=RayError, RayTaskError=RayTaskError)

    def __init__(self, *nodes, deadly=(), stillborn=(), vanishing=False):
        self.resources, self.deadly, self.vanishing = list(nodes), dict(deadly), vanishing
        self.stillborn, self.started = stillborn, 0
        self.options, self.killed, self.ran, self.asked = [], [], [], 0

    @contextmanager
    def connect(self, address):
        yield self

    def nodes(self):
        return [{"Alive": True, "Resources": resources} for resources in self.resources]

    def put(self, value):
        return value

    def remote(self, **options):
        return lambda cls: SimpleNamespace(options=lambda **options: self._make(cls, options))

    def _make(self, cls, options):
        self.options.append(options)
        return SimpleNamespace(remote=lambda: Actor(cls()))

    def wait(self, answers, timeout):
        found = [answer for answer in answers if self.resources or answer.name != "start"]
        return found[:1], found[1:]

    def get(self, answer):
        if self._ends(answer):
            if self.vanishing:
                self.resources.clear()
            raise RayError("The actor died.\nIts process has ended.")
        self.asked += answer.name == "describe"
        if answer.name == "run":
            self.ran.append(answer.arguments[0])
        return getattr(answer.actor, answer.name)(*answer.arguments, **answer.options)

    def _ends(self, answer):
        if answer.name == "start":
            self.started += 1
            return self.started - 1 in self.stillborn
        if answer.name != "run" or not self.deadly.get(answer.arguments[0], 0):
            return False
        self.deadly[answer.arguments[0]] -= 1
        return True

    def kill(self, actor):
        self.killed.append(actor)


class Actor:
    def __init__(self, worker):
        self._worker = worker

    def __getattr__(self, name):
        def remote(*arguments, **options):
            return Answer(self._worker, name, arguments, options)

        return SimpleNamespace(remote=remote, options=lambda **_: SimpleNamespace(remote=remote))
