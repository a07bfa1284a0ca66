"""Checks of what a method declares and reports."""

import json
from collections.abc import Mapping
from dataclasses import asdict

from pydantic import ValidationError

from bench.conformance.subject import Check, CheckFailed, Subject
from methods import METHODS, Cost, FitReport, MethodConfig

UNKNOWN_KEY = "no_such_key"


def check_registration(subject: Subject) -> None:
    """The name is the method's own, the version counts from 1, and the task is applicable."""
    method = subject.method
    name = getattr(method, "name", None)
    if not isinstance(name, str):
        raise CheckFailed("`name` is not a string in the class body")
    if name in METHODS.names() and METHODS.get(name) is not method:
        raise CheckFailed(f"`name` {name!r} is already another method's")
    if type(method.version) is not int or method.version < 1:
        raise CheckFailed(f"`version` is {method.version!r}, not an integer of at least 1")
    if not method.applicable(type(subject.task)):
        raise CheckFailed(f"not applicable to {subject.task.name}: the grid would leave it out")


def check_unknown_key(subject: Subject) -> None:
    """The config refuses a key that it does not know."""
    if not issubclass(subject.method.Config, MethodConfig):
        raise CheckFailed("`Config` is not a MethodConfig")
    try:
        subject.method.Config.model_validate({**subject.options, UNKNOWN_KEY: 1})
    except ValidationError as error:
        if any(fault["loc"] == (UNKNOWN_KEY,) for fault in error.errors()):
            return
        raise
    raise CheckFailed(f"the config accepts the unknown key {UNKNOWN_KEY!r}")


def check_reports(subject: Subject) -> None:
    """`fit` returns a FitReport and `cost` a Cost, both of which JSON can hold."""
    method, report = subject.fitted
    for value, kind in ((report, FitReport), (method.cost(), Cost)):
        if not isinstance(value, kind):
            raise CheckFailed(f"returned a {type(value).__name__} instead of a {kind.__name__}")
        json.dumps(asdict(value), allow_nan=False)


INTERFACE: Mapping[str, Check] = {
    "registration": check_registration,
    "unknown-key": check_unknown_key,
    "reports": check_reports,
}
