"""Fitting a method once: for a cell and its controls, for a pool's members, and after a kill."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from methods.cache.folders import hold_lock, load_kept, make_once
from methods.core.method import Method
from methods.models.processes import ALONE, Processes
from methods.models.report import FitReport
from tasks.common.errors import StorageError
from tasks.common.files import read_json, write_json
from tasks.example import Dataset

MODEL, REPORT = "model", "fit.json"


@dataclass(frozen=True)
class Fit:
    """A fitted method.

    Attributes:
        report: what the training did.
        seconds: that it took whichever process ran it; after a kill, since it was resumed.
    """

    method: Method[Any]
    report: FitReport
    seconds: float


def fit_once(
    folder: Path,
    new_method: Callable[[], Method[Any]],
    data: Callable[[], tuple[Dataset, Dataset | None]],
    processes: Processes = ALONE,
) -> Fit:
    """Load the fit that `folder` keeps, or fit a method and keep it there.

    A damaged fit is set aside and fitted again, from a fresh method: one that failed to load may
    hold some of the damaged weights. Other processes that need the same fit wait.

    Args:
        folder: of this fit alone, named by all that it depends on.
        data: gives the train set and the set to watch; called only if something must be fitted.
        processes: that call this function with equal arguments. The main one keeps the fit; the
            others help to train it (`Method.trains_in_parallel`), or load it afterwards.

    Raises:
        ModelError: training diverges or runs out of memory.
        StorageError: the fit can't be written.
    """
    fresh: list[Fit] = []

    def fit(method: Method[Any]) -> Fit:
        train, dev = data()
        started = time.monotonic()
        report = method.fit(train, dev)
        return Fit(method, report, round(time.monotonic() - started, 3))

    def make(part: Path) -> None:
        made = fit(new_method())
        made.method.save(part / MODEL)
        write_json(part / REPORT, {**asdict(made.report), "seconds": made.seconds})
        fresh.append(made)

    def load(folder: Path) -> Fit:
        report, seconds = _read_report(folder / REPORT)
        method = new_method()
        method.load(folder / MODEL)
        return Fit(method, report, seconds)

    if not processes.is_main:
        helped = None
        if processes.share(value=False):
            method = new_method()
            helped = fit(method) if method.trains_in_parallel else None
        processes.wait()  # until it is kept
        return helped or load(folder)
    with hold_lock(folder.with_name(f".{folder.name}.fit.lock")):
        kept = load_kept(folder, load, "fitted again")
        processes.share(kept is None)
        if kept is None:
            make_once(folder, make)
        processes.wait()
        return kept or fresh[0]


def _read_report(file: Path) -> tuple[FitReport, float]:
    """A kept fit's report and seconds. Raises StorageError if the file is missing or damaged."""
    fields = read_json(file)
    try:
        seconds = float(fields.pop("seconds"))
        return FitReport(**{**fields, "curve": tuple(fields["curve"])}), seconds
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(
            f"is damaged ({error})", file=file, hint="Run the same command again"
        ) from error
