"""One cell: fit, predict, score, record. Killed at any point, it resumes where it stopped."""

import shutil
import time
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from bench import store
from bench.data import Data
from bench.environment import describe_environment
from bench.grid import Cell
from bench.locks import Busy, lock_folder
from bench.measuring import PeakMemory, PhaseTimer
from bench.models import Models
from bench.prediction import predict_in_chunks
from bench.records import CellRecord, Fit, ModelDescriptions, Totals
from bench.scoring import score_cell
from bench.settings import Settings
from methods import FitReport, Method
from methods.cache.folders import set_aside
from methods.core.runtime import Runtime
from tasks.common.errors import BenchError, ModelError, StorageError
from tasks.common.files import content_key, write_json
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds


class State(StrEnum):
    """How a cell ended: KEPT was done before this run; BUSY is running in another process."""

    DONE = "done"
    KEPT = "kept"
    FAILED = "failed"
    BUSY = "busy"


@dataclass(frozen=True)
class Outcome:
    """How a cell ended, with the reason where it failed or did not run."""

    cell: Cell
    state: State
    reason: str = ""


def run_cell(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Outcome:
    """Run one cell and store it. A failure leaves an error file, never a result.

    Raises StorageError where results can't be written: then no other cell could be stored either.
    """
    if store.is_done(cell.folder):
        return Outcome(cell, State.KEPT)
    try:
        with lock_folder(cell.folder, settings.store.cache):
            if store.is_done(cell.folder):  # by the process that held the lock before
                return Outcome(cell, State.KEPT)
            return _run_or_record_failure(cell, settings, data, models, progress)
    except Busy:
        return Outcome(cell, State.BUSY, "another process is running it")


def _run_or_record_failure(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Outcome:
    """Run the cell, whose lock must be held: another process might meanwhile store a result."""
    try:
        _run(cell, settings, data, models, progress)
    except StorageError:
        raise
    except BenchError as error:
        store.write_error(cell.folder, f"{error}\n")
        return Outcome(cell, State.FAILED, str(error))
    except Exception as error:  # noqa: BLE001  a method's fault must not stop the other cells
        store.write_error(cell.folder, traceback.format_exc())
        reason = f"{type(error).__name__}: {error} (traceback: {store.error_file(cell.folder)})"
        return Outcome(cell, State.FAILED, reason)
    return Outcome(cell, State.DONE)


def make_runtime(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Runtime:
    """The data, models and folders that the cell's method may use."""
    llm, encoder = cell.llm, cell.encoder
    return Runtime(
        task=cell.task(),
        seeds=Seeds.root(cell.task.name, cell.seed),
        max_input_tokens=data.suite.max_input_tokens,
        cache=settings.store.cache,
        # Named by folder, not key: two suites can hold cells of the same key.
        scratch=settings.store.cache / "scratch" / content_key(str(cell.folder)),
        open_llm=None if llm is None else lambda: models.llm(llm, data, cell.task, cell.seed),
        open_encoder=None if encoder is None else lambda: models.encoder(encoder),
        progress=progress,
        population=data.load(cell.task, data.suite.train).examples,
        bounds=data.bounds(cell.task),
        golds=(cell.method.sees_golds and data.load(cell.task, data.suite.evaluate).golds) or {},
    )


def _run(cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress) -> None:
    timer = PhaseTimer()
    started = datetime.now(UTC)
    runtime = make_runtime(cell, settings, data, models, progress)
    evaluated = data.load(cell.task, data.suite.evaluate)
    with PeakMemory() as memory:
        with timer.time("load"):
            method = cell.method(cell.config, runtime)
            if cell.llm:
                _ = runtime.llm
            if cell.encoder:
                _ = runtime.encoder
        with timer.time("fit"):
            fitted = settings.store.cache / "fitted" / cell.fit_key
            with lock_folder(fitted, settings.store.cache, wait=True):
                report, fit_seconds = _fitted(method, cell, data, fitted)
        with timer.time("predict"):
            predictions = predict_in_chunks(method, evaluated.examples, runtime)
    record = CellRecord(
        identity=cell.identity,
        key=cell.key,
        suite=cell.suite,
        data=cell.source,
        task=cell.task.name,
        method=cell.variant,
        config=cell.config.model_dump(mode="json"),
        llm=cell.llm,
        encoder=cell.encoder,
        seed=cell.seed,
        started=started.isoformat(timespec="seconds"),
        seconds=timer.seconds(),
        peak_bytes=memory.peak_bytes(),
        fit=Fit.from_report(report, fit_seconds),
        cost=method.cost(),
        totals=Totals.from_predictions(predictions),
        models=ModelDescriptions(
            llm=runtime.llm.description if cell.llm else None,
            encoder=runtime.encoder.description if cell.encoder else None,
        ),
        environment=describe_environment(),
    )
    with store.create_cell(cell.folder) as folder:
        if cell.owns_fit:
            method.save(folder / store.MODEL)
        store.write_predictions(folder / store.PREDICTIONS, predictions)
        if evaluated.golds is None:
            official = cell.task.official_name()
            store.write_submission(folder / store.SUBMISSION, official, predictions)
        else:
            scores = score_cell(cell.task(), evaluated, predictions, settings.scoring.rules)
            store.write_scores(folder, scores)
        store.write_record(folder, record)
    shutil.rmtree(runtime.scratch, ignore_errors=True)


def _fitted(method: Method, cell: Cell, data: Data, fitted: Path) -> tuple[FitReport, float]:
    """Fit once for all cells that share a fit (a method and its controls), and after a kill.

    A damaged fit is put aside and made anew.

    For the fit's `sole_writer`: two processes may want it at the same time.

    Returns:
        What the training did, and the seconds that it took whoever did it; after a kill, those
        since it went on.
    """
    done, model = fitted / "fit.json", fitted / "model"
    if done.is_file():
        try:
            report, seconds = _reported(done)
            method.load(model)
        except (ModelError, StorageError) as error:
            set_aside(fitted, error, "fitted anew")
        else:
            return report, seconds
    train, watched = data.training(cell.task)
    started = time.monotonic()
    report = method.fit(train, watched)
    seconds = round(time.monotonic() - started, 3)
    method.save(model)
    write_json(done, {**asdict(report), "seconds": seconds})
    return report, seconds


def _reported(path: Path) -> tuple[FitReport, float]:
    """A stored fit's report and seconds. Raises StorageError where the file is damaged."""
    fields = store.read_json(path)
    try:
        seconds = float(fields.pop("seconds"))
        return FitReport(**{**fields, "curve": tuple(fields["curve"])}), seconds
    except (KeyError, TypeError, ValueError) as error:
        raise StorageError(f"is damaged ({error})", file=path, hint=store.RUN_AGAIN) from error
