"""`bench show`: an example with its prompt per method, or a stored cell with predictions."""

import json
import re
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from bench import store
from bench.cell import make_runtime
from bench.data import Data, name_sources, open_sources
from bench.grid import Cell, plan
from bench.models import Models
from bench.settings import Settings
from methods import Method, MethodConfig
from methods.prefix.method import PrefixMethod
from methods.prompt.method import Prompt, PromptMethod
from methods.prompt.text_side import TextSideConfig
from tasks import Example, Prediction
from tasks.budget import Budget
from tasks.common.errors import ConfigError, DataError
from tasks.common.progress import Progress
from tasks.common.registry import did_you_mean

PREDICTIONS_SHOWN = 5
KEY = re.compile("[0-9a-f]{12}")


def describe(
    settings: Settings, suite: str | None, what: str, id: str | None, *, methods: Sequence[str]
) -> str:
    """Text about an example (`what` is a task) or about a stored cell (`what` is its key).

    Args:
        suite: whose example to show; None: the default suite, or else the only one with the task.
            Stored cells of other suites are found too.
        id: of the example, or of the one prediction to show; None for the first ones.
        methods: only these methods' prompts; all if empty.

    Raises:
        ConfigError: neither a task of the suite nor the key of a stored cell.
        DataError: no example of that id.
    """
    if what in settings.task_names():
        return _describe_example(settings, _choose_suite(settings, suite, what), what, id, methods)
    folder = _find_stored(settings, suite, what)
    if folder is None:
        raise _explain_unknown(settings, suite, what)
    return _describe_cell(folder, id)


def _choose_suite(settings: Settings, wanted: str | None, task: str) -> str:
    """A suite with the task. Raises ConfigError, which names the suites that have it."""
    name, suite = settings.suite(wanted)
    if task in suite.tasks:
        return name
    having = [other for other, its in settings.suites.items() if task in its.tasks]
    if wanted is None and len(having) == 1:
        return having[0]
    raise ConfigError(
        f"suite {name!r} does not have task {task!r}",
        hint=f"Give --suite NAME, one of: {', '.join(having)}"
        if having
        else "Add it to the `tasks` of a suite, and give --suite NAME",
    )


def _find_stored(settings: Settings, suite: str | None, key: str) -> Path | None:
    """The folder of a finished or failed cell of any suite; `suite` wins where several have it."""
    if not KEY.fullmatch(key):
        return None
    found = [
        path.with_name(path.name.removesuffix(store.ERROR_SUFFIX))
        for path in sorted(settings.store.runs.glob(f"*/*/*/*-{key}*"))
        if path.name.endswith((f"-{key}", f"-{key}{store.ERROR_SUFFIX}"))
        and not path.name.startswith(".")
    ]
    preferred = settings.suite(suite)[0]
    return min(found, key=lambda folder: folder.parents[2].name != preferred, default=None)


def _explain_unknown(settings: Settings, suite: str | None, what: str) -> ConfigError:
    name, _ = settings.suite(suite)
    cells = {cell.key: cell for cell in plan(settings, suite).cells}
    if what in cells:
        return ConfigError(
            f"{cells[what].title}: not run yet", id=what, hint=f"Run `bench run {name}` first"
        )
    near = get_close_matches(what, [*settings.task_names(), *cells], n=1)
    suggestion = f"Did you mean {near[0]!r}? " if near else ""
    return ConfigError(
        f"{what!r} is neither a task nor the key of a stored cell, nor of a cell of suite {name!r}",
        hint=f"{suggestion}Give --suite NAME for another suite; `bench plan NAME --cells` lists "
        "its keys",
    )


def _describe_cell(folder: Path, id: str | None) -> str:
    if store.error_file(folder).is_file() and not store.is_done(folder):
        seed = folder.name.partition("-")[0]
        title = f"{folder.parents[1].name} · {folder.parent.name} · seed {seed}"
        return f"{title}: failed\n{store.error_file(folder).read_text('utf-8')}"
    record = store.read_record(folder)
    predictions = store.read_predictions(folder / store.PREDICTIONS)
    shown = [p for p in predictions if p.id == id] if id else predictions[:PREDICTIONS_SHOWN]
    if id and not shown:
        raise DataError("no prediction of that id", id=id, file=folder, hint="Correct the id")
    text = json.dumps(record.model_dump(mode="json"), indent=2, ensure_ascii=False)
    parts = (record.task, record.method, record.llm, record.encoder, f"seed {record.seed}")
    lines = [" · ".join(part for part in parts if part), str(folder), text]
    scores = store.read_scores(folder)
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
    source = name_sources(settings, suite, task)[0]
    data = open_sources(settings, suite)[source]
    dataset = data.load(settings.task(task, suite.split), data.suite.evaluate)
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
        f"history: {len(example.history)} behaviors",
        f"gold: {gold}",
        f"query: {example.query}",
    ]
    models = Models(settings, Progress())
    seen: set[tuple[str, Budget | None]] = set()
    for cell in grid.cells:
        new = cell.source == source and (cell.variant, cell.budget) not in seen
        if not new:
            continue
        seen.add((cell.variant, cell.budget))
        if issubclass(cell.method, PromptMethod):
            lines += [
                "",
                f"--- {cell.variant}{f' · {cell.budget} tokens' if cell.several_budgets else ''}",
                *_describe_prompt(cell, settings, data, models, example),
            ]
        elif methods:  # asked for, so say why there is nothing to show
            lines += ["", f"{cell.variant}: {_explain_no_prompt(cell.method, cell.config)}"]
    return "\n".join(lines)


def _explain_no_prompt(method: type[Method], config: MethodConfig) -> str:
    if not method.uses_llm:
        return "answers without an LLM"
    if isinstance(config, TextSideConfig):
        soft = issubclass(method, PrefixMethod)
        return (
            f"{'soft tokens before' if soft else 'adapted weights read'} the {config.text} prompt"
        )
    return "trains or combines other methods, and writes no prompt of its own"


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
        f"{length} tokens, {_list_behaviors(prompt)}, query read: {total - cut} of {total} tokens",
        prompt.text,
    ]


def _list_behaviors(prompt: Prompt) -> str:
    return (
        f"behaviors {', '.join(prompt.behaviors)}"
        if prompt.behaviors
        else "no items of the history"
    )
