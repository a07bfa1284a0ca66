"""One cell: fit, predict, score, record. Killed at any point, it goes on where it was."""

import shutil
import traceback
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bench import store
from bench.data import Data
from bench.environment import PeakMemory, PhaseTimer, environment
from bench.grid import Cell
from bench.models import Models
from bench.scoring import score_cell
from bench.settings import Settings
from methods import Method
from methods.core.fitting import fit_once
from methods.core.runtime import Runtime
from tasks import Example, Prediction
from tasks.common.errors import BenchError, StorageError
from tasks.common.files import content_key, write_json
from tasks.common.progress import Progress
from tasks.common.seeds import Seeds

CHUNK = 256
"""Examples answered between two saves; fixed, so that a resumed cell batches as a whole one."""


@dataclass(frozen=True)
class Outcome:
    """What became of a cell: "done", "kept" (it was done before), "failed" with the reason, or
    "busy" (another process has it in work).
    """

    cell: Cell
    state: str
    reason: str = ""


def run_cell(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Outcome:
    """Run one cell and store it; a failure is recorded beside its place, never as a result.

    Raises StorageError where results can't be written: then no further cell could be kept.
    """
    if store.is_done(cell.folder):
        return Outcome(cell, "kept")
    try:
        with store.sole_writer(cell.folder, settings.store.cache):
            if store.is_done(cell.folder):  # by the process that had the lock
                return Outcome(cell, "kept")
            return _tried(cell, settings, data, models, progress)
    except store.Busy:
        return Outcome(cell, "busy", "another process has it in work")


def _tried(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Outcome:
    """The outcome, and a failure's record: for the cell's `sole_writer`, or it could be written
    beside what another process has meanwhile done.
    """
    try:
        _run(cell, settings, data, models, progress)
    except StorageError:
        raise
    except BenchError as error:
        store.write_error(cell.folder, f"{error}\n")
        return Outcome(cell, "failed", str(error))
    except Exception as error:  # noqa: BLE001  any fault of a method stays within its cell
        store.write_error(cell.folder, traceback.format_exc())
        reason = f"{type(error).__name__}: {error} (traceback: {store.error_file(cell.folder)})"
        return Outcome(cell, "failed", reason)
    return Outcome(cell, "done")


def make_runtime(
    cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress
) -> Runtime:
    """What the cell's method may use."""
    llm, encoder = cell.llm, cell.encoder
    return Runtime(
        task=cell.task(),
        seeds=Seeds.root(cell.task.name, cell.seed),
        max_input_tokens=data.suite.max_input_tokens,
        cache=settings.store.cache,
        # By folder, as the cell's lock: other suites have cells of the same key.
        scratch=settings.store.cache / "scratch" / content_key(str(cell.folder)),
        open_llm=None if llm is None else lambda: models.llm(llm, data, cell.task, cell.seed),
        open_encoder=None if encoder is None else lambda: models.encoder(encoder),
        progress=progress,
        population=data.split(cell.task, data.suite.train).examples,
        bounds=data.bounds(cell.task),
        golds=(cell.method.sees_golds and data.split(cell.task, data.suite.evaluate).golds) or {},
    )


def _run(cell: Cell, settings: Settings, data: Data, models: Models, progress: Progress) -> None:
    timer = PhaseTimer()
    started = datetime.now(UTC)
    runtime = make_runtime(cell, settings, data, models, progress)
    evaluated = data.split(cell.task, data.suite.evaluate)
    with PeakMemory() as memory:
        with timer.phase("load"):
            if cell.llm:
                _ = runtime.llm
            if cell.encoder:
                _ = runtime.encoder
        with timer.phase("fit"):
            folder = settings.store.cache / "fitted" / cell.fit_key
            with store.sole_writer(folder, settings.store.cache, wait=True):
                fit = fit_once(
                    folder,
                    lambda: cell.method(cell.config, runtime),
                    lambda: data.training(cell.task),
                )
        with timer.phase("predict"):
            predictions = _predict(fit.method, evaluated.examples, runtime)
    record = {
        "identity": cell.depends_on.to_json(),
        "key": cell.key,
        "suite": cell.suite,
        "data": cell.source,
        "task": cell.task.name,
        "method": cell.variant,
        "config": cell.config.model_dump(mode="json"),
        "llm": cell.llm,
        "encoder": cell.encoder,
        "seed": cell.seed,
        "started": started.isoformat(timespec="seconds"),
        "seconds": timer.seconds,
        "peak_bytes": {"resident": memory.resident, "gpu": memory.gpu},
        "fit": {**asdict(fit.report), "seconds": fit.seconds},
        "cost": asdict(fit.method.cost()),
        "totals": _totals(predictions),
        "models": {
            "llm": runtime.llm.description if cell.llm else None,
            "encoder": runtime.encoder.description if cell.encoder else None,
        },
        "environment": environment(),
    }
    with store.new_cell(cell.folder) as folder:
        if cell.owns_fit:
            fit.method.save(folder / store.MODEL)
        store.write_predictions(folder / store.PREDICTIONS, predictions)
        if evaluated.golds is None:
            store.write_submission(
                folder / store.SUBMISSION, cell.task.official_name(), predictions
            )
        else:
            scores = score_cell(cell.task(), evaluated, predictions, settings.scoring)
            write_json(folder / store.SCORES, scores)
        write_json(folder / store.RECORD, record)
    shutil.rmtree(runtime.scratch, ignore_errors=True)


def _predict(method: Method, examples: Sequence[Example], runtime: Runtime) -> list[Prediction]:
    """Answer in fixed chunks, each saved when it is done, so that a killed cell loses one chunk."""
    found: list[Prediction] = []
    runtime.progress.start("predict", len(examples))
    for start in range(0, len(examples), CHUNK):
        chunk = examples[start : start + CHUNK]
        path = runtime.scratch / f"predictions-{start}.jsonl"
        answers = _answered_before(path)
        if answers is None:
            answers = method.predict(chunk)
            _check_answers(method, chunk, answers)
            store.write_predictions(path, answers)
        found += answers
        runtime.progress.advance(len(chunk))
    return found


def _answered_before(path: Path) -> list[Prediction] | None:
    """A chunk's saved answers; None: there are none, or they are damaged and to be made anew."""
    if not path.is_file():
        return None
    try:
        return store.read_predictions(path)
    except StorageError as error:
        warnings.warn(f"{error} Its examples are answered again.", stacklevel=2)
        return None


def _check_answers(
    method: Method, examples: Sequence[Example], answers: Sequence[Prediction]
) -> None:
    wanted, given = [example.id for example in examples], [answer.id for answer in answers]
    if wanted != given:
        raise TypeError(
            f"{method.name}.predict must give one prediction per example, in order: "
            f"wanted {len(wanted)} ids, got {len(given)}"
        )


def _totals(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """What a reader must know of all predictions together."""
    n = max(1, len(predictions))
    reasons: dict[str, int] = {}
    for prediction in predictions:
        if prediction.note:
            reasons[prediction.note] = reasons.get(prediction.note, 0) + 1
    return {
        "n": len(predictions),
        "failed": sum(prediction.text is None for prediction in predictions),
        "truncated": sum(prediction.truncated_tokens > 0 for prediction in predictions),
        "prompt_tokens_mean": sum(prediction.prompt_tokens for prediction in predictions) / n,
        "new_tokens_mean": sum(prediction.new_tokens for prediction in predictions) / n,
        "behaviors_mean": sum(len(prediction.behaviors) for prediction in predictions) / n,
        "notes": dict(sorted(reasons.items())),
    }
