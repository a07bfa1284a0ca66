"""Fitting a method once: for a cell and its controls, for a pool's members, and after a kill."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from methods.cache.folders import hold_lock, load_kept, make_once
from methods.core.method import Method
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
) -> Fit:
    """Load the fit that `folder` keeps, or fit a method and keep it there.

    A damaged fit is set aside and fitted again, from a fresh method: one that failed to load may
    hold some of the damaged weights. Other processes that need the same fit wait.

    Args:
        folder: of this fit alone, named by all that it depends on.
        data: gives the train set and the set to watch; called only if something must be fitted.

    Raises:
        ModelError: training diverges or runs out of memory.
        StorageError: the fit can't be written.
    """
    fresh: list[Fit] = []

    def make(part: Path) -> None:
        train, dev = data()
        method = new_method()
        started = time.monotonic()
        report = method.fit(train, dev)
        seconds = round(time.monotonic() - started, 3)
        method.save(part / MODEL)
        write_json(part / REPORT, {**asdict(report), "seconds": seconds})
        fresh.append(Fit(method, report, seconds))

    def load(folder: Path) -> Fit:
        report, seconds = _read_report(folder / REPORT)
        method = new_method()
        method.load(folder / MODEL)
        return Fit(method, report, seconds)

    with hold_lock(folder.with_name(f".{folder.name}.fit.lock")):
        kept = load_kept(folder, load, "fitted again")
        if kept is not None:
            return kept
        make_once(folder, make)
        return fresh[0]


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
