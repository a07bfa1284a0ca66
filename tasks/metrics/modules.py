"""A module of Hugging Face's `evaluate` as one of a task's metrics.

`evaluate` is slow to import, so a module is loaded only when answers are scored. Loading one runs
its Python code.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from tasks.common.errors import BenchError, ConfigError
from tasks.example import Prediction, Score
from tasks.metrics.metric import Metric, Rows, align, as_column, mean
from tasks.metrics.module_inputs import ModuleInputs
from tasks.metrics.module_loading import identify, load_module
from tasks.scoring import EvaluateModule, Scoring
from tasks.task import Task


class ModuleMetric(Metric):
    """The metric that a module of `evaluate` computes.

    It has a value per example, and so rows and an interval, where the module returns a list or is
    asked for one example at a time; otherwise only its value over all examples is known.

    Args:
        declared: which module, and how its result is read.
        task: whose answers are scored.
        scoring: how an ordinal answer is read that is not a number.
    """

    is_mean = True

    def __init__(self, declared: EvaluateModule, task: Task, scoring: Scoring) -> None:
        self.declared = declared
        self.name = declared.metric
        self.higher_is_better = declared.higher_is_better
        self._inputs = ModuleInputs(task, scoring)

    @cached_property
    def _module(self) -> Any:
        return load_module(self.declared)

    def identify(self) -> EvaluateModule:
        """The declaration with the hash of the module's source and the version of `evaluate`."""
        sha256, version = identify(self._module)
        return replace(self.declared, sha256=sha256, evaluate=version)

    def unparsed(self, prediction: str) -> bool:
        return self._inputs.unparsed(prediction)

    def score(self, predictions: Sequence[Prediction], golds: Mapping[str, str]) -> Score:
        texts = align(predictions, golds)
        value, rows = self.compute(texts, list(golds.values()))
        return Score(
            metric=self.name,
            value=value,
            n=len(golds),
            n_failed=sum(text is None for text in texts),
            n_unparsed=sum(text is not None and self.unparsed(text) for text in texts),
            higher_is_better=self.higher_is_better,
            rows=None if rows is None else tuple(map(tuple, rows.tolist())),
        )

    def compute(
        self, predictions: Sequence[str | None], references: Sequence[str]
    ) -> tuple[float, Rows | None]:
        """The value over all n examples, and the examples' own values [n, 1] if there are any.

        Raises:
            ConfigError: the module fails, or its result is not what the declaration says.
            ValueError: there are no examples.
        """
        if not references:
            raise ValueError("no examples to score")
        if self.declared.one_by_one:
            pairs = zip(predictions, references, strict=True)
            found: Any = [self._compute_one(text, reference) for text, reference in pairs]
        else:
            found = self._read(self._ask(predictions, references), len(references))
        if isinstance(found, float):
            self._refuse_worst()
            return found, None
        worst = self.declared.worst
        if worst is not None:
            wrong = [text is None or self.unparsed(text) for text in predictions]
            found = [worst if bad else value for bad, value in zip(wrong, found, strict=True)]
        rows = as_column(found)
        return mean(rows), rows

    def rows(self, predictions: Sequence[str | None], references: Sequence[str]) -> Rows:
        """Values per example [n, 1]. Raises ConfigError if the module gives none."""
        rows = self.compute(predictions, references)[1] if references else as_column([])
        if rows is None:
            raise self._fault(
                "gives one value for all examples together",
                "Name the key of a list as its `value`, or set one_by_one = true if the metric is "
                "the mean of single examples' scores",
            )
        return rows

    def reduce(self, rows: Rows) -> float:
        return mean(rows)

    def check(self, references: Sequence[str]) -> None:
        """Try the module on the right answers and on failed ones, before any LLM has answered.

        Raises ConfigError if it fails, or if a failed answer scores no worse than a right one.
        """
        right, _ = self.compute(list(references), references)
        failed, _ = self.compute([None] * len(references), references)
        if failed >= right if self.higher_is_better else failed <= right:
            raise self._fault(
                f"gives {right:g} for right answers and {failed:g} for failed ones",
                "State whether higher_is_better, and as `worst` the value of a failed answer (for "
                "that, the module must give values per example)",
            )

    def _compute_one(self, text: str | None, reference: str) -> float:
        found = self._read(self._ask([text], [reference]), 1)
        return found if isinstance(found, float) else found[0]

    def _ask(self, predictions: Sequence[str | None], references: Sequence[str]) -> Any:
        """The module's result. Raises ConfigError with whatever goes wrong in its code."""
        module = self._module
        try:
            inputs = self._inputs.encode(module.features, predictions, references)
            return module.compute(**inputs, **self.declared.options)
        except BenchError as error:
            raise self._fault(error.what, error.hint) from error
        except Exception as error:
            raise self._fault(
                f"the module failed ({type(error).__name__}: {error})",
                "Correct the module, or its options in [scoring.evaluate]; it must also accept "
                "empty texts, which stand for failed answers",
            ) from error

    def _read(self, result: Any, n: int) -> float | list[float]:
        """The metric in a module's result: one number, or n of them."""
        if not isinstance(result, Mapping) or not result:
            raise self._fault(f"the module returns {result!r}", "Let it return a dictionary")
        key = self.declared.value
        if key is None and len(result) == 1:
            key = next(iter(result))
        if key not in result:
            missing = "states no `value`" if key is None else f"has no key {key!r} in its result"
            raise self._fault(missing, f"Set `value` to one of {', '.join(map(str, result))}")
        try:
            found = np.asarray(result[key], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._fault(
                f"{key!r} of its result is not a number ({error})", "Choose another `value`"
            ) from error
        if found.ndim and found.shape != (n,):
            raise self._fault(
                f"{key!r} of its result has the shape {found.shape} for {n} examples",
                "Choose a `value` that is a number, or a list of one number for each example",
            )
        if not np.isfinite(found).all():
            raise self._fault(
                f"{key!r} of its result is not finite ({found[~np.isfinite(found)][0]:g})",
                "Let the module return a number for every answer, also for an empty one",
            )
        return found.tolist() if found.ndim else float(found)

    def _refuse_worst(self) -> None:
        if self.declared.worst is not None:
            raise self._fault(
                "states `worst`, but the module gives no values per example",
                "Leave `worst` out, or name the key of a list as `value`",
            )

    def _fault(self, what: str, hint: str) -> ConfigError:
        return ConfigError(f"metric {self.name!r}: {what}", hint=hint)
