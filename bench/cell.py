"""One cell: fit, predict, score, record. Killed at any point, it resumes where it stopped."""

import shutil
import traceback
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from bench import store
from bench.data import Data
from bench.environment import describe_environment
from bench.grid import Cell
from bench.joint import make_group
from bench.locks import Busy, lock_cell
from bench.measuring import PeakMemory, PhaseTimer
from bench.models import Models
from bench.prediction import predict_in_chunks
from bench.records import CellRecord, Fit, ModelDescriptions, Totals
from bench.scoring import score_cell
from bench.settings import Settings
from bench.weights import weigh_history, write_weights
from methods.core.fitting import Fit as FittedOnce
from methods.core.fitting import fit_once
from methods.core.runtime import Runtime
from methods.models.processes import ALONE, LostProcessError, Processes
from tasks.common.errors import BenchError, StorageError
from tasks.common.files import content_key, write_text
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

    Several processes (`models.processes`) run it together: the main one holds its lock and writes.

    Raises:
        StorageError: results can't be written, so that no other cell could be stored either.
        LostProcessError: another of the processes has died.
    """
    processes = models.processes
    with ExitStack() as held:
        state = _claim(cell, settings, held) if processes.is_main else None
        state = processes.share(state)
        if state is not None:
            reason = "another process is running it" if state is State.BUSY else ""
            return Outcome(cell, state, reason)
        return _run_or_record_failure(cell, settings, data, models, progress)


def _claim(cell: Cell, settings: Settings, held: ExitStack) -> State | None:
    """Take the cell's lock, into `held`. The state of a cell that isn't to be run, else None."""
    if store.is_done(cell.folder):
        return State.KEPT
    try:
        held.enter_context(lock_cell(cell.folder, settings.store.cache))
    except Busy:
        return State.BUSY
    # By the process that held the lock before.
    return State.KEPT if store.is_done(cell.folder) else None


def _run_or_record_failure(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Outcome:
    """Run the cell, whose lock must be held: another process might meanwhile store a result."""
    try:
        with models.processes.united():
            _run(cell, settings, data, models, progress)
    except (StorageError, LostProcessError):
        raise
    except BenchError as error:
        return _fail(cell, models, f"{error}\n", str(error))
    except Exception as error:  # noqa: BLE001  a method's fault must not stop the other cells
        where = f" (traceback: {store.error_file(cell.folder)})"
        reason = f"{type(error).__name__}: {error}{where}"
        return _fail(cell, models, traceback.format_exc(), reason)
    return Outcome(cell, State.DONE)


def _fail(cell: Cell, models: Models, text: str, reason: str) -> Outcome:
    if models.processes.is_main:
        store.write_error(cell.folder, text)
    if models.processes.number > 1:
        models.close()  # perhaps some process could not open them; they are opened in step
    return Outcome(cell, State.FAILED, reason)


def make_runtime(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Runtime:
    """The data, models and folders that the cell's method may use."""
    llm, encoder = cell.llm, cell.encoder
    budget = cell.budget or data.suite.budgets[0]  # without an LLM, nothing reads it
    processes = models.processes if cell.method.trains_in_parallel else ALONE
    return Runtime(
        task=cell.task(),
        seeds=Seeds.root(cell.task.name, cell.seed),
        max_input_tokens=budget.tokens,
        budget_rule=budget.rule,
        cache=settings.store.cache,
        # Named by folder, not key: two suites can hold cells of the same key.
        scratch=settings.store.cache / "scratch" / content_key(str(cell.folder)),
        open_llm=None if llm is None else lambda: models.llm(llm, data, cell.task, cell.seed),
        open_encoder=None if encoder is None else lambda: models.encoder(encoder),
        progress=progress,
        population=data.load(cell.task, data.suite.train).examples,
        bounds=data.bounds(cell.task),
        group=make_group(settings, cell.source, data, cell.method, cell.config, cell.seed),
        golds=(cell.method.sees_golds and data.load(cell.task, data.suite.evaluate).golds) or {},
        processes=processes,
    )


def _find_answer_limit(cell: Cell, settings: Settings) -> int | None:
    """The most tokens that an answer may take; None without an LLM."""
    if cell.llm is None:
        return None
    return settings.llm(cell.llm).decoding.max_new_tokens or cell.task.max_new_tokens


def _find_helpers(
    cell: Cell, settings: Settings, processes: Processes
) -> tuple[Processes, Processes]:
    """The processes that fit the cell's method together (or load it), and that answer together.

    A served LLM is asked by one process, which counts what it has asked.
    """
    served = cell.llm is not None and settings.llm(cell.llm).endpoint is not None
    answers = cell.method.predicts_in_parallel and not served
    fits = cell.method.trains_in_parallel or answers
    return (processes if fits else ALONE), (processes if answers else ALONE)


def _help(cell: Cell, settings: Settings, data: Data, models: Models, runtime: Runtime) -> None:
    """Another process's part of a cell that the main one runs."""
    fitting, answering = _find_helpers(cell, settings, models.processes)
    if fitting is not ALONE:
        fit = _fit(cell, settings, data, runtime, fitting)
        if answering is not ALONE:
            examples = data.load(cell.task, data.suite.evaluate).examples
            predict_in_chunks(fit.method, examples, runtime, answering)


def _fit(
    cell: Cell, settings: Settings, data: Data, runtime: Runtime, processes: Processes
) -> FittedOnce:
    return fit_once(
        settings.store.cache / "fitted" / cell.fit_key,
        lambda: cell.method(cell.config, runtime),
        lambda: data.training(cell.task),
        processes,
    )


def _run(cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress) -> None:
    timer = PhaseTimer()
    started = datetime.now(UTC)
    runtime = make_runtime(cell, settings, data, models, progress)
    evaluated = data.load(cell.task, data.suite.evaluate)
    with PeakMemory() as memory:
        with timer.time("load"):
            if cell.llm:
                _ = runtime.llm
            if cell.encoder:
                _ = runtime.encoder
        if not models.processes.is_main:
            _help(cell, settings, data, models, runtime)
            return
        fitting, answering = _find_helpers(cell, settings, models.processes)
        with timer.time("fit"):
            fit = _fit(cell, settings, data, runtime, fitting)
        with timer.time("predict"):
            predictions = predict_in_chunks(fit.method, evaluated.examples, runtime, answering)
    weights = weigh_history(fit.method, evaluated.examples)
    record = CellRecord(
        identity=cell.depends_on.to_json(),
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
        fit=Fit.from_report(fit.report, fit.seconds),
        cost=fit.method.cost(),
        totals=Totals.from_predictions(predictions, _find_answer_limit(cell, settings)),
        models=ModelDescriptions(
            llm=runtime.llm.description if cell.llm else None,
            encoder=runtime.encoder.description if cell.encoder else None,
        ),
        environment=describe_environment(models.processes.number),
        warnings=data.warnings(cell.task),
    )
    with store.create_cell(cell.folder) as folder:
        if cell.owns_fit:
            fit.method.save(folder / store.MODEL)
        store.write_predictions(folder / store.PREDICTIONS, predictions)
        write_weights(folder, weights)
        if evaluated.golds is None:
            official = cell.task.official_name()
            submission = store.format_submission(official, predictions)
            write_text(folder / store.SUBMISSION, submission)
        else:
            scores = score_cell(cell.task(), evaluated, predictions, settings.scoring.rules)
            store.write_scores(folder, scores)
        store.write_record(folder, record)
    shutil.rmtree(runtime.scratch, ignore_errors=True)
