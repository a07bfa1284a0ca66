"""Conformance checks: the rules every method must keep, checked on one method with one task's data.

subject.py          the method under test, with the reference run that checks compare against
interface.py        registration, config, reports
answers.py          what `predict` returns, and what it must not touch
reproducibility.py  same answers whatever the run, batch size, order or neighbours
persistence.py      saving, loading, resuming
runner.py           runs every check and catches what a method raises
command.py          `bench check`
tiny_models.py      random models, written in a second
tiny_runtime.py     runtimes on those models
"""

from bench.conformance.runner import CHECKS, check
from bench.conformance.subject import CheckResult, MakeRuntime

__all__ = ["CHECKS", "CheckResult", "MakeRuntime", "check"]
