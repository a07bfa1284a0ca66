"""Suite → cells: what is to be computed, under which key, and what is done already."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from bench.data import Data, name_sources, open_sources
from bench.identities import Identities, is_made_here
from bench.joint import find_training_keys
from bench.key import CellKey, SetKey
from bench.rows import Row, choose_rows, find_method, make_control_rows, resolve_row
from bench.settings import Settings, Suite
from methods import Method, MethodConfig
from methods.core.controls import SEPARATOR
from methods.core.runtime import require_labels
from tasks import Task
from tasks.budget import Budget
from tasks.common.errors import ConfigError
from tasks.common.registry import did_you_mean

UNSEEDED = 0
"""The seed of a cell that no seed changes: suites with other seeds share its key."""


@dataclass(frozen=True)
class Cell:
    """One data source × task × LLM × encoder × method × budget × seed of a suite.

    Attributes:
        source: of the data, by its name in bench.toml; "tasks.NAME" of a declared task.
        place: the task, and the source too where the suite has several.
        variant: the method's name in the suite; `method` is the class behind it.
        llm, encoder: names in bench.toml; None where the method doesn't use one.
        budget: of prompts; None where the method uses no LLM.
        several_budgets: whether the suite has others, so that titles name it.
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
    budget: Budget | None
    several_budgets: bool
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
        budget = self.budget if self.several_budgets else None
        models = "".join(f" · {name}" for name in (self.llm, self.encoder, budget) if name)
        return f"{self.place} · {self.variant}{models} · seed {self.seed}"


@dataclass(frozen=True)
class Grid:
    """The cells of a suite, as they are best run, and what was left out.

    Attributes:
        inapplicable: (row, task) pairs that make no sense.
        methods, tasks: what `plan` was asked to narrow it to.
        without_weights: (row, LLM) pairs of a row that needs weights and an LLM that is served.
    """

    suite: str
    cells: tuple[Cell, ...]
    inapplicable: tuple[tuple[str, str], ...]
    methods: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    without_weights: tuple[tuple[str, str], ...] = ()


def plan(
    settings: Settings,
    suite_name: str | None = None,
    *,
    methods: Sequence[str] = (),
    tasks: Sequence[str] = (),
) -> Grid:
    """The grid of a suite, narrowed to some methods and tasks if given.

    A method outside the suite runs on the suite's terms. Cells that share an LLM are neighbors,
    and among them those that share an adapted one, so that each is opened once.

    Raises:
        ConfigError: an unknown suite, task, method, LLM, encoder or option.
        DataError: the data that a cell's key depends on can't be read.
    """
    name, suite = settings.suite(suite_name)
    chosen_methods = choose_rows(settings, suite, methods)
    chosen_tasks = _choose_tasks(tasks, suite)
    _check_names(settings, suite, name)
    for method in chosen_methods:
        resolve_row(settings, suite, method, None)  # a typo is reported before any data is read
    datas, identities = open_sources(settings, suite), Identities(settings)
    cells: dict[tuple[str, Path], Cell] = {}
    inapplicable: list[tuple[str, str]] = []
    without_weights: dict[tuple[str, str], None] = {}
    for task_name in chosen_tasks:
        task = settings.task(task_name, suite.split)
        sources = name_sources(settings, suite, task_name)
        rows = [resolve_row(settings, suite, method, task.name) for method in chosen_methods]
        rows += make_control_rows(suite, rows)
        _require_models(suite, name, [row.method for row in rows])
        if any(row.method.uses_llm for row in rows):
            _check_decoding(settings, suite, task)
        applicable = [row for row in rows if row.method.applicable(task)]
        inapplicable += [(row.name, task.name) for row in rows if row not in applicable]
        for source, seed, (llm, encoder, row, budget) in product(
            sources, suite.seeds, _combine_terms(suite, applicable)
        ):
            if llm is not None and row.access > settings.llm(llm).access:
                without_weights[row.name, llm] = None
                continue
            seeded = is_seeded(settings, row.method, llm)
            if not seeded and seed != suite.seeds[0]:
                continue
            cell = _cell(
                settings,
                identities,
                name,
                source,
                datas[source],
                len(sources) > 1,
                task,
                llm,
                encoder,
                row,
                budget,
                seed if seeded else UNSEEDED,
            )
            cells.setdefault((cell.place, cell.folder), cell)
    return Grid(
        name,
        tuple(sorted(cells.values(), key=lambda cell: _place_llm(suite, cell))),
        tuple(inapplicable),
        tuple(methods),
        tuple(tasks),
        tuple(without_weights),
    )


def _place_llm(suite: Suite, cell: Cell) -> int:
    """The LLM's place in the suite: one that no task changes is loaded once for all its cells."""
    return 0 if cell.llm is None else suite.llms.index(cell.llm)


def _choose_tasks(wanted: Sequence[str], suite: Suite) -> list[str]:
    for name in wanted:
        if name not in suite.tasks:
            raise ConfigError(
                f"task {name!r} is not in the suite", hint=did_you_mean(name, list(suite.tasks))
            )
    return [name for name in suite.tasks if not wanted or name in wanted]


def _check_names(settings: Settings, suite: Suite, name: str) -> None:
    """Raise ConfigError for a name that would otherwise change nothing."""
    for variant in settings.methods:
        find_method(settings, variant)  # --set methods.bm52.k=2
    rows = [row.partition(SEPARATOR)[0] for row in suite.methods]
    for what, table in (("options for", suite.options), ("trials of", suite.trials)):
        for variant in table:
            try:
                find_method(settings, variant)
            except ConfigError as error:
                raise ConfigError(
                    f"suite {name!r} has {what} {variant!r}, which is no method",
                    hint=did_you_mean(variant, rows),
                ) from error
    for key in ("reference", "instruction_only"):
        row = getattr(suite, key)
        if key in suite.model_fields_set and row not in {*rows, *suite.methods}:
            raise ConfigError(
                f"{key} = {row!r} of suite {name!r} is none of its methods",
                hint=did_you_mean(row, rows),
            )


def _require_models(suite: Suite, name: str, methods: Sequence[type[Method]]) -> None:
    for kind, given, users in (
        ("llms", suite.llms, [method.name for method in methods if method.uses_llm]),
        ("encoders", suite.encoders, [method.name for method in methods if method.uses_encoder]),
    ):
        if users and not given:
            raise ConfigError(
                f"suite {name!r} names no {kind}, but {users[0]!r} needs one",
                hint=f"Add {kind} = [...] to [suites.{name}], or give --set '{kind}=[...]'",
            )


def _check_decoding(settings: Settings, suite: Suite, task: type[Task]) -> None:
    """Raise ConfigError where an LLM answers by the likelihood of labels that the task lacks."""
    for llm in suite.llms:
        if settings.llm(llm).decoding.rule == "likelihood":
            require_labels(task, llm)


def _combine_terms(
    suite: Suite, rows: Sequence[Row]
) -> Iterator[tuple[str | None, str | None, Row, Budget | None]]:
    """Each row with every LLM, encoder and budget it uses; rows that share an LLM are neighbors."""
    for llm in suite.llms or (None,):
        for row in rows:
            encoders = suite.encoders if row.method.uses_encoder else (None,)
            budgets = suite.budgets if row.method.uses_llm else (None,)
            for encoder, budget in product(encoders, budgets):
                yield llm if row.method.uses_llm else None, encoder, row, budget


def is_seeded(settings: Settings, method: type[Method], llm: str | None) -> bool:
    """Whether another seed can change the answers: by the method, or by an LLM made or adapted."""
    config = None if llm is None else settings.llm(llm)
    return method.seeded or (config is not None and is_made_here(config))


def _cell(
    settings: Settings,
    identities: Identities,
    suite_name: str,
    source: str,
    data: Data,
    several_sources: bool,
    task: type[Task],
    llm: str | None,
    encoder: str | None,
    row: Row,
    budget: Budget | None,
    seed: int,
) -> Cell:
    suite = data.suite
    key = _key(settings, identities, source, data, task, llm, encoder, row, budget, seed)
    place = f"{task.name} {source}" if several_sources else task.name
    folder = settings.store.runs / suite_name / task.name / row.name / f"{seed}-{key.digest}"
    return Cell(
        suite_name,
        source,
        place,
        task,
        llm,
        encoder,
        row.name,
        row.method,
        row.config,
        budget,
        len(suite.budgets) > 1,
        seed,
        key,
        folder,
    )


def _key(
    settings: Settings,
    identities: Identities,
    source: str,
    data: Data,
    task: type[Task],
    llm: str | None,
    encoder: str | None,
    row: Row,
    budget: Budget | None,
    seed: int,
) -> CellKey:
    """What the cell's predictions depend on. Digests of models and data are computed here."""
    from methods.models.identity import named_model_identities

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
        method=row.key,
        fit=row.fit_key,
        llm=None if llm is None else identities.llm(llm, task, train, seed),
        max_input_tokens=None if budget is None else budget.tokens,
        budget_rule=None if budget is None else budget.rule,
        encoder=None if encoder is None else identities.encoder(encoder),
        models=tuple(named_model_identities(row.named_models, task=task(), cache=cache)),
        seed=seed,
        words=task.words,
        trained_on=find_training_keys(settings, source, data, task, row),
    )
