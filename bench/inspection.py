"""`bench show`: an example with its prompt per method, or a stored cell with predictions."""

import json
from collections.abc import Sequence

from bench import store
from bench.cell import make_runtime
from bench.data import Data
from bench.grid import Cell, plan
from bench.models import Models
from bench.settings import Settings
from methods.prompt.method import PromptMethod
from tasks import TASKS, Example, Prediction
from tasks.budget import Budget
from tasks.common.errors import ConfigError, DataError
from tasks.common.progress import Progress
from tasks.common.registry import did_you_mean

PREDICTIONS_SHOWN = 5


def describe(
    settings: Settings, suite: str | None, what: str, id: str | None, *, methods: Sequence[str]
) -> str:
    """Text about an example (`what` is a task) or about a stored cell (`what` is its key).

    Args:
        id: of the example, or of the one prediction to show; None for the first ones.
        methods: only these methods' prompts; all if empty.

    Raises:
        ConfigError: neither a task nor a cell of the suite.
        DataError: no example of that id.
    """
    if what in TASKS.names():
        return _describe_example(settings, suite, what, id, methods)
    cells = {cell.key: cell for cell in plan(settings, suite).cells}
    if what not in cells:
        raise ConfigError(
            f"{what!r} is neither a task nor a cell of the suite",
            hint=did_you_mean(what, [*TASKS.names(), *cells]),
        )
    return _describe_cell(cells[what], id)


def _describe_cell(cell: Cell, id: str | None) -> str:
    if store.error_file(cell.folder).is_file() and not store.is_done(cell.folder):
        return f"{cell.title}: failed\n{store.error_file(cell.folder).read_text('utf-8')}"
    record = store.read_record(cell.folder)
    predictions = store.read_predictions(cell.folder / store.PREDICTIONS)
    shown = [p for p in predictions if p.id == id] if id else predictions[:PREDICTIONS_SHOWN]
    if id and not shown:
        raise DataError("no prediction of that id", id=id, file=cell.folder, hint="Correct the id")
    text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
    lines = [cell.title, str(cell.folder), text]
    scores = store.read_scores(cell.folder)
    if scores is not None:
        lines += [
            f"{name} {s.value:.4f} (n {s.n}, failed {s.n_failed}, unparsed {s.n_unparsed})"
            for name, s in scores.metrics.items()
        ]
    return "\n".join([*lines, *(f"{p.id}: {p.text!r}{_describe_cut(p)}" for p in shown)])


def _describe_cut(prediction: Prediction) -> str:
    total, cut = prediction.query_tokens, prediction.query_tokens_cut
    return f" (read {total - cut} of the query's {total} tokens)" if cut else ""


def _describe_example(
    settings: Settings, suite_name: str | None, task: str, id: str | None, methods: Sequence[str]
) -> str:
    grid = plan(settings, suite_name, methods=methods, tasks=[task])
    suite = settings.suite(suite_name)[1]
    data = Data(settings, suite, suite.data[0])
    dataset = data.load(TASKS.get(task), data.suite.evaluate)
    example = next((e for e in dataset.examples if id in (None, e.id)), None)
    if example is None:
        raise DataError(
            f"the {dataset.set} set of {task} has no such example",
            id=id,
            hint=did_you_mean(str(id), [e.id for e in dataset.examples][:10_000]),
        )
    gold = None if dataset.golds is None else dataset.golds[example.id]
    lines = [
        f"{task} {dataset.set} {example.id}, user {example.user_id}",
        f"history: {len(example.history)} behaviours",
        f"gold: {gold}",
        f"query: {example.query}",
    ]
    models = Models(settings, Progress())
    seen: set[tuple[str, Budget | None]] = set()
    for cell in grid.cells:
        new = cell.source == suite.data[0] and (cell.variant, cell.budget) not in seen
        if new and issubclass(cell.method, PromptMethod):
            seen.add((cell.variant, cell.budget))
            lines += [
                "",
                f"--- {cell.variant}{f' · {cell.budget} tokens' if cell.several_budgets else ''}",
                *_describe_prompt(cell, settings, data, models, example),
            ]
    return "\n".join(lines)


def _describe_prompt(
    cell: Cell, settings: Settings, data: Data, models: Models, example: Example
) -> list[str]:
    runtime = make_runtime(cell, settings, data, models, Progress())
    method = cell.method(cell.config, runtime)
    assert isinstance(method, PromptMethod)  # noqa: S101  checked by the caller
    prompt = method.prompts([example])[0]
    if prompt.text is None:
        return [f"no prompt: {prompt.error}"]
    length = runtime.llm.tokens.count(prompt.text)
    total, cut = method.count_query(example, prompt.text, max(0, length - method.budget))
    return [
        f"{length} tokens, "
        f"behaviours {', '.join(prompt.behaviors) or 'none'}, "
        f"query read: {total - cut} of {total} tokens",
        prompt.text,
    ]
