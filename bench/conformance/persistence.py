"""Checks that what a method learned survives: saved and loaded, killed and resumed."""

from collections.abc import Mapping

from bench.conformance.subject import Check, CheckFailed, CheckSkipped, StepCounter, Subject

ALLOWED_SUFFIXES = {".json", ".safetensors"}


class _Killed(BaseException):
    """Stands for the end of the process in the middle of `fit`."""


class _KillAt(StepCounter):
    """Raises `_Killed` at step `last`."""

    def __init__(self, last: int) -> None:
        super().__init__()
        self.last = last

    def advance(self, steps: int = 1) -> None:
        super().advance(steps)
        if self.steps == self.last:
            raise _Killed


def check_save_and_load(subject: Subject) -> None:
    """A fresh instance that loads what a fitted one saved predicts the same."""
    folder = subject.new_folder()
    folder.mkdir()
    subject.fitted[0].save(folder)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in ALLOWED_SUFFIXES:
            raise CheckFailed(f"`save` writes {path.name}, which is neither JSON nor safetensors")
    method = subject.create()
    method.load(folder)
    subject.compare(method.predict(subject.dev.examples), "saved and loaded")


def check_killed_and_resumed(subject: Subject) -> None:
    """A fit killed half-way, or at its last step, and resumed predicts as an uninterrupted one."""
    if not subject.fitted[1].steps:
        raise CheckSkipped("nothing is trained")
    steps = subject.steps
    if not steps:
        raise CheckFailed("`fit` reports no progress")
    for last in sorted({max(1, steps // 2), steps}):
        folder = subject.new_folder()
        method = subject.create(folder=folder)
        method.runtime.progress = _KillAt(last)
        try:
            method.fit(subject.train, subject.dev)
        except _Killed:
            method = subject.create(folder=folder)
            method.fit(subject.train, subject.dev)
            found = method.predict(subject.dev.examples)
            subject.compare(found, f"killed at step {last} of {steps} and resumed")
        else:
            raise CheckFailed(
                "`fit` catches the exception that ends it, or its number of steps differs each time"
            )


PERSISTENCE: Mapping[str, Check] = {
    "save-and-load": check_save_and_load,
    "killed-and-resumed": check_killed_and_resumed,
}
