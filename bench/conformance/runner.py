"""Every check on one method, each outcome as a result."""

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.conformance.answers import ANSWERS
from bench.conformance.interface import INTERFACE
from bench.conformance.persistence import PERSISTENCE
from bench.conformance.reproducibility import REPRODUCIBILITY
from bench.conformance.subject import (
    Check,
    CheckFailed,
    CheckResult,
    CheckSkipped,
    MakeRuntime,
    Subject,
)
from methods import METHODS
from tasks import Dataset, Task

CHECKS: Mapping[str, Check] = {**INTERFACE, **ANSWERS, **REPRODUCIBILITY, **PERSISTENCE}


def check(
    method_name: str,
    config: Mapping[str, Any],
    *,
    task: Task,
    train: Dataset,
    dev: Dataset,
    make_runtime: MakeRuntime,
) -> list[CheckResult]:
    """Run every check on one method, in a fixed order. An exception in one fails that one alone.

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
        subject = Subject(method, dict(config), task, train, dev, make_runtime, Path(folder))
        return _shorten([_run(name, test, subject) for name, test in CHECKS.items()])


def _shorten(results: Sequence[CheckResult]) -> list[CheckResult]:
    """The results, with a cause that failed several checks spelled out once."""
    first: dict[str, str] = {}
    for result in results:
        if not result.passed:
            first.setdefault(result.detail, result.name)
    return [
        replace(result, detail=f"as in {first[result.detail]}")
        if not result.passed and first[result.detail] != result.name
        else result
        for result in results
    ]


def _run(name: str, test: Check, subject: Subject) -> CheckResult:
    try:
        test(subject)
    except CheckSkipped as skipped:
        return CheckResult(name, passed=True, detail=str(skipped), skipped=True)
    except CheckFailed as failed:
        return CheckResult(name, passed=False, detail=str(failed))
    except Exception as error:  # noqa: BLE001  whatever a method raises is its own failed check
        return CheckResult(name, passed=False, detail=f"{type(error).__name__}: {error}")
    return CheckResult(name, passed=True)
