"""The method under test, with the reference run that every check compares against."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any, Protocol

from methods import FitReport, Method
from methods.core.runtime import Runtime
from tasks import Dataset, Example, Prediction, Task
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

BATCH_SIZE = 7
"""Of the reference run's LLM: odd, so that the last batch is a short one."""


@dataclass(frozen=True)
class CheckResult:
    """The outcome of one check; `detail` says what failed, or why it was skipped."""

    name: str
    passed: bool
    detail: str = ""
    skipped: bool = False


class CheckFailed(Exception):  # noqa: N818  an outcome, not an error
    """The method broke a rule."""


class CheckSkipped(Exception):  # noqa: N818
    """The rule does not apply to the method."""


class MakeRuntime(Protocol):
    """Makes a fresh Runtime whose cache and scratch lie in `folder`."""

    def __call__(self, folder: Path, *, batch_size: int) -> Runtime:
        """`batch_size` is the LLM's; two runtimes for one folder share what is stored there."""


@dataclass
class Subject:
    """One method with its data, and the reference run that checks compare against."""

    method: type[Method]
    options: dict[str, Any]
    task: Task
    train: Dataset
    dev: Dataset
    make_runtime: MakeRuntime
    root: Path

    def __post_init__(self) -> None:
        self.before = copy.deepcopy((self.train.examples, self.dev.examples))
        self.steps = 0
        self._numbers = count()

    def new_folder(self) -> Path:
        """A path under `root` that no other run uses; nothing is created."""
        return self.root / str(next(self._numbers))

    def create(
        self,
        *,
        batch_size: int = BATCH_SIZE,
        folder: Path | None = None,
        seeds: Seeds | None = None,
    ) -> Method:
        """A fresh instance, which shares nothing with any other unless `folder` is another's."""
        runtime = self.make_runtime(folder or self.new_folder(), batch_size=batch_size)
        runtime.seeds = seeds or runtime.seeds
        runtime.population = runtime.population or self.train.examples
        return self.method(self.method.Config.model_validate(self.options), runtime)

    def refit_and_predict(self, *, batch_size: int = BATCH_SIZE) -> list[Prediction]:
        """Predictions for the dev examples by a fresh instance, fitted from scratch."""
        method = self.create(batch_size=batch_size)
        method.fit(self.train, self.dev)
        return method.predict(self.dev.examples)

    @cached_property
    def fitted(self) -> tuple[Method, FitReport]:
        """The reference instance; sets `steps`, the number of steps that its `fit` reports."""
        method = self.create()
        method.runtime.progress = counter = StepCounter()
        report = method.fit(self.train, self.dev)
        self.steps = counter.steps  # `predict` may report progress too
        return method, report

    @cached_property
    def expected(self) -> list[Prediction]:
        """What the reference instance predicts for the dev examples."""
        return self.predict(self.dev.examples)

    def predict(self, examples: Sequence[Example]) -> list[Prediction]:
        """Predictions of the reference instance."""
        return self.fitted[0].predict(examples)

    def compare(self, found: Sequence[Prediction], where: str) -> None:
        """Raise CheckFailed where a prediction differs from the expected one for its example."""
        expected = {prediction.id: prediction for prediction in self.expected}
        for prediction in found:
            wanted = expected[prediction.id]
            for name, value in asdict(prediction).items():
                if value != getattr(wanted, name):
                    raise CheckFailed(
                        f"{where}: example {prediction.id!r}: {name} is {value!r}, "
                        f"was {getattr(wanted, name)!r}"
                    )


Check = Callable[[Subject], None]


class StepCounter(Progress):
    """Counts the calls by which `fit` reports its steps."""

    def __init__(self) -> None:
        self.steps = 0

    def advance(self, steps: int = 1) -> None:  # noqa: ARG002  calls are counted
        self.steps += 1
