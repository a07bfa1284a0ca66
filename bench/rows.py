"""Names in a suite's `methods` → classes and checked options."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bench.settings import Settings, Suite
from bench.settings.tables import look_up, merge, select_task
from methods import METHODS, Method, MethodConfig
from methods.core.controls import SEPARATOR, make_control
from methods.core.key import MethodKey
from methods.models.access import Access
from methods.models.config import EncoderConfig, LLMConfig
from methods.pool.method import PoolConfig
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean

CONTROL = "shuffled-user"
"""What a suite's `controls = true` adds for every personal method."""


@dataclass(frozen=True)
class Row:
    """One row of a suite's table: a method, its options, and the name that the suite gives it."""

    name: str
    method: type[Method]
    config: MethodConfig

    @cached_property
    def key(self) -> MethodKey:
        """What predictions depend on besides data and models."""
        return self.method.key(self.config)

    @cached_property
    def fit_key(self) -> MethodKey:
        """What `fit` depends on besides data and models."""
        return self.method.fit_key(self.config)

    @cached_property
    def access(self) -> Access:
        """How much of an LLM the method needs."""
        return self.method.access(self.config)

    @cached_property
    def named_models(self) -> Sequence[LLMConfig | EncoderConfig]:
        """Models that the options name besides the suite's."""
        return self.config.named_models()


def choose_rows(settings: Settings, suite: Suite, wanted: Sequence[str]) -> list[str]:
    """The suite's rows, or those wanted: of the suite in its order, then methods outside it.

    A method that the suite does not list, or a control, runs on the suite's terms all the same.

    Raises ConfigError for an unknown method.
    """
    for name in wanted:
        find_method(settings, name.partition(SEPARATOR)[0])
    listed = [name for name in suite.methods if not wanted or name in wanted]
    return [*listed, *(name for name in dict.fromkeys(wanted) if name not in listed)]


def resolve_row(settings: Settings, suite: Suite, name: str, task: str | None) -> Row:
    """A row's class and checked options for a task. Raises ConfigError."""
    variant, _, control = name.partition(SEPARATOR)
    target, options = resolve_options(settings, variant, task, suite)
    method = METHODS.get(target)
    config = method.parse_config(options, f"[methods.{variant}]")
    return Row(name, make_control(method, control) if control else method, config)


def make_control_rows(suite: Suite, rows: Sequence[Row]) -> list[Row]:
    """The shuffled-user rows that `controls = true` adds, without those that the suite lists."""
    given = {row.name for row in rows}
    return [
        Row(f"{row.name}{SEPARATOR}{CONTROL}", make_control(row.method, CONTROL), row.config)
        for row in rows
        if suite.controls
        and SEPARATOR not in row.name
        and f"{row.name}{SEPARATOR}{CONTROL}" not in given
        and row.method.uses_llm
        and row.method.is_personal(row.config)
    ]


def find_method(
    settings: Settings, variant: str, task: str | None = None
) -> tuple[str, dict[str, Any]]:
    """(registered method, options) of a variant. Raises ConfigError for an unknown method."""
    name, options = settings.variant(variant, task)
    if ":" not in name and name not in METHODS.targets:
        known = [*METHODS.names(), *(other for other in settings.methods if other != variant)]
        raise ConfigError(f"unknown method {name!r}", hint=did_you_mean(name, known))
    return name, options


def resolve_options(
    settings: Settings,
    variant: str,
    task: str | None = None,
    suite: Suite | None = None,
    above: tuple[str, ...] = (),
) -> tuple[str, dict[str, Any]]:
    """(registered method, options) of a variant, with a suite's and a pool's members resolved.

    Args:
        above: the methods over pools whose member this variant is.

    Raises ConfigError: unknown method, task or pool; a pool inside itself.
    """
    target, options = find_method(settings, variant, task)
    config = METHODS.get(target).Config
    if suite is not None:
        if "training" in config.model_fields:
            options = merge(options, {"training": suite.training})
        own = suite.options.get(variant, {})
        where = f"options.{variant} of the suite:"
        options = merge(options, select_task(own, task, where, settings.task_names()))
    pool = options.get("pool")
    if issubclass(config, PoolConfig) and isinstance(pool, str | list | tuple):
        members = look_up(settings.pools, pool, "pool") if isinstance(pool, str) else pool
        options["pool"] = {
            name: _resolve_member(settings, name, task, suite, (*above, variant))
            for name in members
        }
        if len(options["pool"]) < len(members):
            raise ConfigError(
                f"the pool of {variant!r} names a member twice: {', '.join(members)}",
                hint="Name each once",
            )
    return target, options


def _resolve_member(
    settings: Settings, name: Any, task: str | None, suite: Suite | None, above: tuple[str, ...]
) -> dict[str, Any]:
    """A pool member as `methods.pool` takes it."""
    if not isinstance(name, str) or SEPARATOR in name or name in above:
        raise ConfigError(
            f"the pool of {above[-1]!r} names {name!r}",
            hint="Name methods and variants, without controls, and not the method itself",
        )
    method, options = resolve_options(settings, name, task, suite, above)
    return {"method": method, "options": options}
