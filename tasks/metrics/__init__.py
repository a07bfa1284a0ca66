"""Metrics by name; each computes statistics per example and reduces them to one value.

A name of the form "evaluate:NAME" is a metric that a module of Hugging Face's `evaluate` computes
(`tasks.metrics.modules`); the other way round, `tasks.metrics.local` offers each of ours as an
`evaluate.Metric`.
"""

from collections.abc import Callable
from dataclasses import replace

from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean
from tasks.metrics.classification import Accuracy, MacroF1
from tasks.metrics.generation import Bleu, ChrF, Meteor, Rouge
from tasks.metrics.metric import Metric
from tasks.metrics.modules import ModuleMetric
from tasks.metrics.ordinal import MeanAbsoluteError, RootMeanSquaredError
from tasks.metrics.rubric import AspectRecall
from tasks.scoring import DEFAULT_SCORING, EVALUATE, EvaluateModule, Scoring
from tasks.task import Kind, Task

CLASSIFICATION = ("accuracy", "f1")
ORDINAL = (*CLASSIFICATION, "mae", "rmse")
RUBRIC = ("aspect_recall",)
GENERATION = ("rouge1", "rouge2", "rougeL", "bleu", "chrf", "meteor")

__all__ = ["Metric", "choose", "create", "find_rules", "find_withheld", "names"]


def names(task: Task | type[Task]) -> tuple[str, ...]:
    """The names of the metrics for the task's kind of answer and of gold."""
    if not task.gold_is_answer:
        return RUBRIC
    return {
        Kind.CLASSIFICATION: CLASSIFICATION,
        Kind.ORDINAL: ORDINAL,
        Kind.GENERATION: GENERATION,
    }[task.kind]


def choose(task: Task | type[Task], scoring: Scoring = DEFAULT_SCORING) -> tuple[str, ...]:
    """The task's metrics, the primary one first, and those that the scoring rules add to it."""
    added = [module.metric for module in scoring.evaluate if task.name in module.tasks]
    return tuple(dict.fromkeys([*task.metrics, *added]))


def find_rules(task: Task, scoring: Scoring, *, load: bool = False) -> Scoring:
    """The scoring rules that the task's scores depend on, as they are stored with the scores.

    Args:
        load: load the task's modules of `evaluate`, to record which ones they are.

    Raises ConfigError for a module that is not declared, or that can't be loaded.
    """
    named = [name for name in choose(task, scoring) if name.startswith(EVALUATE)]
    modules = [_find_module(name, task, scoring) for name in named]
    if load:
        modules = [ModuleMetric(module, task, scoring).identify() for module in modules]
    return replace(scoring, evaluate=tuple(module.to_rule() for module in modules))


def find_withheld(task: Task, scoring: Scoring = DEFAULT_SCORING) -> dict[str, str]:
    """Metrics of the task that can't be computed on this machine → why, and how to get them.

    Raises ConfigError where the primary one is among them: no row could be compared without it.
    """
    withheld: dict[str, str] = {}
    primary, *others = choose(task, scoring)
    create(primary, task, scoring).check_available()
    for name in others:
        try:
            create(name, task, scoring).check_available()
        except ConfigError as error:
            withheld[name] = str(error).removesuffix(".")
    return withheld


def create(name: str, task: Task, scoring: Scoring = DEFAULT_SCORING) -> Metric:
    """The metric called `name`, set up for `task` under these scoring rules.

    Raises:
        ConfigError: the name is unknown or doesn't fit the task's kind.
    """
    if name.startswith(EVALUATE):
        return ModuleMetric(_find_module(name, task, scoring), task, scoring)
    known = names(task)
    if name not in known:
        raise ConfigError(
            f"unknown metric {name!r} for {task.name} ({task.kind})",
            hint=did_you_mean(name, list(known)),
        )
    factories: dict[str, Callable[[], Metric]] = {
        "accuracy": lambda: Accuracy(task.labels),
        "f1": lambda: MacroF1(task.labels),
        "mae": lambda: MeanAbsoluteError(task.labels, scoring.unparsed),
        "rmse": lambda: RootMeanSquaredError(task.labels, scoring.unparsed),
        "bleu": lambda: Bleu(task.words),
        "chrf": ChrF,
        "meteor": Meteor,
        "aspect_recall": AspectRecall,
    }
    return factories[name]() if name in factories else Rouge(name, scoring.aggregator, task.words)


def _find_module(metric: str, task: Task, scoring: Scoring) -> EvaluateModule:
    """What "evaluate:NAME" means: the scoring rules come before the task's own modules."""
    for module in (*scoring.evaluate, *task.evaluate_modules):
        if module.metric == metric:
            return module
    name = metric.removeprefix(EVALUATE)
    raise ConfigError(
        f"metric {metric!r} of {task.name} is not described",
        hint=f'Add to bench.toml: [scoring.evaluate."{name}"], with higher_is_better = true or '
        'false, and module = "…" unless the name is the module\'s path or its name on the Hub',
    )
