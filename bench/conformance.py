"""The conformance suite: what every method must do, checked on one method with one task's data."""

import copy
import json
import random
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from methods import METHODS, Cost, FitReport, Method, MethodConfig
from methods.core.runtime import Runtime
from tasks import Dataset, Example, Prediction, Task
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

UNKNOWN_KEY = "no_such_key"
PERMITTED = {".json", ".safetensors"}
BATCH_SIZE = 7


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check; `detail` says what failed, or why it was skipped."""

    name: str
    passed: bool
    detail: str = ""
    skipped: bool = False


class MakeRuntime(Protocol):
    """Makes a fresh Runtime whose cache and scratch lie in `folder`."""

    def __call__(self, folder: Path, *, batch_size: int) -> Runtime:
        """`batch_size` is the LLM's; two runtimes for one folder share what is stored there."""


class _Failed(Exception):  # noqa: N818  an outcome, not an error
    """The method broke a rule."""


class _Skipped(Exception):  # noqa: N818
    """The rule has no object here."""


class _Killed(BaseException):
    """Stands for the end of the process in the middle of `fit`."""


def check(
    method_name: str,
    config: Mapping[str, Any],
    *,
    task: Task,
    train: Dataset,
    dev: Dataset,
    make_runtime: MakeRuntime,
) -> list[CheckResult]:
    """Every check on one method, in a fixed order. An exception in one fails that one alone.

    Args:
        method_name: registered, or "module:Class".
        config: the method's options.
        train, dev: with golds; a few examples each are enough. `dev` is what is predicted.
        make_runtime: with small models; called about ten times.

    Raises:
        ConfigError: no such method.
    """
    method = METHODS.get(method_name)
    with tempfile.TemporaryDirectory(prefix="conformance-") as folder:
        subject = _Subject(method, dict(config), task, train, dev, make_runtime, Path(folder))
        return [_outcome(name, test, subject) for name, test in CHECKS.items()]


def _outcome(name: str, test: "Callable[[_Subject], None]", subject: "_Subject") -> CheckResult:
    try:
        test(subject)
    except _Skipped as skipped:
        return CheckResult(name, passed=True, detail=str(skipped), skipped=True)
    except _Failed as failed:
        return CheckResult(name, passed=False, detail=str(failed))
    except Exception as error:  # noqa: BLE001  whatever a method raises is its own failed check
        return CheckResult(name, passed=False, detail=f"{type(error).__name__}: {error}")
    return CheckResult(name, passed=True)


@dataclass
class _Subject:
    """One method with its data, and the run that all others are compared with."""

    method: type[Method]
    options: dict[str, Any]
    task: Task
    train: Dataset
    dev: Dataset
    make_runtime: MakeRuntime
    root: Path

    def __post_init__(self) -> None:
        self.before = copy.deepcopy((self.train.examples, self.dev.examples))
        self.folders = (self.root / str(number) for number in count())
        self.steps = 0

    def new(
        self,
        *,
        batch_size: int = BATCH_SIZE,
        folder: Path | None = None,
        seeds: Seeds | None = None,
    ) -> Method:
        """An instance that knows nothing of any other."""
        runtime = self.make_runtime(folder or next(self.folders), batch_size=batch_size)
        runtime.seeds = seeds or runtime.seeds
        return self.method(self.method.Config.model_validate(self.options), runtime)

    def fresh_predictions(self, *, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """Predictions for the dev examples of a new instance, fitted anew."""
        method = self.new(batch_size=batch_size)
        method.fit(self.train, self.dev)
        return method.predict(self.dev.examples)

    @cached_property
    def fitted(self) -> tuple[Method, FitReport]:
        """The instance that most checks ask; `steps` are those that its `fit` reports."""
        method = self.new()
        method.runtime.progress = counting = _Counting()
        report = method.fit(self.train, self.dev)
        self.steps = counting.steps  # `predict` may report progress too
        return method, report

    @cached_property
    def expected(self) -> list[Prediction]:
        """What the fitted instance predicts for the dev examples."""
        return self.predict(self.dev.examples)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        return self.fitted[0].predict(examples)

    def compare(self, found: Sequence[Prediction], where: str) -> None:
        """Fail where a prediction is not the expected one of the same example."""
        expected = {prediction.id: prediction for prediction in self.expected}
        for prediction in found:
            wanted = expected[prediction.id]
            for name, value in asdict(prediction).items():
                if value != getattr(wanted, name):
                    raise _Failed(
                        f"{where}: example {prediction.id!r}: {name} is {value!r}, "
                        f"was {getattr(wanted, name)!r}"
                    )


class _Counting(Progress):
    """Counts the steps of `fit`; at step `end`, if given, the process dies."""

    def __init__(self, end: int | None = None) -> None:
        self.steps, self.end = 0, end

    def advance(self, steps: int = 1) -> None:  # noqa: ARG002  calls are counted
        self.steps += 1
        if self.steps == self.end:
            raise _Killed


class _WatchedGolds(Mapping[str, str]):
    """Golds that know whether they were looked at."""

    def __init__(self, golds: Mapping[str, str]) -> None:
        self.golds, self.reads = golds, 0

    def __getitem__(self, id: str) -> str:
        self.reads += 1
        return self.golds[id]

    def __iter__(self) -> Iterator[str]:
        self.reads += 1
        return iter(self.golds)

    def __len__(self) -> int:
        return len(self.golds)


def _registration(subject: _Subject) -> None:
    method = subject.method
    name = getattr(method, "name", None)
    if not isinstance(name, str):
        raise _Failed("`name` is not a text in the class body")
    if name in METHODS.names() and METHODS.get(name) is not method:
        raise _Failed(f"`name` {name!r} is another method's")
    if type(method.version) is not int or method.version < 1:
        raise _Failed(f"`version` is {method.version!r}, not a whole number from 1 on")
    if not method.applicable(type(subject.task)):
        raise _Failed(f"not applicable to {subject.task.name}: the grid would leave it out")


def _unknown_key(subject: _Subject) -> None:
    if not issubclass(subject.method.Config, MethodConfig):
        raise _Failed("`Config` is no MethodConfig")
    try:
        subject.method.Config.model_validate({**subject.options, UNKNOWN_KEY: 1})
    except ValidationError as error:
        if any(fault["loc"] == (UNKNOWN_KEY,) for fault in error.errors()):
            return
        raise
    raise _Failed(f"the config takes the unknown key {UNKNOWN_KEY!r}")


def _predictions(subject: _Subject) -> None:
    _require_answers(subject.dev.examples, subject.expected)
    if subject.predict([]) != []:
        raise _Failed("no examples don't give no predictions")


def _require_answers(examples: Sequence[Example], found: Sequence[Prediction]) -> None:
    wanted, ids = [example.id for example in examples], [answer.id for answer in found]
    if wanted != ids:
        raise _Failed(f"predictions for {ids}, examples were {wanted}")
    for answer in found:
        if not isinstance(answer, Prediction):
            raise _Failed(f"gave a {type(answer).__name__}, not a Prediction")
        if not isinstance(answer.text, str):
            raise _Failed(f"example {answer.id!r}: no text ({answer.error or 'no error given'})")


def _determinism(subject: _Subject) -> None:
    subject.compare(subject.fresh_predictions(), "fitted anew")
    subject.compare(subject.predict(subject.dev.examples), "asked again")


def _seeds(subject: _Subject) -> None:
    """What says that no seed changes it is run with one of a suite's seeds."""
    if subject.method.seeded:
        raise _Skipped("seeds may change it")
    method = subject.new(seeds=Seeds.root("conformance", "other seeds"))
    method.fit(subject.train, subject.dev)
    subject.compare(method.predict(subject.dev.examples), "seeded otherwise")


def _batch_size(subject: _Subject) -> None:
    subject.compare(subject.fresh_predictions(batch_size=1), f"LLM batch size 1, not {BATCH_SIZE}")


def _user_order(subject: _Subject) -> None:
    shuffled = list(subject.dev.examples)
    random.Random(0).shuffle(shuffled)
    subject.compare(subject.predict(shuffled), "examples in another order")


def _neighbours(subject: _Subject) -> None:
    examples = subject.dev.examples
    subject.compare(subject.predict(examples[len(examples) // 2 :]), "half of the examples")
    for example in examples[:2]:
        subject.compare(subject.predict([example]), "an example alone")


def _golds(subject: _Subject) -> None:
    """Evaluated golds, other ones than `fitted` was shown as dev set, must leave no trace."""
    golds = dict(subject.dev.golds or {})
    other = {id: _another(gold, subject.task.labels) for id, gold in golds.items()}
    watched = _WatchedGolds(other)
    method = subject.new()
    method.fit(subject.train, replace(subject.dev, golds=watched))
    watched.reads = 0
    found = method.predict(subject.dev.examples)
    if watched.reads:
        raise _Failed(f"`predict` looks at golds ({watched.reads} times)")
    subject.compare(found, "evaluated golds altered")


def _another(gold: str, labels: Sequence[str]) -> str:
    if gold in labels:
        return labels[(labels.index(gold) + 1) % len(labels)]
    return f"{gold} altered"


def _save_and_load(subject: _Subject) -> None:
    folder = next(subject.folders)
    folder.mkdir()
    subject.fitted[0].save(folder)
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix not in PERMITTED:
            raise _Failed(f"`save` writes {path.name}, which is neither JSON nor safetensors")
    method = subject.new()
    method.load(folder)
    subject.compare(method.predict(subject.dev.examples), "saved and loaded")


def _killed_and_resumed(subject: _Subject) -> None:
    if not subject.fitted[1].steps:
        raise _Skipped("nothing is trained")
    steps = subject.steps
    if not steps:
        raise _Failed("`fit` reports no progress")
    for end in sorted({max(1, steps // 2), steps}):  # in the middle, and with all but the end done
        folder = next(subject.folders)
        method = subject.new(folder=folder)
        method.runtime.progress = _Counting(end)
        try:
            method.fit(subject.train, subject.dev)
        except _Killed:
            method = subject.new(folder=folder)
            method.fit(subject.train, subject.dev)
            found = method.predict(subject.dev.examples)
            subject.compare(found, f"killed at step {end} of {steps} and resumed")
        else:
            raise _Failed("`fit` outlives its process, or takes another number of steps each time")


def _short_histories(subject: _Subject) -> None:
    items = [behavior for example in subject.dev.examples for behavior in example.history]
    for history in [(), *((item,) for item in items[:1])]:
        examples = [replace(example, history=history) for example in subject.dev.examples[:2]]
        _require_answers(examples, subject.predict(examples))


def _reports(subject: _Subject) -> None:
    method, report = subject.fitted
    for value, kind in ((report, FitReport), (method.cost(), Cost)):
        if not isinstance(value, kind):
            raise _Failed(f"gave a {type(value).__name__} for a {kind.__name__}")
        json.dumps(asdict(value), allow_nan=False)


def _examples_unchanged(subject: _Subject) -> None:
    subject.predict(subject.dev.examples)
    for set, before, split in zip(
        ("train", "dev"), subject.before, (subject.train, subject.dev), strict=True
    ):
        changed = [b.id for b, now in zip(before, split.examples, strict=True) if b != now]
        if changed:
            raise _Failed(f"{set} examples changed: {', '.join(changed)}")


CHECKS: Mapping[str, Callable[[_Subject], None]] = {
    "registration": _registration,
    "unknown-key": _unknown_key,
    "predictions": _predictions,
    "determinism": _determinism,
    "seeds": _seeds,
    "batch-size": _batch_size,
    "user-order": _user_order,
    "neighbours": _neighbours,
    "golds": _golds,
    "save-and-load": _save_and_load,
    "killed-and-resumed": _killed_and_resumed,
    "short-histories": _short_histories,
    "reports": _reports,
    "examples-unchanged": _examples_unchanged,
}
