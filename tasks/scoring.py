"""Scoring rules: the choices that turn the same predictions into different scores."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, Self

Unparsed = Literal["lamp", "pplug"]
"""Treatment of an ordinal answer that is not a number: LaMP's scripts' or PPlug's."""
Aggregator = Literal["mean", "lamp"]
"""Of ROUGE: the mean, or the bootstrap median that LaMP's scripts print."""

EVALUATE = "evaluate:"
"""What the name of a metric begins with that a module of `evaluate` computes."""


@dataclass(frozen=True, slots=True)
class EvaluateModule:
    """A metric that a module of Hugging Face's `evaluate` computes: `evaluate:NAME` in a task.

    Attributes:
        name: the metric's name, without the prefix.
        module: the path of the module's file or folder, its name on the Hugging Face Hub, an
            importable class such as "package.file:Class", or an `evaluate.EvaluationModule` itself.
        higher_is_better: False for errors.
        value: the key of the module's result that is the metric; None: its only key. Where a list
            stands there, it holds the examples' own values, and the metric is their mean.
        config: the module's configuration (`config_name` of `evaluate.load`), or the name of
            `encoder`.
        encoder: the encoder that a class reads texts by, as a mapping; not stored, since paths
            differ between machines: `sha256` covers its content.
        revision: of a module on the Hub.
        options: further arguments of the module's `compute`.
        one_by_one: the metric is the mean of the scores that each example gets by itself.
        worst: the value of a failed or unparsed answer; None: the module scores it as an empty
            text (or as a wrong label or the farthest number, where the module reads those).
        tasks: names of tasks that are given this metric although their `metrics` don't list it.
        sha256: evaluate's hash of the module's source; "" until the module is loaded.
        evaluate: the version of `evaluate`; "" until the module is loaded.
    """

    name: str
    module: str | Any
    higher_is_better: bool
    value: str | None = None
    config: str | None = None
    encoder: Mapping[str, Any] | None = None
    revision: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    one_by_one: bool = False
    worst: float | None = None
    tasks: tuple[str, ...] = ()
    sha256: str = ""
    evaluate: str = ""

    @property
    def metric(self) -> str:
        """The name in a task's `metrics`."""
        return f"{EVALUATE}{self.name}"

    @property
    def source(self) -> str:
        """The module's name, the same on every machine: no folder, and no object."""
        if not isinstance(self.module, str):
            return f"{type(self.module).__module__}.{type(self.module).__qualname__}"
        path = Path(self.module)
        return path.stem if path.is_absolute() else self.module

    def to_rule(self) -> Self:
        """What scores depend on, as it is stored with them."""
        return replace(self, module=self.source, encoder=None, tasks=())


@dataclass(frozen=True, slots=True)
class Scoring:
    """Scoring rules. Scores computed under different rules must not share a table.

    Attributes:
        unparsed: treatment of an ordinal answer that is not a number (see `tasks.metrics.ordinal`).
        aggregator: of ROUGE: "mean", or "lamp" for the bootstrap median that LaMP's scripts print.
        evaluate: the metrics that modules of `evaluate` compute.
    """

    unparsed: Unparsed = "lamp"
    aggregator: Aggregator = "mean"
    evaluate: tuple[EvaluateModule, ...] = ()

    def declared(self) -> Self:
        """The rules without what is known of a module only once it is loaded."""
        modules = tuple(replace(module, sha256="", evaluate="") for module in self.evaluate)
        return replace(self, evaluate=modules)


DEFAULT_SCORING = Scoring()


def find_script(module: str) -> Path | None:
    """The Python file of a module that is named by its path; None if there is none."""
    path = Path(module).expanduser()
    candidates = (path if path.suffix == ".py" else None, path / f"{path.name}.py")
    return next((p.resolve() for p in candidates if p is not None and p.is_file()), None)
