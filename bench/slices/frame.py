"""A sliced table in long form, for pandas, spreadsheets and plots."""

from pathlib import Path
from typing import TYPE_CHECKING

from bench.grid import plan
from bench.settings import load_settings
from bench.slices.build import build
from bench.slices.model import SliceTable
from bench.statistics import Comparison

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = [
    *("task", "metric", "method", "llm", "encoder", "max_input_tokens", "budget_rule"),
    *("by", "part", "order", "n", "users", "value", "low", "high"),
    *("difference", "difference_low", "difference_high", "difference_p", "difference_verdict"),
    *("withheld", "unproven"),
    *("by_seed", "seeds", "n_failed", "n_unparsed", "behaviors", "higher_is_better"),
]


def to_frame(table: SliceTable) -> "pd.DataFrame":
    """One line per row, metric and part; `order` is the part's rank in its task.

    Columns are those of `SliceScore` and `Part`; `low`, `high`, the interval of the difference and
    its p are missing where `withheld` says why. `difference_p` is corrected for all rows and parts
    of the metric, and `difference_verdict` ("better", "worse" or "unclear") is what may be claimed;
    `unproven` says why nothing may be claimed in spite of an interval. `behaviors` is a mean per
    query; n and users are counts of one seed, n_failed and n_unparsed sums over seeds.
    """
    ranks: dict[str, int] = {}
    order: dict[tuple[str, str], int] = {}
    for part in table.parts:
        order[part.place, part.name] = ranks[part.place] = ranks.get(part.place, -1) + 1
    lines = [
        {
            "task": score.part.place,
            "metric": score.metric,
            "method": score.row.method,
            "llm": score.row.llm,
            "encoder": score.row.encoder,
            "max_input_tokens": None if score.row.budget is None else score.row.budget.tokens,
            "budget_rule": None if score.row.budget is None else score.row.budget.rule,
            "by": table.by,
            "part": score.part.name,
            "order": order[score.part.place, score.part.name],
            "n": score.part.n,
            "users": score.part.users,
            "value": score.value,
            "low": score.interval.low,
            "high": score.interval.high,
            **_flatten(score.comparison),
            "withheld": score.interval.withheld,
            "unproven": "" if score.comparison is None else score.comparison.unproven,
            "by_seed": " ".join(f"{value:.6f}" for value in score.by_seed),
            "seeds": len(score.by_seed),
            "n_failed": score.n_failed,
            "n_unparsed": score.n_unparsed,
            "behaviors": score.behaviors,
            "higher_is_better": score.higher_is_better,
        }
        for score in table.scores
    ]
    import pandas as pd  # slow, and tables in a terminal do without

    frame = pd.DataFrame(lines, columns=COLUMNS)
    return frame.astype({"max_input_tokens": "Int64"})


def _flatten(comparison: Comparison | None) -> dict[str, float | str | None]:
    if comparison is None:
        return {}
    return {
        "difference": comparison.difference,
        "difference_low": comparison.low,
        "difference_high": comparison.high,
        "difference_p": comparison.p_adjusted,
        "difference_verdict": comparison.verdict,
    }


def to_csv(table: SliceTable) -> str:
    """`to_frame` as CSV text."""
    return to_frame(table).to_csv(index=False, float_format="%.6f", lineterminator="\n")


def load_slices(
    by: str, suite: str | None = None, config: Path | str | None = None
) -> "pd.DataFrame":
    """A suite's stored scores by the parts of a dimension, every metric; columns as in `to_frame`.

    >>> load_slices("history", suite="mini")  # doctest: +SKIP

    Unlike `load_results`, this needs bench.toml and the data: stored results don't say how long a
    history was.

    Args:
        by: "history", "activity", "label", "seen" or "k", see `bench table --slice`.
        suite: the default one if omitted.
        config: the settings file; None: bench.toml of the current folder, if there is one.

    Raises:
        ConfigError: an unknown name, nothing stored yet, or no task that can be divided so.
        DataError: the data isn't there or is faulty.
        StorageError: a stored file is damaged.
    """
    settings = load_settings(None if config is None else Path(config), (), suite)
    return to_frame(build(settings, plan(settings, suite), by, all_metrics=True))
