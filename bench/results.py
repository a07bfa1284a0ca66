"""Stored results as pandas DataFrames: one line per score, or one per prediction.

Read straight from the folders of the runs: neither bench.toml, data nor models are needed.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from bench import store
from bench.records import CellRecord, CellScores
from tasks.budget import LAMP
from tasks.common.errors import StorageError
from tasks.common.registry import did_you_mean

RUNS = Path("results/runs")
CELL_COLUMNS = ["suite", "data", "task", "method", "llm", "encoder", "seed"]
SCORE_COLUMNS = [
    *CELL_COLUMNS,
    *("max_input_tokens", "budget_rule", "train_examples", "config"),
    *("metric", "primary", "value", "higher_is_better", "n", "n_failed", "n_unparsed"),
    *("prompt_tokens", "query_read", "queries_cut"),
    *("new_tokens", "seconds", "fit_seconds", "predict_seconds"),
    *("trainable_shared", "trainable_per_user", "bytes_per_user", "seconds_per_user"),
    *("key", "folder"),
]
PREDICTION_COLUMNS = [
    *CELL_COLUMNS,
    *("id", "user_id", "text", "behaviors", "prompt_tokens", "truncated_tokens", "new_tokens"),
    *("query_tokens", "query_tokens_cut", "max_input_tokens", "budget_rule", "error", "note"),
]


def load_results(runs: Path | str = RUNS, suite: str | None = None) -> pd.DataFrame:
    """Every stored score, one line per cell and metric.

    >>> scores = load_results(suite="mini")  # doctest: +SKIP
    >>> scores[scores.primary].pivot_table("value", "method", "task")  # doctest: +SKIP

    Cells whose set has no golds have no scores and so no line. Columns:

    - suite, data, task, method, llm, encoder, seed: the cell. `method` is the variant's name, with
      its control ("bm25@shuffled-user"); llm and encoder are missing where the method uses none.
    - max_input_tokens, budget_rule, train_examples, config: settings that a name like "bm25"
      doesn't show: the prompt budget and its rule (missing without an LLM), the examples that `fit`
      learned from (0 if nothing is trained), and all options of the method as compact JSON.
    - metric, value, higher_is_better: the score. `primary` marks the task's primary metric.
    - n, n_failed, n_unparsed: examples scored; failed and unparsed ones count as wrong.
    - prompt_tokens, new_tokens: means per query, soft tokens not counted.
    - query_read, queries_cut: mean share of a query that the LLM read, and the number of queries of
      which it did not read all; missing without an LLM and in cells stored before it was counted.
    - seconds, fit_seconds, predict_seconds: wall-clock time of the cell and of two of its phases.
      `fit_seconds` is the time of the training wherever it ran: cells that share a fit share it.
    - trainable_shared, trainable_per_user, bytes_per_user, seconds_per_user: see `methods.Cost`.
    - key, folder: the cell's key, and where it is stored. A cell that two suites share has lines of
      both.

    Results of one method under several settings (other `--set`, another bench.toml) are all
    returned. Select one before averaging: by `max_input_tokens`, `train_examples`, `n` or `config`,
    or by the keys that `bench plan --cells` lists. The `key` differs wherever a setting does.

    Args:
        runs: the folder that `store.runs` in bench.toml names.
        suite: only this suite's cells.

    Raises:
        StorageError: no such folder or suite, or a stored file is missing or damaged.
    """
    rows: list[dict[str, Any]] = []
    for folder, record in _read_cells(Path(runs), suite):
        scores = store.read_scores(folder)
        if scores is not None:
            rows += _score_rows(folder, record, scores)
    return pd.DataFrame(rows, columns=SCORE_COLUMNS)


def load_predictions(runs: Path | str = RUNS, suite: str | None = None) -> pd.DataFrame:
    """Every stored prediction, one line each. Golds are not stored and so not among the columns.

    Columns besides those of the cell, its key and its folder (see `load_results`):

    - id, user_id: the example and its user; user_id is missing where the set has no golds.
    - text: the answer; missing where the method failed, and `error` says why.
    - behaviors: ids of the behaviours in the prompt, in prompt order, as a tuple.
    - prompt_tokens, truncated_tokens, new_tokens, query_tokens, query_tokens_cut, note: see
      `tasks.Prediction`.
    - max_input_tokens, budget_rule: the prompt budget.
    - one column per metric that has a value for each example: accuracy (0 or 1), mae (absolute
      error), rmse (squared error), ROUGE and METEOR. Corpus metrics (f1, bleu, chrf) have none.

    Args:
        runs: the folder that `store.runs` in bench.toml names.
        suite: only this suite's cells.

    Raises:
        StorageError: no such folder or suite, or a stored file is missing or damaged.
    """
    rows: list[dict[str, Any]] = []
    metrics: dict[str, None] = {}
    for folder, record in _read_cells(Path(runs), suite):
        predictions = store.read_predictions(folder / store.PREDICTIONS)
        scores = store.read_scores(folder)
        of_example = {} if scores is None else _example_values(scores)
        if scores is not None and of_example.keys() != {p.id for p in predictions}:
            raise StorageError(
                "holds scores of other examples than predictions.jsonl",
                file=folder / store.SCORES,
                hint=store.SCORE_AGAIN,
            )
        for prediction in predictions:
            values = of_example.get(prediction.id, {"user_id": None})
            metrics |= dict.fromkeys(name for name in values if name != "user_id")
            rows.append(_cell_columns(folder, record) | asdict(prediction) | values)
    return pd.DataFrame(rows, columns=[*PREDICTION_COLUMNS, *metrics, "key", "folder"])


def _read_cells(runs: Path, suite: str | None) -> Iterator[tuple[Path, CellRecord]]:
    """Every stored cell's folder and record, in the order of the folders' names."""
    if not runs.is_dir():
        raise StorageError(
            "there is no such folder",
            file=runs,
            hint="Give the folder of your results, which `store.runs` in bench.toml names, or fill "
            "it by `bench run`",
        )
    suites = [path.name for path in _subfolders(runs)]
    if suite is not None and suite not in suites:
        raise StorageError(
            f"no results of suite {suite!r}", file=runs, hint=did_you_mean(suite, suites)
        )
    for name in suites if suite is None else [suite]:
        for task in _subfolders(runs / name):
            for method in _subfolders(task):
                for folder in _subfolders(method):
                    if (folder / store.RECORD).exists():
                        yield folder, store.read_record(folder)


def _subfolders(folder: Path) -> list[Path]:
    """Without hidden ones, which unfinished cells are written to."""
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _cell_columns(folder: Path, record: CellRecord) -> dict[str, Any]:
    cell = {name: getattr(record, name) for name in CELL_COLUMNS}
    tokens = record.identity.get("max_input_tokens")
    rule = None if tokens is None else record.identity.get("budget_rule", LAMP)
    budget = {"max_input_tokens": tokens, "budget_rule": rule}
    return cell | budget | {"key": record.key, "folder": str(folder)}


def _score_rows(folder: Path, record: CellRecord, scores: CellScores) -> list[dict[str, Any]]:
    cell = _cell_columns(folder, record) | {
        "train_examples": record.fit.examples,
        "config": json.dumps(record.config, ensure_ascii=False, separators=(",", ":")),
        "prompt_tokens": record.totals.prompt_tokens_mean,
        "query_read": record.totals.query_read_mean,
        "queries_cut": record.totals.queries_cut,
        "new_tokens": record.totals.new_tokens_mean,
        "seconds": record.seconds.total,
        "fit_seconds": record.fit.seconds,
        "predict_seconds": record.seconds.predict,
        **asdict(record.cost),
    }
    primary = next(iter(scores.metrics))
    return [
        {**cell, **metric.model_dump(exclude={"rows"}), "primary": name == primary}
        for name, metric in scores.metrics.items()
    ]


def _example_values(scores: CellScores) -> dict[str, dict[str, Any]]:
    """Example id → its user and its value in every metric whose rows hold one number."""
    columns = {
        name: metric.rows
        for name, metric in scores.metrics.items()
        if metric.rows is not None and all(len(row) == 1 for row in metric.rows)
    }
    return {
        id: {"user_id": user, **{name: rows[place][0] for name, rows in columns.items()}}
        for place, (id, user) in enumerate(zip(scores.ids, scores.users, strict=True))
    }
