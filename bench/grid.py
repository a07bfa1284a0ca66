"""Suite → cells: what is to be computed, under which key, and what is done already."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from bench.data import Data
from bench.key import CellKey, SetKey
from bench.settings import Settings, Suite, for_task, merge
from methods import METHODS, Method, MethodConfig
from methods.core.controls import SEPARATOR, make_control
from tasks import TASKS, Task
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean

CONTROL = "shuffled-user"
"""What a suite's `controls = true` adds for every personal method."""


@dataclass(frozen=True)
class Cell:
    """One data source × task × LLM × encoder × method × seed of a suite.

    Attributes:
        source: of the data, by its name in bench.toml.
        place: the task, and the source too where the suite has several.
        variant: the method's name in the suite; `method` is the class behind it.
        llm, encoder: names in bench.toml; None where the method doesn't use one.
        depends_on: everything that decides the predictions.
        folder: where the cell's results are, or will be.
    """

    suite: str
    source: str
    place: str
    task: type[Task]
    llm: str | None
    encoder: str | None
    variant: str
    method: type[Method]
    config: MethodConfig
    seed: int
    depends_on: CellKey
    folder: Path

    @property
    def key(self) -> str:
        """12 hex digits that stand for `depends_on`."""
        return self.depends_on.digest

    @property
    def fit_key(self) -> str:
        """Hash of everything that decides what `fit` learns; cells with an equal one share it."""
        return self.depends_on.fit_digest

    @property
    def owns_fit(self) -> bool:
        """Whether what is fitted belongs to this method itself, not to the one it controls."""
        return self.depends_on.fit.method == self.method.name

    @property
    def title(self) -> str:
        """A short name for messages."""
        models = "".join(f" · {name}" for name in (self.llm, self.encoder) if name)
        return f"{self.place} · {self.variant}{models} · seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """The cells of a suite, as they are best run, and the (row, task) pairs that make no sense.

    `methods` and `tasks` are what `plan` was asked to narrow it to.
    """

    suite: str
    cells: tuple[Cell, ...]
    inapplicable: tuple[tuple[str, str], ...]
    methods: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()


def plan(
    settings: Settings,
    suite_name: str | None = None,
    *,
    methods: Sequence[str] = (),
    tasks: Sequence[str] = (),
) -> Grid:
    """The grid of a suite, narrowed to some methods and tasks if given.

    Cells that share an adapted LLM stand side by side, so that it is opened once.

    Raises:
        ConfigError: an unknown suite, task, method, LLM, encoder or option.
        DataError: the data that a cell's key depends on can't be read.
    """
    name, suite = settings.suite(suite_name)
    chosen_methods = _chosen_rows(methods, suite)
    chosen_tasks = _chosen("task", tasks, suite.tasks)
    for variant in settings.methods:
        _named_method(settings, variant)  # `--set methods.bm52.k=2` would change nothing
    known = [row.partition(SEPARATOR)[0] for row in suite.methods]
    for variant in suite.options:
        if variant not in known:
            raise ConfigError(
                f"suite {name!r} has options for {variant!r}, which is none of its methods",
                hint=did_you_mean(variant, known),
            )
    for key in ("reference", "instruction_only"):
        _require_row(suite, name, key, known)
    for variant in chosen_methods:
        _resolve(settings, suite, variant, None)  # a typo is told before any data is read
    datas = {source: Data(settings, suite, source) for source in suite.data}
    cells: dict[tuple[str, Path], Cell] = {}
    inapplicable: list[tuple[str, str]] = []
    for task in [TASKS.get(task_name) for task_name in chosen_tasks]:
        variants = [(v, *_resolve(settings, suite, v, task.name)) for v in chosen_methods]
        variants += _controls(suite, variants)
        _require_models(suite, name, [method for _, method, _ in variants])
        fitting = [entry for entry in variants if entry[1].applicable(task)]
        left_out = [variant for variant, *_ in variants if variant not in {f[0] for f in fitting}]
        inapplicable += [(variant, task.name) for variant in left_out]
        places = product(suite.data, suite.seeds, _combinations(suite, fitting))
        for source, seed, (llm, encoder, row) in places:
            if seed != suite.seeds[0] and not _is_seeded(settings, row[1], llm):
                continue
            cell = _cell(settings, name, source, datas[source], task, llm, encoder, *row, seed)
            cells.setdefault((cell.place, cell.folder), cell)
    return Grid(name, tuple(cells.values()), tuple(inapplicable), tuple(methods), tuple(tasks))


def _chosen_rows(wanted: Sequence[str], suite: Suite) -> Sequence[str]:
    """The rows asked for; a control that `controls = true` adds may be asked for by name too."""
    added = [f"{name}{SEPARATOR}{CONTROL}" for name in suite.methods] if suite.controls else []
    return _chosen("method", wanted, [*suite.methods, *(n for n in added if n in wanted)])


def _chosen(kind: str, wanted: Sequence[str], suite: Sequence[str]) -> Sequence[str]:
    for name in wanted:
        if name not in suite:
            raise ConfigError(
                f"{kind} {name!r} is not in the suite", hint=did_you_mean(name, list(suite))
            )
    return [name for name in suite if not wanted or name in wanted]


def _controls(
    suite: Suite, variants: Sequence[tuple[str, type[Method], MethodConfig]]
) -> list[tuple[str, type[Method], MethodConfig]]:
    """The shuffled-user rows that `controls = true` adds; those named by hand are not doubled."""
    given = {variant for variant, *_ in variants}
    return [
        (f"{variant}{SEPARATOR}{CONTROL}", make_control(method, CONTROL), config)
        for variant, method, config in variants
        if suite.controls
        and SEPARATOR not in variant
        and f"{variant}{SEPARATOR}{CONTROL}" not in given
        and method.uses_llm
        and method.is_personal(config)
    ]


def _named_method(
    settings: Settings, variant: str, task: str | None = None
) -> tuple[str, dict[str, Any]]:
    """(registered method, options) of a variant. Raises ConfigError for an unknown method."""
    name, options = settings.variant(variant, task)
    if ":" not in name and name not in METHODS.targets:
        known = [*METHODS.names(), *(other for other in settings.methods if other != variant)]
        raise ConfigError(f"unknown method {name!r}", hint=did_you_mean(name, known))
    return name, options


def _resolve(
    settings: Settings, suite: Suite, row: str, task: str | None
) -> tuple[type[Method], MethodConfig]:
    """The class and the checked options of a row: a variant, perhaps under a control."""
    variant, _, control = row.partition(SEPARATOR)
    name, options = _named_method(settings, variant, task)
    method = METHODS.get(name)
    if control:
        method = make_control(method, control)
    if "training" in method.Config.model_fields:
        options = merge(options, {"training": suite.training})
    own = for_task(suite.options.get(variant, {}), task, f"options.{variant} of the suite:")
    options = merge(options, own)
    return method, method.parse_config(options, f"[methods.{variant}]")


def _require_row(suite: Suite, name: str, key: str, known: list[str]) -> None:
    """Raise ConfigError where a row that the suite itself names is none of its methods."""
    row = getattr(suite, key)
    if key in suite.model_fields_set and row not in {*known, *suite.methods}:
        raise ConfigError(
            f"{key} = {row!r} of suite {name!r} is none of its methods",
            hint=did_you_mean(row, known),
        )


def _require_models(suite: Suite, name: str, methods: Sequence[type[Method]]) -> None:
    for kind, given, users in (
        ("llms", suite.llms, [method.name for method in methods if method.uses_llm]),
        ("encoders", suite.encoders, [method.name for method in methods if method.uses_encoder]),
    ):
        if users and not given:
            raise ConfigError(
                f"suite {name!r} names no {kind}, but {users[0]!r} needs one",
                hint=f"Add {kind} = [...] to [suites.{name}]",
            )


def _combinations(
    suite: Suite, variants: Sequence[tuple[str, type[Method], MethodConfig]]
) -> Iterator[tuple[str | None, str | None, tuple[str, type[Method], MethodConfig]]]:
    for llm in suite.llms or (None,):
        for entry in variants:
            method = entry[1]
            encoders = suite.encoders if method.uses_encoder else (None,)
            for encoder in encoders:
                yield llm if method.uses_llm else None, encoder, entry


def _is_seeded(settings: Settings, method: type[Method], llm: str | None) -> bool:
    """Whether another seed can change the answers: by the method, or by an LLM made or adapted."""
    config = None if llm is None else settings.llm(llm)
    made_here = config is not None and (config.scratch is not None or config.adapt != "none")
    return method.seeded or made_here


def _cell(
    settings: Settings,
    suite_name: str,
    source: str,
    data: Data,
    task: type[Task],
    llm: str | None,
    encoder: str | None,
    variant: str,
    method: type[Method],
    config: MethodConfig,
    seed: int,
) -> Cell:
    suite = data.suite
    key = _key(settings, data, task, llm, encoder, method, config, seed)
    place = task.name if len(suite.data) == 1 else f"{task.name} {source}"
    folder = settings.store.runs / suite_name / task.name / variant / f"{seed}-{key.digest}"
    return Cell(
        suite_name, source, place, task, llm, encoder, variant, method, config, seed, key, folder
    )


def _key(
    settings: Settings,
    data: Data,
    task: type[Task],
    llm: str | None,
    encoder: str | None,
    method: type[Method],
    config: MethodConfig,
    seed: int,
) -> CellKey:
    """What the cell's predictions depend on. Digests of models and data are computed here."""
    from methods.models.encoder import identity_of as encoder_identity
    from methods.models.identity import identity_of, named_model_identities

    suite, cache = data.suite, settings.store.cache
    train = data.fingerprint(task, suite.train)
    return CellKey(
        task=task.name,
        task_version=task.version,
        split=suite.split,
        train=SetKey(suite.train, train),
        evaluate=SetKey(suite.evaluate, data.fingerprint(task, suite.evaluate)),
        watched=data.fingerprint(task, "dev") if data.watches_dev else None,
        validation_share=suite.validation_share,
        method=method.key(config),
        fit=method.fit_key(config),
        llm=None
        if llm is None
        else identity_of(
            settings.llm(llm), task=task(), train_fingerprint=train, seed=seed, cache=cache
        ),
        max_input_tokens=None if llm is None else suite.max_input_tokens,
        encoder=None
        if encoder is None
        else encoder_identity(settings.encoder(encoder), cache=cache),
        models=tuple(named_model_identities(config.named_models(), task=task(), cache=cache)),
        seed=seed,
    )
